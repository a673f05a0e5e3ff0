"""Telling listeners of every request of a call, those among them that are repeated with a new token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evertoken.attempt import Attempt
from evertoken.retry import rate_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from evertoken.clock import Clock
    from evertoken.listeners import Listeners
    from evertoken.operation import Operation


class Watch:
    """Sees what is sent for one call. What came of a request is told when that is known.

    The auth flow sends the request of an attempt once or twice, and token requests between: those are not
    the call's own.
    """

    __slots__ = (
        "_answer", "_at", "_clock", "_listeners", "_number", "_operation", "_request", "_sent", "_started",
        "_url", "_waited",
    )  # fmt: skip

    def __init__(
        self,
        operation: Operation[object],
        request: httpx.Request,
        *,
        base_url: str,
        clock: Clock,
        listeners: Listeners[Attempt],
    ) -> None:
        self._operation = operation
        self._request = request
        self._url = base_url + operation.path
        self._clock = clock
        self._listeners = listeners
        self._number = 0
        self.begin(0.0)

    def begin(self, waited: float) -> None:
        """Take note that an attempt begins, for which a throttle let it wait."""
        self._waited = waited
        self._sent = False
        self._answer: tuple[httpx.Response, float] | None = None
        self._at, self._started = self._clock.wall(), self._clock.monotonic()

    def sending(self, request: httpx.Request) -> None:
        """Take note that a request goes out."""
        if request is not self._request:
            return
        if self._answer is not None:
            self._tell_answered(again_in=0.0)
            self.begin(0.0)
        self._sent = True
        self._at, self._started = self._clock.wall(), self._clock.monotonic()

    def answered(self, request: httpx.Request, response: httpx.Response) -> None:
        """Take note of the head of an answer."""
        if request is self._request:
            self._answer = response, self._clock.monotonic()

    def ended(
        self,
        status_code: int | None,
        reason: str | None,
        headers: Mapping[str, str] | None,
        again_in: float | None,
    ) -> None:
        """Tell how the attempt ended, if the request went out: the deadline may have come before."""
        if status_code is None and self._answer is not None:
            self._tell_answered(again_in)  # what came after it was no request of the call's own
        elif self._sent:
            self._tell(self._clock.monotonic(), status_code, reason, headers, again_in)

    def broken_off(self) -> None:
        """Tell of a request whose attempt does not end: no new token could be had, or it was cancelled."""
        if self._answer is not None:
            self._tell_answered(again_in=None)
        elif self._sent:
            self._tell(self._clock.monotonic(), None, "Cancelled", None, None)

    def _tell_answered(self, again_in: float | None) -> None:
        if self._answer is not None:
            response, ended = self._answer
            self._tell(ended, response.status_code, None, response.headers, again_in)

    def _tell(
        self,
        ended: float,
        status_code: int | None,
        reason: str | None,
        headers: Mapping[str, str] | None,
        again_in: float | None,
    ) -> None:
        self._number += 1
        self._listeners.tell(
            Attempt(
                operation=self._operation.name,
                method=self._operation.method,
                url=self._url,
                path=self._operation.path,
                number=self._number,
                at=self._at,
                seconds=ended - self._started,
                waited=self._waited,
                status_code=status_code,
                reason=reason,
                again_in=again_in,
                request_id=None if headers is None else headers.get("x-auth0-requestid"),
                rate_limit=None if headers is None else rate_limit(headers),
            )
        )
