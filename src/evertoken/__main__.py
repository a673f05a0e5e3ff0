"""The program `evertoken`, also as `python -m evertoken`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status: 1 for a failed call, 2 for a wrong command line.

    130 after Ctrl-C, 141 where whoever read the output went away. `exec` returns the command's own, 127 where
    it is not found and 126 where it cannot be run.
    """
    try:
        from evertoken.cli.program import run  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "click":
            raise
        sys.stderr.write("evertoken: the command needs the extra cli: pip install 'evertoken[cli]'\n")
        return 1
    return run(sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
