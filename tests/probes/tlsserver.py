"""OpenSSL's TLS server on loopback, with the versions, suites and groups that a test asks for."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from tests import needs
from tests.probes.certificates import Served, folder, localhost
from tests.probes.loopback import Handler


@contextlib.contextmanager
def openssl_server(served: Served, *arguments: str) -> Iterator[int]:
    """``openssl s_server`` over this certificate; yields its port once it listens."""
    program = needs.require("openssl", "openssl")
    command = [program, "s_server", "-accept", "127.0.0.1:0", "-cert", str(served.chain), "-key", str(served.key)]
    command += ["-cert_chain", str(served.above)] if served.above.stat().st_size else []
    command += arguments
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _port(process, output.fileno())
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _port(process: subprocess.Popen[bytes], output: int) -> int:
    """The port in the line ``ACCEPT 127.0.0.1:PORT``, which s_server prints once it listens."""
    printed = b""
    for _ in range(500):
        with open(f"/proc/self/fd/{output}", "rb") as again:
            printed = again.read()
        match = re.search(rb"^ACCEPT .*:(\d+)\s*$", printed, re.MULTILINE)
        if match:
            return int(match.group(1))
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"openssl s_server does not listen: {printed.decode(errors='replace')}")


@functools.cache
def prime(group: str) -> Path:
    """A file with the named finite field group (``ffdhe3072``, ``modp_1536``), for ``-dhparam``."""
    path = folder() / f"{group}.pem"
    program = needs.require("openssl", "openssl")
    command = [program, "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", f"group:{group}", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@contextlib.contextmanager
def openssl_servers(*arguments: str, served: Served | None = None) -> Iterator[list[int]]:
    """The ports of as many alike servers as we connect to at once: s_server serves one connection at a time."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(openssl_server(served or localhost(), *arguments)) for _ in range(4)]


def relay(ports: list[int], hold: Callable[[bytes], Awaitable[None]] | None = None) -> Handler:
    """Passes each connection on to a server that has none; its first record not before ``hold`` is over."""
    free: asyncio.Queue[int] = asyncio.Queue()
    for port in ports:
        free.put_nowait(port)

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = b""
        if hold is not None:
            first = await reader.readexactly(5)
            first += await reader.readexactly(int.from_bytes(first[3:5], "big"))
            await hold(first)
        port = await free.get()
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            inner_writer.write(first)
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer), return_exceptions=True)
        finally:
            free.put_nowait(port)

    return serve


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
    sink.close()
