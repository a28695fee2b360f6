"""Control batches: the markers that end a transaction in each partition that it wrote to."""

from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812 - the name says nothing by itself
from typing import NamedTuple

from kconnect.log.protocol.batch import Attribute
from kconnect.log.protocol.errors import CorruptBatchError
from kconnect.log.protocol.records import Record, build_batch

_KEY = Struct(">hh")
_VALUE = Struct(">hi")


class ControlType(IntEnum):
    """How a transaction ended. Other types of control records are none of a broker's without replicas."""

    ABORT = 0
    COMMIT = 1


class EndMarker(NamedTuple):
    """The end of a transaction, and the epoch of the coordinator that ordered it."""

    type: ControlType
    coordinator_epoch: int


def read_end_marker(record: Record) -> EndMarker:
    """Of the one record in a control batch; raises CorruptBatchError when it is no such marker."""
    try:
        _, control_type = _KEY.unpack_from(record.key or b"")
        _, coordinator_epoch = _VALUE.unpack_from(record.value or b"")
        return EndMarker(ControlType(control_type), coordinator_epoch)
    except (StructError, ValueError):
        raise CorruptBatchError(f"the control record at offset {record.offset} ends no transaction") from None


def build_end_marker(
    marker: EndMarker,
    *,
    offset: int,
    timestamp: int,
    producer_id: int,
    producer_epoch: int,
    leader_epoch: int = -1,
) -> bytearray:
    """The control batch that a broker appends when a transaction ends."""
    record = Record(offset, timestamp, _KEY.pack(0, marker.type), _VALUE.pack(0, marker.coordinator_epoch))
    return build_batch(
        [record],
        attributes=Attribute.TRANSACTIONAL | Attribute.CONTROL,
        leader_epoch=leader_epoch,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
    )
