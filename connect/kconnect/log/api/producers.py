"""InitProducerId."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.routing import Call
    from kconnect.log.storage.producer_ids import ProducerIds


class ProducersApi:
    """Ids for idempotent producers."""

    def __init__(self, producer_ids: ProducerIds) -> None:
        self._producer_ids = producer_ids

    def apis(self) -> list[Api]:
        return [Api(ApiKey.INIT_PRODUCER_ID, 0, 5, self.init_producer_id)]

    def init_producer_id(self, request: requests.InitProducerId, _: Call) -> responses.InitProducerId:
        if request.transactional_id is not None:
            # Final for the client: with a retriable error it would ask for ever.
            return _refusal(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        try:
            return responses.InitProducerId(producer_id=self._producer_ids.allocate(), producer_epoch=0)
        except OSError:
            # Retriable, and no disk stays full for ever.
            return _refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE)


def _refusal(code: ErrorCode) -> responses.InitProducerId:
    return responses.InitProducerId(error_code=code, producer_id=-1, producer_epoch=-1)
