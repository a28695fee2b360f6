"""The keys of the Redis connectors: those of redis-kafka-connect, and a few more."""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from typing import Annotated, Literal

from kconnect import HIGH, LOW, Config, ConfigError, Password, Range, key
from kconnect.bounds import allow_host, allow_path, allowed_path
from kconnect.config import NonEmptyString, Type
from kconnect.validators import CaseInsensitiveValidString
from kconnect_redis.address import Address, parse_uri

REDIS = "Redis"
STREAM = "Stream"
KEYS = "Keys"
CHANNELS = "Channels"
WRITES = "Writes"
DELIVERY = "Delivery"

KEYED = ("STRING", "HASH", "JSON")
"""Types of which each record is a key of its own."""
COLLECTIONS = ("STREAM", "LIST", "SET", "ZSET", "TIMESERIES")
"""Types of which records are added to one key."""

_ENTRY_ID = re.compile(r"\d+-\d+|\d+|\$")


def charset_name(name: str, value: object) -> None:
    """A validator."""
    try:
        codecs.lookup(str(value))
    except LookupError as error:
        raise ConfigError("is no character set", key=name, value=value, suggestion="such as UTF-8") from error


def entry_id(name: str, value: object) -> None:
    """A validator."""
    if not _ENTRY_ID.fullmatch(str(value)):
        raise ConfigError("is no id of a stream entry", key=name, value=value, suggestion="such as 0-0, or $ for now")


class ConnectionConfig(Config):
    """How to reach Redis: shared by all connectors."""

    uri: str = key(
        name="redis.uri",
        default="",
        importance=HIGH,
        group=REDIS,
        doc="Where Redis is: redis://host:6379/0, rediss://… for TLS, redis-socket:///path of a Unix socket. Wins over "
        "redis.host and redis.port.",
    )
    host: str = key(
        name="redis.host", default="localhost", importance=HIGH, group=REDIS, doc="The host, where there is no URI."
    )
    port: Annotated[int, Range(1, 65535)] = key(
        name="redis.port", default=6379, importance=HIGH, group=REDIS, doc="The port, where there is no URI."
    )
    cluster: bool = key(
        name="redis.cluster", default=False, group=REDIS, doc="Whether this is a node of a Redis Cluster."
    )
    username: str = key(name="redis.username", default="", group=REDIS, doc="The ACL user; empty is `default`.")
    password: Password | None = key(name="redis.password", default=None, group=REDIS, doc="The user's password.")
    tls: bool = key(name="redis.tls", default=False, group=REDIS, doc="Speak TLS, as rediss:// says as well.")
    insecure: bool = key(
        name="redis.insecure", default=False, group=REDIS, doc="Take any TLS certificate, from whomever it is."
    )
    cacert: Annotated[str, allowed_path] | None = key(
        name="redis.cacert",
        default=None,
        group=REDIS,
        doc="A PEM file of the authorities to believe in place of the system's.",
    )
    key_file: Annotated[str, allowed_path] | None = key(
        name="redis.key.file", default=None, group=REDIS, doc="A PEM file with the private key to log in with by TLS."
    )
    key_cert: Annotated[str, allowed_path] | None = key(
        name="redis.key.cert", default=None, group=REDIS, doc="A PEM file with the certificate of redis.key.file."
    )
    key_password: Password | None = key(
        name="redis.key.password", default=None, group=REDIS, doc="The password of redis.key.file."
    )
    timeout: Annotated[int, Type.LONG, Range(1)] = key(
        name="redis.timeout", default=60, group=REDIS, doc="How long to wait for an answer, in seconds."
    )
    pool: Annotated[int, Range(1)] = key(
        name="redis.pool",
        default=8,
        importance=LOW,
        group=REDIS,
        doc="Taken for configs that have it: a task here uses one connection to each server.",
    )

    def _check(self) -> None:
        self.allow(self.address)
        if bool(self.key_file) != bool(self.key_cert):
            missing = "redis.key.cert" if self.key_file else "redis.key.file"
            raise ConfigError("redis.key.file and redis.key.cert go together", key=missing)

    @property
    def address(self) -> Address:
        """Of all keys together. ConfigError for a URI that is none."""
        address = parse_uri(self.uri.strip()) if self.uri.strip() else Address(host=self.host, port=self.port)
        if self.password is not None and self.password.value:
            address = replace(address, username=self.username or address.username, password=self.password.value)
        if self.cluster and address.socket is not None:
            raise ConfigError("a cluster cannot be reached by a Unix socket", key="redis.uri")
        if self.cluster and address.database:
            raise ConfigError("a cluster has the database 0 alone", key="redis.uri")
        return replace(address, tls=self.tls or address.tls)

    def allow(self, address: Address) -> None:
        """ConfigError where the worker's bounds do not let connectors reach `address`."""
        named = "redis.uri" if self.uri.strip() else "redis.host"
        if address.socket is not None:
            allow_path(named, address.socket)
        else:
            allow_host(named, address.host, address.port)


class CharsetConfig(ConnectionConfig):
    charset: Annotated[str, charset_name] = key(
        name="redis.charset", default="UTF-8", importance=LOW, group=REDIS, doc="The character set of text in Redis."
    )


class RedisStreamSourceConfig(CharsetConfig):
    topic: Annotated[str, NonEmptyString()] = key(
        default="${stream}", importance=HIGH, group=STREAM, doc="The topic; ${stream} is the name of the stream."
    )
    stream: Annotated[str, NonEmptyString()] = key(
        name="redis.stream.name", importance=HIGH, group=STREAM, doc="The stream to read."
    )
    begin: Annotated[str, entry_id] = key(
        name="redis.stream.offset",
        default="0-0",
        group=STREAM,
        doc="The id after which reading begins where the consumer group does not exist yet; $ is the end.",
    )
    delivery: Literal["at-least-once", "at-most-once"] = key(
        name="redis.stream.delivery",
        default="at-least-once",
        group=STREAM,
        doc="at-least-once acknowledges entries once their records are stored, at-most-once as they are read.",
    )
    consumer_group: Annotated[str, NonEmptyString()] = key(
        name="redis.stream.consumer.group",
        default="kafka-consumer-group",
        group=STREAM,
        doc="The consumer group, which is made if there is none.",
    )
    consumer_name: Annotated[str, NonEmptyString()] = key(
        name="redis.stream.consumer.name",
        default="consumer-${task}",
        group=STREAM,
        doc="The name of each task's consumer; ${task} is the task's number, needed with several tasks.",
    )
    block_ms: Annotated[int, Type.LONG, Range(1, 1000)] = key(
        name="redis.stream.block",
        default=100,
        importance=LOW,
        group=STREAM,
        doc="How long to wait for new entries at a time, in ms.",
    )
    claim_idle_ms: Annotated[int, Type.LONG, Range(0)] = key(
        name="redis.stream.claim.idle.ms",
        default=300_000,
        importance=LOW,
        group=STREAM,
        doc="Entries that a consumer of the group took and did not acknowledge for this long are taken over from it, "
        "whoever it is; 0 for never.",
    )
    batch_size: Annotated[int, Range(1)] = key(
        name="batch.size", default=500, importance=LOW, group=STREAM, doc="The most entries that one poll hands over."
    )


class RedisKeysSourceConfig(CharsetConfig):
    topic: Annotated[str, NonEmptyString()] = key(default="rediskeys", importance=HIGH, group=KEYS, doc="The topic.")
    pattern: Annotated[str, NonEmptyString()] = key(
        name="redis.keys.pattern", default="*", importance=HIGH, group=KEYS, doc="Which keys, as a glob pattern."
    )
    mode: Annotated[str, CaseInsensitiveValidString("LIVE", "LIVEONLY", "SCAN")] = key(
        default="LIVE",
        group=KEYS,
        doc="LIVE reads every key, then those that change; LIVEONLY those that change; SCAN every key, once "
        "after each start.",
    )
    idle_timeout_ms: Annotated[int, Type.LONG] = key(
        name="redis.keys.timeout", default=0, importance=LOW, group=KEYS, doc="Only 0 is supported: reading never ends."
    )
    zset: Literal["score", "member"] = key(
        name="redis.keys.zset",
        default="score",
        importance=LOW,
        group=KEYS,
        doc="What a sorted set's map goes by: score as redis-kafka-connect writes it, which cannot hold two members of "
        "one score; member can.",
    )
    max_bytes: Annotated[int, Type.LONG, Range(1)] = key(
        name="redis.keys.max.bytes",
        default=16 * 1024 * 1024,
        importance=LOW,
        group=KEYS,
        doc="A key that takes more memory than this in Redis fails the task, and values read at once are not larger.",
    )
    batch_size: Annotated[int, Range(1)] = key(
        name="batch.size", default=500, importance=LOW, group=KEYS, doc="The most keys that one poll hands over."
    )

    def _check(self) -> None:
        super()._check()
        if self.idle_timeout_ms != 0:
            raise ConfigError(
                "a source that ends when nothing happens is not supported", key="redis.keys.timeout", suggestion="0"
            )

    @property
    def scans(self) -> bool:
        return self.mode.upper() != "LIVEONLY"

    @property
    def listens(self) -> bool:
        return self.mode.upper() != "SCAN"


class RedisPubSubSourceConfig(CharsetConfig):
    topic: Annotated[str, NonEmptyString()] = key(
        default="${channel}", importance=HIGH, group=CHANNELS, doc="The topic; ${channel} is the message's channel."
    )
    channels: list[str] = key(
        name="redis.channels", default=[], importance=HIGH, group=CHANNELS, doc="The channels to listen to, by name."
    )
    patterns: list[str] = key(
        name="redis.channel.patterns", default=[], group=CHANNELS, doc="Channels to listen to, by glob patterns."
    )
    format: Literal["string", "bytes"] = key(
        name="redis.channel.format", default="string", group=CHANNELS, doc="What the values of records are."
    )
    batch_size: Annotated[int, Range(1)] = key(
        name="batch.size", default=500, importance=LOW, group=CHANNELS, doc="The most messages of one poll."
    )

    def _check(self) -> None:
        super()._check()
        if not self.channels and not self.patterns:
            raise ConfigError("nothing to listen to: give channels, or redis.channel.patterns", key="redis.channels")


class RedisSinkConfig(CharsetConfig):
    type: Annotated[str, CaseInsensitiveValidString(*KEYED, *COLLECTIONS)] = key(
        name="redis.type",
        default="STREAM",
        importance=HIGH,
        group=WRITES,
        doc="What to write: STRING, HASH, JSON (a key per record); STREAM, LIST, SET, ZSET, TIMESERIES (one key that "
        "records are added to).",
    )
    keyspace: str = key(
        name="redis.keyspace",
        default="${topic}",
        importance=HIGH,
        group=WRITES,
        doc="The key that records are added to, or the beginning of each record's own key (empty: none); ${topic} is "
        "the record's topic.",
    )
    separator: str = key(
        name="redis.separator", default=":", group=WRITES, doc="What stands between redis.keyspace and a record's key."
    )
    member: Literal["key", "value"] = key(
        name="redis.member", default="key", group=WRITES, doc="What a LIST or SET is given of each record."
    )
    ttl: Annotated[int, Type.LONG] = key(
        name="redis.key.ttl",
        default=-1,
        group=WRITES,
        doc="Seconds until a key that was written expires, counted anew by each write; -1 for never. A record's header "
        "of this name wins.",
    )
    multiexec: bool = key(
        name="redis.multiexec", default=False, group=DELIVERY, doc="Write what is put at once in one MULTI/EXEC."
    )
    exactly_once: bool = key(
        name="redis.exactly.once",
        default=False,
        group=DELIVERY,
        doc="Keep the offsets in Redis, changed by the same MULTI/EXEC as the data, so that nothing is written twice.",
    )
    wait_replicas: Annotated[int, Range(0)] = key(
        name="redis.wait.replicas", default=0, group=DELIVERY, doc="How many replicas must have what was written."
    )
    wait_timeout: Annotated[int, Type.LONG, Range(1)] = key(
        name="redis.wait.timeout", default=1000, group=DELIVERY, doc="How long to wait for them, in ms."
    )

    @property
    def kind(self) -> str:
        """`redis.type` in upper case."""
        return self.type.upper()

    def _check(self) -> None:
        super()._check()
        if self.kind not in KEYED and not self.keyspace.strip():
            raise ConfigError(f"redis.type={self.kind} needs the name of a key", key="redis.keyspace")
        if self.cluster:
            for name, given in (
                ("redis.multiexec", self.multiexec),
                ("redis.exactly.once", self.exactly_once),
                ("redis.wait.replicas", self.wait_replicas > 0),
            ):
                if given:
                    raise ConfigError(
                        "is not possible in a cluster, whose transactions are of one slot", key=name, suggestion="off"
                    )
