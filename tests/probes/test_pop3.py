"""The POP3 probe against scripted servers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from probes.model import Endpoint, Measurement, TLSMode
from probes.network import Limits, Options
from probes.pop3 import POP3Probe
from tests.hostile.server import FAULTS, Alert, Close, Flood, Script, Send, Server, Silence, StartTLS, pop3, serve
from tests.probes.loopback import measure

OPTIONS = Options(
    limits=Limits(deadline=3, connect_timeout=1, greeting_timeout=0.3, read_timeout=0.3), allow_private=True
)


@dataclasses.dataclass
class Found:
    measurements: dict[str, Measurement]
    server: Server

    def __getitem__(self, metric: str) -> Any:
        return self.measurements[f"pop3.{metric}"].value

    def causes(self) -> dict[str, str]:
        return {key.removeprefix("pop3."): each.cause.value for key, each in self.measurements.items() if each.cause}


async def probe(*scripts: Script, tls: TLSMode = "starttls") -> Found:
    async with serve(*scripts) as server:
        endpoint = Endpoint("pop3", host="localhost", port=server.port, tls=tls)
        return Found(await measure(POP3Probe(), endpoint, OPTIONS), server)


async def test_a_server_with_stls() -> None:
    found = await probe(pop3())
    assert found.causes() == {"starttls_unadvertised": "not_applicable", "software": "not_applicable"}
    assert found["capabilities_only_before_tls"] == ("STLS",)
    assert found["capabilities_only_after_tls"] == ("SASL", "USER")
    assert (found["starttls_command_injection"], found["software_version_shown"]) == (False, False)
    assert found["capabilities"] == ("STLS", "TOP")
    assert found["capabilities_after_tls"] == ("SASL", "TOP", "USER")
    assert (found["starttls"], found["starttls_works"], found["starttls_injection"]) == (True, True, False)
    assert found["login_disabled"] is True
    assert found["auth_mechanisms"] == ("PLAIN",)
    assert 0 < found["greeting_ms"] < 1000
    # Two conversations; the server forgets the NOOP that came with the second STLS.
    assert [session.lines for session in found.server.sessions] == 2 * [[b"CAPA", b"STLS", b"CAPA", b"QUIT"]]


async def test_implicit_tls() -> None:
    found = await probe(pop3(implicit=True), tls="implicit")
    assert found["capabilities"] == found["capabilities_after_tls"] == ("SASL", "TOP", "USER")
    assert set(found.causes()) == {
        "starttls", "starttls_works", "starttls_injection", "login_disabled", "starttls_unadvertised",
        "starttls_command_injection", "capabilities_only_before_tls", "capabilities_only_after_tls", "software",
    }  # fmt: skip
    assert set(found.causes().values()) == {"not_applicable"}


@pytest.mark.parametrize("offer", [b"USER", b"SASL PLAIN"])
async def test_a_password_may_travel_in_plain_text(offer: bytes) -> None:
    found = await probe(pop3(CAPA=(Send(b"+OK\r\n" + offer + b"\r\n.\r\n"),)))
    assert (found["login_disabled"], found["starttls"]) == (False, False)
    assert found.causes()["capabilities_after_tls"] == "tls_not_offered"


async def test_a_server_that_does_not_know_capa_lists_nothing() -> None:
    found = await probe(pop3(CAPA=(Send(b"-ERR unknown command\r\n"),)))
    assert found["capabilities"] == found["auth_mechanisms"] == ()
    assert found["starttls"] is False
    assert found.causes()["login_disabled"] == "not_applicable"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ((Send(b"-ERR [SYS/TEMP] later\r\n"),), "protocol_error"),
        ((Send(b"+OK\r\nSTLS\r\nUSER\r\n"), Close()), "connection_reset"),
        ((Send(b"+OK\r\nSTLS\r\n"), Silence()), "deadline_exceeded"),
        ((Send(b"250 ok\r\n"),), "protocol_error"),
        ((Send(b"+OK\r\n"), Flood(b"X\r\n")), "reply_too_long"),
        ((Send(b"+OK\r\n"), Flood(b"x")), "reply_too_long"),
    ],
)
async def test_an_incomplete_list_says_nothing(answer: Script, cause: str) -> None:
    found = await probe(pop3(CAPA=answer))
    assert set(found.causes().values()) == {cause}
    assert len(found.causes()) == len(found.measurements) - 1


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        ((Send(b"-ERR [IN-USE] no\r\n"), Silence()), "greeting_rejected"),
        ((Send(b"* OK IMAP\r\n"), Silence()), "protocol_error"),
        ((Send(b"+OKAY\r\n"), Silence()), "protocol_error"),
        ((Send(b"\r\n"), Silence()), "protocol_error"),
        (FAULTS["silence"], "greeting_timeout"),
        (FAULTS["half-close"], "connection_reset"),
        (FAULTS["binary"], "protocol_error"),
    ],
)
async def test_greetings_that_are_none(greeting: Script, cause: str) -> None:
    found = await probe(pop3(greeting=greeting))
    assert set(found.causes().values()) == {cause}
    assert len(found.causes()) == len(found.measurements)


@pytest.mark.parametrize(
    ("answer", "works", "cause"),
    [
        ((Send(b"-ERR no\r\n"),), False, "tls_handshake_error"),
        ((Send(b"-ERR [SYS/TEMP] no\r\n"),), None, "protocol_error"),
        ((Send(b"+OK\r\n"), Alert(40)), False, "tls_alert"),
        ((Send(b"+OK\r\n"), Close()), None, "connection_reset"),
        ((Send(b"+OK\r\n+OK injected\r\n"), StartTLS()), None, "protocol_error"),
    ],
)
async def test_stls_that_fails(answer: Script, works: bool | None, cause: str) -> None:
    found = await probe(pop3(STLS=answer))
    assert (found["starttls"], found["starttls_works"]) == (True, works)
    assert found.causes()["auth_mechanisms"] == cause
    assert (found["starttls_injection"] is True) == (b"injected" in getattr(answer[0], "data", b""))
