"""YAML from strangers, as plain data with the position of every key and value.

Values follow ``yaml.safe_load`` (YAML 1.1) with four differences: dates stay the text that was written, mapping keys
are always the text that was written (so ``yes:`` is the key "yes"), duplicate keys are faults, and merge keys,
directives, further documents and all but the plainest tags are refused. Size, nesting and aliases are capped while
parsing, so that a hostile file costs neither time nor memory.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20
MAX_ALIASES = 50
MAX_NODES = 20_000
"""Keys and values, aliases counted as often as they are used."""
MAX_DUPLICATES = 50
"""Duplicate keys listed for one file; enough to act on."""

Position = tuple[int, int]
"""Line and column, both from 1."""
Location = tuple[str | int, ...]
"""Where in a document: mapping keys and list indexes from the top."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAPPING, _SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_SCALAR_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")} | {"!"}
_BOOLEANS = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
# The resolvers of YAML 1.1 as PyYAML has them; tests compare with safe_load.
_BOOLEAN = re.compile(r"(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)")
_INTEGER = re.compile(
    r"[-+]?(?:0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)"
)  # fmt: skip
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_LONGEST_NUMBER = 100
_LARGEST_INTEGER = 2**63 - 1
_MAY_BE_SPECIAL = frozenset("yYnNtTfFoO~-+.0123456789")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_DIRECTIVE = re.compile(r"^%(?:YAML|TAG)\b", re.MULTILINE)
_TEXT_KEYS = frozenset({"as_of"})
"""Keys whose plain values stay text: ``as_of: 2026`` is a date, not a number."""


class YAMLFault(Exception):
    """The file cannot be read as one YAML document; the text is a sentence for people.

    ``line`` and ``column`` count from 1, or are 0 when the fault is of the whole file.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class EmptyFile(YAMLFault):
    """There is nothing but comments and space."""


@dataclasses.dataclass(frozen=True, slots=True)
class DuplicateKey:
    """A key that stands twice in one mapping. ``location`` includes the key; the first value is the one kept."""

    location: Location
    first: Position
    second: Position


class _Marks:
    """Positions of one mapping or list: its own, its keys', and its values' (a position or further marks)."""

    __slots__ = ("keys", "position", "values")

    def __init__(self, position: Position, mapping: bool) -> None:
        self.position = position
        self.keys: dict[str, Position] = {}
        self.values: Any = {} if mapping else []


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One YAML document. ``data`` is made of dict (with text keys), list, str, int, float, bool and None."""

    data: Any
    marks: Any
    duplicates: tuple[DuplicateKey, ...] = ()

    def position(self, location: Sequence[str | int], *, of_key: bool = False) -> Position:
        """Where the value at ``location`` begins, or its key with ``of_key``.

        A step that the document does not have (a missing key) gives the position of what encloses it.
        """
        marks = self.marks
        found: Position = marks.position if isinstance(marks, _Marks) else marks
        for step in location:
            if not isinstance(marks, _Marks):
                break
            values = marks.values
            if isinstance(values, dict):
                if step not in values:
                    break
            elif not isinstance(step, int) or not 0 <= step < len(values):
                break
            found = marks.keys[step] if of_key and isinstance(step, str) else _start(values[step])
            marks = values[step]
        return found


def _start(marks: Any) -> Position:
    position: Position = marks.position if isinstance(marks, _Marks) else marks
    return position


class _Frame:
    """A mapping or list that is still open."""

    __slots__ = ("anchor", "data", "height", "key", "key_position", "mapping", "marks", "nodes")

    def __init__(self, mapping: bool, position: Position, anchor: str | None, nodes: int) -> None:
        self.mapping = mapping
        self.data: Any = {} if mapping else []
        self.marks = _Marks(position, mapping)
        self.anchor = anchor
        self.nodes = nodes
        self.height = 0
        self.key: str | None = None
        self.key_position: Position = position


def read_file(path: Path) -> Document:
    """The document in a file. Raises ``YAMLFault``; never reads more than ``MAX_BYTES`` + 1, and only regular files."""
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for its writer for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise YAMLFault(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise YAMLFault("is not a file")
        if status.st_size > MAX_BYTES:
            raise YAMLFault(_too_large(status.st_size))
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise YAMLFault(f"cannot be read: {error.strerror or error}") from error
    finally:
        os.close(descriptor)
    return read(content)


def _too_large(size: int) -> str:
    return f"is larger than 1 MiB ({size:,} bytes); split it"


def read(content: bytes) -> Document:
    """The document in these bytes. Raises ``YAMLFault``."""
    if len(content) > MAX_BYTES:
        raise YAMLFault(_too_large(len(content)))
    text = _decode(content)
    directive = _DIRECTIVE.search(text)
    if directive:
        line = text.count("\n", 0, directive.start()) + 1
        raise YAMLFault("YAML directives (lines that begin with %) are not used here; remove the line", line, 1)
    try:
        return _Builder(text).build()
    except yaml.YAMLError as error:
        fault = _explain(error)
        lines = text.split("\n")
        if fault.line > len(lines):  # the parser counts the end of the file as a line of its own
            fault.line, fault.column = len(lines), len(lines[-1]) + 1
        raise fault from error


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise YAMLFault("is UTF-16; save it as UTF-8", 1, 1)
    if content.startswith(b"\xef\xbb\xbf"):
        raise YAMLFault("begins with a byte-order mark; save it as UTF-8 without one", 1, 1)
    nul = content.find(b"\0")
    if nul >= 0:
        raise YAMLFault("holds a NUL byte: it is not UTF-8 text; save it as UTF-8", *_place(content, nul))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise YAMLFault(
            f"byte 0x{content[error.start]:02X} is not UTF-8; save the file as UTF-8", *_place(content, error.start)
        ) from error


def _place(content: bytes, offset: int) -> Position:
    before = content[:offset]
    line_start = before.rfind(b"\n") + 1
    return before.count(b"\n") + 1, len(before[line_start:].decode("utf-8", "replace")) + 1


class _Builder:
    """Turns parser events into data and positions, without recursion, counting as it goes."""

    def __init__(self, text: str) -> None:
        self.loader = _LOADER(text)
        self.nodes = 0
        self.aliases = 0
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, Any, int, int]] = {}
        """Name → data, marks, nodes, height of what was anchored and is complete."""
        self.root: tuple[Any, Any] | None = None
        self.duplicates: list[DuplicateKey] = []

    def build(self) -> Document:
        get_event = self.loader.get_event
        try:
            while True:
                event = get_event()
                kind = type(event)
                if kind is ScalarEvent:
                    self.scalar(event)
                elif kind is MappingStartEvent:
                    self.open(event, True)
                elif kind is SequenceStartEvent:
                    self.open(event, False)
                elif kind is MappingEndEvent or kind is SequenceEndEvent:
                    self.close()
                elif kind is AliasEvent:
                    self.alias(event)
                elif kind is DocumentEndEvent:
                    self.only_document(get_event())
                    break
                elif kind is StreamEndEvent:
                    break
        finally:
            self.loader.dispose()
        if self.root is None:
            raise EmptyFile("is empty")
        return Document(*self.root, tuple(self.duplicates))

    def only_document(self, following: Any) -> None:
        if type(following) is not StreamEndEvent:
            raise _fault("holds a second document (after ---); write it into a file of its own", following)

    def count(self, event: Any, nodes: int = 1) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _fault(f"holds more than {MAX_NODES:,} keys and values; split it", event)

    def scalar(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.count(event, 0)
        mark = event.start_mark
        position = (mark.line + 1, mark.column + 1)
        text: str = event.value
        if event.style == '"' and _UNPRINTABLE.search(text):
            raise _fault("control characters are not allowed in a text", event)
        frame = self.stack[-1] if self.stack else None
        tag = event.tag
        if frame is not None and frame.mapping and frame.key is None:
            if text == "<<" and event.implicit[0]:
                raise _fault("merge keys (<<) are not used here; write the keys out", event)
            if tag is not None and tag not in _SCALAR_TAGS:
                raise _fault(f"the tag {_shown(tag)} is not allowed", event)
            frame.key = text
            frame.key_position = position
            # An anchored key is forgotten: an alias to it is reported as unknown.
            return
        value: Any
        if tag is not None:
            value = self.tagged(event, tag, text)
        elif event.implicit[0]:
            if text and (text[0] not in _MAY_BE_SPECIAL or (frame is not None and frame.key in _TEXT_KEYS)):
                value = text
            else:
                value = self.resolve(event, text)
        else:
            value = text
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, position, 1, 0)
        self.add(value, position, 0)

    def tagged(self, event: Any, tag: str, text: str) -> Any:
        if tag not in _SCALAR_TAGS:
            raise _fault(f"the tag {_shown(tag)} is not allowed", event)
        kind = tag.rpartition(":")[2]
        if kind in ("str", "!"):
            return text
        value = self.resolve(event, text)
        if kind == "float" and type(value) is int:
            return float(value)
        if {"int": int, "float": float, "bool": bool, "null": type(None)}[kind] is not type(value):
            raise _fault(f"{_shown(text)} does not fit its tag {_shown(tag)}", event)
        return value

    def resolve(self, event: Any, text: str) -> Any:
        """A plain scalar's value."""
        if text in _NULLS:
            return None
        if len(text) > _LONGEST_NUMBER:
            return text
        if _BOOLEAN.fullmatch(text):
            return _BOOLEANS[text.lower()]
        integer = _INTEGER.fullmatch(text)
        if not integer and not _FLOAT.fullmatch(text):
            return text
        try:
            value = _integer(text) if integer else _float(text)
        except (ValueError, OverflowError):
            # 0b_ or 1:_ match the pattern of YAML 1.1 without being numbers.
            raise _fault(f"{_shown(text)} is not a number; put it in quotes if it is a text", event) from None
        if value != value or abs(value) > _LARGEST_INTEGER:
            raise _fault(f"{_shown(text)} is not a number that can be used here", event)
        return value

    def open(self, event: Any, mapping: bool) -> None:
        self.count(event)
        stack = self.stack
        if stack and stack[-1].mapping and stack[-1].key is None:
            raise _fault("a key must be a text, not a list or mapping; put it in quotes", event)
        if event.tag is not None and event.tag not in ("!", _MAPPING if mapping else _SEQUENCE):
            raise _fault(f"the tag {_shown(event.tag)} is not allowed", event)
        if len(stack) >= MAX_DEPTH:
            raise _fault(f"is nested more than {MAX_DEPTH} levels deep", event)
        mark = event.start_mark
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)  # an alias inside itself must not find an older anchor of that name
        stack.append(_Frame(mapping, (mark.line + 1, mark.column + 1), event.anchor, self.nodes - 1))

    def close(self) -> None:
        frame = self.stack.pop()
        height = frame.height + 1
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (frame.data, frame.marks, self.nodes - frame.nodes, height)
        self.add(frame.data, frame.marks, height)

    def alias(self, event: Any) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise _fault(f"uses more than {MAX_ALIASES} aliases (*name); write the values out", event)
        stack = self.stack
        if stack and stack[-1].mapping and stack[-1].key is None:
            raise _fault("a key cannot be an alias (*name); write it out, in quotes if it begins with *", event)
        if any(frame.anchor == event.anchor for frame in stack):
            raise _fault(f"the alias *{_shown(event.anchor)} stands inside what it names", event)
        if event.anchor not in self.anchors:
            raise _fault(f"the alias *{_shown(event.anchor)} names nothing; put a text with * in quotes", event)
        data, marks, nodes, height = self.anchors[event.anchor]
        if len(stack) + height > MAX_DEPTH:
            raise _fault(f"is nested more than {MAX_DEPTH} levels deep", event)
        self.count(event, nodes)
        self.add(data, marks, height)

    def add(self, value: Any, marks: Any, height: int) -> None:
        if not self.stack:
            self.root = (value, marks)
            return
        frame = self.stack[-1]
        if height > frame.height:
            frame.height = height
        if not frame.mapping:
            frame.data.append(value)
            frame.marks.values.append(marks)
            return
        key = frame.key
        assert key is not None
        frame.key = None
        own = frame.marks
        if key in frame.data:
            if len(self.duplicates) < MAX_DUPLICATES:
                self.duplicates.append(DuplicateKey((*self.path(), key), own.keys[key], frame.key_position))
            return
        frame.data[key] = value
        own.keys[key] = frame.key_position
        own.values[key] = marks

    def path(self) -> Location:
        """The location of the innermost open mapping or list."""
        return tuple(
            frame.key if frame.mapping and frame.key is not None else len(frame.data) for frame in self.stack[:-1]
        )


def _integer(text: str) -> int:
    text = text.replace("_", "")
    sign = -1 if text[0] == "-" else 1
    text = text.lstrip("+-")
    if text.startswith("0b"):
        return sign * int(text[2:], 2)
    if text.startswith("0x"):
        return sign * int(text[2:], 16)
    if ":" in text:
        return sign * int(_sexagesimal(text, int))
    if text != "0" and text.startswith("0"):
        return sign * int(text, 8)
    return sign * int(text)


def _float(text: str) -> float:
    text = text.replace("_", "").lower()
    sign = -1.0 if text[0] == "-" else 1.0
    text = text.lstrip("+-")
    if text in (".inf", ".nan"):
        return sign * float(text[1:])
    if ":" in text:
        return sign * _sexagesimal(text, float)
    return sign * float(text)


def _sexagesimal(text: str, number: type[int] | type[float]) -> float:
    value: float = 0
    for digits in text.split(":"):
        value = value * 60 + number(digits)
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _fault(message: str, event: Any) -> YAMLFault:
    mark = event.start_mark
    return YAMLFault(message, mark.line + 1, mark.column + 1)


_ADVICE: tuple[tuple[str, str], ...] = (
    ("cannot start any token", "this character cannot begin a value; put the value in quotes (and indent with spaces, "
     "never with tabs)"),
    ("mapping values are not allowed", "a colon and a space stand inside an unquoted text, or the indentation is "
     "wrong; put the text in quotes"),
    ("did not find expected key", "a key was expected here: is the indentation the same as above, and every quote and "
     "bracket closed?"),
    ("could not find expected ':'", "a colon was expected after the key: write key: value"),
    ("did not find expected '-' indicator", "a list item (- …) was expected here; is the indentation as above?"),
    ("did not find expected ',' or ']'", "a list was opened with [ and not closed with ]"),
    ("did not find expected ',' or '}'", "a mapping was opened with { and not closed with }"),
    ("unexpected end of stream", "a text was opened with a quote and not closed"),
    ("did not find expected node content", "a value was expected here"),
    ("did not find expected <document start>", "this stands outside the document; is the indentation as above?"),
    ("block sequence entries are not allowed", "a list item (- …) is not allowed here: begin the list on a line of its "
     "own"),
    ("found unknown escape character", "a backslash in double quotes begins an escape; use single quotes"),
    ("did not find expected hexdecimal", "a backslash in double quotes begins an escape; use single quotes"),
    ("tab character", "a tab stands in the indentation; use spaces"),
    ("control characters are not allowed", "a control character is not allowed"),
    ("special characters are not allowed", "a control character is not allowed"),
    ("undefined tag handle", "a text that begins with ! must stand in quotes"),
    ("while scanning a tag", "a text that begins with ! must stand in quotes"),
    ("anchor", "a text that begins with & or * must stand in quotes"),
    ("alias", "a text that begins with & or * must stand in quotes"),
)  # fmt: skip


_UNCLOSED = ("did not find expected ',' or", "unexpected end of stream", "did not find expected node content")


def _explain(error: yaml.YAMLError) -> YAMLFault:
    """A parser's complaint as a sentence that helps."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = f"{error.problem or ''} {error.context or ''}"
        if error.context_mark is not None and any(phrase in said for phrase in _UNCLOSED):
            mark = error.context_mark  # where it was opened; the parser stopped at the end of the file
        place = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    else:
        said = str(error)
        place = (0, 0)
    for phrase, advice in _ADVICE:
        if phrase in said:
            return YAMLFault(f"is not valid YAML: {advice}", *place)
    return YAMLFault(f"is not valid YAML: {' '.join(said.split())[:200]}", *place)
