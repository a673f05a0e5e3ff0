"""The Auth0 Management API for Python, fully typed, with an access token that never expires for its caller.

    from evertoken import ManagementClient

    with ManagementClient.from_env() as client:
        for application in client.clients.list():
            print(application.client_id, application.name)

`ManagementClient` and `AsyncManagementClient` call the API; `ManagementAuth` gives any httpx client a token.
"""

import logging

from evertoken._version import __version__
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
