"""What can be wrong with the bytes of Kafka's protocol.

ProtocolError                     the bytes, or a message to be written, break the protocol
├── UnsupportedVersionError       an API or version outside the tables
└── CorruptBatchError             a record batch whose frame, size or checksum is wrong
    └── UnsupportedMagicError     records of a format older than v2 (or unknown)
"""


class ProtocolError(Exception):
    """The bytes are not a message of the protocol, or a message cannot be written in a version."""


class UnsupportedVersionError(ProtocolError):
    """The API, or this version of it, is not known."""


class CorruptBatchError(ProtocolError):
    """A record batch is damaged."""


class UnsupportedMagicError(CorruptBatchError):
    """A record batch has another format than v2."""

    def __init__(self, magic: int) -> None:
        super().__init__(f"record format v{magic} is not supported, only v2 is: the client is older than Kafka 0.11")
        self.magic = magic
