"""One question about plugins, answered in a process that lives no longer than that."""

from __future__ import annotations

from typing import Any

from kconnect import errors
from kconnect.errors import ConnectError
from kconnect.plugin import PluginKind, PluginLoadError
from kconnect.plugins import Plugins
from kconnect.record import TopicPartition
from kconnect.redaction import process_redactor
from kconnect.source import SourceConnector
from kconnect_workers.hosts import messages
from kconnect_workers.hosts.connector_validation import describe_plugin, validate_connector_config
from kconnect_workers.hosts.entry_points import known_entry_points
from kconnect_workers.hosts.messages import Message, ToHost
from kconnect_workers.hosts.plugin_loader import PluginLoader
from kconnect_workers.tasks.plugin_call import plugin_call


def inspect(question: ToHost) -> Message:
    """The answer, or `Refused` with what was raised."""
    redact = process_redactor.redact
    try:
        answer = _answer(question)
    except ConnectError as e:
        broken = e.target if isinstance(e, PluginLoadError) else None
        return messages.Refused(error=_tree_name(e), message=redact(str(e)), broken=broken)
    except (Exception, SystemExit) as e:  # plugin code may raise anything
        return messages.Refused(error="ConnectError", message=redact(f"{type(e).__name__}: {e}"))
    if isinstance(answer, messages.ConfigInfos):
        for _, value in answer.configs:
            value.errors = [redact(error) for error in value.errors]
    return answer


def _answer(question: ToHost) -> Message:
    match question:
        case messages.ListPlugins():
            plugins = Plugins.discover(known_entry_points())
            return messages.PluginListing(plugins=list(plugins.infos), faults=list(plugins.faults))
        case messages.DescribePlugin():
            plugins = Plugins(question.plugins)
            kind = None if question.kind is None else PluginKind(question.kind)
            return messages.PluginKeys(keys=describe_plugin(plugins, question.plugin, kind))
        case messages.ValidateConfig():
            plugins = Plugins(question.plugins)
            return validate_connector_config(question.props, plugins, question.worker_props)
        case messages.AlterOffsets():
            return messages.OffsetsAltered(checked=_alter_offsets(question))
        case _:
            raise ConnectError(f"a {type(question).__name__} is no question")


def _alter_offsets(question: messages.AlterOffsets) -> bool:
    owner = f"connector {question.connector}"
    loader = PluginLoader(owner, question.worker_props, question.plugins)
    props = loader.resolved(question.props)
    connector_class = loader.connector_class(props.get("connector.class", ""))
    with plugin_call(connector_class, "alter_offsets", owner):
        connector = connector_class()
        if isinstance(connector, SourceConnector):
            return connector.alter_offsets(props, {frozenset(where.items()): to for where, to in question.offsets})
        return connector.alter_offsets(props, {_partition(where): _offset(to) for where, to in question.offsets})


def _partition(where: dict[str, Any]) -> TopicPartition:
    try:
        return TopicPartition(str(where["kafka_topic"]), int(where["kafka_partition"]))
    except (KeyError, TypeError, ValueError) as e:
        raise ConnectError(f"{where} is no partition of a topic: it needs kafka_topic and kafka_partition") from e


def _offset(to: dict[str, Any] | None) -> int | None:
    if to is None:
        return None
    try:
        return int(to["kafka_offset"])
    except (KeyError, TypeError, ValueError) as e:
        raise ConnectError(f"{to} is no offset in a topic: it needs kafka_offset") from e


def _tree_name(error: ConnectError) -> str:
    """The name of the nearest class of the error tree."""
    names = (cls.__name__ for cls in type(error).__mro__ if getattr(errors, cls.__name__, None) is cls)
    return str(next(names))
