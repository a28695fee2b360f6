"""Integers of variable length: seven bits a byte, the lowest first."""

from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.message import Buffer


def read_uvarint(buffer: Buffer, position: int) -> tuple[int, int]:
    """An unsigned number of up to 32 bits and the position after it.

    Raises ProtocolError when it is longer, IndexError when the buffer ends before it does.
    """
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFFFFFF:
                break
            return value, position
        shift += 7
        if shift > 28:
            break
    raise ProtocolError(f"a number of variable length at byte {position} has more than 32 bits")


def write_uvarint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
