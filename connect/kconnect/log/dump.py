"""Reading segment files from the outside: their batches and records, with what internal topics keep made readable.

Nothing is locked or changed. The files of a running broker may be read too; what it appends meanwhile may be missed.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kconnect.log.coordinators.offset_records import GroupRecord, OffsetRecord, read_record
from kconnect.log.errors import CorruptLogError, LogError
from kconnect.log.protocol.batch import BatchHeader, check_crc, read_header
from kconnect.log.protocol.control import read_end_marker
from kconnect.log.protocol.errors import CorruptBatchError, ProtocolError
from kconnect.log.protocol.payloads import (
    ConsumerProtocolAssignment,
    GroupMetadataValue,
    TransactionLogKey,
    TransactionLogValue,
)
from kconnect.log.protocol.records import Record, read_records
from kconnect.log.protocol.versioned import read_versioned

if TYPE_CHECKING:
    from collections.abc import Iterator

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpedBatch:
    """A batch as it lies in a file at `position`; `damage` says why it is not what was written, None if it is."""

    position: int
    header: BatchHeader
    damage: str | None
    data: bytes

    def records(self) -> list[Record]:
        """Raises CorruptBatchError, ImportError when a package for the compression is missing."""
        return read_records(self.header, self.data)


def find_segments(data: Path, target: str) -> list[Path]:
    """The segment files that `target` names, oldest first: a `.log` file, or a partition (`orders-0`) of the folder
    `data`. Raises LogError where there is none."""
    file = Path(target)
    if file.suffix == ".log" and file.is_file():
        return [file]
    folder = file if file.is_dir() else data / target
    segments = sorted(folder.glob("*.log"))
    if not segments:
        raise LogError(
            f"{target} is neither a segment file nor a partition in {data}; name it FILE.log or TOPIC-NUMBER"
        )
    return segments


def batches_in(segment: Path) -> Iterator[DumpedBatch]:
    """Each batch, in order. Raises CorruptLogError where no further one begins, OSError."""
    with segment.open("rb") as file:
        if not segment.stat().st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as whole:
            position = 0
            while position < len(whole):
                try:
                    header = read_header(whole, position)
                except ProtocolError as e:
                    raise CorruptLogError(segment, position, str(e)) from e
                data = bytes(whole[position : position + header.size])
                yield DumpedBatch(position=position, header=header, damage=_damage(header, data), data=data)
                position += header.size


def decoded(topic: str, batch: BatchHeader, record: Record) -> tuple[Any, Any] | None:
    """Key and value of a control record, or of one in an internal topic, as JSON knows them; None for records whose
    bytes are their users' own."""
    try:
        if batch.is_control:
            marker = read_end_marker(record)
            return {"type": marker.type.name}, {"coordinator_epoch": marker.coordinator_epoch}
        if topic == OFFSETS_TOPIC:
            return _of_offsets(record)
        if topic == TRANSACTIONS_TOPIC:
            return _of_transactions(record)
    except ProtocolError:  # of a newer broker perhaps
        return None
    return None


def topic_of(segment: Path) -> str:
    """The topic whose partition's folder a segment lies in."""
    return segment.absolute().parent.name.rpartition("-")[0]


def _damage(header: BatchHeader, data: bytes) -> str | None:
    try:
        check_crc(header, data)
    except CorruptBatchError as e:
        return str(e)
    return None


def _of_offsets(record: Record) -> tuple[Any, Any] | None:
    match read_record(record):
        case OffsetRecord(group_id, topic, partition, committed):
            key = {"group": group_id, "topic": topic, "partition": partition}
            return key, None if committed is None else committed._asdict()
        case GroupRecord(group_id, state):
            return {"group": group_id}, None if state is None else _of_group(state)
    return None


def _of_group(state: GroupMetadataValue) -> Any:
    plain = _plain(state)
    if state.protocol_type == "consumer":
        for member, shown in zip(state.members, plain["members"], strict=True):
            if member.assignment:
                assigned = read_versioned(ConsumerProtocolAssignment, member.assignment, newer_as_latest=True)
                shown["assignment"] = {t.topic: list(t.partitions) for t in assigned.assigned_partitions}
    return plain


def _of_transactions(record: Record) -> tuple[Any, Any]:
    key = read_versioned(TransactionLogKey, record.key or b"")
    return _plain(key), None if record.value is None else _plain(read_versioned(TransactionLogValue, record.value))


def _plain(message: Any) -> Any:
    """A message as a dict; of bytes, their number alone."""
    if isinstance(message, msgspec.Struct):
        return {name: _plain(getattr(message, name)) for name in message.__struct_fields__}
    if isinstance(message, bytes | bytearray | memoryview):
        return f"{len(message)} bytes"
    if isinstance(message, list | tuple):
        return [_plain(item) for item in message]
    return message
