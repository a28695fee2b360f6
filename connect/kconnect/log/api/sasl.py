"""SaslHandshake, SaslAuthenticate where nobody is to log in: on listeners without SASL, and after the login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.routing import Call


class SaslApi:
    """Refuses, as Kafka does. The login itself is `kconnect.log.sasl_login`, which these requests reach first."""

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.SASL_HANDSHAKE, 0, 1, self.handshake),
            Api(ApiKey.SASL_AUTHENTICATE, 0, 2, self.authenticate),
        ]

    def handshake(self, _: requests.SaslHandshake, __: Call) -> responses.SaslHandshake:
        return responses.SaslHandshake(error_code=ErrorCode.ILLEGAL_SASL_STATE)

    def authenticate(self, _: requests.SaslAuthenticate, __: Call) -> responses.SaslAuthenticate:
        return responses.SaslAuthenticate(
            error_code=ErrorCode.ILLEGAL_SASL_STATE, error_message="nobody is to log in here and now", auth_bytes=b""
        )
