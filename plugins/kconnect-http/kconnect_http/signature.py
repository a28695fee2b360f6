"""Whether a webhook comes from who knows the secret."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kconnect import Password

ALGORITHMS: Final = ("sha1", "sha256", "sha512")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """`kind` is none, token, hmac or stripe; github is an hmac. Headers come by lower-case names. Any of `secrets` will
    do, so that one can follow another. Texts are compared in constant time."""

    kind: str
    header: str = ""
    secrets: Sequence[Password] = ()
    algorithm: str = "sha256"
    prefix: str = ""
    as_base64: bool = False
    tolerance_s: float = 300.0

    def accepts(self, headers: Mapping[str, str], body: bytes) -> bool:
        if self.kind == "none":
            return True
        given = headers.get(self.header.lower(), "")
        if self.kind == "token":
            return self._is_any(given.removeprefix("Bearer "), [secret.value for secret in self.secrets])
        if self.kind == "stripe":
            return self._is_stripes(given, body)
        return given.startswith(self.prefix) and self._is_any(given[len(self.prefix) :], self._signatures(body))

    def _is_stripes(self, header: str, body: bytes) -> bool:
        """`t=seconds,v1=signature,…` of the time, a dot and the body; an old one may be someone else's copy."""
        items = [item.strip().partition("=") for item in header.split(",")]
        times = [value for name, _, value in items if name == "t"]
        if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()):
            return False
        if abs(time.time() - int(times[0])) > self.tolerance_s:
            return False
        expected = self._signatures(times[0].encode() + b"." + body)
        return any(self._is_any(value, expected) for name, _, value in items if name == "v1")

    def _signatures(self, signed: bytes) -> list[str]:
        found = []
        for secret in self.secrets:
            digest = hmac.new(secret.value.encode(), signed, self.algorithm).digest()
            found.append(base64.b64encode(digest).decode() if self.as_base64 else digest.hex())
        return found

    def _is_any(self, given: str, expected: Sequence[str]) -> bool:
        text = given.encode(errors="surrogateescape")
        matches = [hmac.compare_digest(text, each.encode()) for each in expected]
        return any(matches)
