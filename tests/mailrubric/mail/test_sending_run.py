"""Whole runs over servers on loopback: many mailboxes at one provider, a run that is stopped, secrets in odd places."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from mailrubric.mail.sending import Account, Plan, Seed, observations, run
from probes import seed_mailbox
from probes.authentication import Credentials, Secret
from probes.model import Cause, Endpoint
from probes.network import Limits, Options
from probes.send import Login
from tests.hostile.server import authority_file
from tests.probes import mailboxserver, sendserver
from tests.probes.mailboxserver import Mail, Mailbox
from tests.probes.misbehaving import HOST, PASSWORD, USER
from tests.probes.sendserver import Server

LOGIN = Login(Credentials(USER, Secret(PASSWORD)))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_mailbox, "SPACING_SECONDS", 0.05)


@pytest.fixture
def trusting(tmp_path: Path) -> Options:
    return Options(limits=Limits(deadline=30), allow_private=True, ca_file=str(authority_file(tmp_path)))


class Delivered(list[bytes]):
    """What the server has taken, put into a mailbox; ``header``: one more line in front."""

    def __init__(self, box: Mailbox, header: bytes = b"") -> None:
        super().__init__()
        self._box, self._header = box, header

    def append(self, text: bytes) -> None:
        """Deliver a message."""
        super().append(text)
        head = self._header + text.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        self._box.mails.append(Mail(head, "INBOX", mailboxserver.today()))


def plan(server: Server, box: Mailbox, seeds: int = 1, **more: object) -> Plan:
    account = Account("acme", Endpoint("submission", host=HOST, port=server.port), "me@own.test", LOGIN)
    endpoint = Endpoint("imap", host=HOST, port=box.port, tls="implicit")
    boxes = tuple(Seed(f"box{number}", f"box{number}@own.test", endpoint, LOGIN) for number in range(seeds))
    given = {"wait": 60.0, "spacing": 0.0, **more}
    return dataclasses.replace(Plan(account, (), boxes), **given)  # type: ignore[arg-type]


async def test_many_mailboxes_at_one_provider(trusting: Options) -> None:
    box = Mailbox()
    server = Server(delivered=Delivered(box))
    async with sendserver.serve(server), mailboxserver.serve(box):
        outcome = await run(plan(server, box, seeds=9), trusting)
    assert outcome.accepted == 9
    assert all(message.arrival is not None for message in outcome.messages), [m.problem for m in outcome.messages]
    assert not outcome.stopped
    rate = next(each for each in observations(outcome) if each.metric == "trial.inbox_rate")
    assert (rate.value, rate.n) == (100.0, 9)


async def test_a_run_that_is_stopped_keeps_what_it_saw(trusting: Options) -> None:
    box = Mailbox()
    server = Server(delivered=Delivered(box))
    stop = asyncio.Event()
    # Nothing is seen until all are sent, so that the last one can be taken away.
    box.instead["SEARCH"] = "* SEARCH\r\n{tag} OK done"

    def tell(text: str) -> None:
        if text.startswith("looking for"):
            box.mails.pop()
            box.instead.clear()
            asyncio.get_running_loop().call_later(1.0, stop.set)

    async with sendserver.serve(server), mailboxserver.serve(box):
        outcome = await run(plan(server, box, each=3, wait=3600.0), trusting, tell, stop)
    assert outcome.stopped
    assert outcome.waited < 3600
    assert [message.arrival is not None for message in outcome.messages] == [True, True, False]
    said = {each.metric: each for each in observations(outcome)}
    assert said["trial.inbox_rate"].cause == "deadline_exceeded"  # after so short a wait nothing is known of the third
    assert "2 in the inbox" in said["trial.inbox_rate"].detail
    assert said["trial.delivery_seconds"].value is not None


async def test_a_run_that_is_stopped_while_it_sends(trusting: Options) -> None:
    box = Mailbox()
    server = Server(delivered=Delivered(box))
    stop = asyncio.Event()

    def tell(text: str) -> None:
        if "accepted" in text:
            stop.set()

    async with sendserver.serve(server), mailboxserver.serve(box):
        outcome = await run(plan(server, box, each=5, spacing=600.0), trusting, tell, stop)
    assert outcome.stopped
    assert len(outcome.messages) == len(server.delivered) == 1


async def test_a_secret_that_comes_back_in_a_header(trusting: Options) -> None:
    # Some vendors give out a token to be used as the name too, and some servers write names into Received.
    token = "0a1b2c3d-token-as-name"
    box = Mailbox()
    header = f"Received: (authenticated as {token}) by x; Mon, 23 Nov 2026 06:00:00 +0000\r\n".encode()
    server = Server(delivered=Delivered(box, header))
    async with sendserver.serve(server), mailboxserver.serve(box):
        made = plan(server, box)
        box_login = made.seeds[0]
        sendserver_login = Login(Credentials(token, Secret(token)))
        original = sendserver.USER, sendserver.PASSWORD
        sendserver.USER = sendserver.PASSWORD = token
        try:
            outcome = await run(
                dataclasses.replace(
                    made, account=dataclasses.replace(made.account, login=sendserver_login), seeds=(box_login,)
                ),
                trusting,
            )
        finally:
            sendserver.USER, sendserver.PASSWORD = original
    (message,) = outcome.messages
    assert message.sending.accepted
    assert message.arrival is not None
    assert any("authenticated as [hidden]" in line for line in message.arrival.headers)
    assert token not in repr(outcome)


async def test_nobody_to_send_through(trusting: Options) -> None:
    box = Mailbox()
    async with mailboxserver.serve(box):
        outcome = await run(plan(Server(port=1), box), trusting)
    (message,) = outcome.messages
    assert message.sending.problem is not None
    assert message.sending.problem.cause is Cause.CONNECTION_REFUSED
    assert message.sending.failed_at == "connect"
    assert {each.cause for each in observations(outcome)} == {"connection_refused"}
