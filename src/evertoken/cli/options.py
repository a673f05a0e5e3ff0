"""Options that many commands share: which tenant, as whom, and how an answer is shown."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Final, Literal, NoReturn, cast

import click

from evertoken.errors import ArgumentError
from evertoken.token import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from evertoken.client import ManagementClient

Format = Literal["table", "json", "jsonl"]

# The names of these begin with an underscore, those of the API's arguments never do.
_CONNECTION: Final = (
    ("--domain", "_domain", "AUTH0_DOMAIN", None, "Such as tenant.eu.auth0.com."),
    ("--client-id", "_client_id", "AUTH0_CLIENT_ID", None, "Its secret is AUTH0_CLIENT_SECRET."),
    ("--audience", "_audience", "AUTH0_AUDIENCE", None, "Only where the domain is a custom one."),
    (
        "--cache",
        "_cache",
        "EVERTOKEN_CACHE",
        "FOLDER",
        "Where the token is kept, in place of the user's caches; off for nowhere.",
    ),
)


def connection_options(*, of_program: bool = False) -> list[click.Option]:
    """Return the options that name the tenant. Those of the program itself know the environment, too."""
    found = [
        click.Option(
            [option, name],
            envvar=variable if of_program else None,
            metavar=metavar,
            help=f"{text}  [env: {variable}]",
        )
        for option, name, variable, metavar, text in _CONNECTION
    ]
    text = "Get a new token, and do not keep it."
    return [*found, click.Option(["--no-cache", "_no_cache"], is_flag=True, help=text)]


def display_options() -> list[click.Option]:
    """Return the options that tell how an answer is shown."""
    return [
        click.Option(["--json", "_json"], is_flag=True, help="One JSON document, as the API has it."),
        click.Option(["--jsonl", "_jsonl"], is_flag=True, help="One JSON document on each line."),
        click.Option(["--show-secrets", "_show_secrets"], is_flag=True, help="Do not mask secrets."),
    ]


def option_names(options: Iterable[click.Parameter]) -> set[str]:
    """Return the ways to write options, such as `-y`."""
    return {name for option in options for name in (*option.opts, *option.secondary_opts)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which tenant, and as whom. The secret is in the environment: an option would show in `ps`."""

    domain: str | None
    client_id: str | None
    audience: str | None
    cache: str | None
    no_cache: bool

    @classmethod
    def of(cls, context: click.Context) -> Connection:
        """Return what a command was told, or else the program before it."""
        program, command = context.find_root().params, context.params

        def told(name: str) -> str | None:
            return cast("str | None", command.get(name) or program.get(name))

        return cls(
            domain=told("_domain"),
            client_id=told("_client_id"),
            audience=told("_audience"),
            cache=told("_cache"),
            no_cache=bool(command.get("_no_cache") or program.get("_no_cache")),
        )

    def client(self) -> ManagementClient:
        """Return a client. Raises ArgumentError naming the variable that is missing."""
        from evertoken.cli.cache import OFF, open_cache  # noqa: PLC0415 - --help has no time for it
        from evertoken.client import ManagementClient  # noqa: PLC0415 - the same

        return ManagementClient(
            domain=self.tenant(),
            client_id=self.client_id or _missing("AUTH0_CLIENT_ID", "--client-id"),
            client_secret=Secret(os.environ.get("AUTH0_CLIENT_SECRET") or _missing("AUTH0_CLIENT_SECRET")),
            audience=self.audience or None,
            token_store=open_cache(OFF if self.no_cache else self.cache),
        )

    def tenant(self) -> str:
        """Return the tenant's domain. Raises ArgumentError where it is missing."""
        return self.domain or _missing("AUTH0_DOMAIN", "--domain")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """How an answer is shown. `fields` are the properties that were asked for, in their order."""

    format: Format = "table"
    show_secrets: bool = False
    fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, params: Mapping[str, object]) -> Display:
        """Return what a command was told. Raises ArgumentError for two forms at once."""
        if params.get("_json") and params.get("_jsonl"):
            raise ArgumentError("--json", "and --jsonl exclude each other; give one of them")
        fields = params.get("fields")
        named = fields if isinstance(fields, str) and params.get("include_fields") is not False else ""
        return cls(
            format="json" if params.get("_json") else "jsonl" if params.get("_jsonl") else "table",
            show_secrets=bool(params.get("_show_secrets")),
            fields=tuple(name for part in named.split(",") if (name := part.strip())),
        )


def _missing(variable: str, option: str | None = None) -> NoReturn:
    instead = f", or give {option}" if option else ""
    raise ArgumentError(variable, f"not set in the environment; set it{instead}")
