"""ConfigDef: the keys that something takes, with what Kafka knows about each.

Parsing and validating follow Kafka's ConfigDef exactly. The typed way to declare one is `kconnect.config.Config`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from kconnect.config_types import ClassResolver, Type, convert_to_string, parse_type
from kconnect.errors import ConfigError
from kconnect.validators import Validator, ValidList, nearest


class Importance(enum.Enum):
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


class Width(enum.Enum):
    """How wide a form should draw the field."""

    NONE = "NONE"
    SHORT = "SHORT"
    MEDIUM = "MEDIUM"
    LONG = "LONG"


class NoDefault(enum.Enum):
    """The type of NO_DEFAULT."""

    NO_DEFAULT = enum.auto()

    def __repr__(self) -> str:
        return self.name


NO_DEFAULT: Final = NoDefault.NO_DEFAULT
"""The default of a key that must be given."""


class Recommender(Protocol):
    """Proposes values for a key, and says whether the key matters, given the other values."""

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[Any]:
        """What could be chosen; an empty list when nothing is known."""
        ...

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        """Whether a form should show the key."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigKey:
    """One key. `default` is read as `type` and checked by `validator` when the key is made (ConfigError)."""

    name: str
    type: Type
    default: Any = NO_DEFAULT
    validator: Validator | None = None
    importance: Importance = Importance.MEDIUM
    doc: str = ""
    group: str | None = None
    order_in_group: int = -1
    width: Width = Width.NONE
    display_name: str = ""
    dependents: tuple[str, ...] = ()
    recommender: Recommender | None = None
    internal: bool = False

    def __post_init__(self) -> None:
        if not self.display_name:
            object.__setattr__(self, "display_name", self.name)
        if self.default is not NO_DEFAULT:
            object.__setattr__(self, "default", parse_type(self.name, self.default, self.type))
            if self.validator is not None:
                self.validator(self.name, self.default)

    @property
    def required(self) -> bool:
        return self.default is NO_DEFAULT

    def parse(self, value: Any, classes: ClassResolver | None = None) -> Any:
        """`value` read and checked. A list of distinct items loses those that come again, as in Kafka."""
        parsed = parse_type(self.name, value, self.type, classes)
        if isinstance(self.validator, ValidList) and parsed is not None:
            parsed = list(dict.fromkeys(parsed))
        if self.validator is not None:
            self.validator(self.name, parsed)
        return parsed


@dataclass(slots=True)
class ConfigValue:
    """What validation found for one key. Plugins may add errors of their own."""

    name: str
    value: Any = None
    recommended_values: list[Any] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    visible: bool = True

    def add_error(self, message: str) -> None:
        self.errors.append(message)


class ConfigDef:
    """A set of keys, in the order in which they were defined.

    Definitions add up: `define` on a copy (`ConfigDef(other)`) leaves the other as it was.
    """

    def __init__(self, keys: ConfigDef | Iterable[ConfigKey] = ()) -> None:
        self._keys: dict[str, ConfigKey] = {}
        self.define(*(keys.keys.values() if isinstance(keys, ConfigDef) else keys))

    @property
    def keys(self) -> Mapping[str, ConfigKey]:
        return self._keys

    @property
    def groups(self) -> list[str]:
        """The groups' names, in the order of their first key."""
        return list(dict.fromkeys(key.group for key in self._keys.values() if key.group is not None))

    def define(self, *keys: ConfigKey) -> ConfigDef:
        """Add keys; ConfigError for a name that is there already. Returns itself."""
        for key in keys:
            if key.name in self._keys:
                raise ConfigError("is defined twice", key=key.name)
            self._keys[key.name] = key
        return self

    def embed(self, prefix: str, group: str, order: int, keys: ConfigDef) -> ConfigDef:
        """Add the keys of `keys` under `prefix`, sorted, in `group` (or `group: their own`), numbered from `order` on.

        Returns itself."""
        return self.define(
            *(
                replace(
                    key,
                    name=prefix + key.name,
                    group=group if key.group is None else f"{group}: {key.group}",
                    order_in_group=order + i,
                    dependents=tuple(prefix + name for name in key.dependents),
                    recommender=_Embedded(prefix, key.recommender) if key.recommender else None,
                )
                for i, key in enumerate(keys.sorted_keys())
            )
        )

    def sorted_keys(self) -> list[ConfigKey]:
        """As Kafka lists them: by group and place in it, then required ones first, by importance, by name."""
        places = {group: i for i, group in enumerate([None, *self.groups])}
        importances = list(Importance)
        return sorted(
            self._keys.values(),
            key=lambda k: (
                places[k.group],
                k.order_in_group,
                not k.required,
                importances.index(k.importance),
                k.name,
            ),
        )

    def parse(self, props: Mapping[str, Any], classes: ClassResolver | None = None) -> dict[str, Any]:
        """The value of every key, from `props` or its default. Unknown keys are ignored.

        ConfigError for the first that is missing or wrong.
        """
        undefined = self._undefined_dependents()
        if undefined:
            raise ConfigError(f"keys named as dependents are not defined: {', '.join(undefined)}")
        return {name: self._value(key, props, classes) for name, key in self._keys.items()}

    def _value(self, key: ConfigKey, props: Mapping[str, Any], classes: ClassResolver | None) -> Any:
        if key.name in props:
            return key.parse(props[key.name], classes)
        if key.default is NO_DEFAULT:
            raise self._missing(key, props)
        return key.default

    def _missing(self, key: ConfigKey, props: Mapping[str, Any]) -> ConfigError:
        strangers = [name for name in props if name not in self._keys]
        close = nearest(key.name, strangers)
        return ConfigError(
            "is required and has no default",
            key=key.name,
            suggestion=close and f"{close.removesuffix('?').removeprefix('did you mean ')} is given: a slip?",
        )

    def validate(self, props: Mapping[str, Any], classes: ClassResolver | None = None) -> list[ConfigValue]:
        """One value per key, in the order of definition, with all errors found. Bad values raise nothing."""
        values = {name: ConfigValue(name) for name in self._keys}
        for name in self._undefined_dependents():
            values[name] = ConfigValue(name, errors=[f"{name} is named as a dependent but not defined"], visible=False)
        parsed: dict[str, Any] = {}
        roots = self._roots()
        for name in roots:
            self._parse_leniently(name, props, parsed, values, classes)
        for name in roots:
            self._recommend(name, parsed, values)
        return list(values.values())

    def _parse_leniently(
        self,
        name: str,
        props: Mapping[str, Any],
        parsed: dict[str, Any],
        values: dict[str, ConfigValue],
        classes: ClassResolver | None,
    ) -> None:
        key = self._keys.get(name)
        if key is None:
            return
        found = values[name]
        value = None
        if name in props:
            try:
                value = parse_type(name, props[name], key.type, classes)
            except ConfigError as e:
                found.add_error(str(e))
        elif key.default is NO_DEFAULT:
            found.add_error(str(self._missing(key, props)))
        else:
            value = key.default
        if key.validator is not None:
            try:
                key.validator(name, value)
            except ConfigError as e:
                found.add_error(str(e))
        found.value = value
        parsed[name] = value
        for dependent in key.dependents:
            self._parse_leniently(dependent, props, parsed, values, classes)

    def _recommend(self, name: str, parsed: Mapping[str, Any], values: dict[str, ConfigValue]) -> None:
        key = self._keys.get(name)
        if key is None:
            return
        if key.recommender is not None:
            found = values[name]
            try:
                recommended = key.recommender.valid_values(name, parsed)
                earlier = found.recommended_values
                found.recommended_values = [v for v in recommended if not earlier or v in earlier]
                found.visible = key.recommender.visible(name, parsed)
            except ConfigError as e:
                found.add_error(str(e))
        for dependent in key.dependents:
            self._recommend(dependent, parsed, values)

    def _roots(self) -> list[str]:
        """Keys that depend on none, from which the dependents are reached."""
        children = {name for key in self._keys.values() for name in key.dependents}
        return [name for name in self._keys if name not in children]

    def _undefined_dependents(self) -> list[str]:
        names = (name for key in self._keys.values() for name in key.dependents)
        return sorted({name for name in names if name not in self._keys})


@dataclass(frozen=True, slots=True)
class _Embedded:
    """A recommender of keys that were embedded under a prefix: it still sees its own names."""

    prefix: str
    recommender: Recommender

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[Any]:
        return self.recommender.valid_values(name.removeprefix(self.prefix), self._own(parsed))

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return self.recommender.visible(name.removeprefix(self.prefix), self._own(parsed))

    def _own(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        prefix = self.prefix
        return {name[len(prefix) :]: value for name, value in parsed.items() if name.startswith(prefix)}


__all__ = [
    "NO_DEFAULT",
    "ConfigDef",
    "ConfigKey",
    "ConfigValue",
    "Importance",
    "Recommender",
    "Type",
    "Width",
    "convert_to_string",
    "parse_type",
]
