"""What is kept of the classifier's work: it spares time and changes nothing."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.evidence import store as store_module
from mailrubric.evidence.store import Store, StoreError
from mailrubric.reviews import model, reading
from mailrubric.reviews.aspects import ASPECTS, aspects
from mailrubric.reviews.reading import classifier, keeping, key_of, packed, read, unpacked
from mailrubric.reviews.sentiment import LABELS, Sentiment, classify
from mailrubric.reviews.summary import quotations, refresh, summarise, text_of
from tests.mailrubric.evidence import test_store
from tests.mailrubric.reviews.test_summary import NOW, reviews

url = test_store.url

SOME = [*reviews("acme", 40, 0.9), *reviews("acme", 35, 0.6, "trustpilot"), *reviews("beta", 45, 0.4)]
TEXTS = [
    "Their support is excellent.",
    "Setup was confusing, but delivery is fast.",
    "",
    "Schöne Grüße 🎉\x00 and a lone \ud800 surrogate",
    "Support is terrible.",
]


@pytest.fixture
def classified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the classifier was asked about, as they come; its memory is empty at first."""
    seen: list[str] = []

    def counting(texts: Sequence[str]) -> list[Sentiment]:
        seen.extend(texts)
        return classify(texts)

    monkeypatch.setattr(reading, "classify", counting)
    monkeypatch.setattr(reading, "_memory", {})
    return seen


def forget(monkeypatch: pytest.MonkeyPatch, seen: list[str]) -> None:
    """As another process would begin."""
    monkeypatch.setattr(reading, "_memory", {})
    seen.clear()


def test_each_text_is_classified_once_whoever_asks(
    url: str, classified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(url) as store:
        store.add_reviews(SOME)
        assert refresh(store, NOW) > 0
        assert sorted(classified) == sorted({text_of(review) for review in SOME})
        first = store.observations()
        forget(monkeypatch, classified)
        assert refresh(store, NOW) == 0
        assert classified == []
        assert store.observations() == first
        more = reviews("gamma", 5, 0.5)
        store.add_reviews(more)
        forget(monkeypatch, classified)
        refresh(store, NOW)
        assert sorted(classified) == sorted(text_of(review) for review in more)


def test_the_summary_is_the_same_whatever_is_kept(
    url: str, classified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = summarise(SOME, NOW)
    quoted = {vendor: quotations(each) for vendor, each in plain.items()}
    drawn = random.Random(3)
    with Store(url) as store:
        for share in (0.0, 0.4, 1.0):  # of the texts that are kept before
            keeping(store)([text_of(review) for review in SOME if drawn.random() < share])
            forget(monkeypatch, classified)
            reader = keeping(store)
            found = summarise(SOME, NOW, reader)
            assert found == plain
            assert {vendor: quotations(each, reader) for vendor, each in found.items()} == quoted
        forget(monkeypatch, classified)
        reader = keeping(store)
        for each in summarise(SOME, NOW, reader).values():
            quotations(each, reader)
        assert classified == []  # sentences that were looked at for quotations are kept, too


def test_another_classifier_begins_anew(url: str, classified: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(url) as store:
        expected = keeping(store)(TEXTS)
        ours = classifier()
        for name, changed in (("SHA256", "0" * 64), ("VERSION", "99")):
            with monkeypatch.context() as patched:
                patched.setattr(model, name, changed)
                assert classifier() != ours
                classified.clear()
                assert keeping(store)(TEXTS) == expected  # memory is no way round it either
                assert sorted(classified) == sorted(TEXTS)
        with monkeypatch.context() as patched:
            patched.setattr(reading, "_code", "1" * 64)
            assert classifier() != ours
        forget(monkeypatch, classified)
        keeping(store)(TEXTS)
        assert classified == []  # the older rows are there still
        with store._engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM classified_texts").scalar() == 3 * len(TEXTS)


def test_a_change_of_code_is_another_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in reading._CODE:
        (tmp_path / name).write_text("one\n", encoding="ascii")
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    hashes = {reading._hash_of_code()}
    for name in reading._CODE:
        (tmp_path / name).write_text("two\n", encoding="ascii")
        hashes.add(reading._hash_of_code())
    assert len(hashes) == 1 + len(reading._CODE)
    (tmp_path / reading._CODE[0]).unlink()
    assert reading._hash_of_code() == ""


def test_without_an_identity_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_memory", {})
    monkeypatch.setattr(reading, "_code", "")
    with Store(f"sqlite:///{tmp_path / 'store.sqlite'}") as store:
        assert keeping(store)(TEXTS) == list(zip(classify(TEXTS), aspects(TEXTS), strict=True))
        assert store.classified("", [key_of(text) for text in TEXTS]) == {}


# --- a store that does not serve --------------------------------------------------------------------------------------


def expected_of(texts: Sequence[str]) -> list[Any]:
    return list(zip(classify(texts), aspects(texts), strict=True))


def test_a_store_that_cannot_be_written_is_still_asked(
    tmp_path: Path, classified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "store.sqlite"
    with Store(f"sqlite:///{file}") as store:
        keeping(store)(TEXTS[:2])
    with Store(f"sqlite:///file:{file}?mode=ro&uri=true") as store:
        with pytest.raises(StoreError, match="read-only"):
            store.add_classified("1", {b"k" * 32: "[]"})
        forget(monkeypatch, classified)
        assert keeping(store)(TEXTS) == expected_of(TEXTS)
        assert sorted(classified) == sorted(TEXTS[2:])


def test_a_busy_store_is_waited_for_once(
    tmp_path: Path, classified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(reading, "_AT_ONCE", 1)
    address = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with Store(address) as other, Store(address) as store, other._writing():
        tried: list[str] = []
        add = store.add_classified

        def counting(classifier: str, answers: Mapping[bytes, str]) -> None:
            tried.append(classifier)
            add(classifier, answers)

        monkeypatch.setattr(store, "add_classified", counting)
        assert keeping(store)(TEXTS) == expected_of(TEXTS)
    assert len(tried) == 1


def test_a_store_that_lost_the_table_does_no_harm(url: str, classified: list[str]) -> None:
    with Store(url) as store:
        with store._engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE classified_texts")
        store.add_reviews(SOME)
        assert refresh(store, NOW) > 0
        assert len(classified) == len({text_of(review) for review in SOME})


@pytest.mark.parametrize(
    "content",
    [
        "", "null", "7", "[]", "{}", '"abc"', "[" * 100_000, '["positive",[1.0,0.0,0.0]]',
        '["glad",[1.0,0.0,0.0],{}]', '["positive",[1.0,0.0],{}]', '["positive",[1,0,0],{}]',
        '["positive",[NaN,0.0,0.0],{}]', '["positive",[2.0,0.0,0.0],{}]', '["positive",[true,0.0,0.0],{}]',
        '["positive",[1.0,0.0,0.0],[]]', '["positive",[1.0,0.0,0.0],{"taste":"positive"}]',
        '["positive",[1.0,0.0,0.0],{"support":"glad"}]', '["positive",[1.0,0.0,0.0],{"support":["positive"]}]',
        '[["positive"],[1.0,0.0,0.0],{}]', '[{},[1.0,0.0,0.0],{}]', '["positive",{"a":1},{}]', '["positive",7,{}]',
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_classified(tmp_path: Path, classified: list[str], content: str) -> None:
    assert unpacked(content) is None
    with Store(f"sqlite:///{tmp_path / 'store.sqlite'}") as store:
        store.add_classified(classifier(), {key_of(TEXTS[0]): content})
        assert keeping(store)(TEXTS[:1]) == expected_of(TEXTS[:1])
    assert classified == TEXTS[:1]


# --- one reading ------------------------------------------------------------------------------------------------------


@given(
    st.tuples(st.integers(0, 1_000_000), st.integers(0, 1_000_000)),
    st.sampled_from(LABELS),
    st.dictionaries(st.sampled_from(ASPECTS), st.sampled_from(LABELS)),
)
@settings(max_examples=60, deadline=None)
def test_a_reading_comes_back_to_the_last_digit(millionths: tuple[int, int], label: Any, about: dict[str, str]) -> None:
    low, high = sorted(millionths)
    numbers = (low / 1e6, round((high - low) / 1e6, 6), round(1.0 - high / 1e6, 6))
    made = (Sentiment(label, numbers), about)
    assert unpacked(packed(made)) == made
    assert list(json.loads(packed(made))[2]) == list(about)


def test_it_is_kept_in_pieces_so_that_little_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_memory", {})
    monkeypatch.setattr(reading, "_AT_ONCE", 2)
    calls = itertools.count()

    def stopped(texts: Sequence[str]) -> list[Sentiment]:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return classify(texts)

    monkeypatch.setattr(reading, "classify", stopped)
    with Store(f"sqlite:///{tmp_path / 'store.sqlite'}") as store:
        with pytest.raises(KeyboardInterrupt):
            keeping(store)(TEXTS)
        assert set(store.classified(classifier(), [key_of(text) for text in TEXTS])) == set(map(key_of, TEXTS[:4]))


def test_repeated_texts_are_classified_once(classified: list[str]) -> None:
    assert read([TEXTS[0], TEXTS[1], TEXTS[0]]) == expected_of([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert classified == TEXTS[:2]


def test_memory_does_not_grow_for_ever(classified: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_IN_MEMORY", 3)
    for text in TEXTS:
        assert read([text]) == expected_of([text])
        assert len(reading._memory) <= 3
