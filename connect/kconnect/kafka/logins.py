"""SASL logins from a client's side: each yields its tokens, is sent the broker's, and ends when it is content."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TypeAlias

from kconnect.errors import ConnectError
from kconnect.security.scram import ScramClient, ScramError, ScramMechanism

Login: TypeAlias = Generator[bytes, bytes, None]
"""Raises ConnectError where the broker refuses, or is not who it should be."""


def plain(username: str, password: str) -> Login:
    yield f"\0{username}\0{password}".encode()


def scram(mechanism: ScramMechanism, username: str, password: str) -> Login:
    client = ScramClient(mechanism, username, password)
    try:
        challenge = yield client.first()
        proof = yield client.final(challenge)
        client.verify(proof)
    except ScramError as error:
        raise ConnectError(str(error)) from error


def oauthbearer(token: str, extensions: Mapping[str, str]) -> Login:
    parts = [f"auth=Bearer {token}", *(f"{name}={value}" for name, value in extensions.items())]
    refusal = yield ("n,,\x01" + "\x01".join(parts) + "\x01\x01").encode()
    if refusal:
        yield b"\x01"  # the broker tells its error only then
        raise ConnectError(f"the token is refused: {refusal.decode(errors='replace')}")
