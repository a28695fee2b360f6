"""Keys land on the partitions where the Java client puts them."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import confluent_kafka
import pytest

PARTITION_COUNTS = (2, 3, 7, 12, 50, 97)


@pytest.fixture(scope="module")
def placements() -> list[tuple[bytes, tuple[int, ...]]]:
    """10,000 keys, and where the Java client puts each, for each of PARTITION_COUNTS."""
    with gzip.open(Path(__file__).parent / "vectors" / "java_partitions.txt.gz", "rt") as lines:
        rows = [line.rstrip("\n").split(" ") for line in lines if not line.startswith("#")]
    return [(base64.b64decode(row[0] + "=" * (-len(row[0]) % 4)), tuple(map(int, row[1:]))) for row in rows]


def test_librdkafkas_murmur2_is_javas(placements: list[tuple[bytes, tuple[int, ...]]]) -> None:
    assert len(placements) == 10_000
    for key, expected in placements:
        assert tuple(confluent_kafka.murmur2(key, count) for count in PARTITION_COUNTS) == expected, key
