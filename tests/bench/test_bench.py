"""The parts of the benchmarks that decide something: whether findings are the same, what becomes of the document."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from bench import __main__ as command
from bench import bare_hellos, measuring, peers, probing
from bench.measuring import Failed, Figure, median, run
from bench.tables import Table, differences

TESTSSL = """
 SSLv3      not offered (OK)
 TLS 1      not offered
 TLS 1.1    not offered
 TLS 1.2    offered (OK)
 TLS 1.3    offered (OK): final

 NULL ciphers (no encryption)                  not offered (OK)
 Anonymous NULL Ciphers (no authentication)    offered (NOT ok)
 Export ciphers (w/o ADH+NULL)                 not offered (OK)
 LOW: 64 Bit + DES, RC[2,4] (w/o export)       offered (NOT ok)
 Triple DES Ciphers / IDEA                     not offered
"""


def report(**values: object) -> bytes:
    """A report with these values; None stands for one that was not measured."""
    return json.dumps(
        {
            "measurements": [
                {"metric": key.replace("__", "."), "value": value, "cause": "tls_alert" if value is None else None}
                for key, value in values.items()
            ]
        }
    ).encode()


def test_the_same_findings_differ_in_nothing():
    assert differences({"versions": ["a", "b"], "trusted": True}, {"versions": ["a", "b"], "trusted": True}, "it") == ""


def test_what_differs_is_named():
    ours = {"suites": ["a", "b"], "trusted": True}
    assert differences(ours, {"suites": ["b", "c"], "trusted": False}, "it") == (
        "suites: only we: a; only it: c; trusted: we say True, it says False"
    )


def test_a_finding_that_we_lack_differs():
    found = peers.our_versions_and_families(report(tls__versions=["TLSv1.2"], tls__weak_families=None))
    assert differences(found, {"versions": ["TLSv1.2"], "weak suites": []}, "it") == (
        "weak suites: we say None, it says []"
    )


def test_testssl_and_we_name_the_same_categories():
    theirs = peers.read_testssl(TESTSSL)
    assert theirs == {
        "versions": ["TLSv1.2", "TLSv1.3"],
        "weak suites": ["Anonymous NULL Ciphers", "LOW: 64 Bit + DES, RC[2,4]"],
    }
    ours = report(tls__versions=["TLSv1.3", "TLSv1.2"], tls__weak_families=["anonymous", "rc4"])
    assert peers.our_versions_and_families(ours) == theirs
    ours = report(tls__versions=["TLSv1.3", "TLSv1.2"], tls__weak_families=["3des"])
    assert peers.our_versions_and_families(ours)["weak suites"] == ["Triple DES Ciphers / IDEA"]


def test_a_dialogue_is_counted_from_its_handshake_to_its_last_reply():
    steps = [
        {"connection": 0, "ms": 1.0, "text": "from the hosts file"},
        {"connection": 1, "ms": 101.0, "text": "connected to 192.0.2.1:587 in 100.0 ms"},
        {"connection": 2, "ms": 402.0, "text": "connected to 192.0.2.1:587 in 101.0 ms"},
        {"connection": 2, "ms": 503.0, "text": "220 hello"},
        {"connection": 1, "ms": 701.0, "text": "221 bye"},
    ]
    assert probing._longest([{"transcript": steps}], 100) == (7, 1, 2)


@pytest.mark.parametrize(
    ("lengths", "alone", "least"),
    [
        ([8], 3, 8),
        ([8, 5], 3, 8),
        ([8, 5, 5, 5], 3, 8),
        ([8, 5, 5, 5, 5], 3, 13),
        ([8, 8, 5, 5, 5, 5, 5, 5], 3, 16),
        ([7, 5, 5, 5, 7, 5, 5, 5], 3, 14),
        ([3, 9, 1, 1, 1, 1, 1, 1], 0, 9),
    ],
)
def test_the_least_time_for_so_many_dialogues(lengths, alone, least):
    assert probing.least(lengths, alone) == least
    slots = [lengths[0], *[alone] * (probing.AT_ONCE - 1)]
    for length in sorted(lengths[1:], reverse=True):  # an order that can be kept: whatever is least is no more
        slots[slots.index(min(slots))] += length
    assert least <= max(slots) if len(lengths) > 3 else least >= max(lengths)


def test_what_bounds_a_report_is_said_in_words():
    steps = [
        {"connection": 1, "ms": 100.0, "text": "connected to 192.0.2.1:587 in 100.0 ms"},
        {"connection": 1, "ms": 300.0, "text": "STARTTLS"},
        {"connection": 1, "ms": 800.0, "text": "221 bye"},
        {"connection": 2, "ms": 400.0, "text": "connected to 192.0.2.1:587 in 100.0 ms"},
        {"connection": 2, "ms": 800.0, "text": "alert protocol_version"},
    ]
    said = probing._bound([{"transcript": steps}], 100, 8.4)
    assert "2 connections of 8, 5 round trips" in said
    assert "has listed what it offers (3)" in said
    assert "that takes 8 round trips at least, 1.00 × the longest; we take 8.4, names and all" in said
    assert "it would still be 13" in said


def test_the_bare_dialogue_gets_as_far_as_an_answer_to_its_hello():
    heard: list[bytes] = []

    async def serve(reader, writer):
        writer.write(b"220-mx\r\n220 hello\r\n")
        heard.append(await reader.readline())
        for piece in (b"250-mx\r\n250", b"-SIZE 1\r\n250 STARTTLS\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.01)
        heard.append(await reader.readline())
        writer.write(b"220 go\r\n")
        heard.append((await reader.read(3))[:1])
        if len(heard) < 12:  # the fourth is left without an answer
            writer.write(b"\x15\x03\x03\x00\x02\x02\x28")
        writer.close()

    async def three_of_four():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await bare_hellos.hold("127.0.0.1", server.sockets[0].getsockname()[1], 4)

    assert asyncio.run(three_of_four()) == 3
    assert sorted(set(heard)) == [b"\x16", b"EHLO bench.example\r\n", b"STARTTLS\r\n"]


@pytest.mark.parametrize(("wall", "runs"), [(0.1, 7), (6.0, 3), (21.0, 1)])
def test_what_takes_long_is_run_less_often(wall, runs):
    figure = median(lambda: Figure(wall, 1.0, 10.0), 7)
    assert (figure.wall, figure.runs) == (wall, runs)


def test_a_median_takes_the_middle_and_the_highest_peak():
    figures = iter([Figure(3, 1, 10), Figure(1, 5, 30), Figure(2, 2, 20)])
    assert median(lambda: next(figures), 3) == Figure(2, 2, 30, 3)


def test_what_a_program_took(tmp_path):
    used = "import time\nblock = bytearray(60_000_000)\nwhile time.process_time() < 0.2: pass\nprint('said')"
    figure, output = run([sys.executable, "-c", used])
    assert output == b"said\n"
    assert 0.2 <= figure.cpu <= figure.wall + 0.1
    assert 57 < figure.peak < 200


def test_the_memory_of_the_bench_itself_is_not_counted():
    ballast = bytearray(200_000_000)
    figure, _ = run([sys.executable, "-I", "-S", "-c", "pass"])
    assert len(ballast) / 2**20 > 190
    assert figure.peak < 60


def test_a_program_that_fails_or_does_not_end():
    with pytest.raises(Failed, match=r"ended with 3: no such thing"):
        run([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])
    with pytest.raises(Failed, match="given up after 0 s"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3)


def test_a_section_takes_the_place_of_its_older_self():
    older = command.merged(
        "# Benchmarks\n\nold head\n\n## No longer there\n\nold\n", "raw", "## " + command.TITLES["raw"]
    )
    assert older.startswith(command.HEAD)
    assert "No longer there" not in older
    both = command.merged(older, "endpoint", f"## {command.TITLES['endpoint']}\n\nfirst\n")
    again = command.merged(both, "endpoint", f"## {command.TITLES['endpoint']}\n\nsecond\n")
    assert "first" not in again
    assert again.index("second") < again.index(command.TITLES["raw"])
    assert command.merged(again, "endpoint", f"## {command.TITLES['endpoint']}\n\nsecond\n") == again


def test_which_sections_a_word_means():
    assert command.sections([]) == list(command.TITLES)
    assert command.sections(["probing"]) == list(command.PROBING)
    assert "scoring" not in command.PROBING
    assert command.sections(["raw", "endpoint"]) == ["endpoint", "raw"]


def test_a_part_of_a_section_is_not_written():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "endpoint", "--only", "swaks", "--write"],
        capture_output=True, text=True, cwd=command.FILE.parent.parent, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "not to be written" in done.stderr


def test_a_table_escapes_what_would_end_a_cell():
    table = Table(("a",), rows=[("x | y\nz",)], notes=["once", "once"])
    assert table.markdown() == "| a |\n| --- |\n| x \\| y z |\n\n- once"


def test_programs_find_their_modules_compiled(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in measuring.environment()
