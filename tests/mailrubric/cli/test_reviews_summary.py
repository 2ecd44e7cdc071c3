"""``mailrubric reviews summary``: what is printed of stored reviews, and what when there are none."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailrubric.evidence.store import Store
from mailrubric.reviews import reading
from mailrubric.workspace import STORE_FILE
from tests.mailrubric.reviews.test_summary import TODAY, reviews

HOSTILE = "Support is terrible, \x1b[31mred\x1b[0m \u202etxet."


def reviewed(workspace: Path) -> Path:
    """A workspace with reviews of three vendors, a burst, repeated and hostile ones among them."""
    made = [
        *reviews("sendgrid", 80, 0.5),
        *reviews("sendgrid", 30, 0.3, "trustpilot"),
        *reviews("mailgun", 60, 0.8),
        *reviews("postmark", 40, 0.9, "trustpilot"),
        *[
            dataclasses.replace(review, written=(TODAY - timedelta(days=40)).isoformat())
            for review in reviews("sendgrid", 30, 1.0, seed=4)
        ],
    ]
    made += [dataclasses.replace(review, id=f"again {review.id}", author=f"x{review.id}") for review in made[:5]]
    made += [dataclasses.replace(made[0], id=f"h{n}", author=f"h{n}", text=HOSTILE, title=str(n)) for n in range(3)]
    workspace.mkdir(exist_ok=True)
    with Store(f"sqlite:///{workspace / STORE_FILE}") as store:
        store.add_reviews(made)
    return workspace


def test_everything_stands_in_it(call: Any, tmp_path: Path) -> None:
    result = call("reviews", "summary", "sendgrid", "--workspace", reviewed(tmp_path / "work"))
    assert result.code == 0
    for words in (
        "148 reviews, 143 of them count",
        "star rating",
        "positive texts",
        "pleased with support",
        "0 mentions; 30 are needed",
        "trustpilot",
        "2026-Q4",
        "the same text as an older review at the same source, left out",
        "30 reviews, usually 1, counted as 3",
        "negative, support: “",
    ):
        assert words in result.out, words
    assert "\x1b" not in result.out
    assert "\u202e" not in result.out


def test_what_is_not_there_is_said(call: Any, tmp_path: Path) -> None:
    nothing = call("reviews", "summary", "postmark")
    assert nothing.code == 3
    assert "no review of postmark is stored; read some in with mailrubric reviews import FILE --vendor postmark" in (
        nothing.err
    )
    assert not Path("mailrubric.sqlite").exists()
    assert call("reviews", "summary", "postmrk").code == 2
    work = reviewed(tmp_path / "work")
    assert call("reviews", "summary", "resend", "--workspace", work, "--json").code == 3
    early = call("reviews", "summary", "sendgrid", "--workspace", work, "--as-of", "2025-01-01", "--json").json
    assert early["last"] <= "2025-01-01"


def test_what_was_classified_once_is_not_classified_again(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = reviewed(tmp_path / "work")
    monkeypatch.setattr(reading, "_memory", {})
    asked = ("reviews", "summary", "sendgrid", "--as-of", TODAY.isoformat(), "--json", "--workspace", work)
    first = call(*asked).json
    assert reading._memory
    monkeypatch.setattr(reading, "_memory", {})
    monkeypatch.setattr(reading, "classify", lambda texts: pytest.fail(f"{len(texts)} texts classified again"))
    assert call(*asked).json == first
