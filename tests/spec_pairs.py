"""Small documents for the tests of scripts/spec-diff."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evertoken.specdiff.compare import compare

if TYPE_CHECKING:
    from pathlib import Path

    from evertoken.specdiff.changes import Comparison

Spec = dict[str, Any]


def operation(**more: object) -> Spec:
    """Return an operation of `things`, without a body."""
    return {
        "x-operation-group": ["things"],
        "x-operation-name": "create",
        "security": [{"management": ["create:things"]}],
        "responses": {"204": {"description": "Done."}},
        **more,
    }


def document(call: Spec | None = None, schemas: Spec | None = None, **more: object) -> Spec:
    """Return a document with one operation at most, `POST /things/{id}`."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {} if call is None else {"/things/{id}": {"post": call}},
        "components": {"schemas": schemas or {}},
        **more,
    }


def sent(schema: object, schemas: Spec | None = None, **more: object) -> Spec:
    """Return a document whose operation takes a body."""
    return document(
        operation(requestBody={"content": {"application/json": {"schema": schema}}}), schemas, **more
    )


def received(schema: object, schemas: Spec | None = None, **more: object) -> Spec:
    """Return a document whose operation answers with a body."""
    answer = {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    return document(operation(responses={"200": answer}), schemas, **more)


def compared(folder: Path, old: object, new: object) -> Comparison:
    """Return what changed from one document to another."""
    paths = folder / "old.json", folder / "new.json"
    for path, content in zip(paths, (old, new), strict=True):
        path.write_text(json.dumps(content), "utf-8")
    return compare(*paths)


def told(folder: Path, old: object, new: object) -> list[tuple[str, str, str]]:
    """Return rule, place and verdict of each change."""
    changes = compared(folder, old, new).changes
    return sorted((change.rule, change.place, change.verdict.word) for change in changes)
