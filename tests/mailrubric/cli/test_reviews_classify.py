"""``reviews classify``: JSON lines in, the same lines with sentiment and aspects out; bad lines named and counted."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mailrubric.cli import reviews_classify
from mailrubric.reviews.aspects import aspects
from mailrubric.reviews.sentiment import classify


def write(tmp_path: Path, *lines: bytes) -> Path:
    file = tmp_path / "texts.jsonl"
    file.write_bytes(b"\n".join(lines))
    return file


def test_every_line_comes_back_with_three_more_keys(call, tmp_path):
    texts = ["Great editor, but support never answers.", "How do I add a DKIM record?"]
    rows = [{"id": number, "text": text, "nested": {"stars": [1, 2.5, None]}} for number, text in enumerate(texts)]
    result = call("reviews", "classify", write(tmp_path, *(json.dumps(row).encode() for row in rows)))
    assert (result.code, result.err) == (0, "")
    back = [json.loads(line) for line in result.out.splitlines()]
    for row, got, sentiment, spoken in zip(rows, back, classify(texts), aspects(texts), strict=True):
        assert got == {
            **row,
            "label": sentiment.label,
            "probabilities": dict(zip(("positive", "neutral", "negative"), sentiment.probabilities, strict=True)),
            "aspects": spoken,
        }
    assert back[0]["aspects"]["support"] == "negative"


def test_a_text_without_words_has_no_sentiment(call, tmp_path):
    lines = (b'{"text": ""}', b'{"text": " \\n\\u00a0", "label": "positive"}', b'{"text": "Great, and easy to use."}')
    result = call("reviews", "classify", write(tmp_path, *lines))
    empty, spaces, said = (json.loads(line) for line in result.out.splitlines())
    assert result.code == 0
    assert empty == {"text": "", "label": None, "probabilities": None, "aspects": {}}
    assert spaces == {"text": " \n\u00a0", "label": None, "probabilities": None, "aspects": {}}
    assert said["label"] == "positive"
    alone = call("reviews", "classify", write(tmp_path, lines[0]))
    assert (alone.code, json.loads(alone.out)) == (0, empty)


def test_more_lines_than_fit_one_batch_keep_their_order(call, tmp_path):
    lines = [json.dumps({"n": n, "text": f"text {n}"}).encode() for n in range(700)]
    result = call("reviews", "classify", write(tmp_path, *lines), "--json")
    assert [json.loads(line)["n"] for line in result.out.splitlines()] == list(range(700))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"nonsense", "not JSON: Expecting value at column 1"),
        (b'{"text": "cut', "not JSON"),
        (b'["text"]', "not an object"),
        (b'{"label": "x"}', '"text" is missing'),
        (b'{"text": 5}', '"text" is no string'),
        (b'{"text": null}', '"text" is no string'),
        (b'{"text": "x", "n": NaN}', "NaN is no number"),
        (b'{"text": "\xff"}', "not UTF-8 at byte 11"),
        (b'{"text": "x", "n": ' + b"9" * 6000 + b"}", "too long"),
        (b'{"text": "x", "n": ' + b"[" * 100_000, "too deep"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_classified(call, tmp_path, line, said):
    result = call("reviews", "classify", write(tmp_path, b'{"text": "one"}', line, b"", b'{"text": "two"}'))
    assert result.code == 1
    assert [json.loads(each)["text"] for each in result.out.splitlines()] == ["one", "two"]
    assert result.err.startswith("line 2: ")
    assert said in result.err
    assert "2 of 3 lines were classified; 1 could not be read" in result.err


def test_a_line_without_end_is_refused_without_being_held(call, tmp_path, monkeypatch):
    monkeypatch.setattr(reviews_classify, "LONGEST_LINE", 1000)
    long = b'{"text": "' + b"x" * 5000 + b'"}'
    result = call("reviews", "classify", write(tmp_path, long, b'{"text": "short"}', long))
    assert result.code == 1
    assert json.loads(result.out)["text"] == "short"
    assert [line.split(":")[0] for line in result.err.splitlines()] == ["line 1", "line 3", "Error"]


def test_nothing_but_bad_lines_is_3_and_a_missing_file_2(call, tmp_path):
    assert call("reviews", "classify", write(tmp_path, b"a", b"b")).code == 3
    missing = call("reviews", "classify", tmp_path / "none.jsonl")
    assert missing.code == 2
    assert "none.jsonl" in missing.err
    assert call("reviews", "classify", tmp_path).code == 2


def test_an_empty_file_has_no_lines_and_no_error(call, tmp_path):
    result = call("reviews", "classify", write(tmp_path))
    assert (result.code, result.out, result.err) == (0, "", "")


def test_a_mark_of_byte_order_is_no_part_of_the_text(call, tmp_path):
    result = call("reviews", "classify", write(tmp_path, b'\xef\xbb\xbf{"text": "x"}'))
    assert result.code == 0


def test_terminal_control_characters_leave_as_escapes(call, tmp_path):
    result = call("reviews", "classify", write(tmp_path, json.dumps({"text": "\x1b[2J\u202e\ud800"}).encode()))
    assert result.out.isascii()
    assert "\x1b" not in result.out
    assert json.loads(result.out)["text"] == "\x1b[2J\u202e\ud800"


def test_standard_input_is_read_and_no_workspace_is_made(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mailrubric", "reviews", "classify", "-"],
        input=b'{"text": "works great"}\n',
        capture_output=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(reviews_classify.__file__).parents[2])},
        check=True,
    )
    assert json.load(io.BytesIO(done.stdout))["label"] == "positive"
    assert list(tmp_path.iterdir()) == []
