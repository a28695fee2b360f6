from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kconnect import Config
from kconnect.plugin import CONNECTORS
from kconnect.plugins import Plugins
from kconnect.testing.conformance import validation_errors
from kconnect.testing.key_table import key_table
from kconnect_mongodb.connection_config import ConnectionConfig
from kconnect_mongodb.sink_config import UNCOVERED, MongoSinkConfig
from kconnect_mongodb.source_config import UNCOVERED as UNCOVERED_OF_SOURCES
from kconnect_mongodb.source_config import MongoSourceConfig

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize(
    ("config", "beyond"),
    [(ConnectionConfig, Config), (MongoSinkConfig, ConnectionConfig), (MongoSourceConfig, ConnectionConfig)],
)
def test_the_readme_lists_every_key_as_it_is_declared(config: type[Config], beyond: type[Config]) -> None:
    assert key_table(config, beyond) in README


@pytest.mark.parametrize("key", sorted({*UNCOVERED, *UNCOVERED_OF_SOURCES}))
def test_the_readme_names_what_is_not_covered(key: str) -> None:
    family = key.partition(".")[0]
    assert f"`{key}`" in README or f"`{family}.…`" in README


EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", README, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_the_examples_are_valid(example: dict[str, dict[str, str]]) -> None:
    plugins = Plugins.discover()
    connector = plugins.load(plugins.resolve(CONNECTORS, example["config"]["connector.class"]))
    assert validation_errors(connector, example["config"]) == {}
