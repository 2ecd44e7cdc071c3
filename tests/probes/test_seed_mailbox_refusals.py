"""A seed mailbox with folders that are listed and cannot be opened: what is found counts, absence is not concluded."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import re
import ssl
from pathlib import Path

import pytest

from probes import seed_mailbox
from probes.authentication import Credentials, Secret
from probes.letter import compose, run_mark
from probes.model import Cause, Endpoint
from probes.network import Limits, Network, Options
from probes.seed_mailbox import Expectation, Watch, watch
from probes.send import Login
from probes.verified_tls import surroundings_for_secrets
from tests.hostile.server import authority_file
from tests.probes.loopback import scripted
from tests.probes.misbehaving import PASSWORD, USER, Gone, server_context

RUN = run_mark(b"\x01\x23\x45\x67\x89\xab\xcd\xef")
FOLDERS = ('(\\Junk) "/" Junk', '() "/" INBOX', '() "/" Shared', '() "/" Rule')
NOW = datetime.datetime(2026, 11, 23, 6, 0, tzinfo=datetime.UTC)


def headers(number: int) -> bytes:
    return compose(RUN, number, "me@own.test", "tester@own.test", NOW).data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@dataclasses.dataclass
class Server:
    """``refused``: folder → what EXAMINE says of it. ``mails``: folder → number of the message in it."""

    refused: dict[str, str]
    mails: dict[str, int] = dataclasses.field(default_factory=dict)
    searches: list[str] = dataclasses.field(default_factory=list)

    async def connected(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(Gone, OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await writer.start_tls(server_context("127.0.0.1"))
            writer.write(b"* OK ready\r\n")
            folder = ""
            while True:
                tag, _, command = (await reader.readuntil(b"\r\n")).decode().strip().partition(" ")
                said = b""
                status = "OK done"
                if command == "CAPABILITY":
                    said = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n"
                elif command.startswith("LIST"):
                    said = "".join(f"* LIST {each}\r\n" for each in FOLDERS).encode()
                elif command.startswith("EXAMINE"):
                    folder = command.partition(" ")[2].strip('"')
                    status = self.refused.get(folder, status)
                elif command.startswith("UID SEARCH"):
                    self.searches.append(command)
                    said = f"* SEARCH {1 if folder in self.mails else ''}".strip().encode() + b"\r\n"
                elif re.match(r"UID FETCH 1 ", command):
                    data = headers(self.mails[folder])
                    said = b"* 1 FETCH (UID 1 BODY[HEADER]<0> {%d}\r\n%b)\r\n" % (len(data), data)
                writer.write(said + f"{tag} {status}\r\n".encode())
                await writer.drain()


async def watched(server: Server, numbers: set[int], folder: Path) -> tuple[Watch, dict[int, str]]:
    limits = dataclasses.replace(seed_mailbox.limits_for_reading(Limits(), 60), read_timeout=30)
    options = Options(limits=limits, allow_private=True, ca_file=str(authority_file(folder)))
    expectation = Expectation(RUN)
    expectation.pending |= numbers
    expectation.until = asyncio.get_running_loop().time()
    async with scripted(server.connected) as listening:
        endpoint = Endpoint("imap", host="127.0.0.1", port=listening.port, tls="implicit")
        surroundings = surroundings_for_secrets(options)
        async with Network(endpoint, options, surroundings) as network:
            found = await watch(endpoint, network, Login(Credentials(USER, Secret(PASSWORD))), expectation)
        await surroundings.close()
    return found, {number: each.folder for number, each in expectation.arrivals.items()}


@pytest.mark.parametrize("answer", ["NO [NOPERM] not yours", "NO [NONEXISTENT] gone", "NO"])
async def test_a_folder_that_cannot_be_opened_costs_only_itself(answer: str, tmp_path: Path) -> None:
    found, arrivals = await watched(Server({"Shared": answer}, {"Rule": 1}), {1, 2}, tmp_path)
    assert arrivals == {1: "Rule"}
    assert (found.problem, found.complete, found.unlooked) == (None, False, 1)
    # Where everything is found, nobody has to have looked anywhere else.
    found, arrivals = await watched(Server({"Shared": answer, "Junk": answer}, {"INBOX": 1}), {1}, tmp_path)
    assert arrivals == {1: "INBOX"}
    assert (found.problem, found.complete) == (None, True)


async def test_every_mark_that_a_platform_may_have_left_is_searched_for(tmp_path: Path) -> None:
    server = Server({}, {"INBOX": 1})
    _, arrivals = await watched(server, {1}, tmp_path)
    assert arrivals == {1: "INBOX"}
    for search in server.searches:
        for key in ("SUBJECT", 'HEADER "X-Mailrubric-Test"', 'HEADER "Message-ID"'):
            assert f'{key} "{RUN}"' in search
        assert search.count(" OR ") == 2  # each joins two keys (RFC 9051 §6.4.4)


@pytest.mark.parametrize(
    ("refused", "cause"),
    [
        ({"INBOX": "NO [NOPERM] not yours"}, Cause.PROTOCOL_ERROR),
        ({"Shared": "NO [LIMIT] slower"}, Cause.THROTTLED),
        ({"Shared": "BAD what?"}, Cause.PROTOCOL_ERROR),
    ],
)
async def test_other_refusals_end_it(refused: dict[str, str], cause: Cause, tmp_path: Path) -> None:
    found, arrivals = await watched(Server(refused), {1}, tmp_path)
    assert arrivals == {}
    assert found.problem is not None
    assert found.problem.cause is cause
