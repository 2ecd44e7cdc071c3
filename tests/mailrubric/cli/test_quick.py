"""The fast reader gives what typer gives, or leaves it to typer."""

from __future__ import annotations

import contextlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from mailrubric.cli import probe, quick


def by_typer(words: list[str]) -> dict[str, Any] | None:
    """What typer calls the command with; None when it refuses or shows help."""
    seen: list[dict[str, Any]] = []

    def record(**values: Any) -> None:
        seen.append(values)

    record.__signature__ = inspect.signature(probe.probe, eval_str=True)  # type: ignore[attr-defined]
    record.__annotations__ = inspect.get_annotations(probe.probe, eval_str=True)
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(record)
    with contextlib.suppress(SystemExit):
        app(words)
    return seen[0] if seen else None


def same(mine: dict[str, Any], typers: dict[str, Any]) -> bool:
    return {k: v or None for k, v in mine.items()} == {k: v or None for k, v in typers.items()}


UNDERSTOOD = [
    ["--target", "smtp://mx.example:587"],
    ["--target", "smtp://mx.example:587", "--json"],
    ["--target=smtp://mx.example:587", "--json", "--allow-private"],
    ["--json", "--deadline", "5", "--target", "a"],
    ["--deadline=0.5", "--target", "a", "--ca", "x.pem", "--ehlo", "me.example", "--resolver", "127.0.0.1:53"],
    ["--target", "a", "--probe", "smtp", "--probe=tls", "--role", "mx", "--workspace", "w"],
    ["--target", "a=b"],
    ["--target", ""],
    ["--target", "a", "--target", "b"],
    ["--concurrency", "500", "--target", "a"],
]
LEFT_TO_TYPER = [
    ["--target"],
    ["--target", "--json"],
    ["--target", "a", "--help"],
    ["--target", "a", "-h"],
    ["--target", "a", "--nonsense"],
    ["--target", "a", "vendor"],
    ["--target", "a", "--deadline", "soon"],
    ["--target", "a", "--deadline", "0"],
    ["--target", "a", "--deadline", "601"],
    ["--target", "a", "--concurrency", "1.5"],
    ["--target", "a", "--json=yes"],
    ["--target", "a", "--"],
    ["--tar", "a"],
]


@pytest.mark.parametrize("words", UNDERSTOOD, ids=" ".join)
def test_plain_arguments_are_read_as_typer_reads_them(words):
    mine = quick.read(probe.probe, words)
    theirs = by_typer(words)
    assert mine is not None
    assert theirs is not None
    assert same(mine, theirs)


@pytest.mark.parametrize("words", LEFT_TO_TYPER, ids=" ".join)
def test_anything_else_is_left_to_typer(words):
    assert quick.read(probe.probe, words) is None


def test_types_are_those_of_the_declaration():
    values = quick.read(probe.probe, ["--target", "a", "--deadline", "5", "--ca", "x.pem", "--concurrency", "3"])
    assert values is not None
    assert (values["deadline"], values["ca"], values["concurrency"]) == (5.0, Path("x.pem"), 3)
    assert isinstance(values["deadline"], float)
    assert values["vendors"] is None


words = st.sampled_from(
    ["--target", "--json", "--all", "--deadline", "--role", "--probe", "--ca", "a", "5", "0", "mx", "-h", "-", "--",
     "--target=x", "--deadline=7", "--role=mx", "--json=1", "--allow-private", "--skip-fresh", "--category", "=", ""]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=6))
def test_whatever_it_reads_typer_reads_the_same(chosen):
    mine = quick.read(probe.probe, chosen)
    if mine is not None:
        theirs = by_typer(chosen)
        assert theirs is not None
        assert same(mine, theirs)
