"""`scripts/spec-diff`, or `python -m evertoken.specdiff`: what changed between two documents of the API."""

from __future__ import annotations

import argparse
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

_WRONG = 2  # exit status: nothing could be compared


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status: 1 for breaking changes, 2 for a wrong document."""
    arguments = _parser().parse_args(argv)
    try:
        from evertoken.generate.problem import SpecError  # noqa: PLC0415  # after the arguments: --help is quick

        try:
            return _run(arguments)
        except SpecError as error:
            _complain(str(error))
        except RecursionError:
            _complain(f"{arguments.old}, {arguments.new}: one of them is nested too deeply")
        except BrokenPipeError:
            # Whoever read the output has seen enough; what is left must not fail again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            _complain(f"{error.filename or 'output'}: {error.strerror or error}")
    except ModuleNotFoundError as error:
        _complain(f"{error.name} is not installed; pip install 'evertoken[generate]'")
    return _WRONG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spec-diff",
        description="Tell a caller of the SDK what changed between two documents of the API.",
        epilog="Exit status: 0 nothing breaking, 1 breaking changes, 2 a wrong document or command line.",
    )
    parser.add_argument(
        "old", type=Path, help="an OpenAPI 3.0 or 3.1 file, JSON or YAML, or a folder of them"
    )
    parser.add_argument("new", type=Path, help="the same, newer")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="everything, as JSON")
    shape.add_argument(
        "--changelog", action="store_true", help="only the lines for the changelog, as Markdown"
    )
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from evertoken.specdiff import changelog, report  # noqa: PLC0415
    from evertoken.specdiff.compare import compare  # noqa: PLC0415

    comparison = compare(arguments.old, arguments.new)
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        # A terminal that cannot show a character of a document is no reason to fail.
        cast("io.TextIOWrapper", stdout).reconfigure(errors="backslashreplace")
    if arguments.json:
        print(report.as_json(comparison))  # noqa: T201  # a program
    elif arguments.changelog:
        print("\n".join(changelog.lines(comparison)))  # noqa: T201
    else:
        print(report.as_text(comparison))  # noqa: T201
    sys.stdout.flush()
    return 1 if comparison.breaking else 0


def _complain(reason: str) -> None:
    plain = "".join(character if character.isprintable() else "?" for character in reason)
    print(f"spec-diff: {plain}", file=sys.stderr)  # noqa: T201  # a program


if __name__ == "__main__":
    sys.exit(main())
