"""Messages of an IMAP folder, read without changing anything: EXAMINE, FETCH with PEEK (RFC 9051 §6.3.3, §6.4.5).

The folder comes in pieces, so that one of any size passes through in bounded memory; a session that breaks off is taken
up where it was. The password or token comes from the environment, and only over TLS with a verified certificate.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import datetime
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from urllib.parse import unquote, urlsplit

from mailrubric.mail import fields, reading
from mailrubric.mail.reading import Place, Skipped
from probes import addresses
from probes.authentication import Redactor
from probes.model import DEFAULT_PORTS, Cause, Endpoint, TLSMode, Unmeasured
from probes.network import Limits, Network, Options
from probes.replies import printable, quoted
from probes.seed_mailbox import Parsed, Reader, Watch, parse
from probes.send import Login
from probes.verified_tls import surroundings_for_secrets

GROUP = 200
"""Messages whose sizes and flags are asked for at once."""
GROUP_BYTES = 4 * 1024 * 1024
"""Messages are fetched together up to this size."""
SESSIONS = 4
"""Sessions in a row that break off without bringing anything new, until that is the end."""
SECONDS = 4 * 3600.0
"""For the whole folder, where nobody says otherwise."""
LIST_BYTES = 8 * 1024 * 1024
"""The list of a folder's unique identifiers comes in one line: about a million of them fit."""
_ANSWER_BYTES = 4 * GROUP_BYTES
_MOST = 2_000_000
"""Messages of a folder; a server that names more is not believed."""
GONE = "a message that the server lists and does not hand over: deleted meanwhile, perhaps"
_BROKEN = frozenset({Cause.CONNECTION_RESET, Cause.CONNECTION_TIMEOUT})


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a mailbox. ``name``: as people write it."""

    endpoint: Endpoint
    user: str
    name: str


def parse_url(url: str) -> Folder:
    """``imaps://user@host[:993]/INBOX`` or ``imap://user@host[:143]/INBOX`` with STARTTLS (RFC 5092); an @ within the
    user's name is written %40. ``ValueError`` with a sentence for people."""
    shown = quoted(re.sub(r"(://[^/@]*):[^/]*@", r"\1:…@", url), 200)
    try:
        parts = urlsplit(url.strip())
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise ValueError(f"{shown}: {error}") from None
    if parts.scheme.lower() not in ("imap", "imaps"):
        raise ValueError(f"{shown} begins with neither imaps:// nor imap://")
    if parts.password is not None:
        raise ValueError("a password has no place in an address, where others see it: put it into the environment")
    if not parts.username:
        raise ValueError(f"{shown} names no user: imaps://user@host/INBOX (an @ in the name is written %40)")
    if parts.query or parts.fragment:
        raise ValueError(f"{shown}: nothing may follow the folder")
    tls: TLSMode = "implicit" if parts.scheme.lower() == "imaps" else "starttls"
    found = addresses.literal(host or "")
    name = str(found) if found is not None else addresses.host_name(host or "")
    folder = unquote(parts.path).strip("/") or "INBOX"
    user = unquote(parts.username)
    if any(not each.isprintable() for each in folder + user) or len(folder) > 500 or len(user) > 255:
        raise ValueError(f"{shown}: neither the user nor the folder may hold control characters or be that long")
    return Folder(Endpoint("imap", host=name, port=port or DEFAULT_PORTS["imap", tls], tls=tls), user, folder)


def limits_for_folder(limits: Limits, seconds: float) -> Limits:
    """The caps of a session that reads a whole folder."""
    return dataclasses.replace(
        limits,
        deadline=seconds,
        deadline_own_server=seconds,
        read_timeout=max(limits.read_timeout, 60.0),
        reply_lines=20_000,
        reply_bytes=_ANSWER_BYTES + 2 * reading.MESSAGE_BYTES,
        line_bytes=LIST_BYTES,
    )


def messages(folder: Folder, login: Login, options: Options, seconds: float = SECONDS) -> Iterator[Place | Skipped]:
    """The folder's messages, oldest number first, as places that hold them; and those that are listed and can't be had.
    Raises ``Unmeasured`` when it cannot be read, or not to the end; what came before is sound. Runs an event loop of
    its own."""
    options = dataclasses.replace(options, limits=limits_for_folder(options.limits, seconds))
    with asyncio.Runner() as runner:
        stream = _stream(folder, login, options)

        async def following() -> list[Place | Skipped] | None:
            return await anext(stream, None)

        try:
            while (group := runner.run(following())) is not None:
                yield from group
        finally:
            runner.run(stream.aclose())


async def _stream(folder: Folder, login: Login, options: Options) -> AsyncGenerator[list[Place | Skipped], None]:
    redactor = Redactor()
    redactor.hide(login.credentials.secret.reveal())
    surroundings = surroundings_for_secrets(options)
    network = Network(folder.endpoint, options, surroundings)
    done = 0
    validity = b""
    attempts = SESSIONS
    try:
        while True:
            attempts -= 1
            try:
                connection = await network.dial(folder.endpoint.host, folder.endpoint.port)
                async with connection:
                    reader = _FolderReader(connection, network, redactor)
                    await reader.open(folder.endpoint, login, Watch())
                    validity = await reader.examine(folder.name, validity)
                    async for place_group, last in reader.read(folder, done):
                        done = last
                        attempts = SESSIONS - 1
                        yield place_group
                    with contextlib.suppress(Unmeasured):  # everything is here already
                        await reader.leave()
                    return
            except Unmeasured as problem:
                if problem.cause not in _BROKEN or not attempts or not done:
                    raise redactor.problem(problem) from None
    finally:
        await network.close()
        await surroundings.close()


class _FolderReader(Reader):
    """Reads one folder from a unique identifier on."""

    _exists = 0

    async def examine(self, name: str, validity: bytes) -> bytes:
        """Open the folder for reading only. ``validity``: the UIDVALIDITY of before, "" for the first time; gives the
        present one. Another one means that the numbers have changed, and the folder can't be gone on with."""
        lines = await self._ok(f"EXAMINE {quoted_folder(name)}")
        found = b""
        for line in lines:
            if match := re.search(rb"\[UIDVALIDITY (\d{1,10})\]", line, re.IGNORECASE):
                found = match[1]
            if match := re.fullmatch(rb"(\d{1,10}) EXISTS", line.strip(), re.IGNORECASE):
                self._exists = int(match[1])
        if validity and found != validity:
            raise Unmeasured(Cause.PROTOCOL_ERROR, "the folder was made anew while we read it")
        return found or b"0"

    async def read(self, folder: Folder, done: int) -> AsyncIterator[tuple[list[Place | Skipped], int]]:
        """Groups of messages with unique identifiers above ``done``, each with the last identifier that it covers."""
        numbers = [number for number in await self._identifiers_above(done) if number > done]
        if self._exists and not numbers and not done:
            raise Unmeasured(
                Cause.PROTOCOL_ERROR, f"the folder holds {self._exists:,} messages, and the server names none of them"
            )
        for start in range(0, len(numbers), GROUP):
            group = numbers[start : start + GROUP]
            facts = await self._facts_of(group)
            ready: list[int] = []
            size = 0
            for number in group:
                whole = facts[number].size if number in facts else 0
                if ready and size + whole > GROUP_BYTES:
                    yield await self._messages_of(folder, ready, facts), ready[-1]
                    ready, size = [], 0
                ready.append(number)
                size += min(whole, fields.HEADER_BYTES) if whole > reading.MESSAGE_BYTES else whole
            if ready:
                yield await self._messages_of(folder, ready, facts), ready[-1]

    async def _identifiers_above(self, done: int) -> list[int]:
        """The unique identifiers above ``done``, ascending."""
        found: set[int] = set()
        for line in await self._ok(f"UID SEARCH UID {done + 1}:*"):
            words = line.split()
            if words and words[0].upper() == b"SEARCH":
                found |= {int(word) for word in words[1:] if re.fullmatch(rb"[0-9]{1,10}", word)}
            elif match := re.match(rb"ESEARCH\b.* ALL ([0-9:,]+)", line, re.IGNORECASE):  # RFC 9051 §7.3.4
                for part in match[1].split(b","):
                    ends = [int(each) for each in part.split(b":") if each and len(each) < 11]
                    if len(found) + max(ends, default=0) - min(ends, default=0) > _MOST:
                        raise Unmeasured(Cause.REPLY_TOO_LONG, f"the server names more than {_MOST:,} messages")
                    found |= set(range(min(ends), max(ends) + 1)) if ends else set()
        return sorted(found)

    async def _facts_of(self, numbers: Sequence[int]) -> dict[int, _Fact]:
        found: dict[int, _Fact] = {}
        wanted = set(numbers)
        for items in await self._items_of(numbers, "UID FLAGS INTERNALDATE RFC822.SIZE"):
            number, size, flags = items.get(b"UID"), items.get(b"RFC822.SIZE"), items.get(b"FLAGS")
            if not (isinstance(number, bytes) and number.isdigit() and isinstance(size, bytes) and size.isdigit()):
                continue
            words = flags if isinstance(flags, list) else []
            seen = any(isinstance(each, bytes) and each.lower() == b"\\seen" for each in words)
            if int(number) in wanted:
                found[int(number)] = _Fact(int(size), seen, items.get(b"INTERNALDATE"))
        return found

    async def _messages_of(
        self, folder: Folder, numbers: Sequence[int], facts: dict[int, _Fact]
    ) -> list[Place | Skipped]:
        there = [number for number in numbers if number in facts]
        large = [number for number in there if facts[number].size > reading.MESSAGE_BYTES]
        texts: dict[int, bytes] = {}
        for group, most in (
            ([number for number in there if number not in large], reading.MESSAGE_BYTES),
            (large, fields.HEADER_BYTES + 4),
        ):
            if not group:
                continue
            for items in await self._items_of(group, f"UID BODY.PEEK[]<0.{most}>"):
                number = items.get(b"UID")
                text = next((value for name, value in items.items() if name.startswith(b"BODY[]")), None)
                if isinstance(number, bytes) and number.isdigit() and isinstance(text, bytes):
                    texts[int(number)] = text
        return [
            Place(
                f"{printable(folder.name, 200)} {number}",
                "memory",
                seen=facts[number].seen,
                arrived=_date(facts[number].date),
                data=texts[number],
                whole=facts[number].size if number in large else len(texts[number]),
            )
            if number in texts
            else Skipped(f"{printable(folder.name, 200)} {number}", GONE)
            for number in numbers
        ]

    async def _items_of(self, numbers: Sequence[int], what: str) -> list[dict[bytes, Parsed]]:
        found = []
        for line in await self._ok(f"UID FETCH {ranges(numbers)} ({what})"):
            match = re.match(rb"[0-9]{1,10} FETCH (?=\()", line, re.IGNORECASE)
            if match is None:
                continue
            parsed = parse(line[match.end() :])
            items = parsed[0] if parsed and isinstance(parsed[0], list) else []
            found.append(
                {
                    name.upper(): value
                    for name, value in zip(items[::2], items[1::2], strict=False)
                    if isinstance(name, bytes)
                }
            )
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Fact:
    size: int
    seen: bool
    date: Parsed | None


def _date(value: Parsed | None) -> datetime.datetime | None:
    """INTERNALDATE (RFC 9051 §2.3.3), such as ``17-Jul-2026 02:44:25 -0700``."""
    return fields.date(value.decode("ascii", "replace").replace("-", " ", 2))[0] if isinstance(value, bytes) else None


def ranges(numbers: Sequence[int]) -> str:
    """A sequence set (RFC 9051 §9): 1, 2, 3, 7 as ``1:3,7``. ``numbers`` ascend."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{low}:{high}" if high > low else str(low) for low, high in parts)


def quoted_folder(name: str) -> str:
    """A folder's name as a quoted string, in modified UTF-7 (RFC 3501 §5.1.3)."""
    encoded = re.sub(
        r"[^\x20-\x7e]+",
        lambda match: "&" + base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-",
        name.replace("&", "&-"),
    )
    return '"' + encoded.replace("\\", "\\\\").replace('"', '\\"') + '"'
