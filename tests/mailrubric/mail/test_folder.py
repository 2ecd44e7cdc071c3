"""A folder over IMAP from servers that lie, break off and begin anew: what is read is sound, the rest is a cause."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailrubric.mail import folder, reading
from mailrubric.mail.analysis import Analysis
from mailrubric.mail.folder import Folder
from mailrubric.mail.reading import Place
from probes.authentication import Credentials, Secret
from probes.model import Cause, Endpoint, Unmeasured
from probes.network import Options
from probes.send import Login
from tests.hostile.server import authority_file
from tests.probes.loopback import scripted
from tests.probes.misbehaving import PASSWORD, USER, Gone, server_context


def letter(number: int, size: int = 0) -> bytes:
    return b"From: a@b.example\r\nSubject: %d\r\n\r\n" % number + b"x" * size + b"\r\n"


@dataclasses.dataclass
class Server:
    """``mails``: unique identifier → message. ``sizes``: what is said of some of them instead. ``breaks``: how many
    fetches of texts the first connections bear. ``validity``: UIDVALIDITY of each connection, the last one for all that
    follow. ``instead``: another answer to a command that begins so."""

    mails: dict[int, bytes]
    sizes: dict[int, int] = dataclasses.field(default_factory=dict)
    breaks: list[int] = dataclasses.field(default_factory=list)
    validity: list[int] = dataclasses.field(default_factory=lambda: [7])
    instead: dict[str, bytes] = dataclasses.field(default_factory=dict)
    port: int = 0
    connections: int = 0
    lines: list[str] = dataclasses.field(default_factory=list)

    async def connected(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(Gone, OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await writer.start_tls(server_context("127.0.0.1"))
            self.connections += 1
            mine = self.connections
            bears = self.breaks.pop(0) if self.breaks else 10**9
            writer.write(b"* OK ready\r\n")
            while True:
                line = (await reader.readuntil(b"\r\n")).decode()[:-2]
                tag, _, command = line.partition(" ")
                self.lines.append(command)
                answer = next((each for start, each in self.instead.items() if command.startswith(start)), None)
                if answer is not None:
                    writer.write(answer.replace(b"TAG", tag.encode()))
                elif command == "CAPABILITY":
                    writer.write(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n")
                elif command.startswith("EXAMINE"):
                    value = self.validity[min(mine, len(self.validity)) - 1]
                    writer.write(b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] fine\r\n" % (len(self.mails), value))
                elif match := re.match(r"UID SEARCH UID (\d+):\*", command):
                    # The largest one is always part of the range (RFC 9051 §9).
                    above = [each for each in self.mails if each >= int(match[1])] or list(self.mails)[-1:]
                    writer.write(f"* SEARCH {' '.join(map(str, above))}\r\n".encode())
                elif match := re.match(r"UID FETCH (\S+) \((.*)\)", command):
                    text = "BODY.PEEK" in match[2]
                    bears -= text
                    for each in self._chosen(match[1]):
                        if each in self.mails:
                            writer.write(self._text(each, match[2]) if text else self._facts(each))
                        if bears < 0:
                            await writer.drain()
                            writer.transport.abort()
                            raise Gone
                elif not command.startswith(("AUTHENTICATE", "LOGOUT")):
                    writer.write(b"* BAD what?\r\n")
                if answer is None:
                    writer.write(f"{tag} OK done\r\n".encode())
                await writer.drain()

    def _chosen(self, ranges: str) -> list[int]:
        found = []
        for part in ranges.split(","):
            low, _, high = part.partition(":")
            found += range(int(low), int(high or low) + 1)
        return found

    def _facts(self, number: int) -> bytes:
        size = self.sizes.get(number, len(self.mails[number]))
        seen = "\\Seen " if number % 2 else ""
        return (
            f'* 1 FETCH (UID {number} FLAGS ({seen}\\Recent) INTERNALDATE "23-Nov-2026 06:00:02 +0100" '
            f"RFC822.SIZE {size})\r\n"
        ).encode()

    def _text(self, number: int, what: str) -> bytes:
        match = re.search(r"<0\.(\d+)>", what)
        assert match is not None
        data = self.mails[number][: int(match[1])]
        return f"* 1 FETCH (UID {number} BODY[]<0> {{{len(data)}}}\r\n".encode() + data + b")\r\n"


@contextlib.contextmanager
def served(server: Server) -> Iterator[Server]:
    """The server in a thread of its own, since reading a folder runs its own loop."""
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with scripted(server.connected) as listening:
            server.port = listening.port
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def read(server: Server, tmp_path: Path, name: str = "INBOX") -> Iterator[Place]:
    options = Options(allow_private=True, ca_file=str(authority_file(tmp_path)))
    place = Folder(Endpoint("imap", host="127.0.0.1", port=server.port, tls="implicit"), USER, name)
    return folder.messages(place, Login(Credentials(USER, Secret(PASSWORD))), options, 60)


def test_a_folder_in_several_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "GROUP", 7)
    monkeypatch.setattr(folder, "GROUP_BYTES", 5000)
    mails = {number: letter(number, 900 * (number % 3)) for number in range(3, 60, 2)}
    with served(Server(mails)) as server:
        found = list(read(server, tmp_path, "Caf\u00e9"))
        until = time.monotonic() + 10
        while "LOGOUT" not in server.lines and time.monotonic() < until:
            time.sleep(0.01)  # we may be through before the server has read our goodbye
    assert [place.data for place in found] == list(mails.values())
    assert [place.name for place in found] == [rf"Caf\xc3\xa9 {number}" for number in mails]
    assert all(place.seen is True for place in found)  # odd numbers carry \Seen
    assert {place.arrived.isoformat() for place in found if place.arrived} == {"2026-11-23T05:00:02+00:00"}
    verbs = {line.split()[0] if line.split()[0] != "UID" else line.split()[1] for line in server.lines}
    assert verbs == {"CAPABILITY", "AUTHENTICATE", "EXAMINE", "SEARCH", "FETCH", "LOGOUT"}
    assert 'EXAMINE "Caf&AOk-"' in server.lines
    assert all("BODY.PEEK[]" in line for line in server.lines if "BODY" in line)


def test_an_empty_folder(tmp_path: Path) -> None:
    with served(Server({})) as server:
        analysis = Analysis(read(server, tmp_path))
        assert list(analysis) == []


def test_a_session_that_breaks_off_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "GROUP", 4)
    mails = {number: letter(number) for number in range(1, 31)}
    with served(Server(mails, breaks=[2, 3])) as server:
        found = list(read(server, tmp_path))
    assert [place.data for place in found] == list(mails.values())  # none twice, none lost
    assert server.connections == 3


def test_a_folder_made_anew_in_between_is_a_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "GROUP", 4)
    mails = {number: letter(number) for number in range(1, 31)}
    with served(Server(mails, breaks=[2], validity=[7, 8])) as server:
        found = []
        with pytest.raises(Unmeasured) as problem:
            found.extend(read(server, tmp_path))
    assert problem.value.cause is Cause.PROTOCOL_ERROR
    assert "anew" in problem.value.detail


def test_a_server_that_always_breaks_off_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "GROUP", 4)
    mails = {number: letter(number) for number in range(1, 31)}
    with served(Server(mails, breaks=[2] + [0] * 20)) as server, pytest.raises(Unmeasured) as problem:
        list(read(server, tmp_path))
    assert problem.value.cause is Cause.CONNECTION_RESET
    assert server.connections == folder.SESSIONS


def test_large_messages_come_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MESSAGE_BYTES", 10_000)
    mails = {1: letter(1), 2: letter(2, 600_000), 3: letter(3)}
    with served(Server(mails)) as server:
        found = list(Analysis(read(server, tmp_path)))
    assert [(message.cut, message.size) for message in found] == [
        (False, len(mails[1])),
        (True, len(mails[2])),
        (False, len(mails[3])),
    ]


def test_a_server_that_lies_about_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MESSAGE_BYTES", 10_000)
    with served(Server({1: letter(1, 50_000)}, sizes={1: 10})) as server:
        (place,) = read(server, tmp_path)
    assert len(place.data) == 10_000  # never more than was asked for


@pytest.mark.parametrize(
    ("command", "answer", "cause"),
    [
        ("UID FETCH", b"* 1 FETCH (UID 1 BODY[] {999999999}\r\n", Cause.REPLY_TOO_LONG),
        ("UID FETCH", b"\x00\x1b[31mgarbage\r\n", Cause.PROTOCOL_ERROR),
        ("UID FETCH", b"* 1 FETCH (UID 1 (((((\r\nTAG OK done\r\n", Cause.PROTOCOL_ERROR),
        ("UID FETCH", b"TAG NO [LIMIT] slower\r\n", Cause.THROTTLED),
        ("UID SEARCH", b"TAG BAD no\r\n", Cause.PROTOCOL_ERROR),
        ("EXAMINE", b"TAG NO [NONEXISTENT] no such folder\r\n", Cause.PROTOCOL_ERROR),
        ("AUTHENTICATE", b"TAG NO [AUTHENTICATIONFAILED] no\r\n", Cause.NOT_PERMITTED),
        ("CAPABILITY", b"* BYE go away\r\n", Cause.CONNECTION_RESET),
    ],
)
def test_answers_that_are_none(tmp_path: Path, command: str, answer: bytes, cause: Cause) -> None:
    server = Server({1: letter(1)}, instead={command: answer})
    with served(server), pytest.raises(Unmeasured) as problem:
        list(read(server, tmp_path))
    assert problem.value.cause is cause
    assert problem.value.detail.isprintable()
    assert PASSWORD not in problem.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        b"TAG OK nothing there any more\r\n",
        b"* 1 FETCH (FLAGS (\\Seen))\r\nTAG OK done\r\n",
        b"* 1 FETCH (UID 999 RFC822.SIZE 5)\r\nTAG OK done\r\n",
        b"* 1 FETCH (UID x RFC822.SIZE y)\r\n* 2 EXPUNGE\r\n* 1 FETCH ()\r\nTAG OK done\r\n",
    ],
)
def test_messages_that_are_gone_are_counted(tmp_path: Path, answer: bytes) -> None:
    server = Server({1: letter(1)}, instead={"UID FETCH": answer})
    with served(server):
        analysis = Analysis(read(server, tmp_path))
        assert list(analysis) == []
    assert analysis.skipped == {folder.GONE: 1}
    assert analysis.examples == {folder.GONE: ["INBOX 1"]}


def test_a_text_that_does_not_come_is_counted(tmp_path: Path) -> None:
    server = Server({number: letter(number) for number in (1, 2, 3)})
    server.instead["UID FETCH 1:3 (UID BODY"] = server._text(1, "<0.999>") + server._text(3, "<0.999>") + b"TAG OK\r\n"
    with served(server):
        analysis = Analysis(read(server, tmp_path))
        assert [message.place for message in analysis] == ["INBOX 1", "INBOX 3"]
    assert analysis.examples == {folder.GONE: ["INBOX 2"]}


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        (b'* ESEARCH (TAG "x") UID ALL 2:4,7\r\nTAG OK done\r\n', [2, 3, 4, 7]),
        (b'* ESEARCH (TAG "x") UID MIN 2 ALL 7,2:4\r\nTAG OK done\r\n', [2, 3, 4, 7]),
    ],
)
def test_a_server_that_answers_a_search_in_the_newer_way(tmp_path: Path, answer: bytes, numbers: list[int]) -> None:
    server = Server({number: letter(number) for number in numbers}, instead={"UID SEARCH": answer})
    with served(server):
        assert [place.name for place in read(server, tmp_path)] == [f"INBOX {number}" for number in numbers]


@pytest.mark.parametrize(
    ("answer", "cause", "words"),
    [
        (b"* SEARCH\r\nTAG OK done\r\n", Cause.PROTOCOL_ERROR, "holds 1 messages, and the server names none"),
        (b"TAG OK done\r\n", Cause.PROTOCOL_ERROR, "names none"),
        (b"* ESEARCH UID ALL 1:4294967295\r\nTAG OK done\r\n", Cause.REPLY_TOO_LONG, "more than 2,000,000"),
    ],
)
def test_a_full_folder_is_not_taken_for_an_empty_one(tmp_path: Path, answer: bytes, cause: Cause, words: str) -> None:
    server = Server({1: letter(1)}, instead={"UID SEARCH": answer})
    with served(server), pytest.raises(Unmeasured) as problem:
        list(read(server, tmp_path))
    assert problem.value.cause is cause
    assert words in problem.value.detail


def test_no_password_without_a_trusted_certificate(tmp_path: Path) -> None:
    with served(Server({1: letter(1)})) as server:
        place = Folder(Endpoint("imap", host="127.0.0.1", port=server.port, tls="implicit"), USER, "INBOX")
        stream = folder.messages(place, Login(Credentials(USER, Secret(PASSWORD))), Options(allow_private=True), 60)
        with pytest.raises(Unmeasured) as problem:
            next(stream)
    assert problem.value.cause is Cause.TLS_HANDSHAKE_ERROR
    assert not any(line.startswith(("AUTHENTICATE", "LOGIN")) for line in server.lines)


def test_a_reader_that_stops_early_hangs_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "GROUP", 4)
    with served(Server({number: letter(number) for number in range(1, 31)})) as server:
        stream = read(server, tmp_path)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert sum("BODY" in line for line in server.lines) == 1
