"""Reads JKS, the Java key store format, which nothing outside Java reads without help.

All numbers are big-endian: magic, version 1 or 2, entries (a private key with its certificate chain, or a trusted
certificate), and at the end a SHA-1 over password, a fixed phrase and everything before.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import textwrap
from dataclasses import dataclass, field

MAGIC = b"\xfe\xed\xfe\xed"
_PHRASE = b"Mighty Aphrodite"
_DIGEST_SIZE = 20
_PRIVATE_KEY, _TRUSTED_CERTIFICATE = 1, 2
# The protection that the JDK gives to keys in a JKS: algorithm 1.3.6.1.4.1.42.2.17.1.1, in DER.
_KEY_PROTECTOR = bytes.fromhex("060a2b060104012a02110101")


class JksError(Exception):
    """The store cannot be read; the message says why and names no secret."""


@dataclass(frozen=True, slots=True)
class PrivateKeyEntry:
    """A key, still encrypted, and its certificate chain in DER form, own certificate first."""

    alias: str
    protected_key: bytes
    chain: tuple[bytes, ...]

    def private_key(self, password: str) -> bytes:
        """The key as PKCS#8 in DER form. Raises JksError when the password is wrong."""
        marker = self.protected_key.find(_KEY_PROTECTOR)
        if marker < 0:
            raise JksError(f"key {self.alias!r} is protected by an algorithm that is not the JDK's own for JKS")
        position = marker + len(_KEY_PROTECTOR)
        if self.protected_key[position : position + 2] == b"\x05\x00":  # NULL parameters
            position += 2
        sealed = _der_octets(self.protected_key, position)
        secret = password.encode("utf-16-be")
        salt, encrypted, checksum = sealed[:_DIGEST_SIZE], sealed[_DIGEST_SIZE:-_DIGEST_SIZE], sealed[-_DIGEST_SIZE:]
        plain = bytes(a ^ b for a, b in zip(encrypted, _keystream(secret, salt, len(encrypted)), strict=True))
        if not hmac.compare_digest(_sha1(secret + plain), checksum):
            raise JksError(f"the password does not open key {self.alias!r}")
        return plain


@dataclass(frozen=True, slots=True)
class KeyStore:
    """What a store holds, in its order."""

    keys: list[PrivateKeyEntry] = field(default_factory=list)
    certificates: list[bytes] = field(default_factory=list)


def read(content: bytes, password: str | None) -> KeyStore:
    """Parse a store. With a password its integrity is checked; without, certificates can still be read, as in Java.
    Raises JksError."""
    if not content.startswith(MAGIC):
        raise JksError("not a JKS store")
    body, digest = content[:-_DIGEST_SIZE], content[-_DIGEST_SIZE:]
    if password is not None and not hmac.compare_digest(_sha1(password.encode("utf-16-be") + _PHRASE + body), digest):
        raise JksError("the key store's password is wrong, or the store was changed")
    try:
        return _entries(_Reader(body, len(MAGIC)))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise JksError("the key store ends too early or is damaged") from error


def pem(label: str, der: bytes) -> str:
    """DER bytes in PEM armour."""
    lines = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


class _Reader:
    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def number(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self.data, self.position)
        self.position += struct.calcsize(layout)
        return int(value)

    def octets(self, layout: str = ">I") -> bytes:
        size = self.number(layout)
        end = self.position + size
        if end > len(self.data):
            raise IndexError(end)
        taken, self.position = self.data[self.position : end], end
        return taken

    def text(self) -> str:
        return self.octets(">H").decode()


def _entries(reader: _Reader) -> KeyStore:
    version = reader.number(">I")
    if version not in (1, 2):
        raise JksError(f"JKS version {version} is not known")
    store = KeyStore()
    for _ in range(reader.number(">I")):
        tag = reader.number(">I")
        alias = reader.text()
        reader.number(">Q")  # when it was made
        if tag == _PRIVATE_KEY:
            key = reader.octets()
            chain = tuple(_certificate(reader, version) for _ in range(reader.number(">I")))
            store.keys.append(PrivateKeyEntry(alias, key, chain))
        elif tag == _TRUSTED_CERTIFICATE:
            store.certificates.append(_certificate(reader, version))
        else:
            raise JksError(f"entry {alias!r} is of the unknown kind {tag}")
    return store


def _certificate(reader: _Reader, version: int) -> bytes:
    if version == 2:
        reader.text()  # X.509
    return reader.octets()


def _der_octets(data: bytes, position: int) -> bytes:
    """The DER octet string at `position`."""
    try:
        tag, size, position = data[position], data[position + 1], position + 2
    except IndexError as error:
        raise JksError("the protected key is damaged") from error
    if size & 0x80:
        width = size & 0x7F
        size = int.from_bytes(data[position : position + width], "big")
        position += width
    if tag != 0x04 or position + size > len(data):
        raise JksError("the protected key is damaged")
    return data[position : position + size]


def _keystream(secret: bytes, salt: bytes, size: int) -> bytes:
    stream = b""
    block = salt
    while len(stream) < size:
        block = _sha1(secret + block)
        stream += block
    return stream[:size]


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()  # the format's own choice
