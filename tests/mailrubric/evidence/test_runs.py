"""What a run says of the machine it was made on."""

from __future__ import annotations

import pytest

from mailrubric.evidence.runs import (
    Condition,
    Run,
    conditions_from_json,
    conditions_to_json,
    newest,
    sentence,
    sentences,
    title,
)
from probes.preconditions import NAMES


def run(day: str, *conditions: Condition) -> Run:
    return Run(f"2026-11-{day}T10:00:00.000Z", "local", 40, conditions)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (
            Condition("names", False, "it says that there is no a.test", 4),
            "The resolver knew none of the internet's names on 2026-11-23 (it says that there is no a.test): nothing "
            "can be said of the endpoints that it does not know either.",
        ),
        (
            Condition("port_25", False, "no connection", 34),
            "From here port 25 could not be reached on 2026-11-23: 34 MX endpoints could not be measured.",
        ),
        (
            Condition("port_25", False, "no connection", 1),
            "From here port 25 could not be reached on 2026-11-23: 1 MX endpoint could not be measured.",
        ),
        (Condition("port_25", False, "no connection", 0), "From here port 25 could not be reached on 2026-11-23."),
        (
            Condition("ipv6", False, "", 5),
            "From here there was no IPv6 on 2026-11-23: what servers do over IPv6 could not be measured.",
        ),
        (
            Condition("dnssec", False, "no AD bit", 2),
            "The resolver did not prove on 2026-11-23 that it validates DNSSEC (no AD bit): "
            "DNSSEC and DANE of 2 endpoints could not be measured.",
        ),
        (
            Condition("blocklists", False, "", 3),
            "No blocklist answered properly from here on 2026-11-23: listings of 3 endpoints could not be measured.",
        ),
        (
            Condition("tls", False, "OpenSSL completes no handshake of TLSv1.0", 3),
            "Our TLS library has limits (OpenSSL completes no handshake of TLSv1.0): "
            "such handshakes could not be measured on 2026-11-23.",
        ),
        (Condition("tomorrow", False, "odd", 3), "tomorrow was not met on 2026-11-23: odd."),
    ],
)
def test_sentences(condition: Condition, said: str) -> None:
    assert sentence(condition, run("23")) == said


def test_nothing_is_said_of_what_is_met_or_unknown() -> None:
    for ok in (True, None):
        assert [sentence(Condition(name, ok, "", 3), run("23")) for name in NAMES] == [""] * 6
    assert sentences(run("23", Condition("ipv6", True, "", 1), Condition("port_25", False, "", 0))) == [
        "From here port 25 could not be reached on 2026-11-23."
    ]


def test_the_newest_run_that_could_tell_counts() -> None:
    blocked, open_ = Condition("port_25", False, "", 34), Condition("port_25", True, "", 34)
    unknown, no_ipv6 = Condition("port_25", None, "", 34), Condition("ipv6", False, "", 9)
    assert [text[:50] for text in newest([run("23", unknown), run("22", blocked), run("21", no_ipv6, open_)])] == [
        "From here port 25 could not be reached on 2026-11-",
        "From here there was no IPv6 on 2026-11-21: what se",
    ]
    assert newest([run("23", open_), run("22", blocked)]) == []
    assert newest([]) == []


def test_as_json_and_back() -> None:
    conditions = tuple(Condition(name, ok, "said", 3) for name, ok in zip(NAMES, (True, False, None) * 2, strict=False))
    assert conditions_from_json(conditions_to_json(conditions)) == conditions


def test_every_precondition_has_a_title() -> None:
    assert all(title(name) != name for name in NAMES)
