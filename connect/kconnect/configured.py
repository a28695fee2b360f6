"""What takes a configuration of a class of its own: connectors, tasks, converters, transforms, predicates."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from kconnect.config import Config, ConfigDef


class Configured:
    """A generic contract takes the class as its type argument: `class Cast(Transform[CastConfig])`."""

    config_class: ClassVar[type[Config]] = Config

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.config_class = _config_class_of(cls) or cls.config_class

    @classmethod
    def config_def(cls) -> ConfigDef:
        """Every key that this class takes."""
        return cls.config_class.config_def


def _config_class_of(cls: type) -> type[Config] | None:
    """The Config that a generic contract is subclassed with, as in `SinkTask[RedisConfig]`.

    None if that is left open or inherited.
    """
    for base in cls.__dict__.get("__orig_bases__", ()):
        for argument in get_args(base):
            if isinstance(argument, type) and issubclass(argument, Config):
                return argument
    return None
