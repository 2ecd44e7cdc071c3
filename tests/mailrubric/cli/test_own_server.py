"""The two keys to what is intrusive: ``own_servers`` in mailrubric.yaml, and ``--own-server``."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from mailrubric.catalogue.messages import CatalogueError
from mailrubric.workspace import Workspace
from probes.network import NOT_OWN_SERVER, Options
from tests.hostile.server import Send, Server, serve_in_thread, smtp
from tests.mailrubric.cli.conftest import Call, Result

ANSWERS = smtp(
    greeting=(Send(b"220 own.test ESMTP\r\n"),),
    EHLO=(Send(b"250-own.test\r\n250 PIPELINING\r\n"),),
    VRFY=(Send(b"252 2.0.0 try and see\r\n"),),
    EXPN=(Send(b"502 5.5.1 no\r\n"),),
    MAIL=(Send(b"250 2.1.0 ok\r\n"),),
    RCPT=(Send(b"554 5.7.1 relay access denied\r\n"),),
)


def workspace(folder: Path, settings: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "mailrubric.yaml").write_text(textwrap.dedent(settings), encoding="utf-8")
    return folder


def own(call: Call, server: Server, folder: Path, *more: object) -> Result:
    words = ("--target", f"smtp://127.0.0.1:{server.port}", "--allow-private", "--probe", "own_server", "--json")
    return call("probe", *words, "--workspace", folder, *more)


def causes(result: Result) -> set[str | None]:
    return {each["cause"] for each in result.json["measurements"]}


def test_the_settings_alone_ask_nothing(tmp_path: Path) -> None:
    place = Workspace.open(
        workspace(tmp_path, "own_servers: [MAIL.Example.com., 2001:DB8:0::1]\nown_server_recipient: a@example.com")
    )
    assert Options(**place.network_options()).own_servers == frozenset()
    options = Options(**place.network_options(), **place.own_server_options())
    assert options.own_servers == {"mail.example.com", "2001:db8::1"}
    assert options.own_server_recipient == "a@example.com"


@pytest.mark.parametrize(
    ("settings", "line", "column", "words"),
    [
        ("own_servers: mail.example.com", 1, 14, "list of texts"),
        ("own_servers:\n  - mail.example.com\n  - smtp://mail.example.com", 3, 5, "leave the scheme"),
        ("own_servers:\n  - '*.example.com'", 2, 5, "expected a host name, an address or a domain"),
        ("own_servers:\n  - mail.example.com:587", 2, 5, "expected a host name"),
        ("own_servers:\n  - a.example\n  - a.example", 3, 5, "a.example"),
        ("own_servers: [a.example]\nown_server_recipient: a.example", 2, 23, "expected one address"),
        ("own_servers: [a.example]\nown_server_recipient: <a@a.example>", 2, 23, "expected one address"),
        ("own_servers: [a.example]\nown_server_recipient: 'a b@a.example'", 2, 23, "expected one address"),
        ('own_servers: [a.example]\nown_server_recipient: "a@a.example\\r\\nDATA"', 2, 23, "control characters"),
        ("own_servers: [a.example]\nown_server_recipient: a@[192.0.2.1]", 2, 23, "expected one address"),
        ("own_servers: [a.example]\nown_server_recipient: a..b@a.example", 2, 23, "expected one address"),
        ("own_server: [a.example]", 1, 1, "own_server"),
    ],
)
def test_faults_of_the_settings_have_their_places(
    settings: str, line: int, column: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(CatalogueError) as raised:
        Workspace.open(workspace(tmp_path, settings))
    problems = [each for each in raised.value.problems if words in each.message]
    assert [(each.line, each.column) for each in problems] == [(line, column)], raised.value.problems


def test_both_keys(call: Call, tmp_path: Path) -> None:
    folder = workspace(tmp_path / "own", "own_servers: [127.0.0.1]\ndeadline: 20")
    with serve_in_thread(ANSWERS) as server:
        asked = own(call, server, folder, "--own-server")
        assert asked.code == 0
        found = {each["metric"]: each["value"] for each in asked.json["measurements"]}
        assert found["own_server.vrfy"] == "noncommittal"
        assert found["own_server.open_relay"] is False
        assert f"submission 127.0.0.1:{server.port}" in asked.err
        assert "no test messages" in asked.err
        assert b"EXPN mailrubric-no-such-mailbox" in server.lines
        assert b"DATA" not in server.lines


def test_one_key_opens_nothing(call: Call, tmp_path: Path) -> None:
    with serve_in_thread(ANSWERS) as server:
        only_named = own(call, server, workspace(tmp_path / "own", "own_servers: [127.0.0.1]"))
        assert causes(only_named) == {"not_permitted"}
        for settings in ("{}", "own_servers: []", "own_servers: [127.0.0.2, own.test]"):
            only_said = own(call, server, workspace(tmp_path / "other", settings), "--own-server")
            assert only_said.code == 2
            assert "own_servers" in only_said.err
        nowhere = call("probe", "--target", f"smtp://127.0.0.1:{server.port}", "--own-server")
        assert nowhere.code == 2
        assert server.sessions == []


def test_a_target_that_is_no_smtp_server(call: Call, tmp_path: Path) -> None:
    folder = workspace(tmp_path / "own", "own_servers: [127.0.0.1]")
    refused = call("probe", "--target", "imap://127.0.0.1:1", "--workspace", folder, "--own-server")
    assert refused.code == 2
    assert "no SMTP endpoint" in refused.err


def test_vendors_and_what_is_said_before(call: Call, tmp_path: Path) -> None:
    folder = workspace(
        tmp_path / "own",
        """
        shipped_vendors: false
        allow_private: true
        own_servers: [127.0.0.1]
        own_server_recipient: tester@own.test
        """,
    )
    (folder / "vendors").mkdir()
    with serve_in_thread(ANSWERS) as server:
        (folder / "vendors" / "own.yaml").write_text(
            "id: own\nname: Own\ncategory: self-hosted\nendpoints:\n  submission:\n"
            f"    - {{host: 127.0.0.1, port: {server.port}, tls: none}}\n",
            encoding="utf-8",
        )
        words = ("probe", "own", "--probe", "own_server", "--workspace", folder)
        assert call(*words).code == 3
        assert server.sessions == []
        asked = call(*words, "--own-server")
        assert asked.code == 0
        assert "up to 26 test messages to tester@own.test" in asked.err
        assert b"RCPT TO:<tester@own.test>" in server.lines


def test_a_report_for_people_says_in_one_line_what_was_not_asked(call: Call) -> None:
    with serve_in_thread(ANSWERS) as server:
        shown = call("probe", "--target", f"smtp://127.0.0.1:{server.port}", "--allow-private", "--probe", "own_server")
    assert "own_server." not in shown.out
    assert NOT_OWN_SERVER not in shown.out
    assert shown.out.count("--own-server") == 1
