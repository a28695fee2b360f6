"""Commands on plugins: what is installed, and what keys it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kconnect_workers.cli.output import Column, Output, OutputOption, print_json, print_table

if TYPE_CHECKING:
    from kconnect.config import ConfigDef
    from kconnect.plugin import PluginInfo
    from kconnect.plugins import Plugins
    from kconnect.validators import Validator


def plugins(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Show the config keys of this plugin.", show_default=False),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the plugins installed here, with what is wrong with those that cannot be used; or the keys of one.

    For example: kconnect plugins · kconnect plugins FileStreamSource
    """
    from kconnect.plugin import CONNECTORS, PluginKind
    from kconnect.plugins import Plugins

    found = Plugins.discover()
    if name is not None:
        info = found.resolve(PluginKind, name)
        plugin: Any = found.load(info)
        _show_keys(plugin.config_def(), output)
        if info.kind in CONNECTORS and output is Output.TABLE:
            topics = "topics or topics.regex, " if info.kind is PluginKind.SINK else ""
            typer.echo(
                f"\nAnd as every {info.kind.value}: {topics}tasks.max, transforms, key.converter, errors.tolerance …"
            )
    elif output is Output.JSON:
        _print_all(found)
    else:
        _list(found)


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Plugins")(plugins)


def _print_all(found: Plugins) -> None:
    print_json(
        {
            "plugins": [
                {
                    "class": info.class_name,
                    "type": info.kind.value,
                    "version": info.version,
                    "distribution": info.distribution,
                    "aliases": sorted(info.aliases),
                    "java": list(info.java_names),
                }
                for info in _sorted(found)
            ],
            "faults": [
                {"distribution": f.distribution, "entry_point": f.entry_point, "error": f.error} for f in found.faults
            ],
        }
    )


def _list(found: Plugins) -> None:
    print_table(
        ("name", "type", "version", Column("distribution", shrinks=True)),
        [
            (info.class_name.rpartition(":")[2], info.kind.value, info.version, info.distribution)
            for info in _sorted(found)
        ],
        empty="No plugins are installed.",
    )
    for fault in found.faults:
        typer.echo(f"\n{fault.distribution} ({fault.entry_point}) cannot be used: {fault.error}", err=True)


def _sorted(found: Plugins) -> list[PluginInfo]:
    return sorted(found.infos, key=lambda info: (info.kind.value, info.class_name))


def _show_keys(config_def: ConfigDef, output: Output) -> None:
    from kconnect.config import convert_to_string

    keys = [
        {
            "name": key.name,
            "type": key.type.name,
            "required": key.required,
            "default": None if key.required else convert_to_string(key.default, key.type),
            "importance": key.importance.value,
            "allowed": _choices(key.validator),
            "doc": key.doc,
        }
        for key in config_def.keys.values()
        if not key.internal
    ]
    if output is Output.JSON:
        print_json(keys)
        return
    print_table(
        ("key", "type", Column("default", folds=True), Column("doc", folds=True)),
        [(k["name"], k["type"], "required" if k["required"] else k["default"] or "", _doc(k)) for k in keys],
        empty="It takes no keys.",
    )


def _choices(validator: Validator | None) -> list[str]:
    """The values that a key may have, where they are few words; none where anything else bounds it."""
    from kconnect.validators import CaseInsensitiveValidString, Nullable, ValidList, ValidString

    match validator:
        case Nullable():
            return _choices(validator.validator)
        case ValidString() | CaseInsensitiveValidString() | ValidList():
            return [value for value in validator.values if value]
        case _:
            return []


def _doc(key: Mapping[str, Any]) -> str:
    return f"{key['doc']} One of: {', '.join(key['allowed'])}." if key["allowed"] else str(key["doc"])
