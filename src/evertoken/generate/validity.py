"""Whether a document is valid OpenAPI 3.1, or 3.0."""

from __future__ import annotations

import contextlib
import re
import warnings
from typing import TYPE_CHECKING

from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import ExtraParametersError
from openapi_spec_validator.validation.keywords import OpenAPIV30SchemaValidator, OpenAPIV31SchemaValidator

from evertoken.generate.document import NAMES, SAMPLES, Document, find, is_array, is_object, walk
from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEMAS = "#/components/schemas/"


class _Schemas30(OpenAPIV30SchemaValidator):
    """Does not list all properties: that has no end where items hold themselves."""

    def _collect_properties(self, schema: object) -> set[str]:
        return set()


class _Schemas31(OpenAPIV31SchemaValidator):
    """As for 3.0."""

    def _collect_properties(self, schema: object) -> set[str]:
        return set()


class _Validator30(OpenAPIV30SpecValidator):
    keyword_validators = {**OpenAPIV30SpecValidator.keyword_validators, "schema": _Schemas30}  # noqa: RUF012


class _Validator31(OpenAPIV31SpecValidator):
    keyword_validators = {**OpenAPIV31SpecValidator.keyword_validators, "schema": _Schemas31}  # noqa: RUF012


_VALIDATORS = {"3.0": _Validator30, "3.1": _Validator31}


def check(document: Document) -> None:
    """Raise `SpecError` with the place of the first thing that is not OpenAPI 3.1, or 3.0."""
    version = document.content.get("openapi")
    made = _VALIDATORS.get(version[:3]) if isinstance(version, str) else None
    if made is None or not re.fullmatch(r"3\.[01](\..*)?", str(version)):
        raise SpecError(document.place(("openapi",)), f"is not OpenAPI 3.0 or 3.1 but {version!r}")
    _check_bases(document)
    content = without_samples(document.content)
    validator = made(content if is_object(content) else {}, base_uri=document.path.resolve().as_uri())
    for error in validator.iter_errors():
        # JSON Schema lets a schema require what it does not describe.
        if isinstance(error, ExtraParametersError):
            continue
        parts = _place(content, [str(part) for part in error.absolute_path], error.instance)
        raise SpecError(document.place(parts), f"is not valid OpenAPI {version}: {error.message[:300]}")


def _check_bases(document: Document) -> None:
    """Raise `SpecError` for a schema that is made of itself: to list its properties would never end."""
    components = document.content.get("components")
    schemas = components.get("schemas") if is_object(components) else None
    if not is_object(schemas):
        return
    for name in schemas:
        todo, met = _bases(schemas[name]), set[str]()
        while todo:
            base = todo.pop()
            if base == name:
                place = document.place(("components", "schemas", name))
                raise SpecError(place, "is made of itself, by way of allOf")
            if base not in met:
                met.add(base)
                todo += _bases(schemas.get(base))


def _bases(schema: object) -> list[str]:
    """Return the schemas of the same document that this one is, or is made of."""
    if not is_object(schema):
        return []
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return [reference.removeprefix(_SCHEMAS)] if reference.startswith(_SCHEMAS) else []
    members = schema.get("allOf")
    return [base for member in members for base in _bases(member)] if is_array(members) else []


def without_samples(node: object, *, names: bool = False) -> object:
    """Return a document without example data and without patterns that are no Python regular expression.

    Neither shapes the code, and both are wrong in places of documents that are otherwise fine. `names`
    tells that the keys of `node` are names which the document gives.
    """
    if is_array(node):
        return [without_samples(value) for value in node]
    if not is_object(node):
        return node
    found = {
        # A server's variables must have a default; that one is no sample.
        key: value
        if key == "servers" and not names
        else without_samples(value, names=not names and key in NAMES)
        for key, value in node.items()
        if names or not (key in SAMPLES or (key == "pattern" and not _compiles(value)))
    }
    patterns = None if names else found.get("patternProperties")
    if is_object(patterns):
        found["patternProperties"] = {key: value for key, value in patterns.items() if _compiles(key)}
    return found


def _place(content: object, found: Sequence[str], instance: object) -> Sequence[str]:
    """Return where an error is; within a schema the validator gives places from that schema on."""
    for parts, node in walk(content):
        with contextlib.suppress(LookupError):
            if find(node, found) == instance:
                return (*parts, *found)
    return found


def _compiles(pattern: object) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            re.compile(str(pattern))
        except (re.error, Warning, OverflowError, RecursionError):
            return False
    return True
