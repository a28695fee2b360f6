"""Where in an internal topic what belongs to a group, or to a transactional id, lies."""

from __future__ import annotations


def partition_for(key: str, partitions: int) -> int:
    """The partition of `key`, of so many: the one in which Kafka looks for it."""
    return (_java_hash(key) & 0x7FFFFFFF) % partitions


def _java_hash(text: str) -> int:
    """What Java's String.hashCode gives, unsigned."""
    result = 0
    encoded = text.encode("utf-16-be", "surrogatepass")
    for i in range(0, len(encoded), 2):
        result = (31 * result + (encoded[i] << 8 | encoded[i + 1])) & 0xFFFFFFFF
    return result
