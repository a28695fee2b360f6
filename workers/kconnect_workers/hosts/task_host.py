"""The resident of a task's process: finds out what the task is made of, puts it together and runs it."""

from __future__ import annotations

from kconnect_workers.hosts import messages
from kconnect_workers.hosts.host import Host
from kconnect_workers.hosts.messages import RunTask, ToHost
from kconnect_workers.hosts.task_assembly import TaskAssembly, WorkerTask
from kconnect_workers.states import TargetState
from kconnect_workers.tasks.task_control import TaskControl
from kconnect_workers.tasks.task_stats import TaskStats
from kconnect_workers.tasks.used_topics import UsedTopics


class TaskHost:
    """Lives from `RunTask` to `Stop`. The plugin is loaded by `run`: it may take its time, or fail."""

    def __init__(self, host: Host, run: RunTask) -> None:
        self._host = host
        self._run = run
        target = TargetState[run.target_state]
        self._control = TaskControl(target, host.stop_requested, host.report, self._tell, host.remark)
        self._topics = UsedTopics(lambda topic: host.send(messages.TopicUsed(topic=topic)))
        self._task: WorkerTask | None = None

    def run(self) -> None:
        assembly = TaskAssembly(self._host, self._run, self._control, self._topics)
        try:
            self._task = assembly.task()
            self._task.run()
        finally:
            assembly.close()

    def receive(self, message: ToHost) -> None:
        match message:
            case messages.SetTargetState():
                self._control.target = TargetState[message.target_state]
            case messages.ForgetTopics():
                self._topics.forget()
            case messages.Stop():
                self._control.interrupt()

    def stats(self) -> messages.Stats | None:
        return None if self._task is None else messages.Stats(counters=self._task.stats())

    def _tell(self, counters: TaskStats) -> None:
        self._host.send(messages.Stats(counters=counters))
