"""Pages of a list that are fetched at the same time, and handed out in order.

Nothing runs between two batches: a loop that is left early leaves no thread, no task and no request behind.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextvars
import dataclasses
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import anyio

from evertoken.errors import ArgumentError
from evertoken.operation import ListOperation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from evertoken.pages import Turn

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """The error that came in place of an answer."""

    error: Exception


Answer: TypeAlias = PageT | Failed


class Ahead(Generic[ItemT, PageT]):
    """Answers that came before they were needed: fewer than `concurrency` at any time."""

    def __init__(self, concurrency: int) -> None:
        self._most = concurrency
        self._answers: collections.deque[tuple[ListOperation[ItemT, PageT], Answer[PageT]]] = (
            collections.deque()
        )

    def fill(self, turn: Turn[ItemT, PageT], send: Callable[[ListOperation[ItemT, PageT]], PageT]) -> None:
        """Fetch the page that follows, and with it what can be known, unless its answer is here."""
        missing = self._missing(turn)
        if missing:
            answers = fetch(send, missing)
            self._answers.extend(zip(missing, answers, strict=False))

    async def fill_async(
        self, turn: Turn[ItemT, PageT], send: Callable[[ListOperation[ItemT, PageT]], Awaitable[PageT]]
    ) -> None:
        """Do the same by tasks."""
        missing = self._missing(turn)
        if missing:
            answers = await fetch_async(send, missing)
            self._answers.extend(zip(missing, answers, strict=False))

    def take(self) -> PageT:
        """Return the first answer that is kept, or raise its error."""
        _, answer = self._answers.popleft()
        if not isinstance(answer, Failed):
            return answer
        try:
            raise answer.error
        finally:
            del answer  # an error whose traceback holds it would never be freed

    def _missing(self, turn: Turn[ItemT, PageT]) -> list[ListOperation[ItemT, PageT]]:
        following = turn.following
        if isinstance(following, ListOperation) and self._answers:
            if self._answers[0][0].query == following.query:
                return []
            # The list has changed: what was fetched no longer follows.
            self._answers.clear()
        return turn.known(self._most)


def check_concurrency(value: object) -> int:
    """Return a number of requests at a time; raise ArgumentError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError("concurrency", f"{value!r} is no whole number from 1")
    return value


def fetch(
    send: Callable[[ListOperation[ItemT, PageT]], PageT], operations: Sequence[ListOperation[ItemT, PageT]]
) -> list[Answer[PageT]]:
    """Return the answers in order, up to the first error; raise that of an operation that is alone.

    Waits until the last request has ended: a thread cannot be stopped.
    """
    if len(operations) == 1:
        return [send(operations[0])]
    answers: list[Answer[PageT]] = []
    pool = concurrent.futures.ThreadPoolExecutor(len(operations), thread_name_prefix="evertoken-pages")
    try:
        # With the caller's context variables, one copy for each thread.
        pending = [pool.submit(contextvars.copy_context().run, send, each) for each in operations]
        for future in pending:
            error = _error_of(future)
            if error is not None:
                answers.append(Failed(error))
                break
            answers.append(future.result())
    finally:
        pool.shutdown(cancel_futures=True)
    return answers


def _error_of(future: concurrent.futures.Future[PageT]) -> Exception | None:
    error = future.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error


async def fetch_async(
    send: Callable[[ListOperation[ItemT, PageT]], Awaitable[PageT]],
    operations: Sequence[ListOperation[ItemT, PageT]],
) -> list[Answer[PageT]]:
    """Return the answers as `fetch` does; what comes after an error is cancelled."""
    if len(operations) == 1:
        return [await send(operations[0])]
    answers: dict[int, Answer[PageT]] = {}
    scopes = [anyio.CancelScope() for _ in operations]

    async def one(place: int) -> None:
        with scopes[place]:
            answer = await _answer(send, operations[place])
            answers[place] = answer
            if isinstance(answer, Failed):
                for scope in scopes[place + 1 :]:
                    scope.cancel()

    async with anyio.create_task_group() as group:
        for place in range(len(operations)):
            group.start_soon(one, place)
    return _up_to_error([answers[place] for place in sorted(answers)])


async def _answer(
    send: Callable[[ListOperation[ItemT, PageT]], Awaitable[PageT]], operation: ListOperation[ItemT, PageT]
) -> Answer[PageT]:
    # A frame of its own: the error's traceback shows no other page.
    try:
        return await send(operation)
    except Exception as error:  # noqa: BLE001 - raised when it is the turn of this page
        return Failed(error)


def _up_to_error(answers: Sequence[Answer[PageT]]) -> list[Answer[PageT]]:
    end = next((place for place, answer in enumerate(answers) if isinstance(answer, Failed)), len(answers))
    return list(answers[: end + 1])
