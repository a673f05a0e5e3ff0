"""The named schemas of the documents as they are written, and what each is called in code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evertoken.generate import names
from evertoken.generate.document import Document, Documents, JsonObject, is_object
from evertoken.generate.problem import SpecError

if TYPE_CHECKING:
    from evertoken.generate.document import Parts

COMPONENTS: Final[Parts] = ("components", "schemas")
"""Where they stand."""


def called(documents: Documents) -> dict[tuple[str, str], str]:
    """Return the name of the class or alias of each schema, by document and the name there."""
    found: dict[tuple[str, str], str] = {}
    first: dict[str, str] = {}
    for document in documents:
        for raw in components(document):
            place = document.place((*COMPONENTS, raw))
            if raw in first:
                raise SpecError(place, f"the schema is there twice, also at {first[raw]}")
            first[raw] = place
            found[document.name, raw] = names.type_name(raw)
    # Those that are called as they are written come first: a new neighbour must not rename them.
    taken = {name for (_, raw), name in found.items() if name == raw}
    for (document_name, raw), name in found.items():
        if name != raw:
            found[document_name, raw] = names.free(name, taken)
            taken.add(found[document_name, raw])
    return found


def components(document: Document) -> JsonObject:
    """Return them by the name that they have in a document."""
    found = document.content.get("components", {})
    schemas: object = found.get("schemas", {}) if is_object(found) else {}
    return schemas if is_object(schemas) else {}
