"""Faults for tests: answers that are not the tenant's own, dropped connections, delays."""

from __future__ import annotations

import collections
import dataclasses
import threading
from typing import TYPE_CHECKING, Literal, TypeAlias

from evertoken_tenant.call import Answer, Json, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["token", "api"]


@dataclasses.dataclass(frozen=True, slots=True)
class Drop:
    """The connection is closed without an answer."""


Fault: TypeAlias = Answer | Drop
FaultBody: TypeAlias = "Json | bytes"


def fault_answer(default: Answer, body: FaultBody, headers: Mapping[str, str] | None) -> Answer:
    """Return the answer of a fault: str and bytes are the body as it is, None means the usual error."""
    extra = {name.lower(): value for name, value in (headers or {}).items()}
    match body:
        case None:
            answer = default
        case bytes() | str():
            raw = body.encode() if isinstance(body, str) else body
            answer = Answer(default.status, {"content-type": "text/plain; charset=utf-8"}, raw)
        case _:
            answer = json_answer(default.status, body)
    return dataclasses.replace(answer, headers={**answer.headers, **extra})


class Faults:
    """What is to go wrong, in the order in which it was asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[Kind, collections.deque[Fault]] = {
            "token": collections.deque(),
            "api": collections.deque(),
        }
        self.delays: dict[Kind, float] = {"token": 0.0, "api": 0.0}

    def add(self, kind: Kind, count: int, fault: Fault) -> None:
        """Let the next `count` requests of this kind meet the fault, after those asked for before."""
        if count < 0:
            raise ValueError(f"count: {count} is negative")
        with self._lock:
            self._due[kind].extend([fault] * count)

    def next(self, kind: Kind) -> Fault | None:
        """Return what goes wrong with this request."""
        with self._lock:
            due = self._due[kind]
            return due.popleft() if due else None

    def clear(self) -> None:
        """Forget all of it, delays too."""
        with self._lock:
            for kind, due in self._due.items():
                due.clear()
                self.delays[kind] = 0.0
