"""Where a tenant lives: the one origin that gets its tokens."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import urllib.parse
from typing import Final

from evertoken.errors import ArgumentError

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_EXAMPLE: Final = "give the tenant's domain, such as tenant.eu.auth0.com"


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host (lower case, no brackets) and port: what must match before a token is attached."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def origin_of(scheme: str, host: str, port: int | None) -> Origin | None:
    """Return the origin of a request's URL, None where the scheme is not that of HTTP."""
    if scheme not in _DEFAULT_PORTS:
        return None
    return Origin(scheme, host.lower().strip("[]"), port or _DEFAULT_PORTS[scheme])


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only mean this machine (RFC 6761, 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_domain(domain: object, argument: str = "domain") -> Origin:
    """Return the origin of a tenant: `tenant.eu.auth0.com`, `host:port`, or an https URL of one.

    http is for loopback only. Raises ArgumentError for anything else.
    """
    origin, path = _parse(argument, domain)
    if path not in {"", "/"}:
        raise ArgumentError(argument, f"{domain!r} has a path; {_EXAMPLE}")
    return origin


def parse_base_url(base_url: object) -> tuple[Origin, str]:
    """Return origin and path (without a slash at the end) of the API's root.

    https, or http on loopback. Raises ArgumentError for anything else.
    """
    if not isinstance(base_url, str) or "://" not in base_url:
        raise ArgumentError("base_url", "give a whole URL, such as https://tenant.eu.auth0.com/api/v2")
    origin, path = _parse("base_url", base_url)
    return origin, path.rstrip("/")


def check_audience(audience: object) -> str:
    """Return the audience if it can be that of a Management API; raise ArgumentError if it cannot."""
    problem = "give https://{canonical tenant domain}/api/v2/, the Management API's identifier"
    if not isinstance(audience, str) or "://" not in audience:
        raise ArgumentError("audience", problem)
    _, path = _parse("audience", audience)
    if path == "/api/v2":
        raise ArgumentError("audience", f"{audience!r} lacks the slash at its end")
    if path != "/api/v2/":
        raise ArgumentError("audience", f"{audience!r} is another API's; {problem}")
    return audience


def _parse(argument: str, value: object) -> tuple[Origin, str]:
    text = _text(argument, value)
    try:
        parts = urllib.parse.urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port
    except ValueError:
        raise ArgumentError(argument, f"not a domain or URL; {_EXAMPLE}") from None
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ArgumentError(argument, f"has a query or fragment; {_EXAMPLE}")
    host = (parts.hostname or "").lower()
    if not _is_host(host):
        raise ArgumentError(argument, f"{text!r} has no valid host name; {_EXAMPLE}")
    if parts.scheme not in _DEFAULT_PORTS:
        raise ArgumentError(argument, f"{text!r} is neither https nor http")
    if port == 0:
        raise ArgumentError(argument, f"{text!r} has port 0; give the port that the server is on")
    if parts.scheme == "http" and not is_loopback(host):
        raise ArgumentError(
            argument, f"{text!r} would send secrets in clear: http is for loopback only, use https"
        )
    return Origin(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme]), parts.path


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return True
    return _HOST_NAME.fullmatch(host) is not None


def _text(argument: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ArgumentError(argument, f"empty or no string; {_EXAMPLE}")
    if "@" in value:
        # Not quoted: it may hold a password.
        raise ArgumentError(argument, "holds a user name or password; credentials go elsewhere")
    if value != value.strip() or any(ord(char) <= 32 or ord(char) == 127 for char in value):
        raise ArgumentError(argument, f"{value!r} holds white space or control characters")
    return value
