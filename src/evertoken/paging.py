"""Placeholder: SyncPager, AsyncPager, AsyncListCall follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


class SyncPager(Generic[ItemT, PageT]):
    items: list[ItemT]
    response: PageT
    has_next: bool

    def __iter__(self) -> Iterator[ItemT]:
        raise NotImplementedError


class AsyncPager(Generic[ItemT, PageT]):
    items: list[ItemT]
    response: PageT
    has_next: bool


class AsyncListCall(Generic[ItemT, PageT]):
    def __await__(self) -> Generator[object, object, AsyncPager[ItemT, PageT]]:
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[ItemT]:
        raise NotImplementedError
