"""Where the tenant lives, and which names of it are its own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

API_PATH = "/api/v2"


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """The tenant's origin, other names of the same address (`aliases`), and its custom domains."""

    origin: str
    aliases: frozenset[str] = frozenset()
    custom_domains: frozenset[str] = frozenset()

    @property
    def scheme(self) -> str:
        """The URL scheme, http or https."""
        return self.origin.partition("://")[0]

    @property
    def domain(self) -> str:
        """Host, and port where it is not the scheme's own."""
        return self.origin.partition("://")[2]

    @property
    def audience(self) -> str:
        """The Management API's identifier, always that of the canonical domain."""
        return f"{self.origin}{API_PATH}/"

    def name_of(self, host: str) -> str | None:
        """Return the domain that a Host header means, None where it is none of the tenant's."""
        default = ":443" if self.scheme == "https" else ":80"
        host = host.removesuffix(default)
        if host == self.domain or host in self.aliases:
            return self.domain
        return host if host in self.custom_domains else None

    def issuer(self, name: str) -> str:
        """Return the `iss` of tokens issued under a domain."""
        return f"{self.scheme}://{name}/"

    def is_audience(self, value: str) -> bool:
        """Tell whether a value is the API's identifier, by any name of the tenant's own address."""
        return any(
            value == f"{self.scheme}://{name}{API_PATH}/" for name in _names(self.domain, self.aliases)
        )


def _names(domain: str, aliases: Iterable[str]) -> Iterable[str]:
    yield domain
    yield from aliases
