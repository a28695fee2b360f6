"""From a request's bytes to its handler and back: the table of APIs, and the calls that handlers answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kconnect.log.protocol import responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.codec import Codec, request
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.frame import read_request_header, response_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kconnect.log.connection import Exchange
    from kconnect.log.listener import Endpoint
    from kconnect.log.protocol.message import Message

_LOG = logging.getLogger(__name__)


class Call:
    """One request of a client on its way to an answer."""

    __slots__ = ("_api_key", "_correlation_id", "client_id", "exchange", "version")

    def __init__(self, exchange: Exchange, api_key: int, version: int, correlation_id: int, client_id: str) -> None:
        self.exchange = exchange
        self.version = version
        self.client_id = client_id
        self._api_key = api_key
        self._correlation_id = correlation_id

    @property
    def endpoint(self) -> Endpoint:
        """The address under which the client reached the broker."""
        return self.exchange.connection.local

    @property
    def client_host(self) -> str:
        return self.exchange.connection.peer_host

    def answer(self, message: Message) -> None:
        """Send the response, from the loop's thread; of no effect once the client is gone."""
        connection = self.exchange.connection
        if not connection.is_open:
            return
        try:
            frame = response_frame(self._api_key, self.version, self._correlation_id, message)
        except ProtocolError:
            _LOG.exception(
                "dropped the client at %s: a fault in the log itself, please report it", connection.peer_host
            )
            connection.close()
            return
        self.exchange.send(frame)

    def end_silently(self) -> None:
        """Send nothing, as Produce with acks=0 wants it."""
        self.exchange.send([])

    def hang_up(self) -> None:
        """Drop the client: the only way to tell it of an error where no answer is expected."""
        self.exchange.connection.close()


@dataclass(frozen=True, slots=True)
class Api:
    """An API in the versions that are served.

    The handler returns the response, or None when it answers the call itself, now or later.
    """

    key: ApiKey
    first_version: int
    last_version: int
    handle: Callable[[Any, Call], Message | None]


class Router:
    """Finds the handler of each request. An API or version that is not served ends the connection, as in Kafka."""

    def __init__(self, apis: Iterable[Api], produce_shortcut: Callable[[memoryview], bytes | None]) -> None:
        self._produce_shortcut = produce_shortcut
        self._apis = {int(api.key): api for api in apis}
        self._apis[int(ApiKey.API_VERSIONS)] = Api(ApiKey.API_VERSIONS, 0, 4, self._api_versions)
        self._routes: dict[tuple[int, int], tuple[Codec[Any], Api]] = {}

    def handle(self, frame: memoryview, exchange: Exchange) -> None:
        """Handle one request. A malformed one, and one that its handler fails on, ends the connection."""
        connection = exchange.connection
        try:
            if exchange.is_produce and (answer := self._produce_shortcut(frame)) is not None:
                exchange.send([answer])
                return
            header, position = read_request_header(frame)
            version = header.api_version
            call = Call(exchange, header.api_key, version, header.correlation_id, header.client_id or "")
            route = self._routes.get((header.api_key, version)) or self._find_route(header.api_key, version)
            if route is None:
                self._refuse_version(header.api_key, call)
                return
            codec, api = route
            message, _ = codec.read(frame, position)
            response = api.handle(message, call)
            if response is not None:
                call.answer(response)
        except ProtocolError as e:
            _LOG.warning("dropped the client at %s: %s", connection.peer_host, e)
            connection.close()
        except Exception:
            _LOG.exception(
                "dropped the client at %s: a fault in the log itself, please report it", connection.peer_host
            )
            connection.close()

    def _find_route(self, api_key: int, version: int) -> tuple[Codec[Any], Api] | None:
        api = self._apis.get(api_key)
        if api is None or not api.first_version <= version <= api.last_version:
            return None
        route = self._routes[api_key, version] = request(api_key, version), api
        return route

    def _refuse_version(self, api_key: int, call: Call) -> None:
        if api_key == ApiKey.API_VERSIONS:
            call.version = 0
            call.answer(self._versions(ErrorCode.UNSUPPORTED_VERSION))
            return
        raise ProtocolError(f"{ApiKey(api_key).name} version {call.version} is not served (client {call.client_id!r})")

    def _api_versions(self, _: Any, __: Call) -> Message:
        return self._versions(ErrorCode.NONE)

    def _versions(self, error: ErrorCode) -> Message:
        return responses.ApiVersions(
            error_code=error,
            api_keys=[
                responses.ApiVersions.ApiVersion(
                    api_key=api.key, min_version=api.first_version, max_version=api.last_version
                )
                for _, api in sorted(self._apis.items())
            ],
        )
