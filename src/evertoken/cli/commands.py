"""The program: the commands that belong to no group of the API, and the groups."""

from __future__ import annotations

from typing import Final

import click

from evertoken._version import __version__
from evertoken.cli import table
from evertoken.cli.generate import generate
from evertoken.cli.handover import environment_with, hand_over
from evertoken.cli.options import Connection, connection_options
from evertoken.cli.output import write
from evertoken.cli.table import spelled
from evertoken.cli.text import notice
from evertoken.cli.tree import ApiGroup, HelpfulGroup

_TENANT_NEEDS = {"cryptography", "evertoken_tenant", "jwt", "trustme", "uvicorn"}

_HELP: Final = """Manage an Auth0 tenant.

The environment names the tenant and an application that is granted its Management API: AUTH0_DOMAIN,
AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET, and AUTH0_AUDIENCE where the domain is a custom one.
"""


class Program(HelpfulGroup):
    """The command line as a whole."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands of its own, then the groups of the API."""
        return [*self.commands, *map(spelled, table.groups())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command or group of a name, None where there is none."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        groups = ((name, text) for name, text in table.groups().items() if spelled(name) == cmd_name)
        return next((ApiGroup((name,), text) for name, text in groups), None)


def _show_version(context: click.Context, option: click.Parameter, wanted: bool) -> None:  # noqa: ARG001, FBT001 - click's callbacks are called like this
    if wanted:
        write(f"evertoken {__version__}")
        context.exit()


_version = click.Option(
    ["--version"],
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version.",
)
app: Program = Program("evertoken", _HELP, [_version, *connection_options(of_program=True)])


app.add_command(generate)


@app.command("token", params=list[click.Parameter](connection_options()))
@click.pass_context
def token(context: click.Context, /, **_: object) -> None:
    """Print an access token, and nothing else.

    It is good for two hours at least, or a quarter of its life where that is less than eight hours, as long
    as the token endpoint answers. It is kept for the next run, until it is time for a new one.
    """
    with Connection.of(context).client() as client:
        write(client.access_token().value)


@app.command(
    "exec",
    params=[
        click.Argument(["command"], nargs=-1, required=True, metavar="COMMAND [ARGS]..."),
        *connection_options(),
    ],
    context_settings={"allow_interspersed_args": False},
)
@click.pass_context
def exec_(context: click.Context, /, command: tuple[str, ...], **_: object) -> None:
    """Run a command with an access token in its environment, as AUTH0_API_TOKEN.

    The token is that of evertoken token. AUTH0_DOMAIN names its tenant; AUTH0_CLIENT_ID and
    AUTH0_CLIENT_SECRET are not handed on. The exit status is that of the command, 127 where it is not
    found, 126 where it cannot be run. -- may stand before the command.
    """
    connection = Connection.of(context)
    with connection.client() as client:
        token = client.access_token()
    context.exit(hand_over(command, environment_with(token.value, connection.tenant())))


@app.command(
    "tenant",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
@click.pass_context
def tenant(context: click.Context, /) -> None:
    """Serve a local tenant on a loopback port; see evertoken tenant --help."""
    try:
        from evertoken_tenant.__main__ import main  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _TENANT_NEEDS:
            raise
        notice("the local tenant needs the extra tenant: pip install 'evertoken[tenant]'")
        context.exit(1)
    context.exit(main(context.args))
