"""JSON paths as Jayway's library reads them."""

from __future__ import annotations

from typing import Any

import pytest

from kconnect.errors import ConfigError
from kconnect_transforms.confluent.json_path import JsonPath, MissingError

ORDER = {
    "id": 7,
    "state": "new",
    "total": 10.1,
    "paid": False,
    "note": None,
    "customer": {"name": "Ann", "address": {"city": "Oslo"}},
    "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 20}, {"sku": "c"}],
    "odd name": "x",
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [ORDER]),
        ("$.id", [7]),
        ("$.customer.address.city", ["Oslo"]),
        ("$['customer'][\"name\"]", ["Ann"]),
        ("$['odd name']", ["x"]),
        ("$.lines[0].sku", ["a"]),
        ("$.lines[-1].sku", ["c"]),
        ("$.lines[*].n", [1, 20]),
        ("$.customer.*", ["Ann", {"city": "Oslo"}]),
        ("$..sku", ["a", "b", "c"]),
        ("$.lines[?(@.n > 5)].sku", ["b"]),
        ("$.lines[?(@.n)].sku", ["a", "b"]),
        ("$.lines[?(!(@.n))].sku", ["c"]),
        ("$.lines[?(@.n != 1)].sku", ["b"]),
        ("$.customer[?(@.name == 'Ann' || @.name == \"Bob\")].name", ["Ann"]),
        ("$[?(@.state == 'new' && @.paid == false)].id", [7]),
        ("$[?(@.total == 10.1)].id", [7]),
        ("$[?(@.total <= 10)].id", []),
        ("$[?(@.paid == 0)].id", []),
        ("$[?(@.state in ['old', 'new'])].id", [7]),
        ("$[?(@.state nin ['old', 'new'])].id", []),
        ("$[?(@.customer.name =~ /a.*/i)].id", [7]),
        ("$[?(@.customer.name =~ /n+/)].id", []),
        ("$.lines[?(@.n == $.id)]", []),
        ("$[?(@.state < 5)]", []),
        ("$[?(@.missing == null)]", []),
    ],
)
def test_a_path_finds(path: str, found: list[Any]) -> None:
    assert JsonPath(path).find(ORDER) == found


@pytest.mark.parametrize("path", ["$.nothing", "$.note", "$.customer.nothing.city", "$.lines[9]", "$.id.x", "$.id[0]"])
def test_a_name_that_leads_to_nothing_is_told(path: str) -> None:
    with pytest.raises(MissingError, match=r"nothing at \$"):
        JsonPath(path).find(ORDER)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "$.",
        "$[",
        "$['a'",
        "$.a b",
        "$[?(@.a = 1)]",
        "$[?(@.a == x)]",
        "$[?(@..a == 1)]",
        "$[?(@.a =~ x)]",
        "$[?" + "(" * 10_000,
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="is not a JSON path"):
        JsonPath(path)
