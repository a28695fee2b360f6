"""One blocking connection to a broker, for requests that librdkafka does not offer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from typing import TypeVar

from kconnect.errors import ConnectError, RetriableError
from kconnect.kafka.security import Security
from kconnect.log.protocol import (
    ApiKey,
    ErrorCode,
    Message,
    ProtocolError,
    RequestHeader,
    codec,
    read_response_header,
    request_frame,
    requests,
    responses,
    versions,
)

M = TypeVar("M", bound=Message)

MAX_RESPONSE_BYTES = 100 * 1024 * 1024
_SIZE = struct.Struct(">i")
_USED_OF_SESSION = 0.8
_UNPROTECTED = Security()


class Connection:
    """Sends one request at a time and waits for its answer. Used by one thread.

    `timeout` is the time in seconds for connecting, and again for each request that has none of its own. Where the
    broker ends sessions, the connection logs in again in time, before a request. Raises RetriableError, with broker
    and API in its message, when the broker is away, silent or hangs up, and ConnectError when it refuses the client,
    or is not to be trusted; the connection is of no use then.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        security: Security = _UNPROTECTED,
        client_id: str = "kconnect",
        timeout: float = 10.0,
    ) -> None:
        self.address = f"{host}:{port}"
        self.client_id = client_id
        self.timeout = timeout
        self._security = security
        self._correlation_id = 0
        self._login_due_at: float | None = None
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise RetriableError(f"cannot connect to the broker at {self.address}: {error}") from error
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if security.tls is not None:
                self._encrypt(security.tls, host)
            self._offered = self._api_versions()
            self._log_in()
        except BaseException:
            self.close()
            raise

    def ask(
        self, request: Message, response: type[M], *, at_most: int | None = None, timeout: float | None = None
    ) -> M:
        """Send `request` in the newest version that both sides know, or `at_most`, and return the answer, whose
        error code is the caller's to look at. Raises ConnectError where there is no such version."""
        if self._login_due_at is not None and time.monotonic() >= self._login_due_at:
            self._log_in()
        return self._ask(request, response, at_most, timeout)

    def abort(self) -> None:
        """Have a request that waits in another thread fail at once, with RetriableError; `close` is still to follow."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()

    def _encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        try:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise ConnectError(
                f"the certificate of the broker at {self.address} is not to be trusted: {error.verify_message}; see "
                "ssl.truststore.location and ssl.endpoint.identification.algorithm"
            ) from error
        except ssl.SSLError as error:
            raise self._tls_failure(error) from error
        except OSError as error:
            raise RetriableError(
                f"the broker at {self.address} ended the TLS handshake: {error or 'no answer in time'}"
            ) from error

    def _tls_failure(self, error: ssl.SSLError) -> ConnectError:
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return ConnectError(
            f"no TLS connection with {self.address}: {reason}; see that it is a broker's TLS listener, and whether it "
            "wants a certificate of the client (ssl.keystore.location)"
        )

    def _api_versions(self) -> dict[int, tuple[int, int]]:
        """What the broker offers. Version 0, which every broker answers, saves the second attempt that a newer one
        may need."""
        answer = self._exchange(ApiKey.API_VERSIONS, 0, requests.ApiVersions(), responses.ApiVersions, self.timeout)
        if answer.error_code:
            raise ConnectError(f"the broker at {self.address} tells no versions: {ErrorCode(answer.error_code).name}")
        return {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}

    def _log_in(self) -> None:
        mechanism = self._security.mechanism
        if mechanism is None or self._security.log_in is None:
            return
        offered = self._ask(requests.SaslHandshake(mechanism=mechanism), responses.SaslHandshake)
        if offered.error_code:
            told = ", ".join(offered.mechanisms) or "nothing (security.protocol)"
            raise ConnectError(
                f"the broker at {self.address} does not let clients log in by {mechanism}, but by {told}"
            )
        login = self._security.log_in()
        try:
            token = next(login)
            while True:
                answer = self._ask(requests.SaslAuthenticate(auth_bytes=token), responses.SaslAuthenticate)
                if answer.error_code:
                    raise ConnectError(
                        f"{answer.error_message or ErrorCode(answer.error_code).name} (sasl.jaas.config)"
                    )
                token = login.send(bytes(answer.auth_bytes))
        except StopIteration:
            lifetime = answer.session_lifetime_ms / 1000
            self._login_due_at = time.monotonic() + _USED_OF_SESSION * lifetime if lifetime > 0 else None
        except RetriableError:
            raise
        except ConnectError as error:
            raise ConnectError(f"no login at {self.address} by {mechanism}: {error}") from error

    def _ask(self, request: Message, response: type[M], at_most: int | None = None, timeout: float | None = None) -> M:
        api = ApiKey(request.definition.key)
        ours = versions(api)
        first, last = self._offered.get(api, (0, -1))
        version = min(ours.last, last, ours.last if at_most is None else at_most)
        if version < max(ours.first, first):
            offered = f"versions {first} to {last}" if last >= 0 else "nothing"
            raise ConnectError(
                f"the broker at {self.address} offers {offered} of {api.name}, this client speaks "
                f"{ours.first} to {ours.last}: one of them is too old"
            )
        return self._exchange(api, version, request, response, self.timeout if timeout is None else timeout)

    def _exchange(self, api: ApiKey, version: int, request: Message, response: type[M], timeout: float) -> M:
        self._correlation_id += 1
        header = RequestHeader(api, version, self._correlation_id, self.client_id)
        frame = b"".join(request_frame(header, request))
        deadline = time.monotonic() + timeout
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(frame)
            (size,) = _SIZE.unpack(self._receive(_SIZE.size, deadline))
            if not 0 < size <= MAX_RESPONSE_BYTES:
                raise ProtocolError(f"an answer of {size} bytes")
            answer = self._receive(size, deadline)
            correlation_id, position = read_response_header(api, version, answer)
            if correlation_id != self._correlation_id:
                raise ProtocolError(f"answer {correlation_id} to request {self._correlation_id}")
            message: M = codec(response, version).read(answer, position)[0]
            return message
        except TimeoutError as error:
            self.close()
            raise RetriableError(f"the broker at {self.address} did not answer {api.name} in {timeout:g} s") from error
        except ssl.SSLError as error:
            self.close()
            if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                raise self._hung_up(api, error) from error
            raise self._tls_failure(error) from error
        except OSError as error:
            self.close()
            raise self._hung_up(api, error) from error
        except ProtocolError as error:
            self.close()
            raise ConnectError(
                f"what listens at {self.address} does not speak Kafka's protocol (asked {api.name}): {error}; "
                "see that it is a broker's listener, and security.protocol that listener's"
            ) from error

    def _hung_up(self, api: ApiKey, error: OSError) -> RetriableError:
        # With TLS 1.3 a client has shaken hands before the broker looks at its certificate, and what the broker says
        # to it may be lost on the way.
        is_first_over_tls = api is ApiKey.API_VERSIONS and self._security.tls is not None
        hint = "; it may want a certificate that it trusts (ssl.keystore.location)" if is_first_over_tls else ""
        return RetriableError(f"the broker at {self.address} hung up on {api.name}: {error}{hint}")

    def _receive(self, size: int, deadline: float) -> bytes:
        chunks = bytearray()
        while len(chunks) < size:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            self._socket.settimeout(remaining)
            chunk = self._socket.recv(min(size - len(chunks), 1 << 20))
            if not chunk:
                raise ConnectionResetError("connection closed")
            chunks += chunk
        return bytes(chunks)
