"""Kafka Connect's embedded group protocols, byte for byte (KIP-415, KIP-507).

Each blob begins with the protocol's version, two bytes. Numbers are big-endian; a string is an int16 length and
UTF-8, an array an int32 count and its items (-1: null). Connectors and tasks are written by connector: its name and
the numbers of its tasks, among which -1 stands for the connector itself.

    metadata     version int16, url string, config offset int64, and from version 1: held bytes (null: nothing)
    assignment   version int16, error int16, leader string, leader url string, config offset int64, assigned array,
                 and from version 1: revoked array, delay int32 (milliseconds)
    held         an assignment

As Kafka does, a reader takes a blob of any version that is not negative, and what is missing at its end as nothing.
"""

from __future__ import annotations

import enum


class ConnectProtocol(enum.Enum):
    """How a group shares its work; the value is the subprotocol's name on the wire."""

    EAGER = "default"
    COMPATIBLE = "compatible"
    SESSIONED = "sessioned"

    @property
    def version(self) -> int:
        """What the group's blobs begin with."""
        return _VERSIONS[self]


_VERSIONS = {ConnectProtocol.EAGER: 0, ConnectProtocol.COMPATIBLE: 1, ConnectProtocol.SESSIONED: 2}
