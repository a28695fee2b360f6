"""Request bodies: JSON taken apart with errors that say where and what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from kconnect.errors import ConfigError
from kconnect_workers.json_text import decode_json
from kconnect_workers.states import TargetState

MOST_BYTES = 16 << 20

_INITIAL_STATES: Mapping[str, TargetState] = {
    "RUNNING": TargetState.STARTED,
    "PAUSED": TargetState.PAUSED,
    "STOPPED": TargetState.STOPPED,
}
_KINDS = {"{": "an object", "[": "an array", '"': "a string", "n": "null", "t": "a boolean", "f": "a boolean"}


class CreateConnector(msgspec.Struct, frozen=True):
    name: str
    config: dict[str, str]
    initial_state: TargetState | None


async def read_body(request: Request) -> bytes:
    """The body, as often as it is asked for; ConfigError when it is too large to be any request of ours."""
    if hasattr(request.state, "read_body"):
        return bytes(request.state.read_body)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ConfigError(f"the request's body is larger than {MOST_BYTES >> 20} MiB")
    request.state.read_body = bytes(body)
    return bytes(body)


def create_connector(body: bytes) -> CreateConnector:
    """The body of POST /connectors."""
    fields = _object(body)
    unknown = fields.keys() - {"name", "config", "initial_state"}
    if unknown:
        raise ConfigError(
            f"unknown field {', '.join(map(repr, sorted(unknown)))}",
            suggestion="a connector is made from name, config and initial_state; its settings belong into config",
        )
    if _is_null(fields.get("config")):
        raise ConfigError("the field 'config' is missing", suggestion="give the connector's settings as an object")
    return CreateConnector(
        name=_text("name", fields["name"]) or "" if "name" in fields else "",
        config=_settings("config.", _object(bytes(fields["config"]), "the field 'config'")),
        initial_state=_initial_state(fields.get("initial_state")),
    )


def settings(body: bytes) -> dict[str, str]:
    """A connector's config. Numbers and booleans are taken as they are written."""
    return _settings("", _object(body))


def patch(body: bytes) -> dict[str, str | None]:
    """Changes to a connector's config; None removes a key."""
    return {key: _text(key, value) for key, value in _object(body).items()}


def task_configs(body: bytes) -> list[dict[str, str]]:
    """The configs of a connector's tasks, from the worker that runs it."""
    try:
        configs: list[dict[str, str]] = _decode(body, list[dict[str, str]])
    except msgspec.ValidationError as e:
        raise ConfigError(f"the request's body must be the configs of tasks: {e}") from e
    return configs


def parse(body: bytes) -> Any:
    """Any JSON. ConfigError, with line and column, when it is malformed or missing."""
    return _decode(body, Any)


def _settings(prefix: str, fields: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    config = {}
    for key, raw in fields.items():
        value = _text(prefix + key, raw)
        if value is None:
            raise ConfigError(f"{prefix}{key} is null", suggestion="leave the key out, or give it a value")
        config[key] = value
    return config


def _object(body: bytes, what: str = "the request's body") -> dict[str, msgspec.Raw]:
    try:
        fields: dict[str, msgspec.Raw] = _decode(body, dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        raise ConfigError(f"{what} must be a JSON object and is {_kind(body)}") from None
    return fields


def _decode(body: bytes, type_: Any) -> Any:
    if not body.strip():
        raise ConfigError("the request needs a body of JSON and has none")
    return decode_json(body, type_)


def _text(field: str, raw: msgspec.Raw) -> str | None:
    """A scalar's text: a string's value, or a number or boolean as it is written."""
    written = bytes(raw).strip()
    if written[:1] in (b"{", b"["):
        raise ConfigError(f"{field} must be a string and is {_kind(written)}")
    if written[:1] == b'"':
        return msgspec.json.decode(written, type=str)
    return None if written == b"null" else written.decode()


def _initial_state(raw: msgspec.Raw | None) -> TargetState | None:
    if raw is None or _is_null(raw):
        return None
    state = _text("initial_state", raw) or ""
    if state.upper() not in _INITIAL_STATES:
        raise ConfigError(
            "is no state to begin in", key="initial_state", value=state, suggestion="RUNNING, PAUSED or STOPPED"
        )
    return _INITIAL_STATES[state.upper()]


def _is_null(raw: msgspec.Raw | None) -> bool:
    return raw is None or bytes(raw).strip() == b"null"


def _kind(written: bytes) -> str:
    return _KINDS.get(written.strip()[:1].decode(errors="replace"), "a number")
