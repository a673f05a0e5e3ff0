"""Sending what an authentication flow yields, so that it learns of network errors and can try again.

Network errors are returned from the frames that saw them and raised outside: a traceback through httpx and
httpcore shows the bytes that were sent, the token among them.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, cast

import anyio
import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from evertoken.watch import Watch

TOTAL: Final = "evertoken.total"
"""The extension of a request that says in how many seconds its answer has to begin.

httpx bounds each wait for data, not their sum. A task can be interrupted, a thread cannot.
"""

_GRACE: Final = 0.25
"""Seconds by which a task is interrupted later: httpcore closes a connection whose handshake times out, but
not one whose handshake is cancelled."""


def pump(
    client: httpx.Client,
    flow: Generator[httpx.Request, httpx.Response, None],
    watch: Watch | None = None,
) -> httpx.Response | None:
    """Send what a flow yields, to its end; return its last response, None where nothing was sent.

    A network error is thrown into the flow. Raises what the flow raises.
    """
    sent: httpx.Response | httpx.RequestError | None = None
    with contextlib.closing(flow):
        outgoing = next(flow, None)
        while outgoing is not None:
            sent = _send_once(client, outgoing, watch)
            try:
                outgoing = flow.send(sent) if isinstance(sent, httpx.Response) else flow.throw(sent)
            except StopIteration:
                break
            except BaseException:
                if isinstance(sent, httpx.Response):
                    sent.close()
                raise
    return sent if isinstance(sent, httpx.Response) else None


async def pump_async(
    client: httpx.AsyncClient,
    flow: AsyncGenerator[httpx.Request, httpx.Response],
    watch: Watch | None = None,
) -> httpx.Response | None:
    """Send what a flow yields, as `pump` does."""
    sent: httpx.Response | httpx.RequestError | None = None
    async with contextlib.aclosing(flow):
        outgoing = await anext(flow, None)
        while outgoing is not None:
            sent = await _send_once_async(client, outgoing, watch)
            try:
                outgoing = await (flow.asend(sent) if isinstance(sent, httpx.Response) else flow.athrow(sent))
            except StopAsyncIteration:
                break
            except BaseException:
                if isinstance(sent, httpx.Response):
                    await sent.aclose()
                raise
    return sent if isinstance(sent, httpx.Response) else None


def _send_once(
    client: httpx.Client, request: httpx.Request, watch: Watch | None
) -> httpx.Response | httpx.RequestError:
    if watch is not None:
        watch.sending(request)
    try:
        # auth=None: the client's own auth is for other requests than these.
        response = client.send(request, auth=None, follow_redirects=False, stream=True)
    except httpx.RequestError as error:
        return error
    if watch is not None:
        watch.answered(request, response)
    return response


async def _send_once_async(
    client: httpx.AsyncClient, request: httpx.Request, watch: Watch | None
) -> httpx.Response | httpx.RequestError:
    if watch is not None:
        watch.sending(request)
    total = cast("float | None", request.extensions.get(TOTAL))
    try:
        with anyio.move_on_after(None if total is None else total + _GRACE):
            response = await client.send(request, auth=None, follow_redirects=False, stream=True)
            if watch is not None:
                watch.answered(request, response)
            return response
    except httpx.RequestError as error:
        return error
    return httpx.ReadTimeout("the answer did not begin in time")
