"""All pages of a list, with a progress bar for who waits at a terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from evertoken.paging import SyncPager

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


def every_page(first: SyncPager[ItemT, PageT]) -> Iterator[SyncPager[ItemT, PageT]]:
    """Yield a page and all that follow."""
    if not first.has_next:
        yield first
        return
    with _progress(first.total) as advance:
        for page in first.iter_pages():
            yield page
            advance(len(page.items))


@contextlib.contextmanager
def _progress(total: int | None) -> Generator[Callable[[int], object]]:
    """Show a bar on stderr where that is a terminal; without a total it tells that something goes on."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - loaded when there is something to draw
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Fetching", total=total)
        yield lambda rows: bar.advance(task, rows)
