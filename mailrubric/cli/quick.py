"""A plain reader of arguments for the command that must start fast.

It reads the declarations that typer reads (``Annotated[…, typer.Option(…)]``), so there is no second definition. What
it does not understand at once (help, a fault, a positional argument, any refinement) it leaves to typer, whose answer
counts: ``None`` means "let typer look".
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from typer.models import OptionInfo

_PLAIN: dict[type, Callable[[str], Any]] = {str: str, int: int, float: float, Path: Path}


def read(command: Callable[..., Any], words: Sequence[str]) -> dict[str, Any] | None:
    """The keyword arguments that typer would call ``command`` with; None when typer has to look for itself."""
    values: dict[str, Any] = {}
    options: dict[str, tuple[str, type, bool, OptionInfo]] = {}
    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        values[name] = parameter.default
        kind, about = typing.get_args(parameter.annotation)
        if isinstance(about, OptionInfo):
            plain, many = _plain_type(kind)
            # Inside Annotated, typer keeps the first spelling where a default would stand.
            for spelling in (about.default, *(about.param_decls or ())):
                if isinstance(spelling, str):
                    options[spelling] = (name, plain, many, about)
    rest = iter(words)
    for word in rest:
        spelling, has_value, value = word.partition("=")
        if spelling not in options:
            return None
        name, plain, many, about = options[spelling]
        if plain is bool:
            if has_value:
                return None
            values[name] = True
            continue
        if not has_value:
            value = next(rest, "-")
        if value.startswith("-"):
            return None
        try:
            converted = _PLAIN[plain](value)
        except ValueError:
            return None
        if (about.min is not None and converted < about.min) or (about.max is not None and converted > about.max):
            return None
        values[name] = [*(values[name] or ()), converted] if many else converted
    return values


def _plain_type(kind: Any) -> tuple[type, bool]:
    """The type of one value, and whether the option may be repeated: ``list[str] | None`` is (str, True)."""
    if isinstance(kind, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    if typing.get_origin(kind) is list:
        return typing.get_args(kind)[0], True
    return kind, False
