"""The clients on the wire, in both colours: what is sent, what comes back, what is refused."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import functools
import inspect
import json
import os
import pickle
from typing import TYPE_CHECKING, Any, Protocol, cast

import anyio
import httpx
import pytest
import respx

import evertoken.setup
from evertoken import (
    APIError,
    ArgumentError,
    AsyncManagementClient,
    DecodeError,
    Drift,
    DriftWarning,
    EvertokenError,
    ManagementClient,
    NotFoundError,
    Operation,
    RateLimitError,
    TokenError,
    TransportError,
    drift,
    errors,
)
from support import (
    CLIENTS_URL,
    DOMAIN,
    ORIGIN,
    SECRET,
    TOKEN_URL,
    FakeTime,
    api_error,
    locals_of,
    token_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Calls take either client: Any, since a call of the one returns what a call of the other returns awaited.
AnyClient = Any


class Run(Protocol):
    """Makes one call with a new client, and returns its result."""

    def __call__(self, call: Callable[[AnyClient], Any], /, **options: Any) -> Any: ...


@pytest.fixture(params=["sync", "asyncio", "trio"])
def run(request: pytest.FixtureRequest, time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that makes one call with a new client, in one of the colours."""
    monkeypatch.setattr(evertoken.setup, "SYSTEM_CLOCK", time.clock())

    def run_sync(call: Callable[[AnyClient], Any], /, **options: Any) -> Any:
        with ManagementClient(**{**CREDENTIALS, **options}) as client:
            return call(client)

    def run_async(call: Callable[[AnyClient], Any], /, **options: Any) -> Any:
        async def main() -> object:
            async with AsyncManagementClient(**{**CREDENTIALS, **options}) as client:
                return await call(client)

        return anyio.run(main, backend=request.param)

    return run_sync if request.param == "sync" else run_async


CREDENTIALS: dict[str, Any] = {"domain": DOMAIN, "client_id": "app", "client_secret": SECRET}


@pytest.fixture
def auth0() -> Iterator[respx.Router]:
    with respx.mock(assert_all_called=False) as router:
        router.post(TOKEN_URL).mock(return_value=token_answer("token-1"))
        yield router


def sent(auth0: respx.Router, index: int = -1) -> httpx.Request:
    # respx does not tell the type of its calls.
    calls = cast("Sequence[respx.models.Call]", auth0.calls)
    return calls[index].request


def test_a_list_call_on_the_wire(auth0: respx.Router, run: Run) -> None:
    """Method, URL, query with lower-case booleans, and the headers of every call."""
    page = {"start": 0, "limit": 50, "length": 1, "total": 1, "clients": [{"client_id": "a", "name": "A"}]}
    auth0.get(CLIENTS_URL).respond(json=page)
    pager = run(lambda client: client.clients.list(is_global=False, fields="client_id,name"))
    request = sent(auth0)
    assert dict(request.url.params) == {
        "fields": "client_id,name",
        "page": "0",
        "per_page": "50",
        "include_totals": "true",
        "is_global": "false",
    }
    assert request.headers["authorization"] == "Bearer token-1"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("evertoken/")
    telemetry = json.loads(base64.b64decode(request.headers["auth0-client"]))
    assert telemetry["name"] == "evertoken"
    assert [row.name for row in pager.items] == ["A"]
    assert (pager.total, pager.has_next) == (1, False)


def test_a_body_holds_what_was_given_and_nothing_else(auth0: respx.Router, run: Run) -> None:
    """Compact UTF-8 JSON; unset keys left out, None sent as null."""
    auth0.post(CLIENTS_URL).respond(201, json={"client_id": "new", "client_secret": SECRET})
    created = run(
        lambda client: client.clients.create(
            name="Bücher",
            callbacks=["https://a.example/cb"],
            refresh_token=None,
            jwt_configuration={"alg": "RS256"},
        )
    )
    request = sent(auth0)
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {
        "name": "Bücher",
        "callbacks": ["https://a.example/cb"],
        "refresh_token": None,
        "jwt_configuration": {"alg": "RS256"},
    }
    assert "Bücher".encode() in request.content
    assert created.client_id == "new"
    assert created.client_secret == SECRET
    assert SECRET not in repr(created)


def test_what_was_read_can_be_sent_back(auth0: respx.Router, run: Run) -> None:
    """A model of a response is taken as the value of an argument, with fields that the spec lacks."""
    configuration = {"alg": "RS256", "lifetime_in_seconds": 5, "new_field": {"x": 1}}
    auth0.get(f"{CLIENTS_URL}/abc").respond(json={"client_id": "abc", "jwt_configuration": configuration})
    auth0.patch(f"{CLIENTS_URL}/abc").respond(json={"client_id": "abc"})
    got = run(lambda client: client.clients.get("abc"))
    run(lambda client: client.clients.update("abc", jwt_configuration=got.jwt_configuration))
    assert json.loads(sent(auth0).content) == {"jwt_configuration": configuration}


def test_a_datetime_is_sent_with_its_offset(auth0: respx.Router, run: Run) -> None:
    """ISO 8601; one without a time zone is refused."""
    url = f"{CLIENTS_URL}/abc/credentials/cred"
    auth0.patch(url).respond(201, json={"id": "cred", "expires_at": "2027-01-01T00:00:00.000Z"})
    when = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    updated = run(lambda client: client.clients.credentials.update("abc", "cred", expires_at=when))
    assert json.loads(sent(auth0).content) == {"expires_at": "2027-01-01T00:00:00.000Z"}
    assert updated.expires_at == when
    with pytest.raises(ArgumentError, match=r"body\.expires_at"):
        run(lambda client: client.clients.credentials.update("a", "b", expires_at=dt.datetime(2027, 1, 1)))  # noqa: DTZ001


def test_path_parameters_are_encoded(auth0: respx.Router, run: Run) -> None:
    """A slash, a space and a question mark stay within their segment."""
    auth0.delete(url__regex=".*").respond(204)
    assert run(lambda client: client.clients.delete("a/b c?d")) is None
    assert sent(auth0).url.raw_path == b"/api/v2/clients/a%2Fb%20c%3Fd"


def test_a_list_parameter_repeats_its_name(auth0: respx.Router, run: Run) -> None:
    """style=form, explode=true."""
    auth0.get(f"{CLIENTS_URL}/abc/connections").respond(json={"connections": []})
    run(lambda client: client.clients.connections.get("abc", strategy=["auth0", "oidc"], take=10))
    assert sent(auth0).url.query == b"strategy=auth0&strategy=oidc&take=10"


def with_option(**options: Any) -> Callable[[AnyClient], object]:
    return lambda client: client.clients.get("abc", request_options=options)


REFUSED: list[tuple[str, Callable[[AnyClient], object]]] = [
    ("id", lambda client: client.clients.get("")),
    ("id", lambda client: client.clients.get(".")),
    ("id", lambda client: client.clients.delete("..")),
    ("id", lambda client: client.clients.get(None)),
    ("id", lambda client: client.clients.get("\ud800")),
    ("credential_id", lambda client: client.clients.credentials.get("abc", "")),
    ("page", lambda client: client.clients.list(page=-1)),
    ("per_page", lambda client: client.clients.list(per_page=0)),
    ("per_page", lambda client: client.clients.list(per_page=101)),
    ("per_page", lambda client: client.clients.list(per_page=True)),
    ("take", lambda client: client.clients.list(take=0)),
    ("from_", lambda client: client.clients.list(from_="")),
    ("page", lambda client: client.clients.list(page=3, take=10)),
    ("body.name", lambda client: client.clients.create(name=float("nan"))),
    ("body.callbacks", lambda client: client.clients.create(name="x", callbacks={"a set"})),
    ("body.client_metadata", lambda client: client.clients.create(name="x", client_metadata={"a": b"x"})),
    (
        "additional_headers",
        lambda client: client.clients.get("a", request_options={"additional_headers": {"a b": "c"}}),
    ),
    (
        "additional_headers",
        lambda client: client.clients.get(
            "a", request_options={"additional_headers": {"Authorization": "c"}}
        ),
    ),
    (
        "additional_headers",
        lambda client: client.clients.get("a", request_options={"additional_headers": {"a": "c\n"}}),
    ),
    ("additional_headers", with_option(additional_headers={"X-A": " lead"})),
    ("additional_headers", with_option(additional_headers={"Content-Length": "1"})),
    ("additional_headers", with_option(additional_headers={"X-A": 1})),
    ("additional_headers", with_option(additional_headers=["X-A"])),
    ("additional_query_parameters", with_option(additional_query_parameters=None)),
    ("additional_query_parameters", with_option(additional_query_parameters={"per_page": "5000"})),
    ("request_options", with_option(timeout=3)),
    ("request_options", lambda client: client.clients.get("a", request_options="abc")),
    ("body.client_metadata", lambda client: client.clients.create(name="x", client_metadata={"a": 10**5000})),
    ("page", lambda client: client.clients.list(page=10**5000)),
    ("q", lambda client: client.clients.list(q=float("nan"))),
    ("timeout_in_seconds", lambda client: client.clients.get("a", request_options={"timeout_in_seconds": 0})),
    ("max_retries", lambda client: client.clients.get("a", request_options={"max_retries": -1})),
]


@pytest.mark.parametrize(("argument", "call"), REFUSED)
def test_bad_input_is_refused_before_anything_is_sent(
    auth0: respx.Router, run: Run, argument: str, call: Callable[[AnyClient], object]
) -> None:
    """By an error that names the argument; not even a token is asked for."""
    with pytest.raises(ArgumentError) as caught:
        run(call)
    assert caught.value.argument.startswith(argument)
    assert not auth0.calls


BAD_OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("domain", {"domain": "http://tenant.example.com"}),
    ("client_secret", {"client_secret": None}),
    ("client_id", {"client_id": None}),
    ("client_id", {"token": "abc"}),
    (
        "organization",
        {"token": "abc", "client_id": None, "client_secret": None, "organization": "org_1"},
    ),
    ("token", {"token": "", "client_id": None, "client_secret": None}),
    ("audience", {"audience": "https://api.example.com/"}),
    ("base_url", {"base_url": "http://gateway.example/api/v2"}),
    ("headers", {"headers": {"X-A": "a\r\nb"}}),
    ("headers", {"headers": {"X-A": 5}}),
    ("headers", {"headers": ["X-A"]}),
    ("credentials", {"client_id": None, "client_secret": None, "credentials": 5}),
    ("custom_domain", {"custom_domain": "a b"}),
    ("client_info", {"client_info": {"name": object()}}),
    ("timeout", {"timeout": -1}),
    ("timeout", {"timeout": float("inf")}),
    ("max_retries", {"max_retries": 1.5}),
    ("httpx_client", {"httpx_client": object()}),
]


@pytest.mark.parametrize(("argument", "options"), BAD_OPTIONS)
@pytest.mark.parametrize("kind", [ManagementClient, AsyncManagementClient])
def test_bad_options_are_refused_by_the_constructor(
    argument: str, options: dict[str, Any], kind: Any
) -> None:
    """By an error that names the option, and shows no secret, not even in a frame."""
    with pytest.raises(ArgumentError) as caught:
        kind(**{**CREDENTIALS, **options})
    assert caught.value.argument == argument
    assert SECRET not in locals_of(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.UnauthorizedError),
        (402, errors.PaymentRequiredError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (410, errors.GoneError),
        (412, errors.PreconditionFailedError),
        (413, errors.ContentTooLargeError),
        (418, errors.APIError),
        (429, errors.RateLimitError),
        (500, errors.InternalServerError),
        (502, errors.ServerError),
        (503, errors.ServiceUnavailableError),
    ],
)
def test_an_error_status_is_an_error_of_its_class(
    auth0: respx.Router, run: Run, status: int, kind: type[APIError]
) -> None:
    """With all that the answer tells; it survives pickle."""
    auth0.get(f"{CLIENTS_URL}/abc").mock(
        return_value=api_error(
            status,
            "some_code",
            "Some message",
            x_auth0_requestid="req",
            x_correlation_id="cor",
            x_ratelimit_limit="9",
        )
    )
    with pytest.raises(APIError) as caught:
        run(lambda client: client.clients.get("abc"), max_retries=0)
    error = caught.value
    assert type(error) is kind
    assert (error.method, error.path, error.status_code) == ("GET", "/api/v2/clients/abc", status)
    assert (error.error_code, error.message) == ("some_code", "Some message")
    assert (error.request_id, error.correlation_id) == ("req", "cor")
    assert error.rate_limit is not None
    assert error.rate_limit.limit == 9
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - made a line above
    assert "token-1" not in locals_of(error)


def test_a_missing_scope_is_named(auth0: respx.Router, run: Run) -> None:
    """From Auth0's message."""
    message = "Insufficient scope, expected any of: read:clients,read:client_keys"
    auth0.get(f"{CLIENTS_URL}/abc").mock(return_value=api_error(403, "insufficient_scope", message))
    with pytest.raises(errors.ForbiddenError, match="lacks read:clients or read:client_keys") as caught:
        run(lambda client: client.clients.get("abc"))
    assert caught.value.required_scopes == ("read:clients", "read:client_keys")


def test_a_missing_scope_is_known_without_a_message_too(auth0: respx.Router, run: Run) -> None:
    """From the spec."""
    auth0.delete(f"{CLIENTS_URL}/abc").mock(return_value=api_error(403, "insufficient_scope"))
    with pytest.raises(errors.ForbiddenError) as caught:
        run(lambda client: client.clients.delete("abc"))
    assert caught.value.required_scopes == ("delete:clients",)


def test_a_proxys_error_page_is_quoted_in_part(auth0: respx.Router, run: Run) -> None:
    """502 with HTML: enough to see whose page it is."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(502, html="<h1>Bad gateway at proxy-7</h1>" + "x " * 500)
    with pytest.raises(errors.ServerError, match="proxy-7") as caught:
        run(lambda client: client.clients.get("abc"), max_retries=0)
    assert caught.value.response is not None
    assert len(caught.value.response.body) <= 200


def test_a_redirect_of_the_api_is_not_followed(auth0: respx.Router, run: Run) -> None:
    """The bearer stays, and the error says where to look."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(302, headers={"location": "https://evil.example/"})
    with pytest.raises(APIError, match="redirect"):
        run(lambda client: client.clients.get("abc"))


def test_a_safe_request_is_sent_again(auth0: respx.Router, run: Run, time: FakeTime) -> None:
    """GET after 500, a broken connection and 429: one result; the wait that was asked for."""
    auth0.get(f"{CLIENTS_URL}/abc").mock(
        side_effect=[
            httpx.Response(500),
            httpx.ReadError("reset"),
            api_error(429, retry_after="7"),
            httpx.Response(200, json={"client_id": "abc"}),
        ]
    )
    assert run(lambda client: client.clients.get("abc")).client_id == "abc"
    assert len(time.slept) == 3
    assert 7 <= time.slept[2] <= 8


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (httpx.Response(500), 1),
        (httpx.ReadError("reset"), 1),
        (httpx.ReadTimeout("slow"), 1),
        (httpx.ConnectError("no"), 2),
    ],
)
def test_a_write_that_may_have_happened_is_never_sent_twice(
    auth0: respx.Router, run: Run, failure: httpx.Response | Exception, tries: int
) -> None:
    """POST: again only where the request cannot have been carried out."""
    route = auth0.post(CLIENTS_URL)
    route.side_effect = [failure, httpx.Response(201, json={"client_id": "new"})]
    if tries == 1:
        with pytest.raises((TransportError, errors.ServerError)):
            run(lambda client: client.clients.create(name="x"))
    else:
        assert run(lambda client: client.clients.create(name="x")).client_id == "new"
    assert route.call_count == tries


def test_a_write_is_sent_again_after_429(auth0: respx.Router, run: Run) -> None:
    """The API did nothing."""
    route = auth0.post(CLIENTS_URL)
    route.side_effect = [api_error(429, retry_after="1"), httpx.Response(201, json={"client_id": "new"})]
    assert run(lambda client: client.clients.create(name="x")).client_id == "new"


def test_a_reset_beyond_patience_is_an_error_at_once(auth0: respx.Router, run: Run, time: FakeTime) -> None:
    """With the seconds to wait, and without waiting."""
    reset = str(int(time.wall + 600))
    date = "Fri, 15 Jan 2027 08:00:00 GMT"
    auth0.get(f"{CLIENTS_URL}/abc").mock(
        return_value=api_error(429, x_ratelimit_reset=reset, x_ratelimit_remaining="0", date=date)
    )
    with pytest.raises(RateLimitError, match="try again in 600 s") as caught:
        run(lambda client: client.clients.get("abc"))
    assert caught.value.retry_after == 600
    assert not time.slept


def test_attempts_end(auth0: respx.Router, run: Run) -> None:
    """max_retries of the client, and of the call, which goes ahead."""
    route = auth0.get(f"{CLIENTS_URL}/abc").mock(side_effect=httpx.ReadError("reset"))
    with pytest.raises(TransportError, match=r"3 attempts \(ReadError\)") as caught:
        run(lambda client: client.clients.get("abc"), max_retries=2)
    assert route.call_count == 3
    assert not caught.value.maybe_carried_out, "nothing is changed by GET"
    with pytest.raises(TransportError) as caught:
        run(lambda client: client.clients.get("abc", request_options={"max_retries": 0}))
    assert route.call_count == 4
    assert "token-1" not in locals_of(caught.value)


def test_a_token_error_reaches_the_caller(auth0: respx.Router, run: Run) -> None:
    """A refusal at once; a dead endpoint after three tries, whatever the API's retries."""
    token = auth0.post(TOKEN_URL).mock(return_value=httpx.Response(401, json={"error": "access_denied"}))
    with pytest.raises(TokenError, match="access_denied") as caught:
        run(lambda client: client.clients.get("abc"))
    assert token.call_count == 1
    assert SECRET not in locals_of(caught.value)


def test_a_dead_token_endpoint_is_asked_three_times(auth0: respx.Router, run: Run) -> None:
    """The client tells the flow of network errors, so that it can try again."""
    token = auth0.post(TOKEN_URL).mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(TokenError, match="ConnectError") as caught:
        run(lambda client: client.clients.get("abc"))
    assert token.call_count == 3
    assert caught.value.transient
    assert SECRET not in locals_of(caught.value)


@pytest.mark.parametrize("body", [b"<html>portal</html>", b"", b'{"client_id": "a', b'{"x": NaN}', b"\xff"])
def test_a_success_that_is_not_json_is_an_error_with_the_status(
    auth0: respx.Router, run: Run, body: bytes
) -> None:
    """HTML, nothing, half a document, NaN, bad UTF-8."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(200, content=body)
    with pytest.raises(DecodeError, match="not JSON") as caught:
        run(lambda client: client.clients.get("abc"))
    assert caught.value.status_code == 200


def test_an_odd_field_is_kept_and_reported(
    auth0: respx.Router, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One application of another shape costs neither itself nor the others."""
    rows = [
        {"client_id": "a", "callbacks": "not a list", "unheard_of": 1},
        {"client_id": "b", "app_type": "new_kind"},
    ]
    auth0.get(CLIENTS_URL).respond(json={"start": 0, "limit": 50, "total": 2, "clients": rows})
    monkeypatch.setattr(drift, "_told_here", drift.Told())
    told: list[Drift] = []
    with pytest.warns(DriftWarning, match=r"\$\.clients\[0\]\.callbacks"):
        pager = run(lambda client: client.clients.list(), on_drift=told.append)
    assert pager.items[0].callbacks == "not a list"
    assert pager.items[0].model_extra == {"unheard_of": 1}
    assert pager.items[1].app_type == "new_kind"
    assert [(one.operation, one.pattern) for one in told] == [("clients.list", "$.clients[*].callbacks")]
    with pytest.raises(DecodeError, match="does not fit the spec"):
        run(lambda client: client.clients.list(), strict=True)


def test_a_bare_list_is_decoded_whatever_was_asked(auth0: respx.Router, run: Run) -> None:
    """The first byte of the answer decides."""
    auth0.get(CLIENTS_URL).respond(content=b' [{"client_id": "a"}]')
    assert [row.client_id for row in run(lambda client: client.clients.list()).items] == ["a"]
    assert run(lambda client: client.clients.list(include_totals=False)).items[0].client_id == "a"


def test_the_callers_httpx_client_sends_everything_and_stays_open(auth0: respx.Router) -> None:
    """Token requests too: its event hooks, its headers, its redirects switched off."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(json={"client_id": "abc"})
    seen: list[str] = []

    def see(request: httpx.Request) -> None:
        seen.append(request.url.path)

    http = httpx.Client(
        event_hooks={"request": [see]},
        headers={"X-Team": "billing"},
        auth=("user", "password"),
        follow_redirects=True,
    )
    with ManagementClient(**CREDENTIALS, httpx_client=http) as client:
        client.clients.get("abc")
    assert seen == ["/oauth/token", "/api/v2/clients/abc"]
    assert sent(auth0).headers["x-team"] == "billing"
    assert sent(auth0).headers["authorization"] == "Bearer token-1"
    assert not http.is_closed
    http.close()


def test_headers_and_telemetry_are_the_callers_to_set(auth0: respx.Router, run: Run) -> None:
    """`headers` for all calls, `additional_headers` for one, `client_info` for the tenant's logs."""
    auth0.get(url__startswith=CLIENTS_URL).respond(json={})
    run(
        lambda client: client.clients.get(
            "abc",
            request_options={
                "additional_headers": {"X-One": "1"},
                "additional_query_parameters": {"new": "yes"},
                "timeout_in_seconds": 3,
            },
        ),
        headers={"X-All": "a"},
        client_info={"name": "mine"},
        timeout=9,
    )
    request = sent(auth0)
    assert (request.headers["x-all"], request.headers["x-one"]) == ("a", "1")
    assert json.loads(base64.b64decode(request.headers["auth0-client"])) == {"name": "mine"}
    assert request.url.query == b"new=yes"
    assert request.extensions["timeout"]["read"] == 3
    token_request = sent(auth0, 0)
    assert token_request.extensions["timeout"]["read"] <= 3
    assert "x-all" not in token_request.headers


def test_a_base_url_takes_the_calls_and_the_domain_the_token_requests(auth0: respx.Router, run: Run) -> None:
    """A gateway before the API."""
    auth0.get("https://gateway.example/auth0/clients/abc").respond(json={"client_id": "abc"})
    got = run(lambda client: client.clients.get("abc"), base_url="https://gateway.example/auth0/")
    assert got.client_id == "abc"


def test_a_custom_domain_needs_the_canonical_audience(auth0: respx.Router, run: Run) -> None:
    """The token request goes to the custom domain and names the canonical API."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(json={})
    run(lambda client: client.clients.get("abc"), audience="https://canonical.eu.auth0.com/api/v2/")
    assert b"canonical.eu.auth0.com" in sent(auth0, 0).content


def test_clients_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, auth0: respx.Router) -> None:
    """Three variables, and an error that names the one which is missing."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(json={"client_id": "abc"})
    for name, value in (("DOMAIN", DOMAIN), ("CLIENT_ID", "app"), ("CLIENT_SECRET", SECRET)):
        with pytest.raises(ArgumentError, match=f"AUTH0_{name}"):
            ManagementClient.from_env()
        with pytest.raises(ArgumentError, match=f"AUTH0_{name}"):
            AsyncManagementClient.from_env()
        monkeypatch.setenv(f"AUTH0_{name}", value)
    with ManagementClient.from_env() as client:
        assert client.clients.get("abc").client_id == "abc"
    monkeypatch.setenv("AUTH0_AUDIENCE", f"{ORIGIN}/api/v2/")
    AsyncManagementClient.from_env()


def test_a_given_token_is_sent_as_it_is(auth0: respx.Router, run: Run) -> None:
    """A string or a callable; no token request."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(json={})
    options = {"client_id": None, "client_secret": None}
    run(lambda client: client.clients.get("abc"), token="mine", **options)
    assert sent(auth0).headers["authorization"] == "Bearer mine"
    run(lambda client: client.clients.get("abc"), token=lambda: "called", **options)
    assert sent(auth0).headers["authorization"] == "Bearer called"
    assert len(auth0.calls) == 2
    client = ManagementClient(domain=DOMAIN, token="mine")
    with pytest.raises(ArgumentError, match="token"):
        _ = client.token_source
    client.close()


def test_the_token_source_tells_of_the_token(auth0: respx.Router) -> None:
    """Its age and expiry, after the first call."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(json={})
    with ManagementClient(**CREDENTIALS) as client:
        assert client.token_source.status().expires_in is None
        client.clients.get("abc")
        assert client.token_source.status().expires_in == pytest.approx(86400, abs=60)


def test_one_async_client_serves_one_event_loop_after_another(auth0: respx.Router) -> None:
    """Each loop gets connections of its own; the token is shared."""
    auth0.get(f"{CLIENTS_URL}/abc").respond(json={"client_id": "abc"})
    client = AsyncManagementClient(**CREDENTIALS)

    async def main() -> str | None:
        async with client:
            return (await client.clients.get("abc")).client_id

    assert [anyio.run(main), anyio.run(main), anyio.run(main, backend="trio")] == ["abc"] * 3
    assert len(auth0.calls) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(auth0: respx.Router) -> None:
    """It never uses, and never closes, those of its parent."""
    with ManagementClient(**CREDENTIALS) as client:
        before = client._sending._http()
        child = os.fork()
        if child == 0:
            os._exit(0 if client._sending._http() is not before and not before.is_closed else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client._sending._http() is before


def test_clients_show_no_secret() -> None:
    """In repr, whole or half made."""
    client = ManagementClient(**CREDENTIALS)
    assert "app" in repr(client)
    assert SECRET not in repr(client) + repr(AsyncManagementClient(**CREDENTIALS))
    client.close()


def test_the_colours_have_the_same_surface() -> None:
    """Methods and keywords of both clients and of every group agree."""
    sync, twin = ManagementClient(**CREDENTIALS), AsyncManagementClient(**CREDENTIALS)
    pairs: list[tuple[Any, Any]] = [(sync.clients, twin.clients)]
    compared = 0
    while pairs:
        one, other = pairs.pop()
        names = [name for name in dir(one) if not name.startswith("_")]
        assert names == [name for name in dir(other) if not name.startswith("_")]
        for name in names:
            if callable(getattr(one, name)):
                mine, theirs = (inspect.signature(getattr(group, name)) for group in (one, other))
                assert mine.parameters == theirs.parameters
                compared += 1
            else:
                pairs.append((getattr(one, name), getattr(other, name)))
    assert compared == 14
    sync.close()
    options, twin_options = (
        set(inspect.signature(kind).parameters) for kind in (ManagementClient, AsyncManagementClient)
    )
    assert options == twin_options
    assert functools.reduce(lambda a, b: a and b, [name in options for name in CREDENTIALS])


def test_not_found_says_what(auth0: respx.Router, run: Run) -> None:
    """The sentence names method, path, status and code."""
    auth0.get(f"{CLIENTS_URL}/abc").mock(
        return_value=api_error(404, "inexistent_client", "The client does not exist")
    )
    with pytest.raises(NotFoundError) as caught:
        run(lambda client: client.clients.get("abc"))
    assert str(caught.value) == (
        "GET /api/v2/clients/abc: 404 inexistent_client (The client does not exist); "
        "check the id, and that the domain is that of the tenant which has it"
    )


def test_an_id_cannot_add_lines_to_an_error(auth0: respx.Router, run: Run) -> None:
    """Nor to a log: the path is shown as it is sent."""
    auth0.get(url__startswith=CLIENTS_URL).mock(return_value=api_error(404, "inexistent_client"))
    with pytest.raises(NotFoundError, match="x%0ACRITICAL") as caught:
        run(lambda client: client.clients.get("x\nCRITICAL\x1b[31m"))
    assert str(caught.value).isprintable()


def test_an_enum_is_sent_as_its_value(auth0: respx.Router, run: Run) -> None:
    """In a query as in a body."""

    class Kind(enum.Enum):
        SPA = "spa"

    auth0.get(CLIENTS_URL).respond(json=[])
    run(lambda client: client.clients.list(app_type=Kind.SPA))
    assert sent(auth0).url.params["app_type"] == "spa"


def test_pages_that_lead_in_a_circle_are_an_error(auth0: respx.Router, run: Run) -> None:
    """A, B, C, A ... would never end; the rows met so far are handed out before."""

    def page(request: httpx.Request) -> httpx.Response:
        here = request.url.params.get("from", "A")
        following = {"A": "B", "B": "C", "C": "A"}[here]
        return httpx.Response(200, json={"clients": [{"client_id": here}], "next": following})

    auth0.get(CLIENTS_URL).mock(side_effect=page)
    with ManagementClient(**CREDENTIALS) as client, pytest.raises(EvertokenError, match="lead back"):
        list(client.clients.list(take=1))
    assert len(auth0.calls) < 15


def test_a_custom_domain_is_named_where_the_api_honours_it(auth0: respx.Router, run: Run) -> None:
    """On eight paths; elsewhere the header is left out."""
    auth0.get(url__startswith=f"{ORIGIN}/api/v2/").respond(json={})
    user: Operation[object] = Operation(
        name="users.get",
        method="GET",
        path="/users/{id}",
        path_params={"id": "auth0|1"},
        result=dict[str, object],
    )
    run(lambda client: client.send(user), custom_domain="login.example.com")
    assert sent(auth0).headers["auth0-custom-domain"] == "login.example.com"
    run(lambda client: client.clients.get("abc"), custom_domain="login.example.com")
    assert "auth0-custom-domain" not in sent(auth0).headers
