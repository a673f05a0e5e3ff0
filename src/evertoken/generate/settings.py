"""Settings of datamodel-code-generator and ruff.

They stand here and not in pyproject.toml, since `--spec` has to give the same code wherever it runs: from the
installed package too, where there is no pyproject.toml, and for a folder below a project with one of its own.
"""

from __future__ import annotations

from typing import Any, Final

from datamodel_code_generator.enums import DataModelType, InputFileType
from datamodel_code_generator.format import DatetimeClassType, Formatter, PythonVersion
from datamodel_code_generator.parser import LiteralType

COMMON: Final[dict[str, Any]] = {
    "input_file_type": InputFileType.OpenAPI,
    "target_python_version": PythonVersion.PY_311,
    "enum_field_as_literal": LiteralType.All,
    "use_type_alias": True,
    "treat_dot_as_module": True,
    "use_exact_imports": True,
    "use_schema_description": True,
    "use_field_description": True,
    "use_inline_field_description": True,
    "use_double_quotes": True,
    "use_standard_collections": True,
    "use_union_operator": True,
    "disable_timestamp": True,
    "output_datetime_class": DatetimeClassType.Datetime,
    # Ruff formats everything at the end, operations and resources too.
    "formatters": [Formatter.BUILTIN],
}
MODELS: Final[dict[str, Any]] = {
    **COMMON,
    "output_model_type": DataModelType.PydanticV2BaseModel,
    "base_class": "evertoken.model.Model",
    "use_annotated": True,
}
PARAMS: Final[dict[str, Any]] = {
    **COMMON,
    "output_model_type": DataModelType.TypingTypedDict,
    "use_generic_container_types": True,
}

LINES: Final = """\
[tool.ruff]
line-length = 110
"""

# As in the project, so that its own checks find nothing to say. Commas decide nothing: where the generator of
# models breaks lines depends on the folder it runs in.
RUFF: Final = """\
line-length = 110
target-version = "py311"
cache-dir = "{cache}"
[lint]
select = ["F401", "I", "RUF022", "UP"]
ignore = ["UP040"]
[lint.isort]
known-first-party = ["evertoken"]
split-on-trailing-comma = false
[format]
skip-magic-trailing-comma = true
"""
