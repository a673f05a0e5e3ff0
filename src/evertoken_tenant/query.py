"""Query parameters, of the types that the documents give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evertoken_tenant.call import Json


class Query:
    """The values of a query string, of the types that the operation gives them."""

    def __init__(self, values: Mapping[str, Json]) -> None:
        self._values = values

    def items(self) -> Iterable[tuple[str, Json]]:
        """Return all that was given."""
        return self._values.items()

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str:
        """Return a string, empty where it was not given."""
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def whole(self, name: str, default: int) -> int:
        """Return an integer."""
        value = self._values.get(name)
        return value if isinstance(value, int) else default

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self._values.get(name)
        return value if isinstance(value, bool) else default

    def texts(self, name: str) -> list[str]:
        """Return the strings of a parameter that may be repeated."""
        value = self._values.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    def but(self, *names: str) -> str:
        """Return all values but those of some parameters, as one comparable text."""
        return repr(sorted((name, value) for name, value in self._values.items() if name not in names))
