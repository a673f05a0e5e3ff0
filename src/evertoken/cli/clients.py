"""`evertoken clients`: the applications of a tenant."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import typer

from evertoken.cli.body import Data, given, pairs, with_body
from evertoken.cli.listing import all_rows
from evertoken.cli.options import Connection, Display, Fields, grouped
from evertoken.cli.output import show_record, show_rows
from evertoken.cli.text import notice
from evertoken.errors import ArgumentError

app: typer.Typer = typer.Typer(name="clients", help="Applications of the tenant.")

COLUMNS = ["client_id", "name", "app_type", "is_first_party"]

Id = Annotated[str, typer.Argument(metavar="ID", help="The application's client id.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which applications are listed."""

    app_type: Annotated[str | None, typer.Option(help="Such as spa, native or non_interactive.")] = None
    is_global: Annotated[
        bool | None, typer.Option(help="The tenant's global application, or the others.")
    ] = None
    is_first_party: Annotated[bool | None, typer.Option(help="First-party applications, or others.")] = None
    external_client_id: Annotated[str | None, typer.Option(help="The URL of a client id document.")] = None
    q: Annotated[str | None, typer.Option("--q", help="A query in Lucene syntax.")] = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How a list is fetched."""

    page: Annotated[int | None, typer.Option(help="Only this page, counted from 0.")] = None
    per_page: Annotated[int, typer.Option(help="Rows of a page.")] = 100
    take: Annotated[int | None, typer.Option(help="Page by checkpoint, so many rows at a time.")] = None
    from_: Annotated[str | None, typer.Option("--from", help="Begin at this checkpoint.")] = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """What an application is made of, by the API's names: the properties that are set most."""

    name: Annotated[str | None, typer.Option(help="What it is called.")] = None
    description: Annotated[str | None, typer.Option(help="A sentence about it.")] = None
    app_type: Annotated[str | None, typer.Option(help="Such as spa, native or non_interactive.")] = None
    logo_uri: Annotated[str | None, typer.Option(help="URL of its logo.")] = None
    callbacks: Annotated[
        list[str] | None, typer.Option("--callback", help="A URL to return to after login; repeatable.")
    ] = None
    allowed_logout_urls: Annotated[
        list[str] | None,
        typer.Option("--allowed-logout-url", help="A URL to return to after logout; repeatable."),
    ] = None
    allowed_origins: Annotated[
        list[str] | None, typer.Option("--allowed-origin", help="An origin for CORS; repeatable.")
    ] = None
    web_origins: Annotated[
        list[str] | None, typer.Option("--web-origin", help="An origin for web messages; repeatable.")
    ] = None
    grant_types: Annotated[
        list[str] | None, typer.Option("--grant-type", help="Such as client_credentials; repeatable.")
    ] = None
    client_metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", metavar="NAME=VALUE", help="An entry of client_metadata; repeatable."),
    ] = None
    token_endpoint_auth_method: Annotated[
        str | None, typer.Option(help="none, client_secret_post or client_secret_basic.")
    ] = None
    is_first_party: Annotated[bool | None, typer.Option(help="Whether it is of the tenant's owner.")] = None
    oidc_conformant: Annotated[bool | None, typer.Option(help="Whether it keeps to OpenID Connect.")] = None


@app.callback(invoke_without_command=True)
def clients(context: typer.Context) -> None:
    """Applications of the tenant."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
@grouped
def list_(filters: Filters, pages: Pages, fields: Fields, connection: Connection, display: Display) -> None:
    """List the applications: all of them, unless --page asks for one page."""
    with connection.client() as client:
        first = client.clients.list(
            fields=fields.fields,
            include_fields=fields.include_fields,
            page=pages.page or 0,
            per_page=pages.per_page,
            from_=pages.from_,
            take=pages.take,
            is_global=filters.is_global,
            is_first_party=filters.is_first_party,
            app_type=filters.app_type,
            external_client_id=filters.external_client_id,
            q=filters.q,
        )
        rows = all_rows(first) if pages.page is None else first.items
    show_rows(rows, fields.columns or COLUMNS, display)


@app.command("get")
@grouped
def get(id: Id, fields: Fields, connection: Connection, display: Display) -> None:  # noqa: A002 - the API's word
    """Show one application."""
    with connection.client() as client:
        answer = client.clients.get(id, fields=fields.fields, include_fields=fields.include_fields)
    show_record(answer, display)


@app.command("create")
@grouped
def create(properties: Properties, data: Data, connection: Connection, display: Display) -> None:
    """Create an application; its name is all that it needs."""
    from evertoken_api.clients import operations  # noqa: PLC0415 - models cost time that --help has not

    body = _body(properties, data)
    operation = with_body(operations.create(name=""), body)
    if "name" not in body:
        raise ArgumentError("--name", "missing; give it, or name in --data")
    with connection.client() as client:
        answer = client.send(operation)
    _show_new_secret(answer, answer.client_id, display)


@app.command("update")
@grouped
def update(
    id: Id,  # noqa: A002 - the API's word
    properties: Properties,
    data: Data,
    connection: Connection,
    display: Display,
) -> None:
    """Change properties of an application; the others stay as they are."""
    from evertoken_api.clients import operations  # noqa: PLC0415 - as in create

    body = _body(properties, data)
    if not body:
        raise ArgumentError("--data", "nothing to change; give an option or --data")
    operation = with_body(operations.update(id), body)
    with connection.client() as client:
        answer = client.send(operation)
    show_record(answer, display)


@app.command("delete")
@grouped
def delete(
    id: Id,  # noqa: A002 - the API's word
    connection: Connection,
    display: Display,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,  # noqa: FBT002 - an option
) -> None:
    """Delete an application, for good."""
    with connection.client() as client:
        confirm(f"Delete application {id} for good?", yes=yes)
        client.clients.delete(id)
    if display.as_json:
        show_record(None, display)
    else:
        notice(f"deleted {id}")


@app.command("rotate-secret")
@grouped
def rotate_secret(id: Id, connection: Connection, display: Display) -> None:  # noqa: A002 - the API's word
    """Give an application a new secret; tokens that were issued stay valid."""
    with connection.client() as client:
        answer = client.clients.rotate_secret(id)
    _show_new_secret(answer, answer.client_id, display)


def confirm(question: str, *, yes: bool) -> None:
    """Return if `yes` was given or the answer is yes. Raises ArgumentError where nobody can be asked."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ArgumentError("--yes", "needed where nobody can be asked: stdin and stderr are no terminal")
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


def _body(properties: Properties, data: Data) -> dict[str, object]:
    body = data.properties() | given(properties)
    if properties.client_metadata:
        body["client_metadata"] = pairs("--metadata", properties.client_metadata)
    return body


def _show_new_secret(answer: object, client_id: str | None, display: Display) -> None:
    if show_record(answer, display):
        notice(
            f"note: the secret is masked; evertoken clients get {client_id or 'ID'} --show-secrets shows it"
        )
