"""Quotas of clients, where nobody has set any: asked for by tools as they describe users and clients."""

from __future__ import annotations

from typing import Any

import pytest

from interop.conftest import Cluster
from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.testing.raw_client import RawClient

pytestmark = pytest.mark.interop

EXACT, DEFAULT, SPECIFIED = 0, 1, 2


def component(entity_type: str, match_type: int, match: str | None = None) -> Any:
    return requests.DescribeClientQuotas.ComponentData(entity_type=entity_type, match_type=match_type, match=match)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("components", "strict", "error"),
    [
        ([], False, ErrorCode.NONE),
        ([component("user", EXACT, "alice")], True, ErrorCode.NONE),
        ([component("user", SPECIFIED), component("client-id", DEFAULT)], False, ErrorCode.NONE),
        ([component("ip", EXACT, "127.0.0.1")], False, ErrorCode.NONE),
        ([component("ip", SPECIFIED), component("user", SPECIFIED)], False, ErrorCode.INVALID_REQUEST),
        ([component("user", SPECIFIED), component("user", DEFAULT)], False, ErrorCode.INVALID_REQUEST),
        ([component("", SPECIFIED)], False, ErrorCode.INVALID_REQUEST),
        ([component("planet", SPECIFIED)], False, ErrorCode.UNSUPPORTED_VERSION),
        ([component("user", EXACT)], False, ErrorCode.INVALID_REQUEST),
        ([component("user", DEFAULT, "alice")], False, ErrorCode.INVALID_REQUEST),
        ([component("user", 3)], False, ErrorCode.INVALID_REQUEST),
    ],
)
def test_there_are_none_and_filters_are_checked(
    cluster: Cluster, version: int, components: list[Any], strict: bool, error: ErrorCode
) -> None:
    request = requests.DescribeClientQuotas(components=components, strict=strict)
    with RawClient(cluster.bootstrap) as client:
        answer = client.call(ApiKey.DESCRIBE_CLIENT_QUOTAS, version, request)
    assert ErrorCode(answer.error_code) is error
    assert (answer.entries or []) == []
    if error is ErrorCode.NONE:
        assert answer.entries == []
