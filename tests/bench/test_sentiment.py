"""The model card says what the script computes, for the model that is shipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("textblob")

from bench.sentiment import data, measure, train
from mailrubric.reviews import sentiment
from mailrubric.reviews.aspects import ASPECTS

CARD = measure.CARD.read_text("utf-8")


def test_the_card_is_of_the_shipped_model_and_its_figures_are_computed() -> None:
    assert sentiment.SHA256 in CARD
    assert measure.held_out()["model"] == sentiment.SHA256
    for line in measure.mail_part():
        assert line in CARD


def test_the_shipped_matrix_is_that_of_the_held_out_scores() -> None:
    record = measure.held_out()
    mail, spoken, _ = data.written(record["further"])
    found = np.array(record["scores"]).argmax(axis=1)
    assert np.array_equal(train.confusion(mail.labels, found), sentiment.CONFUSION)
    shipped = sentiment.model().aspect_confusion
    for aspect, matrix in train.aspect_confusions(spoken, record["aspects"]).items():
        assert np.array_equal(matrix, shipped[aspect])
    assert record["temperature"] == pytest.approx(sentiment.model().temperature, rel=1e-6)


def test_every_text_is_labelled_once_and_names_no_aspect_of_its_own() -> None:
    rows = data.rows()
    assert len(rows) >= 600
    assert len({row["text"].lower() for row in rows}) == len(rows)
    for row in rows:
        assert row["label"] in data.LABELS
        assert set(row["aspects"]) <= set(ASPECTS)
        assert set(row["aspects"].values()) <= set(data.LABELS)
    assert {name for fold in train.FOLDS for name in fold} == {row["topic"] for row in rows}


@pytest.mark.slow
def test_training_on_a_few_texts_gives_the_same_file_twice_and_what_was_learned(tmp_path: Path) -> None:
    mail, _, _ = data.written({})
    few = mail.take(np.arange(0, len(mail.texts), 4))
    one, other = train.fit([few]), train.fit([few])
    nothing = np.zeros((3, 3), dtype=np.int64)
    assert train.pack(one, nothing, {}) == train.pack(other, nothing, {})
    packed = train.as_model(one)
    exact, eight_bits = one.scores(few.texts), packed.scores(few.texts)
    assert np.abs(exact - eight_bits).max() < 0.2
    assert (eight_bits.argmax(axis=1) == few.labels).mean() > 0.9


def test_the_development_set_has_two_halves_and_nothing_of_the_training() -> None:
    known = {row["text"].lower() for row in data.rows()} | {text.lower() for text in data.plain()[0].texts}
    halves = [data.development("choosing"), data.development("held out")]
    texts = [text.lower() for each, _ in [*halves, data.development("plain")] for text in each.texts]
    assert len(set(texts)) == len(texts) >= 250
    assert not known & set(texts)
    assert abs(len(halves[0][0].texts) - len(halves[1][0].texts)) < 10
    for _, spoken in halves:
        assert {aspect for each in spoken for aspect in each} == set(ASPECTS)


def test_plain_sentences_are_understood() -> None:
    plain, _ = data.development("plain")
    found = sentiment.model().scores(plain.texts).argmax(axis=1)
    assert (found == plain.labels).mean() > 0.88


def test_texts_resemble_each_other_from_half_of_their_words_on() -> None:
    found = measure.resembling(["a b c d", "a b c x y z", "q"], ["A, b: c d e f g h"])
    assert found.tolist() == [True, False, False]


def test_a_detector_learns_which_sentence_of_a_text_its_label_is_about() -> None:
    colours = ("red", "blue", "green", "white", "black", "grey")
    texts = [f"The {noun} hums. It is {colour}." for noun in ("relay", "queue") for colour in colours] * 4
    spoken = [{"speed": "neutral"} if "red" in text else {} for text in texts]
    idf, figures = np.ones(train.language.BUCKETS), np.ones((len(train.language.FIGURES), 3))
    learned = train.detectors(texts, spoken, idf)
    packed = train.as_model(train.Trained(idf, np.ones((len(idf), 3)), figures, np.zeros(3), 1.0, learned))
    odds = packed.evidence("It is red.") + packed.detector_intercept
    for other in ("The relay hums.", "It is green."):
        silent = packed.evidence(other) + packed.detector_intercept
        assert silent[ASPECTS.index("speed")] < -1 < odds[ASPECTS.index("speed")]
    assert odds[ASPECTS.index("price")] < -5


def test_scores_become_labels_as_the_set_has_them() -> None:
    two = data.Set("x", ["a"], np.array([2]), np.eye(3)[[2]], np.array([0]), classes=(0, 2))
    three = data.Set("x", ["a"], np.array([1]), np.eye(3)[[1]], np.array([0]))
    scores = np.array([[0.1, 3.0, 0.2]])
    assert measure.ours(scores, two).tolist() == [2]
    assert measure.ours(scores, three).tolist() == [1]
    assert measure.classes(np.array([0.0]), two).tolist() == [0]
    assert measure.classes(np.array([0.0]), three).tolist() == [1]
    assert measure.macro_f1(np.array([[5, 0, 0], [0, 5, 0], [0, 0, 5]]), (0, 1, 2)) == 1


def test_a_record_of_another_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "held_out.json"
    other.write_text(json.dumps({"model": "0" * 64}))
    monkeypatch.setattr(measure, "HELD_OUT", other)
    with pytest.raises(SystemExit, match="another training"):
        measure.held_out()
