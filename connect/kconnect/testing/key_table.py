"""The keys of a connector as its README lists them."""

from __future__ import annotations

from kconnect.config import Config
from kconnect.config_types import Password, convert_to_string
from kconnect.configdef import ConfigKey


def key_table(config: type[Config], beyond: type[Config] = Config) -> str:
    """A Markdown table of the keys that `config` has beyond those of `beyond`, in the order of their declaration, each
    with its default and its documentation; internal ones are left out. A README that holds it is as new as the code:

        assert key_table(RedisSinkConfig) in README.read_text()
    """
    keys = [key for name, key in config.config_def.keys.items() if name not in beyond.config_def.keys]
    lines = ["| key | default | |", "|---|---|---|"]
    lines += [f"| `{key.name}` | {_default(key)} | {_cell(key.doc)} |" for key in keys if not key.internal]
    return "\n".join(lines) + "\n"


def _default(key: ConfigKey) -> str:
    if key.required:
        return "required"
    if isinstance(key.default, Password):
        return "–"
    text = convert_to_string(key.default, key.type)
    return f"`{_cell(text)}`" if text else "–"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
