import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.catalogue import yamlfile
from mailrubric.catalogue.yamlfile import EmptyFile, YAMLFault, read, read_file


def test_values_are_those_of_safe_load_and_keys_are_text():
    text = """
    yes: [yes, No, on, OFF, true, "true"]
    no: [1, -2, 0x1F, 0b101, 017, 1_000, 1.5, -.5, 6.0e+3, 1e5, 1:30, +7, 0]
    2026: [~, null, Null, "", '']
    1.5: {a: [], b: {}}
    text: |
      two
      lines
    folded: >-
      one
      line
    """
    data = read(textwrap.dedent(text).encode()).data
    assert list(data) == ["yes", "no", "2026", "1.5", "text", "folded"]
    expected = list(yaml.safe_load(textwrap.dedent(text)).values())
    assert list(data.values()) == expected
    assert [type(value) for value in data["no"]] == [type(value) for value in expected[1]]


def test_dates_and_years_stay_the_text_that_was_written():
    assert read(b"as_of: 2026-08-13\nat: 2001-12-14t21:59:43.10-05:00").data == {
        "as_of": "2026-08-13",
        "at": "2001-12-14t21:59:43.10-05:00",
    }
    assert read(b"{as_of: 2026, year: 2026}").data == {"as_of": "2026", "year": 2026}
    assert read(b"as_of:").data == {"as_of": None}


PLAIN = st.text(alphabet="0123456789+-._:eExXabfnNoOyYsStTrRuUlL~", min_size=1, max_size=12)


@settings(max_examples=1500, deadline=None)
@given(PLAIN)
def test_any_plain_scalar_means_what_safe_load_says(text):
    source = f"- {text}"
    try:
        expected = yaml.safe_load(source)
    except (yaml.YAMLError, ValueError, OverflowError):
        expected = None  # e.g. "0b_", which YAML 1.1 calls an integer and Python does not
    try:
        found = read(source.encode()).data
    except YAMLFault:
        if expected is not None:
            value = expected[0]
            assert isinstance(value, (float, int))
            assert value != value or abs(value) > 2**63 - 1  # no number that could be used
        return
    if expected is None or not isinstance(expected, list) or not isinstance(found, list):
        assert expected is None or expected == found
        return
    value, ours = expected[0], found[0]
    if isinstance(value, (bool, int, float, type(None))):
        assert ours == value
        assert type(ours) is type(value)
    elif isinstance(value, str):
        assert ours == value


def test_positions_of_keys_and_values_count_from_one():
    document = read("# Größe\na: 1\nb:\n  - {c: ä, d: [x,\n      y]}\n  - z\n".encode())
    assert document.position(()) == (2, 1)
    assert document.position(("a",)) == (2, 4)
    assert document.position(("a",), of_key=True) == (2, 1)
    assert document.position(("b", 0, "d")) == (4, 15)
    assert document.position(("b", 0, "d"), of_key=True) == (4, 12)
    assert document.position(("b", 0, "d", 1)) == (5, 7)
    assert document.position(("b", 1)) == (6, 5)


def test_a_place_that_is_not_there_has_the_position_of_what_encloses_it():
    document = read(b"a:\n  b: [1]\n")
    assert document.position(("a", "missing")) == (2, 3)
    assert document.position(("a", "b", 7)) == (2, 6)
    assert document.position(("a", "b", 0, "deeper")) == (2, 7)
    assert document.position(("nowhere", "else"), of_key=True) == (1, 1)


def test_duplicate_keys_are_listed_with_both_positions_and_the_first_value_stays():
    document = read(b"a: 1\nb:\n  - x: 1\n    x: 2\na: 3\n'a': 4\n")
    assert document.data == {"a": 1, "b": [{"x": 1}]}
    assert [(entry.location, entry.first, entry.second) for entry in document.duplicates] == [
        (("b", 0, "x"), (3, 5), (4, 5)),
        (("a",), (1, 1), (5, 1)),
        (("a",), (1, 1), (6, 1)),
    ]


def test_aliases_are_followed_and_keep_the_positions_of_what_they_name():
    document = read(b"a: &one {x: [1, 2]}\nb: *one\nc: &s text\nd: *s\n")
    assert document.data == {"a": {"x": [1, 2]}, "b": {"x": [1, 2]}, "c": "text", "d": "text"}
    assert document.position(("b", "x", 1)) == (1, 17)


def fault(content: bytes) -> YAMLFault:
    with pytest.raises(YAMLFault) as raised:
        read(content)
    return raised.value


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        (b"", 0, 0, "is empty"),
        (b"# only this\n\n", 0, 0, "is empty"),
        ("a: b".encode("utf-16"), 1, 1, "UTF-16"),
        ("a: b".encode("utf-16-le"), 1, 2, "NUL byte"),
        (b"\xef\xbb\xbfa: b", 1, 1, "byte-order mark"),
        ("a: 1\nb: ü".encode("latin-1"), 2, 4, "byte 0xFC is not UTF-8"),
        (b"a: 1\nb: \0", 2, 4, "NUL byte"),
        (b"a: 1\nb: \x1b[31m", 0, 0, "control character"),
        (b'a: "\\x1b[31m"', 1, 4, "control characters"),
        (b'a: "\\0"', 1, 4, "control characters"),
        (b"a: 1\n---\nb: 2", 2, 1, "second document"),
        (b"%YAML 1.1\n---\na: 1", 1, 1, "directives"),
        (b"a: 1\n...\n%TAG !x! y\n---\n", 3, 1, "directives"),
        (b"<<: {a: 1}", 1, 1, "merge keys"),
        (b"a: !!python/object/apply:os.system [ls]", 1, 4, "tag"),
        (b"a: !!binary aGk=", 1, 4, "tag"),
        (b"a: !!set {x}", 1, 4, "tag"),
        (b"a: !!timestamp 2026-01-01", 1, 4, "tag"),
        (b"a: !own 5", 1, 4, "tag"),
        (b"!!python/name:os 1: 2", 1, 1, "tag"),
        (b"a: !!int five", 1, 4, "does not fit its tag"),
        (b"[1]: 2", 1, 1, "a key must be a text"),
        (b"? {a: 1}\n: 2", 1, 3, "a key must be a text"),
        (b"a: &x 1\n*x : 2", 2, 1, "a key cannot be an alias"),
        (b"a: *nothing", 1, 4, "names nothing"),
        (b"a: &x [*x]", 1, 8, "inside what it names"),
        (b"a: .inf", 1, 4, "not a number that can be used"),
        (b"a: .NaN", 1, 4, "not a number that can be used"),
        (b"a: 9223372036854775808", 1, 4, "not a number that can be used"),
        (b"a: 0x_", 1, 4, "is not a number"),
        (b"a: b: c", 1, 5, "put the text in quotes"),
        (b"a:\n\t- b", 2, 1, "tabs"),
        (b"a: [1, 2", 1, 4, "["),
        (b"a: {b: 1\nc: 2", 1, 4, "{"),
        (b"a: 'x\n", 1, 4, "quote"),
        (b"a: 1\n  b: 2", 2, 4, "indentation"),
        (b"a:\n - b\n c: 1", 3, 2, "indentation"),
        (b'a: "C:\\Users"', 1, 9, "backslash"),
        (b"a: @x", 1, 4, "put the value in quotes"),
        (b"a: *", 1, 5, "quotes"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(content, line, column, words):
    found = fault(content)
    assert words in found.message
    assert (found.line, found.column) == (line, column)


@pytest.mark.parametrize("text", ["!!str 5", "! 5", "!!int '5'", "!!float 5", "!!bool 'yes'", "!!null ''", "!!seq [1]"])
def test_plain_tags_mean_what_they_say(text):
    # "! 5" is a text by the specification; PyYAML resolves it further.
    expected = "5" if text == "! 5" else yaml.safe_load(text)
    found = read(f"a: {text}".encode()).data["a"]
    assert found == expected
    assert type(found) is type(expected)


def test_an_empty_file_is_a_fault_of_its_own_kind():
    assert isinstance(fault(b"# nothing\n"), EmptyFile)
    assert read(b"---\n").data is None


def test_nesting_is_allowed_to_the_limit_and_not_beyond():
    deep = b"[" * yamlfile.MAX_DEPTH + b"]" * yamlfile.MAX_DEPTH
    assert read(deep).data is not None
    assert "levels deep" in fault(b"[" + deep + b"]").message


def test_nesting_through_aliases_counts():
    inner = b"[" * 12 + b"]" * 12
    assert "levels deep" in fault(b"a: &x " + inner + b"\nb: " + b"[" * 8 + b"*x" + b"]" * 8).message
    assert read(b"a: &x " + inner + b"\nb: " + b"[" * 7 + b"*x" + b"]" * 7).data


def test_aliases_are_allowed_to_the_limit_and_not_beyond():
    assert len(read(b"- &x 1\n" + b"- *x\n" * yamlfile.MAX_ALIASES).data) == yamlfile.MAX_ALIASES + 1
    found = fault(b"- &x 1\n" + b"- *x\n" * (yamlfile.MAX_ALIASES + 1))
    assert "aliases" in found.message
    assert found.line == yamlfile.MAX_ALIASES + 2


def test_nodes_are_allowed_to_the_limit_and_not_beyond():
    # The mapping, its one key, the list and its items.
    items = yamlfile.MAX_NODES - 3
    assert len(read(b"a: [" + b"x," * items + b"]").data["a"]) == items
    assert "20,000" in fault(b"a: [" + b"x," * (items + 1) + b"]").message
    assert "20,000" in fault(b"a: &a [" + b"x," * 9000 + b"]\nb: [*a, *a]").message


def test_size_is_checked_before_reading(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: " + b"x" * (yamlfile.MAX_BYTES - 3))
    assert len(read_file(path).data["a"]) == yamlfile.MAX_BYTES - 3
    with path.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(YAMLFault, match="larger than 1 MiB"):
        read_file(path)
    with path.open("r+b") as stream:
        stream.truncate(2**40)  # sparse: takes no room on the disk, and would not fit into memory
    with pytest.raises(YAMLFault, match="larger than 1 MiB"):
        read_file(path)


def test_only_regular_files_are_read(tmp_path):
    with pytest.raises(YAMLFault, match="cannot be read"):
        read_file(tmp_path / "absent.yaml")
    with pytest.raises(YAMLFault, match="is not a file"):
        read_file(tmp_path)
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    with pytest.raises(YAMLFault, match="is not a file"):
        read_file(pipe)
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    with pytest.raises(YAMLFault, match="cannot be read"):
        read_file(loop)
    with pytest.raises(YAMLFault, match="cannot be read"):
        read_file(Path("nul\0byte.yaml"))


BOMBS = {
    "laughs": "b'a0: &a0 [x,x,x,x,x,x,x,x,x]\\n' + b''.join(b'a%d: &a%d [%s]\\n' % (n, n, b','.join([b'*a%d' % (n - 1)]"
    " * 9)) for n in range(1, 12))",
    "quadratic anchors": "b'a: &a [' + b'x,' * 19000 + b']\\n' + b'b: [' + b'*a,' * 50 + b']'",
    "many anchors": "b''.join(b'- &a%d x\\n' % n for n in range(80000))",
    "100,000 brackets": "b'[' * 100000",
    "1 MiB of [": "b'[' * (1 << 20)",
    "1 MiB of {": "b'{' * (1 << 20)",
    "1 MiB of {a:": "b'{a: ' * ((1 << 20) // 4)",
    "1 MiB of - ": "b'- ' * (1 << 19)",
    "1 MiB of ? ": "b'? ' * (1 << 19)",
    "1 MiB of list": "b'[' + b'x,' * ((1 << 19) - 4) + b']'",
    "1 MiB of keys": "b''.join(b'k%d: 1\\n' % n for n in range(90000))",
    "1 MiB of duplicate keys": "b'a: 1\\n' * 170000",
    "1 MiB of empty items": "b'- \\n' * 340000",
    "1 MiB of quotes": "b'\"' * ((1 << 20) - 1)",
    "1 MiB of documents": "b'---\\n' * (1 << 18)",
    "1 MiB of directives": "b''.join(b'%%TAG !a%d! x\\n' % n for n in range(60000))",
    "1 MiB of late directives": "b'a: b\\n...\\n' + b''.join(b'%%TAG !a%d! x\\n' % n for n in range(60000))",
    "1 MiB of ever deeper keys": "b''.join(b' ' * n + b'a:\\n' for n in range(1400))",
    "1 MiB of !": "b'!' * (1 << 20)",
    "1 MiB of &": "b'&' * (1 << 20)",
    "1 MiB of tabs": "b'\\t' * (1 << 20)",
    "2 MiB": "b'a: ' + b'x' * ((1 << 21) - 3)",
}

MEASURE = """
import json, resource, sys, time, tracemalloc
from mailrubric.catalogue.yamlfile import YAMLFault, read
read(b"warm: up")
bombs = {name: eval(source) for name, source in json.load(sys.stdin).items()}
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
results = {}
for name, content in bombs.items():
    if len(content) != 1 << 21:
        content = content[: 1 << 20]
    best = 9.0
    for _ in range(3):
        began = time.process_time()
        try:
            read(content)
            said = ""
        except YAMLFault as error:
            said = error.message
        best = min(best, time.process_time() - began)
    tracemalloc.start()
    try:
        read(content)
    except YAMLFault:
        pass
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    results[name] = [said, best, traced]
print(json.dumps({"results": results, "growth": peak() - before}))
"""


def test_bombs_are_refused_within_100_ms_and_50_mb():
    """In a process of its own, so that the peak of its resident memory counts what the C parser takes as well."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], input=json.dumps(BOMBS), capture_output=True, text=True, timeout=90, check=True
    )
    measured = json.loads(done.stdout)
    assert len(measured["results"]) == len(BOMBS)
    for name, (said, seconds, traced) in measured["results"].items():
        assert said, name
        assert seconds < 0.1, (name, seconds)
        assert traced < 50e6, (name, traced)
    assert measured["growth"] < 50e6  # of the whole process, over all of them


@pytest.mark.parametrize(
    "content",
    [
        b"a: " + b"x" * (2**20 - 3),
        b'a: "' + b"\\n" * (2**19 - 8) + b'"',
        b"a: |\n" + b" x\n" * 349000,
        b"a: x" + b"\n  x" * 260000,
        b"a: " + b"9" * (2**20 - 3),
        b"a: 0x" + b"f" * (2**20 - 5),
        b"a: 1" + b":1" * 500000,
        b"#\n" * 500000 + b"a: b",
    ],
    ids=["word", "escapes", "block", "folded", "digits", "hexadecimal", "sexagesimal", "comments"],
)
def test_a_huge_scalar_is_read_fast_and_stays_text(content):
    import time

    best = 9.0
    for _ in range(3):
        began = time.process_time()
        data = read(content).data
        best = min(best, time.process_time() - began)
    assert isinstance(data["a"], str)
    assert best < 0.1


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.text("[]{}:,-&*!|>'\"#%@ \nab1?", max_size=80)
)
def test_any_bytes_are_read_or_refused(content):
    if isinstance(content, str):
        content = content.encode()
    said = "valid"
    try:
        document = read(content)
    except YAMLFault as error:
        said = error.message
    assert said
    assert said.isprintable()
    if said != "valid":
        return
    document.position(("a", 0, "b"))
    json.dumps(document.data, allow_nan=False)


def test_the_slower_parser_gives_the_same(monkeypatch):
    samples = [b"a: &x [1, {b: c}]\nd: *x", b"yes: no\nas_of: 2026", b"a: 1\na: 2", b"a: |\n  x\n"]
    fast = [read(sample) for sample in samples]
    monkeypatch.setattr(yamlfile, "_LOADER", yaml.SafeLoader)
    for sample, document in zip(samples, fast, strict=True):
        slow = read(sample)
        assert slow.data == document.data
        assert slow.duplicates == document.duplicates
        assert slow.position(("a", 1)) == document.position(("a", 1))
    for bad in (b"[" * 1000, b"a: *b", b"a: [", b"%TAG ! x", b"a: !!python/none x"):
        with pytest.raises(YAMLFault):
            read(bad)
