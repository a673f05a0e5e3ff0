"""`scripts/generate`, or `python -m evertoken.generate`: write or compare the generated package."""

from __future__ import annotations

import argparse
import contextlib
import keyword
import sys
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

# src/evertoken/generate/__main__.py in a checkout; in an installed package there is no spec/ beside it.
_ROOT = Path(__file__).resolve().parents[3]

if "evertoken" not in sys.modules:
    # Run by path, as scripts/generate does. The SDK's own __init__ would import what this program writes,
    # which may be broken or not there; the package is found without it.
    _package = types.ModuleType("evertoken")
    _package.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules["evertoken"] = _package


def main(argv: Sequence[str] | None = None, program: str | None = None) -> int:
    """Run the program and return its exit status: 1 when a document is wrong or files differ, 130 for Ctrl-C.

    `program` is what a user runs it as, for whom --spec and --out have no defaults.
    """
    arguments = _parser(program).parse_args(argv)
    try:
        from evertoken.generate.problem import SpecError  # noqa: PLC0415  # after the arguments: --help is quick

        try:
            return _run(arguments)
        except SpecError as error:
            _complain(str(error))
        except RecursionError:
            _complain(f"{arguments.spec or 'spec'}: is nested too deeply, or refers to itself")
        except OSError as error:
            _complain(f"{error.filename or arguments.out}: {error.strerror or error}")
    except ModuleNotFoundError as error:
        _complain(f"{error.name} is not installed; pip install 'evertoken[generate]'")
    except KeyboardInterrupt:
        return 130
    return 1


def _parser(program: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program or "generate", description="Write the typed package of the API from OpenAPI documents."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail and list what differs")
    parser.add_argument(
        "--spec", type=Path, required=bool(program), help="the OpenAPI file, or folder of files; needs --out"
    )
    parser.add_argument(
        "--out", type=Path, required=bool(program), help="the package's folder; it is replaced as a whole"
    )
    parser.add_argument(
        "--overlay", type=Path, help="corrections; default: overlay.yaml in the folder of --spec"
    )
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from evertoken.generate import carried, output  # noqa: PLC0415  # it takes half a second to import
    from evertoken.generate.build import build, source_of  # noqa: PLC0415
    from evertoken.generate.notes import Notes  # noqa: PLC0415

    started = time.monotonic()
    own = arguments.spec is None
    spec, out = _places(arguments)
    notes = Notes(strict=own)
    try:
        with _progress(quiet=arguments.check) as report:
            packages = {out: build(source_of(spec, arguments.overlay, own=own), report, notes)}
    finally:
        if not arguments.check:
            for line in notes.lines:
                print(f"note: {line}", file=sys.stderr)  # noqa: T201  # a program
    if own and arguments.out is None:
        packages[out.with_name(carried.PACKAGE)] = carried.build(spec)
    count = sum(len(files) for files in packages.values())
    if arguments.check:
        lines = [line for folder, files in packages.items() for line in output.differences(files, folder)]
        for line in lines:
            print(line)  # noqa: T201  # the answer of --check
        if lines:
            again = "scripts/generate" if own else "it again without --check"
            _complain(f"{len(lines)} of {count} files differ from {spec.name}; run {again}")
        return 1 if lines else 0
    for folder, files in packages.items():
        if output.differences(files, folder):
            output.replace(files, folder)
    seconds = time.monotonic() - started
    left_out = f", {len(notes.left_out)} operations left out" if notes.left_out else ""
    places = ", ".join(map(str, packages))
    print(f"{count} files in {places}{left_out} ({seconds:.1f} s)", file=sys.stderr)  # noqa: T201  # a program
    return 0


def _places(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """Return where the documents are, and where the package goes."""
    from evertoken.generate.problem import SpecError  # noqa: PLC0415

    spec, out = arguments.spec, arguments.out
    if spec is not None and out is None:
        raise SpecError("--spec", "needs --out: the folder of the package to write")
    if out is not None and not (out.name.isidentifier() and not keyword.iskeyword(out.name)):
        raise SpecError("--out", f"{out.name!r} cannot be imported: choose a name of letters, digits and _")
    spec = spec or _ROOT / "spec"
    if not spec.exists():
        raise SpecError("--spec", f"{spec} is not there")
    return spec, (out or _ROOT / "generated" / "evertoken_api").absolute()


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Generator[Callable[[str], None]]:
    """Show the current step: moving on a terminal, else a line each."""
    if not sys.stderr.isatty():
        yield (lambda _step: None) if quiet else lambda step: print(step, file=sys.stderr)  # noqa: T201
        return
    import rich.console  # noqa: PLC0415  # only a terminal needs it

    with rich.console.Console(stderr=True).status("Starting") as status:
        yield lambda step: status.update(f"{step} ...")


def _complain(reason: str) -> None:
    print(f"generate: {reason}", file=sys.stderr)  # noqa: T201  # a program


if __name__ == "__main__":
    sys.exit(main())
