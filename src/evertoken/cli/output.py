"""Answers as a table, as JSON, or as a line of JSON each."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final, cast

import click

from evertoken.cli.failure import READER_GONE
from evertoken.cli.text import notice, printable, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evertoken.cli.options import Display
    from evertoken.sse import ServerSentEvent
    from evertoken.wire import JSON


_COLUMNS: Final = (
    "id", "client_id", "user_id", "name", "display_name", "email", "date", "type", "strategy", "app_type",
    "is_first_party", "status", "enabled", "description", "created_at",
)  # fmt: skip
"""What tells most of a row, the most telling first; a table without --fields has the first of them."""

_MOST_COLUMNS: Final = 4


def show_nothing(text: str, display: Display) -> None:
    """Tell that there is no answer: null, or a line on stderr."""
    if display.format == "table":
        notice(text)
    else:
        write("null")


def show_record(answer: object, display: Display) -> bool:
    """Write one object; tell whether a secret was masked."""
    shown, masked = wire_form(answer, display)
    if display.format == "jsonl":
        write(to_json(shown, indent=None))
    elif display.format == "json" or not isinstance(shown, dict):
        write(to_json(shown))
    else:
        write(_table(["property", "value"], [[name, _cell(value)] for name, value in shown.items()]))
    return masked


def show_rows(answer: Iterable[object], key: str | None, display: Display) -> None:
    """Write a list; `key` is the property that tells its rows apart."""
    rows = [wire_form(row, display)[0] for row in answer]
    if display.format == "json":
        write(to_json(rows))
    elif display.format == "jsonl":
        for row in rows:
            write(to_json(row, indent=None))
    else:
        columns = display.fields or columns_of([row for row in rows if isinstance(row, dict)], key)
        objects = [row if isinstance(row, dict) else {columns[0]: row} for row in rows]
        write(_table(columns, [[_cell(row.get(name)) for name in columns] for row in objects]))


def show_event(event: ServerSentEvent, display: Display) -> None:
    """Write the JSON of an event in a line, with its name as `type` where it has none."""
    try:
        data: object = json.loads(event.data)
    except ValueError:
        data = {"data": event.data}
    named = {"type": event.event, **cast("dict[str, object]", data)} if isinstance(data, dict) else data
    write(to_json(wire_form(named, display)[0], indent=None))


def columns_of(rows: Sequence[dict[str, JSON]], key: str | None) -> list[str]:
    """Return the properties that a table shows: the key, and few of those that are no containers."""
    plain = {name: None for row in rows for name, value in row.items() if not isinstance(value, dict | list)}
    telling = [name for name in (key, *_COLUMNS, *plain) if name in plain]
    return list(dict.fromkeys(telling))[:_MOST_COLUMNS] or [key or "value"]


def wire_form(answer: object, display: Display) -> tuple[JSON, bool]:
    """Return an answer as the API wrote it, its secrets masked, and whether there were any."""
    from evertoken.model import masked  # noqa: PLC0415 - pydantic costs time that --help has not
    from evertoken.wire import to_wire  # noqa: PLC0415

    value = to_wire(answer, "answer")
    if display.show_secrets:
        return value, False
    shown = cast("JSON", masked(answer))
    return shown, shown != value


def write(text: str) -> None:
    """Write a text and a line end to stdout. Ends the program where nobody reads any more."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise click.exceptions.Exit(READER_GONE) from None


def _cell(value: JSON) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    return printable(json.dumps(value, ensure_ascii=False))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return _drawn(columns, rows) if sys.stdout.isatty() else _plain(columns, rows)


def _plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return columns of spaces, whatever their width: for files and other programs."""
    lines = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _drawn(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as wide as the terminal; long values go on in the next line."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - loaded when there is something to draw
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        # The first one names the row, and is copied from here.
        table.add_column(Text(column), overflow="fold", no_wrap=index == 0)
    for row in rows:
        # Text, not str: what the API sent is no markup.
        table.add_row(*(Text(cell) for cell in row))
    console = Console(file=sys.stdout, highlight=False)
    with console.capture() as drawn:
        console.print(table)
    return drawn.get().strip("\n")
