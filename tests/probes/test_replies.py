"""The reply reader: what is a line, a reply, a list of extensions, and what may be shown of it."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model import Cause, Unmeasured
from probes.replies import (
    Budget,
    Reply,
    ReplyCollector,
    keywords,
    parse_ehlo,
    printable,
    sasl_mechanisms,
    take_line,
)


def collect(*lines: bytes) -> Reply | None:
    collector = ReplyCollector(64, 16384)
    reply = None
    for number, line in enumerate(lines):
        assert reply is None, f"line {number} comes after the last one"
        reply = collector.add(line)
    return reply


def test_printable_escapes_what_could_act_on_a_terminal_or_break_a_line() -> None:
    assert printable(b"220 \x1b[31mred\x07\r\n\xff\x00") == "220 \\x1b[31mred\\x07\\x0d\\x0a\\xff\\x00"
    assert printable("Grüße\u202e") == "Gr\\xc3\\xbc\\xc3\\x9fe\\xe2\\x80\\xae"
    assert printable(b"abcdef", 3) == "abc…"
    assert printable(b"abc", 3) == "abc"


@given(st.binary(max_size=300), st.integers(1, 200))
def test_printable_is_always_short_printable_ascii(data: bytes, at_most: int) -> None:
    text = printable(data, at_most)
    assert len(text) <= at_most + 1
    assert set(text.removesuffix("…")) <= set(string.printable) - set("\t\n\r\x0b\x0c")


def test_printable_takes_lone_surrogates() -> None:
    assert printable("\ud800") == "\\ud800"


def test_a_line_ends_at_crlf_or_at_a_bare_lf_and_waits_for_its_end() -> None:
    buffer = bytearray(b"220 one\r\n220 two\n\r\n220 thr")
    assert take_line(buffer, 100) == b"220 one"
    assert take_line(buffer, 100) == b"220 two"
    assert take_line(buffer, 100) == b""
    assert take_line(buffer, 100) is None
    assert buffer == b"220 thr"
    buffer += b"ee\n"
    assert take_line(buffer, 100) == b"220 three"


@pytest.mark.parametrize("data", [b"x" * 101, b"x" * 101 + b"\r\n", b"x" * 5000 + b"\n"])
def test_a_line_beyond_the_cap_is_refused_whether_it_ends_or_not(data: bytes) -> None:
    with pytest.raises(Unmeasured) as problem:
        take_line(bytearray(data), 100)
    assert problem.value.cause is Cause.REPLY_TOO_LONG


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_line_of_just_the_cap_is_taken(end: bytes) -> None:
    assert take_line(bytearray(b"x" * 100 + end), 100) == b"x" * 100


def test_a_reply_of_one_line_with_space_or_without_any_text() -> None:
    assert collect(b"220 mx.example ESMTP") == Reply(220, (b"mx.example ESMTP",))
    assert collect(b"250") == Reply(250, (b"",))
    assert collect(b"250 ") == Reply(250, (b"",))


def test_a_reply_of_many_lines_ends_with_the_line_without_hyphen() -> None:
    assert collect(b"250-a", b"250-", b"250-STARTTLS", b"250 b") == Reply(250, (b"a", b"", b"STARTTLS", b"b"))


def test_eight_bit_text_is_kept_as_bytes_and_shown_escaped() -> None:
    reply = collect(b"220 h\xf6st \x1b[2J")
    assert reply is not None
    assert reply.lines == (b"h\xf6st \x1b[2J",)
    assert reply.text == "h\\xf6st \\x1b[2J"
    assert str(reply) == "220 h\\xf6st \\x1b[2J"


@pytest.mark.parametrize(
    "line", [b"", b"22", b"220x", b"220_x", b" 220 x", b"abc", b"100 x", b"600 x", b"\xb2\xb2\xb0 x", b"-220 x"]
)
def test_what_is_no_reply_line_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(Unmeasured) as problem:
        collect(line)
    assert problem.value.cause is Cause.PROTOCOL_ERROR


def test_the_lines_of_one_reply_must_carry_the_same_code() -> None:
    with pytest.raises(Unmeasured) as problem:
        collect(b"250-a", b"251 b")
    assert problem.value.cause is Cause.PROTOCOL_ERROR


def test_a_reply_may_have_64_lines_and_not_one_more() -> None:
    collector = ReplyCollector(64, 16384)
    for _ in range(63):
        assert collector.add(b"220-x") is None
    assert collector.add(b"220 x") is not None
    collector = ReplyCollector(64, 16384)
    for _ in range(64):
        collector.add(b"220-x")
    with pytest.raises(Unmeasured) as problem:
        collector.add(b"220 x")
    assert problem.value.cause is Cause.REPLY_TOO_LONG


def test_a_budget_counts_bytes_with_their_line_ends() -> None:
    budget = Budget(10, 20)
    budget.spend(b"x" * 8)
    budget.spend(b"x" * 8)
    with pytest.raises(Unmeasured) as problem:
        budget.spend(b"")
    assert problem.value.cause is Cause.REPLY_TOO_LONG


@pytest.mark.parametrize(
    ("code", "line", "enhanced"),
    [
        (530, b"5.7.0 Must issue a STARTTLS command first", "5.7.0"),
        (250, b"2.1.0", "2.1.0"),
        (421, b"4.7.0\tlater", "4.7.0"),
        (550, b"4.7.0 class and code disagree", ""),
        (550, b"5.7.1000 too many digits", ""),
        (550, b"not 5.7.1 first", ""),
        (550, b"5.7 incomplete", ""),
    ],
)
def test_enhanced_status_codes(code: int, line: bytes, enhanced: str) -> None:
    assert Reply(code, (line,)).enhanced == enhanced


def ehlo(*lines: bytes) -> dict[str, tuple[str, ...]]:
    return parse_ehlo(Reply(250, (b"mx.example at your service", *lines)))


def test_ehlo_keywords_in_any_case_with_parameters() -> None:
    assert ehlo(b"STARTTLS", b"size 35882577", b"Auth plain Login", b"8bitmime") == {
        "STARTTLS": (),
        "SIZE": ("35882577",),
        "AUTH": ("plain", "Login"),
        "8BITMIME": (),
    }


def test_the_greeting_line_of_an_ehlo_reply_is_no_extension() -> None:
    assert parse_ehlo(Reply(250, (b"STARTTLS",))) == {}


def test_the_old_form_of_auth_and_repetitions_are_joined() -> None:
    assert ehlo(b"AUTH PLAIN LOGIN", b"AUTH=PLAIN LOGIN XOAUTH2") == {"AUTH": ("PLAIN", "LOGIN", "XOAUTH2")}
    assert ehlo(b"AUTH=LOGIN") == {"AUTH": ("LOGIN",)}


def test_lines_that_hold_no_keyword_are_left_out() -> None:
    assert ehlo(b"", b"-STARTTLS", b"\x1b[0m", b"SIZE: 5", b"STARTTLS\x00", b"DSN") == {"DSN": ()}


def test_keywords_and_mechanisms_are_sorted_sets() -> None:
    assert keywords({"SIZE": (), "AUTH": ()}) == ("AUTH", "SIZE")
    assert sasl_mechanisms(("plain", "LOGIN", "PLAIN", "SCRAM-SHA-256", "<script>", "X" * 21)) == (
        "LOGIN",
        "PLAIN",
        "SCRAM-SHA-256",
    )


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_whatever_an_ehlo_reply_holds_its_keywords_are_clean(lines: list[bytes]) -> None:
    for keyword in ehlo(*lines):
        assert keyword == keyword.upper()
        assert set(keyword) <= set(string.ascii_uppercase + string.digits + "-")


@given(st.binary(max_size=400))
def test_the_reader_never_raises_anything_else(data: bytes) -> None:
    buffer = bytearray(data)
    collector = ReplyCollector(8, 200)
    raised = None
    try:
        while (line := take_line(buffer, 100)) is not None and collector.add(line) is None:
            pass
    except Unmeasured as problem:
        raised = problem
    if raised is not None:
        assert raised.cause in (Cause.PROTOCOL_ERROR, Cause.REPLY_TOO_LONG)
        assert raised.detail.isprintable()


def test_a_long_line_is_not_cut_where_it_becomes_a_value() -> None:
    mechanisms = [f"X{number:04d}" for number in range(400)]
    long = b"AUTH " + " ".join(mechanisms).encode()
    assert parse_ehlo(Reply(250, (b"a.test", long)))["AUTH"] == tuple(mechanisms)
