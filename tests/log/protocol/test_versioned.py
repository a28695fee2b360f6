import json
from pathlib import Path

import pytest

from kconnect.log.protocol import ProtocolError, UnsupportedVersionError, payloads
from kconnect.log.protocol.versioned import read_prefix, read_versioned, write_versioned

KAFKA = json.loads(Path(__file__).with_name("kafka_4_3_1.json").read_text())


@pytest.mark.parametrize(("name", "version", "data"), KAFKA["payloads"])
def test_payloads_of_kafka_itself_are_read_and_written_alike(name, version, data):
    message = read_versioned(getattr(payloads, name), bytes.fromhex(data))
    assert write_versioned(message, version).hex() == data


def test_what_kafka_put_into_a_payload_is_found():
    found = {(name, version): bytes.fromhex(data) for name, version, data in KAFKA["payloads"]}
    key = read_versioned(payloads.OffsetCommitKey, found["OffsetCommitKey", 0])
    assert (key.group, key.topic, key.partition) == ("g1", "orders", 3)
    value = read_versioned(payloads.OffsetCommitValue, found["OffsetCommitValue", 4])
    assert (value.offset, value.leader_epoch, value.metadata) == (42, 7, "meta")
    assert value.topic_id == (1).to_bytes(8, "big") + (2).to_bytes(8, "big")
    group = read_versioned(payloads.GroupMetadataValue, found["GroupMetadataValue", 3])
    assert (group.generation, group.protocol, group.members[0].group_instance_id) == (5, "range", "i1")
    log = read_versioned(payloads.TransactionLogValue, found["TransactionLogValue", 1])
    assert (log.next_producer_id, log.transaction_partitions[0].partition_ids) == (10, [0, 2])


def test_a_key_of_another_kind_is_refused():
    key = write_versioned(payloads.GroupMetadataKey(group="g"))
    assert read_prefix(key) == 2
    with pytest.raises(UnsupportedVersionError, match="OffsetCommitKey is kept under 1, not 2"):
        read_versioned(payloads.OffsetCommitKey, key)


def test_a_newer_version_is_refused_or_read_as_the_latest():
    message = payloads.ConsumerProtocolSubscription(topics=["orders"], rack_id="r")
    data = b"\x00\x63" + write_versioned(message, 3)[2:] + b"what is new"
    with pytest.raises(UnsupportedVersionError, match="not 99"):
        read_versioned(payloads.ConsumerProtocolSubscription, data)
    assert read_versioned(payloads.ConsumerProtocolSubscription, data, newer_as_latest=True) == message


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x03\x00"])
def test_a_payload_cut_short_is_refused(data):
    with pytest.raises(ProtocolError):
        read_versioned(payloads.ConsumerProtocolSubscription, data)
