"""Filter: keeps or drops records by a condition in JSON path."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import HIGH, MEDIUM, Config, key
from kconnect.errors import DataError
from kconnect.recipe import Side
from kconnect.transform import R, Transform
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.confluent.json_path import JsonPath, MissingError, valid_path
from kconnect_transforms.sides import OnKey, OnValue

_INCLUDE = "include"
_EXCLUDE = "exclude"
_FAIL = "fail"


class FilterConfig(Config):
    filter_condition: str = key(
        importance=HIGH,
        validator=valid_path,
        doc="A JSON path; records in which it finds something match: $.order[?(@.state == 'new' && @.total > 10)].",
    )
    filter_type: Annotated[str, CaseInsensitiveValidString(_INCLUDE, _EXCLUDE)] = key(
        importance=HIGH, doc="Whether to keep the records that match (include), or the others (exclude)."
    )
    missing_or_null_behavior: Annotated[str, CaseInsensitiveValidString(_FAIL, _INCLUDE, _EXCLUDE)] = key(
        default=_FAIL,
        importance=MEDIUM,
        doc="What to do about records in which the path leads to nothing or to null: fail, keep them (include) or drop "
        "them (exclude). Inside of [?( )] such fields just do not match.",
    )


class Filter(Transform[FilterConfig]):
    """Records that are kept pass as they are."""

    side: Side

    def configure(self, config: FilterConfig) -> None:
        self._path = JsonPath(config.filter_condition)
        self._keeps_matching = config.filter_type.lower() == _INCLUDE
        self._on_missing = config.missing_or_null_behavior.lower()

    def apply(self, record: R) -> R | None:
        try:
            matches = bool(self._path.find(record.key if self.side == "key" else record.value))
        except MissingError as missing:
            if self._on_missing == _FAIL:
                raise DataError(
                    f"filter.condition: the {self.side} has {missing} (missing.or.null.behavior=include keeps such "
                    "records, exclude drops them)"
                ) from None
            return record if self._on_missing == _INCLUDE else None
        return record if matches is self._keeps_matching else None


class FilterKey(OnKey, Filter):
    """Looks into the key."""


class FilterValue(OnValue, Filter):
    """Looks into the value."""
