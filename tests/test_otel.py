"""What OpenTelemetry is told: spans and metrics by the HTTP conventions, free of ids and secrets."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import evertoken.setup
from evertoken import (
    AsyncManagementClient,
    Attempt,
    ManagementAuth,
    ManagementClient,
    MemoryTokenStore,
    Throttle,
    TokenError,
    TransportError,
)
from evertoken.otel import instrument
from support import CLIENTS_URL, DOMAIN, SECRET, TOKEN_URL, FakeAuth0, FakeTime, api_error, token_answer

if TYPE_CHECKING:
    from collections.abc import Callable

APP: dict[str, Any] = {"domain": DOMAIN, "client_id": "the-app", "client_secret": SECRET}
ADVISED = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Backend:
    """An SDK of its own, which keeps what it is told."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.tracers.get_tracer("test")
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def watch(self, target: ManagementClient | AsyncManagementClient | ManagementAuth) -> Callable[[], None]:
        return instrument(target, tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Return those of the library whose name begins so."""
        return [
            span
            for span in self.exporter.get_finished_spans()
            if span.instrumentation_scope is not None
            and span.instrumentation_scope.name == "evertoken"
            and span.name.startswith(name)
        ]

    def metrics(self) -> dict[str, list[HistogramDataPoint | NumberDataPoint]]:
        data = self.reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = list(metric.data.data_points)
        return found

    def counted(self, name: str) -> float:
        """Return the sum of a counter, or the number of values in a histogram."""
        return sum(
            one.count if isinstance(one, HistogramDataPoint) else one.value
            for one in self.metrics().get(name, [])
        )

    def everything(self) -> str:
        spans = "".join(span.to_json() for span in self.exporter.get_finished_spans())
        return f"{spans}{self.metrics()!r}"


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def fake_clock(time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    monkeypatch.setattr(evertoken.setup, "SYSTEM_CLOCK", time.clock())
    return time


def ok() -> httpx.Response:
    return httpx.Response(200, json={"client_id": "abc"})


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def test_each_request_is_a_client_span_below_the_callers(backend: Backend, fake_clock: FakeTime) -> None:
    """With the attributes of the conventions, the time it took, and its place among the attempts."""
    answers: list[httpx.Response | Exception] = [api_error(503), httpx.ReadTimeout("slow"), ok()]

    def handle(request: httpx.Request) -> httpx.Response:
        fake_clock.pass_(0.25)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = ManagementClient(
        domain=DOMAIN, token="fixed", httpx_client=httpx.Client(transport=httpx.MockTransport(handle))
    )
    backend.watch(client)
    began = fake_clock.wall
    with backend.tracer.start_as_current_span("caller") as caller:
        client.clients.get("an-id", fields="name")
    spans = backend.spans()
    assert [span.name for span in spans] == ["GET /api/v2/clients/{id}"] * 3
    assert {span.kind for span in spans} == {trace.SpanKind.CLIENT}
    assert {parent(span) for span in spans} == {caller.get_span_context().span_id}
    common = {
        "http.request.method": "GET",
        "server.address": DOMAIN,
        "server.port": 443,
        "url.template": "/api/v2/clients/{id}",
        "url.full": f"https://{DOMAIN}/api/v2/clients/REDACTED",
    }
    assert attributes(spans[0]) == {**common, "http.response.status_code": 503, "error.type": "503"}
    assert attributes(spans[1]) == {
        **common,
        "error.type": "ReadTimeout",
        "http.request.resend_count": 1,
    }
    assert attributes(spans[2]) == {
        **common,
        "http.response.status_code": 200,
        "http.request.resend_count": 2,
    }
    assert [span.status.status_code.name for span in spans] == ["ERROR", "ERROR", "UNSET"]
    assert not any(span.status.description for span in spans)
    assert spans[0].start_time == pytest.approx(began * 1e9, abs=1e4)
    for span in spans:
        assert span.end_time is not None
        assert span.start_time is not None
        assert (span.end_time - span.start_time) / 1e9 == pytest.approx(0.25)


def test_the_port_and_the_root_are_those_of_the_request(backend: Backend) -> None:
    """Of a local tenant, or where `base_url` says so."""
    auth0 = FakeAuth0()
    client = ManagementClient(
        domain="127.0.0.1:8443",
        base_url="http://localhost:8080/gateway/auth0/",
        token="fixed",
        httpx_client=auth0.client(),
    )
    backend.watch(client)
    client.clients.list(page=0)
    (span,) = backend.spans()
    assert span.name == "GET /gateway/auth0/clients"
    assert attributes(span)["server.address"] == "localhost"
    assert attributes(span)["server.port"] == 8080
    assert attributes(span)["url.full"] == "http://localhost:8080/gateway/auth0/clients"


def test_a_method_that_the_conventions_do_not_know_is_one_of_others(backend: Backend) -> None:
    """So that callers' words make no metrics; the span has the word itself."""
    auth0 = FakeAuth0()
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.client())
    backend.watch(client)
    client.request("PURGE", "/clients/abc")
    (span,) = backend.spans()
    assert span.name == "HTTP /api/v2/clients/{1}"
    assert attributes(span)["http.request.method"] == "_OTHER"
    assert attributes(span)["http.request.method_original"] == "PURGE"


def test_a_renewal_is_a_span_with_its_requests_below(backend: Backend, time: FakeTime) -> None:
    """Each attempt at the token endpoint is a client span; the wait between them is in the renewal's own."""
    auth0 = FakeAuth0(token_answers=[httpx.Response(503), token_answer("t")])
    auth = ManagementAuth(**APP, clock=time.clock())
    backend.watch(auth)
    with backend.tracer.start_as_current_span("caller") as caller, auth0.client(auth) as http:
        http.get(CLIENTS_URL)
    (renewal,) = backend.spans("evertoken.token.renew")
    first, second = backend.spans("POST /oauth/token")
    assert len(backend.spans()) == 3
    assert renewal.kind is trace.SpanKind.INTERNAL
    assert parent(renewal) == caller.get_span_context().span_id
    assert attributes(renewal) == {
        "server.address": DOMAIN,
        "evertoken.token.kind": "renewed",
        "evertoken.token.advisory": False,
    }
    assert renewal.context is not None
    assert parent(first) == parent(second) == renewal.context.span_id
    assert attributes(first) == {
        "http.request.method": "POST",
        "server.address": DOMAIN,
        "server.port": 443,
        "url.template": "/oauth/token",
        "url.full": TOKEN_URL,
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert attributes(second)["http.request.resend_count"] == 1
    assert renewal.start_time is not None
    assert renewal.end_time is not None
    assert (renewal.end_time - renewal.start_time) / 1e9 == pytest.approx(sum(time.slept), abs=1e-3)
    assert sum(time.slept) > 0


@pytest.mark.parametrize(
    ("answer", "error_type"),
    [
        (httpx.Response(401, json={"error": "access_denied"}), "401"),
        (httpx.ConnectError("x"), "ConnectError"),
    ],
    ids=["refused", "no answer"],
)
@pytest.mark.parametrize("plain", [True, False], ids=["plain httpx", "client"])
def test_a_failed_renewal_is_told(
    backend: Backend,
    fake_clock: FakeTime,
    *,
    plain: bool,
    answer: httpx.Response | Exception,
    error_type: str,
) -> None:
    """With the type of what failed, never with its sentence."""
    auth0 = FakeAuth0(token_answers=[answer] * 9)
    if plain:
        auth = ManagementAuth(**APP)
        backend.watch(auth)
        # A network error ends a plain client's flow: it is raised as httpx knows it.
        with auth0.client(auth) as http, pytest.raises((TokenError, httpx.ConnectError)):
            http.get(CLIENTS_URL)
    else:
        client = ManagementClient(**APP, httpx_client=auth0.client(), max_retries=0, timeout=0.1)
        backend.watch(client)
        with pytest.raises(TokenError):
            client.clients.list(page=0)
    (renewal,) = backend.spans("evertoken.token.renew")
    assert attributes(renewal)["error.type"] == error_type
    assert renewal.status.status_code is trace.StatusCode.ERROR
    request = backend.spans("POST /oauth/token")[-1]
    assert attributes(request)["error.type"] == error_type
    assert backend.counted("evertoken.token.failures") == 1
    assert backend.counted("evertoken.token.renewals") == 0
    assert not backend.spans("GET")


def test_a_request_repeated_with_a_new_token_is_two_requests(backend: Backend, fake_clock: FakeTime) -> None:
    """Both are told, the renewal between them is not in their time, and the second one is a resend."""

    def handle(request: httpx.Request) -> httpx.Response:
        fake_clock.pass_(5.0 if request.url.path == "/oauth/token" else 0.5)
        return auth0(request)

    auth0 = FakeAuth0(api_answers=[api_error(401), ok()])
    client = ManagementClient(**APP, httpx_client=httpx.Client(transport=httpx.MockTransport(handle)))
    told: list[Attempt] = []
    client.add_listener(told.append)
    backend.watch(client)
    client.clients.get("abc")
    assert [(one.number, one.status_code, one.again_in) for one in told] == [(1, 401, 0.0), (2, 200, None)]
    assert [one.seconds for one in told] == pytest.approx([0.5, 0.5])
    assert told[1].at - told[0].at == pytest.approx(5.5)
    spans = backend.spans("GET")
    assert [attributes(span).get("http.request.resend_count") for span in spans] == [None, 1]
    assert backend.counted("evertoken.token.renewals") == 2
    assert backend.counted("evertoken.retries") == 1


def test_a_request_whose_new_token_cannot_be_had_is_told(backend: Backend) -> None:
    """It was answered 401, though what is raised is the TokenError."""
    auth0 = FakeAuth0(
        api_answers=[api_error(401)], token_answers=[token_answer("old"), httpx.Response(403, json={})]
    )
    client = ManagementClient(**APP, httpx_client=auth0.client())
    backend.watch(client)
    with pytest.raises(TokenError):
        client.clients.get("abc")
    (span,) = backend.spans("GET")
    assert attributes(span)["http.response.status_code"] == 401


@pytest.mark.anyio
async def test_a_cancelled_request_is_told(backend: Backend) -> None:
    """As an error, when it is given up; one that has no token yet was never sent."""

    async def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/oauth/token" or token_is_slow:
            await anyio.sleep(30)
        return token_answer("t")

    token_is_slow = False
    for slow, deadline, expected in (
        (False, None, ["Cancelled"]),
        (False, 0.2, ["Deadline"]),
        (True, None, []),
    ):
        token_is_slow = slow
        backend.exporter.clear()
        http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        client = AsyncManagementClient(**APP, httpx_client=http, share_token=False, deadline=deadline)
        backend.watch(client)
        with anyio.move_on_after(None if deadline else 0.2):
            with pytest.raises(TransportError):
                await client.clients.delete("abc")
        assert [attributes(span)["error.type"] for span in backend.spans("DELETE")] == expected
        await http.aclose()


def test_nothing_told_holds_an_id_or_a_secret(backend: Backend) -> None:
    """Neither ids, queries, bodies nor headers of either request, nor what an answer quotes of them."""
    quoting = httpx.Response(403, json={"error": "denied", "error_description": f"{SECRET} the-app"})
    auth0 = FakeAuth0(
        token_answers=[token_answer("token-value-1"), quoting],
        api_answers=[
            httpx.Response(200, json={"client_id": "id/1"}, headers={"x-auth0-requestid": "request-id-1"}),
            api_error(404, message="no id/1"),
            api_error(401, message="token-value-1"),
        ],
    )
    client = ManagementClient(**APP, httpx_client=auth0.client())
    backend.watch(client)
    client.clients.get("id/1", fields="a-query")
    with pytest.raises(Exception, match="404"):
        client.clients.update("id/1", name="a-body", request_options={"correlation_id": "correlation-1"})
    with pytest.raises(TokenError):
        client.clients.get("id/1")
    assert len(backend.spans("GET")) == 2
    assert len(backend.spans("PATCH")) == 1
    assert backend.counted("evertoken.token.failures") == 1
    everything = backend.everything()
    for word in (
        SECRET, "the-app", "token-value-1", "id/1", "id%2F1", "a-query", "a-body", "request-id-1",
        "correlation-1",
    ):  # fmt: skip
        assert word not in everything, word
    assert DOMAIN in everything


def test_spans_of_threads_stand_below_their_own_parents(backend: Backend) -> None:
    """Each call is made in its caller's context."""
    auth0 = FakeAuth0()
    client = ManagementClient(domain=DOMAIN, token="fixed", httpx_client=auth0.client())
    backend.watch(client)

    def call(_: int) -> int:
        with backend.tracer.start_as_current_span("thread") as span:
            client.clients.list(page=0)
            return span.get_span_context().span_id

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        parents = list(pool.map(call, range(24)))
    assert sorted(parents) == sorted(parent(span) or 0 for span in backend.spans())


@pytest.mark.anyio
async def test_spans_of_tasks_stand_below_their_own_parents(backend: Backend) -> None:
    """Under asyncio and trio, while all of them wait at once."""
    arrived = 0
    all_there = anyio.Event()

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal arrived
        arrived += 1
        if arrived == 8:
            all_there.set()
        await all_there.wait()
        return httpx.Response(200, json=[])

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    client = AsyncManagementClient(domain=DOMAIN, token="fixed", httpx_client=http)
    backend.watch(client)
    parents: list[int] = []

    async def call() -> None:
        with backend.tracer.start_as_current_span("task") as span:
            parents.append(span.get_span_context().span_id)
            await client.clients.list(page=0)

    with anyio.fail_after(30):
        async with http, anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(call)
    assert sorted(parents) == sorted(parent(span) or 0 for span in backend.spans())


def test_a_renewal_in_the_background_is_told(backend: Backend, time: FakeTime) -> None:
    """In a trace of its own, since the call that noticed has not waited for it."""
    auth0 = FakeAuth0(lifetime=1000)
    client = ManagementClient(**APP, httpx_client=auth0.client())
    source = client.token_source
    with backend.tracer.start_as_current_span("caller"):
        client.clients.list(page=0)
        backend.watch(client)
        done = concurrent.futures.Future[None]()
        source.add_listener(lambda event: done.set_result(None))
        # The token is old enough to be renewed, and good still.
        assert source._held is not None
        source._held = dataclasses.replace(source._held, advisory=10_000.0)
        client.clients.list(page=0)
        done.result(30)
    (renewal,) = backend.spans("evertoken.token.renew")
    assert renewal.parent is None
    assert attributes(renewal)["evertoken.token.advisory"] is True
    assert [parent(span) for span in backend.spans("POST")] == [
        renewal.context.span_id if renewal.context else None
    ]


def test_durations_are_measured_with_the_advised_buckets(backend: Backend) -> None:
    """For API and token requests, by method, template and status."""
    auth0 = FakeAuth0(api_answers=[httpx.Response(200, json=[]), ok(), ok(), api_error(404)])
    client = ManagementClient(**APP, httpx_client=auth0.client())
    backend.watch(client)
    client.clients.list(page=0)
    client.clients.get("one")
    client.clients.get("two")
    with pytest.raises(Exception, match="404"):
        client.clients.get("three")
    points = backend.metrics()["http.client.request.duration"]
    seen: dict[tuple[object, ...], int] = {}
    for point in points:
        assert isinstance(point, HistogramDataPoint)
        assert tuple(point.explicit_bounds) == ADVISED
        told = dict(point.attributes or {})
        assert (told["server.address"], told["server.port"]) == (DOMAIN, 443)
        assert "url.full" not in told
        key = told["http.request.method"], told["url.template"], told["http.response.status_code"]
        seen[key] = point.count
    assert seen == {
        ("POST", "/oauth/token", 200): 1,
        ("GET", "/api/v2/clients", 200): 1,
        ("GET", "/api/v2/clients/{id}", 200): 2,
        ("GET", "/api/v2/clients/{id}", 404): 1,
    }


def test_waits_at_a_throttle_are_measured(backend: Backend, fake_clock: FakeTime) -> None:
    """They are in no request's duration; who did not wait is not counted."""
    empty = {
        "x-ratelimit-limit": "10",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(fake_clock.wall),
    }
    auth0 = FakeAuth0(api_answers=[httpx.Response(200, json=[], headers=empty) for _ in range(3)])
    client = ManagementClient(
        domain=DOMAIN, token="fixed", httpx_client=auth0.client(), throttle=Throttle(clock=fake_clock.clock())
    )
    backend.watch(client)
    for _ in range(3):
        client.clients.list(page=0)
    (waits,) = backend.metrics()["evertoken.throttle.wait"]
    (durations,) = backend.metrics()["http.client.request.duration"]
    assert isinstance(waits, HistogramDataPoint)
    assert isinstance(durations, HistogramDataPoint)
    assert (waits.count, durations.count) == (2, 3)
    assert waits.sum == pytest.approx(sum(fake_clock.slept))
    assert durations.sum < waits.sum


def test_the_tokens_expiry_is_a_gauge(backend: Backend, time: FakeTime) -> None:
    """From the token that is there already, then from each one that comes."""
    auth0 = FakeAuth0(lifetime=1000)
    auth = ManagementAuth(**APP, clock=time.clock(), token_store=MemoryTokenStore())
    with auth0.client(auth) as http:
        http.get(CLIENTS_URL)
        backend.watch(auth)
        assert backend.counted("evertoken.token.expires_at") == pytest.approx(time.wall + 1000)
        time.pass_(2000)
        http.get(CLIENTS_URL)
        (point,) = backend.metrics()["evertoken.token.expires_at"]
    assert isinstance(point, NumberDataPoint)
    assert point.value == pytest.approx(time.wall + 1000)
    assert dict(point.attributes or {}) == {"server.address": DOMAIN}


def test_a_token_from_the_store_is_a_renewal_without_a_request(backend: Backend) -> None:
    """It is told apart from one that was issued."""
    store = MemoryTokenStore()
    auth0 = FakeAuth0()
    for _ in range(2):
        client = ManagementClient(**APP, httpx_client=auth0.client(), token_store=store, share_token=False)
        backend.watch(client)
        client.clients.list(page=0)
    kinds = [attributes(span)["evertoken.token.kind"] for span in backend.spans("evertoken.token.renew")]
    assert kinds == ["renewed", "found"]
    assert len(backend.spans("POST")) == 1
    counted = {
        dict(one.attributes or {})["evertoken.token.kind"]: one.value
        for one in backend.metrics()["evertoken.token.renewals"]
        if isinstance(one, NumberDataPoint)
    }
    assert counted == {"renewed": 1, "found": 1}


def test_clients_that_share_a_token_tell_of_it_once(backend: Backend) -> None:
    """And go on telling until the last of them is undone."""
    auth0 = FakeAuth0(lifetime=-1)  # used once: each call renews
    first = ManagementClient(**APP, httpx_client=auth0.client())
    second = ManagementClient(**APP, httpx_client=auth0.client())
    assert first.token_source is second.token_source
    undo_first, undo_second = backend.watch(first), backend.watch(second)
    backend.watch(first)()
    first.clients.list(page=0)
    assert (len(backend.spans("GET")), len(backend.spans("POST"))) == (1, 1)
    undo_first()
    undo_first()
    first.clients.list(page=0)
    second.clients.list(page=0)
    assert (len(backend.spans("GET")), len(backend.spans("POST"))) == (2, 3)
    undo_second()
    second.clients.list(page=0)
    assert (len(backend.spans("GET")), len(backend.spans("POST"))) == (2, 3)
    assert backend.counted("evertoken.token.renewals") == 3


def test_without_an_sdk_nothing_happens() -> None:
    """The API alone takes everything and keeps nothing; the library itself does not even load it."""
    program = """
import sys
import httpx
from evertoken import ManagementClient
assert not any(name.startswith("opentelemetry") for name in sys.modules)
from evertoken.otel import instrument
from support import FakeAuth0
auth0 = FakeAuth0()
client = ManagementClient(
    domain="t.example.com", client_id="i", client_secret="s", httpx_client=auth0.client()
)
undo = instrument(client)
assert client.clients.list(page=0).items == []
undo()
assert not any(name.startswith("opentelemetry.sdk") for name in sys.modules)
"""
    run(program)


def test_an_sdk_that_is_set_up_later_is_told_too() -> None:
    """The global providers may come after `instrument`."""
    program = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from evertoken import ManagementClient
from evertoken.otel import instrument
from support import FakeAuth0
auth0 = FakeAuth0()
client = ManagementClient(
    domain="t.example.com", client_id="i", client_secret="s", httpx_client=auth0.client()
)
instrument(client)
exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
tracers = TracerProvider()
tracers.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(tracers)
metrics.set_meter_provider(MeterProvider([reader]))
client.clients.list(page=0)
names = [span.name for span in exporter.get_finished_spans()]
assert sorted(names) == ["GET /api/v2/clients", "POST /oauth/token", "evertoken.token.renew"], names
data = reader.get_metrics_data()
told = {m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
assert {"http.client.request.duration", "evertoken.token.renewals"} <= told, told
"""
    run(program)


def test_without_the_extra_the_import_says_what_to_install() -> None:
    """Only this module needs it."""
    program = """
import sys
sys.modules["opentelemetry"] = None
import evertoken
try:
    import evertoken.otel
except ModuleNotFoundError as error:
    assert "evertoken[otel]" in str(error), error
else:
    raise AssertionError
"""
    run(program)


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys\nsys.path[:0] = {sys.path!r}\n{program}"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
