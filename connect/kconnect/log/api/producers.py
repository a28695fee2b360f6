"""InitProducerId."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.api.transactions import error_for
from kconnect.log.coordinators.transaction import ProducerIdentity
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.coordinators.transaction_coordinator import TransactionCoordinator
    from kconnect.log.routing import Call
    from kconnect.log.storage.producer_ids import ProducerIds

_FENCED_SINCE = 4
_NOBODY = ProducerIdentity(-1, -1)


class ProducersApi:
    """Ids for idempotent producers, and for transactional ones, which fence their predecessors by that."""

    def __init__(self, producer_ids: ProducerIds, coordinator: TransactionCoordinator) -> None:
        self._producer_ids = producer_ids
        self._coordinator = coordinator

    def apis(self) -> list[Api]:
        return [Api(ApiKey.INIT_PRODUCER_ID, 0, 5, self.init_producer_id)]

    def init_producer_id(self, request: requests.InitProducerId, call: Call) -> responses.InitProducerId | None:
        if request.transactional_id is None:
            try:
                return _response(ErrorCode.NONE, ProducerIdentity(self._producer_ids.allocate(), 0))
            except OSError:
                # Retriable, and no disk stays full for ever.
                return _response(ErrorCode.COORDINATOR_NOT_AVAILABLE, None)
        present = ProducerIdentity(request.producer_id, request.producer_epoch)
        if (present.producer_id < 0) != (present.epoch < 0):
            return _response(ErrorCode.INVALID_REQUEST, None)

        def reply(error: ErrorCode, producer: ProducerIdentity | None) -> None:
            call.answer(_response(error_for(error, fenced=call.version >= _FENCED_SINCE), producer))

        self._coordinator.init_producer(
            request.transactional_id,
            request.transaction_timeout_ms,
            None if present == _NOBODY else present,
            reply,
        )
        return None


def _response(error: ErrorCode, producer: ProducerIdentity | None) -> responses.InitProducerId:
    producer_id, epoch = producer or _NOBODY
    return responses.InitProducerId(error_code=error, producer_id=producer_id, producer_epoch=epoch)
