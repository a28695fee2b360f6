"""An HTTP server of a test's own: it notes every request, and answers as the test says."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["HttpServer", "Request", "Response", "running_http_server"]


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` by lower-case names; `query` has the last value of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is sent as it is where it is bytes, and as JSON otherwise."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Answering = Callable[[Request], Response]


class HttpServer:
    """Serves 127.0.0.1 from `start` to `stop`, which may be called again, at the same port. `answering` is called by
    one thread at a time. With `identity`, a PEM file of key and certificate, it speaks TLS, and wants certificates of
    clients that `authorities`, a PEM file, has signed."""

    def __init__(
        self, answering: Answering, *, identity: Path | None = None, authorities: Path | None = None, port: int = 0
    ) -> None:
        self.answering = answering
        self.requests: list[Request] = []
        self.port = port
        self._identity = identity
        self._authorities = authorities
        self._answer_alone = threading.Lock()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._identity else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), self)
        self.port = self._server.server_address[1]
        if self._identity is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self._authorities)
            if self._authorities is not None:
                context.verify_mode = ssl.CERT_REQUIRED
            context.load_cert_chain(self._identity)
            self._server.context = context
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Connections that are open are closed, too."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.close_connections()
            server.server_close()

    def answer(self, request: Request) -> Response:
        with self._answer_alone:
            self.requests.append(request)
            return self.answering(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    context: ssl.SSLContext | None = None

    def __init__(self, address: tuple[str, int], owner: HttpServer) -> None:
        self.owner = owner
        self._open: set[Any] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(10)
        wrapped = self.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        self._open.add(wrapped)
        try:
            with wrapped:
                wrapped.do_handshake()
                super().finish_request(wrapped, client_address)
        except OSError:
            pass  # a client that does not believe it, or is not believed
        finally:
            self._open.discard(wrapped)

    def close_connections(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(2)
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that clients drop are theirs to drop."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        request = Request(
            self.command,
            parts.path,
            {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()},
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
        )
        response = self.server.owner.answer(request)
        body = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if response.status not in (204, 304):
            self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def running_http_server(
    answering: Answering = lambda request: Response(),
    *,
    identity: Path | None = None,
    authorities: Path | None = None,
) -> Iterator[HttpServer]:
    server = HttpServer(answering, identity=identity, authorities=authorities)
    server.start()
    try:
        yield server
    finally:
        server.stop()
