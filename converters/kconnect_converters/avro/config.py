"""How Connect's schemas become Avro's and the other way round."""

from __future__ import annotations

from kconnect.config import LOW, MEDIUM, Config, key


class AvroDataConfig(Config):
    """The settings of the mapping; names and defaults are those of Confluent's converter."""

    schemas_cache_config: int = key(
        default=1000,
        importance=LOW,
        group="Mapping",
        doc="How many schemas to remember in each direction, one at least.",
    )
    connect_meta_data: bool = key(
        default=True,
        importance=LOW,
        group="Mapping",
        doc="Write what Avro has no word for (names, versions, docs, parameters, defaults, int8, int16) as connect.* "
        "attributes of the Avro schema, and take parameters and docs from there when reading.",
    )
    enhanced_avro_schema_support: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Write strings that were read from an enum as an enum again, and name the branches of a union in full.",
    )
    generalized_sum_type_support: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Describe enums and unions by the parameters that Connect's other formats share, with numbered branches.",
    )
    ignore_default_for_nullables: bool = key(
        default=False,
        importance=LOW,
        group="Mapping",
        doc="Write null where an optional field is null, instead of the default that its schema has.",
    )
    scrub_invalid_names: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Replace what Avro does not allow in names of structs and fields, instead of refusing them.",
    )
    discard_type_doc_default: bool = key(
        default=False,
        importance=LOW,
        group="Mapping",
        doc="Keep the docs and defaults of Avro's fields only, as the docs and defaults of Connect's schemas.",
    )
    allow_optional_map_keys: bool = key(
        default=False,
        importance=LOW,
        group="Mapping",
        doc="Write maps whose keys are optional strings as Avro maps; a null key is then refused.",
    )
    flatten_singleton_unions: bool = key(
        default=True,
        importance=LOW,
        group="Mapping",
        doc="Read a union of one branch as that branch, not as a struct of one field.",
    )
