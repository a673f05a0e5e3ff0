"""docs/observing.md and docs/rate-limits.md: every example is run, every figure is the code's."""

from __future__ import annotations

import inspect
import logging
import pathlib
import re
import subprocess
import sys
import typing
from typing import TYPE_CHECKING

import pytest

from evertoken import ManagementClient
from evertoken.events import TokenEventKind
from evertoken.renewal import SCOPE_RENEWAL_AGE
from evertoken.retry import IDEMPOTENT, TRANSIENT
from evertoken.setup import DEFAULT_MAX_RETRIES, DEFAULT_MAX_WAIT, DEFAULT_TIMEOUT
from evertoken_tenant import Tenant, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[1]
OBSERVING = (ROOT / "docs" / "observing.md").read_text("utf-8")
LIMITS = (ROOT / "docs" / "rate-limits.md").read_text("utf-8")


def examples(page: str) -> list[str]:
    return [str(code) for code in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]


def example(page: str, word: str) -> str:
    (found,) = [code for code in examples(page) if word in code]
    return found


def run(code: str) -> None:
    exec(compile(code, "docs", "exec"), {"__name__": "example"})  # noqa: S102 - our own page


@pytest.fixture
def tenant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    made = Tenant(clients=7, rate_limit=50, rate_burst=2)
    with serve(made) as server:
        monkeypatch.setenv("AUTH0_DOMAIN", server.url)
        monkeypatch.setenv("AUTH0_CLIENT_ID", made.client_id)
        monkeypatch.setenv("AUTH0_CLIENT_SECRET", made.client_secret)
        yield made


def test_every_example_is_run_by_a_test_below() -> None:
    """Who adds one adds its test."""
    assert (len(examples(OBSERVING)), len(examples(LIMITS))) == (5, 2)


def test_the_example_of_status(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    """After the first call."""
    run(example(OBSERVING, "status()"))
    assert re.fullmatch(r"\d+ s left, 1 renewed, 0 failed\nno failure\n", capsys.readouterr().out)


def test_the_example_of_listeners(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is told once."""
    run(example(OBSERVING, "on_attempt"))
    assert capsys.readouterr().out == "token renewed, 1 request\nclients.list: 200, request 1\n"


def test_the_example_of_logging(
    tenant: Tenant, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The renewal is logged, the URL is not."""
    httpx_log = logging.getLogger("httpx")
    before = httpx_log.level

    def basic_config(*, level: int) -> None:
        caplog.set_level(level, "evertoken")

    monkeypatch.setattr(logging, "basicConfig", basic_config)
    try:
        run(example(OBSERVING, "basicConfig"))
    finally:
        httpx_log.setLevel(before)
    names = [record.name for record in caplog.records]
    assert [name for name in names if not name.startswith("uvicorn")] == ["evertoken.token"]


def test_the_example_of_opentelemetry(tenant: Tenant) -> None:
    """With an SDK that the application has set up."""
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
tracers = TracerProvider()
tracers.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(tracers)
{example(OBSERVING, "instrument")}
print(sorted(span.name for span in exporter.get_finished_spans()))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['GET /api/v2/clients', 'POST /oauth/token', 'evertoken.token.renew']\n"


def test_the_example_of_correlation(tenant: Tenant) -> None:
    """It leaves nothing behind."""
    run(example(OBSERVING, "correlation_id("))
    assert tenant.api_requests == 2


def test_the_example_of_a_rate_limit(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    """As long as there is something in the bucket, and once there is not."""
    run(example(LIMITS, "RateLimitError"))
    assert capsys.readouterr().out == "7 applications\n"


def test_the_example_of_a_rate_limit_that_is_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says when, and what is left."""
    tenant = Tenant(clients=7, rate_limit=0.01, rate_burst=1)
    with serve(tenant) as server:
        monkeypatch.setenv("AUTH0_DOMAIN", server.url)
        monkeypatch.setenv("AUTH0_CLIENT_ID", tenant.client_id)
        monkeypatch.setenv("AUTH0_CLIENT_SECRET", tenant.client_secret)
        run(example(LIMITS, "RateLimitError"))
        assert capsys.readouterr().out == "7 applications\n"
        run(example(LIMITS, "RateLimitError"))
    assert re.fullmatch(r"again in \d+ s\n0 of 1 left\n", capsys.readouterr().out)


def test_the_example_of_a_throttle(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    """All applications, by 20 threads."""
    run(example(LIMITS, "Throttle("))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7 + 1
    assert lines[-1].endswith("are left for us")


def test_every_logger_stands_on_the_page() -> None:
    """One that is added is told of, and no other is named."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src" / "evertoken").rglob("*.py"))
    used = set(re.findall(r'getLogger\("(evertoken\.\w+)"\)', source))
    assert used == set(
        re.findall(r"^\| `(evertoken\.\w+)` \| (?!counter|gauge|histogram)", OBSERVING, re.MULTILINE)
    )


def test_every_kind_of_event_stands_on_the_page() -> None:
    """As `TokenEvent.kind` has them."""
    for kind in typing.get_args(TokenEventKind):
        assert f"`{kind}`" in OBSERVING, kind


def test_every_metric_and_attribute_stands_on_the_page() -> None:
    """Those that the module has."""
    source = (ROOT / "src" / "evertoken" / "otel.py").read_text("utf-8")
    names = set(re.findall(r'"((?:http|url|server|error|evertoken)\.[\w.]+)"', source))
    assert len(names) > 12
    for name in names:
        assert f"`{name}`" in OBSERVING, name


def test_the_figures_are_those_of_the_code() -> None:
    """Defaults, the matrix, and the age from which a scope may be new."""
    defaults = inspect.signature(ManagementClient).parameters
    assert f"| `max_retries` | `max_retries` | {DEFAULT_MAX_RETRIES} |" in LIMITS
    assert f"| `max_wait` | `max_wait_in_seconds` | {DEFAULT_MAX_WAIT:g} |" in LIMITS
    assert f"| `timeout` | `timeout_in_seconds` | {DEFAULT_TIMEOUT:g} |" in LIMITS
    assert defaults["deadline"].default is None
    assert defaults["priority"].default == "interactive"
    assert f"older than {SCOPE_RENEWAL_AGE / 60:g} minutes" in LIMITS
    assert f"| {', '.join(str(status) for status in sorted(TRANSIENT - {429}))} |" in LIMITS
    for method in IDEMPOTENT:
        assert method in LIMITS.partition("| POST, PATCH |")[0]
