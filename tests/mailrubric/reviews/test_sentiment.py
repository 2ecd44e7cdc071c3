"""The classifier as shipped: any text has an answer, always the same one, and it has learned the field's language."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.reviews import language, model, sentiment, vocabulary
from mailrubric.reviews.sentiment import LABELS, Sentiment, classify

PLAIN = [
    ("Our newsletters land in spam every time.", "negative"),
    ("Since we switched, our emails always reach the inbox.", "positive"),
    ("Zero downtime in two years.", "positive"),
    ("The spam filter works great.", "positive"),
    ("Support never answers and the price doubled.", "negative"),
    ("Support answered within minutes and fixed it, excellent service.", "positive"),
    ("The interface is slow, confusing and full of bugs.", "negative"),
    ("Very easy to set up and reliable, I love it.", "positive"),
    ("They suspended our account without any warning.", "negative"),
    ("How do I add a DKIM record for my domain?", "neutral"),
    ("Is there a way to export all contacts as CSV?", "neutral"),
    ("The free plan includes 3,000 emails a month.", "neutral"),
    ("The service has data centres in Ireland and Oregon.", "neutral"),
    ("Which port should I use for SMTP with STARTTLS?", "neutral"),
    ("great app, love it!!!", "positive"),
    ("worst app ever, keeps crashing", "negative"),
]


@pytest.mark.parametrize(("text", "label"), PLAIN)
def test_plain_texts_about_mail_products_are_understood(text: str, label: str) -> None:
    assert classify([text])[0].label == label


def _sound(found: Sentiment) -> bool:
    best = max(range(3), key=lambda k: found.probabilities[k])
    return (
        found.label == LABELS[best]
        and all(0 <= each <= 1 for each in found.probabilities)
        and math.isclose(sum(found.probabilities), 1, abs_tol=1e-9)
    )


@given(st.text(max_size=400))
@settings(max_examples=80, deadline=None)
def test_any_text_has_an_answer(text: str) -> None:
    first = classify([text])[0]
    assert _sound(first)
    assert classify([text])[0] == first


@given(st.text(alphabet="aeinost .,!?'\"<>`@/&;:-()[]0159\n\t\x00\u200b\ud800é漢🙂", max_size=2000))
@settings(max_examples=50, deadline=None)
def test_marks_and_surrogates_have_an_answer_too(text: str) -> None:
    assert _sound(classify([text])[0])


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\x00", "🙂", "12345", "\u202e"])
def test_nothing_to_read_is_no_opinion_or_an_emoji(text: str) -> None:
    found = classify([text])[0]
    assert _sound(found)
    if text != "🙂":
        assert found.label == "neutral"


@pytest.mark.parametrize(
    "piece",
    ["a", "no ", "not ", "spam in the ", "<", "`", "a@", "good but ", "went ", "price ", "漢", "(", "' ", "&amp;",
     "http://", "5/5 ", "!?", "\U0001f600", "never landed in the ", "\ud800"],
)  # fmt: skip
def test_a_text_of_a_megabyte_is_read_to_its_cap(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    found = classify([text])[0]
    assert _sound(found)
    assert found == classify([text[: language.MOST_CHARACTERS]])[0]


def test_what_follows_the_cap_changes_nothing() -> None:
    beginning = "The API is a pleasure. " * 500
    assert classify([beginning + "I hate it."]) == classify([beginning + "I love it."])


def test_neither_order_nor_company_changes_an_answer() -> None:
    texts = [text for text, _ in PLAIN] * 40 + ["", "ok"]
    alone = [classify([text])[0] for text in texts]
    assert classify(texts) == alone
    mixed = list(range(len(texts)))
    random.Random(3).shuffle(mixed)
    assert classify([texts[k] for k in mixed]) == [alone[k] for k in mixed]
    assert classify([]) == []


def test_another_process_with_another_hash_seed_gives_the_same_answers() -> None:
    program = (
        "import json, sys; from mailrubric.reviews.sentiment import classify;"
        "print(json.dumps([each.probabilities for each in classify(json.load(sys.stdin))]))"
    )
    texts = [text for text, _ in PLAIN]
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(texts),
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(sentiment.__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert json.loads(said[0]) == [list(each.probabilities) for each in classify(texts)]


def test_the_file_holds_arrays_only_and_is_small() -> None:
    assert sentiment.FILE.stat().st_size < 1_000_000
    with np.load(sentiment.FILE, allow_pickle=False) as arrays:
        assert str(arrays["version"]) == model.VERSION
        assert {arrays[name].dtype.kind for name in arrays.files} <= {"i", "u", "f", "U"}
    with zipfile.ZipFile(sentiment.FILE) as members:
        assert all(name.endswith(".npy") for name in members.namelist())


def test_a_damaged_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "sentiment.npz"
    content = bytearray(sentiment.FILE.read_bytes())
    content[len(content) // 2] ^= 1
    other.write_bytes(content)
    monkeypatch.setattr(sentiment, "FILE", other)
    sentiment.model.cache_clear()
    try:
        with pytest.raises(RuntimeError, match="damaged"):
            classify(["x"])
    finally:
        monkeypatch.undo()
        sentiment.model.cache_clear()
    assert classify(["x"])


def test_the_measured_confusion_is_shipped() -> None:
    matrix = np.array(sentiment.CONFUSION)
    assert matrix.shape == (3, 3)
    assert (matrix.sum(axis=1) > 100).all()
    assert (matrix.argmax(axis=1) == [0, 1, 2]).all()
    with pytest.raises(AttributeError):
        _ = sentiment.NO_SUCH_NAME


def test_scikit_learn_is_not_needed() -> None:
    program = (
        "import sys; from mailrubric.reviews.aspects import aspects; from mailrubric.reviews.sentiment import classify;"
        "classify(['x']); aspects(['support is slow']); print({'sklearn', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(("text", "praised", "blamed"), [
    ("it landed in spam", False, True),
    ("it never landed in spam", True, False),
    ("no downtime at all", True, False),
    ("the word is spamalot", False, False),
])  # fmt: skip
def test_patterns_and_their_negation(text: str, praised: bool, blamed: bool) -> None:
    praise, blame = language._opinions(text)
    assert (praise > 0, blame > 0) == (praised, blamed)


def test_phrases_tried_by_their_first_characters_are_found_as_a_plain_search_finds_them() -> None:
    import re

    for patterns, phrases in ((vocabulary.PRAISE, language._PRAISE), (vocabulary.BLAME, language._BLAME)):
        whole = re.compile("|".join(f"(?:{each})" for each in patterns))
        for text, _ in PLAIN:
            assert sum(phrases.count(text.lower())) == sum(1 for _ in whole.finditer(text.lower()))


def test_figures_have_names_and_bounds() -> None:
    for text in [
        *(text for text, _ in PLAIN),
        "",
        "NO!!! 1/5 but thanks ;-) `code` http://x.y 10/10",
        "a\nb\nc? " * 99,
    ]:
        figures = language.features(text).figures
        assert len(figures) == len(language.FIGURES)
        assert all(-1 <= each <= 1.2 for each in figures)


def test_words_have_one_valence_on_vaders_scale() -> None:
    assert all(-4 <= value <= 4 for value in vocabulary.WORDS.values())
    assert vocabulary.WORDS["support"] == 0
    assert vocabulary.WORDS["unreliable"] < 0 < vocabulary.WORDS["intuitive"]


@pytest.mark.parametrize(("text", "read"), [
    ("What do you like best about it?\nFast.\nWhat do you dislike?\nNothing.", "xpros. Fast. xcons. Nothing."),
    ("Pros: cheap. Cons: slow", "xpros. cheap. xcons. slow"),
    ("+ cheap\n- slow", "xpros. cheap xcons. slow"),
    ("- one\n- two", "- one - two"),
    ("LIKES: all. What problems are you solving with it? Mail.", "xpros. all. xneither. Mail."),
    ("Things I'd like: all", "Things I'd like: all"),
    ("pros: cheap cons: slow", "xpros. cheap xcons. slow"),
    ("it likes me", "it likes me"),
])  # fmt: skip
def test_headings_of_review_sites_are_read_as_headings(text: str, read: str) -> None:
    cleaned = language.clean(text)
    assert " ".join(cleaned.split()) == read
    assert language.clean(cleaned) == cleaned


def test_words_are_the_first_part_of_all_features() -> None:
    for text, _ in PLAIN:
        cleaned = language.clean(text)
        every = language.features(text)
        edge = sum(bucket < language.BUCKETS_WORDS for bucket in every.buckets)
        assert language.words(cleaned) == (every.buckets[:edge], every.counts[:edge])


@pytest.mark.slow
def test_the_weights_go_into_the_wheel_and_the_texts_do_not() -> None:
    root = Path(sentiment.__file__).parents[2]
    build = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "mailrubric" in build["packages"]
    assert "exclude" not in build
    assert sentiment.FILE.relative_to(root / "mailrubric")
    assert not list((root / "mailrubric").rglob("*.jsonl"))
    # What git ignores is left out of a wheel.
    ignored = subprocess.run(["git", "check-ignore", "-q", str(sentiment.FILE)], cwd=root, check=False).returncode
    assert ignored != 0
