"""Reads the operations of the documents: parameters, bodies, answers."""

from __future__ import annotations

import re
import urllib.parse
from typing import TYPE_CHECKING, Final

from evertoken.generate import asked, names
from evertoken.generate.document import Document, Documents, JsonObject, Parts, is_array, is_object
from evertoken.generate.keys import Entry, entries
from evertoken.generate.normal import bare, text
from evertoken.generate.operations import Operation, Parameter
from evertoken.generate.problem import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evertoken.generate.library import Library
    from evertoken.generate.notes import Notes
    from evertoken.generate.overlay import Overlay

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_EVENTS: Final = "text/event-stream"
_ROOT: Final = "/api/v2"
"""What the paths of a document stand below, be it told by its server or by each path."""


def read_operations(
    documents: Documents, library: Library, overlay: Overlay, notes: Notes
) -> list[Operation]:
    """Return the operations of all documents, ordered by group and place in the document."""
    found: list[Operation] = []
    known: set[str] = set()
    for entry in entries(documents, notes):
        known.add(entry.key)
        if entry.key in overlay.skipped:
            continue
        try:
            reader = _Reader(documents, library, entry, notes, form=entry.group[0] in overlay.models_only)
            found.append(reader.operation())
        except UnsupportedError as error:
            notes.leave_out(entry.key, error)
    overlay.check_matches({operation.group[0] for operation in found}, known)
    return sorted(found, key=lambda operation: operation.group)


class _Reader:
    """Reads one operation. `form` tells that a form is fine as its body: nothing is sent."""

    def __init__(
        self, documents: Documents, library: Library, entry: Entry, notes: Notes, *, form: bool
    ) -> None:
        self._documents = documents
        self._library = library
        self._entry = entry
        self._document: Document = entry.document
        self._parts: Parts = entry.parts
        self._notes = notes
        self._form = form

    def operation(self) -> Operation:
        """Return the operation whole, or raise `UnsupportedError` where no method could send it."""
        entry, item = self._entry, self._entry.item
        method = self._parts[-1]
        raw: JsonObject = item[method]
        stem = "".join(names.pascal(part) for part in (*entry.group, entry.name))
        summary, description = text(raw.get("summary")), text(raw.get("description"))
        if summary and not summary.endswith((".", "!", "?")):
            summary += "."
        title = "" if description.startswith(summary) else summary
        path = self._path(item, raw)
        results, answer, errors, error_schemas = self._responses(raw, stem)
        parameters = tuple(self._parameters(raw, item, stem))
        body, files = self._body(raw, stem)
        templated = re.findall(r"\{([^{}]*)\}", path)
        declared = [parameter.name for parameter in parameters if parameter.inside == "path"]
        if sorted(templated) != sorted(declared):
            named = ", ".join(sorted(set(templated) ^ set(declared))) or "one is there twice"
            raise UnsupportedError(entry.place, f"the path and its parameters do not name the same: {named}")
        return Operation(
            group=entry.group,
            name=entry.name,
            method=method.upper(),
            path=path,
            document=self._document,
            parts=self._parts,
            description="\n\n".join(part for part in (title, description) if part),
            lifecycle=str(raw.get("x-release-lifecycle", "")),
            deprecated=raw.get("deprecated") is True,
            scopes=self._scopes(raw),
            parameters=parameters,
            body=body,
            body_required=_required(raw),
            files=files,
            streams=self._streams(raw),
            results=(None,) if method == "head" else results,
            answer=answer,
            errors=errors,
            error_schemas=error_schemas,
        )

    def _path(self, item: JsonObject, raw: JsonObject) -> str:
        path = self._parts[1]
        if re.search(r"[\s?#\\\x00-\x1f\x7f]|/\.{1,2}(?:/|$)", path):
            raise UnsupportedError(self._entry.place, "its path leads elsewhere, or is none")
        root: object = self._document.content.get("servers")
        for servers in (item.get("servers"), raw.get("servers")):
            if is_array(servers) and servers and _urls(servers) != _urls(root):
                raise UnsupportedError(
                    self._entry.place, "it has servers of its own, and the token is not for them"
                )
        below = path.removeprefix(_ROOT)
        # The client's base URL ends in it.
        return below if below != path and below.startswith("/") and not _is_below_root(root) else path

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
            if inside in {"path", "query"}:
                schema = parameter.get("schema", {})
                shape = self._library.take(schema, self._document, self._parts, stem + names.pascal(name))
                yield from asked.parameters(self._library, parameter, shape, self._entry.place, self._notes)
            elif parameter.get("required") is True and name.lower() not in asked.SENT_ANYWAY:
                self._notes.tell(
                    self._entry.place,
                    f"it requires the {inside} {name!r}: give it in request_options, additional_headers",
                )

    def _body(self, raw: JsonObject, stem: str) -> tuple[JsonObject | None, tuple[str, ...] | None]:
        if "requestBody" not in raw:
            return None, None
        parts = (*self._parts, "requestBody")
        document, parts, body = self._documents.follow(self._document, parts, raw["requestBody"])
        content = body["content"]
        others = (kind for kind in (*([_FORM] if self._form else []), _MULTIPART) if kind in content)
        media = _json(content) or next(others, None)
        if media is None:
            raise UnsupportedError(
                document.place((*parts, "content")),
                f"the body is {', '.join(content)}, not JSON; send it by client.request",
            )
        if media not in {_JSON, _FORM, _MULTIPART} and "*" not in media and ";" not in media:
            self._notes.tell(
                document.place((*parts, "content")),
                f"the body is {media}: give that as Content-Type in request_options, additional_headers",
            )
        schema = content[media].get("schema", {})
        shape = self._library.take(schema, document, parts, f"{stem}Request")
        return shape, self._files(document, parts, schema, shape) if media == _MULTIPART else None

    def _files(self, document: Document, parts: Parts, schema: object, shape: JsonObject) -> tuple[str, ...]:
        _, _, form = self._documents.follow(document, parts, schema)
        properties: object = form.get("properties")
        if not is_object(properties) or not properties or self._library.is_nullable(shape):
            raise UnsupportedError(document.place(parts), "a multipart body has to name its properties")
        found: list[str] = []
        for name, property_ in properties.items():
            _, _, whole = self._documents.follow(document, parts, property_ if is_object(property_) else {})
            if _is_file(whole):
                found.append(name)
            elif _is_file(whole.get("items")):
                raise UnsupportedError(
                    document.place(parts), f"several files cannot be sent as one field: {name!r}"
                )
        return tuple(found)

    def _streams(self, raw: JsonObject) -> bool:
        media: set[str] = set()
        for status in _successes(raw):
            parts = (*self._parts, "responses", status)
            entry = raw["responses"][status]
            media |= self._documents.follow(self._document, parts, entry)[2].get("content", {}).keys()
        return _EVENTS in media and _json(media) is None

    def _responses(
        self, raw: JsonObject, stem: str
    ) -> tuple[tuple[JsonObject | None, ...], str, tuple[tuple[str, str], ...], tuple[JsonObject, ...]]:
        results: dict[str, JsonObject | None] = {}
        answer = ""
        errors: list[tuple[str, str]] = []
        error_schemas: list[JsonObject] = []
        successes = _successes(raw)
        for status, entry in sorted(raw.get("responses", {}).items()):
            success = status in successes
            if not (success or status[0] in "45"):
                continue
            parts = (*self._parts, "responses", status)
            document, parts, response = self._documents.follow(self._document, parts, entry)
            schema = self._content(document, parts, response, f"{stem}Response", success=success)
            description = text(response.get("description"))
            if success:
                results[bare(schema) if schema is not None else ""] = schema
                answer = answer or description
            else:
                errors.append((status, description))
                error_schemas += [schema] if schema else []
        return tuple(results.values()), answer, tuple(errors), tuple(error_schemas)

    def _content(
        self, document: Document, parts: Parts, response: JsonObject, name: str, *, success: bool
    ) -> JsonObject | None:
        content = response.get("content")
        if not content:
            return None
        media = _json(content) or (_EVENTS if _EVENTS in content else None)
        if media is None:
            if not success:
                return None
            raise UnsupportedError(
                document.place((*parts, "content")),
                f"the answer is {', '.join(content)}, not JSON; client.request gives it as it is",
            )
        return self._library.take(content[media].get("schema", {}), document, parts, name)


def _required(raw: JsonObject) -> bool:
    # A body that is written elsewhere counts as optional: the caller may leave it out, and the API answers.
    body: object = raw.get("requestBody")
    return is_object(body) and body.get("required") is True


def _successes(raw: JsonObject) -> list[str]:
    """Return the statuses of success; `default` stands for them where there are no others."""
    responses: JsonObject = raw.get("responses", {})
    return [status for status in responses if status.startswith("2")] or [
        s for s in responses if s == "default"
    ]


def _json(content: Sequence[str] | JsonObject | set[str]) -> str | None:
    """Return the media type that is JSON, application/json before others."""
    kinds = {kind: kind.partition(";")[0].strip().lower() for kind in content}
    found = [
        kind
        for kind, plain in kinds.items()
        if plain in {_JSON, "application/*", "*/*"} or plain.endswith("+json")
    ]
    return min(found, key=lambda kind: kinds[kind] != _JSON, default=None)


def _is_file(property_: object) -> bool:
    return is_object(property_) and (
        property_.get("contentMediaType") == "application/octet-stream"
        or property_.get("format") in {"binary", "byte"}
    )


def _urls(servers: object) -> set[str]:
    found = servers if is_array(servers) else []
    return {str(server.get("url")).rstrip("/") for server in found if is_object(server)}


def _is_below_root(servers: object) -> bool:
    return any(urllib.parse.urlsplit(url).path.endswith(_ROOT) for url in _urls(servers))
