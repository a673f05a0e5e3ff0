"""An access token, and the wrapper that keeps secrets from being shown."""

from __future__ import annotations

import dataclasses
from typing import NoReturn


class Secret:
    """A string that no repr, format or pickle shows. `reveal()` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def wrap(cls, value: object) -> Secret | None:
        """Return a given string or Secret as a Secret; None for None, an empty one for anything else."""
        if value is None or isinstance(value, Secret):
            return value
        return cls(value if isinstance(value, str) else "")

    def reveal(self) -> str:
        """Return the string itself, for the place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: hand the process its credentials another way")


@dataclasses.dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token with what is known of its life.

    `value` is the token itself. `issued_at` and `expires_at` are Unix times in seconds, by the clock of
    the host that asked for it, taken before it asked; they are equal for a token that is used once.
    `scope` is the space-separated list of RFC 6749, 3.3, None where the endpoint did not tell.
    """

    value: str = dataclasses.field(repr=False)
    issued_at: float
    expires_at: float
    scope: str | None = None


def is_bearer(value: str) -> bool:
    """Tell whether a token can stand in a header: RFC 6750, 2.1, or at least printable ASCII.

    Anything else would end in another header or another request.
    """
    return bool(value) and all(33 <= ord(char) <= 126 for char in value)
