"""A client of Confluent's schema registry, and of what speaks its protocol (Karapace, Apicurio …)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from kconnect.errors import ConnectError, DataError
from kconnect_converters.schema_registry.config import SchemaRegistryConfig
from kconnect_converters.schema_registry.http import RefusedError, RegistryHttp

T = TypeVar("T")
_AVRO = "AVRO"


@dataclass(frozen=True, slots=True)
class SchemaReference:
    """A schema that another one refers to by `name`."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema as the registry has it; `version` is 0 where it was asked for by its id."""

    id: int
    text: str
    type: str = _AVRO
    version: int = 0
    references: tuple[SchemaReference, ...] = ()


class SchemaRegistryClient:
    """What was asked once is remembered, but a subject's latest for `latest.cache.ttl.sec` only. Used by one thread.

    All raise RetriableError when the registry does not answer; ConnectError where it answers that the credentials are
    wrong; DataError where it does not have, or does not take, a schema.
    """

    def __init__(self, config: SchemaRegistryConfig) -> None:
        self._http = RegistryHttp(config)
        self._config = config
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._latest: dict[str, tuple[float, RegisteredSchema]] = {}

    def register(self, subject: str, text: str, schema_type: str = _AVRO) -> int:
        """The id of the schema in `subject`, where it is put unless it is there already. DataError, with what is not
        compatible, when the subject does not allow it."""
        key = ("id", subject, text, schema_type)
        return self._once(key, lambda: self._register(subject, text, schema_type))

    def _register(self, subject: str, text: str, schema_type: str) -> int:
        try:
            path = f"/subjects/{_quoted(subject)}/versions{self._normalized()}"
            return int(self._http.request("POST", path, _body(text, schema_type))["id"])
        except RefusedError as error:
            if error.status == 409:
                raise DataError(self._incompatible(subject, text, schema_type, error.reason)) from None
            raise self._explained(error, f"subject {subject}") from None

    def _incompatible(self, subject: str, text: str, schema_type: str, reason: str) -> str:
        """What changed, if the registry tells."""
        details: list[str] = []
        try:
            path = f"/compatibility/subjects/{_quoted(subject)}/versions/latest?verbose=true"
            answer = self._http.request("POST", path, _body(text, schema_type))
            details = [str(each) for each in answer.get("messages") or ()]
        except ConnectError:
            pass  # then its own words must do
        return (
            f"the schema is not compatible with those of subject {subject}: {'; '.join(details) or reason}. Change the "
            "schema (a new field needs a default), or the subject's compatibility: "
            f"PUT {self._http.urls}/config/{subject}"
        )

    def lookup(
        self, subject: str, text: str, schema_type: str = _AVRO, references: tuple[SchemaReference, ...] = ()
    ) -> RegisteredSchema:
        """The schema as `subject` has it; DataError when it does not."""
        key = ("lookup", subject, text, schema_type, references)
        return self._once(key, lambda: self._lookup(subject, text, schema_type, references))

    def _lookup(
        self, subject: str, text: str, schema_type: str, references: tuple[SchemaReference, ...]
    ) -> RegisteredSchema:
        body = _body(text, schema_type)
        if references:
            body["references"] = [asdict(each) for each in references]
        try:
            answer = self._http.request("POST", f"/subjects/{_quoted(subject)}{self._normalized()}", body)
        except RefusedError as error:
            if error.status == 404:
                raise DataError(
                    f"the schema is not in subject {subject} of the schema registry ({error.reason}): register it, "
                    "or set auto.register.schemas=true"
                ) from None
            raise self._explained(error, f"subject {subject}") from None
        return _schema({"schema": text, **answer})

    def by_id(self, schema_id: int) -> RegisteredSchema:
        return self._once(
            ("schema", schema_id), lambda: self._get(f"/schemas/ids/{schema_id}", f"schema {schema_id}", schema_id)
        )

    def by_guid(self, guid: str) -> RegisteredSchema:
        return self._once(("guid", guid), lambda: self._get(f"/schemas/guids/{guid}", f"schema {guid}"))

    def version(self, subject: str, version: int) -> RegisteredSchema:
        path = f"/subjects/{_quoted(subject)}/versions/{version}"
        return self._once(
            ("version", subject, version), lambda: self._get(path, f"version {version} of subject {subject}")
        )

    def latest(self, subject: str) -> RegisteredSchema:
        """The subject's newest schema, as new as `latest.cache.ttl.sec` says."""
        now, ttl = time.monotonic(), self._config.latest_cache_ttl_sec
        found = self._latest.get(subject)
        if found is None or (ttl >= 0 and now - found[0] >= ttl):
            path = f"/subjects/{_quoted(subject)}/versions/latest"
            found = self._latest[subject] = now, self._get(path, f"subject {subject}")
        return found[1]

    def referenced(self, schema: RegisteredSchema) -> list[tuple[str, RegisteredSchema]]:
        """All that `schema` refers to, by name, each after what it refers to itself."""
        found: dict[str, RegisteredSchema] = {}
        self._gather(schema, found)
        return list(found.items())

    def _gather(self, schema: RegisteredSchema, found: dict[str, RegisteredSchema]) -> None:
        for reference in schema.references:
            if reference.name not in found:
                target = self.version(reference.subject, reference.version)
                self._gather(target, found)
                found[reference.name] = target

    def _get(self, path: str, what: str, schema_id: int = 0) -> RegisteredSchema:
        try:
            return _schema({"id": schema_id, **self._http.request("GET", path)})
        except RefusedError as error:
            raise self._explained(error, what) from None

    def _explained(self, error: RefusedError, what: str) -> ConnectError:
        if error.status in (401, 403):
            return ConnectError(
                f"{error}: check basic.auth.credentials.source with basic.auth.user.info, or bearer.auth.token"
            )
        if error.status == 404:
            return DataError(f"{what} is not in the schema registry at {self._http.urls}: {error.reason}")
        return DataError(f"{what}: {error}") if error.status in (409, 422) else error

    def _normalized(self) -> str:
        return "?normalize=true" if self._config.normalize_schemas else ""

    def _once(self, key: Hashable, ask: Callable[[], T]) -> T:
        found: T | None = self._found.get(key)
        if found is None:
            found = self._found[key] = ask()
            if len(self._found) > self._config.max_schemas_per_subject:
                self._found.popitem(last=False)
        return found

    def close(self) -> None:
        """May be called twice."""
        self._http.close()


def _quoted(subject: str) -> str:
    return quote(subject, safe="")


def _body(text: str, schema_type: str) -> dict[str, Any]:
    """Avro is not named: older registries know nothing else."""
    return {"schema": text} if schema_type == _AVRO else {"schema": text, "schemaType": schema_type}


def _schema(answer: Mapping[str, Any]) -> RegisteredSchema:
    references = tuple(
        SchemaReference(each["name"], each["subject"], int(each["version"])) for each in answer.get("references") or ()
    )
    return RegisteredSchema(
        id=int(answer.get("id") or 0),
        text=str(answer["schema"]),
        type=str(answer.get("schemaType") or _AVRO),
        version=int(answer.get("version") or 0),
        references=references,
    )
