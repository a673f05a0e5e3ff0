"""What holds for the whole repository, and would erode without somebody looking."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
import sys
import typing

import pytest

import evertoken

ROOT = pathlib.Path(__file__).parents[1]
SOURCE = ROOT / "src" / "evertoken"

# Dependencies point down only: a module imports from its own layer's values or from layers above it here.
LAYERS = [
    {
        "_version",
        "awaiting",
        "clock",
        "errors",
        "fork",
        "attempt",
        "events",
        "listeners",
        "operation",
        "token",
        "origin",
        "model",
        "redact",
        "secret_names",
        "sent",
    },
    {"grant", "grant_jwt", "grant_mtls", "secret", "rotation", "lifetime", "renewal", "retry", "throttle"},
    {
        "fit",
        "drift",
        "wire",
        "pages",
        "page_query",
        "cursor",
        "ahead",
        "paging",
        "correlation",
        "options",
        "content",
        "multipart",
        "sse",
        "target",
    },
    {"store", "store_encrypted", "store_file", "store_redis"},
    {
        "flow",
        "exchange",
        "kept",
        "shared",
        "auth",
        "bearer",
        "codec",
        "pump",
        "background",
        "body",
        "outcome",
        "transport",
        "raw",
        "streams",
        "subscription",
        "watch",
        "token_body",
        "testing",
    },
    {"setup", "sender"},
    {"client"},
    {"cli", "__main__", "generate", "otel", "specdiff"},
]
HTTPX = {
    "flow", "exchange", "kept", "auth", "bearer", "codec", "pump", "background", "body", "outcome",
    "transport", "watch", "token_body", "streams", "subscription", "setup", "sender", "client",
}  # fmt: skip


def level(module: str) -> int:
    return next(index for index, names in enumerate(LAYERS) if module in names)


def module_of(path: pathlib.Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def sources(folder: pathlib.Path) -> list[pathlib.Path]:
    found = sorted(folder.rglob("*.py"))
    assert found
    return found


def imports(path: pathlib.Path) -> set[str]:
    """Return the dotted names that a file imports, those for type checking only too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def is_in(names: set[str], package: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for name in names)


@pytest.mark.parametrize("path", sources(SOURCE), ids=lambda path: str(path.relative_to(SOURCE)))
def test_layers_point_down(path: pathlib.Path) -> None:
    """No module imports from a layer above its own."""
    module = module_of(path)
    if module == "__init__":
        return
    known = {name for names in LAYERS for name in names}
    for name in imports(path):
        parts = name.split(".")
        if module == "operation" and name.startswith(("evertoken.paging", "evertoken.subscription")):
            continue  # the protocols of senders name pagers and streams, for type checkers
        if parts[0] == "evertoken" and len(parts) > 1 and parts[1] in known:
            assert level(parts[1]) <= level(module), f"{module} imports {name}"


@pytest.mark.parametrize("path", sources(SOURCE), ids=lambda path: str(path.relative_to(SOURCE)))
def test_httpx_is_named_at_the_edge_only(path: pathlib.Path) -> None:
    """So that another HTTP library finds few places to serve."""
    if is_in(imports(path), "httpx"):
        # An operation's options name the type of a response.
        assert module_of(path) in HTTPX | {"cli", "operation"}


def test_library_and_local_tenant_never_meet() -> None:
    """A wrong model must not agree with itself."""
    for path in sources(ROOT / "src" / "evertoken_tenant"):
        assert not is_in(imports(path), "evertoken"), path
        assert not is_in(imports(path), "evertoken_api"), path
    for path in sources(SOURCE):
        if module_of(path) != "cli":  # starts the tenant as a program
            assert not is_in(imports(path), "evertoken_tenant"), path


def test_generated_code_needs_little_of_the_library() -> None:
    """Operations, pagers, event streams and the base class of models."""
    allowed = ("evertoken.operation", "evertoken.paging", "evertoken.subscription", "evertoken.model")
    for path in sources(ROOT / "generated" / "evertoken_api"):
        for name in imports(path):
            if name.startswith("evertoken."):
                assert name.startswith(allowed), f"{path.name} imports {name}"


def test_everything_exported_is_there_and_sorted() -> None:
    """`__all__` is what the package offers."""
    for name in evertoken.__all__:
        assert hasattr(evertoken, name)
    exported = {name for name in vars(evertoken) if name[0].isupper()} - vars(typing).keys()
    assert exported <= set(evertoken.__all__)


def test_no_sleep_binds_the_library_to_asyncio() -> None:
    """Trio users wait through anyio."""
    for path in sources(SOURCE):
        assert not is_in(imports(path), "asyncio"), path


def test_every_test_has_a_sentence() -> None:
    """Named for the behaviour, and told in a docstring."""
    for path in sources(ROOT / "tests"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"


def test_hand_written_modules_stay_short() -> None:
    """About 300 lines; a longer one stands here with its reason."""
    reasons = {
        "client.py": "both clients repeat every option, so that editors and readers see them",
        "errors.py": "one tree, with what to do next for each class",
        "fit.py": "one walk over annotations",
        "methods.py": "one pass from operations to what the templates need",
        "pages.py": "one decision, with the reasons for each of its cases",
        "paging.py": "each pager in both colours",
        "renewal.py": "one state machine, a third of it comment",
        "tenant.py": "all that a test may ask of a tenant, in one class",
        "subscription.py": "each event stream in both colours",
    }
    for folder in (SOURCE, ROOT / "src" / "evertoken_tenant"):
        for path in sources(folder):
            lines = len(path.read_text("utf-8").splitlines())
            assert lines <= 300 or path.name in reasons, f"{path}: {lines} lines"


def tracked() -> list[pathlib.Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S607
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_path_of_a_machine_and_no_registry_is_named() -> None:
    """The repository speaks of the project alone."""
    words = re.compile(
        r"(?:^|[^A-Za-z0-9_.])/(?:work|home/\w+|root|Users)/|pypi\.org|pythonhosted|registry\.npmjs"
    )
    for path in tracked():
        if path.is_file() and path != pathlib.Path(__file__):
            text = path.read_bytes().decode("utf-8", "replace")
            assert not words.findall(text), path


def test_scripts_can_be_run() -> None:
    """Each has its run bit and a first line."""
    for path in (ROOT / "scripts").iterdir():
        if path.is_file() and not path.suffix:
            assert path.stat().st_mode & 0o111, path
            assert path.read_text("utf-8").startswith("#!"), path


def test_names_come_from_where_type_checkers_see_them() -> None:
    """Each name is imported when it is first used, from the module that the checked imports name."""
    homes: dict[str, str] = {}
    for node in ast.walk(ast.parse((SOURCE / "__init__.py").read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("evertoken."):
            homes |= {alias.name: node.module for alias in node.names}
    del homes["__version__"]
    known = {name: f"evertoken.{home}" for home, names in evertoken._HOMES.items() for name in names.split()}
    assert known == homes
    assert {*known, "__version__"} == set(evertoken.__all__)
    assert set(evertoken.__all__) <= set(dir(evertoken))
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        getattr(evertoken, "Nonsense")  # noqa: B009 - type checkers know that it is not there


def test_importing_the_library_loads_no_client() -> None:
    """Nor httpx, nor pydantic: a program that has no use for them yet starts at once."""
    program = (
        "import sys, evertoken; "
        "print([m for m in sys.modules if m.partition('.')[0] in ('httpx', 'pydantic', 'evertoken_api')])"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"


def test_importing_the_client_loads_no_group_of_the_api() -> None:
    """A group's models are loaded when it is first used, and with them what pydantic needs to build them."""
    program = (
        "import sys; from evertoken import ManagementClient; "
        "print([m for m in sys.modules if m.startswith('evertoken_api.') or m == 'pydantic.main'])"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "['evertoken_api._client']"
