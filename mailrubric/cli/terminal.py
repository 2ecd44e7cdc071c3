"""What commands say and how: JSON on stdout, tables, plain words, failures. Everything from outside is escaped here.

rich is imported only where a table or a progress bar is drawn.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from mailrubric.display import one_line

if TYPE_CHECKING:
    from rich.console import Console

VERSION = 1
"""Of every ``--json`` shape (docs/json.md)."""

_WIDE = 400
"""Columns when the output is no terminal: nothing is wrapped in a file or a pipe."""


class Failure(Exception):
    """A command cannot give its answer. ``code``: exit code. ``details``: further lines, such as one for each fault;
    ``problems``: the same for programs."""

    def __init__(
        self, message: str, code: int, details: Sequence[str] = (), problems: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = tuple(details)
        self.problems = tuple(problems)


class Usage(Failure):
    """The command was called wrongly, or with something that does not exist: exit code 2."""

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message, 2, details)


class Stopped(Exception):
    """Ctrl-C."""


class NobodyReads(Exception):
    """The reader of our output has gone, as ``head`` does."""


_PLAIN = str.maketrans(
    {"–": "-", "—": "-", "−": "-", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "×": "x", "→": "->", "·": "-"}
)
"""What our own sentences use, in ASCII."""


def _in_plain_words(error: UnicodeError) -> tuple[str | bytes, int]:
    """Error handler of an output (:func:`codecs.register_error`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return plain.encode("ascii", "backslashreplace").decode("ascii"), error.end


def usable_output() -> None:
    """Characters that the terminal's encoding lacks are shown as the nearest ASCII, or as escapes, rather than ending
    the program; an output that is closed (``>&-``) takes everything and keeps nothing."""
    codecs.register_error("mailrubric-plain", _in_plain_words)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 until the program ends
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="mailrubric-plain")


def report_failure(failure: Failure, *, as_json: bool) -> None:
    """The failure on stderr, and as JSON on stdout when JSON was asked for."""
    for line in failure.details:
        complain(line)
    complain(f"Error: {failure.message}")
    if as_json:
        print_json({"error": {"message": failure.message, "problems": list(failure.problems)}})


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on stdout with its version first, in ASCII, which is safe on any terminal."""
    sys.stdout.write(json.dumps({"version": VERSION, **document}, ensure_ascii=True, indent=2, allow_nan=False) + "\n")


def say(text: str = "") -> None:
    """One line on stdout, its control characters shown as escapes."""
    print(one_line(text))


def complain(text: str) -> None:
    """One line on stderr, its control characters shown as escapes. What cannot be told there changes no answer."""
    with contextlib.suppress(OSError):
        print(one_line(text), file=sys.stderr)


def interactive(stream: TextIO | None) -> bool:
    """Whether somebody watches this stream."""
    return stream is not None and stream.isatty()


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = (), whole: Iterable[int] = ()
) -> None:
    """A table on stdout. ``right``: indices of right-aligned columns; ``whole``: of columns that are not broken into
    lines when the terminal is narrow. Cells are texts from anywhere."""
    from rich.table import Table
    from rich.text import Text

    aligned, unbroken = set(right), set(whole)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(header):
        table.add_column(
            Text(title),
            justify="right" if index in aligned else "left",
            overflow="fold",
            no_wrap=index in unbroken,
        )
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    if interactive(sys.stdout):
        _console().print(table)
        return
    with (console := _console()).capture() as written:
        console.print(table)
    for line in written.get().splitlines():
        print(line.rstrip())


def print_title(text: str) -> None:
    """A heading on stdout."""
    from rich.text import Text

    _console().print(Text(one_line(text), style="bold"))


def _console() -> Console:
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            """Where rich would leave with exit code 1, which reads as the answer "no"."""
            raise NobodyReads

    watched = interactive(sys.stdout)
    return Ours(file=sys.stdout, width=None if watched else _WIDE, highlight=False, emoji=False, markup=False)
