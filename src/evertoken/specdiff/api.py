"""The operations of documents, as far as a caller of the SDK can tell."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from evertoken.generate import names
from evertoken.generate.document import Document, Documents, is_array, is_object, read_all
from evertoken.generate.problem import SpecError
from evertoken.specdiff.nodes import Site, follow, lifecycle_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evertoken.specdiff.nodes import Node
    from evertoken.specdiff.shapes import Schemas

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_STATUS: Final = re.compile(r"[1-5][0-9X]{2}|default", re.IGNORECASE)

Bodies = dict[str, "Node"]
"""Schemas by media type; empty where there is no body."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameter:
    """A parameter of any kind."""

    name: str
    inside: str
    required: bool
    style: str
    site: Site
    schema: Node | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """An operation. `scopes` are alternatives: a token needs any one of them.

    `described` are the body and the answers, by status, for their descriptions.
    """

    key: str
    method: str
    path: str
    site: Site
    deprecated: bool
    lifecycle: str
    scopes: frozenset[str]
    parameters: Mapping[tuple[str, str], Parameter]
    body: Bodies
    body_required: bool
    successes: Mapping[str, Bodies]
    errors: Mapping[str, Bodies]
    described: Mapping[str, Site]

    @property
    def http(self) -> str:
        """Method and path, such as `GET /clients/{id}`."""
        return f"{self.method} {self.path}"

    @property
    def route(self) -> tuple[str, str]:
        """Method and path, whatever the variables of the path are called."""
        return self.method, _VARIABLE.sub("{}", self.path).rstrip("/")

    @property
    def variables(self) -> list[str]:
        """The path's variables, in order."""
        return _VARIABLE.findall(self.path)

    @property
    def group(self) -> str:
        """The resource group, such as `clients`; empty where the document names none."""
        return "" if self.key == self.http else self.key.partition(".")[0]


def read_documents(path: Path) -> Documents:
    """Return the documents of a file or folder, or raise `SpecError` for what is no OpenAPI 3."""
    documents = read_all(path)
    for document in documents:
        version: object = document.content.get("openapi")
        if not isinstance(version, str | float) or not str(version).startswith(("3.0", "3.1")):
            raise SpecError(document.place(("openapi",)), f"is neither OpenAPI 3.0 nor 3.1 but {version!r}")
    return Documents(documents)


def calls_of(schemas: Schemas) -> list[Call]:
    """Return the operations of all documents, in their order."""
    found: dict[tuple[str, str], Call] = {}
    keys: dict[str, Call] = {}
    for document in schemas.documents:
        for call in _calls(schemas, document):
            first = found.get(call.route) or keys.get(call.key)
            if first is not None:
                place = first.site.document.place(first.site.parts)
                raise call.site.error(f"the operation {call.key} is there twice, also at {place}")
            found[call.route] = keys[call.key] = call
    return list(found.values())


def _calls(schemas: Schemas, document: Document) -> Iterator[Call]:
    paths = Site(document, (), document.content).object_at("paths")
    for path in paths:
        written = Site(document, ("paths", path), paths[path])
        if path.startswith("x-"):
            continue
        item = follow(schemas.documents, written)
        for method in _METHODS:
            if method in item.object():
                yield _Reader(schemas, item, method).call(path)


class _Reader:
    """Reads one operation."""

    def __init__(self, schemas: Schemas, item: Site, method: str) -> None:
        self._schemas = schemas
        self._item = item
        self._method = method.upper()
        self._site = item.below(method)
        self._sites: dict[str, Site] = {}

    def call(self, path: str) -> Call:
        """Return the operation whole."""
        raw = self._site.object()
        answers = self._answers()
        return Call(
            key=self._key() or f"{self._method} {path}",
            method=self._method,
            path=path,
            site=self._site,
            deprecated=self._site.flag("deprecated"),
            lifecycle=lifecycle_of(raw),
            scopes=self._scopes(),
            parameters=self._parameters(),
            body=self._bodies(body) if (body := self._body()) else {},
            body_required=body.flag("required") if body else False,
            successes={status: found for status, found in answers.items() if status.startswith("2")},
            errors={status: found for status, found in answers.items() if status[0] in "45d"},
            described={**self._sites, **({"body": body} if body else {})},
        )

    def _key(self) -> str:
        raw = self._site.object()
        group: object = raw.get("x-operation-group")
        name: object = raw.get("x-operation-name")
        segments = group.split(".") if isinstance(group, str) else group if is_array(group) else []
        if not segments or not isinstance(name, str):
            return ""
        return ".".join(names.snake(str(segment)) for segment in (*segments, name))

    def _scopes(self) -> frozenset[str]:
        owner = self._site if "security" in self._site.object() else Site(
            self._site.document, (), self._site.document.content
        )  # fmt: skip
        found: set[str] = set()
        for index, requirement in enumerate(owner.array_at("security")):
            one = Site(owner.document, (*owner.parts, "security", str(index)), requirement)
            for scheme in one.object():
                found.update(one.texts_at(scheme))
        return frozenset(found)

    def _parameters(self) -> dict[tuple[str, str], Parameter]:
        # Those of the path item hold for each of its operations, unless one repeats them.
        found: dict[tuple[str, str], Parameter] = {}
        for owner in (self._item, self._site):
            for index in range(len(owner.array_at("parameters"))):
                site = follow(self._schemas.documents, owner.below("parameters", str(index)))
                parameter = self._parameter(site)
                found[parameter.inside, parameter.name] = parameter
        return found

    def _parameter(self, site: Site) -> Parameter:
        raw = site.object()
        name: object = raw.get("name")
        inside: object = raw.get("in")
        if not isinstance(name, str) or not isinstance(inside, str):
            raise site.error("a parameter needs a name, and the word where it stands (in)")
        schema = self._schemas.node(site.below("schema")) if "schema" in raw else None
        if schema is None and "content" in raw:
            schema = next(iter(self._bodies(site).values()), None)
        # HTTP tells no header from another by the case of letters.
        return Parameter(
            name=name.lower() if inside == "header" else name,
            inside=inside,
            required=site.flag("required"),
            style=_style(inside, raw.get("style"), raw.get("explode")),
            site=site,
            schema=schema,
        )

    def _body(self) -> Site | None:
        if "requestBody" not in self._site.object():
            return None
        return follow(self._schemas.documents, self._site.below("requestBody"))

    def _answers(self) -> dict[str, Bodies]:
        found: dict[str, Bodies] = {}
        for status in self._site.object_at("responses"):
            if status.startswith("x-"):
                continue
            if not _STATUS.fullmatch(status):
                raise self._site.error("is no status", "responses", status)
            answer = follow(self._schemas.documents, self._site.below("responses", status))
            word = status.lower() if status.lower() == "default" else status.upper()
            self._sites[word] = answer
            found[word] = self._bodies(answer)
        return dict(sorted(found.items()))

    def _bodies(self, owner: Site) -> Bodies:
        found: Bodies = {}
        content = owner.object_at("content")
        for media in content:
            if not is_object(content[media]):
                raise owner.error("is not an object", "content", media)
            # Without a schema, anything.
            site = (
                owner.below("content", media, "schema")
                if "schema" in content[media]
                else Site(owner.document, (*owner.parts, "content", media, "schema"), {})
            )
            found[media.partition(";")[0].strip().lower()] = self._schemas.node(site)
        return found


def _style(inside: str, style: object, explode: object) -> str:
    usual = "form" if inside in {"query", "cookie"} else "simple"
    style = style if isinstance(style, str) else usual
    return (
        f"{style}, {'exploded' if (explode if isinstance(explode, bool) else style == 'form') else 'joined'}"
    )
