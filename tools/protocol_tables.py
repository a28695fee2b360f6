"""Writes the tables of Kafka's wire protocol from the message definitions inside Kafka's jars.

    mvn -q dependency:get -Dartifact=org.apache.kafka:kafka-clients:4.3.1
    python tools/protocol_tables.py --jar ~/.m2/repository/…/kafka-clients-4.3.1.jar [--jar …]
    python tools/protocol_tables.py            # only the stubs, from the tables as they are

The jars are those of Kafka 4.3.1: kafka-clients (requests, responses, consumer protocol),
kafka-group-coordinator and kafka-transaction-coordinator (what their internal topics hold) and
kafka-storage (producer snapshots). Only structure is taken: names, types, versions, defaults.

It writes, in the package `kconnect.log.protocol`, `messages.jsonl` (one message per line) and the type
stubs `requests.pyi`, `responses.pyi` and `payloads.pyi`. Commit the result.
"""

import argparse
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kconnect.log.protocol.definition import FieldDefinition, MessageDefinition, definition, names

PACKAGE = Path(__file__).resolve().parent.parent / "connect/kconnect/log/protocol"
TABLES = PACKAGE / "messages.jsonl"

APIS = [
    "Produce",
    "Fetch",
    "ListOffsets",
    "Metadata",
    "OffsetCommit",
    "OffsetFetch",
    "FindCoordinator",
    "JoinGroup",
    "Heartbeat",
    "LeaveGroup",
    "SyncGroup",
    "DescribeGroups",
    "ListGroups",
    "SaslHandshake",
    "ApiVersions",
    "CreateTopics",
    "DeleteTopics",
    "DeleteRecords",
    "InitProducerId",
    "OffsetForLeaderEpoch",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "EndTxn",
    "WriteTxnMarkers",
    "TxnOffsetCommit",
    "DescribeAcls",
    "DescribeConfigs",
    "AlterConfigs",
    "DescribeLogDirs",
    "SaslAuthenticate",
    "CreatePartitions",
    "DeleteGroups",
    "IncrementalAlterConfigs",
    "OffsetDelete",
    "DescribeClientQuotas",
    "DescribeUserScramCredentials",
    "AlterUserScramCredentials",
    "DescribeCluster",
    "DescribeProducers",
    "DescribeTransactions",
    "ListTransactions",
    "ConsumerGroupHeartbeat",
    "ConsumerGroupDescribe",
    "GetTelemetrySubscriptions",
    "DescribeTopicPartitions",
]

PAYLOADS = [
    "ConsumerProtocolSubscription",
    "ConsumerProtocolAssignment",
    "OffsetCommitKey",
    "OffsetCommitValue",
    "GroupMetadataKey",
    "GroupMetadataValue",
    "TransactionLogKey",
    "TransactionLogValue",
    "ProducerSnapshot",
    "ControlRecordTypeSchema",
    "EndTxnMarker",
]

ZERO_OF = {"bool": False, "float64": 0.0, "string": "", "bytes": "", "records": None, "uuid": ""}
PYTHON_TYPES = {
    "bool": "bool",
    "float64": "float",
    "string": "str",
    "bytes": "Buffer",
    "uuid": "bytes",
    "records": "Buffer",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jar", action="append", type=Path, default=[], help="a Kafka jar with definitions")
    jars = parser.parse_args().jar
    if jars:
        TABLES.write_text("".join(table_lines(read_jars(jars))))
    for module in ("requests", "responses", "payloads"):
        (PACKAGE / f"{module}.pyi").write_text(stub(module))


# Tables


def read_jars(jars: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Every message definition in the jars, by Kafka's name."""
    found = {}
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            for member in archive.namelist():
                if re.fullmatch(r"(common/)?message/\w+\.json", member):
                    lines = archive.read(member).decode().splitlines()
                    text = "\n".join(line for line in lines if not line.lstrip().startswith("//"))
                    source = json.loads(text)
                    found[source["name"]] = source
    return found


def table_lines(sources: dict[str, dict[str, Any]]) -> Iterator[str]:
    for module, kafka_names in (
        ("requests", [f"{name}Request" for name in APIS]),
        ("responses", [f"{name}Response" for name in APIS]),
        ("payloads", PAYLOADS),
    ):
        for kafka_name in kafka_names:
            row = table(sources[kafka_name], module)
            request = re.sub(r"Response$", "Request", kafka_name)
            if sources[request].get("latestVersionUnstable"):
                first, _, last = row["versions"].partition("-")
                row["versions"] = f"{first}-{int(last) - 1}"
            yield json.dumps(row, separators=(",", ":")) + "\n"


def table(source: dict[str, Any], module: str) -> dict[str, Any]:
    """One message in our form: structs in one flat map, innermost first, the message itself last."""
    kafka_name = source["name"]
    api = re.sub(r"(Request|Response)$", "", kafka_name) if module != "payloads" else kafka_name
    shared = {struct["name"]: struct["fields"] for struct in source.get("commonStructs", [])}
    short: dict[str, str] = {}
    structs: dict[str, list[dict[str, Any]]] = {}

    def add(struct_name: str, fields: list[dict[str, Any]]) -> str:
        name = short.setdefault(struct_name, shortened(struct_name, kafka_name, api))
        if name not in structs:
            rows = [field_row(field, add, shared) for field in fields]
            structs[name] = rows
        return name

    short[kafka_name] = api
    add(kafka_name, source["fields"])
    if len(set(short.values())) != len(short):
        raise SystemExit(f"{kafka_name}: shortened struct names collide: {short}")
    row: dict[str, Any] = {"name": f"{module}.{api}", "versions": source["validVersions"]}
    if "apiKey" in source:
        row["key"] = source["apiKey"]
    if source["type"] == "coordinator-key":
        row["prefixed_by_key"] = True
    if source.get("flexibleVersions", "none") != "none":
        row["flexible"] = source["flexibleVersions"]
    return row | {"structs": structs}


def shortened(struct_name: str, kafka_name: str, api: str) -> str:
    """Drops the message's own name from a struct's: MetadataResponseBroker is Metadata.Broker."""
    for prefix in (kafka_name, api):
        rest = struct_name.removeprefix(prefix)
        if rest != struct_name and rest[:1].isupper():
            return rest
    return struct_name


def field_row(field: dict[str, Any], add: Any, shared: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    kind = field["type"]
    element = kind.removeprefix("[]")
    if element[0].isupper():
        kind = kind.replace(element, add(element, field.get("fields") or shared[element]))
    row = {
        "name": snake(field["name"]),
        "type": kind,
        "versions": field.get("versions") or field["taggedVersions"],
    }
    for ours, kafkas in (("nullable", "nullableVersions"), ("tagged", "taggedVersions"), ("tag", "tag")):
        if kafkas in field:
            row[ours] = field[kafkas]
    if field.get("ignorable"):
        row["ignorable"] = True
    default = default_value(kind, field.get("default"))
    if default is not ...:
        row["default"] = default
    return row


def default_value(kind: str, text: Any) -> Any:
    """The default as a JSON value, or `...` where it is the zero of its type."""
    if text == "null":
        return None
    if text is None or kind.startswith("[]") or kind[0].isupper():
        return ...
    if kind in ZERO_OF:
        value: Any = text in (True, "true") if kind == "bool" else text
        return ... if value == ZERO_OF[kind] else value
    number = int(text, 0) if isinstance(text, str) else text
    return number if number else ...


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z])(?=[a-z])", r"_\1\2", name).lower()


# Stubs


def stub(module: str) -> str:
    out = io.StringIO()
    out.write("# Written by tools/protocol_tables.py from messages.jsonl: do not edit.\n\n")
    out.write("from collections.abc import Sequence\n\n")
    out.write("from kconnect.log.protocol.message import Buffer, Message\n")
    for name in names(module):
        out.write("\n")
        write_message(out, definition(module, name))
    return out.getvalue()


def write_message(out: io.StringIO, message: MessageDefinition) -> None:
    out.write(f"class {message.short_name}(Message, kw_only=True):\n")
    nested = [name for name in message.structs if name != message.short_name]
    for name in nested:
        out.write(f"    class {name}(Message, kw_only=True):\n")
        write_fields(out, message, message.structs[name], "        ")
        out.write("\n")
    write_fields(out, message, message.structs[message.short_name], "    ")


def write_fields(out: io.StringIO, message: MessageDefinition, fields: list[FieldDefinition], indent: str) -> None:
    if not fields:
        out.write(f"{indent}pass\n")
    for field in fields:
        kind = python_type(message, field)
        out.write(f"{indent}{field.name}: {kind} = ...\n")


def python_type(message: MessageDefinition, field: FieldDefinition) -> str:
    element = field.element
    kind = element if field.is_struct else PYTHON_TYPES.get(element, "int")
    if field.is_struct:
        kind = f"{message.short_name}.{element}"
    if field.is_array:
        kind = f"Sequence[{kind}]"
    return f"{kind} | None" if field.may_be_none else kind


if __name__ == "__main__":
    main()
