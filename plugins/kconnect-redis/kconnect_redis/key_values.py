"""Keys with their values, as records of redis-kafka-connect's form."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from kconnect import ConnectError, Schema, SchemaBuilder
from kconnect.schema import FLOAT64_SCHEMA, OPTIONAL_INT64_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA
from kconnect_redis.config import RedisKeysSourceConfig
from kconnect_redis.decoding import TextDecoder
from kconnect_redis.deployment import Deployment, KeyedCommand

MISSING: Final = "none"
"""The type of a key that does not exist, or not any more."""
_READ: Final[dict[str, tuple[str, ...]]] = {
    "string": ("GET",),
    "hash": ("HGETALL",),
    "list": ("LRANGE", "0", "-1"),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", "0", "-1", "WITHSCORES"),
    "ReJSON-RL": ("JSON.GET",),
}
_JSON: Final = "ReJSON-RL"


def value_schema(zset: str) -> Schema:
    """By `redis.keys.zset`."""
    strings = SchemaBuilder.array(STRING_SCHEMA).optional().build()
    of_zset = (
        SchemaBuilder.map(FLOAT64_SCHEMA, STRING_SCHEMA)
        if zset == "score"
        else SchemaBuilder.map(STRING_SCHEMA, FLOAT64_SCHEMA)
    )
    return (
        SchemaBuilder.struct()
        .name("com.redis.kafka.connect.keys.Value")
        .field("key", STRING_SCHEMA)
        .field("ttl", OPTIONAL_INT64_SCHEMA)
        .field("type", STRING_SCHEMA)
        .field("hash", SchemaBuilder.map(STRING_SCHEMA, STRING_SCHEMA).optional().build())
        .field("string", OPTIONAL_STRING_SCHEMA)
        .field("json", OPTIONAL_STRING_SCHEMA)
        .field("list", strings)
        .field("set", strings)
        .field("zset", of_zset.optional().build())
        .build()
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """A key before its value is read."""

    key: bytes
    type: str
    ttl_ms: int
    size: int


class KeyValues:
    """Reads keys in batches. Belongs to one thread."""

    def __init__(self, config: RedisKeysSourceConfig, redis: Deployment) -> None:
        self._redis = redis
        self._max_bytes = config.max_bytes
        self._by_score = config.zset == "score"
        self.text = TextDecoder(config.charset, "a key")
        self._forms: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
            "string": ("string", lambda _, value: self.text(value)),
            "hash": ("hash", lambda _, value: self._map(value)),
            "list": ("list", lambda _, value: self._list(value)),
            "set": ("set", lambda _, value: self._list(value)),
            "zset": ("zset", self._zset),
            _JSON: ("json", lambda _, value: self.text(value)),
        }

    def read(self, keys: Sequence[bytes]) -> list[dict[str, Any]]:
        """One struct for each of the first keys: for fewer than are asked for where they are large. Of keys that are
        gone the type is `none`. ConnectError for a key that is too large, or whose value has no form."""
        known = self._within_bounds(self._look_at(keys))
        readable = [each for each in known if each.type in _READ]
        commands: list[KeyedCommand] = [
            (each.key, (_READ[each.type][0], each.key, *_READ[each.type][1:])) for each in readable
        ]
        values = dict(zip((each.key for each in readable), self._redis.send(commands) if commands else (), strict=True))
        return [self._struct(each, values.get(each.key)) for each in known]

    def _look_at(self, keys: Sequence[bytes]) -> list[_Known]:
        commands: list[KeyedCommand] = []
        for key in keys:
            commands += [(key, ("TYPE", key)), (key, ("PTTL", key)), (key, ("MEMORY", "USAGE", key))]
        answers = self._redis.send(commands)
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise self._redis.failure(answer)
        return [
            _Known(key, answers[3 * n].decode(), answers[3 * n + 1], answers[3 * n + 2] or 0)
            for n, key in enumerate(keys)
        ]

    def _within_bounds(self, known: Sequence[_Known]) -> list[_Known]:
        total = 0
        taken: list[_Known] = []
        for each in known:
            if each.size > self._max_bytes:
                raise ConnectError(
                    f"the key {self.text(each.key)} takes {each.size} bytes in Redis, more than "
                    f"redis.keys.max.bytes={self._max_bytes}: allow more, or leave it out by redis.keys.pattern"
                )
            total += each.size
            if taken and total > self._max_bytes:
                break
            taken.append(each)
        return taken

    def _struct(self, known: _Known, value: Any) -> dict[str, Any]:
        key = self.text(known.key)
        if isinstance(value, ResponseError):
            if not str(value).startswith("WRONGTYPE"):
                raise self._redis.failure(value)
            value = None  # it became another type just now, which is an event of its own
        gone = known.type in _READ and value in (None, [])
        struct: dict[str, Any] = {
            "key": key,
            "ttl": -2 if gone else _expires_at(known.ttl_ms),
            "type": MISSING if gone else "json" if known.type == _JSON else known.type,
        }
        struct |= dict.fromkeys(("hash", "string", "json", "list", "set", "zset"))
        if known.type in self._forms and not gone:
            name, form = self._forms[known.type]
            struct[name] = form(key, value)
        return struct

    def _list(self, value: Sequence[bytes]) -> list[str]:
        return self.text.all(value)

    def _map(self, value: Sequence[bytes]) -> dict[str, str]:
        texts = iter(self.text.all(value))
        return dict(zip(texts, texts, strict=True))

    def _zset(self, key: str, value: Sequence[bytes]) -> dict[Any, Any]:
        pairs = [(self.text(member), float(score)) for member, score in zip(value[::2], value[1::2], strict=True)]
        if not self._by_score:
            return dict(pairs)
        by_score = {score: member for member, score in pairs}
        if len(by_score) < len(pairs):
            raise ConnectError(
                f"the sorted set {key} has several members of one score, which a map by score cannot hold: set "
                "redis.keys.zset=member"
            )
        return by_score


def _expires_at(ttl_ms: int) -> int:
    """Ms since 1970 by this machine's clock; -1 for never, -2 where there is no such key."""
    return int(time.time() * 1000) + ttl_ms if ttl_ms >= 0 else ttl_ms
