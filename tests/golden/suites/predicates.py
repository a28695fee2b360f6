"""Predicates: `configure`, then `test`."""

from __future__ import annotations

from typing import Any

from golden import decode
from golden.case import Case
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins

JAVA = "org.apache.kafka.connect.transforms.predicates."
PLUGINS = Plugins.discover()


def built(case: Case) -> bool:
    return any(JAVA + case.cls in info.java_names for info in PLUGINS.of_kind(PluginKind.PREDICATE))


def run(case: Case) -> Any:
    record = decode.record(case.input)
    case.stage = "configure"
    cls: Any = PLUGINS.load(PLUGINS.resolve(PluginKind.PREDICATE, JAVA + case.cls))
    predicate = cls()
    try:
        predicate.configure(cls.config_class.parse(case.config))
        case.stage = "test"
        return predicate.test(record)
    finally:
        predicate.close()
