"""DescribeAcls: there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.routing import Call


class AclsApi:
    """Answers as a cluster without an authorizer does: who is let in may do everything."""

    def apis(self) -> list[Api]:
        return [Api(ApiKey.DESCRIBE_ACLS, 1, 3, self.describe)]

    def describe(self, _: requests.DescribeAcls, __: Call) -> responses.DescribeAcls:
        return responses.DescribeAcls(
            error_code=ErrorCode.SECURITY_DISABLED, error_message="this log keeps no access control lists"
        )
