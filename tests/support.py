"""What several test files use and no fixture can give."""

from __future__ import annotations

import dataclasses
import traceback

import httpx

from evertoken.clock import Clock


@dataclasses.dataclass
class FakeTime:
    """Time that passes when somebody sleeps, or when a test says so."""

    wall: float = 1_800_000_000.0
    monotonic: float = 1000.0
    slept: list[float] = dataclasses.field(default_factory=list[float])

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_(seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    def clock(self) -> Clock:
        return Clock(
            wall=lambda: self.wall,
            monotonic=lambda: self.monotonic,
            sleep=self.sleep,
            sleep_async=self.sleep_async,
        )


DOMAIN = "tenant.example.com"
ORIGIN = f"https://{DOMAIN}"
TOKEN_URL = f"{ORIGIN}/oauth/token"
CLIENTS_URL = f"{ORIGIN}/api/v2/clients"
SECRET = "s3cr3t-of-a-test"


@dataclasses.dataclass
class FakeAuth0:
    """Answers from two scripts, the last answer for ever; notes what it was asked."""

    token_answers: list[httpx.Response | Exception] = dataclasses.field(
        default_factory=list["httpx.Response | Exception"]
    )
    api_answers: list[httpx.Response | Exception] = dataclasses.field(
        default_factory=list["httpx.Response | Exception"]
    )
    lifetime: float = 86400
    token_requests: list[httpx.Request] = dataclasses.field(default_factory=list[httpx.Request])
    api_requests: list[httpx.Request] = dataclasses.field(default_factory=list[httpx.Request])
    bodies: list[bytes] = dataclasses.field(default_factory=list[bytes])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.token_requests.append(request)
            answer = self._next(self.token_answers) or self.token()
        else:
            # A copy: a flow may send the same request again, with another token.
            self.api_requests.append(httpx.Request(request.method, request.url, headers=request.headers))
            self.bodies.append(request.content)
            answer = self._next(self.api_answers) or httpx.Response(200, json=[])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def token(self) -> httpx.Response:
        """Return token-n for the nth token request."""
        return token_answer(f"token-{len(self.token_requests)}", self.lifetime)

    @property
    def bearers(self) -> list[str | None]:
        return [request.headers.get("authorization") for request in self.api_requests]

    @staticmethod
    def _next(answers: list[httpx.Response | Exception]) -> httpx.Response | Exception | None:
        return answers.pop(0) if answers else None

    def client(self, auth: httpx.Auth | None = None, *, follow_redirects: bool = False) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self), auth=auth, follow_redirects=follow_redirects)

    def async_client(self, auth: httpx.Auth | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self), auth=auth)


def token_answer(token: str, expires_in: object = 86400) -> httpx.Response:
    body = {"access_token": token, "token_type": "Bearer", "expires_in": expires_in, "scope": "read:clients"}
    return httpx.Response(200, json=body)


def api_error(status: int, code: str = "", message: str = "", **headers: str) -> httpx.Response:
    body = {"statusCode": status, "error": "Error", "message": message, "errorCode": code}
    return httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def locals_of(error: BaseException) -> str:
    """Everything an error tracker would record: texts, causes, contexts, and the locals of every frame."""
    seen: list[str] = []
    todo: list[BaseException | None] = [error]
    done: set[int] = set()
    while todo:
        current = todo.pop()
        if current is None or id(current) in done:
            continue
        done.add(id(current))
        seen += [str(current), repr(current), repr(vars(current))]
        for frame, _ in traceback.walk_tb(current.__traceback__):
            # The test's own frames hold the secret on purpose.
            if "/tests/" not in frame.f_code.co_filename:
                seen += [f"{name}={value!r}" for name, value in frame.f_locals.items()]
        todo.append(current.__cause__)
        if not current.__suppress_context__:
            todo.append(current.__context__)
    return "\n".join(seen)
