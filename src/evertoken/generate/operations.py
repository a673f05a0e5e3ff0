"""What is known of an operation, before it is code."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evertoken.generate.document import Document, JsonObject, Parts


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
