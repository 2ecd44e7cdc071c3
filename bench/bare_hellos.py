"""The least that hand-made hellos over STARTTLS can cost in asyncio: a bare protocol, no limits, record or judgement.

    python -m bench.bare_hellos FILE TIMES    every URL of a file so many times, four connections at once to each

Greeting, EHLO, STARTTLS, one ClientHello, the beginning of an answer, and goodbye by closing. Prints how many came as
far as that.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from probes.hello import client_hello
from probes.runner import parse_target

AT_ONCE = 4


class Dialogue(asyncio.Protocol):
    """One connection. ``answered``: whether anything came in answer to the hello."""

    def __init__(self, hello: bytes) -> None:
        self.answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._to_say = [hello, b"STARTTLS\r\n", b"EHLO bench.example\r\n"]
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio calls this once."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of a reply, or of the answer to the hello."""
        if self._transport is None:
            return
        if not self._to_say:
            self._transport.abort()
            self._end(True)
            return
        self._heard += data
        last = self._heard[:-2].rpartition(b"\n")[2]
        if self._heard.endswith(b"\n") and last[3:4] != b"-":
            self._heard = b""
            self._transport.write(self._to_say.pop())

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has hung up, or we have."""
        self._end(False)

    def _end(self, answered: bool) -> None:
        if not self.answered.done():
            self.answered.set_result(answered)


async def hold(address: str, port: int, times: int) -> int:
    """So many dialogues with one server; how many hellos were answered."""
    turns = asyncio.Semaphore(AT_ONCE)
    hello = client_hello("TLSv1.2")
    loop = asyncio.get_running_loop()

    async def one() -> bool:
        async with turns:
            _, dialogue = await loop.create_connection(lambda: Dialogue(hello), address, port)
            return await dialogue.answered

    return sum(await asyncio.gather(*(one() for _ in range(times))))


async def main(urls: Sequence[str], times: int) -> int:
    """All servers at once."""
    places = [(socket.gethostbyname(each.host), each.port) for each in map(parse_target, urls)]
    return sum(await asyncio.gather(*(hold(*place, times) for place in places)))


if __name__ == "__main__":
    print(asyncio.run(main(Path(sys.argv[1]).read_text(encoding="ascii").split(), int(sys.argv[2]))))
