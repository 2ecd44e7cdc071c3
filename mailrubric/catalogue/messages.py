"""What is wrong in a YAML file, where, and how to put it right, in sentences of our own.

What a place expects is read from the model's JSON Schema, which names ranges, choices, patterns and keys in one form.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from mailrubric.catalogue.models import (
    CurveFunction,
    MapFunction,
    Model,
    NoneFunction,
    PointsFunction,
    ShareFunction,
    YesNoFunction,
)
from mailrubric.catalogue.yamlfile import Document, Location

Severity = Literal["error", "warning"]

MAX_PROBLEMS = 100
"""Problems of one file that are shown; a file with more is broken as a whole."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One fault in one file.

    ``line`` and ``column`` count from 1; both are 0 when the fault is of the file as a whole. ``key``: where in the
    document (``endpoints.submission[0].port``), empty for the whole. ``severity``: a warning is allowed but looks
    like a mistake.
    """

    path: Path
    line: int
    column: int
    message: str
    key: str = ""
    severity: Severity = "error"

    @property
    def shown_path(self) -> str:
        """The path from the current folder when it lies inside, as given otherwise."""
        return shown_path(self.path)

    def __str__(self) -> str:
        place = self.shown_path + (f":{self.line}:{self.column}" if self.line else "")
        warning = "warning: " if self.severity == "warning" else ""
        key = f"{self.key}: " if self.key else ""
        return f"{place}: {warning}{key}{self.message}"


class CatalogueError(Exception):
    """The files cannot be used. ``problems`` lists every fault of every file, sorted by path and position."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=order)
        super().__init__("\n".join(map(str, self.problems)))


def order(problem: Problem) -> tuple[str, int, int, str, str]:
    """Sort key: path, position, then text, so that the same files always give the same list."""
    return (str(problem.path), problem.line, problem.column, problem.key, problem.message)


@dataclasses.dataclass(frozen=True, slots=True)
class Hint:
    """What may have been meant by ``word``: looked for only when the finding is shown, since it takes time."""

    word: str
    choices: Collection[str] = dataclasses.field(compare=False)
    otherwise: str = ""
    """Said when no choice is close."""

    def __str__(self) -> str:
        return suggestion(self.word, self.choices) or self.otherwise


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A fault at a place of one document, before it is given a path and a position.

    ``of_key``: the fault is of the key at ``location``, not of its value.
    """

    location: Location
    message: str
    severity: Severity = "error"
    of_key: bool = False
    hint: Hint | None = None


def shown_path(path: Path) -> str:
    """A path for people: from the current folder when it lies inside; control characters escaped."""
    try:
        text = path.absolute().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        text = str(path)
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


_PLAIN_KEY = re.compile(r"[\w-]+")


def dotted(location: Location) -> str:
    """``("endpoints", "submission", 0, "port")`` as ``endpoints.submission[0].port``."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.fullmatch(step) and len(step) <= 64:
            text += f".{step}" if text else step
        else:
            text += f"[{shown(step)}]"
    return text


def shown(value: Any) -> str:
    """A value from a file as it appears in a message: quoted, cut, harmless in a terminal."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:59] + "…")
    if isinstance(value, (int, float)):
        return f"{value:,}".replace(",", "") if isinstance(value, int) else f"{value:.12g}"
    return "a list" if isinstance(value, (list, tuple)) else "keys with values"


_MOST_CHOICES = 500
"""Among more choices only a spelling variant is looked for: comparing them all would take seconds."""


def suggestion(word: str, choices: Collection[str]) -> str:
    """``; did you mean 'title'?``, or nothing when no choice is close."""
    if len(word) > 64:
        return ""
    by_simple_form = {_simple(choice): choice for choice in sorted(choices)}
    if len(by_simple_form) > _MOST_CHOICES:
        close = [_simple(word)] if _simple(word) in by_simple_form else []
    else:
        close = difflib.get_close_matches(_simple(word), by_simple_form, 1, 0.6)
    return f"; did you mean {by_simple_form[close[0]]!r}?" if close else ""


def _simple(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")


def listed(words: Iterable[str], conjunction: str = "or", at_most: int = 12) -> str:
    """``a, b or c``; a long list is cut."""
    items = list(words)
    if len(items) > at_most:
        return ", ".join(items[:at_most]) + " …"
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


# --- what pydantic found, in words ------------------------------------------------------------------------------------

_PATTERNS = {
    r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$": "an id of lower-case letters and digits joined by hyphens, such as tls-versions",
    r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$": "a name of lower-case letters and digits joined by _, such as dedicated_ip",
    r"^(\d{4}(-\d{2}(-\d{2})?)?|undated)$": "a date (2026-08-13, 2026-08 or 2026) or undated",
    r"^https?://": "an address that begins with https:// or http://",
    r"^[A-Z]{3}$": "a currency of three capital letters, such as EUR",
}
_SCORES: dict[str, type[Model]] = {
    "points": PointsFunction,
    "map": MapFunction,
    "yes": YesNoFunction,
    "no": YesNoFunction,
    "share_of": ShareFunction,
    "none_of": NoneFunction,
    "curve": CurveFunction,
}
_SCORE_KINDS = "points, map, yes and no, share_of, none_of or curve"


def findings_of(error: ValidationError, model: type[Model], data: Any, base: Location = ()) -> list[Finding]:
    """What a failed validation of ``data`` by ``model`` means, one sentence for each place.

    ``base``: where ``data`` stands in its document.
    """
    schema = _schema(model)
    found: dict[Location, Finding] = {}
    in_union: set[Location] = set()
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        raw, kind = fault["loc"], fault["type"]
        location, value, of_key, union = _locate(raw, data)
        score = _score_location(location)
        if score is not None:
            if score not in found:
                for finding in _score_findings(_value_at(data, score), score):
                    found[finding.location] = finding
                found.setdefault(score, Finding(score, ""))  # marks it as done; dropped below
            continue
        if union:
            in_union.add(location)
        if location in found:
            continue
        if (
            kind == "too_short"
            and isinstance(value, list)
            and len(value) >= _subschema(schema, location).get("minItems", 0)
        ):
            continue  # pydantic counts the entries without a fault; those with one are reported already
        if kind == "missing" and isinstance(raw[-1], str):
            name = raw[-1]
            # A place of its own for each missing key, so that two of them give two sentences.
            found[(*location, name)] = Finding((*location, name), "this key is missing")
        elif kind == "extra_forbidden":
            found[location] = _unknown_key(location, _subschema(schema, location[:-1]))
        elif of_key:
            found[location] = Finding(
                location, f"the key must be {_expected(_key_schema(schema, location))}", of_key=True
            )
        else:
            if kind == "missing":  # an entry of a pair: the pair is the place to look at
                value = _value_at(data, location)
            found[location] = _mismatch(location, _subschema(schema, location), value)
    # Of the several complaints of a union ("no boolean, no number, list item 2 is no text") the deepest helps.
    for location in in_union:
        if any(len(other) > len(location) and other[: len(location)] == location for other in found):
            found.pop(location, None)
    return [
        dataclasses.replace(finding, location=(*base, *finding.location))
        for finding in found.values()
        if finding.message
    ]


@functools.lru_cache(maxsize=32)
def _schema(model: type[Model]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _locate(raw: tuple[int | str, ...], data: Any) -> tuple[Location, Any, bool, bool]:
    """Pydantic's location without the steps that are no part of the document: names of a union's members, ``[key]``.

    Returns (location, value there, whether the key itself is at fault, whether a union was involved).
    """
    location: list[str | int] = []
    value = data
    union = False
    for index, step in enumerate(raw):
        last = index == len(raw) - 1
        if last and step == "[key]":
            return tuple(location), value, True, union
        inside_list = isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)
        if inside_list or (isinstance(value, dict) and step in value):
            location.append(step)
            value = value[step]
        elif not (last and (isinstance(value, dict) or (isinstance(value, list) and isinstance(step, int)))):
            union = True
    return tuple(location), value, False, union


def _value_at(data: Any, location: Location) -> Any:
    for step in location:
        data = data[step]
    return data


def _score_location(location: Location) -> Location | None:
    """Where the value function is that ``location`` lies in, or None."""
    if location[:1] == ("score",):
        return location[:1]
    if len(location) >= 3 and location[0] == "criteria" and location[2] == "score":
        return location[:3]
    return None


def _score_findings(value: Any, location: Location) -> list[Finding]:
    """A value function that fits none of the six kinds, in one sentence or in those of the kind that was meant."""
    if not isinstance(value, dict):
        return [Finding(location, f"expected {_SCORE_KINDS}, got {shown(value)}")]
    kinds = list(dict.fromkeys(_SCORES[key] for key in value if key in _SCORES))
    if len(kinds) > 1:
        keys = [key for key in value if key in _SCORES]
        return [Finding(location, f"holds {listed(keys, 'and')}, of which only one kind may stand: {_SCORE_KINDS}")]
    if not kinds:
        wrong = next(iter(value), None)
        if wrong is None:
            return [Finding(location, f"is empty; write one of {_SCORE_KINDS}")]
        hint = Hint(wrong, _SCORES, f"; write one of {_SCORE_KINDS}")
        return [Finding((*location, wrong), "unknown key", of_key=True, hint=hint)]
    try:
        kinds[0].model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        return findings_of(error, kinds[0], value, location)
    return []


def _unknown_key(location: Location, parent: Mapping[str, Any]) -> Finding:
    known = list(parent.get("properties", {}))
    key = str(location[-1])
    return Finding(location, "unknown key", of_key=True, hint=Hint(key, known, f"; expected {listed(known)}"))


def _mismatch(location: Location, schema: Mapping[str, Any], value: Any) -> Finding:
    """``expected …, got …`` for a value that does not fit its schema."""
    options = _options(schema)
    if len(options) == 1:
        special = _special(options[0], value)
        if special:
            return Finding(location, special)
    message = f"expected {_expected(schema)}, got {shown(value)}"
    kinds = {option.get("type") for option in options}
    if value is None:
        message += "; fill it in, or remove the key"
    elif isinstance(value, str):
        choices = [str(choice) for option in options for choice in option.get("enum", ())]
        if choices:
            return Finding(location, message, hint=Hint(value, choices))
        if kinds <= {"number", "integer"} and _reads_as_number(value):
            message += "; write it in digits and without quotes"
        elif kinds == {"array"} and value.isprintable() and len(value) <= 40:
            message += f"; write it in brackets: [{value}]"
    elif isinstance(value, bool | int | float) and kinds == {"string"} and "enum" not in options[0]:
        message += "; put it in quotes"
    return Finding(location, message)


def _special(schema: Mapping[str, Any], value: Any) -> str:
    """Sentences for values of the right type and the wrong size."""
    kind = schema.get("type")
    if kind in ("number", "integer") and isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None and high is not None and not low <= value <= high:
            return f"expected {shown(low)}–{shown(high)}, got {shown(value)}"
    if kind == "string" and isinstance(value, str) and "pattern" not in schema:
        if not value.strip():
            return "must not be empty"
        if len(value.strip()) > schema.get("maxLength", len(value)):
            return f"is too long: at most {schema['maxLength']:,} characters, not {len(value.strip()):,}"
    if kind == "array" and isinstance(value, list):
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
        if "prefixItems" in schema:
            return f"expected {_pair(schema)}, got a list of {len(value)}" if len(value) != 2 else ""
        if len(value) < least:
            return f"expected at least {least} {'entry' if least == 1 else 'entries'}, got {len(value)}"
        if len(value) > most:
            return f"expected at most {most} entries, got {len(value)}"
    if kind == "object" and isinstance(value, dict):
        if len(value) < schema.get("minProperties", 0):
            return "must not be empty"
        if len(value) > schema.get("maxProperties", len(value)):
            return f"expected at most {schema['maxProperties']} keys, got {len(value)}"
    return ""


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _options(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a schema, null left out: to leave a key out says the same."""
    if "pattern" in schema or "anyOf" not in schema:
        return [schema]
    return [option for option in schema["anyOf"] if option.get("type") != "null"]


def _expected(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words."""
    options = _options(schema)
    texts = [_PATTERNS[option["pattern"]] for option in options if option.get("pattern") in _PATTERNS]
    if texts:
        return texts[0]
    return listed(dict.fromkeys(_expected_one(option) for option in options))


def _pair(schema: Mapping[str, Any]) -> str:
    # The one pair whose second number is bounded is that of a value and its points.
    return "a pair [value, score]" if "maximum" in schema["prefixItems"][1] else "a pair [low, high]"


def _expected_one(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + listed(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _range(schema)
    if kind == "array":
        if "prefixItems" in schema:
            return _pair(schema)
        items = schema.get("items", {})
        return "a list of texts" if items.get("type") == "string" and "enum" not in items else "a list"
    return {"boolean": "true or false", "string": "a text", "object": "keys with values"}.get(
        str(kind), "keys with values"
    )


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {shown(low)} to {shown(high)}"
    above = schema.get("exclusiveMinimum")
    lower = (
        f" of at least {shown(low)}"
        if low is not None
        else f" greater than {shown(above)}"
        if above is not None
        else ""
    )
    return lower + (f"{' and' if lower else ''} at most {shown(high)}" if high is not None else "")


def _subschema(schema: Mapping[str, Any], location: Location) -> Mapping[str, Any]:
    """The part of a model's schema that describes ``location``; empty where nothing is known."""
    definitions = schema.get("$defs", {})
    place = _resolve(schema, definitions)
    for step in location:
        candidates = [_resolve(option, definitions) for option in place.get("anyOf", [place])]
        place = next((inner for option in candidates for inner in _inner(option, step)), {})
        place = _resolve(place, definitions)
    return place


def _inner(schema: Mapping[str, Any], step: str | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(step, int):
        pair = schema.get("prefixItems")
        if pair and step < len(pair):
            yield pair[step]
        elif isinstance(schema.get("items"), Mapping):
            yield schema["items"]
        return
    if step in schema.get("properties", {}):
        yield schema["properties"][step]
    elif schema.get("patternProperties"):
        yield from schema["patternProperties"].values()
    elif isinstance(schema.get("additionalProperties"), Mapping):
        yield schema["additionalProperties"]


def _key_schema(schema: Mapping[str, Any], location: Location) -> Mapping[str, Any]:
    """What the keys of the mapping around ``location`` must look like."""
    parent = _subschema(schema, location[:-1])
    pattern = next(iter(parent.get("patternProperties", {})), None)
    return {"type": "string", "pattern": pattern} if pattern else {"type": "string"}


def _resolve(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
    return schema


# --- findings and documents together ----------------------------------------------------------------------------------


def place(findings: Iterable[Finding], path: Path, document: Document | None) -> list[Problem]:
    """Findings with the path and position of what they are about; at most ``MAX_PROBLEMS``, first in the file first."""
    positioned = []
    for finding in dict.fromkeys(findings):
        line, column = document.position(finding.location, of_key=finding.of_key) if document is not None else (0, 0)
        problem = Problem(path, line, column, finding.message, dotted(finding.location), finding.severity)
        positioned.append((problem, finding.hint))
    positioned.sort(key=lambda pair: order(pair[0]))
    left_out: list[Problem] = []
    if len(positioned) > MAX_PROBLEMS:
        # Errors before warnings: the cut must never hide that the file cannot be used.
        positioned.sort(key=lambda pair: pair[0].severity != "error")
        left_out = [problem for problem, _ in positioned[MAX_PROBLEMS:]]
        del positioned[MAX_PROBLEMS:]
    problems = [
        dataclasses.replace(problem, message=f"{problem.message}{hint}") if hint is not None else problem
        for problem, hint in positioned
    ]
    if left_out:
        message = f"{len(left_out):,} further problems of this file are not shown"
        problems.append(dataclasses.replace(left_out[0], message=message, key=""))
    return sorted(dict.fromkeys(problems), key=order)
