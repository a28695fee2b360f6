"""Suites of transforms: `configure`, then `apply` to one record, or to several through one instance."""

from __future__ import annotations

from typing import Any

from golden import decode
from golden.case import Case
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins

PACKAGES = {
    "transforms": "org.apache.kafka.connect.transforms.",
    "debezium_transforms": "io.debezium.transforms.",
    "common_transforms": "com.github.jcustenborder.kafka.connect.transform.common.",
}
PLUGINS = Plugins.discover()


def java_name(case: Case) -> str:
    return PACKAGES[case.suite] + case.cls


def built(case: Case) -> bool:
    return any(java_name(case) in info.java_names for info in PLUGINS.of_kind(PluginKind.TRANSFORMATION))


def run(case: Case) -> Any:
    inputs = [decode.record(each) for each in ([case.input] if case.inputs is None else case.inputs)]
    case.stage = "configure"
    cls: Any = PLUGINS.load(PLUGINS.resolve(PluginKind.TRANSFORMATION, java_name(case)))
    transform = cls()
    try:
        transform.configure(cls.config_class.parse(case.config))
        case.stage = "apply"
        results = [transform.apply(record) for record in inputs]
    finally:
        transform.close()
    return results[0] if case.inputs is None else results


def expected(case: Case) -> Any:
    if case.outputs is not None:
        return [decode.record(each, expected=True) for each in case.outputs]
    return decode.record(case.output, expected=True)
