"""Exactly once: a connector's offsets in Redis, changed by the transactions that write the data.

Each partition has a hash, `kconnect:offset:<connector>:<topic>:<partition>`: `offset` is that of the next record, with
the ids of the cluster and of the topic that it counts in; `owner` is raised by one by whoever takes the partition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from redis.exceptions import ResponseError

from kconnect import ConnectError, RetriableError, StoredOffset, TopicPartition
from kconnect_redis.link import Command, Link
from kconnect_redis.transaction import execute


class RedisOffsets:
    """An OffsetStore. The transaction that follows `look` goes over the same link: keys are watched."""

    def __init__(self, link: Link, connector: str) -> None:
        self._link = link
        self._connector = connector

    def place(self, partition: TopicPartition) -> str:
        return f"Redis at {self._link.address}, key {self.key(partition)}"

    def key(self, partition: TopicPartition) -> str:
        return f"kconnect:offset:{self._connector}:{partition.topic}:{partition.partition}"

    def take(self, partition: TopicPartition) -> tuple[int, StoredOffset | None]:
        key = self.key(partition)
        answers = execute(
            self._link, [("HINCRBY", key, "owner", 1), ("HMGET", key, "offset", "cluster_id", "topic_id")]
        )
        if answers is None:  # a watch of an earlier try
            raise RetriableError(f"{partition}: {key} was changed by someone else, which is looked into")
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise ConnectError(f"{partition}: {self.place(partition)}: {self._link.failure(answer)}")
        owner, (offset, cluster_id, topic_id) = answers
        return owner, None if offset is None else StoredOffset(int(offset), _text(cluster_id), _text(topic_id))

    def look(self, partitions: Sequence[TopicPartition]) -> list[tuple[int | None, int | None]]:
        keys = [self.key(partition) for partition in partitions]
        answers = self._link.send([("WATCH", *keys), *(("HMGET", key, "owner", "offset") for key in keys)])
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise self._link.failure(answer)
        return [(_number(owner), _number(offset)) for owner, offset in answers[1:]]

    def commands(self, offsets: Mapping[TopicPartition, StoredOffset]) -> list[Command]:
        """They store `offsets`, within a transaction."""
        return [("HSET", self.key(partition), *_fields(stored)) for partition, stored in offsets.items()]

    def put_back(self, partition: TopicPartition, offset: int) -> None:
        self._link.call("HSET", self.key(partition), "offset", offset)

    def alter(self, offsets: Mapping[TopicPartition, int | None]) -> None:
        """What a user makes of the offsets, which count in whatever log is there when a task next writes. No offsets:
        all are forgotten."""
        for partition, offset in offsets.items():
            if offset is None:
                self._link.call("DEL", self.key(partition))
            else:
                self._link.call("HDEL", self.key(partition), "cluster_id", "topic_id")
                self._link.call("HSET", self.key(partition), "offset", offset)
        if not offsets:
            for key in list(self._keys()):
                self._link.call("DEL", key)

    def _keys(self) -> Iterator[bytes]:
        """Of this connector alone: names of connectors may have colons, names of topics have none."""
        prefix = self.key(TopicPartition("", 0)).removesuffix(":0")
        exactly = re.compile(re.escape(prefix.encode()) + rb"[^:]+:\d+")
        return filter(exactly.fullmatch, self._link.scan(re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"))


def _fields(stored: StoredOffset) -> list[str | int]:
    fields = {"offset": stored.offset, "cluster_id": stored.cluster_id, "topic_id": stored.topic_id}
    return [each for name, value in fields.items() if value is not None for each in (name, value)]


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
