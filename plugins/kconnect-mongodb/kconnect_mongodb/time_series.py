"""Time series collections, made before the first document."""

from __future__ import annotations

from typing import Any

from pymongo.errors import CollectionInvalid, OperationFailure

from kconnect import ConnectError
from kconnect_mongodb.client import Client
from kconnect_mongodb.failures import NOT_IMPLEMENTED
from kconnect_mongodb.namespaces import Namespace
from kconnect_mongodb.sink_config import MongoSinkConfig


def ensure_time_series(client: Client, namespace: Namespace, config: MongoSinkConfig) -> None:
    """ConnectError where the collection is there and no time series, or the server has none. Errors of the driver
    otherwise."""
    if _is_one(client, namespace):
        return
    options: dict[str, Any] = {"timeseries": {"timeField": config.time_field.strip()}}
    if config.meta_field.strip():
        options["timeseries"]["metaField"] = config.meta_field.strip()
    if config.granularity.strip():
        options["timeseries"]["granularity"] = config.granularity.strip().lower()
    if config.expire_after:
        options["expireAfterSeconds"] = config.expire_after
    try:
        client[namespace.database].create_collection(namespace.collection, check_exists=False, **options)
    except CollectionInvalid:
        _is_one(client, namespace)
    except OperationFailure as error:
        if error.code == 48:  # another task was quicker
            _is_one(client, namespace)
        elif error.code in NOT_IMPLEMENTED:
            raise ConnectError(f"timeseries.timefield: the server has no time series: {error}") from error
        else:
            raise


def _is_one(client: Client, namespace: Namespace) -> bool:
    """False where there is no such collection."""
    for found in client[namespace.database].list_collections(filter={"name": namespace.collection}):
        if found.get("type") != "timeseries":
            raise ConnectError(
                f"timeseries.timefield: {namespace} is there, and is no time series: write to another collection, or "
                "leave the key out"
            )
        return True
    return False
