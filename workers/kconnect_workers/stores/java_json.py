"""JSON to the byte as the JVM's workers write it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_DIFFERENT = re.compile(rb"\\(?:u[0-9a-f]{4}|.)|[\xf0-\xf4][\x80-\xbf]{3}")


def encode(value: Any) -> bytes:
    """As `msgspec.json.encode`, with escapes in capitals, and characters beyond 16 bits as pairs of escapes: topics are
    compacted by the bytes of their keys, and part of what they hold is written by the JVM."""
    return _DIFFERENT.sub(_as_java, msgspec.json.encode(value))


def _as_java(found: re.Match[bytes]) -> bytes:
    text = found[0]
    if text.startswith(b"\\"):
        return b"\\u" + text[2:].upper() if text.startswith(b"\\u") else text
    units = text.decode().encode("utf-16-be").hex().upper().encode()
    return b"\\u" + units[:4] + b"\\u" + units[4:]
