"""The commands that write a record. A hot path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kconnect import DataError, SinkRecord
from kconnect_redis.config import RedisSinkConfig
from kconnect_redis.link import Command
from kconnect_redis.text import Text, is_utf8, json_of, text_encoder

TTL_HEADER = "redis.key.ttl"
TOPIC = "${topic}"


class RecordCommands:
    """`of` gives a record's key and the commands that write it, which are none for a tombstone that there is nothing to
    delete by. It raises DataError, which says what is wrong with the record but not which one it is."""

    def __init__(self, config: RedisSinkConfig) -> None:
        self._text = text_encoder(config.charset)
        self._is_utf8 = is_utf8(config.charset)
        self._keyspace = config.keyspace.strip()
        self._separator = config.separator.strip()
        self._ttl = config.ttl
        self._by_value = config.member == "value"
        self._spaces: dict[str, str] = {}
        kinds: dict[str, tuple[_KeyOf, _Write, _Write]] = {
            "STRING": (self._own_key, self._set, self._delete),
            "HASH": (self._own_key, self._hset, self._delete),
            "JSON": (self._own_key, self._json_set, self._delete),
            "STREAM": (self._common_key, self._xadd, self._nothing),
            "LIST": (self._common_key, self._rpush, self._lrem),
            "SET": (self._common_key, self._sadd, self._srem),
            "ZSET": (self._common_key, self._zadd, self._zrem),
            "TIMESERIES": (self._common_key, self._ts_add, self._nothing),
        }
        self._key_of, self._write, self._remove = kinds[config.kind]
        self._sets_ttl = config.kind == "STRING"  # within its own command

    def of(self, record: SinkRecord) -> tuple[Text, list[Command]]:
        key = self._key_of(record)
        if record.value is None:
            return key, self._remove(key, record)
        commands = self._write(key, record)
        if not self._sets_ttl:
            ttl = self._ttl_of(record)
            if ttl > 0:
                commands.append(("EXPIRE", key, ttl))
        return key, commands

    def _own_key(self, record: SinkRecord) -> Text:
        if record.key is None:
            raise DataError("has no key, which names what is written")
        key = self._text(record.key)
        if not self._keyspace:
            return key
        space = self._space(record.topic) + self._separator
        return space + key if isinstance(key, str) else self._bytes(space) + key

    def _common_key(self, record: SinkRecord) -> Text:
        return self._text(self._space(record.topic))

    def _space(self, topic: str) -> str:
        space = self._spaces.get(topic)
        if space is None:
            space = self._spaces[topic] = self._keyspace.replace(TOPIC, topic)
        return space

    def _bytes(self, text: str) -> bytes:
        encoded = self._text(text)
        return encoded.encode() if isinstance(encoded, str) else encoded

    def _ttl_of(self, record: SinkRecord) -> int:
        for header in record.headers:
            if header.key == TTL_HEADER:
                try:
                    return int(header.value)
                except (TypeError, ValueError) as error:
                    raise DataError(f"has a header {TTL_HEADER} that is no number: {header.value!r}") from error
        return self._ttl

    def _set(self, key: Text, record: SinkRecord) -> list[Command]:
        ttl = self._ttl_of(record)
        value = self._text(record.value)
        return [("SET", key, value, "EX", ttl) if ttl > 0 else ("SET", key, value)]

    def _hset(self, key: Text, record: SinkRecord) -> list[Command]:
        """A field that is null now is no field: an older value of it goes."""
        fields = self._fields(record)
        if not fields:
            raise DataError("has no fields, and a hash needs one")
        commands: list[Command] = []
        gone = [self._text(name) for name, value in fields.items() if value is None]
        if len(gone) < len(fields):
            commands.append(("HSET", key, *self._pairs(fields)))
        if gone:
            commands.append(("HDEL", key, *gone))
        return commands

    def _json_set(self, key: Text, record: SinkRecord) -> list[Command]:
        return [("JSON.SET", key, "$", json_of(record.value))]

    def _xadd(self, key: Text, record: SinkRecord) -> list[Command]:
        pairs = self._pairs(self._fields(record))
        if not pairs:
            raise DataError("has no field with a value, and an entry of a stream needs one")
        return [("XADD", key, "*", *pairs)]

    def _rpush(self, key: Text, record: SinkRecord) -> list[Command]:
        return [("RPUSH", key, self._member(record))]

    def _lrem(self, key: Text, record: SinkRecord) -> list[Command]:
        return [] if self._by_value else [("LREM", key, 0, self._member(record))]

    def _sadd(self, key: Text, record: SinkRecord) -> list[Command]:
        return [("SADD", key, self._member(record))]

    def _srem(self, key: Text, record: SinkRecord) -> list[Command]:
        return [] if self._by_value else [("SREM", key, self._member(record))]

    def _zadd(self, key: Text, record: SinkRecord) -> list[Command]:
        return [("ZADD", key, _number(record.value, "value", "the score"), self._keyed_member(record))]

    def _zrem(self, key: Text, record: SinkRecord) -> list[Command]:
        return [("ZREM", key, self._keyed_member(record))]

    def _ts_add(self, key: Text, record: SinkRecord) -> list[Command]:
        time = int(_number(record.key, "key", "the time in ms"))
        return [("TS.ADD", key, time, _number(record.value, "value", "the sample"))]

    def _delete(self, key: Text, record: SinkRecord) -> list[Command]:
        return [("DEL", key)]

    def _nothing(self, key: Text, record: SinkRecord) -> list[Command]:
        return []

    def _member(self, record: SinkRecord) -> Text:
        return self._text(record.value) if self._by_value else self._keyed_member(record)

    def _keyed_member(self, record: SinkRecord) -> Text:
        if record.key is None:
            raise DataError("has no key, which is the member")
        return self._text(record.key)

    def _fields(self, record: SinkRecord) -> dict[Any, Any]:
        if type(record.value) is not dict:
            raise DataError(f"must be a struct or a map, and is of type {type(record.value).__name__}")
        return record.value

    def _pairs(self, fields: dict[Any, Any]) -> list[Text]:
        text, is_utf8 = self._text, self._is_utf8
        pairs: list[Text] = []
        for name, value in fields.items():
            if value is not None:
                pairs.append(name if is_utf8 and type(name) is str else text(name))
                pairs.append(value if is_utf8 and type(value) is str else text(value))
        return pairs


_KeyOf = Callable[[SinkRecord], Text]
_Write = Callable[[Text, SinkRecord], list[Command]]


def _number(value: Any, of: str, what: str) -> float:
    """Digits in text count as a number."""
    if not isinstance(value, bool):
        try:
            number = float(value)
            return int(value) if isinstance(value, int) else number
        except (TypeError, ValueError, OverflowError):
            pass
    raise DataError(f"has the {of} {value!r}, which must be a number: it is {what}")
