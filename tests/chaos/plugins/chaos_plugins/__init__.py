"""A source and a sink that keep journals and kill themselves at named places."""

from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin


@hookimpl
def register_connectors() -> list[Plugin]:
    return [
        Plugin("chaos_plugins.source:LedgerSource", kind="source"),
        Plugin("chaos_plugins.sink:LedgerSink", kind="sink"),
    ]
