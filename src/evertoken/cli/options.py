"""Options that several commands share, as dataclasses: one field is one option."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import typing
from typing import TYPE_CHECKING, Annotated, cast

import typer

from evertoken.errors import ArgumentError
from evertoken.token import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evertoken.client import ManagementClient


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which tenant, and as whom. The secret is in the environment: an option would show in `ps`."""

    domain: Annotated[
        str | None, typer.Option(envvar="AUTH0_DOMAIN", help="Such as tenant.eu.auth0.com.")
    ] = None
    client_id: Annotated[
        str | None, typer.Option(envvar="AUTH0_CLIENT_ID", help="Its secret is AUTH0_CLIENT_SECRET.")
    ] = None
    audience: Annotated[
        str | None, typer.Option(envvar="AUTH0_AUDIENCE", help="Only where the domain is a custom one.")
    ] = None
    cache: Annotated[
        str | None,
        typer.Option(
            envvar="EVERTOKEN_CACHE",
            metavar="FOLDER",
            help="Where the token is kept, in place of the user's caches; off for nowhere.",
        ),
    ] = None
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Get a new token, and do not keep it.")] = False

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
    """How an answer is shown."""

    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, as the API has it.")] = False
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Do not mask secrets.")] = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Which properties the API sends."""

    fields: Annotated[str | None, typer.Option(metavar="NAMES", help="Only these, separated by commas.")] = (
        None
    )
    include_fields: Annotated[
        bool | None,
        typer.Option("--include-fields/--exclude-fields", help="Or all but those of --fields."),
    ] = None

    @property
    def columns(self) -> list[str]:
        """The properties asked for, none where that is open."""
        if self.fields is None or self.include_fields is False:
            return []
        return [name for part in self.fields.split(",") if (name := part.strip())]


def grouped(function: Callable[..., None]) -> Callable[..., None]:
    """Return a function as typer takes it: a parameter that is a dataclass becomes an option per field."""
    signature = inspect.signature(function, eval_str=True)
    groups = {
        name: cast("type[object]", parameter.annotation)
        for name, parameter in signature.parameters.items()
        if dataclasses.is_dataclass(parameter.annotation)
    }

    @functools.wraps(function)
    def command(**arguments: object) -> None:
        for name, group in groups.items():
            given = {option.name: arguments.pop(option.name) for option in _options(group)}
            arguments[name] = group(**given)
        function(**arguments)

    parameters = [
        option
        for name, parameter in signature.parameters.items()
        for option in (_options(groups[name]) if name in groups else (parameter,))
    ]
    keywords = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in parameters]
    command.__dict__["__signature__"] = signature.replace(parameters=keywords)
    command.__annotations__ = {option.name: option.annotation for option in keywords}
    del command.__dict__["__wrapped__"]
    return command


def _options(group: type[object]) -> Iterator[inspect.Parameter]:
    annotations = typing.get_type_hints(group, include_extras=True)
    for name, parameter in inspect.signature(group).parameters.items():
        yield parameter.replace(annotation=annotations[name])


def _missing(variable: str, option: str | None = None) -> typing.NoReturn:
    instead = f", or give {option}" if option else ""
    raise ArgumentError(variable, f"not set in the environment; set it{instead}")
