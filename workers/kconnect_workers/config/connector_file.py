"""Connector configs in files: JSON in either of Kafka's two shapes, or properties."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from kconnect.errors import ConfigError
from kconnect.properties import parse_properties
from kconnect_workers.json_text import decode_json

_STDIN = Path("-")


def read_connector_file(path: Path) -> dict[str, Any]:
    """`{"name": …, "config": {…}}`, and `initial_state` where the file has it.

    Reads `{"name", "config", "initial_state"}` as POST /connectors takes it, a flat JSON object of settings with a
    `name`, or a properties file with one. The path `-` is standard input. Raises ConfigError that names the file."""
    where = "standard input" if path == _STDIN else str(path)
    try:
        text = sys.stdin.read() if path == _STDIN else path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    if not text.strip():
        raise ConfigError(f"{where} is empty", suggestion="it must hold a connector's name and config")
    is_json = text.lstrip()[:1] in ("{", "[") if path == _STDIN else path.suffix == ".json"
    flat: dict[str, Any] = _json(where, text) if is_json else dict(parse_properties(text))
    config = flat.get("config")
    definition = flat if isinstance(config, dict) else {"config": flat}
    name = flat.get("name") or definition["config"].get("name")
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{where} names no connector", key="name", suggestion='add "name": "my-connector"')
    return {**definition, "name": name}


def _json(where: str, text: str) -> dict[str, Any]:
    try:
        flat: dict[str, Any] = decode_json(text.encode(), dict[str, Any])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where} must hold one JSON object of settings: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{where} is not JSON: {error}") from error
    return flat
