"""JSON that people write: what is wrong with it is told by line and column."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from kconnect.errors import ConfigError


def decode_json(text: bytes, type_: Any) -> Any:
    """`text` as `type_`. ConfigError for what is not JSON, with line and column, or nested too deeply;
    msgspec.ValidationError for JSON that is of another type."""
    try:
        text.decode()  # strings inside msgspec.Raw are not checked otherwise
        return msgspec.json.decode(text, type=type_)
    except UnicodeDecodeError as e:
        raise _malformed(text, e.start, "this is not UTF-8") from e
    except msgspec.ValidationError:
        raise
    except RecursionError:
        raise ConfigError("the JSON is nested too deeply") from None
    except msgspec.DecodeError as e:
        found = re.search(r"(?:JSON is malformed: )?(.*) \(byte (\d+)\)", str(e))
        position, reason = (int(found[2]), found[1]) if found else (len(text), "it ends too early")
        raise _malformed(text, position, reason) from e


def _malformed(text: bytes, position: int, reason: str) -> ConfigError:
    line, column = text.count(b"\n", 0, position) + 1, position - text.rfind(b"\n", 0, position)
    return ConfigError(f"the JSON is malformed at line {line}, column {column}: {reason}")
