"""The Auth0 Management API for Python, fully typed, with an access token that never expires for its caller.

    from evertoken import ManagementClient

    with ManagementClient.from_env() as client:
        for application in client.clients.list():
            print(application.client_id, application.name)

`ManagementClient` and `AsyncManagementClient` call the API; `ManagementAuth` gives any httpx client a token.
"""

import importlib
import logging
from typing import TYPE_CHECKING, Final

from evertoken._version import __version__

if TYPE_CHECKING:
    from evertoken.attempt import Attempt
    from evertoken.auth import ManagementAuth
    from evertoken.bearer import BearerAuth
    from evertoken.client import AsyncManagementClient, ManagementClient
    from evertoken.clock import Clock
    from evertoken.correlation import correlation_id
    from evertoken.drift import Drift, DriftWarning
    from evertoken.errors import (
        APIError,
        ArgumentError,
        BadRequestError,
        ConflictError,
        ContentTooLargeError,
        DecodeError,
        EventStreamError,
        EvertokenError,
        ForbiddenError,
        GoneError,
        InternalServerError,
        NotFoundError,
        PaginationLimitError,
        PaymentRequiredError,
        PreconditionFailedError,
        RateLimit,
        RateLimitError,
        ResponseView,
        ServerError,
        ServiceUnavailableError,
        TokenError,
        TransportError,
        UnauthorizedError,
    )
    from evertoken.events import TokenEvent, TokenStatus
    from evertoken.grant import ClientSecretBasic, ClientSecretPost, Grant, TokenRequest
    from evertoken.grant_jwt import PrivateKeyJWT
    from evertoken.grant_mtls import MutualTLS
    from evertoken.operation import (
        UNSET,
        Content,
        EventsOperation,
        ListOperation,
        Operation,
        RequestOptions,
        Unset,
    )
    from evertoken.paging import AsyncListCall, AsyncPager, SyncPager
    from evertoken.renewal import TokenSource
    from evertoken.secret import EnvironmentSecret, FileSecret, SecretSource
    from evertoken.sse import ServerSentEvent
    from evertoken.store import Lease, LeasingTokenStore, MemoryTokenStore, StoreError, TokenStore
    from evertoken.store_encrypted import EncryptedTokenStore
    from evertoken.store_file import FileTokenStore
    from evertoken.store_redis import RedisTokenStore
    from evertoken.subscription import AsyncEventStream, EventStream
    from evertoken.throttle import Throttle
    from evertoken.token import AccessToken, Secret

# Silent until an application sets logging up.
logging.getLogger("evertoken").addHandler(logging.NullHandler())

# Where each name is: a module is imported when a name of it is first used.
_HOMES: Final[dict[str, str]] = {
    "attempt": "Attempt",
    "auth": "ManagementAuth",
    "bearer": "BearerAuth",
    "client": "AsyncManagementClient ManagementClient",
    "clock": "Clock",
    "correlation": "correlation_id",
    "drift": "Drift DriftWarning",
    "errors": (
        "APIError ArgumentError BadRequestError ConflictError ContentTooLargeError DecodeError "
        "EventStreamError EvertokenError ForbiddenError GoneError InternalServerError NotFoundError "
        "PaginationLimitError PaymentRequiredError PreconditionFailedError RateLimit RateLimitError "
        "ResponseView ServerError ServiceUnavailableError TokenError TransportError "
        "UnauthorizedError"
    ),
    "events": "TokenEvent TokenStatus",
    "grant": "ClientSecretBasic ClientSecretPost Grant TokenRequest",
    "grant_jwt": "PrivateKeyJWT",
    "grant_mtls": "MutualTLS",
    "operation": "UNSET Content EventsOperation ListOperation Operation RequestOptions Unset",
    "paging": "AsyncListCall AsyncPager SyncPager",
    "renewal": "TokenSource",
    "secret": "EnvironmentSecret FileSecret SecretSource",
    "sse": "ServerSentEvent",
    "store": "Lease LeasingTokenStore MemoryTokenStore StoreError TokenStore",
    "store_encrypted": "EncryptedTokenStore",
    "store_file": "FileTokenStore",
    "store_redis": "RedisTokenStore",
    "subscription": "AsyncEventStream EventStream",
    "throttle": "Throttle",
    "token": "AccessToken Secret",
}

__all__ = [
    "UNSET",
    "APIError",
    "AccessToken",
    "ArgumentError",
    "AsyncEventStream",
    "AsyncListCall",
    "AsyncManagementClient",
    "AsyncPager",
    "Attempt",
    "BadRequestError",
    "BearerAuth",
    "ClientSecretBasic",
    "ClientSecretPost",
    "Clock",
    "ConflictError",
    "Content",
    "ContentTooLargeError",
    "DecodeError",
    "Drift",
    "DriftWarning",
    "EncryptedTokenStore",
    "EnvironmentSecret",
    "EventStream",
    "EventStreamError",
    "EventsOperation",
    "EvertokenError",
    "FileSecret",
    "FileTokenStore",
    "ForbiddenError",
    "GoneError",
    "Grant",
    "InternalServerError",
    "Lease",
    "LeasingTokenStore",
    "ListOperation",
    "ManagementAuth",
    "ManagementClient",
    "MemoryTokenStore",
    "MutualTLS",
    "NotFoundError",
    "Operation",
    "PaginationLimitError",
    "PaymentRequiredError",
    "PreconditionFailedError",
    "PrivateKeyJWT",
    "RateLimit",
    "RateLimitError",
    "RedisTokenStore",
    "RequestOptions",
    "ResponseView",
    "Secret",
    "SecretSource",
    "ServerError",
    "ServerSentEvent",
    "ServiceUnavailableError",
    "StoreError",
    "SyncPager",
    "Throttle",
    "TokenError",
    "TokenEvent",
    "TokenRequest",
    "TokenSource",
    "TokenStatus",
    "TokenStore",
    "TransportError",
    "UnauthorizedError",
    "Unset",
    "__version__",
    "correlation_id",
]


if not TYPE_CHECKING:  # type checkers see the imports above, and would take any name for one of these

    def __getattr__(name: str) -> object:
        home = next((module for module, names in _HOMES.items() if name in names.split()), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(f"evertoken.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
