"""Runs one program and says what it took. A small process for that alone: what a process has used at most is counted
from its parent's memory at the fork, and the bench itself is large.

    python -I -S bench/launch.py RESULT_FILE TIMEOUT PROGRAM [ARGUMENT …]

Writes JSON: ``wall`` and ``cpu`` in seconds (CPU with that of child processes that were waited for), ``peak`` in MiB of
the largest process, ``code``. After TIMEOUT seconds, or when this is to end, the program and its process group are
killed and ``code`` is null.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1


def main(result: str, timeout: float, command: list[str]) -> None:
    """See the module's text."""
    late = False

    def give_up(number: int, frame: object) -> None:
        nonlocal late
        late = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)

    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, give_up)
    start = time.perf_counter()
    process = os.fork()
    if not process:
        os.setsid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # nobody is interested any more when we are killed
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"{command[0]}: {error}", file=sys.stderr)
            os._exit(127)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    signal.setitimer(signal.ITIMER_REAL, 0)
    found = {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss / 1024,
        "code": None if late else os.waitstatus_to_exitcode(status),
    }
    with open(result, "w", encoding="ascii") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
