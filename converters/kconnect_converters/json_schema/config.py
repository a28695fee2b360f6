"""How Connect's schemas become JSON Schema's and the other way round."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import LOW, MEDIUM, Config, key
from kconnect.validators import CaseInsensitiveValidString


class JsonSchemaDataConfig(Config):
    """The settings of the mapping; names and defaults are those of Confluent's converter."""

    schemas_cache_config: int = key(
        default=1000,
        importance=LOW,
        group="Mapping",
        doc="How many schemas to remember in each direction, one at least.",
    )
    object_additional_properties: bool = key(
        default=True,
        importance=MEDIUM,
        group="Mapping",
        doc="Have the schemas of structs allow properties that they do not name.",
    )
    use_optional_for_nonrequired: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Read properties that a schema does not call required as optional fields.",
    )
    decimal_format: Annotated[str, CaseInsensitiveValidString("BASE64", "NUMERIC")] = key(
        default="BASE64",
        importance=LOW,
        group="Mapping",
        doc="Write a Decimal as Base64 of its bytes (exact in every reader) or as a JSON number. Both are read.",
    )
    generalized_sum_type_support: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Describe enums and unions by the parameters that Connect's other formats share, with numbered branches.",
    )
    flatten_singleton_unions: bool = key(
        default=True,
        importance=LOW,
        group="Mapping",
        doc="Read a union of one branch as that branch, not as a struct of one field.",
    )
    ignore_default_for_nullables: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Write null where an optional field is null, instead of the default that its schema has.",
    )
    json_fail_invalid_schema: bool = key(
        default=False,
        importance=LOW,
        group="Validation",
        doc="Refuse data that its JSON Schema does not allow, when writing and when reading; "
        "needs kconnect[json-schema].",
    )
