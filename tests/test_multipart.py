"""Forms with files: what is sent, sent again, and refused."""

from __future__ import annotations

import email
import email.message
import io
import json
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx
import pytest

from evertoken import ArgumentError, AsyncManagementClient, BadRequestError, ManagementClient
from evertoken.multipart import encode
from evertoken.operation import UNSET, Multipart
from support import DOMAIN, SECRET, FakeAuth0, api_error, locals_of, token_answer

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

HIDDEN = "$2b$10$hidden-hash"
USERS = json.dumps([{"email": "jane@example.com", "password_hash": HIDDEN}])

for_kinds = pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])


def make_import(kind: str, auth0: FakeAuth0, **arguments: Any) -> object:
    """Create an import in either colour."""
    options: dict[str, Any] = {"domain": DOMAIN, "client_id": "app", "client_secret": SECRET}
    options["share_token"] = False
    if kind == "sync":
        with ManagementClient(**options, httpx_client=auth0.client()) as client:
            return client.jobs.users_imports.create(**arguments)

    async def asynchronous() -> object:
        async with AsyncManagementClient(**options, httpx_client=auth0.async_client()) as client:
            return await client.jobs.users_imports.create(**arguments)

    return anyio.run(asynchronous, backend=kind)


def accepted() -> httpx.Response:
    body = {
        "status": "pending",
        "type": "users_import",
        "id": "job_1",
        "created_at": "",
        "connection_id": "con_1",
    }
    return httpx.Response(202, json=body)


def parts(body: bytes, content_type: str) -> dict[str, email.message.Message]:
    """Read a form as the standard library does."""
    message = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    assert message.get_content_type() == "multipart/form-data"
    found = cast("list[email.message.Message]", message.get_payload())
    return {str(part.get_param("name", header="content-disposition")): part for part in found}


def sent(auth0: FakeAuth0, index: int = -1) -> dict[str, email.message.Message]:
    return parts(auth0.bodies[index], auth0.api_requests[index].headers["content-type"])


def text_of(part: email.message.Message) -> str:
    return cast("bytes", part.get_payload(decode=True)).decode()


@for_kinds
def test_an_import_sends_its_file_and_its_fields(kind: str) -> None:
    """As Auth0 reads them: text as UTF-8, true and false as words, what is left out not at all."""
    auth0 = FakeAuth0(api_answers=[accepted()])
    job = make_import(
        kind, auth0, users=USERS.encode(), connection_id="con_1", upsert=True, external_id="ü 1"
    )
    assert cast("Any", job).id == "job_1"
    (request,) = auth0.api_requests
    assert (request.method, request.url.path) == ("POST", "/api/v2/jobs/users-imports")
    form = sent(auth0)
    assert list(form) == ["connection_id", "upsert", "external_id", "users"]
    assert [text_of(form[name]) for name in form] == ["con_1", "true", "ü 1", USERS]
    assert int(request.headers["content-length"]) == len(auth0.bodies[0])


def test_a_file_may_be_given_in_many_ways(tmp_path: pathlib.Path) -> None:
    """Bytes, text, an open file, and tuples that name it, its type and further headers."""
    path = tmp_path / "users.json"
    path.write_text(USERS, "utf-8")
    half_read = path.open("rb")
    half_read.read(5)
    unseekable = io.BufferedReader(_Pipe(USERS.encode()))
    ways: list[tuple[object, str | None, str | None]] = [
        (USERS.encode(), "upload", "application/octet-stream"),
        (USERS, "upload", "application/octet-stream"),
        (half_read, "users.json", "application/json"),
        (io.BytesIO(USERS.encode()), "upload", "application/octet-stream"),
        (unseekable, "upload", "application/octet-stream"),
        (("a.json", USERS.encode()), "a.json", "application/json"),
        ((None, USERS.encode()), None, None),
        (("a.json", USERS.encode(), "text/plain"), "a.json", "text/plain"),
        (("a.json", USERS.encode(), None, {"X-Own": "1"}), "a.json", "application/json"),
        (("a.json", USERS.encode(), None, {"content-type": "a/b"}), "a.json", "a/b"),
        (('ü"\r\n.x', USERS.encode()), "ü%22%0D%0A.x", "application/octet-stream"),
    ]
    with half_read:
        for way, name, media_type in ways:
            body, headers = encode(Multipart({"users": way}, files=("users",)))
            part = parts(body, headers["Content-Type"])["users"]
            assert text_of(part) == USERS
            if name is not None and name.isascii():
                assert part.get_filename() == name
            elif name is not None:
                assert f'filename="{name}"'.encode() in body
            assert part["content-type"] == media_type


class _Pipe(io.RawIOBase):
    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)


@for_kinds
@pytest.mark.parametrize("give", [bytes, io.BytesIO], ids=["bytes", "file"])
def test_what_was_refused_is_sent_again_as_it_was(kind: str, give: Callable[[bytes], object]) -> None:
    """After 429 and with a new token after 401: the same bytes, though a file was read to its end."""
    auth0 = FakeAuth0(
        api_answers=[
            api_error(429, retry_after="0"),
            api_error(401, message="Invalid token"),
            accepted(),
        ],
        token_answers=[token_answer("token-1"), token_answer("token-2")],
    )
    make_import(kind, auth0, users=give(USERS.encode()), connection_id="con_1")
    assert auth0.bearers == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    assert auth0.bodies[0] == auth0.bodies[1] == auth0.bodies[2]
    assert text_of(sent(auth0)["users"]) == USERS


@for_kinds
@pytest.mark.parametrize("failure", [httpx.ReadError("broke"), 503, 500])
def test_what_may_have_been_carried_out_is_not_sent_again(kind: str, failure: Exception | int) -> None:
    """An import is a POST like any other."""
    answer = failure if isinstance(failure, Exception) else api_error(failure)
    auth0 = FakeAuth0(api_answers=[answer, accepted()])
    with pytest.raises(Exception, match="jobs/users-imports"):
        make_import(kind, auth0, users=USERS, connection_id="con_1")
    assert len(auth0.api_requests) == 1


def closed_file() -> io.BytesIO:
    file = io.BytesIO(USERS.encode())
    file.close()
    return file


class _Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, f"Input/output error of {HIDDEN}"[:18])


@for_kinds
@pytest.mark.parametrize(
    ("users", "problem"),
    [
        (None, "is no file"),
        (3, "is no file"),
        ([{"password_hash": HIDDEN}], "is no file"),
        ({"password_hash": HIDDEN}, "is no file"),
        (bytearray(USERS.encode()), "is no file"),
        ((USERS,), "is no file"),
        (("a", USERS, "b/c", {"d": "e"}, "more"), "is no file"),
        (("a", None), "is no file"),
        (io.StringIO(USERS), "opened for text"),
        (("a", io.StringIO(USERS)), "opened for text"),
        (closed_file(), r"cannot be read \(ValueError\)"),
        (_Broken(USERS.encode()), r"cannot be read \(Input/output error\)"),
        (f"{USERS}\ud800", "lone surrogate"),
        (("\ud800", USERS), "lone surrogate"),
        ((3, USERS), "its name is no str"),
        (("a", USERS, 3), "its media type is no str"),
        (("a", USERS, "text/plain\r\nX-More: 1"), "no printable ASCII"),
        (("a", USERS, None, {"X-Own": "1\r\nX-More: 1"}), "no printable ASCII"),
        (("a", USERS, None, "X-Own: 1"), "is no mapping"),
    ],
)
def test_what_is_no_file_is_refused(kind: str, users: object, problem: str) -> None:
    """Before anything is sent; what is in it shows nowhere, in the locals of no frame either."""
    auth0 = FakeAuth0()
    with pytest.raises(ArgumentError, match=problem) as caught:
        make_import(kind, auth0, users=users, connection_id="con_1")
    assert caught.value.argument == "users"
    assert auth0.api_requests == []
    assert HIDDEN not in locals_of(caught.value)


@for_kinds
def test_a_field_that_cannot_be_sent_is_named(kind: str) -> None:
    """Without the file beside it."""
    with pytest.raises(ArgumentError, match="external_id: NaN") as caught:
        make_import(kind, FakeAuth0(), users=USERS, connection_id="con_1", external_id=float("nan"))
    assert HIDDEN not in locals_of(caught.value)


@for_kinds
def test_a_refused_import_shows_nothing_of_its_file(kind: str) -> None:
    """In the error, and in its frames."""
    auth0 = FakeAuth0(api_answers=[api_error(400, "invalid_body", "Payload validation error")])
    with pytest.raises(BadRequestError) as caught:
        make_import(kind, auth0, users=USERS, connection_id="con_1")
    assert HIDDEN not in locals_of(caught.value)
    assert HIDDEN not in repr(Multipart({"users": USERS}, files=("users",)))


def test_a_form_without_a_file_is_a_form_all_the_same() -> None:
    """A field of None is left out, and so is what is not set."""
    form = Multipart({"a": 1, "b": None, "c": UNSET, "d": UNSET, "e": {"f": [True]}}, files=("d",))
    body, headers = encode(form)
    read = {name: text_of(part) for name, part in parts(body, headers["Content-Type"]).items()}
    assert read == {"a": "1", "e": '{"f": [true]}'}
