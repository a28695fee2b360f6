"""DescribeClientQuotas: there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.routing import Call

_USER, _CLIENT_ID, _IP = "user", "client-id", "ip"
_EXACT, _DEFAULT, _SPECIFIED = 0, 1, 2


class ClientQuotasApi:
    """Answers as a cluster does where nobody has set any; filters are checked as in Kafka (KIP-546)."""

    def apis(self) -> list[Api]:
        return [Api(ApiKey.DESCRIBE_CLIENT_QUOTAS, 0, 1, self.describe)]

    def describe(self, request: requests.DescribeClientQuotas, _: Call) -> responses.DescribeClientQuotas:
        refusal = _refusal(request)
        if refusal is not None:
            code, message = refusal
            return responses.DescribeClientQuotas(error_code=code, error_message=message, entries=None)
        return responses.DescribeClientQuotas(entries=[])


def _refusal(request: requests.DescribeClientQuotas) -> tuple[ErrorCode, str] | None:
    types: list[str] = []
    for component in request.components:
        type_ = component.entity_type
        if not type_:
            return ErrorCode.INVALID_REQUEST, "a component of the filter names no type of entity"
        if type_ in types:
            return ErrorCode.INVALID_REQUEST, f"the filter names {type_} twice"
        if type_ not in (_USER, _CLIENT_ID, _IP):
            return ErrorCode.UNSUPPORTED_VERSION, f"there are no quotas for entities of type {type_!r}"
        if component.match_type == _EXACT and component.match is None:
            return ErrorCode.INVALID_REQUEST, f"the filter for {type_} is to match a name, and has none"
        if component.match_type in (_DEFAULT, _SPECIFIED) and component.match is not None:
            return ErrorCode.INVALID_REQUEST, f"the filter for {type_} has a name that it is not to match"
        if component.match_type not in (_EXACT, _DEFAULT, _SPECIFIED):
            return ErrorCode.INVALID_REQUEST, f"there is no way {component.match_type} of matching {type_}"
        types.append(type_)
    if _IP in types and len(types) > 1:
        return ErrorCode.INVALID_REQUEST, "a filter for addresses is for nothing else"
    return None
