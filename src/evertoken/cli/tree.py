"""The commands of the API: one for every operation, made when it is asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import click

from evertoken.cli import table
from evertoken.cli.arguments import described, parameters
from evertoken.cli.options import connection_options, display_options, option_names
from evertoken.cli.table import spelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evertoken.cli.table import Entry

_SHORT_HELP: Final = 120  # characters: two lines of a terminal
_LIST_LINE: Final = re.compile(r"^\s*[-*|]", re.MULTILINE)


class HelpfulGroup(click.Group):
    """A group that shows its help where no command is given, on stdout, and with status 0."""

    def __init__(
        self, name: str, text: str, params: Sequence[click.Parameter] = (), short: str | None = None
    ) -> None:
        super().__init__(name, help=text, short_help=short, params=list(params), invoke_without_command=True)

    def invoke(self, ctx: click.Context) -> object:
        """Run what was asked for."""
        result: object = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            click.echo(ctx.get_help())
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the groups of the API, with more of what they are than click has."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        for title, wanted in (("Commands", False), ("Groups", True)):
            rows = [
                (name, command.get_short_help_str(_SHORT_HELP))
                for name, command in commands
                if command and isinstance(command, click.Group) is wanted
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class ApiGroup(HelpfulGroup):
    """A group of the API; `path` is its place, such as `("clients", "credentials")`."""

    def __init__(self, path: tuple[str, ...], text: str, below: Sequence[str] = ()) -> None:
        super().__init__(spelled(path[-1]), text, short=f"{', '.join(below)}." if below else None)
        self._path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of its commands and groups, in the order of the API's documents."""
        return list(dict.fromkeys(spelled(rest[0]) for rest in self._below()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command or group of a name, None where there is none."""
        below = {rest: entry for rest, entry in self._below().items() if spelled(rest[0]) == cmd_name}
        for rest, entry in below.items():
            if len(rest) == 1:
                return ApiCommand(self._path, rest[0], entry)
        group = next((rest[0] for rest in below), None)
        if group is None:
            return None
        # Documents have a word for groups only, and none for those within.
        path = (*self._path, group)
        names = dict.fromkeys(spelled(rest[1]) for rest in below)
        return ApiGroup(path, f"Operations of {' '.join(map(spelled, path))}.", list(names))

    def _below(self) -> dict[tuple[str, ...], Entry]:
        group, *within = self._path
        depth, start = len(within), tuple(within)
        found = {tuple(key.split(".")): entry for key, entry in table.entries(group).items()}
        return {key[depth:]: entry for key, entry in found.items() if key[:depth] == start}


class ApiCommand(click.Command):
    """The command of an operation."""

    def __init__(self, path: tuple[str, ...], name: str, entry: Entry) -> None:
        own = _own_options(entry)
        taken = option_names(own) | {"--help"}
        given = parameters(entry["arguments"], taken)
        # The API's own is meant where names are the same; the program has the connection's, too.
        connection = [o for o in connection_options() if not {*o.opts} & option_names(given)]
        super().__init__(spelled(name), help=_help(entry), params=[*given, *own, *connection])
        self._group = path[0]
        self.entry: Entry = entry

    def invoke(self, ctx: click.Context) -> None:
        """Carry the operation out."""
        from evertoken.cli.call import carry_out  # noqa: PLC0415 - --help has no time for it

        carry_out(self._group, self.entry, ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, the options of the operation, and those of every command."""
        described_path = [
            (f"{param.metavar}", described(argument))
            for param, argument in zip(self.params, self.entry["arguments"], strict=False)
            if argument["place"] == "path"
        ]
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [(param, param.get_help_record(ctx)) for param in options]
        mine = [row for param, row in records if row and not _is_general(param)]
        general = [row for param, row in records if row and _is_general(param)]
        for title, rows in (("Arguments", described_path), ("Options", mine), ("General options", general)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _own_options(entry: Entry) -> list[click.Option]:
    found = list[click.Option]()
    places = {argument["place"] for argument in entry["arguments"]}
    if places & {"body", "whole"}:
        text = "The body" if "whole" in places else "Any properties as a JSON object"
        help_ = f"{text}; @FILE, or - for stdin, reads it from there."
        found.append(click.Option(["--data", "_data"], metavar="JSON", help=help_))
    if entry["kind"] == "list":
        found.append(click.Option(["--all", "_all"], is_flag=True, help="Every page, not just one."))
    if entry["method"] == "DELETE":
        found.append(click.Option(["--yes", "-y", "_yes"], is_flag=True, help="Do not ask."))
    return [*found, *display_options()]


def _is_general(param: click.Parameter) -> bool:
    return f"{param.name}".startswith("_") or param.name == "help"


def _help(entry: Entry) -> str:
    scopes = entry["scopes"]
    notes = [entry.get("lifecycle", "")]
    if entry.get("deprecated"):
        notes.append("Deprecated: Auth0 advises against using it.")
    if scopes:
        notes.append(f"{'Any one of the scopes' if len(scopes) > 1 else 'Scope'}: {', '.join(scopes)}.")
    paragraphs = [*entry["help"].split("\n\n"), *notes, f"{entry['method']} {entry['path']}"]
    # Lists keep their lines.
    return "\n\n".join(
        f"\b\n{paragraph}" if _LIST_LINE.search(paragraph) else paragraph
        for paragraph in paragraphs
        if paragraph
    )
