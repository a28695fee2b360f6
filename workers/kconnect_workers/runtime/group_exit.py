"""Leaving a consumer group on behalf of a task that was killed, so that its partitions need not wait for its session
to expire."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from kconnect.errors import ConnectError
from kconnect.kafka.client import Client
from kconnect.kafka.settings import known

log = logging.getLogger(__name__)


async def leave_group(consumer_props: Mapping[str, str], group_id: str, member_id: str) -> None:
    """Tell the coordinator that the member is gone. A failure is logged: the session will expire by itself."""
    try:
        await asyncio.to_thread(_leave, known(consumer_props, "admin"), group_id, member_id)
    except (ConnectError, OSError) as e:
        log.info("%s could not be taken out of %s, and will be when its session expires: %s", member_id, group_id, e)
    else:
        log.info("%s was taken out of %s.", member_id, group_id)


def _leave(props: Mapping[str, str], group_id: str, member_id: str) -> None:
    with Client(props) as client:
        client.leave_group(group_id, [member_id])
