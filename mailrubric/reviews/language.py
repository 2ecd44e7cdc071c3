"""Features of a text for the sentiment classifier: hashed n-grams of words and characters, and a few figures.

Everything here is a function of the text alone: the same text gives the same features in every process, on every
machine, in any order. Whatever the text, nothing is raised and the work is bounded (:data:`MOST_CHARACTERS`).
"""

from __future__ import annotations

import functools
import html
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from vader import SentimentIntensityAnalyzer
from vader.data.lexicon import LEXICON

from mailrubric.reviews import vocabulary

MOST_CHARACTERS: Final = 10_000
"""Of a text are read; what follows is not. Stores of reviews cut at 5,000 or earlier."""

BUCKETS_WORDS: Final = 1 << 17
BUCKETS_CHARACTERS: Final = 1 << 17
BUCKETS: Final = BUCKETS_WORDS + BUCKETS_CHARACTERS

PROS: Final = "xpros"
CONS: Final = "xcons"
NEITHER: Final = "xneither"
"""Stand for headings over what somebody likes, dislikes and uses a product for, once a text is :func:`clean`."""

_MOST_SENTENCES: Final = 40
_LONGEST_WORD: Final = 24


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAG = re.compile(r"<[^<>]{0,300}>")
_CODE = re.compile(r"<code>.{0,4000}?</code>|```.{0,4000}?```|`[^`\n]{1,300}`", re.DOTALL)
_URL = re.compile(r"(?:https?://|www\.)\S{1,500}")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,63}")
_TOKEN = re.compile(
    r"[^\W\d_]+(?:['-][^\W\d_]+)*"
    r"|\d+(?:[.,/]\d+)*"
    r"|[:;=8][-o^']?[)(\[\]dp/\\|]+(?!\w)"
    r"|[!?]+|\.\.\.|[.,;:]"
    r"|[☀-➿⬀-⯿\U0001f300-\U0001faff]"
)
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")
_STARS = re.compile(
    r"\b([0-5])(?:\.\d)? ?(?:/|out of|of) ?5\b|\b([1-5]) ?-?stars?\b"
    r"|\b(\d|10) ?(?:/|out of) ?10\b|\b(one|zero|five) stars?\b"
)
_CAPITALS = re.compile(r"\b[A-Z]{3,}\b")
_START = re.compile(r"(?<![^\W_])[^\W_]|[^\w\s]")
_PLAIN: Final = "abcdefghijklmnopqrstuvwxyz0123456789, ❤😍👍🎉🙌🥰😊💯🚀⭐👏💪😀😁🔥😡👎😠🤬😤💔😞😢😭🙄🤮😒💩☹"
_MOST_STARTS_KEPT: Final = 4000
_HEADING = re.compile(
    r"(?:^|(?<=[.!?;|]\s))(?:"
    r"(?P<good>what (?:do|did) you (?:like|love)(?: (?:best|most|about))?[^?\n:]{0,60}[?:]"
    r"|(?:likes?|the good|good points|strengths|advantages|positives)(?: (?:are|were))?:)"
    r"|(?P<bad>what (?:do|did) you (?:dislike|hate|like (?:least|less))[^?\n:]{0,60}[?:]"
    r"|(?:dislikes?|the bad|bad points|weaknesses|disadvantages|negatives)(?: (?:are|were))?:)"
    r"|(?P<use>what problems?[^?\n:]{0,80}(?:solv|benefit)[^?\n:]{0,60}[?:]))"
    r"|(?<!\w)(?:(?P<pros>pros:)|(?P<cons>cons:))",
    re.I | re.M,
)
_BULLET = re.compile(r"^[ \t]*([+-])[ \t]+(?=\w)", re.M)
_BALANCE = re.compile("|".join(f"(?:{each})" for each in vocabulary.BALANCE))
_REQUEST = re.compile("|".join(f"(?:{each})" for each in vocabulary.REQUEST))
_NEGATED = re.compile(
    r"\b(?:not|never|no|nothing|nobody|none|without|hardly|rarely|seldom|isn't|wasn't|aren't|weren't|don't|doesn't|didn't"
    r"|won't|can't|cannot|couldn't|wouldn't|haven't|hasn't|hadn't|no longer|far from|anything but|instead of|stopped)"
    r"(?: \w+){0,2} $"
)
_NEGATORS: Final = _words(
    "not no never nothing nobody none without hardly barely scarcely rarely seldom cannot cant dont doesnt didnt isnt "
    "wasnt wont wouldnt couldnt havent hasnt neither nor nowhere lack lacks lacking"
)
_CONTRASTS: Final = _words("but however although though yet except unfortunately")
_SUPPORT: Final = _words("support supports")
_STOP: Final = _words(
    "a an the my our your their his her its this that these those i we you he she it they me us them is are was were "
    "be been am do does did have has had will would can could should may might to of in on at by for from with as "
    "and or so very really just also then than there here up out into about over again all any some more most such own "
    "too s t"
)
_ENDINGS: Final = re.compile(r"(?:ings?|edly|ed|ies|es|s|ly|er|est)$")

_VALENCES: Final = {**LEXICON, **vocabulary.WORDS}
_vader = SentimentIntensityAnalyzer(extra_lexicon=vocabulary.WORDS)


class Features(NamedTuple):
    """``buckets`` and ``counts``: hashed n-grams and how often each occurs; ``figures``: see :data:`FIGURES`."""

    buckets: list[int]
    counts: list[float]
    figures: list[float]


FIGURES: Final = (
    "vader",
    "vader_mean",
    "vader_lowest",
    "vader_highest",
    "vader_first",
    "vader_last",
    "vader_positive",
    "vader_negative",
    "vader_none",
    "praise",
    "blame",
    "praise_any",
    "blame_any",
    "praise_minus_blame",
    "praise_last",
    "blame_last",
    "nothing_said",
    "both_said",
    "request",
    "question",
    "question_last",
    "question_and_no_blame",
    "exclamation",
    "exclamation_praise",
    "exclamation_blame",
    "negation",
    "contrast",
    "after_contrast",
    "before_contrast",
    "capitals",
    "stars",
    "first_person",
    "short",
    "length",
    "digits",
    "code_or_address",
    "clause_best",
    "clause_worst",
    "clause_last",
    "clause_mixed",
    "clauses_good",
    "clauses_bad",
    "balance",
    "likes_and_dislikes",
)
"""The dense features, in order. Each lies in about -1 to 1."""


def clean(text: str) -> str:
    """The text as read: capped, Unicode normalised, mark-up, code, addresses and control characters taken out."""
    text = text[:MOST_CHARACTERS]
    if "&" in text:
        text = html.unescape(text)
    text = unicodedata.normalize("NFKC", text)[: 2 * MOST_CHARACTERS]
    text = text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    if "`" in text or "<" in text:
        text = _TAG.sub(" ", _CODE.sub(" xcode ", text))
    if "/" in text or "www." in text:
        text = _URL.sub(" xurl ", text)
    if "@" in text:
        text = _ADDRESS.sub(" xaddress ", text)
    if "?" in text or ":" in text:
        text = _HEADING.sub(_marker, text)
    if "\n" in text and "+ " in text and "- " in text:
        text = _BULLET.sub(lambda found: f"{PROS}.\n" if found[1] == "+" else f"{CONS}.\n", text)
    # Formatting and control characters carry nothing; line ends part sentences and stay.
    return "".join(c if c == "\n" or c.isprintable() else " " for c in text) if not text.isprintable() else text


def _marker(found: re.Match[str]) -> str:
    """Review sites ask for likes and dislikes: the question is nobody's opinion, what follows it has a direction."""
    good, bad = found["good"] or found["pros"], found["bad"] or found["cons"]
    return f"\n{PROS if good else CONS if bad else NEITHER}.\n"


def features(text: str) -> Features:
    """Every feature of one text."""
    text = clean(text)
    lower = text.lower()
    tokens = _TOKEN.findall(lower)
    counts = Counter(_buckets(tokens))
    ordered = sorted(counts)
    return Features(ordered, [_logarithm(counts[bucket]) for bucket in ordered], _figures(text, lower, tokens))


@functools.cache
def _logarithm(count: int) -> float:
    return 1.0 + math.log(count)


def words(text: str) -> tuple[list[int], list[float]]:
    """Hashed n-grams of words of a text that is :func:`clean` and how often each occurs: the part of
    :func:`features` that is quickly had."""
    counts = Counter(_buckets(_TOKEN.findall(text.lower()), characters=False))
    ordered = sorted(counts)
    return ordered, [_logarithm(counts[bucket]) for bucket in ordered]


def _buckets(tokens: list[str], *, characters: bool = True) -> Iterator[int]:
    previous = "^"
    stems = ["^", "^"]
    negated = 0
    for token in tokens:
        if not (token[0].isalpha() or token[0].isdigit()):
            # Marks end the reach of a negation; of the others only what shows feeling is worth a feature.
            if token[0] in ".;:!?":
                negated = 0
            if token[0] not in ".,;:" or len(token) > 1:
                yield _word("m " + token[:4])
            previous = token[0]
            continue
        if characters:
            yield from _characters(token)
        stem = _stem(token)
        if negated:
            yield _word("n " + stem)
        yield _word("w " + token)
        yield _word("b " + previous + " " + token)
        if token not in _STOP:
            yield _word("s " + ("not " if negated else "") + stem)
            yield _word("c " + stems[-1] + " " + stem)
            stems = [stems[-1], stem]
        previous = token
        if token in _NEGATORS or token.endswith("n't"):
            negated = 4
        elif negated:
            negated -= 1
        if token in _CONTRASTS:
            negated = 0


@functools.lru_cache(maxsize=1 << 16)
def _word(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % BUCKETS_WORDS


@functools.lru_cache(maxsize=1 << 14)
def _characters(token: str) -> tuple[int, ...]:
    """Buckets of the 2- to 5-grams of a word with its edges."""
    padded = f" {token[:_LONGEST_WORD]} "
    return tuple(
        BUCKETS_WORDS + zlib.crc32(padded[start : start + size].encode("utf-8", "surrogatepass")) % BUCKETS_CHARACTERS
        for size in (2, 3, 4, 5)
        for start in range(len(padded) - size + 1)
    )


@functools.lru_cache(maxsize=1 << 14)
def _stem(token: str) -> str:
    """A word without the commonest endings: rough, and the same for "bounce", "bounces", "bounced", "bouncing"."""
    if len(token) > 4:
        short = _ENDINGS.sub("", token)
        if len(short) >= 3:
            token = short
    return token.rstrip("e") if len(token) > 4 else token


class _Phrases:
    """Patterns that begin at the start of a word, tried only where the word's first two characters fit them.

    One alternation of some hundred patterns would be tried whole at every character; this is many times as fast. The
    patterns for two characters are compiled when these are first met.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._branches = [
            (tuple(_beginnings(branch)) or ("",), branch) for pattern in patterns for branch in _branches(pattern)
        ]
        self._compiled: dict[str, re.Pattern[str] | None] = {}

    def _of(self, start: str) -> re.Pattern[str] | None:
        if start not in self._compiled:
            if len(self._compiled) > _MOST_STARTS_KEPT:
                self._compiled.clear()
            fitting = [
                branch for beginnings, branch in self._branches if any(start.startswith(each) for each in beginnings)
            ]
            self._compiled[start] = re.compile("|".join(f"(?:{each})" for each in fitting)) if fitting else None
        return self._compiled[start]

    def count(self, text: str) -> tuple[int, int]:
        """How often they stand in a text (lower case), plainly and after a negation; matches never overlap."""
        plain = negated = reached = 0
        for start in _starts(text):
            if start < reached:
                continue
            pattern = self._of(text[start : start + 2])
            found = pattern.match(text, start) if pattern is not None else None
            if found is not None and found.end() > start:
                reached = found.end()
                if _NEGATED.search(text, max(0, start - 40), start):
                    negated += 1
                else:
                    plain += 1
        return plain, negated


def _starts(text: str) -> Iterator[int]:
    return (each.start() for each in _START.finditer(text))


def _outline(pattern: str) -> Iterator[tuple[int, str, int]]:
    """Place, character and depth of every parenthesis and every bar of a pattern that are not escaped and in no class;
    an opening one and its closing one have the depth around them."""
    depth = place = 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 1
        elif character == "[":
            place = pattern.index("]", place + 2)
        elif character == "(":
            yield place, character, depth
            depth += 1
        elif character == ")":
            depth -= 1
            yield place, character, depth
        elif character == "|":
            yield place, character, depth
        place += 1


def _branches(pattern: str) -> list[str]:
    """The alternatives of a pattern at its outermost level."""
    bars = [place for place, character, depth in _outline(pattern) if character == "|" and not depth]
    return [pattern[start:end] for start, end in zip([0, *(bar + 1 for bar in bars)], [*bars, None], strict=True)]


def _beginnings(branch: str) -> set[str]:
    """One or two characters with which every match of an alternative begins, all that are possible; none when that is
    not known."""
    branch = branch.removeprefix("\\b")
    if branch.startswith("(?:"):
        inside, rest = _group(branch)
        if rest[:1] in ("*", "{"):
            return set()
        found = [_beginnings(each) for each in _branches(inside)]
        if rest.startswith("?"):
            found.append(_beginnings(rest.lstrip("?")))
        return set().union(*found) if all(found) else set()
    plain = len(branch) - len(branch.lstrip(_PLAIN))
    if plain < len(branch) and branch[plain] in "?*{":
        plain -= 1
    return {branch[: min(plain, 2)]} if plain > 0 else set()


def _group(branch: str) -> tuple[str, str]:
    """What stands in the group with which an alternative begins, and what follows it."""
    end = next(place for place, character, depth in _outline(branch) if character == ")" and not depth)
    return branch[3:end], branch[end + 1 :]


_PRAISE = _Phrases(vocabulary.PRAISE)
_BLAME = _Phrases(vocabulary.BLAME)


def _opinions(text: str) -> tuple[float, float]:
    """How often a mail product is praised and blamed."""
    praised, not_praised = _PRAISE.count(text)
    blamed, not_blamed = _BLAME.count(text)
    return praised + not_blamed, blamed + not_praised


def _most(value: float, limit: float) -> float:
    return min(value, limit) / limit


def _figures(text: str, lower: str, tokens: list[str]) -> list[float]:
    sentences = [each for each in _SENTENCE.split(text) if each.strip()][:_MOST_SENTENCES]
    whole = _vader.polarity_scores(text[:2000])
    compounds = (
        [_vader.polarity_scores(each[:1000])["compound"] for each in sentences]
        if len(sentences) > 1
        else [whole["compound"]]
    )
    praise, blame = _opinions(lower)
    last = sentences[-1].lower() if sentences else ""
    praise_last, blame_last = _opinions(last) if len(sentences) > 1 else (praise, blame)
    first_contrast = next((k for k, token in enumerate(tokens) if token in _CONTRASTS), None)
    before = after = 0.0
    if first_contrast:
        parts = re.split(
            r"\b(?:but|however|although|though|yet|except|unfortunately)\b", text[:2000], maxsplit=1, flags=re.I
        )
        if len(parts) == 2:
            before, after = (_vader.polarity_scores(part)["compound"] for part in parts)
    vader_none = not whole["pos"] and not whole["neg"]
    silent = vader_none and not praise and not blame
    question = "?" in text
    exclamation = _most(text.count("!"), 3)
    return [
        whole["compound"],
        sum(compounds) / len(compounds),
        min(compounds),
        max(compounds),
        compounds[0],
        compounds[-1],
        whole["pos"],
        whole["neg"],
        float(vader_none),
        _most(praise, 3),
        _most(blame, 3),
        float(praise > 0),
        float(blame > 0),
        max(-1.0, min(1.0, (praise - blame) / 2)),
        float(praise_last > 0),
        float(blame_last > 0),
        float(silent),
        float(praise > 0 and blame > 0),
        float(_REQUEST.search(lower) is not None),
        float(question),
        float(last.rstrip().endswith("?")),
        float(question and not blame),
        exclamation,
        exclamation * (praise > 0 or whole["compound"] > 0.3),
        exclamation * (blame > 0 or whole["compound"] < -0.3),
        _most(sum(token in _NEGATORS or token.endswith("n't") for token in tokens), 3),
        float(first_contrast is not None),
        after,
        before,
        _most(len(_CAPITALS.findall(text)), 3) if not text.isupper() else 1.0,
        _stars(lower),
        _most(sum(token in ("i", "we", "my", "our", "us", "me") for token in tokens), 4),
        float(len(tokens) < 5),
        _most(math.log1p(len(tokens)), 6),
        _most(sum(token[0].isdigit() for token in tokens), 3),
        float("xcode" in lower or "xurl" in lower or "xaddress" in lower),
        *_clauses(tokens),
        _most(sum(1 for _ in _BALANCE.finditer(lower)), 2),
        float(PROS in tokens and CONS in tokens),
    ]


def _clauses(tokens: list[str]) -> list[float]:
    """How good and how bad single clauses are, by the words' valences alone: that "great team, shaky product" says
    two things is lost in a sum over the sentence."""
    said: list[float] = []
    current = 0.0
    negated = 0
    for token in tokens:
        if token[0] in ".,;:!?" or token in _CONTRASTS:
            if current:
                said.append(current)
            current, negated = 0.0, 0
            continue
        value = _VALENCES.get(token, 0.0)
        current += -0.7 * value if negated else value
        if token in _NEGATORS or token.endswith("n't"):
            negated = 4
        elif negated:
            negated -= 1
    if current:
        said.append(current)
    if not said:
        return [0.0] * 6
    best, worst = max(0.0, min(1.0, max(said) / 4)), max(0.0, min(1.0, -min(said) / 4))
    good, bad = sum(each > 0 for each in said), sum(each < 0 for each in said)
    return [
        best,
        worst,
        max(-1.0, min(1.0, said[-1] / 4)),
        min(1.0, 3 * min(best, worst)),
        _most(good, 3),
        _most(bad, 3),
    ]


def valence(text: str) -> float:
    """How good (above 0) or bad the words of a text that is :func:`clean` are, summed, -4 to 4 each; a word after a
    negation counts the other way round. "Support" is a department here and no praise."""
    said = 0.0
    negated = 0
    for token in _TOKEN.findall(text.lower()):
        if not token[0].isalpha():
            continue
        value = 0.0 if token in _SUPPORT else _VALENCES.get(token, 0.0)
        said += -0.7 * value if negated else value
        if token in _NEGATORS or token.endswith("n't"):
            negated = 4
        elif negated:
            negated -= 1
    return said


def _stars(lower: str) -> float:
    """From -1 for no or one star in the text to 1 for five; 0 where none are spoken of."""
    found = _STARS.search(lower)
    if found is None:
        return 0.0
    of_five, stars, of_ten, word = found.groups()
    if of_ten is not None:
        return (int(of_ten) - 5.5) / 4.5
    if word is not None:
        return 1.0 if word == "five" else -1.0
    return max(-1.0, (int(of_five or stars) - 3) / 2)
