"""Which of an application's secrets is tried, and which one after a refusal.

Reading a source may have to be awaited: then what is returned has to be, too.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar, cast

from evertoken.awaiting import call_in_thread
from evertoken.errors import ArgumentError, EvertokenError, TokenError
from evertoken.secret import Alike, CallableSecret, EnvironmentSecret, FileSecret, GivenSecret, text_problem
from evertoken.token import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
U = TypeVar("U")

MOST_SOURCES: Final = 5
"""Each costs a refused token request until the right one is found. Auth0 itself keeps two at most."""


class Pending(Awaitable[T], Generic[T]):
    """A result that has to be awaited, once. Who cannot await it calls `close()`.

    Without that, Python would warn that a coroutine was never awaited.
    """

    __slots__ = ("_awaited", "_finish")

    def __init__(self, awaited: Awaitable[U], finish: Callable[[Awaitable[U]], Awaitable[T]]) -> None:
        self._awaited: Awaitable[object] = awaited
        self._finish = cast("Callable[[Awaitable[object]], Awaitable[T]]", finish)

    def __await__(self) -> Generator[object, object, T]:
        """Wait for what is waited for, and return what is made of it."""
        return self._finish(self._awaited).__await__()

    def close(self) -> None:
        """Put it away without awaiting it."""
        close = getattr(self._awaited, "close", None)
        if callable(close):
            close()


def then(value: T | Awaitable[T], finish: Callable[[T], U]) -> U | Awaitable[U]:
    """Return `finish(value)`, or something to await for it where the value has to be awaited."""
    if not isinstance(value, Awaitable):
        return finish(value)

    async def later(awaited: Awaitable[T]) -> U:
        return finish(await awaited)

    return Pending(cast("Awaitable[T]", value), later)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A secret to try: which source it is from, and what was tried before it."""

    secret: Secret
    index: int
    began: int
    refused: tuple[Secret, ...] = ()


class Secrets(Alike):
    """The secrets of one application, as `hide` returns them. Begins with the one that worked last.

    Safe to share between threads: the worst race costs one refused request.
    """

    __slots__ = ("_argument", "_preferred", "_sources")

    def __init__(self, argument: str, given: GivenSecret) -> None:
        self._argument = argument
        self._sources = _sources(argument, given)
        self._preferred = 0

    @property
    def is_fixed(self) -> bool:
        """Tell that there is one secret, and will be no other."""
        return len(self._sources) == 1 and isinstance(self._sources[0], Secret)

    def _parts(self) -> tuple[object, ...]:
        return self._sources

    def find(self) -> Found | Awaitable[Found]:
        """Return a secret to begin with. Raises TokenError where none can be read."""
        return _drive(self._first())

    def find_another(self, refused: Found) -> Found | Awaitable[Found | None] | None:
        """Return a secret that has not been refused yet, None where there is none.

        The source of the refused one is asked again before the others are. A source that cannot be read
        is passed over: the refusal tells more.
        """
        return _drive(self._next(refused))

    def _first(self) -> _Search[Found]:
        problems: list[TokenError] = []
        for index in self._from(self._preferred):
            outcome = yield self._sources[index]
            if isinstance(outcome, Secret):
                self._preferred = index
                return Found(outcome, index, began=index)
            problems.append(outcome)
        raise TokenError(
            f"{self._argument}: {'; '.join(str(problem) for problem in problems)}",
            transient=any(problem.transient for problem in problems),
        )

    def _next(self, last: Found) -> _Search[Found | None]:
        refused = (*last.refused, last.secret)
        # A callable that returns another secret each time would otherwise be asked for ever.
        if len(refused) <= len(self._sources):
            for index in self._from(last.index):
                outcome = yield self._sources[index]
                if isinstance(outcome, Secret) and outcome not in refused:
                    self._preferred = index
                    return Found(outcome, index, last.began, refused)
        # All are refused, so the reason is another one: begin as before.
        self._preferred = last.began
        return None

    def _from(self, start: int) -> Iterator[int]:
        count = len(self._sources)
        return ((start + step) % count for step in range(count))


_Source: TypeAlias = Secret | EnvironmentSecret | FileSecret | CallableSecret
_Search: TypeAlias = Generator[_Source, Secret | TokenError, T]


def _sources(argument: str, given: object) -> tuple[_Source, ...]:
    # What comes in is hidden: the frame that raises has never held a bare string.
    if not isinstance(given, list):
        return (_source(argument, given),)
    sources = cast("list[object]", given)
    if not 1 <= len(sources) <= MOST_SOURCES:
        raise ArgumentError(argument, f"{len(sources)} sources; give 1 to {MOST_SOURCES}")
    return tuple(_source(f"{argument}[{index}]", source) for index, source in enumerate(sources))


def _source(argument: str, given: object) -> _Source:
    if isinstance(given, Secret):
        problem = text_problem(given.reveal())
        if problem is None:
            return given
        raise ArgumentError(argument, problem)
    if isinstance(given, EnvironmentSecret | FileSecret | CallableSecret):
        return given
    raise ArgumentError(argument, text_problem(None) or "")


def _drive(search: _Search[T]) -> T | Awaitable[T]:
    """Carry out a search as far as it goes without awaiting."""
    try:
        source = next(search)
        while True:
            given = _ask(source)
            if not isinstance(given, Secret | TokenError):
                return Pending(given, functools.partial(_drive_async, search, source))
            source = search.send(given)
    except StopIteration as stop:
        return cast("T", stop.value)


async def _drive_async(search: _Search[T], source: _Source, first: Awaitable[object]) -> T:
    outcome = await _wait(source, first)
    while True:
        try:
            source = search.send(outcome)
        except StopIteration as stop:
            return cast("T", stop.value)
        # It may block.
        given = await call_in_thread(functools.partial(_ask, source))
        outcome = given if isinstance(given, Secret | TokenError) else await _wait(source, given)


# These return errors instead of raising them: frames that hold a bare secret are in no traceback, and
# an error raised while another is handled would carry it along, with the frames of whoever read the secret.


def _ask(source: _Source) -> Secret | TokenError | Awaitable[object]:
    if isinstance(source, Secret):
        return source
    try:
        value = source()
    except Exception as error:  # noqa: BLE001 - whatever a callable raises, the caller gets a TokenError
        return _failure(source, error)
    return value if inspect.isawaitable(value) else _judged(source, value)


async def _wait(source: _Source, awaited: Awaitable[object]) -> Secret | TokenError:
    try:
        value = await awaited
    except Exception as error:  # noqa: BLE001 - as in _ask
        return _failure(source, error)
    return _judged(source, value)


def _judged(source: _Source, value: object) -> Secret | TokenError:
    secret = Secret.wrap(value) or Secret("")
    problem = text_problem(secret.reveal())
    return secret if problem is None else TokenError(f"{source!r}: {problem}")


def _failure(source: _Source, error: Exception) -> TokenError:
    if isinstance(error, TokenError):
        return error.replica()
    # Its type only: the text of a foreign error may hold anything.
    reason = str(error) if isinstance(error, EvertokenError) else type(error).__name__
    return TokenError(f"{source!r}: raised {reason}; see that it returns the secret", transient=True)
