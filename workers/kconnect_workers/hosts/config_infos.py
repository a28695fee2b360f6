"""Keys and values of configurations in the form in which REST shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kconnect.config import ConfigKey, ConfigValue, Type, convert_to_string
from kconnect_workers.hosts.messages import ConfigInfos, ConfigKeyInfo, ConfigValueInfo


def key_info(key: ConfigKey) -> ConfigKeyInfo:
    return ConfigKeyInfo(
        name=key.name,
        type=key.type.value,
        required=key.required,
        default_value=None if key.required else convert_to_string(key.default, key.type),
        importance=key.importance.value,
        documentation=key.doc,
        group=key.group,
        order_in_group=key.order_in_group,
        width=key.width.value,
        display_name=key.display_name,
        dependents=list(key.dependents),
    )


def value_info(value: ConfigValue, type_: Type | None, shown: str | None = None) -> ConfigValueInfo:
    """`value` as text, a password as `[hidden]`; `shown` instead, if given."""
    return ConfigValueInfo(
        name=value.name,
        value=convert_to_string(value.value, type_) if shown is None else shown,
        recommended_values=[convert_to_string(v, type_) or "" for v in value.recommended_values],
        errors=list(value.errors),
        visible=value.visible,
    )


def config_infos(
    name: str, keys: Mapping[str, ConfigKey], values: Iterable[ConfigValue], shown: Mapping[str, str]
) -> ConfigInfos:
    """The result of a validation. Groups are in the order in which `keys` first name them; a value without a key
    (a plugin made it up) stands alone. `shown` are texts to show in the place of values."""
    configs = [
        (
            key_info(key) if (key := keys.get(value.name)) else None,
            value_info(value, key.type if key else None, shown.get(value.name)),
        )
        for value in values
    ]
    return ConfigInfos(
        name=name,
        error_count=sum(len(value.errors) for _, value in configs),
        groups=list(dict.fromkeys(key.group for key in keys.values() if key.group is not None)),
        configs=configs,
    )
