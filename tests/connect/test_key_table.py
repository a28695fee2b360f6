from __future__ import annotations

from kconnect import Config, Password, key
from kconnect.testing.key_table import key_table


class Base(Config):
    shared: int = key(default=1, doc="Theirs.")


class Own(Base):
    first: str = key(doc="A | B.")
    second: bool = key(default=True, doc="On.")
    third: list[str] = key(default=["a", "b"], doc="Some.")
    fourth: str | None = key(default=None, doc="Perhaps.")
    fifth: Password = key(default=Password("tops3cret"), doc="Secret.")
    sixth: str = key(default="", doc="Ours.", internal=True)


def test_keys_in_their_order_with_defaults_and_documentation() -> None:
    assert key_table(Own, Base).splitlines() == [
        "| key | default | |",
        "|---|---|---|",
        "| `first` | required | A \\| B. |",
        "| `second` | `true` | On. |",
        "| `third` | `a,b` | Some. |",
        "| `fourth` | – | Perhaps. |",
        "| `fifth` | – | Secret. |",
    ]
    assert "| `shared` | `1` | Theirs. |" in key_table(Own)
