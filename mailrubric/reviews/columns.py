"""Which column of an exported file is what: text, rating, date and so on, by the names that real exports give them.

Where each name comes from (``Export.known_from``): the vendor's own documentation, published code that reads or writes
such files, or only the headings of the site itself, where no public copy of the export's header could be found.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from mailrubric.reviews.values import Cell, read_date, read_rating

Field = Literal["id", "written", "rating", "title", "text", "author", "person", "url", "language"]
"""What a review is made of. ``author``: an account, unique at its source; ``person``: a name as it is displayed."""

FIELDS: tuple[Field, ...] = ("id", "written", "rating", "title", "text", "author", "person", "url", "language")

NAMES: Mapping[Field, tuple[str, ...]] = {
    "id": (
        "review id", "reviewid", "review identifier", "id", "response id", "survey response id", "uuid", "external id",
    ),
    "written": (
        # An edited review is as old as its newest text.
        "review last update date and time", "review last update millis since epoch",
        "review submit date and time", "review submit millis since epoch",
        "review created utc", "review created", "attributes created date", "attributes submitted at",
        "comments 0 user comment last modified seconds",
        "date submitted", "submitted at", "submission date", "submitted", "date published", "published at",
        "published date", "publish date", "published on", "published", "review date", "date of review",
        "review submitted date", "submitted on", "submitted date", "date posted", "posted date", "posted on",
        "erstellt am", "date de publication", "fecha de publicacion", "data di pubblicazione",
        "review datetime utc", "review datetime",
        "created at", "created date", "date created", "created", "written", "written on",
        "written at", "reviewed at", "posted at", "posted", "post date", "at", "updated at", "updated", "date",
        "date time", "datetime", "timestamp", "time", "datum", "fecha", "data",
    ),
    "rating": (
        "star rating", "review stars", "review rating", "attributes star rating", "attributes rating",
        "overall rating", "overall score", "rating overall", "stars", "star", "rating", "ratings", "score",
        "rating value", "comments 0 user comment star rating", "likelihood to recommend", "nps", "nps score",
        "stars given", "rating given", "user rating", "customer rating",
        "how likely are you to recommend", "how likely is it that you would recommend", "net promoter score",
        "bewertung", "sterne", "sternebewertung", "gesamtbewertung",
        "calificacion", "puntuacion", "valutazione", "avaliacao",
    ),
    "title": (
        "review title", "title", "headline", "review headline", "review heading", "heading", "subject", "summary",
        "review summary", "attributes title", "titel", "titre", "titulo", "titolo",
    ),
    "text": (
        "review text", "review content", "review body", "review comment", "review comments", "full review",
        "review full text", "text", "content", "body", "review", "reviews", "comment", "comments", "attributes body",
        "overall comments", "overall", "comments 0 user comment text", "message", "feedback", "verbatim",
        "description", "review description", "kommentar", "commentaire", "comentario", "commento", "rezension",
        "bewertungstext", "avis", "opinion", "resena", "recensione",
    ),
    "author": (
        "review consumer user id", "consumer id", "consumer user id", "author id", "reviewer id", "user id",
        "reviewer email", "author email", "review user email", "email", "e mail", "attributes reviewer nickname",
        "reviewer nickname", "nickname", "account",
    ),
    "person": (
        "review username", "reviewer name", "reviewer full name", "author name", "reviewer", "author", "user name",
        "username", "user", "name", "full name", "consumer display name", "consumer name", "customer name",
        "attributes user name", "display name", "reviewed by", "author title", "nutzer", "kunde", "verfasser", "autor",
        "auteur",
    ),
    "url": (
        "review link", "review url", "url", "link", "permalink", "attributes url", "review permalink", "source url",
    ),
    "language": (
        "reviewer language", "review language", "language", "lang", "locale", "language code",
        "comments 0 user comment reviewer language", "sprache",
    ),
}  # fmt: skip
"""Field → the names that its column goes by, the likeliest first; normalised as ``normalise`` does."""

_MORE_TEXT: tuple[tuple[str, ...], ...] = (
    (
        "what do you like best", "what did you like best", "attributes answers love value", "likes", "like", "love",
        "like best", "pros", "pro", "review pros", "pros comments", "positive", "positives", "what i like",
        "likes best", "love comments", "advantages", "vorteile",
    ),
    (
        "what do you dislike", "what did you dislike", "attributes answers hate value", "dislikes", "dislike", "hate",
        "cons", "con", "contra", "review cons", "cons comments", "negative", "negatives", "likes least",
        "what i dislike", "hate comments", "disadvantages", "nachteile",
    ),
    (
        "what problems", "which problems", "attributes answers benefits value", "problems solved", "benefits",
        "business problems solved",
    ),
    (
        "recommendations to others", "what recommendations", "attributes answers recommendations value",
        "recommendations", "advice to others",
    ),
)  # fmt: skip
"""Columns whose answers follow each other as paragraphs of one text, in this order. Questions (``what …``) may go on:
«What do you like best about Acme?»."""

_RATINGS_IF_NUMBERS = ("note", "nota", "voto", "points", "punkte", "grade")
"""Names of columns with ratings if there is nothing but ratings in them: an English «Note» is a text."""

_ANOTHERS = frozenset(
    (
        "reply", "replied", "response", "responded", "answer", "answered", "owner", "company", "since", "until",
        "joined", "member", "birth", "birthday", "expires", "expiry", "renewal", "purchase", "purchased", "order",
        "ordered", "experience", "visit", "edited", "deleted", "antwort", "reponse", "respuesta", "risposta",
        "question",
    )
)  # fmt: skip
"""Words in the names of columns whose dates and texts are somebody else's, or another event's."""

_SHOWN = 3
"""Cells with something in them by which a column is known without its name."""

_QUESTIONS = ("what ", "which ", "recommendations to others", "how likely ")

NAMES_OF_CHOICE: tuple[str, ...] = tuple("author" if name == "person" else name for name in FIELDS)


@dataclasses.dataclass(frozen=True, slots=True)
class Export:
    """A kind of file. ``source``: where its reviews stand, as in ``Review.source``; "" when the file does not tell.
    ``marks``: normalised column names that together tell it from the others. ``known_from``: what the names were
    checked against."""

    name: str
    title: str
    source: str
    marks: tuple[str, ...]
    known_from: Literal["documentation", "a published schema", "published code", "the site's headings", ""]


EXPORTS: tuple[Export, ...] = (
    Export("google_play_console", "Google Play Console, monthly reviews", "google_play",
           ("package name", "star rating", "review text"), "published code"),
    Export("google_play_api", "Google Play Developer API, reviews.list", "google_play",
           ("review id", "comments 0 user comment text"), "documentation"),
    Export("google_play_scraper", "google-play-scraper", "google_play",
           ("review id", "score", "content", "at"), "published code"),
    Export("app_store_connect", "App Store Connect API, customerReviews", "apple",
           ("attributes body", "attributes rating", "attributes created date"), "documentation"),
    Export("trustpilot", "Trustpilot, service reviews", "trustpilot",
           ("review id", "review stars", "review content"), "published code"),
    Export("trustpilot_api", "Trustpilot API, business unit reviews", "trustpilot",
           ("stars", "consumer display name", "created at"), "a published schema"),
    Export("g2_api", "G2 API, reviews", "g2",
           ("attributes answers love value", "attributes star rating"), "published code"),
    Export("g2", "my.G2, review activity", "g2", ("what do you like best", "what do you dislike"),
           "the site's headings"),
    Export("capterra", "Capterra and its sister sites", "capterra", ("pros", "cons", "overall rating"),
           "the site's headings"),
)  # fmt: skip
"""Files that are known, the most particular first."""

PLAIN = Export("plain", "a plain table", "", (), "")


@dataclasses.dataclass(frozen=True, slots=True)
class Columns:
    """``fields``: which column each field is, by its place; ``text``: the columns that make up the text, in order.
    ``by_values``: fields whose columns have names that nobody knows and were found by what stands in them. ``unused``:
    names of the columns that are none of these."""

    header: tuple[str, ...]
    fields: Mapping[Field, int]
    text: tuple[int, ...]
    export: Export
    by_values: tuple[Field, ...] = ()

    @property
    def named(self) -> dict[str, list[str]]:
        """Field → the names of its columns, for people."""
        found: dict[str, list[str]] = {}
        for field in FIELDS:
            places = self.text if field == "text" else (self.fields[field],) if field in self.fields else ()
            if places:
                found.setdefault("author" if field == "person" else field, []).extend(self.header[n] for n in places)
        return found

    @property
    def unused(self) -> tuple[str, ...]:
        """The names of the columns that are not read."""
        used = {*self.fields.values(), *self.text}
        return tuple(name for place, name in enumerate(self.header) if name and place not in used)


class ColumnError(ValueError):
    """The columns asked for are not there, or there are none; the text is a sentence for people."""


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[\W_]+")


_OF_SCALE = re.compile(
    r"\s*(?:[(\[](?:[\d\s./–-]|to|out|of|max|von|bis|stars?|scale)*\d[^)\]]*[)\]]|(?:out of|/)\s*\d+)\s*$", re.I
)


def normalise(name: str) -> str:
    """A column's name as names are compared: lower case, words apart, accents, a «label» and a scale at the end gone:
    «Score (1-10)» is «score»."""
    name = _OF_SCALE.sub("", name[:500])
    apart = unicodedata.normalize("NFKD", _CAMEL.sub(" ", name[:500])).casefold()
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return _NO_WORD.sub(" ", plain).strip().removesuffix(" label")


def recognised(header: Sequence[str]) -> int:
    """How many of these names are known: how much a row looks like a header."""
    found = _find([normalise(name) for name in header])
    return len(found[0]) + len(found[1])


def columns(
    header: Sequence[str],
    asked: Mapping[str, Sequence[str]] | None = None,
    sample: Sequence[Sequence[Cell]] = (),
) -> Columns:
    """What each column is. ``asked``: field → names of columns, over what is found; "text" may have several, and an
    empty list leaves a field out. ``sample``: some of the rows; where no name tells which column is the date, the
    rating or the text, the only one with nothing but dates, ratings or sentences in them is.

    ``ColumnError`` when a column that is asked for is not there, and when neither text nor rating can be found.
    """
    names = [normalise(name) for name in header]
    fields, text = _find(names)
    for field, wanted in (asked or {}).items():
        places = [_place(header, names, field, name) for name in wanted]
        # A column that is asked for is nothing else any more.
        fields = {each: place for each, place in fields.items() if place not in places}
        text = tuple(place for place in text if place not in places)
        if field == "text":
            text = tuple(places)
        else:
            for each in ("author", "person") if field == "author" else (field,):
                fields.pop(each, None)
            if places:
                fields[_field(field)] = places[0]
    by_values: list[Field] = []
    for missing, fits in _FITTING.items():
        if missing in fields or missing in (asked or {}) or (missing == "text" and text):
            continue
        free = [place for place in range(len(names)) if place not in {*fields.values(), *text}]
        alike = [place for place in free if fits(names[place], [row[place] for row in sample])]
        if len(alike) == 1:
            by_values.append(missing)
            if missing == "text":
                text = (alike[0],)
            else:
                fields[missing] = alike[0]
    if not text and "rating" not in fields and "title" not in fields:
        raise ColumnError(
            f"no column with the text or the rating of reviews was found; the columns are {_listed(header)}; "
            "name the right one, such as --column text=Body"
        )
    export = next((each for each in EXPORTS if all(_has(names, mark) for mark in each.marks)), PLAIN)
    return Columns(tuple(header), fields, text, export, tuple(by_values))


def _filled(cells: Iterable[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell is not None and not (isinstance(cell, str) and not cell.strip())]


def _like_dates(name: str, cells: Sequence[Cell]) -> bool:
    # Bare numbers may be years, versions or amounts.
    filled = _filled(cells)
    return (
        len(filled) >= _SHOWN
        and _ANOTHERS.isdisjoint(name.split())
        and all(
            not isinstance(cell, int | float)
            and not (isinstance(cell, str) and cell.strip().isdecimal())
            and read_date(cell) is not None
            for cell in filled
        )
    )


def _like_ratings(name: str, cells: Sequence[Cell]) -> bool:
    filled = _filled(cells)
    return (
        len(filled) >= _SHOWN and name in _RATINGS_IF_NUMBERS and all(read_rating(cell) is not None for cell in filled)
    )


def _like_texts(name: str, cells: Sequence[Cell]) -> bool:
    filled = _filled(cells)
    sentences = [cell for cell in filled if isinstance(cell, str) and len(cell.split()) >= 5]
    return len(filled) >= _SHOWN and _ANOTHERS.isdisjoint(name.split()) and len(sentences) * 2 > len(filled)


_FITTING: Mapping[Field, Callable[[str, Sequence[Cell]], bool]] = {
    "written": _like_dates, "rating": _like_ratings, "text": _like_texts,
}  # fmt: skip


def _field(name: str) -> Field:
    for field in FIELDS:
        if name == field:
            return field
    raise ColumnError(f"there is no field {name}; the fields are {', '.join(dict.fromkeys(NAMES_OF_CHOICE))}")


def _place(header: Sequence[str], names: Sequence[str], field: str, name: str) -> int:
    _field(field)
    if name in header:
        return header.index(name)
    if normalise(name) in names:
        return names.index(normalise(name))
    raise ColumnError(f"there is no column {name!r}; the columns are {_listed(header)}")


def _listed(header: Sequence[str]) -> str:
    shown = [name[:40] or "(no name)" for name in header[:40]]
    return ", ".join(shown) + (f" and {len(header) - 40} more" if len(header) > 40 else "")


def _has(names: Iterable[str], mark: str) -> bool:
    return any(_is(name, mark) for name in names)


def _is(name: str, known: str) -> bool:
    return name == known or (known.startswith(_QUESTIONS) and name.startswith(known + " "))


def _find(names: Sequence[str]) -> tuple[dict[Field, int], tuple[int, ...]]:
    taken: set[int] = set()

    def first(known_names: Iterable[str]) -> int | None:
        for known in known_names:
            for place, name in enumerate(names):
                if place not in taken and _is(name, known):
                    taken.add(place)
                    return place
        return None

    # «Benefits» or «Recommendations» alone are likely something else than an answer to G2's questions.
    answers = [first(known_names) for known_names in _MORE_TEXT[:2]]
    if any(place is not None for place in answers):
        answers += [first(known_names) for known_names in _MORE_TEXT[2:]]
    fields: dict[Field, int] = {}
    for field in FIELDS:
        place = first(NAMES[field])
        if place is not None:
            fields[field] = place
    text = [place for place in (fields.pop("text", None), *answers) if place is not None]
    if "author" in fields:
        fields.pop("person", None)
    return fields, tuple(text)
