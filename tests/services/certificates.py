"""Certificates and key stores of an authority that a test makes for itself."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

__all__ = ["PASSWORD", "Authority", "Identity"]

PASSWORD = "store-password"
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A key with its certificate: a PEM file of both, and a PKCS12 store that `PASSWORD` opens, as its key does."""

    pem: Path
    pkcs12: Path
    key: str
    encrypted_key: str
    chain: str


class Authority:
    """Signs certificates for 127.0.0.1 and localhost; `certificate` is a PEM file for those who trust it."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(self._name, self._key.public_key(), self._name, expired=False)
        own = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._certificate = own.sign(self._key, hashes.SHA256())
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def issue(
        self, name: str, *, host: str = "localhost", address: str = "127.0.0.1", expired: bool = False
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ipaddress.ip_address(address))])
        builder = _builder(_name(name), key.public_key(), self._name, expired=expired).add_extension(
            names, critical=False
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        chain = certificate.public_bytes(Encoding.PEM) + self._certificate.public_bytes(Encoding.PEM)
        plain = _pem(key, NoEncryption())
        encrypted = _pem(key, BestAvailableEncryption(PASSWORD.encode()))
        pem, store = self._folder / f"{name}.pem", self._folder / f"{name}.p12"
        pem.write_bytes(plain.encode() + chain)
        protection = BestAvailableEncryption(PASSWORD.encode())
        store.write_bytes(
            pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, [self._certificate], protection)
        )
        return Identity(pem, store, plain, encrypted, chain.decode())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name, *, expired: bool
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    begin, end = (now - 2 * _DAY, now - _DAY) if expired else (now - _DAY, now + _DAY)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _pem(key: ec.EllipticCurvePrivateKey, protection: KeySerializationEncryption) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection).decode()
