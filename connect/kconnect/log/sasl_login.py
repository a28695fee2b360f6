"""The login of one client by SASL: nothing else is served to it before, nor after its session has ended."""

from __future__ import annotations

import hmac
import logging
import time
from enum import Enum
from struct import Struct
from typing import TYPE_CHECKING

from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.codec import request
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.frame import read_request_header
from kconnect.log.routing import Call
from kconnect.security.scram import ScramError, ScramMechanism, ScramServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kconnect.log.connection import Connection, Exchange
    from kconnect.log.listener import SaslSettings
    from kconnect.log.loop import Loop
    from kconnect.log.scram_credentials import ScramCredentials

_LOG = logging.getLogger(__name__)
_API_KEY = Struct(">h")
_SIZE = Struct(">i")
_PLAIN = "PLAIN"
_LAST_HANDSHAKE, _LAST_AUTHENTICATE = 1, 2
_LOGIN_APIS = (ApiKey.SASL_HANDSHAKE, ApiKey.SASL_AUTHENTICATE)
_REFUSED = "Authentication failed: wrong user or password"


class _State(Enum):
    NEW = "nothing yet"
    CHOSEN = "a mechanism is chosen, tokens follow"
    LOGGED_IN = "all is served"
    REFUSED = "nothing more is served"


class _RefusedError(Exception):
    """The client does not prove who it is; the reason is for the log, and not for the client."""


class SaslLogin:
    """Takes the requests of one connection until the client has logged in; then `serve` gets them.

    Where sessions end (`connections.max.reauth.ms`), it stays in between, for clients to log in again.
    """

    def __init__(
        self,
        settings: SaslSettings,
        credentials: ScramCredentials,
        *,
        loop: Loop,
        serve: Callable[[memoryview, Exchange], None],
        max_request_size: int,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._loop = loop
        self._serve = serve
        self._max_request_size = max_request_size
        self._state = _State.NEW
        self._mechanism = ""
        self._in_frames = False
        self._scram: ScramServer | None = None
        self._identity: tuple[str, str] | None = None
        self._ends_at = 0.0

    def handle(self, frame: memoryview, exchange: Exchange) -> None:
        """One request, or one token of the oldest form; what does not belong to a login ends the connection."""
        connection = exchange.connection
        try:
            if self._state is _State.CHOSEN and not self._in_frames:
                self._take_bare_token(bytes(frame), exchange)
            elif self._state is _State.LOGGED_IN and not self._is_of_login(frame):
                self._serve_session(frame, exchange)
            elif self._state is not _State.REFUSED:
                self._take_request(frame, exchange)
        except ProtocolError as e:
            _LOG.warning("dropped the client at %s: %s", connection.peer_host, e)
            connection.close()
        except Exception:
            _LOG.exception(
                "dropped the client at %s: a fault in the log itself, please report it", connection.peer_host
            )
            connection.close()

    def _is_of_login(self, frame: memoryview) -> bool:
        return len(frame) >= _API_KEY.size and _API_KEY.unpack_from(frame)[0] in _LOGIN_APIS

    def _serve_session(self, frame: memoryview, exchange: Exchange) -> None:
        if time.monotonic() < self._ends_at:
            self._serve(frame, exchange)
        else:
            raise ProtocolError("its session has ended (connections.max.reauth.ms), and it did not log in again")

    def _take_request(self, frame: memoryview, exchange: Exchange) -> None:
        header, position = read_request_header(frame)
        call = Call(exchange, header.api_key, header.api_version, header.correlation_id, header.client_id or "")
        if header.api_key == ApiKey.API_VERSIONS and self._state is _State.NEW:
            self._serve(frame, exchange)
        elif header.api_key == ApiKey.SASL_HANDSHAKE and header.api_version <= _LAST_HANDSHAKE:
            self._choose(request(header.api_key, header.api_version).read(frame, position)[0], call)
        elif header.api_key == ApiKey.SASL_AUTHENTICATE and header.api_version <= _LAST_AUTHENTICATE:
            self._take_token(request(header.api_key, header.api_version).read(frame, position)[0], call)
        else:
            name = ApiKey(header.api_key).name
            raise ProtocolError(f"{name} before it has logged in (security.protocol, client {header.client_id!r})")

    def _choose(self, message: requests.SaslHandshake, call: Call) -> None:
        served = _mechanisms(self._settings)
        changed = self._identity is not None and message.mechanism != self._identity[0]
        if self._state is _State.CHOSEN or message.mechanism not in served or changed:
            code = (
                ErrorCode.ILLEGAL_SASL_STATE if self._state is _State.CHOSEN else ErrorCode.UNSUPPORTED_SASL_MECHANISM
            )
            _LOG.warning(
                "refused the client at %s: SASL mechanism %r; it may use %s",
                *(call.client_host, message.mechanism, ", ".join(served)),
            )
            self._state = _State.REFUSED
            call.answer(responses.SaslHandshake(error_code=code, mechanisms=served))
            call.exchange.connection.end()
            return
        self._state = _State.CHOSEN
        self._mechanism, self._in_frames, self._scram = message.mechanism, call.version > 0, None
        call.answer(responses.SaslHandshake(mechanisms=served))

    def _take_token(self, message: requests.SaslAuthenticate, call: Call) -> None:
        if self._state is not _State.CHOSEN:
            raise ProtocolError("SASL_AUTHENTICATE before it has chosen a mechanism by SASL_HANDSHAKE")
        try:
            token, lifetime = self._step(bytes(message.auth_bytes), call.exchange.connection)
        except _RefusedError as refusal:
            answer = responses.SaslAuthenticate(
                error_code=ErrorCode.SASL_AUTHENTICATION_FAILED, error_message=_REFUSED, auth_bytes=b""
            )
            self._refuse(call.exchange.connection, refusal, lambda: call.answer(answer))
        else:
            call.answer(responses.SaslAuthenticate(auth_bytes=token, session_lifetime_ms=int(lifetime * 1000)))

    def _take_bare_token(self, token: bytes, exchange: Exchange) -> None:
        """As clients of SaslHandshake 0 send them: a length and the token alone, answered likewise."""
        try:
            answer, _ = self._step(token, exchange.connection)
        except _RefusedError as refusal:
            self._refuse(exchange.connection, refusal, lambda: None)
        else:
            exchange.send([_SIZE.pack(len(answer)) + answer])

    def _refuse(self, connection: Connection, refusal: _RefusedError, answer: Callable[[], None]) -> None:
        """Late, so that guessing takes its time."""
        self._state = _State.REFUSED
        _LOG.warning("refused the client at %s: %s login failed: %s", connection.peer_host, self._mechanism, refusal)

        def answer_and_end() -> None:
            answer()
            connection.end()

        self._loop.call_later(self._settings.failure_delay, answer_and_end)

    def _step(self, token: bytes, connection: Connection) -> tuple[bytes, float]:
        """The answer to a token of the client, and how many seconds its session lasts that begins with it (0: for
        ever, or it does not yet begin). Raises _RefusedError."""
        if self._mechanism == _PLAIN:
            self._log_in(_plain_user(token, self._settings.plain_users or {}), connection)
            return b"", self._settings.session_lifetime
        mechanism = ScramMechanism(self._mechanism)
        try:
            if self._scram is None:
                self._scram = ScramServer(mechanism, token)
                return self._scram.first(self._credentials.for_login(self._scram.username, mechanism)), 0.0
            answer = self._scram.final(token)
        except ScramError as e:
            of_whom = "" if self._scram is None else f"user {self._scram.username!r}: "
            raise _RefusedError(f"{of_whom}{e}") from e
        self._log_in(self._scram.username, connection)
        return answer, self._settings.session_lifetime

    def _log_in(self, user: str, connection: Connection) -> None:
        identity = (self._mechanism, user)
        if self._identity not in (None, identity):
            raise _RefusedError(f"the session is another user's, not {user!r}'s")
        self._identity = identity
        self._state = _State.LOGGED_IN
        self._scram = None
        connection.max_request_size = self._max_request_size
        if self._settings.session_lifetime:
            self._ends_at = time.monotonic() + self._settings.session_lifetime
        else:
            connection.handle = self._serve


def _mechanisms(settings: SaslSettings) -> list[str]:
    plain = [] if settings.plain_users is None else [_PLAIN]
    return plain + sorted(mechanism.value for mechanism in settings.scram_mechanisms)


def _plain_user(token: bytes, users: Mapping[str, str]) -> str:
    """Who logs in by `[on whose behalf] NUL user NUL password`. Raises _RefusedError."""
    try:
        on_behalf_of, user, password = token.decode().split("\0")
    except ValueError:
        raise _RefusedError("the token is not one of PLAIN") from None
    if on_behalf_of not in ("", user):
        raise _RefusedError(f"{user!r} may log in for himself only, not for {on_behalf_of!r}")
    known = users.get(user)
    # Of a user who is not known something is compared, too: time shall not tell.
    right = hmac.compare_digest((password if known is None else known).encode(), password.encode())
    if known is None or not right or not password:
        raise _RefusedError(f"user {user!r} is not known" if known is None else f"user {user!r}: the password is wrong")
    return user
