"""What the same sink task left in its consumer group when its worker was killed: a member that nobody hears of."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from kconnect.errors import ConnectError
from kconnect.kafka.client import Client
from kconnect.kafka.settings import known

_logger = logging.getLogger(__name__)

_SECONDS = 5.0


def evict_predecessor(consumer_props: Mapping[str, str]) -> None:
    """Have the members of the group leave that bear this task's `client.id`, which must be its alone: the task need not
    wait for their sessions to expire before it is given its partitions. To be called before the task's own consumer
    joins. Blocks, for seconds at most; a failure is logged."""
    group_id, client_id = consumer_props["group.id"], consumer_props["client.id"]
    try:
        with Client(known(consumer_props, "admin"), client_id=client_id, timeout=_SECONDS) as client:
            left = [member for member, bears in client.members(group_id).items() if bears == client_id]
            if left:
                client.leave_group(group_id, left)
                _logger.info("%s: %s of an earlier worker was taken out of %s", client_id, ", ".join(left), group_id)
    except (ConnectError, OSError) as e:
        _logger.info("%s: whether an earlier worker's consumer is still in %s is not known: %s", client_id, group_id, e)
