"""Text out of Redis, which keeps bytes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)


class TextDecoder:
    """By `redis.charset`. Bytes that are none of it become U+FFFD, which is told once."""

    def __init__(self, charset: str, place: str) -> None:
        self._charset = charset
        self._place = place
        self._told = False

    def all(self, data: Sequence[bytes]) -> list[str]:
        charset = self._charset
        try:
            return [each.decode(charset) for each in data]
        except UnicodeDecodeError:
            return [self(each) for each in data]

    def __call__(self, data: bytes) -> str:
        try:
            return data.decode(self._charset)
        except UnicodeDecodeError:
            if not self._told:
                self._told = True
                log.warning("%s holds bytes that are not %s; they become U+FFFD", self._place, self._charset)
            return data.decode(self._charset, errors="replace")
