from struct import pack

import pytest
from kio.schema.request_header.v1.header import RequestHeader as KioHeader1
from kio.schema.request_header.v2.header import RequestHeader as KioHeader2
from kio.serial import entity_reader

from kconnect.log.protocol import (
    ApiKey,
    ProtocolError,
    RequestHeader,
    UnsupportedVersionError,
    read_request_header,
    read_response_header,
    request,
    request_frame,
    request_header_version,
    requests,
    response,
    response_frame,
    response_header_version,
    responses,
)


def joined(parts):
    return memoryview(b"".join(parts))


@pytest.mark.parametrize("client_id", [None, "", "librdkafka", "клиент"])
@pytest.mark.parametrize(("version", "kio"), [(8, KioHeader1), (9, KioHeader2)])
def test_a_request_comes_back_from_its_frame(version, kio, client_id):
    header = RequestHeader(ApiKey.METADATA, version, 77, client_id)
    body = requests.Metadata(topics=[requests.Metadata.Topic(name="orders")])
    frame = joined(request_frame(header, body))
    assert frame[:4] == pack(">i", len(frame) - 4)
    read, position = read_request_header(frame, 4)
    assert read == header
    assert request(ApiKey.METADATA, version).read(frame, position) == (body, len(frame))
    theirs, size = entity_reader(kio)(bytes(frame), 4)
    assert (theirs.correlation_id, theirs.client_id, size + 4) == (77, client_id, position)


@pytest.mark.parametrize("version", [0, 2, 3, 4])
def test_the_answer_to_api_versions_never_has_tags_in_its_header(version):
    body = responses.ApiVersions(error_code=35)
    frame = joined(response_frame(ApiKey.API_VERSIONS, version, 9, body))
    assert read_response_header(ApiKey.API_VERSIONS, version, frame, 4) == (9, 8)
    assert response(ApiKey.API_VERSIONS, version).read(frame, 8) == (body, len(frame))


@pytest.mark.parametrize(("version", "body_at"), [(11, 8), (12, 9)])
def test_a_response_comes_back_from_its_frame(version, body_at):
    partition = responses.Fetch.PartitionData(high_watermark=7, records=b"batch")
    topic = responses.Fetch.FetchableTopicResponse(topic="orders", partitions=[partition])
    body = responses.Fetch(responses=[topic])
    parts = response_frame(ApiKey.FETCH, version, 5, body)
    assert parts[1] is partition.records
    frame = joined(parts)
    assert frame[:4] == pack(">i", len(frame) - 4)
    assert read_response_header(ApiKey.FETCH, version, frame, 4) == (5, body_at)
    assert response(ApiKey.FETCH, version).read(frame, body_at) == (body, len(frame))


@pytest.mark.parametrize(
    ("api_key", "version", "request_header", "response_header"),
    [
        (ApiKey.PRODUCE, 8, 1, 0),
        (ApiKey.PRODUCE, 9, 2, 1),
        (ApiKey.API_VERSIONS, 2, 1, 0),
        (ApiKey.API_VERSIONS, 3, 2, 0),
        (ApiKey.API_VERSIONS, 99, 2, 0),
        (ApiKey.SASL_HANDSHAKE, 1, 1, 0),
        (ApiKey.OFFSET_DELETE, 0, 1, 0),
        (ApiKey.DESCRIBE_CLUSTER, 0, 2, 1),
    ],
)
def test_header_versions(api_key, version, request_header, response_header):
    assert request_header_version(api_key, version) == request_header
    assert response_header_version(api_key, version) == response_header


def test_the_header_of_a_version_that_is_not_known_can_be_read():
    data = pack(">hhih", ApiKey.API_VERSIONS, 99, 1, 1) + b"c\x00body"
    assert read_request_header(data) == (RequestHeader(ApiKey.API_VERSIONS, 99, 1, "c"), 12)


def test_tags_in_a_header_are_passed_over():
    data = pack(">hhih", ApiKey.API_VERSIONS, 3, 1, -1) + b"\x02\x00\x03abc\x05\x00body"
    assert read_request_header(data) == (RequestHeader(ApiKey.API_VERSIONS, 3, 1, None), 18)
    assert read_response_header(ApiKey.FETCH, 12, pack(">i", 4) + b"\x01\x00\x01ax") == (4, 8)


def test_an_api_that_is_not_known_is_refused():
    with pytest.raises(UnsupportedVersionError, match="API key 999"):
        read_request_header(pack(">hhih", 999, 0, 1, -1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pack(">hhi", 0, 9, 1),
        pack(">hhih", 0, 9, 1, -1),
        pack(">hhih", 0, 9, 1, -2) + bytes(9),
        pack(">hhih", 0, 3, 1, 50) + b"short",
        pack(">hhih", 0, 3, 1, 2) + b"\xc3\x28",
        pack(">hhih", 0, 9, 1, -1) + b"\x01\x00\x70",
        pack(">hhih", 0, 9, 1, -1) + b"\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_a_malformed_request_header_is_refused(data):
    with pytest.raises(ProtocolError):
        read_request_header(data)


def test_a_client_id_that_is_too_long_is_refused():
    header = RequestHeader(ApiKey.HEARTBEAT, 0, 1, "x" * 40_000)
    with pytest.raises(ProtocolError, match="does not fit"):
        request_frame(header, requests.Heartbeat())


@pytest.mark.parametrize("data", [b"\x00\x00\x00", b"\x00\x00\x00\x01", b"\x00\x00\x00\x01\x01\x00\x70"])
def test_a_malformed_response_header_is_refused(data):
    with pytest.raises(ProtocolError):
        read_response_header(ApiKey.FETCH, 12, data)
