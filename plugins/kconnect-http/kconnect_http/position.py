"""How far a polling source is: a cursor in the records, and a page in the round that is being read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from kconnect import ConnectError
from kconnect_http.instant import instant

PAGE: Final = "http.page"
SEEN: Final = "http.seen"
AHEAD: Final = "http.ahead"
AHEAD_SEEN: Final = "http.ahead.seen"
ETAG: Final = "http.etag"
RESERVED: Final = (PAGE, SEEN, AHEAD, AHEAD_SEEN, ETAG)
TIMESTAMP: Final = "timestamp"
KEY: Final = "key"

MOST_SEEN: Final = 500
"""Of records that stand at the cursor so many are remembered; of more some may come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """`cursor` is what requests are made with; `seen` are digests of the records that stand just there.

    Within a round, which reads one page after another for the same cursor, `page` is the next one, and `ahead` with
    `ahead_seen` what the cursor will be at its end. `etag` is of the last whole answer."""

    cursor: Mapping[str, str] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    page: str | None = None
    ahead: Mapping[str, str] | None = None
    ahead_seen: tuple[str, ...] = ()
    etag: str | None = None

    @classmethod
    def of_offset(cls, offset: Mapping[str, Any]) -> Position:
        """ConnectError for a map that is no offset of this source."""
        for name, value in offset.items():
            if not isinstance(value, str):
                raise ConnectError(f"the offset {name} must be text, not {value!r}")
        cursor = {name: value for name, value in offset.items() if name not in RESERVED}
        _check_time(cursor)
        ahead = _decoded(AHEAD, offset, dict[str, str])
        _check_time(ahead or {})
        return cls(
            cursor=cursor,
            seen=tuple(_decoded(SEEN, offset, list[str]) or ()),
            page=offset.get(PAGE),
            ahead=ahead,
            ahead_seen=tuple(_decoded(AHEAD_SEEN, offset, list[str]) or ()),
            etag=offset.get(ETAG),
        )

    def offset(self, *, with_page: bool) -> dict[str, str]:
        """Flat and of text, as Kafka Connect wants offsets. Without the page a round begins anew."""
        found = dict(self.cursor)
        if self.seen:
            found[SEEN] = _encoded(self.seen)
        if with_page and self.page is not None:
            found[PAGE] = self.page
            if self.ahead is not None:
                found[AHEAD] = _encoded(self.ahead)
            if self.ahead_seen:
                found[AHEAD_SEEN] = _encoded(self.ahead_seen)
        if self.etag is not None:
            found[ETAG] = self.etag
        return found

    def round_over(self) -> Position:
        if self.ahead is None:
            return replace(self, page=None)
        return Position(cursor=self.ahead, seen=self.ahead_seen, etag=self.etag)

    def round_anew(self) -> Position:
        return replace(self, page=None, ahead=None, ahead_seen=())


def _check_time(cursor: Mapping[str, str]) -> None:
    if TIMESTAMP in cursor:
        instant(cursor[TIMESTAMP])


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _decoded(name: str, offset: Mapping[str, str], kind: Any) -> Any:
    if name not in offset:
        return None
    try:
        return msgspec.json.decode(offset[name], type=kind)
    except msgspec.DecodeError as error:
        raise ConnectError(f"the offset {name} is not what this source writes: {error}") from error
