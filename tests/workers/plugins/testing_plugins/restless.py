"""A connector with a mind of its own."""

from __future__ import annotations

import threading
from pathlib import Path

from kconnect.config import Config, key
from kconnect.source import SourceConnector
from testing_plugins.counting import CountingTask


class RestlessConfig(Config):
    journal: str = key(doc="File that gets a line for each start and stop.")
    wish: str = key(default="", doc="reconfigure or fail, by a thread of its own.")


class RestlessSource(SourceConnector[RestlessConfig]):
    task = CountingTask  # type: ignore[assignment]

    def start(self, config: RestlessConfig) -> None:
        self._journal = Path(config.journal)
        self._note(f"start {self.context.offset_storage_reader.offset({'stream': 0})}")
        threading.Thread(target=self._act, args=(config.wish,)).start()

    def stop(self) -> None:
        self._note("stop")

    def _act(self, wish: str) -> None:
        if wish == "reconfigure":
            self.context.request_task_reconfiguration()
        if wish == "fail":
            self.context.raise_error(OSError("the outside is gone"))

    def _note(self, line: str) -> None:
        with self._journal.open("a") as file:
            file.write(f"{line}\n")
