"""A call of the API as a value.

A generated function such as `evertoken_api.clients.operations.get` returns an `Operation`; a sender
carries it out. Whoever has the value needs no client: the CLI, paging, retries and tests handle it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Final, Generic, Literal, Protocol, TypeAlias, TypedDict, TypeVar

if TYPE_CHECKING:
    import httpx

    from evertoken.paging import AsyncListCall, SyncPager
    from evertoken.subscription import AsyncEventStream, EventStream

T = TypeVar("T")
ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")
# Covariant: an operation that returns a Client is one that returns an object.
T_co = TypeVar("T_co", covariant=True)
ItemT_co = TypeVar("ItemT_co", covariant=True)
PageT_co = TypeVar("PageT_co", covariant=True)


class Unset(enum.Enum):
    """The type of `UNSET`, the default of a body argument: the key is left out of the body.

    None is not the same: it is sent as JSON null.
    """

    UNSET = "UNSET"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET

Priority: TypeAlias = Literal["interactive", "batch"]
"""Who goes first where calls have to wait: `interactive` before `batch`, else as they came."""

QueryValue = str | int | float | bool | Sequence[str | int | float] | None


class RequestOptions(TypedDict, total=False):
    """Options of one call, by the names that auth0-python has for them.

    `timeout_in_seconds` bounds connecting, sending, and each wait for data. `max_retries` is the number
    of attempts after the first. `additional_headers` are added to the request's headers,
    `additional_query_parameters` to its query.

    And those that it has not: `deadline_in_seconds` bounds the call in all, `max_wait_in_seconds` its waits
    between attempts. `priority` tells a throttle who goes first. `correlation_id`, at most 64 characters,
    goes with a write into the tenant's logs. `on_response` is called with the response of each request that
    the call made, read and decompressed: for a list, one for each page. A stream's is not read yet. `cursor`,
    that of an earlier pager of the same list, makes a list begin with the page after it.
    """

    timeout_in_seconds: float
    max_retries: int
    additional_headers: Mapping[str, str]
    additional_query_parameters: Mapping[str, QueryValue]
    deadline_in_seconds: float
    max_wait_in_seconds: float
    priority: Priority
    correlation_id: str
    on_response: Callable[[httpx.Response], object]
    cursor: str


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """A request's body that is no JSON: bytes, or what yields them, which is sent piece by piece, and once.

    An iterable, such as a file opened for bytes, is for `ManagementClient`, an async one for
    `AsyncManagementClient`. What it yields is gone once it was sent: the call is not repeated then, neither
    after an error nor with a new token.
    """

    data: bytes | Iterable[bytes] | AsyncIterable[bytes] = dataclasses.field(repr=False)
    media_type: str = "application/octet-stream"


FileContent: TypeAlias = bytes | str | IO[bytes]
File: TypeAlias = (
    FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
"""A file to send: its content (text is sent as UTF-8), or a tuple of name, content, media type, headers."""


@dataclasses.dataclass(frozen=True, slots=True)
class Multipart:
    """A request's body of form fields (`multipart/form-data`), of which `files` names those that are files.

    What is `UNSET` is left out, and None where it is no file. The body is made in memory, so that the call
    can be repeated.
    """

    fields: Mapping[str, object] = dataclasses.field(repr=False)
    files: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[T_co]):
    """One call: what is sent, and what comes back.

    `path` is the template below `/api/v2`, such as `/clients/{id}`; `path_params` holds its values as
    the caller gave them. A query value of None is left out. `body` is `UNSET` (no body), or a value of
    JSON types, models and datetimes in which keys whose value is `UNSET` are left out, or `Content`, or
    `Multipart`. `limits` holds the least and greatest value (None: no limit) of the numbers in the query.
    `result` is the type that the answer is decoded to; `type(None)` where there is no body. Any one of
    `scopes` suffices.
    """

    name: str
    method: str
    path: str
    path_params: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    query: Mapping[str, QueryValue] = dataclasses.field(default_factory=dict[str, QueryValue])
    limits: Mapping[str, tuple[int | None, int | None]] = dataclasses.field(
        default_factory=dict[str, tuple[int | None, int | None]], repr=False
    )
    # A body may hold a client secret.
    body: object = dataclasses.field(default=UNSET, repr=False)
    result: object
    scopes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How an operation pages.

    `items` is the key of the rows in an envelope, `item` the type of a row, `key` the property that
    tells rows apart. `offset` and `checkpoint` are the types of the envelopes, None where the operation
    has no such mode. `bare` tells that without totals the answer is an array of rows. `from_key` is the
    property of an array's last row that is the `from` of the next page, where no envelope tells.
    """

    items: str
    item: object
    key: str | None = None
    offset: object = None
    checkpoint: object = None
    bare: bool = False
    from_key: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ListOperation(Operation[PageT_co], Generic[ItemT_co, PageT_co]):
    """One page of a list. `result` is that of the mode which the query asks for."""

    paging: Paging


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventsOperation(Operation[T_co]):
    """A subscription to an event stream. `result` is the type of an event's JSON, or `ServerSentEvent`.

    `cursor` is the query parameter that takes the id of the last event to go on after it, None where only
    the header Last-Event-ID does; `start` names those that it takes the place of.
    """

    cursor: str | None = None
    start: tuple[str, ...] = ()


class Sender(Protocol):
    """Carries operations out, synchronously."""

    def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        """Return the decoded answer."""
        ...

    def send_list(
        self,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
        /,
    ) -> SyncPager[ItemT, PageT]:
        """Return the first page, which fetches the others."""
        ...

    def stream_events(
        self, operation: EventsOperation[T], request_options: RequestOptions | None = None, /
    ) -> EventStream[T]:
        """Return the stream, which opens when it is entered or iterated over."""
        ...


class AsyncSender(Protocol):
    """Carries operations out, asynchronously."""

    async def send(self, operation: Operation[T], request_options: RequestOptions | None = None, /) -> T:
        """Return the decoded answer."""
        ...

    def send_list(
        self,
        operation: ListOperation[ItemT, PageT],
        request_options: RequestOptions | None = None,
        /,
    ) -> AsyncListCall[ItemT, PageT]:
        """Return the call: await it for the first page, or iterate over it for every row."""
        ...

    def stream_events(
        self, operation: EventsOperation[T], request_options: RequestOptions | None = None, /
    ) -> AsyncEventStream[T]:
        """Return the stream, which opens when it is entered or iterated over."""
        ...
