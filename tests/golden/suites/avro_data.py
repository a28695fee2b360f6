"""Connect's data as Avro and back: schemas compare as parsed JSON, data byte for byte.

kconnect converts and serializes in one step, so an error of either stage is one of both."""

from __future__ import annotations

import base64
import json
from typing import Any

from golden import decode
from golden.case import Case, LeftOutError
from kconnect.errors import DataError
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.decoder import compile_decoder
from kconnect_converters.avro.encoder import compile_encoder
from kconnect_converters.avro.from_avro import ConnectSchemas
from kconnect_converters.avro.schema import AvroSchema, parse_schema, schema_of
from kconnect_converters.avro.to_avro import avro_schema

ONE_STEP = {"convert", "serialize", "deserialize"}


def built(case: Case) -> bool:
    return True


def run(case: Case) -> Any:
    steps = case.inputs if case.inputs is not None else [case.input]
    _refuse_recursion(steps, case)
    for step in steps:
        if isinstance(step.get("schema"), dict):
            decode.schema(step["schema"])
    case.stage = "configure"
    mapping = _Mapping(case)
    made = [mapping.step(step.get("op", case.op), step) for step in steps]
    return made if case.inputs is not None else made[0]


def _refuse_recursion(steps: list[Any], case: Case) -> None:
    if '"$ref"' in json.dumps([steps, case.output, case.outputs]):
        raise LeftOutError("a schema that contains itself")


class _Mapping:
    def __init__(self, case: Case) -> None:
        # The class that made the vectors knows no flatten.singleton.unions, and does as if it were false.
        self._config = AvroDataConfig.parse({"flatten.singleton.unions": "false", **case.config})
        self._from_avro = ConnectSchemas(self._config)
        self._case = case

    def step(self, op: str, given: dict[str, Any]) -> Any:
        self._case.stage = "parse"
        avro = _parsed(given["avroSchema"]) if "avroSchema" in given else None
        self._case.stage = self._stage()
        if op == "fromConnectSchema":
            return avro_schema(decode.schema(given["schema"]), self._config).to_json()
        if op == "fromConnectData":
            return self._write(given)
        assert avro is not None
        schema = self._from_avro.schema(avro, given.get("version"))
        if op == "toConnectSchema":
            return [schema]
        if given["$bytes"] is None:
            return None
        value = compile_decoder(avro, schema)(base64.b64decode(given["$bytes"]), 0)
        return None if value is None and schema is not None else [schema, value]

    def _stage(self) -> str:
        error = self._case.error
        return error["stage"] if error and error["stage"] in ONE_STEP else "convert"

    def _write(self, given: dict[str, Any]) -> Any:
        schema = decode.schema(given["schema"])
        value = decode.value(schema, given["value"])
        avro = avro_schema(schema, self._config)
        if value is None and (schema is None or schema.optional):
            return None
        return [avro.to_json(), compile_encoder(schema, avro, self._config)(value)]


def _parsed(described: Any) -> AvroSchema:
    if isinstance(described, dict) and "$text" in described:
        return parse_schema(described["$text"])
    return schema_of(described)


def expected(case: Case) -> Any:
    steps = case.inputs if case.inputs is not None else [case.input]
    outputs = case.outputs if case.outputs is not None else [case.output]
    _refuse_recursion(steps, case)
    made = [_expected(step.get("op", case.op), output) for step, output in zip(steps, outputs, strict=True)]
    return made if case.outputs is not None else made[0]


def _expected(op: str, output: Any) -> Any:
    if output is None:
        return None
    if op == "fromConnectSchema":
        return output["avroSchema"]
    if op == "fromConnectData":
        return [output["avroSchema"], base64.b64decode(output["$bytes"])]
    try:
        schema = decode.schema(output["schema"])
    except DataError:
        raise LeftOutError("a schema whose default does not fit") from None
    if op == "toConnectSchema":
        return [schema]
    return [schema, decode.value(schema, output["value"], expected=True)]
