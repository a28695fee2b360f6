"""Checks of JSON against its JSON Schema, for those who ask for them.

The rules of a dozen keywords in five drafts are what the library `jsonschema` is for; nothing else needs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from kconnect.errors import ConfigError, DataError
from kconnect_converters.json_schema.document import Document

Validate: TypeAlias = Callable[[bytes], None]


def require_library() -> None:
    """ConfigError where the library is not installed."""
    try:
        import jsonschema  # noqa: F401 - whether it is there
    except ImportError:
        raise ConfigError(
            "needs the library jsonschema", key="json.fail.invalid.schema", suggestion="install kconnect[json-schema]"
        ) from None


def compile_validator(document: Document) -> Validate:
    """What raises DataError, by the place, for JSON that `document` does not allow."""
    import referencing
    from jsonschema.exceptions import SchemaError, best_match
    from jsonschema.validators import validator_for
    from referencing.jsonschema import DRAFT7

    root = json.loads(document.text)
    known: list[tuple[str, Any]] = []
    for name, each in document.named.items():
        resource = referencing.Resource.from_contents(json.loads(each.text), default_specification=DRAFT7)
        known += [(uri, resource) for uri in (name, each.id) if uri]
    kind = validator_for(root)
    try:
        kind.check_schema(root)
    except SchemaError as error:
        raise DataError(f"the JSON Schema is none: {error.message}") from None
    validator = kind(root, registry=referencing.Registry().with_resources(known))

    def validate(data: bytes) -> None:
        try:
            found = best_match(validator.iter_errors(json.loads(data)))
        except (ValueError, RecursionError) as error:
            raise DataError(f"not JSON: {error}") from None
        except referencing.exceptions.Unresolvable as error:
            raise DataError(f"the JSON Schema refers to {error.ref!r}, which is not there") from None
        if found is not None:
            raise DataError(f"{found.json_path}: {found.message} (json.fail.invalid.schema=true)")

    return validate
