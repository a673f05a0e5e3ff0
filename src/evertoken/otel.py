"""Spans and metrics of calls and token renewals, by OpenTelemetry (extra `otel`).

Names and attributes are those of its HTTP semantic conventions. They hold no id and no secret: `url.template`
and the span's name have the operation's template, and `url.full` has REDACTED in place of every parameter,
without a query.

Without an SDK, OpenTelemetry's own no-op stand-ins take what is told.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import urllib.parse
from typing import TYPE_CHECKING, Final, TypeAlias

try:
    from opentelemetry import metrics, trace
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "evertoken.otel needs the extra otel: pip install 'evertoken[otel]'", name=_missing.name
    ) from None

from evertoken._version import __version__
from evertoken.auth import ManagementAuth
from evertoken.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from evertoken.attempt import Attempt
    from evertoken.client import AsyncManagementClient, ManagementClient
    from evertoken.events import TokenEvent
    from evertoken.renewal import TokenSource

_Attributes: TypeAlias = dict[str, str | int | bool]

_BOUNDARIES: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Seconds: what the conventions advise for http.client.request.duration."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""Methods that the conventions know; a metric has one value for all others."""

_PARAMETER: Final = re.compile(r"\{[^{}]*\}")


def instrument(
    target: ManagementClient | AsyncManagementClient | ManagementAuth,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Callable[[], None]:
    """Make a span of every request of a client and of every renewal of its token, and measure both.

    Of a `ManagementAuth` only the renewals are seen: its requests are those of your httpx client, which
    OpenTelemetry's own instrumentation of httpx can watch. Without providers the global ones are used.
    Clients that share a token may all be instrumented: their renewals count once.

    Returns a function that ends it.
    """
    tools = _Tools(tracer_provider, meter_provider)
    undo: list[Callable[[], None]] = []
    source = _token_source(target)
    if source is not None:
        of_token = _TokenListener(tracer_provider, meter_provider, source.name, tools)
        source.add_listener(of_token)
        undo.append(functools.partial(source.remove_listener, of_token))
        of_token.note_expiry(source.status().expires_at)
    if not isinstance(target, ManagementAuth):
        of_calls = _AttemptListener(tracer_provider, meter_provider, tools)
        target.add_listener(of_calls)
        undo.append(functools.partial(target.remove_listener, of_calls))

    def end() -> None:
        while undo:
            undo.pop()()

    return end


def _token_source(target: ManagementClient | AsyncManagementClient | ManagementAuth) -> TokenSource | None:
    try:
        return target.token_source
    except ArgumentError:
        return None  # the caller gave the token


class _Tools:
    """The instruments. Meters hand out the same one for the same name."""

    def __init__(
        self, tracer_provider: trace.TracerProvider | None, meter_provider: metrics.MeterProvider | None
    ) -> None:
        self.tracer = trace.get_tracer("evertoken", __version__, tracer_provider)
        meter = metrics.get_meter("evertoken", __version__, meter_provider)
        self.duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self.retries = meter.create_counter(
            "evertoken.retries", unit="{request}", description="Requests that were sent again."
        )
        self.throttle_wait = meter.create_histogram(
            "evertoken.throttle.wait",
            unit="s",
            description="Time that requests were held back for, of those that were.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self.renewals = meter.create_counter(
            "evertoken.token.renewals", unit="{renewal}", description="Tokens that were issued or found."
        )
        self.failures = meter.create_counter(
            "evertoken.token.failures", unit="{renewal}", description="Renewals that brought no token."
        )
        self.expires_at = meter.create_gauge(
            "evertoken.token.expires_at", unit="s", description="Unix time when the token expires."
        )

    def request(self, attempt: Attempt, context: Context | None = None) -> None:
        """Make the span of a request that has ended, and measure it."""
        place = _place(attempt.url)
        # Never changed once it is handed over: an SDK may keep it as it is.
        method = attempt.method if attempt.method in _METHODS else "_OTHER"
        where: _Attributes = {
            "http.request.method": method,
            "server.address": place.address,
            "server.port": place.port,
            "url.template": place.template,
        }
        if attempt.number > 1:
            self.retries.add(1, where)
        if attempt.waited > 0:
            self.throttle_wait.record(attempt.waited, where)
        what = where.copy()
        if attempt.status_code is not None:
            what["http.response.status_code"] = attempt.status_code
        failure = _failure(attempt)
        if failure is not None:
            what["error.type"] = failure
        self.duration.record(attempt.seconds, what)
        details: _Attributes = {**what, "url.full": place.full}
        if method != attempt.method:
            details["http.request.method_original"] = attempt.method
        if attempt.number > 1:
            details["http.request.resend_count"] = attempt.number - 1
        self.span(
            f"{method if method in _METHODS else 'HTTP'} {place.template}",
            trace.SpanKind.CLIENT,
            details,
            start=attempt.at,
            seconds=attempt.seconds,
            context=context,
        )

    def span(
        self,
        name: str,
        kind: trace.SpanKind,
        attributes: _Attributes,
        *,
        start: float,
        seconds: float,
        context: Context | None,
    ) -> trace.Span:
        """Make a span of something that is over; `start` is a Unix time."""
        nanoseconds = int(start * 1e9)
        span = self.tracer.start_span(
            name, context, kind, attributes, start_time=nanoseconds, record_exception=False
        )
        if "error.type" in attributes:
            span.set_status(trace.StatusCode.ERROR)
        span.end(nanoseconds + int(seconds * 1e9))
        return span


@dataclasses.dataclass(frozen=True)
class _AttemptListener:
    """Equal to another one with the same providers, so that nothing is counted twice."""

    tracer_provider: trace.TracerProvider | None
    meter_provider: metrics.MeterProvider | None
    tools: _Tools = dataclasses.field(compare=False)

    def __call__(self, attempt: Attempt) -> None:
        self.tools.request(attempt)


@dataclasses.dataclass(frozen=True)
class _TokenListener:
    """The same for a token source, which several clients may share."""

    tracer_provider: trace.TracerProvider | None
    meter_provider: metrics.MeterProvider | None
    address: str
    tools: _Tools = dataclasses.field(compare=False)

    def __call__(self, event: TokenEvent) -> None:
        if event.kind not in {"renewed", "found", "failed"} or event.seconds is None:
            return
        server: _Attributes = {"server.address": self.address}
        if event.kind == "failed":
            self.tools.failures.add(1, server)
        else:
            self.tools.renewals.add(1, {**server, "evertoken.token.kind": event.kind})
            self.note_expiry(event.at + (event.expires_in or 0.0))
        attributes = {
            **server,
            "evertoken.token.kind": event.kind,
            "evertoken.token.advisory": event.advisory,
        }
        if event.kind == "failed":
            failures = [failure for one in event.attempts if (failure := _failure(one)) is not None]
            attributes["error.type"] = failures[-1] if failures else "TokenError"
        span = self.tools.span(
            "evertoken.token.renew",
            trace.SpanKind.INTERNAL,
            attributes,
            start=event.at - event.seconds,
            seconds=event.seconds,
            context=None,
        )
        within = trace.set_span_in_context(span)
        for attempt in event.attempts:
            self.tools.request(attempt, within)

    def note_expiry(self, expires_at: float | None) -> None:
        """Set the gauge, where there is a token."""
        if expires_at is not None:
            self.tools.expires_at.set(expires_at, {"server.address": self.address})


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """What a URL with parameters tells."""

    address: str
    port: int
    template: str
    full: str


@functools.lru_cache(maxsize=1024)
def _place(url: str) -> _Place:
    parts = urllib.parse.urlsplit(url)
    return _Place(
        address=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        template=parts.path,
        full=_PARAMETER.sub("REDACTED", url),
    )


def _failure(attempt: Attempt) -> str | None:
    """Return the error.type of a request, None where it did not fail."""
    if attempt.reason is not None:
        return attempt.reason
    if attempt.status_code is None or attempt.status_code >= 400:
        return str(attempt.status_code or "_OTHER")
    return None
