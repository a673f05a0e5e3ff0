"""The commands that belong to no group of the API, and the groups."""

from __future__ import annotations

from typing import Annotated

import typer

from evertoken._version import __version__
from evertoken.cli import clients
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
    """Print an access token that is good now, and nothing else."""
    with connection.client() as client:
        write(client.access_token().value)


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
