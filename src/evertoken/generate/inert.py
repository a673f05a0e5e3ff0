"""Nothing but declarations gets into a generated module, whatever a document says.

Names are checked and texts quoted where they are written; this reads the result as Python does, so that a
mistake there cannot become code that runs.
"""

from __future__ import annotations

import ast
from typing import Final

from evertoken.generate.problem import SpecError

_MODULES: Final = frozenset(
    {
        "__future__", "builtins", "collections.abc", "datetime", "evertoken", "evertoken.model",
        "evertoken.operation", "evertoken.paging", "evertoken.subscription", "functools", "pydantic", "types",
        "typing", "typing_extensions",
    }
)  # fmt: skip
_CALLS: Final = frozenset(
    {
        "EventsOperation", "Field", "ListOperation", "Multipart", "NoneType", "Operation", "Paging",
        "TypeAliasType", "TypedDict", "_paging.resolve", "self._sender.send", "self._sender.send_list",
        "self._sender.stream_events", "str",
    }
)  # fmt: skip
_STATEMENTS: Final = (
    ast.AnnAssign, ast.Assign, ast.AsyncFunctionDef, ast.ClassDef, ast.Delete, ast.Expr, ast.FunctionDef,
    ast.Import, ast.ImportFrom, ast.If, ast.Pass, ast.Return,
)  # fmt: skip


def check(path: str, code: str) -> None:
    """Raise `SpecError` when a module does anything but import, declare and send."""
    try:
        tree = ast.parse(code)
        # Some of what is no Python is found here only, such as an await in a plain function.
        compile(tree, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise SpecError(path, f"would be no Python: {error}") from None
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    classes |= {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    for node in ast.walk(tree):
        fault = _fault(node, classes)
        if fault:
            raise SpecError(f"{path}:{getattr(node, 'lineno', 0)}", f"would hold {fault}")


def _fault(node: ast.AST, classes: set[str]) -> str:
    fault = ""
    match node:
        case ast.Call():
            # Where a property is called as what its class needs, that is imported by another name.
            name = ast.unparse(node.func).removesuffix("_aliased")
            if name not in _CALLS | classes and not name.startswith("operations."):
                fault = f"a call of {name[:80]}"
        case ast.If(test=test):
            fault = "" if ast.unparse(test) == "TYPE_CHECKING" else "a condition"
        case ast.Import(names=aliases):
            unknown = [alias.name for alias in aliases if alias.name not in _MODULES]
            fault = f"an import of {unknown[0]}" if unknown else ""
        case ast.ImportFrom(module=module, level=0):
            fault = "" if module in _MODULES else f"an import of {module}"
        case ast.Expr(value=value):
            fault = "" if isinstance(value, ast.Constant) else "an expression that is run"
        case ast.stmt():
            fault = "" if isinstance(node, _STATEMENTS) else f"a statement: {type(node).__name__}"
        case ast.Lambda() | ast.NamedExpr() | ast.JoinedStr() | ast.ListComp() | ast.GeneratorExp():
            fault = f"an expression: {type(node).__name__}"
        case _:
            pass
    return fault
