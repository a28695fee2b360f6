"""Compresses and decompresses the records of a batch, in the framings that Kafka's clients use.

gzip is Python's own. Snappy, LZ4 and Zstandard come from cramjam, imported when a batch needs it.
"""

import zlib
from struct import Struct
from types import ModuleType

from kconnect.log.protocol.batch import Compression
from kconnect.log.protocol.errors import CorruptBatchError

_LENGTH = Struct(">i")
_GZIP_WINDOW = 31
"""zlib's name for the gzip format."""

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_VERSIONS = b"\x00\x00\x00\x01\x00\x00\x00\x01"
_XERIAL_BLOCK = 32 * 1024

_LZ4_HEAD = bytes.fromhex("04224d18604082")
"""Frame of independent blocks of up to 64 KiB without checksums: the only kind that Java clients read."""
_LZ4_BLOCK = 64 * 1024
_LZ4_UNCOMPRESSED = 0x80000000
_LZ4_LENGTH = Struct("<I")


def compress(compression: Compression, data: bytes) -> bytes:
    """Raises ImportError, with what to install, when the compression is not available."""
    match compression:
        case Compression.NONE:
            return data
        case Compression.GZIP:
            packer = zlib.compressobj(wbits=_GZIP_WINDOW)
            return packer.compress(data) + packer.flush()
        case Compression.SNAPPY:
            return _xerial(data)
        case Compression.LZ4:
            return _lz4_frame(data)
        case Compression.ZSTD:
            return bytes(_cramjam(compression).zstd.compress(data))


def decompress(compression: Compression, data: bytes) -> bytes:
    """Raises CorruptBatchError for malformed data, ImportError, with what to install, where nothing can read it."""
    if compression is Compression.NONE:
        return data
    if compression is Compression.GZIP:
        try:
            return zlib.decompress(data, _GZIP_WINDOW)
        except zlib.error as error:
            raise CorruptBatchError(f"compressed records are damaged: {error}") from None
    cramjam = _cramjam(compression)
    try:
        match compression:
            case Compression.SNAPPY:
                return _plain_snappy(data)
            case Compression.LZ4:
                return bytes(cramjam.lz4.decompress(data))
            case _:
                return bytes(cramjam.zstd.decompress(data))
    except cramjam.DecompressionError as error:
        raise CorruptBatchError(f"compressed records are damaged: {error}") from None


def _xerial(data: bytes) -> bytes:
    """Snappy in the frame of Java's library: Java clients read nothing else beyond 32 KiB."""
    snappy = _cramjam(Compression.SNAPPY).snappy
    out = bytearray(_XERIAL_MAGIC + _XERIAL_VERSIONS)
    for start in range(0, len(data), _XERIAL_BLOCK):
        block = snappy.compress_raw(data[start : start + _XERIAL_BLOCK])
        out += _LENGTH.pack(len(block))
        out += block
    return bytes(out)


def _plain_snappy(data: bytes) -> bytes:
    """Of Snappy with the frame of Java's library, or without any, as librdkafka sends it."""
    snappy = _cramjam(Compression.SNAPPY).snappy
    if not data.startswith(_XERIAL_MAGIC):
        return bytes(snappy.decompress_raw(data))
    out = bytearray()
    position = len(_XERIAL_MAGIC) + len(_XERIAL_VERSIONS)
    while position < len(data):
        if position + 4 > len(data):
            raise CorruptBatchError("compressed records are cut short")
        (length,) = _LENGTH.unpack_from(data, position)
        position += 4
        if not 0 <= length <= len(data) - position:
            raise CorruptBatchError(f"a block of compressed records claims a length of {length}")
        out += snappy.decompress_raw(data[position : position + length])
        position += length
    return bytes(out)


def _lz4_frame(data: bytes) -> bytes:
    lz4 = _cramjam(Compression.LZ4).lz4
    out = bytearray(_LZ4_HEAD)
    for start in range(0, len(data), _LZ4_BLOCK):
        plain = data[start : start + _LZ4_BLOCK]
        block = lz4.compress_block(plain, store_size=False)
        if len(block) < len(plain):
            out += _LZ4_LENGTH.pack(len(block))
            out += block
        else:
            out += _LZ4_LENGTH.pack(len(plain) | _LZ4_UNCOMPRESSED)
            out += plain
    return bytes(out + b"\x00\x00\x00\x00")


def _cramjam(compression: Compression) -> ModuleType:
    try:
        import cramjam
    except ImportError:
        raise ImportError(
            f"records compressed with {compression.name.lower()} need the package cramjam: pip install cramjam"
        ) from None
    return cramjam
