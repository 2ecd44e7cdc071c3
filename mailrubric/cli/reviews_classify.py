"""``mailrubric reviews classify``: sentiment and aspects of texts in a file, for whoever wants only that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from mailrubric.cli.terminal import Failure, Usage, complain

LONGEST_LINE = 8 << 20
"""Bytes of a line; a longer one is refused, because it would have to be held in memory whole."""

_AT_ONCE = 256


def classify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help='JSON lines, each an object with a "text". - reads standard input.')
    ],
    json: Annotated[
        bool, typer.Option("--json", help="Taken for uniformity: the output is always JSON lines.", show_default=False)
    ] = False,
) -> None:
    """Add sentiment and aspects to texts: JSON lines in, the same lines with more keys out; nothing is stored."""
    if str(file) == "-":
        done, bad = _lines(sys.stdin.buffer)
    else:
        try:
            with file.open("rb") as opened:
                done, bad = _lines(opened)
        except OSError as error:
            raise Usage(f"{file}: {error.strerror or error}") from error
    if bad:
        kept = f"{done:,} of {done + bad:,} lines were classified"
        raise Failure(f"{kept}; {bad:,} could not be read", 1 if done else 3)


class _Bad(ValueError):
    """Why a line cannot be classified."""


def _lines(stream: BinaryIO) -> tuple[int, int]:
    """Classifies every line of a stream. Returns how many were classified and how many could not be read."""
    done = bad = 0
    batch: list[dict[str, Any]] = []
    for number, raw in _raw(stream):
        try:
            batch.append(_read(raw, first=number == 1))
        except _Bad as why:
            complain(f"line {number}: {why}")
            bad += 1
        if len(batch) >= _AT_ONCE:
            done += _write(batch)
            batch.clear()
    return done + _write(batch), bad


def _raw(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers, empty ones left out; None for one that is too long."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST_LINE)
            yield number, None
        elif line.strip():
            yield number, line


def _read(raw: bytes | None, *, first: bool) -> dict[str, Any]:
    import json

    if raw is None:
        raise _Bad(f"longer than {LONGEST_LINE:,} bytes")
    try:
        row = json.loads(raw.decode("utf-8-sig" if first else "utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise _Bad(f"not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        raise _Bad(f"not JSON: {error.msg} at column {error.colno}") from error
    except _Bad:
        raise
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits and lists nested thousands deep.
        raise _Bad("JSON that is too long in its numbers or too deep") from error
    if not isinstance(row, dict):
        raise _Bad('not an object such as {"text": "…"}')
    if not isinstance(row.get("text"), str):
        raise _Bad('"text" is missing' if "text" not in row else '"text" is no string')
    return row


def _no_constant(name: str) -> None:
    raise _Bad(f"not JSON: {name} is no number")


def _write(batch: list[dict[str, Any]]) -> int:
    if not batch:
        return 0
    import json

    from mailrubric.reviews.aspects import aspects
    from mailrubric.reviews.sentiment import LABELS, classify

    spoken = [row for row in batch if row["text"].strip()]
    texts = [row["text"] for row in spoken]
    for row in batch:  # what the model makes of nothing is how often each label came in its training
        row.update(label=None, probabilities=None, aspects={})
    for row, found, named in zip(spoken, classify(texts), aspects(texts), strict=True):
        row.update(label=found.label, probabilities=dict(zip(LABELS, found.probabilities, strict=True)), aspects=named)
    for row in batch:
        sys.stdout.write(json.dumps(row, ensure_ascii=True) + "\n")
    sys.stdout.flush()
    return len(batch)
