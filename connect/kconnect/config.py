"""Config: configuration declared once, as typed attributes over a ConfigDef.

class RedisConfig(Config):
    url: str = key(name="redis.uri", doc="Where Redis is.", importance=HIGH)
    batch_size: Annotated[int, Range(1)] = key(default=500, doc="Records per pipeline.")
    mode: Literal["hash", "stream"] = key(default="hash", doc="How records are written.")
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self, Union, dataclass_transform, get_args, get_origin

from kconnect.config_types import Password, Type, convert_to_string, parse_type
from kconnect.configdef import (
    NO_DEFAULT,
    ConfigDef,
    ConfigKey,
    ConfigValue,
    Importance,
    Recommender,
    Width,
)
from kconnect.errors import ConfigError
from kconnect.validators import (
    CompositeValidator,
    NonEmptyString,
    Nullable,
    Range,
    TopicName,
    Validator,
    ValidList,
    ValidString,
)

HIGH = Importance.HIGH
MEDIUM = Importance.MEDIUM
LOW = Importance.LOW


def key(
    *,
    doc: str,
    default: Any = NO_DEFAULT,
    name: str | None = None,
    importance: Importance = MEDIUM,
    type: Type | None = None,
    validator: Validator | None = None,
    group: str | None = None,
    order_in_group: int | None = None,
    width: Width = Width.NONE,
    display_name: str = "",
    dependents: tuple[str, ...] = (),
    recommender: Recommender | None = None,
    internal: bool = False,
) -> Any:
    """Declare a key as a class attribute of a Config.

    `name` is the attribute's name with dots for underscores unless given. The type comes from the annotation
    (`int` is Kafka's INT; `Annotated[int, Type.LONG]` or `type` say otherwise), as do validators: `Annotated`
    metadata, the choices of a `Literal`. A key without a default must be given; one that is `… | None` may be
    null. Keys of a group are numbered in the order of declaration unless `order_in_group` says otherwise.
    """
    return _Declaration(
        name=name,
        type=type,
        settings={
            "default": default,
            "importance": importance,
            "doc": doc,
            "validator": validator,
            "group": group,
            "order_in_group": -1 if order_in_group is None else order_in_group,
            "width": width,
            "display_name": display_name,
            "dependents": dependents,
            "recommender": recommender,
            "internal": internal,
        },
    )


@dataclass_transform(field_specifiers=(key,), kw_only_default=True, frozen_default=True)
class Config:
    """Values of a ConfigDef as attributes; immutable.

    Made by `parse`, or from keyword arguments, by attribute name. A subclass adds keys to those of its bases, and
    may declare one anew.
    """

    config_def: ClassVar[ConfigDef] = ConfigDef()
    _names: ClassVar[dict[str, str]] = {}
    _nullable: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        names: dict[str, str] = {}
        keys: dict[str, ConfigKey] = {}
        nullable: set[str] = set()
        for base in reversed(cls.__bases__):
            if issubclass(base, Config):
                names |= base._names
                keys |= base.config_def.keys
                nullable |= base._nullable
        hints = typing.get_type_hints(cls, include_extras=True)
        own = [(name, value) for name, value in vars(cls).items() if isinstance(value, _Declaration)]
        for attribute, declaration in own:
            if attribute not in hints:
                raise TypeError(f"{cls.__name__}.{attribute} needs a type annotation")
            shape = _shape(hints[attribute])
            config_key = declaration.config_key(attribute, shape)
            (nullable.add if shape.optional else nullable.discard)(attribute)
            keys.pop(names.get(attribute, ""), None)
            names[attribute] = config_key.name
            keys[config_key.name] = config_key
            delattr(cls, attribute)
        cls._names = names
        cls._nullable = frozenset(nullable)
        cls.config_def = ConfigDef(_numbered(keys.values()))

    def __init__(self, **values: Any) -> None:
        unknown = values.keys() - self._names.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no attribute {', '.join(sorted(unknown))}")
        given = {self._names[attribute]: value for attribute, value in values.items()}
        self._set(self.config_def.parse(given), given)

    @classmethod
    def parse(cls, props: Mapping[str, Any]) -> Self:
        """Read `props`, by key name. Keys that this class does not know are ignored (they stay in `originals`).

        Raises ConfigError for the first key that is missing or wrong.
        """
        config = cls.__new__(cls)
        config._set(cls.config_def.parse(props), props)
        return config

    def _set(self, parsed: Mapping[str, Any], originals: Mapping[str, Any]) -> None:
        state = self.__dict__
        state["_originals"] = dict(originals)
        for attribute, name in self._names.items():
            value = parsed[name]
            if value is None and attribute not in self._nullable:
                raise ConfigError("needs a value", key=name)
            state[attribute] = list(value) if isinstance(value, list) else value
        self._check()

    def _check(self) -> None:
        """Override to check what no single key can tell: ConfigError for values that do not go together."""

    @property
    def originals(self) -> dict[str, Any]:
        """Everything that was given, as it was given: unknown keys too, passwords readable."""
        return dict(self.__dict__["_originals"])

    def originals_with_prefix(self, prefix: str) -> dict[str, Any]:
        """The given keys that begin with `prefix`, without it."""
        given = self.__dict__["_originals"].items()
        return {name[len(prefix) :]: value for name, value in given if name.startswith(prefix) and name != prefix}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))

    def _values(self) -> dict[str, Any]:
        return {attribute: self.__dict__[attribute] for attribute in self._names}

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._values().items())
        return f"{type(self).__name__}({values})"


class _Declaration:
    """What `key` was given, until the class is made and its annotation is known."""

    def __init__(self, name: str | None, type: Type | None, settings: dict[str, Any]) -> None:
        self.name = name
        self.type = type
        self.settings = settings

    def config_key(self, attribute: str, shape: _Shape) -> ConfigKey:
        type_ = self.type or shape.type
        if type_ is None:
            raise TypeError(f"{attribute}: its annotation is none that a configuration key can have")
        name = self.name or attribute.replace("_", ".")
        return ConfigKey(name=name, type=type_, **self.settings | {"validator": self._validator(shape)})

    def _validator(self, shape: _Shape) -> Validator | None:
        validators = list(shape.validators)
        if self.settings["validator"] is not None:
            validators.append(self.settings["validator"])
        if not validators:
            return None
        validator = validators[0] if len(validators) == 1 else CompositeValidator(*validators)
        return Nullable(validator) if shape.optional else validator


class _Shape(typing.NamedTuple):
    """What an annotation says about a key."""

    type: Type | None
    validators: list[Validator]
    optional: bool = False


_TYPES: dict[Any, Type] = {
    str: Type.STRING,
    bool: Type.BOOLEAN,
    int: Type.INT,
    float: Type.DOUBLE,
    list: Type.LIST,
    type: Type.CLASS,
    Password: Type.PASSWORD,
}


def _shape(annotation: Any) -> _Shape:
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        inner = _shape(arguments[0])
        stated = next((m for m in arguments[1:] if isinstance(m, Type)), inner.type)
        validators = [m for m in arguments[1:] if callable(m) and not isinstance(m, Type)]
        return _Shape(stated, inner.validators + validators, inner.optional)
    if origin in (Union, types.UnionType):
        inner = next(_shape(a) for a in arguments if a is not types.NoneType)
        return inner._replace(optional=types.NoneType in arguments)
    if origin is Literal:
        return _Shape(Type.STRING, [ValidString(*arguments)])
    if origin is list:
        item = arguments[0]
        return _Shape(Type.LIST, [ValidList(*get_args(item))] if get_origin(item) is Literal else [])
    return _Shape(_TYPES.get(annotation), [])


def _numbered(keys: Iterable[ConfigKey]) -> list[ConfigKey]:
    """Keys of a group that have no place in it yet get the next one, in the order of declaration."""
    places: dict[str, int] = {}
    numbered = []
    for config_key in keys:
        group, place = config_key.group, config_key.order_in_group
        if group is not None:
            if place < 0:
                place = places.get(group, 0) + 1
                config_key = replace(config_key, order_in_group=place)
            places[group] = place
        numbered.append(config_key)
    return numbered


__all__ = [
    "HIGH",
    "LOW",
    "MEDIUM",
    "NO_DEFAULT",
    "CompositeValidator",
    "Config",
    "ConfigDef",
    "ConfigError",
    "ConfigKey",
    "ConfigValue",
    "Importance",
    "NonEmptyString",
    "Password",
    "Range",
    "Recommender",
    "TopicName",
    "Type",
    "ValidList",
    "ValidString",
    "Validator",
    "Width",
    "convert_to_string",
    "key",
    "parse_type",
]
