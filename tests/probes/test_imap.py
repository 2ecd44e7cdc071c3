"""The IMAP and ManageSieve probes against scripted servers."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from probes.imap import IMAPProbe
from probes.model import Endpoint, Measurement, TLSMode
from probes.network import Limits, Options
from probes.sieve import SieveProbe
from tests.hostile.server import (
    FAULTS,
    Alert,
    Close,
    Expect,
    Flood,
    Script,
    Send,
    Server,
    Silence,
    StartTLS,
    imap,
    serve,
    sieve,
)
from tests.probes.loopback import measure

LIMITS = Limits(deadline=3, connect_timeout=1, greeting_timeout=0.3, read_timeout=0.3)
OPTIONS = Options(limits=LIMITS, allow_private=True)


@dataclasses.dataclass
class Found:
    measurements: dict[str, Measurement]
    server: Server
    seconds: float

    def __getitem__(self, metric: str) -> Any:
        return self.measurements[metric].value

    def causes(self) -> dict[str, str]:
        return {key: each.cause.value for key, each in self.measurements.items() if each.cause}


async def probe(*scripts: Script, tls: TLSMode = "starttls", role: Any = "imap") -> Found:
    async with serve(*scripts) as server:
        began = time.monotonic()
        endpoint = Endpoint(role, host="localhost", port=server.port, tls=tls)
        found = await measure(IMAPProbe() if role == "imap" else SieveProbe(), endpoint, OPTIONS)
        return Found(found, server, time.monotonic() - began)


async def test_an_imap_server_with_starttls() -> None:
    found = await probe(imap())
    assert found.causes() == {"imap.starttls_unadvertised": "not_applicable", "imap.software": "not_applicable"}
    assert found["imap.capabilities_only_before_tls"] == ("LOGINDISABLED", "STARTTLS")
    assert found["imap.capabilities_only_after_tls"] == ("AUTH=PLAIN", "IDLE")
    assert (found["imap.starttls_command_injection"], found["imap.software_version_shown"]) == (False, False)
    assert found["imap.capabilities"] == ("IMAP4REV1", "LOGINDISABLED", "STARTTLS")
    assert found["imap.capabilities_after_tls"] == ("AUTH=PLAIN", "IDLE", "IMAP4REV1")
    assert (found["imap.starttls"], found["imap.starttls_works"], found["imap.starttls_injection"]) == (
        True,
        True,
        False,
    )
    assert found["imap.login_disabled"] is True
    assert found["imap.auth_mechanisms"] == ("PLAIN",)
    assert 0 < found["imap.greeting_ms"] < 1000
    first, second = (session.lines for session in found.server.sessions)
    assert [line.split()[1] for line in first] == [b"CAPABILITY", b"STARTTLS", b"CAPABILITY", b"LOGOUT"]
    assert len({line.split()[0] for line in first}) == 4  # a tag of its own for each command
    # (The server forgets the NOOP that came with STARTTLS.)
    assert [line.split()[1] for line in second] == [b"CAPABILITY", b"STARTTLS", b"CAPABILITY", b"LOGOUT"]
    assert len({line.split()[0] for line in second}) == 4


async def test_implicit_tls() -> None:
    found = await probe(imap(implicit=True), tls="implicit")
    assert found["imap.capabilities"] == found["imap.capabilities_after_tls"] == ("AUTH=PLAIN", "IDLE", "IMAP4REV1")
    assert set(found.causes()) == {
        "imap.starttls", "imap.starttls_works", "imap.starttls_injection", "imap.login_disabled",
        "imap.starttls_unadvertised", "imap.starttls_command_injection", "imap.capabilities_only_before_tls",
        "imap.capabilities_only_after_tls", "imap.software",
    }  # fmt: skip
    assert set(found.causes().values()) == {"not_applicable"}


async def test_a_server_without_starttls_that_takes_passwords() -> None:
    capabilities = (Send(b"* CAPABILITY IMAP4rev1 AUTH=LOGIN auth=plain\r\n* 5 EXISTS\r\n{tag} OK\r\n"),)
    found = await probe(imap(CAPABILITY=capabilities))
    assert (found["imap.starttls"], found["imap.login_disabled"]) == (False, False)
    assert found["imap.starttls_unadvertised"] is True  # it begins TLS all the same
    assert found["imap.auth_mechanisms"] == ("LOGIN", "PLAIN")
    assert found.causes() == {
        "imap.starttls_works": "tls_not_offered",
        "imap.starttls_injection": "tls_not_offered",
        "imap.capabilities_after_tls": "tls_not_offered",
        "imap.capabilities_only_before_tls": "tls_not_offered",
        "imap.capabilities_only_after_tls": "tls_not_offered",
        "imap.starttls_command_injection": "tls_not_offered",
        "imap.software": "not_applicable",
    }


async def test_a_literal_in_an_untagged_reply_is_read_in_full() -> None:
    capabilities = (Send(b"* ID {12}\r\na1 OK fake\r\n rest\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\n{tag} OK\r\n"),)
    found = await probe(imap(CAPABILITY=capabilities))
    assert found["imap.capabilities"] == ("IMAP4REV1", "STARTTLS")


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ((Send(b"{tag} OK nothing listed\r\n"),), "protocol_error"),
        ((Send(b"{tag} BAD what?\r\n"),), "protocol_error"),
        ((Send(b"* CAPABILITY IMAP4rev1\r\nother OK done\r\n"),), "protocol_error"),
        ((Send(b"* CAPABILITY IMAP4rev1\r\n"), Close()), "connection_reset"),
        ((Send(b"* CAPABILITY IMAP4rev1\r\n"), Silence()), "deadline_exceeded"),
        ((Send(b"* BYE too busy\r\n"), Close()), "connection_reset"),
        ((Send(b"* X {999999999}\r\n"), Silence()), "reply_too_long"),
        ((Send(b"* X {2000}\r\n"), Flood(b"{2000}\r\n")), "reply_too_long"),
        ((Flood(b"* OK and more\r\n"),), "reply_too_long"),
    ],
)
async def test_an_incomplete_list_says_nothing(answer: Script, cause: str) -> None:
    found = await probe(imap(CAPABILITY=answer))
    causes = found.causes()
    assert causes.pop("imap.software") == "not_applicable"  # the greeting names none
    assert set(causes.values()) == {cause}
    assert set(found.measurements) - set(found.causes()) == {"imap.greeting_ms", "imap.software_version_shown"}
    assert found.seconds < 1


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        ((Send(b"* BYE not you\r\n"), Expect(b"z LOGOUT")), "greeting_rejected"),
        ((Send(b"+OK POP3 here\r\n"), Silence()), "protocol_error"),
        ((Send(b"220 mx ESMTP\r\n"), Silence()), "protocol_error"),
        (FAULTS["silence"], "greeting_timeout"),
        (FAULTS["close"], "connection_reset"),
        (FAULTS["reset"], "connection_reset"),
        (FAULTS["drip"], "greeting_timeout"),
        (FAULTS["line of 1 MiB"], "reply_too_long"),
        (FAULTS["endless line"], "reply_too_long"),
        (FAULTS["garbage"], "protocol_error"),
    ],
)
async def test_greetings_that_are_none(greeting: Script, cause: str) -> None:
    found = await probe(imap(greeting=greeting))
    assert set(found.causes()) == set(found.measurements)
    assert set(found.causes().values()) == {cause}
    assert found.server.lines == ([b"z LOGOUT"] if cause == "greeting_rejected" else [])


async def test_preauth_and_8_bit_greetings_are_greetings() -> None:
    for greeting in (b"* PREAUTH welcome\r\n", b"* OK h\xf6 \x1b[2J\r\n", b"* ok\n"):
        assert (await probe(imap(greeting=(Send(greeting),))))["imap.starttls_works"] is True


@pytest.mark.parametrize(
    ("answer", "works", "cause"),
    [
        ((Send(b"{tag} NO not now\r\n"),), False, "tls_handshake_error"),
        ((Send(b"{tag} OK go\r\n"), Alert(40)), False, "tls_alert"),
        ((Send(b"{tag} OK go\r\n"), Silence()), None, "deadline_exceeded"),
        ((Send(b"{tag} OK go\r\n"), Close()), None, "connection_reset"),
        ((Send(b"{tag} OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"), StartTLS()), None, "protocol_error"),
    ],
)
async def test_starttls_that_fails(answer: Script, works: bool | None, cause: str) -> None:
    found = await probe(imap(STARTTLS=answer))
    assert found["imap.starttls_works"] is works
    assert found.causes()["imap.capabilities_after_tls"] == found.causes()["imap.auth_mechanisms"] == cause
    assert found["imap.login_disabled"] is True
    assert found["imap.starttls_injection"] is (
        None if works is False and cause != "tls_alert" else cause == "protocol_error"
    )


async def test_a_managesieve_server_with_starttls() -> None:
    found = await probe(sieve(), role="sieve")
    assert found.causes() == {"sieve.starttls_unadvertised": "not_applicable"}
    assert found["sieve.capabilities_only_before_tls"] == ("STARTTLS",)
    assert found["sieve.capabilities_only_after_tls"] == ()
    assert (found["sieve.software"], found["sieve.software_version_shown"]) == ("hostile", False)
    assert found["sieve.login_disabled"] is True
    assert found["sieve.starttls_command_injection"] is False
    assert found["sieve.capabilities"] == ("IMPLEMENTATION", "SASL", "SIEVE", "STARTTLS")
    assert found["sieve.capabilities_after_tls"] == ("IMPLEMENTATION", "SASL", "SIEVE")
    assert found["sieve.extensions"] == ("fileinto", "vacation")
    assert (found["sieve.starttls"], found["sieve.starttls_works"]) == (True, True)
    assert found["sieve.starttls_injection"] is False
    assert found["sieve.auth_mechanisms"] == ("PLAIN",)
    assert [session.lines for session in found.server.sessions] == [
        [b"STARTTLS", b"LOGOUT"], [b"STARTTLS", b'NOOP "late"', b"LOGOUT"],
    ]  # fmt: skip


@pytest.mark.parametrize(("sasl", "disabled"), [(b'"SASL" "PLAIN"\r\n', False), (b'"SASL" ""\r\n', True), (b"", True)])
async def test_managesieve_passwords_in_plain_text(sasl: bytes, disabled: bool) -> None:
    listed = b'"IMPLEMENTATION" "x 1.2"\r\n' + sasl + b'OK "ready"\r\n'
    found = await probe(sieve(greeting=(Send(listed),)), role="sieve")
    assert found["sieve.login_disabled"] is disabled
    assert (found["sieve.software"], found["sieve.software_version_shown"]) == ("x 1.2", True)


async def test_managesieve_under_implicit_tls() -> None:
    found = await probe(sieve(implicit=True), role="sieve", tls="implicit")
    assert found["sieve.auth_mechanisms"] == ("PLAIN",)
    assert set(found.causes().values()) == {"not_applicable"}


async def test_managesieve_strings_may_be_literals_and_hold_quotes() -> None:
    greeting = (
        b'"IMPLEMENTATION" "a \\"quoted\\" \\\\ name"\r\n'
        b'"SIEVE" {17}\r\nfileinto\r\nreject \r\n{8+}\r\nSTARTTLS\r\nOK\r\n'
    )
    found = await probe(sieve(greeting=(Send(greeting),)), role="sieve")
    assert found["sieve.capabilities"] == ("IMPLEMENTATION", "SIEVE", "STARTTLS")


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        ((Send(b'BYE "not you"\r\n'), Silence()), "greeting_rejected"),
        ((Send(b'NO "not you"\r\n'), Silence()), "greeting_rejected"),
        ((Send(b'"SASL" "PLAIN"\r\n'), Silence()), "deadline_exceeded"),
        ((Send(b'"SASL" "PLAIN"\r\n'), Close()), "connection_reset"),
        ((Send(b"* OK IMAP\r\n"), Silence()), "protocol_error"),
        ((Flood(b'"X" "y"\r\n'),), "reply_too_long"),
        ((Send(b'"X" {99999}\r\n'), Flood(b"x")), "reply_too_long"),
        (FAULTS["silence"], "greeting_timeout"),
        (FAULTS["reset"], "connection_reset"),
    ],
)
async def test_managesieve_greetings_that_are_none(greeting: Script, cause: str) -> None:
    found = await probe(sieve(greeting=greeting), role="sieve")
    assert set(found.causes()) == set(found.measurements)
    assert set(found.causes().values()) == {cause}
    assert found.seconds < 1


async def test_a_managesieve_server_that_refuses_its_own_starttls_or_injects() -> None:
    found = await probe(sieve(STARTTLS=(Send(b'NO "no"\r\n'),)), role="sieve")
    assert found["sieve.starttls_works"] is False
    found = await probe(sieve(STARTTLS=(Send(b'OK\r\n"SASL" "PLAIN"\r\nOK\r\n'), StartTLS())), role="sieve")
    assert found["sieve.starttls_injection"] is True
    assert found.causes()["sieve.auth_mechanisms"] == "protocol_error"
