"""Every method of the whole API that sends a body: what is in it shows in no error, nor in its frames."""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from evertoken import AsyncManagementClient, EvertokenError, ManagementClient
from evertoken.operation import UNSET
from support import DOMAIN, api_error, locals_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HIDDEN = "hidden-value"


def methods(holder: object) -> Iterator[Callable[..., Any]]:
    for name, attribute in inspect.getmembers_static(type(holder)):
        if isinstance(attribute, cached_property):
            yield from methods(getattr(holder, name))
        elif inspect.isfunction(attribute) and "._sender." in inspect.getsource(attribute):
            yield cast("Callable[..., Any]", getattr(holder, name))


def arguments_of(method: Callable[..., Any], odd: object) -> dict[str, Any] | None:
    """Return arguments, each of a body with something hidden and `odd` beside it; None without a body."""
    if "no secret" not in inspect.getsource(method):
        return None
    arguments: dict[str, Any] = {}
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            arguments[parameter.name] = "id"
        elif parameter.default is parameter.empty or parameter.default is UNSET:
            # The one file of the API is a text as well.
            arguments[parameter.name] = HIDDEN if parameter.name == "users" else [HIDDEN, odd]
    return arguments


@pytest.mark.parametrize("odd", ["fits", float("nan"), {1, 2}], ids=["refused by the API", "nan", "set"])
def test_no_frame_shows_what_is_in_a_body(odd: object) -> None:
    """Whether the API refuses it, or the client."""
    http = httpx.Client(transport=httpx.MockTransport(lambda _: api_error(400)))
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=http)
    called = 0
    for method in methods(client):
        arguments = arguments_of(method, odd)
        if arguments is not None:
            with pytest.raises(EvertokenError) as caught:
                method(**arguments)
            assert HIDDEN not in locals_of(caught.value), method
            called += 1
    assert called > 150


@pytest.mark.anyio
async def test_no_frame_of_a_task_shows_what_is_in_a_body(anyio_backend: str) -> None:
    """The same for tasks."""

    async def refuse(_: httpx.Request) -> httpx.Response:
        return api_error(400)

    http = httpx.AsyncClient(transport=httpx.MockTransport(refuse))
    client = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=http)
    called = 0
    for method in methods(client):
        arguments = arguments_of(method, "fits")
        if arguments is not None:
            with pytest.raises(EvertokenError) as caught:
                await method(**arguments)
            assert HIDDEN not in locals_of(caught.value), method
            called += 1
    assert called > 150
