"""The records of an answer: which are new, and how far they bring the cursor."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec

from kconnect import ConnectError
from kconnect_http.client import Answer
from kconnect_http.instant import instant, instant_text
from kconnect_http.pointer import Pointer, scalar_text
from kconnect_http.position import KEY, MOST_SEEN, TIMESTAMP, Position
from kconnect_http.source_config import HttpSourceConfig

MALFORMED_TRIES: Final = 3

Place = datetime | tuple[tuple[str, str], ...] | None
"""Where a record stands among others, by its timestamp, or else by the properties of its offset; None: nowhere."""


class MalformedAnswerError(ConnectError):
    """An answer that is no JSON: it may have been cut short."""


class Item(msgspec.Struct, gc=False):
    """A record as the answer has it, `found` in its array. `properties` are those of the offset."""

    found: Any
    value: Any
    properties: dict[str, str]
    at: datetime | None

    @property
    def place(self) -> Place:
        return self.at or place_of(self.properties)

    def digest(self) -> str:
        """What tells it from others, and from what it was before a change."""
        return hashlib.blake2b(msgspec.json.encode(self.found), digest_size=8).hexdigest()

    def cursor(self) -> dict[str, str]:
        """Its properties, with the timestamp in one form."""
        return self.properties if self.at is None else self.properties | {TIMESTAMP: instant_text(self.at)}


class PageReader:
    def __init__(self, config: HttpSourceConfig) -> None:
        self._list = Pointer(config.list_pointer)
        self._record = None if config.record_pointer in ("", "/") else Pointer(config.record_pointer)
        self._properties = [(name, pointer.of) for name, pointer in config.offset_pointers().items()]
        self._order = config.order.upper()

    def document(self, answer: Answer) -> Any:
        """MalformedAnswerError for what is no JSON."""
        try:
            return msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedAnswerError(f"{answer.url} answers with no JSON: {error}: {answer.excerpt()}") from error

    def items(self, answer: Answer, document: Any) -> list[Item]:
        """In the order in which they came about, as far as that is known."""
        found = self._list.of(document)
        if isinstance(found, dict):
            found = [found]
        if found is None:
            if not (self._is_null(document) or document is None):
                raise ConnectError(
                    f"{answer.url} answers without {self._list.text}: check http.response.list.pointer: "
                    f"{answer.excerpt()}"
                )
            found = []
        if not isinstance(found, list):
            raise ConnectError(
                f"{answer.url}: {self._list.text} is no array of records but {type(found).__name__}: check "
                "http.response.list.pointer"
            )
        items = [self._item(each) for each in found]
        return items[::-1] if self._is_descending(items) else items

    def _is_null(self, document: Any) -> bool:
        """Whether there is a null where the array should be."""
        parent, _, last = self._list.text.rpartition("/")
        holder = Pointer(parent).of(document)
        return isinstance(holder, dict) and last in holder

    def _item(self, found: Any) -> Item:
        properties = {}
        for name, pointer in self._properties:
            text = scalar_text(pointer(found))
            if text is not None:
                properties[name] = text
        at = instant(properties[TIMESTAMP]) if TIMESTAMP in properties else None
        return Item(found, found if self._record is None else self._record.of(found), properties, at)

    def _is_descending(self, items: Sequence[Item]) -> bool:
        if self._order == "IMPLICIT" and len(items) > 1:
            first, last = items[0].at, items[-1].at
            return first is not None and last is not None and first > last
        return self._order == "DESC"


def place_of(properties: Mapping[str, str]) -> Place:
    """Of a cursor, too."""
    if TIMESTAMP in properties:
        return instant(properties[TIMESTAMP])
    others = tuple(sorted((name, value) for name, value in properties.items() if name != KEY))
    return others or None


def unseen(items: Sequence[Item], position: Position, *, ordered: bool) -> list[Item]:
    """Without those that are older than the cursor, and those at the cursor that were read already. Where there are no
    timestamps, older are those before the one at the cursor, if they are said to be `ordered`."""
    cursor = place_of(position.cursor)
    if cursor is None:
        return list(items)
    known = frozenset(position.seen)
    by_time = isinstance(cursor, datetime)
    new: list[Item] = []
    for item in items:
        place = item.place
        if isinstance(cursor, datetime) and isinstance(place, datetime) and place < cursor:
            continue
        if place == cursor and item.digest() in known:
            if ordered and not by_time:
                new.clear()
            continue
        new.append(item)
    return new


def advanced(position: Position, items: Sequence[Item], *, descending: bool) -> Position:
    """With `items` read: what the cursor will be is the newest of all; where there are no timestamps the last, or with
    `descending` pages the last of the first page."""
    ahead, seen = position.ahead, position.ahead_seen
    if ahead is None:
        ahead, seen = position.cursor, position.seen
    elif descending and not isinstance(place_of(ahead), datetime):
        return position
    newest = _newest(items)
    at = place_of(ahead)
    if newest is not None and not (isinstance(at, datetime) and (newest.at is None or newest.at < at)):
        place = newest.place
        there = tuple(item.digest() for item in items[-MOST_SEEN:] if item.place == place)
        ahead, seen = {**ahead, **newest.cursor()}, ((seen if place == at else ()) + there)[-MOST_SEEN:]
    return replace(position, ahead=ahead, ahead_seen=seen)


def _newest(items: Sequence[Item]) -> Item | None:
    """The last of those with the latest timestamp; the last at all where there are none."""
    newest: Item | None = None
    for item in items:
        if item.at is not None and (newest is None or newest.at is None or item.at >= newest.at):
            newest = item
    return newest or next((item for item in reversed(items) if item.place is not None), None)
