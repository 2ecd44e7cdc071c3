"""A PostgreSQL cluster that lives as long as one command, in a folder of its own, on loopback.

``python -m tests.postgresql COMMAND…`` runs the command with ``MAILRUBRIC_TEST_POSTGRESQL`` set to the cluster's URL.
Without PostgreSQL's programs, or with the variable set already, it just runs the command.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "MAILRUBRIC_TEST_POSTGRESQL"


def programs() -> Path | None:
    """The folder with ``initdb`` and ``pg_ctl``; Debian keeps them off PATH, one folder a version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to become: PostgreSQL refuses to run as root. None when we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster, give its URL for SQLAlchemy, stop it and remove it."""
    binaries = programs()
    if binaries is None:
        raise FileNotFoundError("initdb")
    account = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="mailrubric-postgresql-"))
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)

    def run(*command: str | Path, check: bool = True) -> None:
        subprocess.run(
            command,
            check=check,
            cwd=folder,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    data, log = folder / "data", folder / "log"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        # No fsync and trust on loopback: the data is worth nothing and gone in a minute.
        run(binaries / "initdb", "-D", data, "-U", "mailrubric", "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run(binaries / "pg_ctl", "-D", data, "-l", log, "-w", "-t", "30", "-o", settings, "start")
        run(binaries / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "mailrubric", "mailrubric")
        yield f"postgresql+pg8000://mailrubric@127.0.0.1:{port}/mailrubric"
    except subprocess.CalledProcessError:
        if log.exists():
            sys.stderr.write(log.read_text(encoding="utf-8", errors="replace"))
        raise
    finally:
        if (data / "postmaster.pid").exists():
            run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def main(command: list[str]) -> int:
    """Run ``command`` beside a cluster and return its exit code."""
    if os.environ.get(VARIABLE) or programs() is None:
        return subprocess.run(command, check=False).returncode
    with cluster() as url:
        return subprocess.run(command, check=False, env={**os.environ, VARIABLE: url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
