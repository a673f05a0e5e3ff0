"""What a tenant holds besides applications: collections of rows, single settings, and links between rows."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import threading
import urllib.parse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from evertoken_tenant.call import Json, Row

# Two names of one collection.
_SAME: Final = re.compile(r"^(/organizations/[^/]+)/connections(?=/|$)")
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def place(template: str, values: Mapping[str, str]) -> str:
    """Return the path of a collection or a setting, with the values of its parameters."""
    segments = [
        urllib.parse.quote(values[segment[1:-1]], safe="|") if segment.startswith("{") else segment
        for segment in template.split("/")
    ]
    return same("/".join(segments))


def same(path: str) -> str:
    """Return the one name of a path that has two."""
    return _SAME.sub(r"\1/enabled_connections", path)


class Collection:
    """Rows by id, in the order of their making; each has a place that no other row ever has."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, Row]] = {}
        self._next = 0
        # By field and folded value: the ids of rows. Only of fields that were asked for.
        self._known: dict[str, dict[str, set[str]]] = {}

    def get(self, row_id: str) -> Row | None:
        """Return a row, None where there is none."""
        found = self._rows.get(row_id)
        return None if found is None else found[1]

    def put(self, row_id: str, row: Row) -> None:
        """Keep a row; one of the same id is replaced in its place."""
        found = self._rows.get(row_id)
        if found is None:
            self._next += 1
        else:
            self._forget(row_id, found[1])
        self._rows[row_id] = (self._next if found is None else found[0], row)
        for field, known in self._known.items():
            known.setdefault(_folded(row.get(field)), set()).add(row_id)

    def drop(self, row_id: str) -> bool:
        """Remove a row. Returns whether there was one."""
        gone = self._rows.pop(row_id, None)
        if gone is not None:
            self._forget(row_id, gone[1])
        return gone is not None

    def _forget(self, row_id: str, row: Row) -> None:
        for field, known in self._known.items():
            known[_folded(row.get(field))].discard(row_id)

    def having(self, field: str, text: Json) -> list[Row]:
        """Return the rows that have a text in a field, in any case, in order; quick where there are many."""
        if field not in self._known:
            known = self._known[field] = {}
            for row_id, (_, row) in self._rows.items():
                known.setdefault(_folded(row.get(field)), set()).add(row_id)
        found = [self._rows[row_id] for row_id in self._known[field].get(_folded(text), ())]
        return [row for _, row in sorted(found, key=lambda one: one[0])]

    def placed(self) -> list[tuple[int, Row]]:
        """Return all rows with their places, in order."""
        return list(self._rows.values())

    def rows(self) -> list[Row]:
        """Return all rows, in order."""
        return [row for _, row in self._rows.values()]

    def where(self, field: str, value: Json) -> list[Row]:
        """Return the rows that have a value in a field."""
        return [row for row in self.rows() if row.get(field) == value]

    def drop_where(self, field: str, value: Json) -> int:
        """Remove the rows that have a value in a field. Returns how many they were."""
        gone = [row_id for row_id, (_, row) in self._rows.items() if row.get(field) == value]
        for row_id in gone:
            self.drop(row_id)
        return len(gone)

    def __contains__(self, row_id: str) -> bool:
        return row_id in self._rows

    def __len__(self) -> int:
        return len(self._rows)


def _folded(value: Json) -> str:
    return str(value or "").casefold()


@dataclasses.dataclass(slots=True)
class Links:
    """Ordered pairs, such as role and user. Linking twice is linking once."""

    pairs: dict[tuple[str, str], Row] = dataclasses.field(default_factory=dict[tuple[str, str], "Row"])

    def add(self, left: str, right: str, about: Row | None = None) -> bool:
        """Link two. Returns whether they were not linked before."""
        new = (left, right) not in self.pairs
        if new or about is not None:
            self.pairs[left, right] = about or {}
        return new

    def drop(self, left: str, right: str) -> bool:
        """Part two. Returns whether they were linked."""
        return self.pairs.pop((left, right), None) is not None

    def of(self, left: str) -> list[str]:
        """Return what the left one is linked to."""
        return [two for one, two in self.pairs if one == left]

    def to(self, right: str) -> list[str]:
        """Return what is linked to the right one."""
        return [one for one, two in self.pairs if two == right]

    def forget(self, name: str) -> None:
        """Part one from everything, on whichever side it is."""
        for pair in [pair for pair in self.pairs if name in pair]:
            del self.pairs[pair]

    def forget_left(self, left: str) -> None:
        """Part the left one from everything."""
        self.forget_where(lambda one, _: one == left)

    def forget_where(self, gone: Callable[[str, str], bool]) -> None:
        """Part the pairs for which `gone` says so."""
        for pair in [pair for pair in self.pairs if gone(*pair)]:
            del self.pairs[pair]

    def __contains__(self, pair: tuple[str, str]) -> bool:
        return pair in self.pairs


class State:
    """All of it, under one lock. `seed` decides the ids that are made."""

    def __init__(self, seed: int) -> None:
        self.lock = threading.RLock()
        self._seed = seed
        self._made = 0
        self._collections: dict[str, Collection] = {}
        self._links: dict[str, Links] = {}
        self.settings: dict[str, Json] = {}

    def collection(self, path: str) -> Collection:
        """Return the collection of a path, empty where nothing was ever put there."""
        return self._collections.setdefault(path, Collection())

    def below(self, prefix: str, suffix: str) -> Iterator[tuple[str, Json]]:
        """Give the settings whose path begins and ends so."""
        for path, value in list(self.settings.items()):
            if path.startswith(prefix) and path.endswith(suffix):
                yield path, value

    def links(self, name: str) -> Links:
        """Return the links of a name."""
        return self._links.setdefault(name, Links())

    def forget(self, path: str) -> None:
        """Remove everything below a row's path."""
        prefix = f"{path}/"
        for other in [other for other in self._collections if other.startswith(prefix)]:
            del self._collections[other]
        for other in [other for other in self.settings if other.startswith(prefix)]:
            del self.settings[other]

    def empty(self, path: str) -> None:
        """Remove the rows of a collection, and everything below them."""
        self._collections.pop(path, None)
        self.forget(path)

    def new(self, prefix: str = "", length: int = 16, *, alphabet: str = _BASE58) -> str:
        """Return a text that was not made before in this tenant."""
        self._made += 1
        number = int.from_bytes(hashlib.sha512(f"{self._seed}:{self._made}".encode()).digest())
        text: list[str] = []
        for _ in range(length):
            number, digit = divmod(number, len(alphabet))
            text.append(alphabet[digit])
        return prefix + "".join(text)


def unique(values: Iterable[str]) -> list[str]:
    """Return the values without repetitions, in order."""
    return list(dict.fromkeys(values))
