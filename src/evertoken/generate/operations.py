"""The operations of the documents, as they are written there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from evertoken.generate import names
from evertoken.generate.document import Document, Documents, JsonObject, Parts, is_array, is_object
from evertoken.generate.normal import bare, text
from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evertoken.generate.library import Library
    from evertoken.generate.overlay import Overlay

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_EVENTS = "text/event-stream"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the path or the query. `limits` are the least and greatest value of a number."""

    name: str
    inside: str
    required: bool
    description: str
    schema: JsonObject
    limits: tuple[int | None, int | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation; `group` and `name` are Python names, `errors` tells what each status means.

    `files` names a multipart body's files, None for another body; `streams` tells of a stream of events.
    """

    group: tuple[str, ...]
    name: str
    method: str
    path: str
    document: Document
    parts: Parts
    description: str
    lifecycle: str
    deprecated: bool
    scopes: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    body: JsonObject | None
    body_required: bool
    files: tuple[str, ...] | None
    streams: bool
    results: tuple[JsonObject | None, ...]
    answer: str
    errors: tuple[tuple[str, str], ...]
    error_schemas: tuple[JsonObject, ...]

    @property
    def key(self) -> str:
        """The dotted name, such as `clients.credentials.list`."""
        return ".".join((*self.group, self.name))

    @property
    def place(self) -> str:
        """Where it stands, as error messages show it."""
        return self.document.place(self.parts)


def read_operations(documents: Documents, library: Library, overlay: Overlay) -> list[Operation]:
    """Return the operations of all documents, ordered by group and place in the document."""
    found: dict[str, Operation] = {}
    skipped: set[str] = set()
    for document in documents:
        for parts, item, method in _entries(documents, document):
            reader = _Reader(documents, library, document, parts)
            group, name = reader.group(item[method]), reader.name(item[method])
            key = ".".join((*group, name))
            if key in overlay.skipped:
                skipped.add(key)
                continue
            if key in found:
                raise SpecError(
                    document.place(parts), f"the operation {key} is there twice, also at {found[key].place}"
                )
            found[key] = reader.operation(group, name, item, method)
    groups = {operation.group[0] for operation in found.values()}
    overlay.check_matches(groups, found.keys() | skipped)
    return sorted(found.values(), key=lambda operation: operation.group)


def _entries(documents: Documents, document: Document) -> Iterator[tuple[Parts, JsonObject, str]]:
    paths: object = document.content.get("paths", {})
    for path in paths if is_object(paths) else ():
        _, _, item = documents.follow(document, ("paths", path), document.content["paths"][path])
        for method in _METHODS:
            if method in item:
                yield ("paths", path, method), item, method


class _Reader:
    """Reads one operation."""

    def __init__(self, documents: Documents, library: Library, document: Document, parts: Parts) -> None:
        self._documents = documents
        self._library = library
        self._document = document
        self._parts = parts

    def group(self, raw: JsonObject) -> tuple[str, ...]:
        """Return the group, which documents give as an array, or as text with dots."""
        group: object = raw.get("x-operation-group")
        if isinstance(group, str):
            group = group.split(".")
        segments: list[object] = []
        if is_array(group):
            segments += group
        place = self._place("x-operation-group")
        if not segments or not all(isinstance(segment, str) for segment in segments):
            raise SpecError(place, "the operation names no group (x-operation-group)")
        found = tuple(names.snake(str(segment)) for segment in segments)
        for segment in found:
            names.check_identifier(segment, place, "the group's name")
            if names.function(segment, place) != segment:
                raise SpecError(place, f"the group's name cannot be that of a module: {segment!r}")
        if found[0] == "shared":
            raise SpecError(place, "the group's name is that of the module for common schemas: 'shared'")
        return found

    def name(self, raw: JsonObject) -> str:
        """Return the operation's name within its group."""
        name = raw.get("x-operation-name")
        place = self._place("x-operation-name")
        if not isinstance(name, str):
            raise SpecError(place, "the operation has no name (x-operation-name)")
        return names.function(names.snake(name) if name.isidentifier() else name, place)

    def operation(self, group: tuple[str, ...], name: str, item: JsonObject, method: str) -> Operation:
        """Return the operation whole."""
        raw: JsonObject = item[method]
        stem = "".join(names.pascal(part) for part in (*group, name))
        summary, description = text(raw.get("summary")), text(raw.get("description"))
        if summary and not summary.endswith((".", "!", "?")):
            summary += "."
        title = "" if description.startswith(summary) else summary
        results, answer, errors, error_schemas = self._responses(raw, stem)
        body, files = self._body(raw, stem)
        return Operation(
            group=group,
            name=name,
            method=method.upper(),
            path=self._parts[1],
            document=self._document,
            parts=self._parts,
            description="\n\n".join(part for part in (title, description) if part),
            lifecycle=str(raw.get("x-release-lifecycle", "")),
            deprecated=raw.get("deprecated") is True,
            scopes=self._scopes(raw),
            parameters=tuple(self._parameters(raw, item, stem)),
            body=body,
            body_required=_required(raw),
            files=files,
            streams=self._streams(raw),
            results=results,
            answer=answer,
            errors=errors,
            error_schemas=error_schemas,
        )

    def _scopes(self, raw: JsonObject) -> tuple[str, ...]:
        requirements: list[JsonObject] | None = raw.get("security", self._document.content.get("security"))
        scopes = [scope for one in requirements or () for needed in one.values() for scope in needed]
        return tuple(dict.fromkeys(scopes))

    def _parameters(self, raw: JsonObject, item: JsonObject, stem: str) -> Iterator[Parameter]:
        # Parameters of the path item hold for each of its operations, unless one repeats them.
        found: dict[tuple[str, str], JsonObject] = {}
        for owner in (item, raw):
            for index, entry in enumerate(owner.get("parameters", ())):
                parts = (*self._parts, "parameters", str(index))
                _, _, parameter = self._documents.follow(self._document, parts, entry)
                found[parameter["in"], parameter["name"]] = parameter
        for (inside, name), parameter in found.items():
            # Headers and cookies are the client's to send.
            if inside not in {"path", "query"}:
                continue
            schema = parameter.get("schema", {})
            yield Parameter(
                name=name,
                inside=inside,
                required=parameter.get("required") is True,
                description=text(parameter.get("description")),
                schema=self._library.take(schema, self._document, self._parts, stem + names.pascal(name)),
                limits=_limits(schema),
            )

    def _body(self, raw: JsonObject, stem: str) -> tuple[JsonObject | None, tuple[str, ...] | None]:
        if "requestBody" not in raw:
            return None, None
        parts = (*self._parts, "requestBody")
        document, parts, body = self._documents.follow(self._document, parts, raw["requestBody"])
        content = body["content"]
        others = (kind for kind in (_FORM, _MULTIPART) if kind in content)
        media = next((kind for kind in content if _is_json(kind)), next(others, None))
        if media is None:
            raise SpecError(
                document.place((*parts, "content")),
                f"the body is {', '.join(content)}, not JSON; skip the operation in the overlay",
            )
        schema = content[media].get("schema", {})
        files = self._files(document, parts, schema) if media == _MULTIPART else None
        return self._library.take(schema, document, parts, f"{stem}Request"), files

    def _files(self, document: Document, parts: Parts, schema: object) -> tuple[str, ...]:
        _, _, form = self._documents.follow(document, parts, schema)
        properties: object = form.get("properties")
        if not is_object(properties):
            raise SpecError(document.place(parts), "a multipart body has to name its properties")
        return tuple(name for name, property_ in properties.items() if _is_file(property_))

    def _streams(self, raw: JsonObject) -> bool:
        media: set[str] = set()
        for status, entry in raw.get("responses", {}).items():
            if status.startswith("2"):
                parts = (*self._parts, "responses", status)
                media |= self._documents.follow(self._document, parts, entry)[2].get("content", {}).keys()
        return _EVENTS in media and not any(_is_json(kind) for kind in media)

    def _responses(
        self, raw: JsonObject, stem: str
    ) -> tuple[tuple[JsonObject | None, ...], str, tuple[tuple[str, str], ...], tuple[JsonObject, ...]]:
        results: dict[str, JsonObject | None] = {}
        answer = ""
        errors: list[tuple[str, str]] = []
        error_schemas: list[JsonObject] = []
        for status, entry in sorted(raw.get("responses", {}).items()):
            parts = (*self._parts, "responses", status)
            document, parts, response = self._documents.follow(self._document, parts, entry)
            success = status.startswith("2")
            schema = self._content(document, parts, response, f"{stem}Response", success=success)
            description = text(response.get("description"))
            if success:
                results[bare(schema) if schema else ""] = schema
                answer = answer or description
            elif status[0] in "45":
                errors.append((status, description))
                error_schemas += [schema] if schema else []
        return tuple(results.values()), answer, tuple(errors), tuple(error_schemas)

    def _content(
        self, document: Document, parts: Parts, response: JsonObject, name: str, *, success: bool
    ) -> JsonObject | None:
        content = response.get("content")
        if not content:
            return None
        media = next((kind for kind in content if _is_json(kind) or kind == _EVENTS), None)
        if media is None:
            if not success:
                return None
            raise SpecError(
                document.place((*parts, "content")),
                f"the answer is {', '.join(content)}, not JSON; skip the operation in the overlay",
            )
        return self._library.take(content[media].get("schema", {}), document, parts, name)

    def _place(self, *more: str) -> str:
        return self._document.place((*self._parts, *more))


def _required(raw: JsonObject) -> bool:
    # A body that is written elsewhere counts as optional: the caller may leave it out, and the API answers.
    body: object = raw.get("requestBody")
    return is_object(body) and body.get("required") is True


def _is_json(media: str) -> bool:
    kind = media.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _is_file(property_: object) -> bool:
    return is_object(property_) and (
        property_.get("contentMediaType") == "application/octet-stream"
        or property_.get("format") in {"binary", "byte"}
    )


def _limits(schema: object) -> tuple[int | None, int | None]:
    if not is_object(schema) or schema.get("type") != "integer":
        return None, None
    least, greatest = schema.get("minimum"), schema.get("maximum")
    return (
        least if isinstance(least, int) else None,
        greatest if isinstance(greatest, int) else None,
    )
