"""From arguments to an exit code: which way a command is read, and what becomes of a failure."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence

from mailrubric.cli.terminal import Failure, NobodyReads, Stopped, report_failure, usable_output

OUR_FAULT = 70
"""Exit code, EX_SOFTWARE of sysexits.h."""
_OF_THE_SYSTEM = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EFBIG"),
        *("EIO", "ENXIO", "ELOOP", "ENAMETOOLONG", "EMFILE", "ENFILE", "ENOMEM"),
    )
    if hasattr(errno, name)
)
"""What a file system says that is nobody's fault but has to be told: no permission, no space, a name too long."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see ``mailrubric.cli.main``."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    usable_output()
    try:
        code = _answer(words)
        sys.stdout.flush()
        return code
    except (BrokenPipeError, NobodyReads):
        # The reader of our output has gone (mailrubric metrics | head): nobody is left to tell.
        _write_nowhere()
        return 141
    except OSError as error:
        if error.errno not in _OF_THE_SYSTEM:
            return _our_fault(error, words)
        if error.filename is None:  # our own output: what is left of it must not fail once more at the end
            _write_nowhere()
        where = error.filename if error.filename is not None else "the output"
        report_failure(Failure(f"{where}: {error.strerror}", 2), as_json="--json" in words)
        return 2
    except Exception as error:
        return _our_fault(error, words)


def _answer(words: list[str]) -> int:
    try:
        return _dispatch(words)
    except Failure as failure:
        report_failure(failure, as_json="--json" in words)
        return failure.code
    except (KeyboardInterrupt, Stopped):
        print("stopped", file=sys.stderr)
        return 130


def _write_nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _our_fault(error: Exception, words: Sequence[str]) -> int:
    # Python's own exit code for it, 1, would read as the answer "no".
    traceback.print_exception(error)
    fault = Failure(f"a fault of Mailrubric itself, please report it: {type(error).__name__}: {error}", OUR_FAULT)
    report_failure(fault, as_json="--json" in words)
    return OUR_FAULT


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["probe"] and any(word.split("=")[0] == "--target" for word in words):
        # The one command that is run in loops and timed: typer alone takes longer to load its validation library than
        # many a server takes to answer. Same function, same option declarations, read by a simpler reader.
        from mailrubric.cli import probe, quick

        plain = quick.read(probe.probe, words[1:])
        if plain is not None:
            return probe.answer(**plain)
    from mailrubric.cli.app import app

    try:
        app(words, prog_name="mailrubric")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0
