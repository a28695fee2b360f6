"""What a log of source offsets says: keys and values in Kafka Connect's JSON, parsed; without any input or output.

A key is the array `["<connector>",{<partition>}]`, a value the object of the offset. The members of a JSON object are
in the order of its writer, so partitions are compared as parsed JSON, and what is written for a partition has the key
bytes that were read for it: compaction would keep both otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from kconnect_workers.stores.entry_log import Entry
from kconnect_workers.stores.java_json import encode

Partition: TypeAlias = Mapping[str, Any]
Offset: TypeAlias = Mapping[str, Any]

_KEY = msgspec.json.Decoder(tuple[str, dict[str, Any] | None])
_VALUE = msgspec.json.Decoder(dict[str, Any])

_logger = logging.getLogger(__name__)


def partition_key(partition: Partition) -> bytes:
    """The same bytes for the same partition, whatever the order of its members."""
    return msgspec.json.encode(partition, order="deterministic")


class SourceOffsets:
    """The last offset of each source partition: of all connectors, or of `only` one."""

    def __init__(self, only: str | None = None) -> None:
        self._only = only
        self._stored: dict[str, dict[bytes, tuple[bytes, bytes]]] = {}

    def apply(self, key: bytes, value: bytes | None) -> None:
        """The log's next entry. One that is no offset's is told, and passed over: an older offset repeats records, and
        loses none. A source without partitions stores its offset under null in the JVM, and nobody can ask for it."""
        try:
            connector, partition = _KEY.decode(key)
            if partition is None or self._only not in (None, connector):
                return
            if value is not None:
                _VALUE.decode(value)
        except msgspec.MsgspecError as e:
            _logger.warning("the offset %r of %r cannot be read and is passed over: %s", value, key, e)
            return
        if value is None:
            self._stored.get(connector, {}).pop(partition_key(partition), None)
        else:
            self._stored.setdefault(connector, {})[partition_key(partition)] = (key, value)

    def entries(self, connector: str) -> list[tuple[bytes, bytes]]:
        """Keys and values as they were stored, in the order of first commits."""
        return list(self._stored.get(connector, {}).values())

    def offsets(self, connector: str) -> list[tuple[Partition, Offset]]:
        """Every partition with its offset, in the order of first commits."""
        return list(self.by_partition(connector).values())

    def by_partition(self, connector: str) -> dict[bytes, tuple[Partition, Offset]]:
        """As `offsets`, by `partition_key`."""
        stored = self._stored.get(connector, {})
        return {same: (_KEY.decode(key)[1] or {}, _VALUE.decode(value)) for same, (key, value) in stored.items()}

    def offset(self, connector: str, partition: Partition) -> dict[str, Any] | None:
        """The offset of one partition, None when there is none."""
        stored = self._stored.get(connector, {}).get(partition_key(partition))
        return None if stored is None else _VALUE.decode(stored[1])

    def entry(self, connector: str, partition: Partition, offset: Offset | None) -> Entry:
        """What to write to have `offset` stored; None forgets the partition."""
        stored = self._stored.get(connector, {}).get(partition_key(partition))
        key = encode([connector, partition]) if stored is None else stored[0]
        return key, None if offset is None else encode(offset)
