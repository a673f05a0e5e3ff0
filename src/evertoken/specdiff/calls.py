"""Two operations side by side: names, scopes, parameters, bodies, statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evertoken.specdiff.nodes import lifecycle_of
from evertoken.specdiff.objects import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.specdiff.api import Bodies, Call, Parameter
    from evertoken.specdiff.nodes import Node
    from evertoken.specdiff.shapes import Schemas
    from evertoken.specdiff.walk import Pair, Walk

_DEPTH = 4  # levels to which two bodies are taken for the same


class Calls:
    """Compares pairs of operations, and leads the walk on to their schemas."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def compare(self, old: Call, new: Call) -> None:
        """Note what differs in two operations themselves."""
        request = self._walk.root(new, "request")
        response = self._walk.root(new, "response")
        self._walk.describe(old.site, new.site)
        for name in old.described.keys() & new.described.keys():
            self._walk.describe(old.described[name], new.described[name])
        self._marks(request, old, new)
        self._scopes(request, old, new)
        self._parameters(request, old, new)
        self._request_body(request, old, new)
        self._successes(response, old, new)
        self._errors(response, old, new)

    def added(self, call: Call) -> None:
        """Note an operation that is new."""
        pair = self._walk.root(call, "request")
        self._walk.note(pair, "operation-added", "", (), (call.site.place,), after=call.http)

    def removed(self, call: Call) -> None:
        """Note an operation that is gone."""
        pair = self._walk.root(call, "request")
        self._walk.note(pair, "operation-removed", "", (call.site.place,), before=call.http)

    def _marks(self, pair: Pair, old: Call, new: Call) -> None:
        if old.key != new.key:
            self._note(pair, "operation-renamed", old, new, before=old.key, after=new.key)
        if old.route != new.route:
            self._note(pair, "operation-moved", old, new, before=old.http, after=new.http)
        if old.deprecated != new.deprecated:
            self._note(pair, "operation-deprecated" if new.deprecated else "operation-undeprecated", old, new)
        if old.lifecycle != new.lifecycle:
            self._note(pair, "operation-lifecycle", old, new, before=old.lifecycle, after=new.lifecycle)

    def _scopes(self, pair: Pair, old: Call, new: Call) -> None:
        if old.scopes == new.scopes:
            return
        lost, gained = old.scopes - new.scopes, new.scopes - old.scopes
        before, after = sorted(old.scopes), sorted(new.scopes)
        if not new.scopes:
            self._note(pair, "scope-free", old, new, before=before, after=after)
            return
        if not old.scopes & new.scopes:
            self._note(pair, "scope-needed", old, new, before=before, after=after)
            return
        if lost:
            self._note(pair, "scope-removed", old, new, before=sorted(lost))
        if gained:
            self._note(pair, "scope-added", old, new, after=sorted(gained))

    def _parameters(self, pair: Pair, old: Call, new: Call) -> None:
        known = dict(old.parameters)
        for name, renamed in zip(old.variables, new.variables, strict=False):
            if name != renamed and old.route == new.route and ("path", name) in known:
                known["path", renamed] = known.pop(("path", name))
                self._note(pair, "parameter-renamed", old, new, before=name, after=renamed, detail=name)
        for key, parameter in known.items():
            if key not in new.parameters:
                places = ((parameter.site.place,), ())
                self._walk.note(pair, "parameter-removed", _place(parameter), *places)
        for key, parameter in new.parameters.items():
            if key in known:
                self._parameter(pair, known[key], parameter)
            else:
                rule = "parameter-added-required" if parameter.required else "parameter-added"
                self._walk.note(pair, rule, _place(parameter), (), (parameter.site.place,))

    def _parameter(self, pair: Pair, old: Parameter, new: Parameter) -> None:
        walk, where = self._walk, _place(new)
        places = (old.site.place,), (new.site.place,)
        walk.describe(old.site, new.site)
        if old.required != new.required and new.inside != "path":
            walk.note(pair, "parameter-required" if new.required else "parameter-optional", where, *places)
        if old.style != new.style:
            walk.note(pair, "parameter-style", where, *places, before=old.style, after=new.style)
        was, is_ = old.site.flag("deprecated"), new.site.flag("deprecated")
        if was != is_:
            walk.note(pair, "deprecated" if is_ else "undeprecated", where, *places)
        before, after = (lifecycle_of(parameter.site.object()) for parameter in (old, new))
        if before != after:
            walk.note(pair, "lifecycle", where, *places, before=before, after=after)
        if old.schema and new.schema:
            walk.visit(pair, old.schema, new.schema, where)

    def _request_body(self, pair: Pair, old: Call, new: Call) -> None:
        if not (old.body and new.body):
            if new.body:
                demanding = new.body_required or any(self._demands(node) for node in new.body.values())
                self._note(pair, "body-added-required" if demanding else "body-added", old, new, "request")
            if old.body:
                self._note(pair, "body-removed", old, new, "request")
            return
        if old.body_required != new.body_required:
            self._note(pair, "body-required" if new.body_required else "body-optional", old, new, "request")
        self._bodies(pair, old.body, new.body, "request")

    def _demands(self, node: Node) -> bool:
        """Tell whether a method that sends this has a keyword that must be given."""
        shapes = [shape for shape in self._walk.now.shapes(node) if shape.kind != "null"]
        return bool(shapes) and all(shape.required for shape in shapes)

    def _successes(self, pair: Pair, old: Call, new: Call) -> None:
        common = [status for status in old.successes if status in new.successes]
        gone = [status for status in old.successes if status not in new.successes]
        come = [status for status in new.successes if status not in old.successes]
        pairs = [(status, status) for status in common] + list(zip(gone, come, strict=False))
        for before, after in pairs:
            if before != after:
                self._note(
                    pair, "status-changed", old, new, "response", before=before, after=after, detail=before
                )
            self._answer(pair, old.successes[before], new.successes[after], "response")
        for status in gone[len(come) :]:
            self._note(pair, "status-removed", old, new, "response", before=status, detail=status)
        known = {_content(self._walk.was, bodies) for bodies in old.successes.values()}
        for status in come[len(gone) :]:
            same = _content(self._walk.now, new.successes[status]) in known
            rule = "status-added" if same else "status-added-body"
            self._note(pair, rule, old, new, "response", after=status, detail=status)

    def _errors(self, pair: Pair, old: Call, new: Call) -> None:
        for status in sorted({*old.errors, *new.errors}):
            if status not in new.errors:
                self._walk.note(pair, "error-removed", "error", before=status, detail=status)
            elif status not in old.errors:
                self._walk.note(pair, "error-added", "error", after=status, detail=status)
            else:
                self._answer(pair, old.errors[status], new.errors[status], "error")

    def _answer(self, pair: Pair, old: Bodies, new: Bodies, where: str) -> None:
        if bool(old) != bool(new):
            self._walk.note(pair, "body-added" if new else "body-removed", where, detail=where)
            return
        self._bodies(pair, old, new, where)

    def _bodies(self, pair: Pair, old: Bodies, new: Bodies, where: str) -> None:
        for media in old:
            if media not in new:
                self._walk.note(pair, "media-removed", where, before=media, detail=(where, media))
        for media, node in new.items():
            if media in old:
                self._walk.visit(pair, old[media], node, where)
            else:
                self._walk.note(pair, "media-added", where, after=media, detail=(where, media))

    def _note(
        self,
        pair: Pair,
        rule: str,
        old: Call,
        new: Call,
        where: str = "",
        *,
        before: object = None,
        after: object = None,
        detail: object = None,
    ) -> None:
        places = (old.site.place,), (new.site.place,)
        self._walk.note(pair, rule, where, *places, before=before, after=after, detail=detail)


def _place(parameter: Parameter) -> str:
    return parameter.inside + spelled(parameter.name)


def _content(schemas: Schemas, bodies: Mapping[str, Node]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((media, schemas.fingerprint(node, _DEPTH)) for media, node in bodies.items()))
