"""What OpenAPI lets a document hold, and few do: one part for each kind of oddity."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ODD_NAMES = [
    *("Field", "model_config", "model_dump", "self", "class", "from", "1st", "$ref", "@type", "a.b", "a-b"),
    *(
        "a_b",
        "a b",
        "aB",
        "größe",
        "名前",
        "1",
        "_x",
        "__x",
        "__init__",
        "list",
        "dict",
        "str",
        "int",
        "json",
    ),
    *("datetime", "Any", "Literal", "Model", "None", "schema", "copy", "Kind", "Part", "ﬁ", "fi", "query"),
    *("result", "request", "request_options", "operations", "models", "UNSET", "...", "x" * 120),
]
"""Names of properties and parameters."""

ODD_SCHEMAS = [
    *("Client-X", "ClientX", "2Fa", "Model", "list", "List", "client", "Client", "Field", "Sequence", "a.b"),
    *("None", "Operation", "int", "shared", "models.X", "datetime", "Datetime", "Annotated", "Things"),
    *("AsyncThings", "Part_1", "part1"),
]
"""Names of schemas."""


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def json_of(schema: object) -> Json:
    return {"application/json": {"schema": schema}}


def answer(schema: object, status: str = "200") -> Json:
    return {status: {"description": "What was asked for.", "content": json_of(schema)}}


def operation(group: object, name: str | None, schema: object = None, **more: object) -> Json:
    """Return an operation; without a group or name it has none."""
    named = {"x-operation-group": group, "x-operation-name": name}
    return {
        **{k: v for k, v in named.items() if v is not None},
        "responses": answer({} if schema is None else schema),
        **more,
    }


def parameter(name: str, inside: str = "query", schema: object = None, **more: object) -> Json:
    return {
        "name": name,
        "in": inside,
        "required": inside == "path",
        "schema": {"type": "string"} if schema is None else schema,
        **more,
    }


def document(paths: Json, schemas: Json | None = None, **more: object) -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Odd", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas or {}},
        **more,
    }


SCHEMAS: Json = {
    "Part": {"type": "object", "properties": {"size": {"type": "integer"}}},
    "Kind": {"type": "string", "enum": ["a", "b"]},
    "Tree": {
        "type": "object",
        "properties": {
            "children": {"type": "array", "items": ref("Tree")},
            "byName": {"type": "object", "additionalProperties": ref("Tree")},
            "anything": ref("Json"),
        },
    },
    "Json": {
        "oneOf": [
            {"type": "string"},
            {"type": "array", "items": ref("Json")},
            {"type": "object", "additionalProperties": ref("Json")},
        ]
    },
    "Base": {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}, "kind": {"type": "string"}},
    },
    "Sub": {
        "allOf": [
            ref("Base"),
            {"type": "object", "properties": {"kind": {"type": "string", "enum": ["sub"]}}},
        ]
    },
    "SubSub": {
        "allOf": [
            ref("Base"),
            ref("Sub"),
            {"properties": {"more": {"type": "integer"}}, "required": ["more", "id"]},
        ]
    },
    "Disjoint": {"allOf": [ref("Base"), ref("Part")], "required": ["unknown"]},
    "Mixed": {
        "allOf": [
            {"oneOf": [ref("Base"), ref("Part")]},
            {"type": "object", "properties": {"x": {"type": "string"}}},
        ]
    },
    "Both": {"oneOf": [ref("Base"), ref("Part")], "allOf": [ref("Tree")]},
    "Narrow": {"allOf": [{"type": "string"}, {"enum": ["x", "y"]}]},
    "NarrowRef": {"allOf": [ref("Kind"), {"type": "string", "maxLength": 3}]},
    "Never": {"allOf": [{"type": "string"}, {"type": "object", "properties": {"x": {}}}]},
    "Maps": {"allOf": [{"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "object"}]},
    "Cat": {
        "type": "object",
        "properties": {"pet": {"const": "cat"}, "lives": {"type": "integer"}},
        "required": ["pet"],
    },
    "Dog": {"type": "object", "properties": {"pet": {"const": "dog"}}, "required": ["pet"]},
    "Pet": {
        "oneOf": [ref("Cat"), ref("Dog")],
        "discriminator": {
            "propertyName": "pet",
            "mapping": {
                "cat": "#/components/schemas/Cat",
                "fish": "#/components/schemas/Lost",
                "cow": "Lost",
            },
        },
    },
    "Nest": {"type": "array", "items": {"anyOf": [ref("Nest"), {"type": "integer"}]}},
    "Endless": {"type": "array", "items": {**ref("Endless"), "nullable": True}},
    "Shape": {"oneOf": [ref("Circle"), ref("Square")]},
    "Circle": {"allOf": [ref("Shape"), {"type": "object", "properties": {"radius": {"type": "number"}}}]},
    "Square": {"type": "object", "properties": {"side": {"type": "number"}}},
    "Node": {
        "type": "object",
        "properties": {"odd-key": {"type": "string"}, "heirs": {"type": "array", "items": ref("Heir")}},
    },
    "Heir": {"allOf": [ref("Node"), {"type": "object", "properties": {"more": {"type": "string"}}}]},
    "Looping": {"type": "object", "properties": {"again": ref("Renamed")}},
    "Renamed": {"allOf": [ref("Looping")]},
    "Everything": {
        "type": "object",
        "required": ["never", "nulled", "undefined"],
        "properties": {
            "pattern": {"type": "string", "pattern": "^\\p{L}+(?<name>x)[[a]]$", "default": 5},
            "patterns": {
                "type": "object",
                "patternProperties": {"^\\p{L}": {"type": "integer"}},
                "additionalProperties": False,
            },
            "lookup": {"type": "string", "pattern": "(?<!a+)b"},
            "example_data": {
                "type": "integer",
                "default": "many",
                "example": {"$ref": "#/nothing"},
                "examples": [{"$ref": 5}],
            },
            "odd_format": {"type": "string", "format": "no such"},
            "number_format": {"type": "integer", "format": "date-time"},
            "nullable": {"type": "string", "nullable": True},
            "nullable_ref": {
                "$ref": "#/components/schemas/Part",
                "nullable": True,
                "description": "Beside $ref.",
            },
            "nullable_all_of": {"allOf": [ref("Part")], "nullable": True},
            "nulled": {"type": "null"},
            "array_of_types": {"type": ["string", "integer", "object", "array", "null"]},
            "null_enum": {"type": ["string", "null"], "enum": ["a", None]},
            "empty_enum": {"type": "string", "enum": [""]},
            "mixed_enum": {"enum": ["a", 1, 1.5, True, None, "class", "a", {"x": 1}]},
            "number_enum": {"type": "number", "enum": [1.5, 2]},
            "words": {
                "type": "string",
                "enum": ["class", "None", "a-b", "a_b", "a b", "\n", '"""', "\\", "{}", "{{ x }}"],
            },
            "const": {"const": {"a": 1}},
            "true": True,
            "never": False,
            "not": {"not": {"type": "string"}},
            "if": {
                "type": "object",
                "if": {"required": ["x"]},
                "then": {"properties": {"x": {"type": "string"}}},
            },
            "tuple": {
                "type": "array",
                "prefixItems": [{"type": "string"}, {"type": "integer"}],
                "items": False,
            },
            "contains": {"type": "array", "contains": {"type": "string"}, "unevaluatedItems": False},
            "typed_rest": {
                "type": "object",
                "properties": {"x": {"type": "string"}},
                "additionalProperties": {"type": "integer"},
            },
            "deep": {
                "type": "array",
                "items": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "deeper": {"type": "array", "items": {"properties": {"x": {"enum": ["y"]}}}}
                        },
                    },
                },
            },
            "defs": {
                "$defs": {
                    "X": {
                        "type": "object",
                        "properties": {
                            "again": {"$ref": "#/components/schemas/Everything/properties/defs/$defs/X"}
                        },
                    }
                },
                "$ref": "#/components/schemas/Everything/properties/defs/$defs/X",
            },
            "by_place": {"$ref": "#/components/schemas/Tree/properties/children"},
            "by_path": {
                "$ref": "#/paths/~1everything~1%7Bid%7D/get/responses/200/content/application~1json/schema"
            },
            **{
                name.lower(): ref(name)
                for name in (
                    "Tree",
                    "Sub",
                    "SubSub",
                    "Disjoint",
                    "Mixed",
                    "Both",
                    "Narrow",
                    "NarrowRef",
                    "Never",
                    "Maps",
                    "Pet",
                    "Nest",
                    "Endless",
                    "Shape",
                    "Heir",
                    "Renamed",
                )
            },
        },
    },
    "Unused": {"type": "object", "properties": {"x": ref("Unused")}},
}


def odd_schemas() -> Json:
    """Return a document whose schemas hold what they may, received and sent."""
    everything = operation("everything", "get", ref("Everything"))
    send = operation(
        "everything", "send", ref("Everything"), requestBody={"content": json_of(ref("Everything"))}
    )
    return document(
        {"/everything/{id}": {"parameters": [parameter("id", "path")], "get": everything, "put": send}},
        SCHEMAS,
    )


def odd_names() -> Json:
    """Return a document of odd names: of properties, parameters, schemas and groups."""
    properties = {
        name: {"type": "string"} if index % 2 else ref("Kind") for index, name in enumerate(ODD_NAMES)
    }
    schemas: Json = {
        "Kind": SCHEMAS["Kind"],
        "Part": SCHEMAS["Part"],
        "Odd": {"type": "object", "properties": properties, "required": ODD_NAMES[::3]},
        "OddDate": {
            "type": "object",
            "properties": {
                "datetime": {"type": "string", "format": "date-time"},
                "Datetime": {"type": "string", "format": "date-time"},
            },
        },
    }
    named: Json = {}
    for index, name in enumerate(ODD_SCHEMAS):
        schemas[name] = [
            {"type": "object", "properties": {"x": {"type": "string"}}},
            {"type": "string", "enum": ["a"]},
        ][index % 2]
        named[f"p{index}"] = ref(name)
    schemas["Named"] = {"type": "object", "properties": named}
    paths: Json = {
        "/odd": {
            "get": operation(
                "things", "list", ref("Odd"), parameters=[parameter(name) for name in ODD_NAMES]
            ),
            "post": operation(
                "things",
                "create",
                ref("Named"),
                requestBody={"content": json_of(ref("Odd")), "required": True},
            ),
            "put": operation("things", "put", ref("OddDate"), requestBody={"content": json_of(ref("Named"))}),
        },
    }
    for index, group in enumerate([*GROUPS, *([group, "sub"] for group in GROUPS)]):
        paths[f"/groups/{index}"] = {
            "get": operation(group, "list" if index % 2 else "import", ref("Part")),
            "post": operation(group, "list", ref("Client-X"), requestBody={"content": json_of(ref("Odd"))}),
        }
    return document(paths, schemas)


GROUPS = [
    "class", "shared", "models", "list", "7things", "event_stream", "sender", "file", "any", "größe", "self",
    "GroupsOfClient", "send", "close", "things",
]  # fmt: skip


def odd_operations() -> Json:
    """Return a document of operations that say little of themselves, or something else than JSON."""
    text = {"200": {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    image = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
    form = {"content": {"application/x-www-form-urlencoded": {"schema": ref("Part")}}}
    rows = {"type": "array", "items": ref("Part")}
    numbers = {"type": "array", "items": {"type": "integer"}}
    filters = {
        "type": "object",
        "properties": {"min-size": {"type": "integer"}, "since": {"type": "string", "format": "date-time"}},
    }
    paths: Json = {
        "/no-names": {
            "get": operation(None, None, rows),
            "post": operation(None, None, operationId="addOne", tags=["Some Things"]),
        },
        "/no-names/{id}/inner": {"parameters": [parameter("id", "path")], "get": operation(None, None, rows)},
        "/twice/a": {"get": operation("twice", "get"), "post": operation("twice", "get")},
        "/twice/b": {
            "get": operation(["twice", "sub"], "get"),
            "post": operation("twice", "subGet"),
            "put": operation("twice", "sub"),
        },
        "/text": {"get": operation("left", "text", responses=text)},
        "/image": {"post": operation("left", "image", requestBody=image)},
        "/form": {"post": operation("left", "form", requestBody=form)},
        "/elsewhere": {"servers": [{"url": "https://other.example"}], "get": operation("left", "elsewhere")},
        "/matrix/{id}": {
            "get": operation("left", "matrix", parameters=[parameter("id", "path", style="matrix")])
        },
        "/?x=y": {"get": operation("left", "query")},
        "/files": {
            "post": operation(
                "left",
                "files",
                requestBody={
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "all": {"type": "array", "items": {"type": "string", "format": "binary"}}
                                },
                            }
                        }
                    }
                },
            )
        },
        "/default": {
            "get": operation(
                "kept",
                "default",
                responses={"default": {"description": "All.", "content": json_of(ref("Part"))}},
            )
        },
        "/2xx": {
            "get": operation(
                "kept",
                "range",
                responses={
                    "2XX": {"description": "All.", "content": json_of(ref("Part"))},
                    "default": {"description": "Else."},
                },
            )
        },
        "/nothing": {
            "get": operation("kept", "nothing", responses={"204": {"description": "None."}}),
            "head": operation("kept", "head", ref("Part")),
        },
        "/several": {
            "get": operation(
                "kept",
                "several",
                responses={
                    **answer(ref("Part")),
                    **answer({"type": "string"}, "202"),
                    "204": {"description": "None."},
                },
            )
        },
        "/media": {
            "get": operation(
                "kept",
                "media",
                responses={
                    "200": {
                        "description": "Any.",
                        "content": {
                            "text/csv": {},
                            "application/problem+json": {},
                            "application/json; charset=utf-8": {"schema": ref("Part")},
                        },
                    }
                },
            ),
            "patch": operation(
                "kept",
                "patch",
                requestBody={
                    "content": {"application/merge-patch+json": {"schema": ref("Part")}, "text/plain": {}}
                },
            ),
            "put": operation(
                "kept",
                "upload",
                requestBody={
                    "content": {
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "file": {"type": "string", "format": "binary"},
                                    "note": {"type": "string"},
                                },
                            }
                        }
                    }
                },
            ),
        },
        "/any": {
            "get": operation(
                "kept", "any", responses={"200": {"description": "Any.", "content": {"*/*": {}}}}
            )
        },
        "/percent%20/{id}%2F{kind}/{number}/{flag}": {
            "summary": "Of the path.",
            "parameters": [
                parameter("id", "path"),
                parameter("kind", "path", ref("Kind")),
                parameter("number", "path", {"type": "integer"}),
                parameter("flag", "path", {"type": "boolean"}),
            ],
            "get": operation("kept", "percent"),
        },
        "/parameters": {
            "get": operation(
                "kept",
                "parameters",
                parameters=[
                    {"name": "where", "in": "query", "content": json_of({"type": "object"})},
                    parameter("filter", schema=filters, style="deepObject", explode=True),
                    parameter("free", schema={"type": "object"}, style="deepObject", explode=True),
                    parameter(
                        "spread",
                        schema={
                            "type": "object",
                            "properties": {"left": {"type": "string"}, "right": numbers},
                        },
                    ),
                    parameter("joined", schema=numbers, explode=False),
                    parameter("piped", schema=numbers, style="pipeDelimited", explode=False),
                    parameter("repeated", schema=numbers),
                    parameter("kinds", schema={"type": ["array", "null"], "items": ref("Kind")}),
                    parameter(
                        "dates", schema={"type": "array", "items": {"type": "string", "format": "date-time"}}
                    ),
                    parameter(
                        "nested",
                        schema={"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
                    ),
                    parameter(
                        "either",
                        schema={
                            "oneOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}]
                        },
                    ),
                    parameter("limit", schema={"type": "integer", "exclusiveMinimum": 0, "maximum": 10}),
                    parameter("page", schema={"type": "string"}),
                    parameter("per_page", schema={"type": "string"}),
                    parameter("X-Must", "header", required=True),
                    parameter("X-May", "header"),
                    parameter("session", "cookie"),
                ],
            ),
        },
        "/unclear": {
            "get": operation(
                "kept",
                "unclear",
                {"type": "object", "properties": {"a": rows, "b": rows}},
                parameters=[
                    parameter("page", schema={"type": "integer"}),
                    parameter("per_page", schema={"type": "integer"}),
                ],
            )
        },
        "/search": {
            "post": operation(
                "kept",
                "search",
                rows,
                parameters=[
                    parameter("page", schema={"type": "integer"}),
                    parameter("per_page", schema={"type": "integer"}),
                    parameter("nothing", schema={"type": "array", "items": {"type": "null"}}),
                ],
                requestBody={"content": json_of(ref("Part"))},
            )
        },
        "/empty": {
            "post": operation(
                "kept",
                "empty",
                requestBody={"content": json_of({})},
                callbacks={
                    "done": {
                        "{$request.body#/url}": {"post": {"responses": {"200": {"description": "Fine."}}}}
                    }
                },
            )
        },
        "/events": {
            "get": operation(
                "kept",
                "events",
                responses={
                    "200": {
                        "description": "Events.",
                        "content": {"text/event-stream": {"schema": ref("Part")}},
                    }
                },
            )
        },
    }
    return document(
        paths,
        {"Part": SCHEMAS["Part"], "Kind": SCHEMAS["Kind"]},
        webhooks={
            "made": {
                "post": {
                    "requestBody": {"content": json_of(ref("Part"))},
                    "responses": {"200": {"description": "Fine."}},
                }
            }
        },
    )


LEFT_OUT = {"text", "image", "form", "elsewhere", "matrix", "query", "files"}
"""The operations of `odd_operations` that no method can send, all of the group `left`."""


def old() -> Json:
    """Return a document of OpenAPI 3.0 with what that writes otherwise."""
    schemas: Json = {
        "Old": {
            "type": "object",
            "properties": {
                "maybe": {"type": "string", "nullable": True},
                "maybe_part": {"allOf": [ref("Part")], "nullable": True},
                "maybe_kind": {"type": "string", "enum": ["a", None], "nullable": True},
                "more_than_zero": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                "any": {},
            },
            "example": {"maybe": 5},
        },
        "Part": SCHEMAS["Part"],
    }
    limited = parameter(
        "limit",
        schema={
            "type": "integer",
            "minimum": 0,
            "exclusiveMinimum": True,
            "maximum": 10,
            "exclusiveMaximum": True,
        },
    )
    path = {
        "get": operation("old", "get", ref("Old"), parameters=[limited]),
        "post": operation("old", "make", ref("Old"), requestBody={"content": json_of(ref("Old"))}),
    }
    return {**document({"/old": path}, schemas), "openapi": "3.0.3"}
