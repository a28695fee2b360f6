"""The data sets: what a record of each looks like. A record depends on its random generator alone."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from kconnect.schema import (
    BOOLEAN_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    decimal_schema,
)
from kconnect.schema_builder import SchemaBuilder

FIRST_NAMES = [
    "Ada",
    "Grace",
    "Linus",
    "Edsger",
    "Barbara",
    "Ken",
    "Radia",
    "Donald",
    "Frances",
    "Tim",
    "Margaret",
    "Alan",
    "Hedy",
    "Niklaus",
    "Adele",
    "Dennis",
]
LAST_NAMES = [
    "Lovelace",
    "Hopper",
    "Torvalds",
    "Dijkstra",
    "Liskov",
    "Thompson",
    "Perlman",
    "Knuth",
    "Allen",
    "Lee",
    "Hamilton",
    "Turing",
    "Lamarr",
]
CITIES = [
    "Berlin",
    "Lisboa",
    "Osaka",
    "Nairobi",
    "Montréal",
    "Kraków",
    "Valparaíso",
    "Wellington",
    "Pune",
    "Göteborg",
    "Lagos",
    "Porto",
]
PRODUCTS = (
    ("lamp", "39.90"),
    ("desk", "249.00"),
    ("chair", "119.50"),
    ("notebook", "4.20"),
    ("teapot", "27.00"),
    ("bicycle", "640.00"),
    ("umbrella", "18.75"),
    ("headphones", "89.99"),
)
STATUSES = ("new", "paid", "paid", "paid", "shipped", "shipped", "returned")
PAGES = (
    "/",
    "/search",
    "/cart",
    "/checkout",
    "/help",
    "/products/lamp",
    "/products/desk",
    "/products/teapot",
)
BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Dataset:
    """`make(number, random)` builds record `number` (from 0) as a struct of `schema`; `key` names the key field."""

    schema: Schema
    key: str
    make: Callable[[int, Random], dict[str, Any]]


def person(random: Random) -> tuple[str, str]:
    """A name and the mail address that goes with it."""
    first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
    return f"{first} {last}", f"{first}.{last}@example.org".lower()


def _moment(number: int, random: Random) -> datetime.datetime:
    return BEGIN + datetime.timedelta(seconds=number * 7 + random.randrange(7), milliseconds=random.randrange(1000))


def _order(number: int, random: Random) -> dict[str, Any]:
    product, price = random.choice(PRODUCTS)
    quantity = random.choice((1, 1, 1, 2, 2, 3, 5))
    return {
        "order_id": number + 1,
        "customer_id": random.randrange(1, 1001),
        "product": product,
        "quantity": quantity,
        "total": Decimal(price) * quantity,
        "status": random.choice(STATUSES),
        "city": random.choice(CITIES),
        "ordered_at": _moment(number, random),
    }


def _user(number: int, random: Random) -> dict[str, Any]:
    name, mail = person(random)
    return {
        "user_id": f"user_{number + 1}",
        "name": name,
        "mail": mail,
        "city": random.choice(CITIES) if random.random() < 0.9 else None,
        "newsletter": random.random() < 0.3,
        "registered_at": _moment(number, random),
    }


def _pageview(number: int, random: Random) -> dict[str, Any]:
    return {
        "view_id": number + 1,
        "user_id": f"user_{random.randrange(1, 1001)}",
        "page": random.choice(PAGES),
        "duration_ms": int(random.expovariate(1 / 8000)),
        "viewed_at": _moment(number, random),
    }


def _struct(dataset: str, /, **fields: Schema) -> Schema:
    builder = SchemaBuilder.struct().name(f"kconnect.datagen.{dataset}")
    for field, schema in fields.items():
        builder.field(field, schema)
    return builder.build()


DATASETS: dict[str, Dataset] = {
    "orders": Dataset(
        _struct(
            "orders",
            order_id=INT64_SCHEMA,
            customer_id=INT32_SCHEMA,
            product=STRING_SCHEMA,
            quantity=INT32_SCHEMA,
            total=decimal_schema(2),
            status=STRING_SCHEMA,
            city=STRING_SCHEMA,
            ordered_at=TIMESTAMP_SCHEMA,
        ),
        "order_id",
        _order,
    ),
    "users": Dataset(
        _struct(
            "users",
            user_id=STRING_SCHEMA,
            name=STRING_SCHEMA,
            mail=STRING_SCHEMA,
            city=OPTIONAL_STRING_SCHEMA,
            newsletter=BOOLEAN_SCHEMA,
            registered_at=TIMESTAMP_SCHEMA,
        ),
        "user_id",
        _user,
    ),
    "pageviews": Dataset(
        _struct(
            "pageviews",
            view_id=INT64_SCHEMA,
            user_id=STRING_SCHEMA,
            page=STRING_SCHEMA,
            duration_ms=INT32_SCHEMA,
            viewed_at=TIMESTAMP_SCHEMA,
        ),
        "view_id",
        _pageview,
    ),
}
