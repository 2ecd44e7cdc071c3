"""What the shipped criteria make of what the probes say, where a careless question would go unanswered."""

import dataclasses

import pytest

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.load import load
from mailrubric.scoring.evaluate import evaluate
from mailrubric.workspace import shipped_folder
from tests.mailrubric.scoring.building import NOW, measured, vendor


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load([shipped_folder()])


def test_a_receiving_server_without_starttls_is_no_unknown(shipped):
    endpoints = {"mx": [{"host": "mx.example"}]}
    catalogue = dataclasses.replace(shipped, vendors={"acme": vendor("acme", "mailbox", endpoints=endpoints)})
    place = {"endpoint": "mx mx.example:25", "role": "mx"}
    observations = [
        measured("acme", "smtp.starttls", False, **place),
        measured("acme", "smtp.starttls_works", cause="tls_not_offered", **place),
    ]
    line = evaluate(catalogue, observations, as_of=NOW).vendors[0]
    cells = {cell.criterion: cell for cell in line.cells}
    assert cells["receiving-starttls"].score == 0
    assert cells["receiving-starttls-works"].cause == "tls_not_offered"


def test_whether_an_upgrade_works_is_asked_beside_whether_it_is_offered(shipped):
    # Without an offer the first has no answer, so that alone it would let the worst servers off.
    working = [item for item in shipped.criteria if (item.source.probe or "").endswith(".starttls_works")]
    offered = [item for item in shipped.criteria if (item.source.probe or "").endswith(".starttls")]
    assert working
    for item in working:
        probe = (item.source.probe or "").removesuffix("_works")
        asked = (probe, item.source.roles, item.applies_to)
        assert asked in [(one.source.probe, one.source.roles, one.applies_to) for one in offered]


def test_software_is_not_asked_for_what_only_a_service_has(shipped):
    services = {"sending", "status", "api", "web"}
    for item in shipped.criteria:
        if item.source.probe and services & set(item.source.roles):
            assert item.applies_to, item.id
            assert "self-hosted" not in item.applies_to, item.id
