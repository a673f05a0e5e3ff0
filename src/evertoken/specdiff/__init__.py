"""Tells a caller of the SDK what changed between two documents of the API: see docs/spec-diff.md.

    rules     each kind of change, and what it means on either side
    changes   a change, and counts of them
    nodes     a schema by its place, references followed
    shapes    what a schema allows, in one spelling
    combine   allOf, oneOf and anyOf
    scalars   limits and enums of a schema
    api       the operations of documents
    pairing   which alternative of a union is which in the other document
    walk      pairs of schemas, each compared once, with the operations that reach it
    objects   two schemas side by side
    calls     two operations side by side
    compare   all of it, in order
    report    as text and JSON
    changelog as lines for CHANGELOG.md

`scripts/spec-diff` runs `__main__.py`, and so does `python -m evertoken.specdiff`.
"""
