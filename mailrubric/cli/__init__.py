"""The command line: ``mailrubric COMMAND``. Its contract is in DESIGN: commands, ``--json``, exit codes.

``main`` is the entry point. Nothing is imported here that a command does not need.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 fine, 1 the answer is "no", 2 usage, 3 nothing could be measured,
    70 a fault of our own, 130 stopped with Ctrl-C."""
    from mailrubric.cli.run import run

    return run(arguments)
