"""From documents to the files of a package."""

from __future__ import annotations

import ast
import dataclasses
from typing import TYPE_CHECKING

from evertoken.generate import commands, datamodels, inert, names, output, render, validity
from evertoken.generate import overlay as overlays
from evertoken.generate.document import OVERLAY, Documents, is_array, is_object, read_all
from evertoken.generate.homes import SHARED, Homes, digest_of
from evertoken.generate.library import Library
from evertoken.generate.methods import resource, views
from evertoken.generate.normal import text
from evertoken.generate.problem import SpecError
from evertoken.generate.reading import read_operations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from evertoken.generate.methods import ResourceView
    from evertoken.generate.notes import Notes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to build from. `command` is told in the files' headers; so is `prefix` before each file's name.

    `own` tells that the package is the one that the clients are made of.
    """

    spec: Path
    overlay: Path | None
    prefix: str
    command: str
    own: bool


def source_of(spec: Path, overlay: Path | None, *, own: bool) -> Source:
    """Return the source for a folder or a file; the project's own has an overlay and a shorter command."""
    if overlay is None and (spec / OVERLAY).is_file():
        overlay = spec / OVERLAY
    if own:
        return Source(spec=spec, overlay=overlay, prefix="spec/", command="scripts/generate", own=True)
    # Whole paths would differ between machines.
    command = f"evertoken generate --spec {spec.name} --out FOLDER"
    prefix = f"{spec.name}/" if spec.is_dir() else ""
    return Source(spec=spec, overlay=overlay, prefix=prefix, command=_one_line(command), own=False)


def build(source: Source, report: Callable[[str], None], notes: Notes) -> dict[str, str]:
    """Return the package's files by path, or raise `SpecError`; `report` is told each step."""
    report("Reading")
    documents = Documents(read_all(source.spec))
    overlay = overlays.load(source.overlay)
    documents.check_references()
    for document in documents:
        report(f"Validating {document.name}")
        validity.check(document)
    report("Sorting schemas and operations")
    library = Library(documents, overlay, notes)
    operations = read_operations(documents, library, overlay, notes)
    if not operations:
        raise SpecError(str(source.spec), "has no operation that could be a method")
    library.close()
    homes = Homes(library, operations, overlay)
    report("Writing models")
    modules = {f"{group}/models.py": code for group, code in datamodels.models(homes).items()}
    report("Writing TypedDicts")
    modules |= {f"{group}/params.py": code for group, code in datamodels.params(homes).items()}
    report("Writing operations and resources")
    roots: list[ResourceView] = []
    for group in homes.groups:
        models = _declared(modules.get(f"{group}/models.py", ""))
        found, root = _group(documents, homes, group, overlay, models=models, notes=notes, own=source.own)
        modules |= found
        roots += [root] if root else []
    if any(name.startswith(f"{SHARED}/") for name in modules):
        description = "Schemas that several groups of resources use."
        models = _declared(modules.get(f"{SHARED}/models.py", ""))
        modules[f"{SHARED}/__init__.py"] = render.package(description, {".models": models} if models else {})
    report("Formatting")
    return _files(source, homes, modules, roots)


def _group(
    documents: Documents,
    homes: Homes,
    group: str,
    overlay: overlays.Overlay,
    *,
    models: list[str],
    notes: Notes,
    own: bool,
) -> tuple[dict[str, str], ResourceView | None]:
    description = _tag(documents, group) or f"Operations of `{group}`."
    # From here too, whether another group uses a schema or not.
    common = homes.shared_by(group)
    exports = {module: found for module, found in (("..shared.models", common), (".models", models)) if found}
    root: ResourceView | None = None
    found: dict[str, str] = {}
    if group not in overlay.models_only:
        functions = views(homes, group, overlay, notes)
        taken = {*models, *common, *render.GROUPS}
        root = resource((group,), functions, description, taken)
        classes = [colour.prefix + r.class_name for r in root.flat() for colour in render.COLOURS]
        for r in root.flat():
            if r.is_renamed:
                place = homes.operations[group][0].place
                notes.tell(place, f"two classes are called as `{r.path}` is; its class is {r.class_name}")
        exports[".resources"] = sorted(classes)
        found[f"{group}/operations.py"] = render.operations(group, functions)
        found[f"{group}/resources.py"] = render.resources(root, own=own)
    return {**found, f"{group}/__init__.py": render.package(description, exports)}, root


def _files(
    source: Source, homes: Homes, modules: dict[str, str], roots: Sequence[ResourceView]
) -> dict[str, str]:
    """Return the modules with their headers, formatted, and what else the package holds."""

    def head(sources: Sequence[str], digest: str) -> str:
        return output.header([_one_line(source.prefix + name) for name in sources], digest, source.command)

    by_group = {name.partition("/")[0] for name in modules}
    heads = {group: head(homes.sources(group), homes.digest(group)) for group in by_group}
    files = {name: heads[name.partition("/")[0]] + code for name, code in sorted(modules.items())}
    # These two hold no more of the documents than the groups' names.
    shown = [[root.name, root.description] for root in roots]
    top = head([""] if source.spec.is_dir() else homes.documents, digest_of(shown))
    files["__init__.py"] = top + render.package(
        "The Auth0 Management API: one package per group of resources.",
        {} if source.own else {"._client": render.GROUPS},
    )
    files["_client.py"] = top + render.groups(roots, own=source.own)
    found = output.formatted(files)
    for path, code in found.items():
        inert.check(path, code)
    tables = {
        f"{root.name}/{commands.NAME}": commands.table(heads[root.name], homes, root.functions_below)
        for root in roots
    }
    tables[commands.NAME] = commands.index(top, [(root.name, root.description) for root in roots])
    return {**found, **tables, "py.typed": ""}


def _declared(code: str) -> list[str]:
    """Return the names of the classes and aliases that a module declares."""
    found: list[str] = []
    for node in ast.parse(code).body:
        match node:
            case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                found.append(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.append(name)
            case _:
                pass
    return sorted(found)


def _tag(documents: Documents, group: str) -> str:
    for document in documents:
        tags: object = document.content.get("tags")
        for tag in tags if is_array(tags) else ():
            if is_object(tag) and names.snake(str(tag.get("name"))) == group:
                return text(tag.get("description"))
    return ""


def _one_line(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)
