"""Session keys: what the workers of a pool sign their requests to one another with (KIP-507)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Callable, Mapping

from kconnect.errors import ConfigError
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.herder.pool import ForbiddenError, NotReadyError
from kconnect_workers.stores.config_records import SessionKey
from kconnect_workers.stores.config_store import ConfigStore

SIGNATURE = "X-Connect-Authorization"
ALGORITHM = "X-Connect-Request-Signature-Algorithm"

_DIGESTS = {
    "HmacMD5": "md5",
    "HmacSHA1": "sha1",
    "HmacSHA224": "sha224",
    "HmacSHA256": "sha256",
    "HmacSHA384": "sha384",
    "HmacSHA512": "sha512",
}
_KEY_BITS = {
    "HmacMD5": 512,
    "HmacSHA1": 512,
    "HmacSHA224": 224,
    "HmacSHA256": 256,
    "HmacSHA384": 384,
    "HmacSHA512": 512,
}
"""Java's own sizes of generated keys."""


class SessionKeys:
    """The key is in the config topic; the pool's leader makes it, and a new one when it is too old. `now_ms` is the
    time in milliseconds since the epoch."""

    def __init__(
        self, configs: ConfigStore, config: DistributedConfig, now_ms: Callable[[], float] = lambda: time.time() * 1000
    ) -> None:
        self._configs = configs
        self._config = config
        self._now_ms = now_ms

    async def renew(self) -> float:
        """As the leader: make a key when there is none or it is too old. Returns in how many seconds it will be, at
        most an hour. ConnectError when it cannot be stored."""
        if self._left_ms() <= 0:
            algorithm = self._config.inter_worker_key_generation_algorithm
            size = (self._config.inter_worker_key_size or _KEY_BITS[algorithm]) // 8
            await self._configs.put_session_key(SessionKey(secrets.token_bytes(size), algorithm, int(self._now_ms())))
        return min(self._left_ms() / 1000, 3600.0)

    def sign(self, body: bytes) -> dict[str, str]:
        """The headers of a request with this body. NotReadyError while there is no key."""
        algorithm = self._config.inter_worker_signature_algorithm
        signature = hmac.digest(self._key(), body, _DIGESTS[algorithm])
        return {SIGNATURE: base64.b64encode(signature).decode(), ALGORITHM: algorithm}

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Return when the request comes from a worker of the pool. ConfigError when it is not signed, or by an
        algorithm that is not accepted here, ForbiddenError when it is signed with another key, NotReadyError while
        there is no key."""
        signature, algorithm = headers.get(SIGNATURE), headers.get(ALGORITHM)
        if not signature or not algorithm:
            raise ConfigError("a request between workers needs a signature, and has none")
        accepted = self._config.inter_worker_verification_algorithms
        if algorithm not in accepted:
            raise ConfigError(
                f"signed by {algorithm}, and this worker accepts {', '.join(accepted)}",
                key="inter.worker.verification.algorithms",
                suggestion="let all workers of the pool accept what each of them signs with",
            )
        expected = hmac.digest(self._key(), body, _DIGESTS[algorithm])
        try:
            given = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            given = b""
        if not hmac.compare_digest(given, expected):
            raise ForbiddenError("the request's signature is not one of this pool's workers")

    def _key(self) -> bytes:
        session_key = self._configs.state.session_key
        if session_key is None:
            raise NotReadyError("this worker has not read a session key from the config topic yet; ask again soon")
        return session_key.key

    def _left_ms(self) -> float:
        """How long the key is still used: 0 and less where there is none, or it is too old."""
        session_key, ttl_ms = self._configs.state.session_key, self._config.inter_worker_key_ttl_ms
        if session_key is None:
            return 0.0
        return float("inf") if ttl_ms == 0 else session_key.creation_timestamp + ttl_ms - self._now_ms()
