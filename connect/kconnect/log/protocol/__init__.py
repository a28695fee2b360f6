"""Kafka's wire protocol, both directions: messages, their codecs, frames.

`requests`, `responses` and `payloads` hold the message classes; codecs are compiled per message and version
when first asked for; record batches pass through as slices, uncopied. `records` reads and writes the batches.
"""

from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.codec import Codec, codec, gather, request, response, versions
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.errors import (
    CorruptBatchError,
    ProtocolError,
    UnsupportedMagicError,
    UnsupportedVersionError,
)
from kconnect.log.protocol.frame import (
    RequestHeader,
    read_request_header,
    read_response_header,
    request_frame,
    request_header_version,
    response_frame,
    response_header_version,
)
from kconnect.log.protocol.message import Buffer, Message

__all__ = [
    "ApiKey",
    "Buffer",
    "Codec",
    "CorruptBatchError",
    "ErrorCode",
    "Message",
    "ProtocolError",
    "RequestHeader",
    "UnsupportedMagicError",
    "UnsupportedVersionError",
    "codec",
    "gather",
    "read_request_header",
    "read_response_header",
    "request",
    "request_frame",
    "request_header_version",
    "response",
    "response_frame",
    "response_header_version",
    "versions",
]
