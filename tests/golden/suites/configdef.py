"""ConfigDef, the framework's own definitions, and those of plugins."""

from __future__ import annotations

from functools import cache
from typing import Any

from golden import decode
from golden.case import Case, LeftOutError
from kconnect.config import NO_DEFAULT, ConfigDef, ConfigError, ConfigKey, ConfigValue, Password, Type, parse_type
from kconnect.config import convert_to_string as to_string
from kconnect.java_regex import valid_regex
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect.validators import (
    CaseInsensitiveValidString,
    CompositeValidator,
    ListSize,
    NonEmptyList,
    NonEmptyString,
    NonEmptyStringWithoutControlChars,
    NonNullValidator,
    Range,
    Validator,
    ValidList,
    ValidString,
)
from kconnect_workers.config.connector_config import (
    ConnectorConfig,
    SinkConnectorConfig,
    SourceConnectorConfig,
    sink_topic_errors,
)
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.config.plugin_keys import PluginClasses, plugin_def
from kconnect_workers.config.worker_config import StandaloneConfig, WorkerConfig

FRAMEWORK = {
    "ConnectorConfig": ConnectorConfig,
    "SinkConnectorConfig": SinkConnectorConfig,
    "SourceConnectorConfig": SourceConnectorConfig,
}
WORKERS = frozenset({"DistributedConfig", "StandaloneConfig"})
DESCRIBED = (
    PluginKind.CONVERTER,
    PluginKind.HEADER_CONVERTER,
    PluginKind.TRANSFORMATION,
    PluginKind.PREDICATE,
)


@cache
def installed() -> Plugins:
    return Plugins.discover()


def built(case: Case) -> bool:
    if case.cls == "ConfigDef" or case.cls in FRAMEWORK or case.cls in WORKERS:
        return True
    return any(case.cls in info.java_names for info in installed().infos)


def run(case: Case) -> Any:
    given = case.input
    match case.op:
        case "parseType":
            return parse_type(given["name"], value(given["value"]), Type(given["type"]))
        case "convertToString":
            return to_string(value(given["value"]), Type(given["type"]) if given["type"] else None)
        case "ensureValid":
            validator(given["validator"])(given["name"], value(given["value"]))
            return "ok"
        case "validatorToString":
            raise LeftOutError("the texts of validators are not compared")
        case "parse":
            defined = definition(case)
            case.stage = "parse"
            return defined.parse(given["props"])
        case "validate":
            return found(definition(case).validate(given["props"]))
        case "parseNamed":
            return named(case.cls).parse(given["props"], PluginClasses(installed()))
        case "validateNamed":
            return found(named(case.cls).validate(given["props"], PluginClasses(installed())))
        case "sinkValidate":
            if errors := sink_topic_errors(given["props"]):
                raise ConfigError("; ".join(errors.values()))
            return "ok"
        case "DistributedConfig" | "StandaloneConfig":
            worker: type[WorkerConfig] = DistributedConfig if case.op == "DistributedConfig" else StandaloneConfig
            worker.parse(given["props"]).check_plugins(installed())
            return "ok"
        case "dump":
            return {key.name: described(key) for key in named(case.cls).keys.values()}
    raise LeftOutError(f"the operation {case.op}")


def expected(case: Case) -> Any:
    match case.op:
        case "validate" | "validateNamed":
            return {
                v["name"]: (value(v["value"]), len(v["errors"]), [value(r) for r in v["recommended"]], v["visible"])
                for v in case.output
            }
        case "parse" | "parseNamed":
            return {name: value(item) for name, item in case.output.items()}
        case "dump":
            return {
                k["name"]: (
                    k["type"],
                    k["required"],
                    k["default_string"],
                    k["importance"],
                    k["group"],
                    k["order_in_group"],
                    k["width"],
                    k["display_name"],
                    k["dependents"],
                )
                for k in case.output
            }
    return value(case.output)


def described(key: ConfigKey) -> Any:
    """What a form is drawn from; documentation and validator texts are our own."""
    return (
        key.type.value,
        key.required,
        None if key.required else to_string(key.default, key.type),
        key.importance.value,
        key.group,
        key.order_in_group,
        key.width.value,
        key.display_name,
        list(key.dependents),
    )


def found(values: list[ConfigValue]) -> dict[str, Any]:
    return {v.name: (v.value, len(v.errors), v.recommended_values, v.visible) for v in values}


def named(cls: str) -> ConfigDef:
    if cls in FRAMEWORK:
        return FRAMEWORK[cls].config_def
    return plugin_def(installed(), installed().resolve(DESCRIBED, cls))


def definition(case: Case) -> ConfigDef:
    case.stage = "define"
    defined = ConfigDef(
        ConfigKey(
            name=key["name"],
            type=Type(key["type"]),
            default=value(key["default"]) if "default" in key else NO_DEFAULT,
            validator=validator(key["validator"]) if "validator" in key else None,
        )
        for key in case.input["keys"]
    )
    case.stage = "validate" if case.op == "validate" else "parse"
    return defined


def validator(encoded: dict[str, Any]) -> Validator:
    args = encoded["args"]
    match encoded["kind"]:
        case "Range.atLeast" | "Range.between":
            return Range(*args)
        case "ValidString.in":
            return ValidString(*args)
        case "CaseInsensitiveValidString.in":
            return CaseInsensitiveValidString(*args)
        case "ValidList.in":
            return ValidList(*args)
        case "ValidList.inAllowEmpty":
            return ValidList(*args[1], allow_empty=args[0])
        case "ValidList.anyNonDuplicateValues":
            return ValidList(allow_empty=args[0], allow_null=args[1])
        case "CompositeValidator.of":
            return CompositeValidator(*map(validator, args))
        case "ListSize.atMostOfSize":
            return ListSize(*args)
        case "NonEmptyString":
            return NonEmptyString()
        case "NonEmptyStringWithoutControlChars":
            return NonEmptyStringWithoutControlChars()
        case "NonNullValidator":
            return NonNullValidator()
        case "transforms.RegexValidator":
            return valid_regex
        case "transforms.NonEmptyListValidator":
            return NonEmptyList()
    raise LeftOutError(f"the validator {encoded['kind']}")


def value(encoded: Any) -> Any:
    """A value of a configuration: classes are their names, as in our configurations."""
    if isinstance(encoded, dict) and "$class" in encoded:
        return encoded["$class"]
    if isinstance(encoded, dict) and "$password" in encoded:
        return Password(encoded["$password"])
    if isinstance(encoded, list):
        return [value(item) for item in encoded]
    return decode.value(None, encoded)
