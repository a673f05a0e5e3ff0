"""The commands that belong to no group of the API, and the groups."""

from __future__ import annotations

from typing import Annotated

import typer

from evertoken._version import __version__
from evertoken.cli import clients
from evertoken.cli.handover import environment_with, hand_over
from evertoken.cli.options import Connection, grouped
from evertoken.cli.output import write
from evertoken.cli.text import notice

_TENANT_NEEDS = {"cryptography", "evertoken_tenant", "jwt", "trustme", "uvicorn"}

app: typer.Typer = typer.Typer(
    name="evertoken",
    add_completion=False,
    # Plain help: half the time to start, and texts stand as they are.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(clients.app)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callbacks are called like this
    if wanted:
        write(f"evertoken {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def evertoken(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Manage an Auth0 tenant.

    The environment names the tenant and an application that is granted its Management API: AUTH0_DOMAIN,
    AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET, and AUTH0_AUDIENCE where the domain is a custom one.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("token")
@grouped
def token(connection: Connection) -> None:
    """Print an access token, and nothing else.

    It is good for two hours at least, or a quarter of its life where that is less than eight hours, as long
    as the token endpoint answers. It is kept for the next run, until it is time for a new one.
    """
    with connection.client() as client:
        write(client.access_token().value)


@app.command("exec", context_settings={"allow_interspersed_args": False})
@grouped
def exec_(
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND", help="What to run; -- may stand before it.")
    ],
    connection: Connection,
) -> None:
    """Run a command with an access token in its environment, as AUTH0_API_TOKEN.

    The token is that of evertoken token. AUTH0_DOMAIN names its tenant; AUTH0_CLIENT_ID and
    AUTH0_CLIENT_SECRET are not handed on. The exit status is that of the command, 127 where it is not
    found, 126 where it cannot be run.
    """
    with connection.client() as client:
        token = client.access_token()
    raise typer.Exit(hand_over(command, environment_with(token.value, connection.tenant())))


@app.command(
    "tenant",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def tenant(context: typer.Context) -> None:
    """Serve a local tenant on a loopback port; see evertoken tenant --help."""
    try:
        from evertoken_tenant.__main__ import main  # noqa: PLC0415 - the extra may not be installed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _TENANT_NEEDS:
            raise
        notice("the local tenant needs the extra tenant: pip install 'evertoken[tenant]'")
        raise typer.Exit(1) from None
    raise typer.Exit(main(context.args))
