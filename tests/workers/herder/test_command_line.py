"""What the command line gives, among what is stored already."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from kconnect_workers.herder.command_line import CommandLine, GivenConnector
from kconnect_workers.states import TargetState

SOURCE = {"connector.class": "java.Source", "file": "a.txt"}


@pytest.mark.parametrize("state", [TargetState.STOPPED, TargetState.PAUSED])
def test_a_connector_that_was_left_off_is_said_to_stay_so(
    workbench: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, state: TargetState
) -> None:
    given = [GivenConnector("c", SOURCE)]

    async def scenario() -> None:
        herder = await workbench.start()
        await CommandLine(tmp_path / "memory").run(herder, given)
        await herder.set_target_state("c", state)
        herder = await workbench.restart()
        again = CommandLine(tmp_path / "memory")
        await again.switch_off(herder, given)
        with caplog.at_level(logging.INFO):
            await again.run(herder, given)
        assert herder.target_state("c") is state

    asyncio.run(scenario())
    assert caplog.messages[-1:] == [f"c stays {state.value}, as it was left; it goes on with: kconnect resume c"]
