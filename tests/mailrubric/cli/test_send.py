"""``mailrubric send``: two keys, secrets from the environment, and a run from the first word to the stored evidence."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailrubric.catalogue.messages import CatalogueError
from mailrubric.evidence.store import Store
from mailrubric.workspace import Workspace
from probes import seed_mailbox
from tests.hostile.server import authority_file
from tests.mailrubric.cli.conftest import Call, Result
from tests.probes import mailboxserver, sendserver
from tests.probes.mailboxserver import Mail, Mailbox
from tests.probes.misbehaving import PASSWORD, USER
from tests.probes.sendserver import Server

ENVIRONMENT = {"ACME_USER": USER, "ACME_PASSWORD": PASSWORD, "BOX_USER": USER, "BOX_PASSWORD": PASSWORD}


class Delivered(list[bytes]):
    """What the server has taken, put into a mailbox."""

    def __init__(self, box: Mailbox, folders: tuple[str, ...]) -> None:
        super().__init__()
        self._box, self._folders = box, folders

    def append(self, text: bytes) -> None:
        """Deliver a message."""
        folder = self._folders[len(self) % len(self._folders)]
        super().append(text)
        if folder:
            headers = text.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            self._box.mails.append(Mail(headers, folder, mailboxserver.today()))


@contextlib.contextmanager
def running(server: Server, box: Mailbox | None = None) -> Iterator[None]:
    """Both servers on an event loop of their own: commands run theirs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start(stack: contextlib.AsyncExitStack) -> None:
        await stack.enter_async_context(sendserver.serve(server))
        if box is not None:
            await stack.enter_async_context(mailboxserver.serve(box))

    stack = contextlib.AsyncExitStack()
    try:
        asyncio.run_coroutine_threadsafe(start(stack), loop).result(20)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed_mailbox, "SPACING_SECONDS", 0.05)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def workspace(folder: Path, server: Server, box: Mailbox | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    settings: dict[str, Any] = {
        "accounts": {
            "postfix": {
                "server": f"smtp://127.0.0.1:{server.port}",
                "user_variable": "ACME_USER",
                "password_variable": "ACME_PASSWORD",
                "from": "me@own.test",
            }
        }
    }
    if box is not None:
        settings["seeds"] = {
            "box": {
                "server": f"imaps://127.0.0.1:{box.port}",
                "address": "box@own.test",
                "user_variable": "BOX_USER",
                "password_variable": "BOX_PASSWORD",
            }
        }
    (folder / "mailrubric.yaml").write_text(json.dumps({"sending": settings}), encoding="utf-8")
    return folder


def send(call: Call, folder: Path, tmp_path: Path, *words: object) -> Result:
    options = ("--allow-private", "--ca", authority_file(tmp_path), "--ehlo", "probe.example", "--spacing", "0")
    return call("send", "postfix", "--workspace", folder, *options, *words)


def whole_run(call: Call, tmp_path: Path, *words: object) -> tuple[Result, Path, Server]:
    """Four messages: two to the inbox, one to spam, one that never comes."""
    box = Mailbox()
    server = Server(delivered=Delivered(box, ("INBOX", "Junk", "INBOX", "")))
    with running(server, box):
        folder = workspace(tmp_path / "own", server, box)
        options = ("--seed", "box", "--messages", "4", "--wait", "0.2", "--own-account", "--malformed-recipients")
        return send(call, folder, tmp_path, *options, *words), folder, server


def test_a_whole_run(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailrubric.mail.sending.SETTLED_SECONDS", 0.2)
    result, folder, server = whole_run(call, tmp_path, "--json")
    assert result.code == 0, result.err
    document = result.json
    observed = {each["metric"]: each for each in document["observations"]}
    assert (observed["trial.inbox_rate"]["value"], observed["trial.inbox_rate"]["n"]) == (50.0, 4)
    assert observed["trial.spam_rate"]["value"] == 25.0
    assert observed["trial.delivered_rate"]["value"] == 75.0
    assert observed["trial.malformed_recipients_accepted"]["value"]  # this server takes everything
    assert "trial.unknown_recipient_accepted" not in observed  # nobody asked
    assert document["accepted"] == 4
    assert [each["arrival"] and each["arrival"]["placement"] for each in document["messages"]] == [
        "inbox", "spam", "inbox", None,
    ]  # fmt: skip
    assert document["messages"][3]["arrival_cause"] == "deadline_exceeded"
    with Store(Workspace.open(folder).store_url()) as store:
        stored = {each.metric: each for each in store.observations(["postfix"])}
        assert {metric: each.value for metric, each in stored.items() if not isinstance(each.value, tuple)} == {
            metric: each["value"] for metric, each in observed.items() if not isinstance(each["value"], list)
        }
        assert stored["trial.inbox_rate"].low == observed["trial.inbox_rate"]["low"]
        assert stored["trial.inbox_rate"].report == document["report"]
        report = store.report(document["report"])
    assert report["measurements"] == []
    assert report["endpoint_key"] == f"submission smtp://127.0.0.1:{server.port}"
    assert report["transcript"] == document["transcript"]
    connections = {step["connection"] for step in report["transcript"]}
    assert len(connections - {0}) == 6  # four messages, one session of questions, one mailbox


def test_the_secret_is_in_no_output_and_in_no_file(call: Call, tmp_path: Path) -> None:
    result, folder, server = whole_run(call, tmp_path, "--json")
    server.echo = True
    with running(server):
        workspace(folder, server)
        echoed = send(call, folder, tmp_path, "--own-account", "--to", "a@own.test", "--json")
        shown = send(call, folder, tmp_path, "--own-account", "--to", "a@own.test")
    runs = [result, echoed, shown]
    assert [each.code for each in runs] == [0, 0, 0]
    text = "".join(each.out + each.err for each in runs).encode()
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"[hidden]" in stored
    for secret in (PASSWORD.encode(), base64.b64encode(PASSWORD.encode())):
        assert secret not in text
        assert secret not in stored


def test_for_people(call: Call, tmp_path: Path) -> None:
    result, _, _ = whole_run(call, tmp_path)
    assert result.code == 0, result.err
    assert "found in the spam folder (Junk)" in result.out
    assert "queue id 4ZABCD1234" in result.out
    assert "trial.inbox_rate" in result.out
    assert "deadline exceeded" in result.out
    assert "arrival unknown" in result.out
    for words in ("From your own account at postfix: smtp://127.0.0.1:", "4 test messages to box@own.test",
                  "which is only read", "recipients that are no good"):  # fmt: skip
        assert words in result.err


def test_one_key_opens_nothing(call: Call, tmp_path: Path) -> None:
    server = Server()
    with running(server):
        folder = workspace(tmp_path / "own", server)
        only_named = send(call, folder, tmp_path, "--to", "a@own.test")
        assert only_named.code == 2
        assert "say --own-account" in only_named.err
        assert "1 test message to a@own.test" in only_named.err
        (folder / "mailrubric.yaml").write_text("{}")
        only_said = send(call, folder, tmp_path, "--to", "a@own.test", "--own-account")
        assert only_said.code == 2
        assert "names no account of yours at postfix" in only_said.err
    assert server.connections == 0
    assert not (folder / "mailrubric.sqlite").exists()


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_seen(tmp_path: Path) -> None:
    box = Mailbox()
    server = Server(delivered=Delivered(box, ("INBOX", "")))
    with running(server, box):
        folder = workspace(tmp_path / "own", server, box)
        words = ("--seed", "box", "--messages", "2", "--spacing", "0", "--own-account", "--allow-private", "--json")
        command = [sys.executable, "-m", "mailrubric", "send", "postfix", "--workspace", folder, *words]
        command += ["--ca", authority_file(tmp_path)]
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("looking for"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    document = json.loads(out)
    assert document["accepted"] == 2
    assert document["waited"] < 900
    assert [message["arrival_cause"] for message in document["messages"]] == [None, "deadline_exceeded"]
    with Store(Workspace.open(folder).store_url()) as store:
        stored = {each.metric: each for each in store.observations(["postfix"])}
    assert stored["trial.inbox_rate"].cause == "deadline_exceeded"
    assert stored["trial.send_accepted_ms"].n == 2


def test_probe_never_sends(call: Call, tmp_path: Path) -> None:
    server = Server()
    with running(server):
        folder = workspace(tmp_path / "own", server)
        probed = call(
            "probe", "--target", f"smtp://127.0.0.1:{server.port}", "--allow-private", "--workspace", folder, "--json"
        )
    assert probed.code == 0
    assert not any(line.startswith(("AUTH", "RCPT", "DATA")) for line in server.lines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nobody to send to"),
        (("--to", "not an address"), "plain address"),
        (("--to", "a@own.test", "--messages", "20", "--to", "b@own.test"), "more than the 20"),
        (("--seed", "nowhere"), "names no seed mailbox nowhere"),
    ],
)
def test_what_cannot_be_meant(words: tuple[str, ...], said: str, call: Call, tmp_path: Path) -> None:
    server = Server()
    with running(server):
        folder = workspace(tmp_path / "own", server)
        result = send(call, folder, tmp_path, *words, "--own-account")
    assert result.code == 2
    assert said in result.err
    assert server.connections == 0


def test_a_missing_variable_is_named(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_PASSWORD")
    folder = workspace(tmp_path / "own", Server(port=1))
    result = send(call, folder, tmp_path, "--to", "a@own.test", "--own-account", "--json")
    assert result.code == 2
    assert "ACME_PASSWORD is not set" in result.json["error"]["message"]


def test_a_refusal_is_stored_with_its_cause(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_PASSWORD", "not-the-one-but-secret")
    server = Server()
    with running(server):
        folder = workspace(tmp_path / "own", server)
        result = send(call, folder, tmp_path, "--to", "a@own.test", "--own-account", "--json")
    assert result.code == 3
    assert "not-the-one-but-secret" not in result.out + result.err
    (message,) = result.json["messages"]
    assert (message["accepted"], message["failed_at"], message["cause"]) == (None, "auth", "not_permitted")
    with Store(Workspace.open(folder).store_url()) as store:
        stored = {each.metric: each for each in store.observations(["postfix"])}
    assert stored["trial.send_accepted_ms"].cause == "not_permitted"
    assert stored["trial.send_connect_ms"].value is not None


def test_nothing_is_stored_when_it_is_not_wanted(call: Call, tmp_path: Path) -> None:
    server = Server()
    with running(server):
        folder = workspace(tmp_path / "own", server)
        result = send(call, folder, tmp_path, "--to", "a@own.test", "--own-account", "--no-store", "--json")
    assert result.code == 0
    assert result.json["report"] is None
    assert not (folder / "mailrubric.sqlite").exists()


@pytest.mark.parametrize(
    ("settings", "line", "words"),
    [
        ("    acme: {user_variable: U, password_variable: hunter2!x, from: a@b.example}", 4, "environment variable"),
        ("    acme: {user_variable: U, password: hunter2!x, from: a@b.example}", 4, "unknown key"),
        ("    acme: {user_variable: U, from: a@b.example}", 4, "either a password_variable or a token_variable"),
        ("    acme: {user_variable: U, password_variable: P, token_variable: T, from: a@b.example}", 4, "either"),
        ("    acme: {user_variable: U, password_variable: P, from: hunter2}", 4, "expected one address"),
        ("    acme:\n      user_variable: U\n      password_variable: P\n      from: a@b.example\n"
         "      server: imap://x.example", 8, "smtp://HOST:PORT"),
        ("    acme:\n      user_variable: U\n      password_variable: P\n      from: a@b.example\n"
         "      server: smtp://u:hunter2!x@x.example", 8, "no place here"),
        ("    acme: {user_variable: U, password_variable: P, from: a@b.example, mechanism: PLAINX}", 4, "mean 'PLAIN'"),
    ],
)  # fmt: skip
def test_faults_of_the_settings(settings: str, line: int, words: str, tmp_path: Path) -> None:
    text = f"# who we are\nsending:\n  accounts:\n{settings}\n"
    (tmp_path / "mailrubric.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as raised:
        Workspace.open(tmp_path)
    found = [problem for problem in raised.value.problems if words in str(problem)]
    assert [problem.line for problem in found] == [line], raised.value.problems
    assert not any("hunter2!x" in str(problem) for problem in raised.value.problems)
