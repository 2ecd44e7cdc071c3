"""Preconditions on the command line, with reference hosts on loopback in place of those of the internet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailrubric.evidence.store import Store
from mailrubric.workspace import Workspace
from probes.network import Limits, Options
from tests.hostile.faults import black_hole

VENDOR = """\
id: acme-mail
name: Acme Mail
category: esp
homepage: https://acme.example
endpoints:
  mx: [{host: 127.0.0.1}, {host: 127.0.0.2}]
  submission: [{host: 127.0.0.1, port: 1}]
"""


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Port 25 of the reference host, on loopback, takes no connection; there is no resolver and nobody else to ask."""
    with black_hole() as silent:
        options = Options(
            limits=Limits(deadline=5, connect_timeout=0.4, dns_timeout=0.4),
            resolver=("127.0.0.1", 1),
            port_25_references=(("127.0.0.1", silent),),
            ipv6_references=(),
            blocklists=(),
        )
        monkeypatch.setattr("mailrubric.cli.network.options", lambda *_, **__: options)
        yield


def test_preconditions_alone(call, blocked):
    result = call("preconditions")
    assert result.code == 1
    assert "Outbound port 25" in result.out
    assert "From here port 25 could not be reached on 20" in result.out
    found = {each["name"]: each["ok"] for each in call("preconditions", "--json").json["preconditions"]}
    assert found == {"names": False, "port_25": False, "ipv6": None, "dnssec": False, "blocklists": None, "tls": True}


def test_in_a_lab_nothing_is_missing(call):
    result = call("preconditions", "--allow-private")
    assert result.code == 0
    assert result.out.count("this is a lab") == 5


def test_a_run_says_first_what_cannot_be_measured_and_keeps_it(call, blocked):
    Path("vendors").mkdir()
    Path("vendors/acme-mail.yaml").write_text(VENDOR, encoding="utf-8")
    result = call("probe", "acme-mail")
    names, port = result.out.splitlines()[:2]
    assert names.startswith("The resolver knew none of the internet's names on ")
    assert port.startswith("From here port 25 could not be reached on ")
    assert port.endswith("2 MX endpoints could not be measured.")
    assert result.err.splitlines()[:2] == [names, port]
    printed = json.loads(call("probe", "acme-mail", "--role", "submission", "--json").out)["preconditions"]
    assert {each["name"]: each["endpoints"] for each in printed} == {
        "names": 1, "ipv6": 1, "blocklists": 1, "tls": 1,
    }  # fmt: skip
    with Store(Workspace.open(Path()).store_url()) as store:
        newest, first = store.runs()
    assert [each.name for each in newest.preconditions] == ["names", "ipv6", "blocklists", "tls"]
    assert {each.name: (each.ok, each.endpoints) for each in first.preconditions}["port_25"] == (False, 2)
