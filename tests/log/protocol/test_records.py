import json
import random
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch as KafkaPythonBatch
from kafka.record.default_records import DefaultRecordBatchBuilder as KafkaPythonBuilder

from kconnect.log.protocol import CorruptBatchError, ProtocolError, UnsupportedMagicError
from kconnect.log.protocol.batch import Attribute, Compression, batches, check_crc, checksum
from kconnect.log.protocol.compression import compress, decompress
from kconnect.log.protocol.control import ControlType, EndMarker, build_end_marker, read_end_marker
from kconnect.log.protocol.records import Record, build_batch, read_records

KAFKA = json.loads(Path(__file__).with_name("kafka_4_3_1.json").read_text())

records = st.builds(
    lambda gap, timestamp, key, value, headers: (gap, timestamp, key, value, headers),
    st.integers(0, 300),
    st.integers(0, 2**42),
    st.none() | st.binary(max_size=200),
    st.none() | st.binary(max_size=200),
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3),
)


def with_offsets(rows, base_offset):
    offset, built = base_offset, []
    for gap, *rest in rows:
        built.append(Record(offset, *rest))
        offset += 1 + gap
    return built


def plain(read):
    return [(r.offset, r.timestamp, r.key, r.value, [tuple(header) for header in r.headers]) for r in read]


def only(buffer):
    ((header, batch),) = batches(memoryview(buffer))
    check_crc(header, batch)
    return header, batch


@given(st.lists(records, min_size=1, max_size=20), st.integers(0, 2**62), st.sampled_from(Compression))
def test_a_batch_reads_as_it_was_built(rows, base_offset, compression):
    built = with_offsets(rows, base_offset)
    header, batch = only(build_batch(built, compression=compression))
    assert plain(read_records(header, batch)) == plain(built)
    assert (header.base_offset, header.last_offset) == (built[0].offset, built[-1].offset)
    assert header.max_timestamp == max(record.timestamp for record in built)
    assert header.compression is compression


@given(st.lists(records, min_size=1, max_size=20))
def test_uncompressed_batches_are_those_of_kafka_python_and_aiokafka(rows):
    built = with_offsets([(0, *rest) for _, *rest in rows], 0)
    ours = build_batch(built, producer_id=7, producer_epoch=1, base_sequence=5)
    for builder in (KafkaPythonBuilder, DefaultRecordBatchBuilder):
        theirs = builder(2, 0, 0, 7, 1, 5, 1 << 20)
        for record in built:
            theirs.append(record.offset, record.timestamp, record.key, record.value, list(record.headers))
        expected = bytes(theirs.build())
        assert ours[:12] + ours[16:] == expected[:12] + expected[16:]  # between is the leader epoch, the broker's


@given(st.lists(records, min_size=1, max_size=20), st.sampled_from(Compression))
def test_other_libraries_read_our_batches(rows, compression):
    built = with_offsets(rows, 3)
    ours = bytes(build_batch(built, compression=compression))
    readers = [DefaultRecordBatch(bytearray(ours))]
    if compression <= Compression.GZIP:  # for others kafka-python needs further packages
        readers.append(KafkaPythonBatch(ours))
    for reader in readers:
        assert reader.validate_crc()
        assert plain(list(reader)) == plain(built)


@pytest.mark.parametrize("compression", Compression)
def test_batches_of_kafka_itself(compression):
    header, batch = only(bytes.fromhex(KAFKA["batches"][compression.name.lower()]))
    assert header.compression is compression
    assert (header.base_offset, header.last_offset, header.leader_epoch) == (1000, 1002, 9)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (77, 3, 12)
    assert header.is_transactional
    assert not header.is_control
    assert plain(read_records(header, batch)) == [
        (1000, 1_700_000_000_000, b"key", b"value", [("h1", b"x"), ("h2", None)]),
        (1001, 1_700_000_000_500, None, b"long " * 60, []),
        (1002, 1_699_999_999_000, b"only", None, []),
    ]


def test_an_end_marker_has_the_bytes_of_kafka():
    marker = EndMarker(ControlType.COMMIT, coordinator_epoch=21)
    ours = build_end_marker(
        marker, offset=2000, timestamp=1_700_000_001_000, producer_id=77, producer_epoch=3, leader_epoch=4
    )
    assert ours.hex() == KAFKA["end_marker"]
    header, batch = only(ours)
    assert header.is_control
    assert header.is_transactional
    assert read_end_marker(read_records(header, batch)[0]) == marker


@pytest.mark.parametrize("key", [None, b"", b"\x00\x00\x00\x02", b"\x00\x00\x00\x63"])
def test_a_control_record_that_ends_no_transaction_is_refused(key):
    with pytest.raises(CorruptBatchError, match="offset 5"):
        read_end_marker(Record(5, 0, key, bytes(6)))


def test_a_compacted_batch_keeps_its_bounds_and_may_be_empty():
    kept = [Record(12, 1000, b"k", b"v"), Record(17, 1005, None, None)]
    header, batch = only(build_batch(kept, base_offset=10, last_offset=19, base_timestamp=990))
    assert (header.base_offset, header.last_offset, header.record_count) == (10, 19, 2)
    assert plain(read_records(header, batch)) == plain(kept)
    header, batch = only(build_batch([], base_offset=10, last_offset=19, producer_id=4))
    assert (header.base_offset, header.last_offset, header.producer_id) == (10, 19, 4)
    assert read_records(header, batch) == []


@pytest.mark.parametrize(
    ("built", "bounds"),
    [
        ([Record(5, 0, None, None), Record(5, 0, None, None)], {}),
        ([Record(5, 0, None, None), Record(4, 0, None, None)], {}),
        ([Record(5, 0, None, None)], {"base_offset": 6}),
        ([Record(5, 0, None, None)], {"last_offset": 4}),
        ([], {}),
        ([Record(0, 0, None, None), Record(2**31, 0, None, None)], {}),
    ],
    ids=["same offset", "falling offset", "before the base", "after the last", "nothing", "too far apart"],
)
def test_records_that_make_no_batch_are_refused(built, bounds):
    with pytest.raises(ProtocolError, match="no batch can be built"):
        build_batch(built, **bounds)


def test_records_take_the_time_of_the_append_where_the_topic_says_so():
    built = [Record(0, 10, None, b"a"), Record(1, 20, None, b"b")]
    header, batch = only(build_batch(built, attributes=Attribute.LOG_APPEND_TIME))
    assert [record.timestamp for record in read_records(header, batch)] == [20, 20]


def test_batches_are_slices_in_their_order():
    first, second = (build_batch([Record(offset, 0, None, b"v")]) for offset in (0, 7))
    buffer = memoryview(first + second)
    found = list(batches(buffer))
    assert [header.base_offset for header, _ in found] == [0, 7]
    assert [bytes(batch) for _, batch in found] == [first, second]
    assert found[1][1].obj is buffer.obj
    assert list(batches(memoryview(b""))) == []


def test_a_batch_cut_short_is_refused_unless_partial_ones_are_expected():
    one = build_batch([Record(0, 0, None, b"v" * 30)])
    for end in range(1, len(one)):
        cut = memoryview(one + one[:end])
        with pytest.raises(CorruptBatchError):
            list(batches(cut))
        assert len(list(batches(cut, partial=True))) == 1


@pytest.mark.parametrize("magic", [0, 1, 3])
def test_other_formats_are_refused_by_name(magic):
    batch = build_batch([Record(0, 0, None, b"v")])
    batch[16] = magic
    with pytest.raises(UnsupportedMagicError, match=f"v{magic}"):
        list(batches(memoryview(batch)))


@pytest.mark.parametrize(
    ("at", "value"),
    [(8, -1), (8, 48), (8, 10**6), (23, -1), (57, -1)],
    ids=["negative length", "short length", "long length", "negative last offset", "negative count"],
)
def test_a_header_that_cannot_be_true_is_refused(at, value):
    batch = build_batch([Record(0, 0, None, b"v")])
    batch[at : at + 4] = value.to_bytes(4, "big", signed=True)
    with pytest.raises(CorruptBatchError):
        list(batches(memoryview(batch)))


def test_a_flipped_bit_anywhere_under_the_checksum_is_found():
    good = build_batch([Record(0, 0, b"k", b"v")])
    for at in range(21, len(good)):
        bad = bytearray(good)
        bad[at] ^= 0x10
        with suppress(CorruptBatchError):
            for header, batch in batches(memoryview(bad)):
                with pytest.raises(CorruptBatchError, match="checksum"):
                    check_crc(header, batch)


@pytest.mark.parametrize("compression", Compression)
def test_damaged_records_raise_nothing_but_corrupt_batch_errors(compression):
    rng = random.Random(1)
    built = [Record(i, 1000 + i, b"key", b"value" * 9, [("name", b"x")]) for i in range(5)]
    good = build_batch(built, compression=compression)
    for _ in range(400):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            bad[rng.randrange(21, len(bad))] ^= 1 << rng.randrange(8)
        bad[17:21] = checksum(bad).to_bytes(4, "big")
        with suppress(CorruptBatchError):
            for header, batch in batches(memoryview(bad)):
                read_records(header, batch)


@pytest.mark.parametrize("count", [2, 2**31 - 1])
def test_more_records_than_there_are_bytes_for_are_refused(count):
    batch = build_batch([Record(0, 0, None, b"v")])
    batch[57:61] = count.to_bytes(4, "big")
    with pytest.raises(CorruptBatchError):
        read_records(*next(batches(memoryview(batch))))


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 64 * 1024, 200_000])
@pytest.mark.parametrize("kind", ["zeros", "noise"])
def test_compression_is_undone(compression, size, kind):
    data = bytes(size) if kind == "zeros" else random.Random(size).randbytes(size)
    assert decompress(compression, compress(compression, data)) == data


def test_snappy_without_a_frame_is_read():
    import cramjam

    data = bytes(cramjam.snappy.compress_raw(b"value" * 100))
    assert decompress(Compression.SNAPPY, data) == b"value" * 100


@pytest.mark.parametrize("cut", [1, 3, 10])
def test_snappy_blocks_cut_short_are_refused(cut):
    data = compress(Compression.SNAPPY, b"value" * 100)
    with pytest.raises(CorruptBatchError):
        decompress(Compression.SNAPPY, data[:-cut])


def test_a_compression_whose_package_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cramjam", None)
    with pytest.raises(ImportError, match="pip install cramjam"):
        decompress(Compression.ZSTD, b"")
