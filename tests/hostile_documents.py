"""Valid documents in which everything that can be hostile is, for Hypothesis."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from odd_documents import Json, answer, document, json_of, operation, parameter, ref

FRAGMENTS = [
    *(
        '"""',
        "'''",
        '"',
        "'",
        "\\",
        "\n",
        "\r",
        "\t",
        "\x00",
        "\x1b",
        "\u2028",
        "\u202e",
        "\x85",
        "\ufeff",
        "`",
    ),
    *(
        "{",
        "}",
        "{{",
        "}}",
        "{%",
        "%}",
        "{# ",
        " #}",
        "(",
        ")",
        "[",
        "]",
        "#",
        ";",
        ":",
        ",",
        "=",
        "@",
        "%",
        " ",
    ),
    *(
        "__import__('os')",
        "import os",
        "open(MARK, 'w')",
        "lambda: 0",
        "f'{x}'",
        "None",
        "class",
        "é",
        "名",
        "ẞ",
    ),
]
"""Where MARK stands the test puts a file that must not appear."""

TEXTS = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=5).map("".join)
NAMES = st.text(st.sampled_from([*"abAB12_-."]), min_size=1, max_size=6)


def _enum(values: list[str]) -> Json:
    return {"enum": values}


def _constant(value: str) -> Json:
    return {"const": value, "default": value, "pattern": value}


def _object(properties: dict[str, Json], description: str) -> Json:
    return {"type": "object", "properties": properties, "description": description}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _any_of(members: list[Json]) -> Json:
    return {"anyOf": members}


def _all_of(members: list[Json]) -> Json:
    return {"allOf": members}


MOMENT: Json = {"type": "string", "format": "date-time"}
LEAVES: st.SearchStrategy[Json] = st.one_of(
    st.just(MOMENT),
    st.builds(_enum, st.lists(TEXTS, min_size=1, max_size=3)),
    st.builds(_constant, TEXTS),
    st.just(ref("Named")),
)


def _nested(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.one_of(
        st.builds(_object, st.dictionaries(TEXTS, inner, min_size=1, max_size=3), TEXTS),
        st.builds(_array, inner),
        st.builds(_any_of, st.lists(inner, min_size=1, max_size=3)),
        st.builds(_all_of, st.lists(inner, min_size=1, max_size=2)),
    )


SCHEMAS: st.SearchStrategy[Json] = st.recursive(LEAVES, _nested, max_leaves=6)
PROPERTIES = st.dictionaries(TEXTS, SCHEMAS, max_size=3)


@st.composite
def hostile_documents(draw: st.DrawFn) -> Json:
    """Return a document of two operations, of which `fine.list` has one parameter in the query."""
    responses = {**answer(draw(SCHEMAS)), "404": {"description": draw(TEXTS)}}
    one = operation(
        draw(st.lists(TEXTS, min_size=1, max_size=3)),
        draw(TEXTS),
        summary=draw(TEXTS),
        description=draw(TEXTS),
        parameters=[
            parameter(draw(TEXTS), schema=draw(SCHEMAS), description=draw(TEXTS)),
            parameter("id", "path", description=draw(TEXTS)),
        ],
        requestBody={"content": json_of(_object(draw(PROPERTIES), draw(TEXTS)))},
        responses=responses,
        security=[{"bearer": [draw(TEXTS)]}],
    )
    path = re.sub(r"[{}]", "", draw(TEXTS))
    paths: Json = {
        f"/{path}/{{id}}": {"get": one},
        "/fine": {"get": operation("fine", "list", ref("Named"), parameters=[parameter(draw(TEXTS))])},
    }
    schemas: Json = {name: _object({}, draw(TEXTS)) for name in draw(st.lists(NAMES, max_size=2))}
    schemas["Named"] = _object(draw(PROPERTIES), draw(TEXTS))
    found = document(paths, schemas, tags=[{"name": "fine", "description": draw(TEXTS)}])
    found["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return found
