"""SASL mechanisms against the examples of their RFCs, and secrets that stay secret."""

from __future__ import annotations

import base64
import contextlib
import copy
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.authentication import (
    MECHANISMS,
    ChannelBinding,
    CramMD5,
    Credentials,
    LoginMechanism,
    Mechanism,
    OAuthBearer,
    Plain,
    Redactor,
    Scram,
    Secret,
    XOAuth2,
    choose,
    decoded,
    saslprep,
)
from probes.model import Cause, Unmeasured
from probes.replies import printable

SECRET = "Tr0ub4dor&3-sécret"


def test_plain() -> None:
    # RFC 4616 §4
    assert Plain("tim", "tanstaaftanstaaf").first == b"\0tim\0tanstaaftanstaaf"
    with pytest.raises(Unmeasured, match="more than PLAIN"):
        Plain("tim", "x").respond(b"")


def test_login() -> None:
    mechanism = LoginMechanism("tim", "tanstaaf")
    assert mechanism.first is None
    assert mechanism.respond(b"User Name\0") == b"tim"
    assert mechanism.respond(b"anything") == b"tanstaaf"
    with pytest.raises(Unmeasured):
        mechanism.respond(b"Password:")


def test_cram_md5() -> None:
    # RFC 2195 §2
    mechanism = CramMD5("tim", "tanstaaftanstaaf")
    response = mechanism.respond(b"<1896.697170952@postoffice.reston.mci.net>")
    assert response == b"tim b913a602c7eda7a495b4e6e7334d3890"
    mechanism.finished()
    with pytest.raises(Unmeasured, match="without a challenge"):
        CramMD5("tim", "x").finished()


RFC_7677 = {
    "first": b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "server-first": b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "final": b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "server-final": b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
}


def scram() -> Scram:
    return Scram("user", "pencil", nonce="rOprNGfwEbeRWgbNEkqO")


def test_scram_sha_256() -> None:
    # RFC 7677 §3
    mechanism = scram()
    assert mechanism.name == "SCRAM-SHA-256"
    assert mechanism.first == RFC_7677["first"]
    assert mechanism.respond(RFC_7677["server-first"]) == RFC_7677["final"]
    assert mechanism.respond(RFC_7677["server-final"]) == b""
    mechanism.finished()
    with pytest.raises(Unmeasured):
        mechanism.respond(b"v=again")


def test_scram_sha_1() -> None:
    # RFC 5802 §5
    mechanism = Scram("user", "pencil", hash_name="sha1", nonce="fyko+d2lbbFgONRv9qkxdawL")
    assert mechanism.name == "SCRAM-SHA-1"
    first = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    assert mechanism.respond(first) == (
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    )
    assert mechanism.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") == b""
    mechanism.finished()


def test_scram_with_channel_binding() -> None:
    mechanism = Scram("us=er,", "pencil", binding=ChannelBinding("tls-exporter", b"\1" * 32), nonce="abc")
    assert mechanism.name == "SCRAM-SHA-256-PLUS"
    assert mechanism.first == b"p=tls-exporter,,n=us=3Der=2C,r=abc"
    final = mechanism.respond(b"r=abcdef,s=QSXCR+Q6sek8bf92,i=4096")
    bound = final.partition(b",")[0].removeprefix(b"c=")
    assert base64.b64decode(bound) == b"p=tls-exporter,," + b"\1" * 32


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),  # nothing added
        (b"r=someone-elses,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),
        (b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", "iterations"),
        (b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=999999999", "iterations"),
        (b"r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", "first message"),
        (b"r=rOprNGfwEbeRWgbNEkqOx,s=A,i=4096", "Base64"),
        (b"m=ext,r=rOprNGfwEbeRWgbNEkqOx,s=QSXCR+Q6sek8bf92,i=4096", "first message"),
        (b"e=unknown-user", "unknown-user"),
        (b"", "first message"),
        (bytes(range(256)), "first message"),
    ],
)
def test_scram_with_a_server_that_breaks_the_rules(message: bytes, words: str) -> None:
    with pytest.raises(Unmeasured, match=words):
        scram().respond(message)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"v=" + base64.b64encode(b"x" * 32), "does not know the password"),
        (b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4", "Base64"),
        (b"e=invalid-proof", "invalid-proof"),
        (b"", "last message"),
    ],
)
def test_scram_with_a_server_that_does_not_know_the_password(message: bytes, words: str) -> None:
    mechanism = scram()
    mechanism.respond(RFC_7677["server-first"])
    with pytest.raises(Unmeasured, match=words):
        mechanism.respond(message)
    with pytest.raises(Unmeasured, match="without proving"):
        mechanism.finished()


@given(st.lists(st.binary(max_size=120), min_size=1, max_size=3))
def test_no_server_gets_through_scram_by_chance(messages: list[bytes]) -> None:
    mechanism = scram()
    with contextlib.suppress(Unmeasured):
        for message in messages:
            mechanism.respond(message)
    with pytest.raises(Unmeasured):
        mechanism.finished()


@given(st.text(min_size=8, max_size=60), st.text(max_size=200), st.text(max_size=200), st.integers(0, 300))
def test_no_part_of_a_secret_is_left(secret: str, before: str, after: str, cut: int) -> None:
    redactor = Redactor()
    redactor.hide(secret)
    shown = printable(secret, 1000)
    said = redactor(printable(f"{before}{secret}{after}", 10_000))
    assert shown not in said.replace("[hidden]", "\n") or shown in "[hidden]"
    begun = redactor(printable(before, 10_000) + shown[:cut] + "…")
    assert not begun.endswith(shown[:cut] + "…") or len(shown[:cut]) < 6


def test_scram_needs_the_signature_to_finish() -> None:
    mechanism = scram()
    with pytest.raises(Unmeasured, match="without proving"):
        mechanism.finished()
    mechanism.respond(RFC_7677["server-first"])
    with pytest.raises(Unmeasured, match="without proving"):
        mechanism.finished()


def test_xoauth2() -> None:
    # Google's example
    mechanism = XOAuth2("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")
    assert mechanism.first is not None
    assert base64.b64encode(mechanism.first) == (
        b"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0"
        b"Q2cBAQ=="
    )
    assert mechanism.respond(b'{"status":"401","schemes":"bearer"}') == b""
    assert mechanism.complaint == "401"
    with pytest.raises(Unmeasured):
        mechanism.respond(b"{}")
    with pytest.raises(Unmeasured, match="both refuses and accepts"):
        mechanism.finished()


def test_oauthbearer() -> None:
    # RFC 7628 §4.1, whose token ends in =
    mechanism = OAuthBearer("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", "server.example.com", 143)
    assert mechanism.first is not None
    assert base64.b64encode(mechanism.first) == (
        b"bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52"
        b"YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    assert mechanism.respond(b'{"status":"invalid_token","scope":"example_scope"}') == b"\x01"
    assert mechanism.complaint == "invalid_token"
    nonsense = OAuthBearer("user", "token", "h", 1)
    nonsense.respond(b"[" * 100_000)
    assert nonsense.complaint.startswith("[[[")


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),  # RFC 4013 §3, 1 to 5
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0628", "\u0627\u0628"),
        ("", ""),
    ],
)
def test_saslprep(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text", ["se\u0007cret", "\u06271", "\u0627x\u0628", "secret\ufffd", "\ue000", "\u0221", "\u200e"]
)
def test_saslprep_refuses_without_showing(text: str) -> None:
    with pytest.raises(ValueError, match="RFC") as raised:
        saslprep(text)
    assert text not in str(raised.value)
    with pytest.raises(Unmeasured) as unmeasured:
        Scram("user", text)
    assert unmeasured.value.cause is Cause.NOT_PERMITTED


# --- choosing ---------------------------------------------------------------------------------------------------------


def chosen(offered: set[str], *, wanted: str = "", token: bool = False, binding: bool = False) -> Mechanism:
    secret = Secret(SECRET)
    credentials = Credentials("user", token=secret) if token else Credentials("user", password=secret)
    bound = ChannelBinding("tls-exporter", b"x") if binding else None
    return choose(offered, credentials, host="h", port=587, wanted=wanted, binding=bound)


def test_the_best_that_is_offered_is_chosen() -> None:
    every = set(MECHANISMS) | {"GSSAPI", "EXTERNAL"}
    assert chosen(every, binding=True).name == "SCRAM-SHA-256-PLUS"
    assert chosen(every).name == "SCRAM-SHA-256"
    assert chosen({"CRAM-MD5", "LOGIN", "PLAIN"}).name == "PLAIN"
    assert chosen({"CRAM-MD5"}).name == "CRAM-MD5"
    assert chosen(every, wanted="LOGIN").name == "LOGIN"
    assert chosen(every, token=True).name == "OAUTHBEARER"
    assert chosen({"XOAUTH2", "PLAIN"}, token=True).name == "XOAUTH2"
    for name in MECHANISMS:
        token = name in ("XOAUTH2", "OAUTHBEARER")
        assert chosen({name}, token=token, binding=True).name == name


@pytest.mark.parametrize(
    ("offered", "wanted", "token", "words"),
    [
        (set(), "", False, "its mechanisms: none"),
        ({"GSSAPI"}, "", False, "GSSAPI"),
        ({"PLAIN"}, "LOGIN", False, "does not offer LOGIN"),
        ({"PLAIN"}, "", True, "login with a token"),
        ({"PLAIN", "XOAUTH2"}, "PLAIN", True, "cannot be used"),
        ({"SCRAM-SHA-256-PLUS"}, "", False, "SCRAM-SHA-256-PLUS"),  # this connection has nothing to bind to
    ],
)
def test_no_way_in(offered: set[str], wanted: str, token: bool, words: str) -> None:
    with pytest.raises(Unmeasured, match=words) as raised:
        chosen(offered, wanted=wanted, token=token)
    assert raised.value.cause is Cause.NOT_PERMITTED


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(SECRET)
    credentials = Credentials("user", secret)
    assert "somebody" not in repr(Credentials("somebody", secret))
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>50}", repr(credentials), f"{[credentials]}"):
        assert SECRET not in shown
    for stored in (lambda: pickle.dumps(secret), lambda: copy.deepcopy(credentials)):
        with pytest.raises(TypeError) as raised:
            stored()
        assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert secret.reveal() == SECRET


@pytest.mark.parametrize("text", ["with\rreturn-of-me", "with\nline-of-me", "with\0nul-of-me"])
def test_secrets_that_would_break_the_line(text: str) -> None:
    with pytest.raises(ValueError, match="NUL") as raised:
        Credentials("user", Secret(text))
    assert "of-me" not in str(raised.value)
    with pytest.raises(ValueError, match="user name"):
        Credentials(text, Secret("x"))
    with pytest.raises(ValueError, match="empty"):
        Secret("")
    with pytest.raises(ValueError, match="either"):
        Credentials("user")
    with pytest.raises(ValueError, match="either"):
        Credentials("user", Secret("a"), Secret("b"))


def test_the_redactor_takes_secrets_out_of_what_a_server_repeats() -> None:
    redactor = Redactor()
    redactor.hide(SECRET)
    redactor.hide_line("AHVzZXIAcGVuY2lsLWFuZC1wYXBlcg==")
    raw = SECRET.encode()
    for said in (
        f"535 you said {SECRET}",
        f"535 {base64.b64encode(raw).decode()} is wrong",
        "535 Tr0ub4dor&3-s\\xc3\\xa9cret",
        "AHVzZXIAcGVuY2lsLWFuZC1wYXBlcg==",
        "x" * 980 + "Tr0ub4dor&3-s…",  # cut off in the middle
        "x" * 980 + "AHVzZXIAcGVuY2ls…",
    ):
        shown = redactor(said)
        assert "[hidden]" in shown
        for part in ("Tr0ub4", "AHVzZX", base64.b64encode(raw).decode()):
            assert part not in shown
    assert redactor("250 2.0.0 Ok: queued as 4Zabc") == "250 2.0.0 Ok: queued as 4Zabc"
    problem = redactor.problem(Unmeasured(Cause.NOT_PERMITTED, f"535 {SECRET}"))
    assert (problem.cause, problem.detail) == (Cause.NOT_PERMITTED, "535 [hidden]")


def test_base64_is_strict() -> None:
    assert decoded(b"") == b""
    for text in (b"AAA", b"A A=", b"AA==x", b"\xff"):
        with pytest.raises(Unmeasured):
            decoded(text)
