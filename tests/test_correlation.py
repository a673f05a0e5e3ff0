"""Which requests carry the correlation id of a block, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from evertoken import AsyncManagementClient, ManagementClient, NotFoundError, Operation, correlation_id
from support import DOMAIN, FakeAuth0, api_error

if TYPE_CHECKING:
    import httpx


def ids(auth0: FakeAuth0) -> list[str | None]:
    return [request.headers.get("x-correlation-id") for request in auth0.api_requests]


def operation(method: str) -> Operation[None]:
    return Operation(name="things.do", method=method, path="/things", result=type(None))


@pytest.mark.parametrize(
    ("method", "expected"),
    [("GET", None), ("HEAD", None), ("POST", "job"), ("PUT", "job"), ("PATCH", "job"), ("DELETE", "job")],
)
def test_every_write_carries_it_and_no_read(method: str, expected: str | None) -> None:
    """Whether it comes from the block or from the call."""
    auth0 = FakeAuth0()
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.client())
    with correlation_id("job"):
        client.send(operation(method))
    client.send(operation(method), {"correlation_id": "job"})
    client.send(operation(method))
    assert ids(auth0) == [expected, expected, None]


def test_the_token_request_carries_none() -> None:
    """It shows in the logs of another endpoint."""
    auth0 = FakeAuth0()
    client = ManagementClient(domain=DOMAIN, client_id="i", client_secret="s", httpx_client=auth0.client())
    with correlation_id("job"):
        client.send(operation("POST"))
    (request,) = auth0.token_requests
    assert "x-correlation-id" not in request.headers
    assert ids(auth0) == ["job"]


def test_blocks_nest_and_end_by_an_error_too() -> None:
    """The inner one goes ahead; what was before is there again."""
    auth0 = FakeAuth0()
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.client())
    with correlation_id("outer"):
        auth0.api_answers = [api_error(404)]
        with pytest.raises(NotFoundError), correlation_id("inner"):
            client.send(operation("POST"))
        client.send(operation("POST"))
    client.send(operation("POST"))
    assert ids(auth0) == ["inner", "outer", None]


@pytest.mark.anyio
async def test_tasks_begun_in_the_block_carry_it(anyio_backend: str) -> None:
    """Also once the block has ended; tasks begun before it do not, and those beside it have their own."""
    auth0 = FakeAuth0()
    http: httpx.AsyncClient = auth0.async_client()
    client = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=http)
    block_is_over = anyio.Event()
    by_name: dict[str, str | None] = {}

    async def write(name: str) -> None:
        await block_is_over.wait()
        done: list[httpx.Response] = []
        await client.send(operation("POST"), {"on_response": done.append})
        by_name[name] = done[0].request.headers.get("x-correlation-id")

    with anyio.fail_after(30):
        async with http, anyio.create_task_group() as tasks:
            tasks.start_soon(write, "before")
            with correlation_id("one"):
                tasks.start_soon(write, "in one")
                await anyio.lowlevel.checkpoint()
            with correlation_id("two"):
                tasks.start_soon(write, "in two")
            block_is_over.set()
    assert by_name == {"before": None, "in one": "one", "in two": "two"}
