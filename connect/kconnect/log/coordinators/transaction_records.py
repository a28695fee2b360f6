"""The records of `__transaction_state`: what is known of transactional ids, in Kafka's format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.coordinators.transaction import TransactionMetadata, TransactionState
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.payloads import TransactionLogKey, TransactionLogValue
from kconnect.log.protocol.versioned import read_prefix, read_versioned, write_versioned

if TYPE_CHECKING:
    from kconnect.log.protocol.records import Record

_KEY = 0
# What a broker without transaction.version 2 writes: no fields but those that are needed here.
_VALUE_VERSION = 1

_STATES = {state.number: state for state in TransactionState}


def transaction_key(transactional_id: str) -> bytes:
    return write_versioned(TransactionLogKey(transactional_id=transactional_id))


def transaction_value(metadata: TransactionMetadata) -> bytes:
    topics: dict[str, list[int]] = {}
    for topic, partition in sorted(metadata.partitions):
        topics.setdefault(topic, []).append(partition)
    schemas = [
        TransactionLogValue.PartitionsSchema(topic=topic, partition_ids=partitions)
        for topic, partitions in topics.items()
    ]
    value = TransactionLogValue(
        producer_id=metadata.producer_id,
        previous_producer_id=metadata.previous_producer_id,
        producer_epoch=metadata.epoch,
        transaction_timeout_ms=metadata.timeout_ms,
        transaction_status=metadata.state.number,
        transaction_partitions=None if metadata.state is TransactionState.EMPTY else schemas,
        transaction_last_update_timestamp_ms=metadata.updated_at,
        transaction_start_timestamp_ms=metadata.started_at,
    )
    return write_versioned(value, _VALUE_VERSION)


def read_transaction(record: Record) -> tuple[str, TransactionMetadata | None] | None:
    """(transactional id, what is known of it, None where it is forgotten); None for other records.

    Raises ProtocolError.
    """
    if record.key is None or read_prefix(record.key) != _KEY:
        return None
    transactional_id: str = read_versioned(TransactionLogKey, record.key).transactional_id
    if record.value is None:
        return transactional_id, None
    value = read_versioned(TransactionLogValue, record.value)
    state = _STATES.get(value.transaction_status)
    if state is None:
        raise ProtocolError(f"{transactional_id!r} has the state {value.transaction_status}, which does not exist")
    return transactional_id, TransactionMetadata(
        transactional_id=transactional_id,
        producer_id=value.producer_id,
        epoch=value.producer_epoch,
        previous_producer_id=value.previous_producer_id,
        timeout_ms=value.transaction_timeout_ms,
        state=state,
        partitions=frozenset(
            (schema.topic, partition)
            for schema in value.transaction_partitions or ()
            for partition in schema.partition_ids
        ),
        started_at=value.transaction_start_timestamp_ms,
        updated_at=value.transaction_last_update_timestamp_ms,
    )
