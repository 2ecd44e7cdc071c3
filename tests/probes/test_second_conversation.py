"""What a second connection shows: commands from before TLS, and sessions that are resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from probes.imap import IMAPProbe
from probes.model import Endpoint, Measurement, Probe, Role, TLSMode, Unmeasured
from probes.network import Limits, Network, Options
from probes.pop3 import POP3Probe
from probes.resumption import ResumptionProbe
from probes.second_conversation import second_conversation
from probes.sieve import SieveProbe
from probes.smtp import SMTPProbe
from tests.hostile.server import (
    Alert,
    Answer,
    Close,
    Flood,
    ReadRecord,
    Reset,
    Script,
    Send,
    Server,
    Silence,
    StartTLS,
    authority,
    imap,
    pop3,
    serve,
    sieve,
    smtp,
)
from tests.probes.loopback import measure

pytestmark = pytest.mark.slow

LIMITS = Limits(deadline=3, connect_timeout=1, greeting_timeout=0.3, read_timeout=0.3, spacing_mx=0.0)
OPTIONS = Options(limits=LIMITS, allow_private=True, ehlo_name="probe.example")
OLD = StartTLS(maximum=ssl.TLSVersion.TLSv1_2)
EHLO = b"EHLO probe.example"


@dataclasses.dataclass
class Found:
    measurements: dict[str, Measurement]
    server: Server

    def __getitem__(self, metric: str) -> Any:
        """The value, or the cause as text."""
        each = self.measurements[metric]
        return each.value if each.cause is None else each.cause.value

    @property
    def lines(self) -> list[list[bytes]]:
        return [session.lines for session in self.server.sessions]


async def probe(probe: Probe, *scripts: Script, role: Role = "submission", tls: TLSMode = "starttls") -> Found:
    async with serve(*scripts) as server:
        return Found(await measure(probe, Endpoint(role, host="localhost", port=server.port, tls=tls), OPTIONS), server)


# --- a command sent together with STARTTLS ----------------------------------------------------------------------------

CARELESS = StartTLS(careless=True)
COMMAND_INJECTION: dict[str, tuple[Probe, Role, Any, dict[str, Script]]] = {
    "smtp": (SMTPProbe(), "mx", smtp, {"STARTTLS": (Send(b"220 go\r\n"), CARELESS)}),
    "imap": (IMAPProbe(), "imap", imap, {"STARTTLS": (Send(b"{tag} OK go\r\n"), CARELESS)}),
    "pop3": (POP3Probe(), "pop3", pop3, {"STLS": (Send(b"+OK go\r\n"), CARELESS)}),
}
SIEVE_LIST = b'"IMPLEMENTATION" "careless"\r\n"SIEVE" "fileinto"\r\nOK "ready"\r\n'


@pytest.mark.parametrize("protocol", COMMAND_INJECTION)
async def test_a_careless_server_carries_out_what_came_before_tls(protocol: str) -> None:
    measured, role, server, careless = COMMAND_INJECTION[protocol]
    found = await probe(measured, server(**careless), role=role)
    assert found[f"{protocol}.starttls_command_injection"] is True
    assert found[f"{protocol}.starttls_works"] is True
    assert [line for line in found.lines[1] if line.endswith(b"NOOP")]
    good = await probe(measured, server(), role=role)
    assert good[f"{protocol}.starttls_command_injection"] is False


@pytest.mark.parametrize("tag", [b"(TAG {argument})", b"(TAG {5}\r\nearly)"])
async def test_a_careless_managesieve_server(tag: bytes) -> None:
    noop = (Send(b"OK " + tag + b' "done"\r\n'),)
    script = sieve(STARTTLS=(Send(b'OK "go"\r\n'), CARELESS, Send(SIEVE_LIST)), tls={b"NOOP": noop})
    found = await probe(SieveProbe(), script, role="sieve")
    assert found["sieve.starttls_command_injection"] is True
    assert b'NOOP "early"' in found.lines[1]


async def test_a_managesieve_server_that_does_not_know_noop_decides_nothing() -> None:
    found = await probe(SieveProbe(), sieve(tls={b"NOOP": (Send(b'NO "what?"\r\n'),)}), role="sieve")
    assert found["sieve.starttls_command_injection"] == "protocol_error"


@pytest.mark.parametrize(
    ("before", "careless", "expected"),
    [
        # The reply to EHLO under TLS lists nothing, so that it could be NOOP's: QUIT tells.
        (b"250 mx\r\n", False, False),
        (b"250 mx\r\n", True, True),
    ],
)
async def test_an_ehlo_reply_that_lists_nothing(before: bytes, careless: bool, expected: bool) -> None:
    starttls = (Send(b"220 go\r\n"), StartTLS(careless=careless))
    found = await probe(SMTPProbe(), smtp(STARTTLS=starttls, tls={b"EHLO": (Send(before),)}), role="mx")
    assert found["smtp.starttls_command_injection"] is expected


async def test_noop_that_is_refused_under_tls_was_carried_out_all_the_same() -> None:
    refused = {b"NOOP": (Send(b"503 5.5.1 EHLO first\r\n"),)}
    script = smtp(STARTTLS=(Send(b"220 go\r\n"), CARELESS), tls=refused)
    found = await probe(SMTPProbe(), script, role="mx")
    assert found["smtp.starttls_command_injection"] is True


AGREE = Send(b"220 go\r\n")


@pytest.mark.parametrize(
    ("starttls", "injection", "resumption"),
    [
        ((Send(b"554 5.5.0 SMTP synchronization error\r\n"),), False, "tls_handshake_error"),
        ((Send(b"454 4.7.0 not now\r\n"),), "protocol_error", "protocol_error"),
        ((Send(b"421 4.3.2 no\r\n"), Close()), "throttled", "throttled"),
        ((Silence(),), "deadline_exceeded", "deadline_exceeded"),
        ((Reset(),), "connection_reset", "connection_reset"),
        ((Close(),), "connection_reset", "connection_reset"),
        ((Flood(b"220-x\r\n"),), "reply_too_long", "reply_too_long"),
        # NOOP is answered in plain text, or taken for a TLS record.
        ((Send(b"220 go\r\n250 ok\r\n"), Silence()), "protocol_error", "protocol_error"),
        ((AGREE, Alert(10), Close()), "tls_alert", "tls_alert"),
        ((AGREE, Close()), "connection_reset", "connection_reset"),
        ((AGREE, ReadRecord(), Silence()), "deadline_exceeded", "deadline_exceeded"),
        # The second handshake works; then comes the fault.
        ((AGREE, StartTLS(), Silence()), "deadline_exceeded", True),
        ((AGREE, StartTLS(), Close()), "connection_reset", True),
        ((AGREE, StartTLS(), Answer({b"EHLO": (Send(b"421 busy\r\n"), Close())})), "throttled", True),
        ((AGREE, StartTLS(), Answer({b"EHLO": (Send(b"banana\r\n"),)})), "protocol_error", True),
        ((AGREE, StartTLS(), Answer({}, otherwise=(Send(b"554 no\r\n"),))), "protocol_error", True),
        ((AGREE, StartTLS(), Answer({b"QUIT": (Send(b"221 bye\r\n"), Close())})), "greeting_rejected", True),
    ],
)
async def test_what_a_second_starttls_that_fails_says(
    starttls: Script, injection: bool | str, resumption: bool | str
) -> None:
    for measured, metric, expected in (
        (SMTPProbe(), "smtp.starttls_command_injection", injection),
        (ResumptionProbe(), "tls.resumption", resumption),
    ):
        found = await probe(measured, smtp(), smtp(STARTTLS=starttls), role="mx")
        assert found[metric] == expected
        assert type(found[metric]) is type(expected)


async def test_no_command_is_sent_early_to_a_server_whose_tls_does_not_work() -> None:
    for answer in ((Send(b"554 no\r\n"),), (AGREE, Alert(40)), (AGREE, StartTLS(), Close())):
        found = await probe(SMTPProbe(), smtp(STARTTLS=answer), role="mx")
        assert found["smtp.starttls_command_injection"] in ("tls_handshake_error", "tls_alert", "connection_reset")
        assert len(found.server.sessions) == 1


@pytest.mark.parametrize("offer", [b"250-x\r\n250 PIPELINING\r\n", b"250 x\r\n"])
async def test_an_offer_that_is_there_once_only(offer: bytes) -> None:
    found = await probe(SMTPProbe(), smtp(), smtp(EHLO=(Send(offer),)))
    assert found["smtp.starttls_command_injection"] == "tls_not_offered"
    assert found["smtp.tls_required"] is True
    assert found.lines[1] == [EHLO, b"MAIL FROM:<>", b"QUIT"]


# --- TLS that was not offered -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "unadvertised", "quit_code"),
    [
        ((Send(b"220 2.0.0 go ahead\r\n"), Silence()), True, "protocol_error"),
        ((Send(b"502 5.5.1 not known\r\n"),), False, 221),
        ((Send(b"454 4.7.0 not now\r\n"),), "protocol_error", "protocol_error"),
        ((Send(b"421 4.7.0 too many\r\n"), Close()), "throttled", "throttled"),
        ((Silence(),), "deadline_exceeded", "deadline_exceeded"),
        ((Reset(),), "connection_reset", "connection_reset"),
        ((Send(b"banana\r\n"), Silence()), "protocol_error", "protocol_error"),
    ],
)
async def test_starttls_though_it_is_not_offered(answer: Script, unadvertised: Any, quit_code: Any) -> None:
    found = await probe(SMTPProbe(), smtp(EHLO=(Send(b"250 mx\r\n"),), STARTTLS=answer), role="mx")
    assert found["smtp.starttls"] is False
    assert found["smtp.starttls_unadvertised"] == unadvertised
    assert found["smtp.quit_code"] == quit_code
    assert found["smtp.starttls_works"] == "tls_not_offered"
    assert found["smtp.pipelining"] is False
    assert len(found.server.sessions) == 1


@pytest.mark.parametrize(
    ("measured", "role", "hidden", "refusing"),
    [
        (
            IMAPProbe(), "imap", imap(CAPABILITY=(Send(b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),)),
            imap(CAPABILITY=(Send(b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),), STARTTLS=(Send(b"{tag} BAD\r\n"),)),
        ),
        (
            POP3Probe(), "pop3", pop3(CAPA=(Send(b"-ERR\r\n"),)),
            pop3(CAPA=(Send(b"-ERR\r\n"),), STLS=(Send(b"-ERR\r\n"),)),
        ),
        (
            SieveProbe(), "sieve", sieve(greeting=(Send(SIEVE_LIST),)),
            sieve(greeting=(Send(SIEVE_LIST),), STARTTLS=(Send(b'NO "what?"\r\n'),)),
        ),
    ],
)  # fmt: skip
async def test_an_upgrade_that_is_not_offered(measured: Probe, role: Role, hidden: Script, refusing: Script) -> None:
    assert (await probe(measured, hidden, role=role))[f"{role}.starttls_unadvertised"] is True
    found = await probe(measured, refusing, role=role)
    assert found[f"{role}.starttls_unadvertised"] is False
    assert found.server.sessions[0].lines[-1].split()[-1] in (b"LOGOUT", b"QUIT")


async def test_where_tls_is_not_wanted_it_is_not_asked_for() -> None:
    found = await probe(SMTPProbe(), smtp(EHLO=(Send(b"250 mx\r\n"),)), tls="none")
    assert found["smtp.starttls_unadvertised"] == found["smtp.starttls_command_injection"] == "not_applicable"
    assert b"STARTTLS" not in found.server.lines


# --- resumption -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tls", "resumed", "early_data"),
    [
        (StartTLS(), True, False),
        (OLD, True, "not_applicable"),
        (StartTLS(tickets=0), False, "not_applicable"),
    ],
)
async def test_resumption_behind_starttls(tls: StartTLS, resumed: bool, early_data: Any) -> None:
    found = await probe(ResumptionProbe(), smtp(STARTTLS=(AGREE, tls)))
    assert (found["tls.resumption"], found["tls.early_data"]) == (resumed, early_data)
    assert len(found.server.sessions) == 2


@pytest.mark.parametrize("role", ["submission", "imap", "pop3", "sieve"])
async def test_resumption_with_implicit_tls(role: Role) -> None:
    server = {"submission": smtp, "imap": imap, "pop3": pop3, "sieve": sieve}[role]
    for tls, resumed in ((StartTLS(), True), (OLD, True), (StartTLS(tickets=0), False)):
        found = await probe(ResumptionProbe(), server(implicit=tls), role=role, tls="implicit")
        assert found["tls.resumption"] is resumed
        # Who gave nothing to resume by is not connected to once more.
        assert [session.tls for session in found.server.sessions[1:]] == ([found.server.sessions[0].tls] * resumed)
        assert all(not session.lines for session in found.server.sessions[1:])


async def test_a_session_that_the_server_does_not_take_up() -> None:
    first = StartTLS()
    other = StartTLS(name="other.example")  # keys of its own, so it cannot read the first one's tickets
    found = await probe(ResumptionProbe(), smtp(STARTTLS=(AGREE, first)), smtp(STARTTLS=(AGREE, other)))
    assert found["tls.resumption"] is False
    assert found["tls.early_data"] is False


@pytest.mark.parametrize(
    ("later", "cause"),
    [
        ((ReadRecord(), Silence()), "deadline_exceeded"),
        ((ReadRecord(), Reset()), "connection_reset"),
        ((Alert(40), Close()), "tls_alert"),
        ((ReadRecord(), Send(b"220 plain\r\n"), Silence()), "tls_handshake_error"),
    ],
)
async def test_a_second_handshake_that_fails_is_no_refusal_to_resume(later: Script, cause: str) -> None:
    found = await probe(ResumptionProbe(), smtp(implicit=True), later, tls="implicit")
    assert found["tls.resumption"] == cause
    assert found["tls.early_data"] is False


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (smtp(EHLO=(Send(b"250 mx\r\n"),), STARTTLS=(Send(b"502 no\r\n"),)), "tls_not_offered"),
        (smtp(STARTTLS=(Send(b"554 no\r\n"),)), "tls_handshake_error"),
        (smtp(STARTTLS=(AGREE, Alert(40))), "tls_alert"),
        (smtp(greeting=(Send(b"554 no\r\n"),)), "greeting_rejected"),
        (smtp(tls={b"EHLO": (Close(),)}), "connection_reset"),
    ],
)
async def test_why_there_is_no_session_to_resume(script: Script, cause: str) -> None:
    found = await probe(ResumptionProbe(), script, role="mx")
    assert found["tls.resumption"] == found["tls.early_data"] == cause
    assert len(found.server.sessions) == 1


@pytest.mark.parametrize(
    "refusal", [(Send(b"554 5.5.0 SMTP synchronization error\r\n"),), (AGREE, Close()), (AGREE, Alert(10), Close())]
)
async def test_at_full_depth_resumption_gets_a_connection_of_its_own(refusal: Script) -> None:
    options = dataclasses.replace(OPTIONS, depth="full")
    async with serve(smtp(), smtp(STARTTLS=refusal), smtp()) as server:
        endpoint = Endpoint("mx", host="localhost", port=server.port)
        async with Network(endpoint, options) as network:
            found = await second_conversation(endpoint, network)
    assert found.resumed is True
    assert found.command_injection is False or isinstance(found.command_injection, Unmeasured)
    assert len(server.sessions) == 3
    assert server.sessions[2].lines == [EHLO, b"STARTTLS"]


OK = Send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
SETTINGS = Send(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))


@pytest.mark.parametrize(
    ("answer", "tls", "resumption", "early_data"),
    [
        ((OK, Close()), StartTLS(), True, False),
        ((SETTINGS, Silence()), StartTLS(alpn=("h2",)), True, False),
        ((OK, Close()), OLD, True, "not_applicable"),
        ((OK, Close()), StartTLS(tickets=0), False, "not_applicable"),
        # Whoever has given a ticket need not say more; of the others nothing is known.
        ((Silence(),), StartTLS(), True, False),
        ((Silence(),), StartTLS(tickets=0), "deadline_exceeded", "deadline_exceeded"),
        ((Close(),), StartTLS(tickets=0), "connection_reset", "connection_reset"),
    ],
)
async def test_resumption_with_a_web_server(answer: Script, tls: StartTLS, resumption: Any, early_data: Any) -> None:
    async with serve((tls, Answer({b"": answer, b"PRI": answer}, otherwise=()))) as server:
        endpoint = Endpoint("web", url=f"https://localhost:{server.port}/")
        found = Found(await measure(ResumptionProbe(), endpoint, OPTIONS), server)
    assert (found["tls.resumption"], found["tls.early_data"]) == (resumption, early_data)


@contextlib.contextmanager
def server_that_takes_early_data(at_most: int) -> Iterator[int]:
    """The port of an https server whose tickets allow so much early data."""
    issued = authority().issue_cert("localhost")
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes()))
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    context.use_privatekey(key)
    Binding().lib.SSL_CTX_set_max_early_data(context._context, at_most)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection = SSL.Connection(context, listening.accept()[0])
                    connection.set_accept_state()
                    with contextlib.suppress(SSL.Error):
                        connection.do_handshake()
                        connection.recv(4096)
                        connection.sendall(OK.data)
                        connection.shutdown()  # a session that ends without goodbye is not resumed
                    connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("at_most", [0, 1, 16384, 0xFFFFFFFF])
async def test_early_data_that_tickets_allow(at_most: int) -> None:
    with server_that_takes_early_data(at_most) as port:
        found = await measure(ResumptionProbe(), Endpoint("web", url=f"https://localhost:{port}/"), OPTIONS)
    assert found["tls.early_data"].value is (at_most > 0)
    assert found["tls.resumption"].value is True


async def test_plain_http_has_no_sessions() -> None:
    found = await measure(ResumptionProbe(), Endpoint("web", url="http://localhost:1/"), OPTIONS)
    assert {each.cause for each in found.values()} == {"not_applicable"}


# --- sharing ----------------------------------------------------------------------------------------------------------


async def test_one_second_connection_serves_everybody_and_begins_after_the_first() -> None:
    async with serve(smtp()) as server:
        endpoint = Endpoint("submission", host="localhost", port=server.port)
        async with Network(endpoint, OPTIONS) as network:
            found = await second_conversation(endpoint, network)
            assert await second_conversation(endpoint, network) is found
            assert (found.tls_required, found.command_injection, found.resumed) == (True, False, True)
            connected = [step for step in network.transcript if step.text.startswith("connected")]
            goodbye = next(step for step in network.transcript if step.text == "QUIT")
    assert [step.connection for step in connected] == [1, 2]
    assert connected[1].ms > goodbye.ms
    assert len(server.sessions) == 2
