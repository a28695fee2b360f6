"""How Connect's schemas become Protobuf's and the other way round."""

from __future__ import annotations

from kconnect.config import LOW, MEDIUM, Config, key


class ProtobufDataConfig(Config):
    """The settings of the mapping; names and defaults are those of Confluent's converter."""

    schemas_cache_config: int = key(
        default=1000,
        importance=LOW,
        group="Mapping",
        doc="How many schemas to remember in each direction, one at least.",
    )
    enhanced_protobuf_schema_support: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Read the names of messages, enums and oneofs with their packages.",
    )
    generalized_sum_type_support: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Describe enums and oneofs by the parameters that Connect's other formats share.",
    )
    scrub_invalid_names: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Replace what Protobuf does not allow in names of structs and fields, instead of refusing them.",
    )
    int_for_enums: bool = key(
        default=False, importance=MEDIUM, group="Mapping", doc="Read enums as their numbers, not as their names."
    )
    optional_for_nullables: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Write optional fields with the label `optional`, and read those that have it, and no others, as optional.",
    )
    optional_for_proto2: bool = key(
        default=True,
        importance=MEDIUM,
        group="Mapping",
        doc="Read fields that proto2 calls optional as null where they are not set, instead of their default.",
    )
    wrapper_for_nullables: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Write optional numbers, texts and bytes as google.protobuf's wrappers, and read these as what they wrap.",
    )
    wrapper_for_raw_primitives: bool = key(
        default=True,
        importance=MEDIUM,
        group="Mapping",
        doc="Read a record that is one of google.protobuf's wrappers as what it wraps.",
    )
    generate_struct_for_nulls: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Read messages that are not set as structs of default values, instead of null.",
    )
    generate_index_for_unions: bool = key(
        default=True,
        importance=MEDIUM,
        group="Mapping",
        doc="Read a oneof as a field of its name with `_` and its number; if false of its name alone.",
    )
    flatten_unions: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Read the members of a oneof as fields of their message, instead of a struct of them.",
    )
    ignore_default_for_nullables: bool = key(
        default=False,
        importance=MEDIUM,
        group="Mapping",
        doc="Leave an optional field that is null unset, instead of setting the default that its schema has.",
    )
