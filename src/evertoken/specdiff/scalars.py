"""Limits and enums: how they are read, joined and compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from evertoken.generate.document import is_array

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evertoken.specdiff.nodes import Place, Site

Fact = tuple[object, "Place"]
"""A value, and where it is stated."""
Limits = dict[str, Fact]

KINDS: Final = ("string", "integer", "number", "boolean", "null", "object", "array")
_LEAST: Final = ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum", "minContains")
_GREATEST: Final = ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum", "maxContains")
_ARRAYS: Final = frozenset({"minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains"})
# Rare, and beyond comparing: known to be there, and to be the same or not.
_CONDITIONS: Final = frozenset(
    {
        "not", "if", "then", "else", "contains", "prefixItems", "patternProperties", "propertyNames",
        "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems",
    }
)  # fmt: skip
_BY_KIND: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "integer": frozenset(
        {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"}
    ),
    "array": _ARRAYS | {"prefixItems", "unevaluatedItems"},
    "object": frozenset(
        {
            "minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired",
            "dependentSchemas", "dependencies", "unevaluatedProperties",
        }
    ),
}  # fmt: skip
_EVERY: Final = frozenset({"not", "if", "then", "else"})
_TEXTS: Final = frozenset({"pattern", "format", "contentEncoding", "contentMediaType"})
KEYWORDS: Final = _CONDITIONS | {
    *_LEAST, *_GREATEST, *_TEXTS, "uniqueItems", "multipleOf",
}  # fmt: skip


def limits_of(site: Site) -> Limits:
    """Return the limits that a schema states, in the spelling of OpenAPI 3.1; not those without effect."""
    raw = site.object()
    found = {keyword: _limit(site, keyword) for keyword in sorted(KEYWORDS & raw.keys())}
    for plain, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        # OpenAPI 3.0: tells how to read the limit beside it.
        if raw.get(exclusive) is True and plain in found:
            found[exclusive] = found.pop(plain)
    # OpenAPI 3.0 has formats for what 3.1 says in words of JSON Schema.
    if found.pop("contentEncoding", None) == "base64":
        found["format"] = "byte"
    if found.pop("contentMediaType", None) == "application/octet-stream":
        found.setdefault("format", "binary")
    return {keyword: (value, site.place) for keyword, value in found.items() if value is not None}


def _limit(site: Site, keyword: str) -> object:
    """Return the value of a limit, or None where it limits nothing."""
    value: object = site.object()[keyword]
    if keyword in _CONDITIONS:
        return text_of(value)
    if keyword == "uniqueItems":
        return site.flag(keyword) or None
    if keyword in _TEXTS:
        if not isinstance(value, str):
            raise site.error("is not text", keyword)
        return value
    if isinstance(value, bool) and keyword.startswith("exclusive"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise site.error("is not a number", keyword)
    return None if value == 0 and keyword in {"minLength", "minItems", "minProperties"} else value


def applying(limits: Limits, kind: str) -> Limits:
    """Return the limits that say something about values of a kind."""
    if kind == "any":
        return limits
    known = _BY_KIND.get("integer" if kind == "number" else kind, frozenset[str]()) | _EVERY
    return {keyword: fact for keyword, fact in limits.items() if keyword in known}


def joined(left: Limits, right: Limits) -> Limits:
    """Return the limits that hold where both do."""
    found = dict(left)
    for keyword, fact in right.items():
        found[keyword] = _both(keyword, found[keyword], fact) if keyword in found else fact
    return found


def _both(keyword: str, left: Fact, right: Fact) -> Fact:
    if left[0] == right[0]:
        return left
    if isinstance(left[0], int | float) and isinstance(right[0], int | float):
        if keyword in _LEAST:
            return max(left, right, key=lambda fact: _number(fact[0]))
        if keyword in _GREATEST:
            return min(left, right, key=lambda fact: _number(fact[0]))
    return " and ".join(sorted({str(left[0]), str(right[0])})), left[1]


def rule_of(keyword: str, before: object, after: object) -> str:
    """Return the rule for a limit that is another now; None is none."""
    if before is None:
        return "limit-tightened"
    if after is None:
        return "limit-loosened"
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return "limit-changed"
    if keyword == "multipleOf":
        return "limit-loosened" if _divides(after, before) else "limit-tightened"
    grows = after > before
    return "limit-loosened" if grows == (keyword in _GREATEST) else "limit-tightened"


def _divides(divisor: float, number: float) -> bool:
    return bool(divisor) and number % divisor == 0


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


def kind_of(value: object) -> str:
    """Return the JSON type of a value; a whole number is an integer."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if is_array(value) else "object"


def text_of(value: object) -> str:
    """Return a JSON value as a text that equal values share."""
    plain = int(value) if isinstance(value, float) and value.is_integer() else value
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)


def values_of(texts: Sequence[str]) -> list[Any]:
    """Return the JSON values that texts stand for."""
    load: Callable[[str], Any] = json.loads
    return [load(text) for text in texts]
