"""Connectors that behave, and connectors that do not: what the runtime is tried with."""

from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin


@hookimpl
def register_connectors() -> list[Plugin]:
    return [
        Plugin("testing_plugins.counting:CountingSource", kind="source"),
        Plugin("testing_plugins.counting:RowsSource", kind="source"),
        Plugin("testing_plugins.counting:TellingSource", kind="source"),
        Plugin("testing_plugins.transacting:TransactingSource", kind="source"),
        Plugin("testing_plugins.collecting:CollectingSink", kind="sink"),
        Plugin("testing_plugins.collecting:ColumnarSink", kind="sink"),
        Plugin("testing_plugins.bad:BadSource", kind="source"),
        Plugin("testing_plugins.bad:BadSink", kind="sink"),
        Plugin("testing_plugins.restless:RestlessSource", kind="source"),
        Plugin("testing_plugins.unimportable:UnimportableSource", kind="source"),
    ]


@hookimpl
def register_transforms() -> list[Plugin]:
    return [Plugin("testing_plugins.forgetful:Forgetful"), Plugin("testing_plugins.waiting:Waiting")]
