"""Carries an operation out and shows its answer."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Final, cast

import click

from evertoken.cli.body import operation_of
from evertoken.cli.listing import every_page
from evertoken.cli.options import Connection, Display
from evertoken.cli.output import show_event, show_nothing, show_record, show_rows
from evertoken.cli.table import wire_name
from evertoken.cli.text import notice
from evertoken.cli.tree import ApiCommand, ApiGroup
from evertoken.errors import ArgumentError
from evertoken.operation import EventsOperation, ListOperation
from evertoken.wire import to_wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evertoken.cli.table import Entry
    from evertoken.client import ManagementClient
    from evertoken.operation import Operation

_MASKED: Final = "secrets are masked; --show-secrets shows those of an answer"
_SIZES: Final = ("per_page", "take")
_WHICH_PAGE: Final = frozenset({"page", "from", *_SIZES})


def carry_out(group: str, entry: Entry, context: click.Context) -> None:
    """Send what a command line asks for."""
    params = context.params
    display = Display.of(params)
    operation = operation_of(group, entry, params, cast("str | None", params.get("_data")))
    with Connection.of(context).client() as client:
        if operation.method == "DELETE":
            _confirm(entry, operation, yes=bool(params["_yes"]))
        if isinstance(operation, ListOperation):
            asked = {name for name, value in params.items() if value is not None}
            rows = cast("ListOperation[object, object]", operation)
            _show_list(client, rows, asked, display, every=bool(params["_all"]))
        elif isinstance(operation, EventsOperation):
            _follow(client, operation, display)
        else:
            _show_answer(client.send(operation), operation, context, display)


def _show_list(
    client: ManagementClient,
    operation: ListOperation[object, object],
    asked: set[str],
    display: Display,
    *,
    every: bool,
) -> None:
    key = operation.paging.key
    if not every:
        page = client.send_list(operation)
        show_rows(page.items, key, display)
        if page.has_next and not asked & {*_WHICH_PAGE, "from_"}:
            of = f" of {page.total}" if page.total is not None else ""
            notice(f"note: {len(page.items)} rows{of}; --all fetches the others, too")
        return
    first = client.send_list(_in_large_pages(operation, asked))
    if display.format == "jsonl":
        for page in every_page(first):
            show_rows(page.items, key, display)
    else:
        show_rows([row for page in every_page(first) for row in page.items], key, display)


def _in_large_pages(
    operation: ListOperation[object, object], asked: set[str]
) -> ListOperation[object, object]:
    """Return the operation with as many rows a page as there may be, unless their number was given."""
    size = next((name for name in _SIZES if operation.query.get(name) is not None), None)
    if size is None or asked & {*_SIZES}:
        return operation
    _, largest = operation.limits.get(size, (None, None))
    if largest is None:
        return operation
    return dataclasses.replace(operation, query={**operation.query, size: largest})


def _follow(client: ManagementClient, operation: EventsOperation[object], display: Display) -> None:
    with client.stream_events(operation.path, query=operation.query) as events:
        for event in events:
            show_event(event, display)


def _show_answer(
    answer: object, operation: Operation[object], context: click.Context, display: Display
) -> None:
    if answer is None:
        words = context.command_path.split()[1:]
        show_nothing(f"done: {' '.join([*words, *operation.path_params.values()])}", display)
    elif isinstance(answer, list):
        show_rows(cast("list[object]", answer), None, display)
    elif show_record(answer, display) and operation.method != "GET":
        notice(
            f"note: {_how_to_see_secrets(operation, cast('Mapping[str, object]', to_wire(answer)), context)}"
        )


def _how_to_see_secrets(
    operation: Operation[object], answer: Mapping[str, object], context: click.Context
) -> str:
    group = context.parent.command if context.parent else None
    reading = group.get_command(context, "get") if isinstance(group, ApiGroup) else None
    if context.parent is None or not isinstance(reading, ApiCommand):
        return _MASKED
    # Of what was made now, the answer tells the id: as `id`, or as `client_id` in clients.
    of_group = f"{operation.name.split('.')[-2].removesuffix('s')}_id"
    known = {"id": answer.get(of_group), **answer, **operation.path_params}
    path = [wire_name(each) for each in reading.entry["arguments"] if each["place"] == "path"]
    ids = [str(known[name]) for name in path if known.get(name)]
    if len(ids) < len(path):
        return _MASKED
    command = " ".join([context.parent.command_path, "get", *ids, "--show-secrets"])
    return f"the secret is masked; {command} shows it"


def _confirm(entry: Entry, operation: Operation[object], *, yes: bool) -> None:
    """Return if `yes` was given or the answer is yes. Raises ArgumentError where nobody can be asked."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ArgumentError("--yes", "needed where nobody can be asked: stdin and stderr are no terminal")
    summary = entry["help"].split("\n\n")[0].replace("\n", " ").rstrip(".")
    which = " ".join(operation.path_params.values())
    if not click.confirm(f"{summary}{which and f' ({which})'}?", err=True):
        raise click.exceptions.Exit(1)
