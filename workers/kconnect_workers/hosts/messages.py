"""What the worker, its zygotes and the processes forked from them say to one another: plain tagged structs.

Plugin code runs at the other end of the channels, so the worker trusts none of it: every message is decoded
against these types, and its size is bounded by the channel.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from kconnect.plugin import PluginFault, PluginInfo
from kconnect_workers.tasks.task_stats import TaskStats


class Message(msgspec.Struct, tag=True, tag_field="tag", kw_only=True):
    """The root of all messages; the tag on the wire is the class name."""


# --- worker to zygote


class Fork(Message):
    """Fork a process; its control, log and stderr descriptors come along, in this order. Answered by `Forked` or
    `ForkFailed` with the same token."""

    token: int


class Kill(Message):
    """SIGKILL to a process that this zygote forked, and to those that it started. Nothing happens if it has ended."""

    pid: int


# --- zygote to worker


class Ready(Message):
    """The zygote has loaded what it preloads."""

    pid: int


class Forked(Message):
    token: int
    pid: int


class ForkFailed(Message):
    token: int
    reason: str


class Exited(Message):
    """A forked process has ended. `status` as `os.waitstatus_to_exitcode` gives it: negative for a signal."""

    pid: int
    status: int


# --- worker to host: what to run (the first message; a `Renew` follows it), and what to do with it. `plugins` are those
# of the environment: a host imports the classes that it needs, and nothing of the other plugins.


class RunConnector(Message):
    """Run a connector. `worker_props` are the worker's settings with `bootstrap.servers` filled in."""

    connector: str
    props: dict[str, str]
    worker_props: dict[str, str]
    plugins: list[PluginInfo]
    target_state: str
    slow_call_s: float
    """After how many seconds a call into the plugin is told of that does not return."""
    worker_keeps_offsets: bool = False
    """Whether source offsets are read and written through the worker, and not in the offsets topic."""


class RunTask(Message):
    """Run a task, of the connector that `connector_props` configure."""

    connector: str
    task: int
    connector_props: dict[str, str]
    task_props: dict[str, str]
    worker_props: dict[str, str]
    plugins: list[PluginInfo]
    target_state: str
    slow_call_s: float
    worker_keeps_offsets: bool = False


class ListPlugins(Message):
    """List every plugin; answered by `PluginListing`."""


class DescribePlugin(Message):
    """Describe the configuration of one plugin; answered by `PluginKeys`. `kind` None: whatever has the name."""

    plugin: str
    plugins: list[PluginInfo]
    kind: str | None = None


class ValidateConfig(Message):
    """Check a connector's configuration; answered by `ConfigInfos`."""

    props: dict[str, str]
    worker_props: dict[str, str]
    plugins: list[PluginInfo]


class AlterOffsets(Message):
    """Let the connector's plugin check offsets that a user sets (a reset where None); answered by `OffsetsAltered`.

    Each item is a pair of a partition (a source partition; `kafka_topic` and `kafka_partition` for sinks) and an
    offset."""

    connector: str
    props: dict[str, str]
    worker_props: dict[str, str]
    plugins: list[PluginInfo]
    offsets: list[tuple[dict[str, Any], dict[str, Any] | None]]


class Renew(Message):
    """The lease holds up to this point of the machine's monotonic clock, in seconds."""

    until: float


class Stop(Message):
    """End gracefully; what overruns is killed by the worker."""


class SetTargetState(Message):
    target_state: str


class RequestTaskConfigs(Message):
    """Ask a running connector for its tasks; answered by `TaskConfigs`."""

    request: int


class ForgetTopics(Message):
    """Tell of the topics that are used from now on, those told of before too."""


class SetLogLevel(Message):
    logger: str
    level: str


class StoredOffsets(Message):
    """Answers `ReadOffsets` and `WriteOffsets`: value bytes by key bytes, or why it failed."""

    request: int
    offsets: list[tuple[bytes, bytes | None]] = []
    error: str | None = None


# --- host to worker


class StateChanged(Message):
    """`state` is a `State`'s name; `trace` explains FAILED, and `misconfigured` says that another start would end in
    it just so."""

    state: str
    trace: str | None = None
    misconfigured: bool = False


class TaskConfigs(Message):
    request: int
    configs: list[dict[str, str]] = []
    error: str | None = None


class ReconfigurationRequested(Message):
    """The connector asks for `task_configs` to be called again."""


class TopicUsed(Message):
    """The task uses a topic that it was not yet seen to use."""

    topic: str


class SecretsLearned(Message):
    """What this process hides in what it says; the worker hides it in what else there is of the process."""

    secrets: list[str]


class ReadOffsets(Message):
    """A connector's stored offsets, where the worker keeps them in a file."""

    request: int
    connector: str


class WriteOffsets(Message):
    """Store offsets in the worker's file; None deletes. Answered once they are stored."""

    request: int
    offsets: list[tuple[bytes, bytes | None]]


class Stats(Message):
    """What a task has done so far."""

    counters: TaskStats


class PluginListing(Message):
    """Everything that this environment offers, and what could not be listed."""

    plugins: list[PluginInfo]
    faults: list[PluginFault]


class ConfigKeyInfo(Message):
    """One key, as REST shows it."""

    name: str
    type: str
    required: bool
    default_value: str | None
    importance: str
    documentation: str
    group: str | None
    order_in_group: int
    width: str
    display_name: str
    dependents: list[str]


class ConfigValueInfo(Message):
    """The value of one key with what is wrong with it, as REST shows it."""

    name: str
    value: str | None
    recommended_values: list[str]
    errors: list[str]
    visible: bool


class PluginKeys(Message):
    keys: list[ConfigKeyInfo]


class ConfigInfos(Message):
    """A checked configuration: keys and values in the same order, and the groups of the keys in theirs. A value
    whose key is unknown to the connector has None beside it."""

    name: str
    error_count: int
    groups: list[str]
    configs: list[tuple[ConfigKeyInfo | None, ConfigValueInfo]]


class OffsetsAltered(Message):
    """Whether the plugin checked the offsets, as its `alter_offsets` returned."""

    checked: bool


class Refused(Message):
    """A one-shot request failed; `error` names the class of the error tree, `broken` the plugin's class if it is one
    that cannot be imported."""

    error: str
    message: str
    broken: str | None = None


class LogLine(Message):
    """One log record of a host. `dropped` counts the lines lost since the last one that came through."""

    logger: str
    level: int
    message: str
    created: float
    dropped: int = 0


ToZygote: TypeAlias = Fork | Kill
FromZygote: TypeAlias = Ready | Forked | ForkFailed | Exited
ToHost: TypeAlias = (
    RunConnector
    | RunTask
    | ListPlugins
    | DescribePlugin
    | ValidateConfig
    | AlterOffsets
    | Renew
    | Stop
    | SetTargetState
    | RequestTaskConfigs
    | ForgetTopics
    | SetLogLevel
    | StoredOffsets
)
FromHost: TypeAlias = (
    StateChanged
    | TaskConfigs
    | ReconfigurationRequested
    | TopicUsed
    | SecretsLearned
    | ReadOffsets
    | WriteOffsets
    | Stats
    | PluginListing
    | PluginKeys
    | ConfigInfos
    | OffsetsAltered
    | Refused
)
