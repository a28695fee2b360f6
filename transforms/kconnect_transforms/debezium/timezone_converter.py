"""TimezoneConverter: moves the times in change events to another time zone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from kconnect.config import HIGH, Config, ConfigError, key
from kconnect.schema import Schema
from kconnect.transform import R, Transform
from kconnect.validators import Nullable
from kconnect_transforms.debezium.envelope import is_envelope
from kconnect_transforms.debezium.time_zone import ZoneMove, parse_zone, valid_zone

_NAME: Final = r'["\.\w\s]+'
_FIRST: Final = re.compile(rf"{_NAME}:{_NAME}(:{_NAME})?", re.ASCII)
_FURTHER: Final = re.compile(rf"{_NAME}(:{_NAME})?", re.ASCII)
_SOURCE: Final = "source"
_TOPIC: Final = "topic"
_MAX_PLANS: Final = 1000

_RULES: Final = (
    "Rules source:table, source:table:field, topic:name, topic:name:field or name:field, where the name is of a table "
    "or a topic; a rule after the first is of the same kind without saying so. A field may begin with before., after. "
    "or source., and is otherwise of the rows."
)


def _valid_rules(name: str, value: list[str] | None) -> None:
    for at, rule in enumerate(value or ()):
        if not (_FURTHER if at else _FIRST).fullmatch(rule):
            raise ConfigError(
                f"{rule!r} is no rule", key=name, value=value, suggestion="such as source:orders:created_at,items"
            )


class TimezoneConverterConfig(Config):
    converted_timezone: str = key(
        importance=HIGH,
        validator=valid_zone,
        doc="The zone: Europe/Paris, +05:30. Times without a zone are taken for times there, those with one are "
        "written with its offset.",
    )
    include_list: list[str] | None = key(
        default=None,
        importance=HIGH,
        validator=Nullable(_valid_rules),
        doc=f"What to move; all times if not given. {_RULES}",
    )
    exclude_list: list[str] | None = key(
        default=None, importance=HIGH, validator=Nullable(_valid_rules), doc=f"What not to move. {_RULES}"
    )

    def _check(self) -> None:
        if self.include_list and self.exclude_list:
            raise ConfigError(
                "goes not together with include.list", key="exclude.list", suggestion="leave one of them out"
            )


_Moves: TypeAlias = Sequence[tuple[str, Callable[[Any], Any]]]
"""Fields of a struct, and what moves each."""
_Plan: TypeAlias = Mapping[str, _Moves]
"""The moves of each of an event's structs."""


class _Rules:
    """The fields that rules name, by table and topic; none for all of them."""

    def __init__(self, rules: list[str]) -> None:
        self._by_kind: dict[str, dict[str, set[str]]] = {_SOURCE: {}, _TOPIC: {}, "": {}}
        kind = ""
        for rule in rules:
            parts = rule.split(":")
            if parts[0].lower() in (_SOURCE, _TOPIC) and len(parts) > 1:
                kind = parts.pop(0)
            fields = self._by_kind.setdefault(kind, {}).setdefault(parts[0], set())
            fields.update(parts[1:])

    def fields(self, table: str | None, topic: str) -> frozenset[str] | None:
        """None where no rule is about the table or the topic."""
        for kind, name in ((_TOPIC, topic), (_SOURCE, table), ("", topic), ("", table)):
            found = self._by_kind[kind].get(name or "")
            if found is not None:
                return frozenset(found)
        return None


class TimezoneConverter(Transform[TimezoneConverterConfig]):
    """What is no change event passes as it is; schemas stay. Days and times of a day without a zone do not move."""

    def configure(self, config: TimezoneConverterConfig) -> None:
        self._move = ZoneMove(parse_zone(config.converted_timezone))
        self._includes = bool(config.include_list)
        rules = config.include_list or config.exclude_list
        self._rules = _Rules(rules) if rules else None
        self._plans: dict[tuple[Schema, str | None, str], _Plan] = {}

    def apply(self, record: R) -> R | None:
        event = record.value
        if event is None or not is_envelope(record):
            return record
        assert record.value_schema is not None
        source = event.get("source")
        table = source.get("table") if isinstance(source, dict) else None
        plan = self._plan(record.value_schema, table, record.topic)
        moved = {side: _moved(event[side], moves) for side, moves in plan.items() if isinstance(event.get(side), dict)}
        return msgspec.structs.replace(record, value={**event, **moved}) if moved else record

    def _plan(self, envelope: Schema, table: str | None, topic: str) -> _Plan:
        identity = (envelope, table, topic)
        plan = self._plans.get(identity)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[identity] = self._planned(*identity)
        return plan

    def _planned(self, envelope: Schema, table: str | None, topic: str) -> _Plan:
        listed = None if self._rules is None else self._rules.fields(table, topic)
        if self._includes and listed is None:
            return {}
        if not self._includes and listed is not None and not listed:
            return {}  # excluded as a whole
        plan: dict[str, _Moves] = {}
        for side in ("before", "after", "source"):
            field = envelope.field(side)
            named = {name.removeprefix(f"{side}.") for name in listed or () if _is_of(name, side)}
            if field is not None and (side != "source" or named):
                plan[side] = self._moves(field.schema, side, named, everything=not listed)
        return {side: moves for side, moves in plan.items() if moves}

    def _moves(self, schema: Schema, side: str, named: set[str], *, everything: bool) -> _Moves:
        moves = []
        for field in schema.fields:
            if everything or (field.name in named) is self._includes:
                move = self._move.of_source(field.name) if side == "source" else self._move.of(field.schema.name)
                if move is not None:
                    moves.append((field.name, move))
        return moves


def _is_of(name: str, side: str) -> bool:
    """Whether a listed field is of that struct; those that do not say are of the rows."""
    prefix, dot, _ = name.partition(".")
    if dot and prefix in ("before", "after", "source"):
        return prefix == side
    return side != "source"


def _moved(struct: Mapping[str, Any], moves: _Moves) -> dict[str, Any]:
    moved = dict(struct)
    for name, move in moves:
        value = moved.get(name)
        if value is not None:
            moved[name] = move(value)
    return moved
