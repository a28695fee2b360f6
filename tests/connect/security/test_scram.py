"""SCRAM between a client and a server of ours, against the RFC's example, and against cheats on either side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.security import scram
from kconnect.security.scram import ScramClient, ScramCredential, ScramError, ScramMechanism, ScramServer

_SALT = b"sixteen bytes of"


def credential(mechanism: ScramMechanism, password: str, iterations: int = 4096) -> ScramCredential:
    return ScramCredential.of(mechanism, mechanism.salted_password(password, _SALT, iterations), _SALT, iterations)


@pytest.mark.parametrize("mechanism", ScramMechanism)
@pytest.mark.parametrize("user", ["alice", "a=b,c", "=2C", "née"])
def test_both_sides_prove_what_they_know(mechanism: ScramMechanism, user: str) -> None:
    client = ScramClient(mechanism, user, "pass,word=é")
    server = ScramServer(mechanism, client.first())
    assert server.username == user
    challenge = server.first(credential(mechanism, "pass,word=é"))
    client.verify(server.final(client.final(challenge)))


def test_the_example_of_rfc_7677(monkeypatch: pytest.MonkeyPatch) -> None:
    nonces = iter(["rOprNGfwEbeRWgbNEkqO"])
    monkeypatch.setattr(scram, "_nonce", lambda: next(nonces))
    client = ScramClient(ScramMechanism.SHA_256, "user", "pencil")
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    final = client.final(b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert final == b"c=biws,r=" + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    client.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_a_wrong_password_is_refused_and_a_wrong_server_is_not_believed() -> None:
    mechanism = ScramMechanism.SHA_256
    client = ScramClient(mechanism, "alice", "guessed")
    server = ScramServer(mechanism, client.first())
    final = client.final(server.first(credential(mechanism, "right")))
    with pytest.raises(ScramError, match="password is wrong"):
        server.final(final)
    impostor = ScramServer(mechanism, client.first())
    impostor.first(credential(mechanism, "right"))
    with pytest.raises(ScramError, match="signature is wrong"):
        client.verify(b"v=" + b"A" * 43 + b"=")
    with pytest.raises(ScramError, match="signature is wrong"):
        client.verify(b"")
    with pytest.raises(ScramError, match="other-error"):
        client.verify(b"e=other-error")


def test_a_client_that_was_not_challenged_verifies_nothing() -> None:
    with pytest.raises(ScramError):
        ScramClient(ScramMechanism.SHA_256, "alice", "x").verify(b"v=")


@pytest.mark.parametrize(
    ("challenge", "said"),
    [
        ("r=other,s=c2FsdA==,i=4096", "nonce"),
        ("r={nonce},s=c2FsdA==,i=4096", "nonce"),
        ("r={nonce}x,s=c2FsdA==,i=4095", "4095 iterations"),
        ("r={nonce}x,s=c2FsdA==,i=999999999", "999999999 iterations"),
        ("r={nonce}x,s=c2FsdA==,i=many", "many iterations"),
        ("r={nonce}x,s=!,i=4096", "base64"),
        ("", "nonce"),
    ],
)
def test_a_client_is_not_led_astray(challenge: str, said: str) -> None:
    client = ScramClient(ScramMechanism.SHA_256, "alice", "x")
    nonce = client.first().decode().partition("r=")[2]
    with pytest.raises(ScramError, match=said):
        client.final(challenge.format(nonce=nonce).encode())


@pytest.mark.parametrize(
    "first",
    [
        *(b"", b"n", b"n,,", b"n,,n=,r=x", b"n,,n=alice,r=", b"p=tls-unique,,n=alice,r=x"),
        *(b"n,a=bob,n=alice,r=x", b"\xff,,n=alice,r=x"),
    ],
)
def test_a_server_takes_no_other_first_message(first: bytes) -> None:
    with pytest.raises(ScramError):
        ScramServer(ScramMechanism.SHA_256, first)


def test_a_server_takes_a_final_message_of_its_own_login_alone() -> None:
    mechanism = ScramMechanism.SHA_512
    known = credential(mechanism, "right")

    def login(password: str) -> tuple[ScramServer, bytes]:
        client = ScramClient(mechanism, "alice", password)
        server = ScramServer(mechanism, client.first())
        return server, client.final(server.first(known))

    server, _ = login("right")
    _, of_another = login("right")
    with pytest.raises(ScramError, match="does not belong"):
        server.final(of_another)
    server, final = login("right")
    for tampered in (b"", final[:-1], final.replace(b"c=biws", b"c=eSws"), final.rpartition(b",p=")[0] + b",p="):
        with pytest.raises(ScramError):
            server.final(tampered)


@given(st.binary(max_size=60) | st.text("nrcpsie=,AB12", max_size=60).map(str.encode), st.binary(max_size=60))
def test_no_message_is_more_than_refused(first: bytes, final: bytes) -> None:
    with pytest.raises(ScramError):
        log_in(first, final)


def log_in(first: bytes, final: bytes) -> None:
    server = ScramServer(ScramMechanism.SHA_256, first)
    server.first(ScramCredential(salt=b"s", stored_key=b"k" * 32, server_key=b"k" * 32, iterations=4096))
    server.final(final)
