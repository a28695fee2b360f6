import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from kio.schema.errors import ErrorCode as KioErrorCode

from kconnect.log.protocol import ErrorCode, definition, requests

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def tool():
    spec = importlib.util.spec_from_file_location("protocol_tables", ROOT / "tools/protocol_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("module", ["requests", "responses", "payloads"])
def test_the_stubs_are_those_of_the_tables(tool, module):
    assert (tool.PACKAGE / f"{module}.pyi").read_text() == tool.stub(module)


def test_a_definition_becomes_a_row_of_the_table(tool):
    source = {
        "apiKey": 3,
        "type": "response",
        "name": "MetadataResponse",
        "validVersions": "0-13",
        "flexibleVersions": "9+",
        "fields": [
            {"name": "ClusterId", "type": "string", "versions": "2+", "nullableVersions": "2+", "default": "null"},
            {"name": "Brokers", "type": "[]MetadataResponseBroker", "versions": "0+", "fields": [
                {"name": "NodeId", "type": "int32", "versions": "0+", "default": "-1", "ignorable": True},
            ]},
        ],
    }  # fmt: skip
    assert tool.table(source, "responses") == {
        "name": "responses.Metadata",
        "versions": "0-13",
        "key": 3,
        "flexible": "9+",
        "structs": {
            "Broker": [{"name": "node_id", "type": "int32", "versions": "0+", "ignorable": True, "default": -1}],
            "Metadata": [
                {"name": "cluster_id", "type": "string", "versions": "2+", "nullable": "2+", "default": None},
                {"name": "brokers", "type": "[]Broker", "versions": "0+"},
            ],
        },
    }


def test_error_codes_are_those_of_kafka():
    assert {code.name: code.value for code in ErrorCode} == {code.name.upper(): code.value for code in KioErrorCode}


def test_a_name_that_is_no_message_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Nonsense"):
        requests.Nonsense  # noqa: B018
    with pytest.raises(KeyError):
        definition.definition("requests", "Nonsense")


def test_importing_reads_no_tables_and_compiles_nothing():
    code = (
        "import sys, kconnect.log.protocol.records, kconnect.log.protocol.versioned\n"
        "from kconnect.log.protocol import definition\n"
        "assert definition._lines.cache_info().currsize == 0\n"
        "assert 'cramjam' not in sys.modules and 'asyncio' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
