"""Which software a server says it is: read from what it says, never guessed."""

from __future__ import annotations

import pytest

from probes import software
from probes.model import Cause, Unmeasured
from probes.software import named

WHY = Unmeasured(Cause.CONNECTION_RESET, "cut")

GREETINGS = [
    ("ESMTP Postfix", "Postfix"),
    ("ESMTP Postfix (Debian/GNU)", "Postfix"),
    ("ESMTP Postfix (3.7.11)", "Postfix 3.7.11"),
    ("ESMTP Postfix 3.9-20240101", "Postfix 3.9-20240101"),
    ("ESMTP Exim 4.96 Sun, 22 Nov 2026 02:00:00 +0000", "Exim 4.96"),
    ("ESMTP Exim 4.96-15+deb12u6 Ubuntu", "Exim 4.96-15+deb12u6"),
    ("ESMTP Sendmail 8.17.1.9/8.17.1.9/Debian-2; Sun, 22 Nov 2026 02:00:00 GMT", "Sendmail 8.17.1.9"),
    ("ESMTP Haraka/3.0.2 ready (E6F950)", "Haraka 3.0.2"),
    ("Microsoft ESMTP MAIL Service ready at Sun, 22 Nov 2026 02:00:00 +0000", "Microsoft ESMTP MAIL Service"),
    ("Microsoft ESMTP MAIL Service, Version: 10.0.17763.1697 ready", "Microsoft ESMTP MAIL Service 10.0.17763.1697"),
    ("ESMTP OpenSMTPD", "OpenSMTPD"),
    ("ESMTP a1b2c3-20020a05600c4f0c00b0041a.12 - gsmtp", "gsmtp"),
    ("ESMTP SimpleEmailService-d-2W6B2B0A1 Xyz", "SimpleEmailService"),
    ("ESMTP chasquid", "chasquid"),
    ("* OK [CAPABILITY IMAP4rev1 SASL-IR] Dovecot (Debian) ready.", "Dovecot"),
    ("+OK Dovecot ready.", "Dovecot"),
    ("* OK [X] mx.example Cyrus IMAP 3.6.0-Debian-3.6.0-1 server ready", "Cyrus IMAP 3.6.0-Debian-3.6.0-1"),
    ("* OK The Microsoft Exchange IMAP4 service is ready. [RABC]", "Microsoft Exchange"),
    ("* OK Gimap ready for requests from 192.0.2.1 x12", "Gimap"),
    ("ESMTP FooMail 3.2.1 ready", "FooMail 3.2.1"),
    ("ESMTP FooMail/2.0", "FooMail 2.0"),
    ("ESMTP postfix", "Postfix"),
]  # fmt: skip

NAMELESS = [
    "",
    "ESMTP",
    "ESMTP ready",
    "ESMTP ready 192.0.2.10",
    "ESMTP ready 3.5",
    "ESMTP Sun, 22 Nov 2026 02:00:00 +0000",
    "ESMTP SMTP Server 10.1.2.3",
    # Parts of host names, addresses, words and paths are no software.
    "Hello postfix.example.com [192.0.2.1]",
    "Hello mail.postfix.example.com",
    "Hello postfix-1.example.com",
    "ESMTP contact admin@dovecot.example",
    "ESMTP see https://exim.example/exim",
    "ESMTP eximious service",
    "ESMTP postfixed",
    "ESMTP id 4B2zX",
]


@pytest.mark.parametrize(("text", "expected"), GREETINGS)
def test_what_a_greeting_names(text: str, expected: str) -> None:
    found = named(text)
    assert found is not None
    assert str(found) == expected
    assert bool(found.version) is (expected[-1].isdigit() or "Debian" in expected or "deb12u6" in expected)


@pytest.mark.parametrize("text", NAMELESS)
def test_what_names_nothing(text: str) -> None:
    assert named(text) is None


def values(texts: list[bytes | str] | None, implementation: str = "") -> list[object]:
    found = software.measurements("imap", texts, WHY, implementation)
    assert [each.metric for each in found] == ["imap.software", "imap.software_version_shown"]
    return [each.value if each.cause is None else each.cause.value for each in found]


def test_the_two_metrics() -> None:
    assert values([b"ESMTP Postfix", b"Exim 4.96"]) == ["Exim 4.96", True]  # the one that shows more
    assert values([b"ESMTP Postfix", b"hello"]) == ["Postfix", False]
    assert values([b"hello"]) == ["not_applicable", False]
    assert values(None) == ["connection_reset", "connection_reset"]


def test_an_implementation_is_taken_at_its_word() -> None:
    assert values([], "Something of Our Own") == ["Something of Our Own", False]
    assert values([b"+OK Dovecot ready"], "Cyrus POP3 v2.4.17") == ["Cyrus POP3 v2.4.17", True]
    assert values([], "evil \x1b[31m 1.2") == ["evil \\x1b[31m 1.2", True]
    assert values(None, "Something") == ["connection_reset", "connection_reset"]
    assert values([b"+OK Dovecot ready"], "  ") == ["Dovecot", False]


@pytest.mark.parametrize("character", ["a", "1.", " ", "Postfix", "-", "ESMTP "])
def test_long_hostile_texts_cost_no_time(character: str) -> None:
    import time

    began = time.perf_counter()
    for prefix in ("", "ESMTP ", "Postfix"):
        named(prefix + character * (16384 // len(character)))
    assert time.perf_counter() - began < 1
