import random
from contextlib import suppress
from struct import pack

import pytest

from kconnect.log.protocol import (
    ApiKey,
    Message,
    ProtocolError,
    UnsupportedVersionError,
    codec,
    gather,
    request,
    requests,
    response,
    responses,
    versions,
)
from kconnect.log.protocol.definition import Versions, api_names


def encoded(message: Message, version: int) -> bytes:
    out = bytearray()
    cuts = []
    codec(type(message), version).write(message, out, cuts)
    return b"".join(gather(out, cuts))


def test_a_message_reads_what_it_wrote_in_every_version(message, message_versions, fill):
    for version in message_versions:
        for seed in range(4):
            filled = fill(message, version, seed)
            data = encoded(filled, version)
            assert codec(message, version).read(memoryview(data)) == (filled, len(data)), version


def test_the_defaults_of_a_message_can_be_written_in_every_version(message, message_versions):
    for version in message_versions:
        data = encoded(message(), version)
        assert codec(message, version).read(memoryview(data)) == (message(), len(data)), version


def test_a_message_may_start_in_the_middle_of_a_buffer(message, message_versions, fill):
    for version in message_versions:
        filled = fill(message, version, 1)
        data = b"head" + encoded(filled, version)
        assert codec(message, version).read(memoryview(data + b"tail"), 4) == (filled, len(data)), version


def test_every_truncation_is_refused(message, message_versions, fill):
    for version in message_versions:
        data = encoded(fill(message, version, 2), version)
        rng = random.Random(len(data))
        for end in range(len(data)) if len(data) < 60 else rng.sample(range(len(data)), 60):
            with pytest.raises(ProtocolError):
                codec(message, version).read(memoryview(data)[:end])


def test_flipped_bits_and_noise_raise_nothing_but_protocol_errors(message, message_versions, fill):
    for version in message_versions:
        rng = random.Random(version)
        data = encoded(fill(message, version, 3), version) or b"\x00"
        for _ in range(40):
            damaged = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            for sample in (damaged, rng.randbytes(rng.randrange(200))):
                with suppress(ProtocolError):
                    codec(message, version).read(memoryview(sample))


def test_records_are_slices_of_what_was_received():
    buffer = memoryview(encoded(produce(records=b"batch"), 9))
    read, _ = request(ApiKey.PRODUCE, 9).read(buffer)
    records = read.topic_data[0].partition_data[0].records
    assert records == b"batch"
    assert records.obj is buffer.obj


def test_records_are_sent_without_being_copied():
    records = memoryview(b"batch")
    out = bytearray()
    cuts = []
    request(ApiKey.PRODUCE, 9).write(produce(records=records), out, cuts)
    parts = gather(out, cuts)
    assert len(parts) == 3
    assert parts[1] is records


def produce(records: bytes | memoryview | None) -> requests.Produce:
    partition = requests.Produce.PartitionProduceData(index=1, records=records)
    return requests.Produce(
        acks=-1,
        topic_data=[requests.Produce.TopicProduceData(name="orders", partition_data=[partition])],
    )


@pytest.mark.parametrize("length", [-2, -(2**31), 2**31 - 1, 1000])
def test_an_array_length_that_cannot_be_true_is_refused_before_anything_is_allocated(length):
    with pytest.raises(ProtocolError, match=rf"Metadata.topics claims a length of {length}"):
        request(ApiKey.METADATA, 1).read(memoryview(pack(">i", length) + bytes(20)))


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff\x7f", b"\xff" * 12, b"\x80" * 12])
def test_a_compact_length_that_cannot_be_true_is_refused(data):
    with pytest.raises(ProtocolError):
        request(ApiKey.METADATA, 9).read(memoryview(data + bytes(20)))


def test_null_where_there_must_be_a_value_is_refused():
    with pytest.raises(ProtocolError, match=r"Heartbeat\.group_id is null"):
        request(ApiKey.HEARTBEAT, 0).read(memoryview(b"\xff\xff" + bytes(20)))


def test_a_string_that_is_not_utf8_is_refused():
    with pytest.raises(ProtocolError, match="not UTF-8"):
        request(ApiKey.HEARTBEAT, 0).read(memoryview(b"\x00\x02\xc3\x28" + bytes(20)))


def test_tagged_fields_that_are_not_known_are_passed_over():
    data = bytearray(encoded(requests.Heartbeat(group_id="g", member_id="m"), 4))
    assert data[-1] == 0
    data[-1:] = b"\x02\x07\x03abc\x09\x00"
    read, end = request(ApiKey.HEARTBEAT, 4).read(memoryview(data))
    assert (read.group_id, end) == ("g", len(data))


def test_a_tagged_field_whose_size_is_wrong_is_refused():
    data = bytearray(encoded(requests.Fetch(cluster_id="abc"), 12))
    at = data.index(b"\x00\x04\x04abc")
    data[at + 1] = 5
    with pytest.raises(ProtocolError, match="cluster_id"):
        request(ApiKey.FETCH, 12).read(memoryview(data))


def test_tagged_fields_at_their_default_are_not_sent():
    plain = encoded(responses.Fetch(responses=[responses.Fetch.FetchableTopicResponse()]), 13)
    same = responses.Fetch(responses=[responses.Fetch.FetchableTopicResponse()], node_endpoints=[])
    assert encoded(same, 13) == plain


def test_a_field_that_matters_and_that_the_version_lacks_cannot_be_written():
    message = requests.JoinGroup(group_id="g", group_instance_id="static")
    with pytest.raises(ProtocolError, match=r"requests.JoinGroup v4: JoinGroup.group_instance_id is set to 'static'"):
        encoded(message, 4)
    assert encoded(message, 5)


def test_a_field_that_does_not_matter_is_left_out_of_older_versions():
    message = requests.JoinGroup(group_id="g", reason="rebalance")
    assert encoded(message, 7) == encoded(requests.JoinGroup(group_id="g"), 7)


@pytest.mark.parametrize(
    "heartbeat",
    [
        requests.Heartbeat(group_id="g" * 40_000),
        requests.Heartbeat(generation_id=2**31),
        requests.Heartbeat(group_id=None),  # type: ignore[arg-type]
    ],
    ids=["too long", "too large", "missing"],
)
def test_a_value_that_does_not_fit_cannot_be_written(heartbeat):
    with pytest.raises(ProtocolError, match=r"requests\.Heartbeat v3: a value does not fit"):
        encoded(heartbeat, 3)


def test_arrays_of_a_new_message_are_its_own():
    first, second = requests.Metadata(), requests.Metadata()
    first.topics.append(requests.Metadata.Topic(name="a"))
    assert second.topics == []


def test_a_field_that_no_version_has_is_refused():
    with pytest.raises(TypeError, match="topicz"):
        requests.Metadata(topicz=[])


@pytest.mark.parametrize(("api_key", "version"), [(ApiKey.FETCH, 3), (ApiKey.FETCH, 99), (ApiKey.FETCH, -1), (999, 0)])
@pytest.mark.parametrize("direction", [request, response])
def test_an_unknown_api_or_version_is_refused(direction, api_key, version):
    with pytest.raises(UnsupportedVersionError, match=str(version if api_key == ApiKey.FETCH else api_key)):
        direction(api_key, version)


def test_codecs_are_made_once():
    assert request(ApiKey.FETCH, 11) is request(ApiKey.FETCH, 11) is codec(requests.Fetch, 11)


def test_request_and_response_have_the_same_versions():
    for name in api_names().values():
        ours = getattr(requests, name).definition, getattr(responses, name).definition
        assert ours[0].key == ours[1].key
        assert ours[0].versions == ours[1].versions, name


def test_every_api_key_has_its_messages():
    names = {key: key.name.replace("_", "").lower() for key in ApiKey}
    assert {ApiKey(key): name.lower() for key, name in api_names().items()} == names
    assert versions(ApiKey.FETCH) == (4, 18)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("3", [3], [2, 4]), ("3-5", [3, 4, 5], [2, 6]), ("3+", [3, 32767], [2]), ("none", [], [0, 1, 32767])],
)
def test_version_ranges(text, inside, outside):
    parsed = Versions.parse(text)
    assert all(parsed.covers(version) for version in inside)
    assert not any(parsed.covers(version) for version in outside)
