"""SCRAM (RFC 5802, RFC 7677), both sides, as Kafka uses it: without channel binding and without SASLprep."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import Enum

MIN_ITERATIONS = 4096
MAX_ITERATIONS = 1 << 20
"""A server that asks for more would have the client work for seconds."""
_NONCE_BYTES = 24


class ScramError(Exception):
    """The other side breaks the protocol, or is not who it says it is; the message names no secret."""


class ScramMechanism(Enum):
    """A mechanism by its SASL name."""

    SHA_256 = "SCRAM-SHA-256"
    SHA_512 = "SCRAM-SHA-512"

    @property
    def hash_name(self) -> str:
        return self.value.removeprefix("SCRAM-").replace("-", "").lower()

    def digest(self, data: bytes) -> bytes:
        return hashlib.new(self.hash_name, data).digest()

    def mac(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, self.hash_name)

    def salted_password(self, password: str, salt: bytes, iterations: int) -> bytes:
        return hashlib.pbkdf2_hmac(self.hash_name, password.encode(), salt, iterations)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScramCredential:
    """What a server keeps of a password: it can check the password, and cannot log in elsewhere with it."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int

    @classmethod
    def of(cls, mechanism: ScramMechanism, salted_password: bytes, salt: bytes, iterations: int) -> ScramCredential:
        return cls(
            salt=salt,
            stored_key=mechanism.digest(mechanism.mac(salted_password, b"Client Key")),
            server_key=mechanism.mac(salted_password, b"Server Key"),
            iterations=iterations,
        )

    def __repr__(self) -> str:
        return f"ScramCredential(iterations={self.iterations})"


class ScramClient:
    """One login: send `first()`, then `final(answer)`, then give the last answer to `verify`."""

    def __init__(self, mechanism: ScramMechanism, username: str, password: str) -> None:
        self._mechanism = mechanism
        self._password = password
        self._nonce = _nonce()
        self._first_bare = f"n={_escaped(username)},r={self._nonce}"
        self._server_signature: bytes | None = None

    def first(self) -> bytes:
        return f"n,,{self._first_bare}".encode()

    def final(self, server_first: bytes) -> bytes:
        """Raises ScramError for an answer that is not one to `first`."""
        text = _text(server_first)
        fields = _fields(text)
        nonce, salt, iterations = fields.get("r", ""), _decoded(fields.get("s", "")), fields.get("i", "")
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise ScramError("the server's nonce does not go on from the client's")
        if not iterations.isdecimal() or not MIN_ITERATIONS <= int(iterations) <= MAX_ITERATIONS:
            raise ScramError(f"the server asks for {iterations or 'no'} iterations")
        without_proof = f"c=biws,r={nonce}"
        auth_message = f"{self._first_bare},{text},{without_proof}".encode()
        mechanism = self._mechanism
        salted = mechanism.salted_password(self._password, salt, int(iterations))
        client_key = mechanism.mac(salted, b"Client Key")
        signature = mechanism.mac(mechanism.digest(client_key), auth_message)
        self._server_signature = mechanism.mac(mechanism.mac(salted, b"Server Key"), auth_message)
        return f"{without_proof},p={_encoded(_xor(client_key, signature))}".encode()

    def verify(self, server_final: bytes) -> None:
        """Raises ScramError unless the server knows the password's credential, too."""
        fields = _fields(_text(server_final))
        if "e" in fields:
            raise ScramError(f"the server refuses: {fields['e']}")
        signature = _decoded(fields.get("v", ""))
        if self._server_signature is None or not hmac.compare_digest(signature, self._server_signature):
            raise ScramError("the server's signature is wrong: it does not know this user's credential")


class ScramServer:
    """One login from the server's side: `username` of the client's first message, then `first`, then `final`."""

    def __init__(self, mechanism: ScramMechanism, client_first: bytes) -> None:
        """Raises ScramError for what is no first message, and for logging in on behalf of somebody else."""
        text = _text(client_first)
        binding, authorization, bare = ([*text.split(",", 2), "", ""])[:3]
        if binding not in ("n", "y"):
            raise ScramError("channel binding is not served")
        fields = _fields(bare)
        self._nonce = fields.get("r", "")
        self.username = _unescaped(fields.get("n", ""))
        if not self._nonce or not self.username:
            raise ScramError("the first message names no user, or has no nonce")
        if authorization and authorization.removeprefix("a=") != fields["n"]:
            raise ScramError("a user may log in for himself only")
        self._mechanism = mechanism
        self._header = f"{binding},{authorization},".encode()
        self._first_bare = bare
        self._server_first = ""

    def first(self, credential: ScramCredential) -> bytes:
        """The challenge. An unknown user gets one too, with a made-up credential."""
        self._nonce += _nonce()
        self._credential = credential
        self._server_first = f"r={self._nonce},s={_encoded(credential.salt)},i={credential.iterations}"
        return self._server_first.encode()

    def final(self, client_final: bytes) -> bytes:
        """The proof that the server knows the credential. Raises ScramError where the client's proof is wrong."""
        without_proof, _, proof_text = _text(client_final).rpartition(",p=")
        fields = _fields(without_proof)
        if fields.get("r") != self._nonce or _decoded(fields.get("c", "")) != self._header:
            raise ScramError("the final message does not belong to the first")
        mechanism, credential = self._mechanism, self._credential
        auth_message = f"{self._first_bare},{self._server_first},{without_proof}".encode()
        proof = _decoded(proof_text)
        signature = mechanism.mac(credential.stored_key, auth_message)
        if len(proof) != len(signature) or not hmac.compare_digest(
            mechanism.digest(_xor(proof, signature)), credential.stored_key
        ):
            raise ScramError("the password is wrong")
        return f"v={_encoded(mechanism.mac(credential.server_key, auth_message))}".encode()


def _nonce() -> str:
    return secrets.token_urlsafe(_NONCE_BYTES)


def _fields(text: str) -> dict[str, str]:
    return {part[:1]: part[2:] for part in text.split(",") if part[1:2] == "="}


def _text(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError as error:
        raise ScramError("the message is not text") from error


def _escaped(name: str) -> str:
    return name.replace("=", "=3D").replace(",", "=2C")


def _unescaped(name: str) -> str:
    return name.replace("=2C", ",").replace("=3D", "=")


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ScramError("the message is not in base64 where it should be") from error


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
