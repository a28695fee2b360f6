"""One blocking connection to a broker, for requests that librdkafka does not offer."""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType
from typing import Self, TypeVar

from kconnect.errors import ConnectError, RetriableError
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


class Connection:
    """Sends one request at a time and waits for its answer. Used by one thread.

    `timeout` is the time in seconds for connecting, and again for each request. Raises RetriableError, with broker
    and API in its message, when the broker is away, silent or hangs up; the connection is of no use then.
    """

    def __init__(self, host: str, port: int, *, client_id: str = "kconnect", timeout: float = 10.0) -> None:
        self.address = f"{host}:{port}"
        self.client_id = client_id
        self.timeout = timeout
        self._correlation_id = 0
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise RetriableError(f"cannot connect to the broker at {self.address}: {error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._offered = self._api_versions()
        except BaseException:
            self.close()
            raise

    def ask(self, request: Message, response: type[M], *, at_most: int | None = None) -> M:
        """Send `request` in the newest version that both sides know, or `at_most`, and return the answer, whose
        error code is the caller's to look at. Raises ConnectError where there is no such version."""
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
        return self._exchange(api, version, request, response)

    def close(self) -> None:
        """May be called twice."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _api_versions(self) -> dict[int, tuple[int, int]]:
        """What the broker offers. Version 0, which every broker answers, saves the second attempt that a newer one
        may need."""
        answer = self._exchange(ApiKey.API_VERSIONS, 0, requests.ApiVersions(), responses.ApiVersions)
        if answer.error_code:
            raise ConnectError(f"the broker at {self.address} tells no versions: {ErrorCode(answer.error_code).name}")
        return {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}

    def _exchange(self, api: ApiKey, version: int, request: Message, response: type[M]) -> M:
        self._correlation_id += 1
        header = RequestHeader(api, version, self._correlation_id, self.client_id)
        frame = b"".join(request_frame(header, request))
        deadline = time.monotonic() + self.timeout
        try:
            self._socket.settimeout(self.timeout)
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
            raise RetriableError(
                f"the broker at {self.address} did not answer {api.name} in {self.timeout:g} s"
            ) from error
        except OSError as error:
            self.close()
            raise RetriableError(f"the broker at {self.address} hung up on {api.name}: {error}") from error
        except ProtocolError as error:
            self.close()
            raise ConnectError(
                f"what listens at {self.address} does not speak Kafka's protocol (asked {api.name}): {error}; "
                "see that it is a broker's plaintext listener"
            ) from error

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
