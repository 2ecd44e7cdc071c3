"""The labelled texts: public sets from a folder given by its path, and the texts about mail products in this folder."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
BLOCKS = 5
LABELS = ("positive", "neutral", "negative")
NEUTRAL_BELOW = 0.5
"""A mean of human scores (-4 to 4) nearer to zero is neutral: to 0.3 and beyond raters scatter about plain facts."""


@dataclasses.dataclass(frozen=True)
class Set:
    """``labels``: 0 positive, 1 neutral, 2 negative. ``soft``: n × 3, what raters leave open. ``groups``: texts of one
    group belong together and are never on both sides of a split. ``classes``: which labels the set has at all."""

    name: str
    texts: list[str]
    labels: NDArray[np.int64]
    soft: NDArray[np.float64]
    groups: NDArray[np.int64]
    classes: tuple[int, ...] = (0, 1, 2)
    means: NDArray[np.float64] | None = None

    def take(self, chosen: NDArray[Any]) -> Set:
        """Only the chosen texts."""
        where = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return dataclasses.replace(
            self,
            texts=[self.texts[k] for k in where],
            labels=self.labels[where],
            soft=self.soft[where],
            groups=self.groups[where],
            means=None if self.means is None else self.means[where],
        )


def _hard(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.eye(3)[labels]


def amazon(folder: Path) -> Set:
    """Sentences of product reviews with the mean of 20 human scores; a group is one review's product."""
    texts, means, groups = [], [], []
    for line in (folder / "amazonReviewSnippets_GroundTruth.txt").read_text("utf-8").splitlines():
        name, mean, text = line.split("\t", 2)
        texts.append(text.strip())
        means.append(float(mean))
        groups.append(int(name.split("_")[0]))
    score = np.array(means)
    labels = np.where(score >= NEUTRAL_BELOW, 0, np.where(score <= -NEUTRAL_BELOW, 2, 1))
    # Between 0.3 and 0.7 raters disagree on whether there is an opinion: both answers get their part.
    polar = np.clip((np.abs(score) - 0.3) / 0.4, 0, 1)
    soft = np.stack([polar * (score > 0), 1 - polar, polar * (score <= 0)], axis=1)
    return Set("amazon", texts, labels, soft, np.array(groups), means=score)


def senti4sd(folder: Path, part: str) -> Set:
    """Posts of Stack Overflow: the authors' own training and test partition."""
    texts, labels = [], []
    with (folder / f"senti4sd_{part}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file, delimiter=";"):
            if len(row) >= 3 and row[1] in LABELS:
                texts.append(";".join(row[2:]))
                labels.append(LABELS.index(row[1]))
    array = np.array(labels)
    return Set("senti4sd", texts, array, _hard(array), np.arange(len(array)))


def uci(folder: Path, name: str) -> Set:
    """Sentences of reviews that are plainly positive or negative: there is no neutral class."""
    texts, labels = [], []
    for line in (folder / f"{name}_labelled.txt").read_text("utf-8").split("\n"):
        text, tab, label = line.rstrip().rpartition("\t")
        if tab and label.strip() in ("0", "1"):
            texts.append(text.strip())
            labels.append(0 if label.strip() == "1" else 2)
    array = np.array(labels)
    return Set(f"uci_{name}", texts, array, _hard(array), np.arange(len(array)), classes=(0, 2))


def sizes() -> dict[str, int]:
    """How many texts each further file has now: they grow, and a measurement is of those that were trained on."""
    return {path.name: len(path.read_text("utf-8").splitlines()) for path in sorted(HERE.glob("training-*.jsonl"))}


def rows(of: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """The texts written for this project: those of ``training.jsonl`` with their topics, then the first ``of`` (all by
    default) of each further file, which has no topics and is cut into five blocks instead. No text comes twice."""
    found = [json.loads(line) for line in (HERE / "training.jsonl").read_text("utf-8").splitlines()]
    seen = {row["text"].lower() for row in found}
    for name, size in (sizes() if of is None else of).items():
        lines = (HERE / name).read_text("utf-8").splitlines()[:size]
        for place, line in enumerate(lines):
            row = json.loads(line)
            if row["text"].lower() not in seen:
                seen.add(row["text"].lower())
                found.append({**row, "topic": f"block {place * BLOCKS // len(lines) + 1}"})
    return found


def written(of: dict[str, int] | None = None) -> tuple[Set, list[dict[str, str]], list[str]]:
    """The texts written for this project (see :func:`rows`), the labelled aspects of each and the topic of each."""
    found = rows(of)
    labels = np.array([LABELS.index(row["label"]) for row in found], dtype=np.int64)
    topics = [row["topic"] for row in found]
    names = sorted(set(topics))
    groups = np.array([names.index(topic) for topic in topics], dtype=np.int64)
    mail = Set("mail", [row["text"] for row in found], labels, _hard(labels).reshape(-1, 3), groups)
    return mail, [row["aspects"] for row in found], topics


def plain() -> tuple[Set, list[dict[str, str]]]:
    """Plain sentences ("The editor is nice."), put together from lists of words: always trained on and never
    measured on, because they resemble each other too much for either."""
    return _labelled("plain", HERE / "plain.jsonl")


def public(folder: Path) -> list[Set]:
    """Every public set, Senti4SD with its training partition."""
    return [
        amazon(folder),
        senti4sd(folder, "train"),
        *(uci(folder, each) for each in ("amazon_cells", "imdb", "yelp")),
    ]


def split(each: Set, share: float = 0.2) -> tuple[Set, Set]:
    """Training and held-out part: a fifth of the groups, always the same ones."""
    groups = np.unique(each.groups)
    held = np.random.default_rng(0).permutation(groups)[: int(len(groups) * share)]
    chosen = np.isin(each.groups, held)
    return each.take(~chosen), each.take(chosen)


def evaluation(path: Path = HERE / "evaluation.jsonl") -> tuple[Set, list[dict[str, str]]]:
    """The blind set: written apart from the training, read by bench.sentiment.measure and by nothing else."""
    return _labelled("evaluation", path)


def development(part: Literal["choosing", "held out", "plain"]) -> tuple[Set, list[dict[str, str]]]:
    """Texts by which patterns, features and further training texts were chosen: the half that was looked at, the half
    that was only counted, or plain sentences without aspects. Nothing is trained on them."""
    return _labelled(f"development, {part}", HERE / "development.jsonl", part)


def _labelled(name: str, path: Path, part: str | None = None) -> tuple[Set, list[dict[str, str]]]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    rows = [row for row in rows if row["label"] in LABELS and part in (None, row.get("part"))]
    labels = np.array([LABELS.index(row["label"]) for row in rows], dtype=np.int64)
    found = Set(name, [row["text"] for row in rows], labels, _hard(labels), np.arange(len(rows)))
    return found, [
        {aspect: label for aspect, label in (row.get("aspects") or {}).items() if label in LABELS} for row in rows
    ]
