"""The one polite HTTP client of all collectors, and the cache of what it was answered.

A client belongs to one site. It introduces itself, asks one thing at a time with a pause in between, waits as long as
the site asks it to (``Retry-After``, RFC 9110 §10.2.3), follows redirects within the site only, and reads no more than
its limits say. Names are resolved here, and the address that was checked is the one that is dialled, so that no answer
of a DNS server leads to a private network. What goes wrong becomes a :class:`NotCollected` with a named cause.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import email.utils
import errno
import functools
import hashlib
import json
import os
import socket
import ssl
import tempfile
import time
import urllib.parse
import zlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import httpx

from mailrubric import __version__
from probes.addresses import blocked_reason, literal, split_url
from probes.model import Cause
from probes.replies import printable

T = TypeVar("T")

USER_AGENT = f"mailrubric/{__version__} (collects public reviews to compare email platforms)"
"""How we introduce ourselves."""

DAY = 86_400.0
KEPT_SECONDS = 7 * DAY
"""How long an answer stays in the cache at most: it holds people's names, which reviews in the store do not."""

_MOVED = frozenset({301, 302, 303, 307, 308})
_LATER = frozenset({429, 503})
_ADDRESSES = 4  # of one name that are tried
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ETIMEDOUT})


class NotCollected(Exception):
    """Nothing, or nothing more, can be had from a source. ``cause``: a key of ``mailrubric.causes.EXPLANATIONS``;
    ``detail``: one line for people, escaped already."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = str(cause)
        self.detail = detail


class NothingToAsk(ValueError):
    """What a collector was called with cannot be an id, a tag or a name of its source, so nobody was asked."""


class TryLater(Exception):
    """Raised by a reader when an answer says in its body that there have been too many requests; treated as HTTP 429.
    ``seconds``: how long to wait, when it says so."""

    def __init__(self, detail: str, seconds: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.seconds = seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes. ``request``: one request with its whole answer. ``spacing``: from the end of a
    request to the next one. ``waiting``: the longest wait that a site may impose; one that asks for more is given up
    for now. ``attempts``: how often one thing is asked when the answer is to come back later. ``first_wait``: how long
    we wait, doubled each time, when such an answer does not say. ``requests``: by one client in all."""

    connect: float = 10.0
    read: float = 20.0
    request: float = 60.0
    spacing: float = 1.0
    waiting: float = 120.0
    first_wait: float = 5.0
    attempts: int = 3
    redirects: int = 3
    answer_bytes: int = 8 * 1024 * 1024
    requests: int = 300


@dataclasses.dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What was made of an answer. ``cached``: it came from disk, and nobody was asked."""

    value: T
    cached: bool


async def system_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host as this machine's resolver gives them. Raises ``OSError``."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Cache:
    """Answers on disk, so that a collection that was stopped goes on where it was, and nobody is asked twice a day.

    One file for each answer, written whole or not at all. A file that cannot be read is no answer. What is older than
    ``KEPT_SECONDS`` is deleted when a cache is made. ``anew``: give nothing, only keep.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time, *, anew: bool = False) -> None:
        self.folder = folder
        self._anew = anew
        self._clock = clock
        self._sweep()

    def get(self, key: str, age: float, at_most: int) -> bytes | None:
        """The answer, unless it is older than ``age`` seconds or longer than ``at_most`` bytes."""
        if self._anew:
            return None
        try:
            with self._path(key).open("rb") as file:
                about = json.loads(file.readline(10_000))
                body = file.read(at_most + 1)
            fetched = float(about["fetched"])
            sound = about["key"] == key and about["bytes"] == len(body) <= at_most
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return body if sound and 0 <= self._clock() - fetched < age else None

    def put(self, key: str, body: bytes) -> None:
        """Keep an answer. A full or read-only disk costs the cache only."""
        about = json.dumps({"key": key, "fetched": self._clock(), "bytes": len(body)}) + "\n"
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="ascii")  # other people's names have no place in a repository
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(about.encode("ascii") + body)
                Path(name).replace(self._path(key))
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.answer"

    def _sweep(self) -> None:
        with contextlib.suppress(OSError):
            for path in (*self.folder.glob("*.answer"), *self.folder.glob("*.part")):
                with contextlib.suppress(OSError):
                    if self._clock() - path.stat().st_mtime > KEPT_SECONDS:
                        path.unlink()


@functools.lru_cache(maxsize=8)
def _trust(ca_file: str | None) -> ssl.SSLContext:
    """The certificates that count; reading them takes longer than a request."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


class Client:
    """Asks one site. Use as ``async with``.

    ``base``: scheme, host and port, such as ``https://api.example.com``; nothing else is ever asked. ``allow_private``:
    also dial private addresses (tests, a proxy of one's own). ``ca_file``: one more trust anchor in PEM. ``addresses``:
    resolves a name. ``sleep``: how to wait.
    """

    def __init__(
        self,
        base: str,
        cache: Cache | None = None,
        limits: Limits = Limits(),
        *,
        allow_private: bool = False,
        ca_file: str | None = None,
        addresses: Callable[[str, int], Awaitable[list[str]]] = system_addresses,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.scheme, self.host, self.port, _ = split_url(base)
        self.limits = limits
        self.requests = 0
        """Requests made, without answers from the cache."""
        self.cached = 0
        """Answers from the cache."""
        self._cache = cache
        self._allow_private = allow_private
        self._addresses = addresses
        self._sleep = sleep
        self._next = 0.0
        self._http = httpx.AsyncClient(
            verify=_trust(ca_file),
            trust_env=False,  # a proxy or certificates that a variable names would get round the checks below
            follow_redirects=False,
            limits=httpx.Limits(max_connections=1),
            timeout=httpx.Timeout(limits.read, connect=limits.connect),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"},
        )

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    @property
    def site(self) -> str:
        """Scheme, host and port (where it is not the usual one)."""
        usual = 443 if self.scheme == "https" else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == usual else f":{self.port}")

    async def ask(
        self,
        path: str,
        read: Callable[[bytes], T],
        *,
        parameters: Mapping[str, str | int] | None = None,
        form: bytes | None = None,
        accept: frozenset[int] = frozenset({200}),
        age: float = DAY,
    ) -> Answer[T]:
        """GET ``path`` with ``parameters`` (or POST ``form`` to it), and what ``read`` makes of the answer's body.

        An answer is kept in the cache only when ``read`` took it, and counts there for ``age`` seconds. ``accept``: the
        statuses whose bodies ``read`` wants to see. Raises ``NotCollected``.
        """
        target = path + (f"?{urllib.parse.urlencode(parameters)}" if parameters else "")
        key = f"{self.site}{target}" if form is None else f"POST {self.site}{target} {form.decode('latin-1')}"
        kept = self._cache.get(key, age, self.limits.answer_bytes) if self._cache is not None else None
        if kept is not None:
            with contextlib.suppress(NotCollected, TryLater):  # then it is asked for anew
                value = read(kept)
                self.cached += 1
                return Answer(value, cached=True)
        wait = self.limits.first_wait
        for attempt in range(1, self.limits.attempts + 1):
            try:
                status, body = await self._request(target, form, accept)
                value = read(body)
            except TryLater as later:
                asked = later.seconds if later.seconds is not None else wait
                if attempt == self.limits.attempts or asked > self.limits.waiting:
                    after = "" if later.seconds is None else f", in {later.seconds:.0f} s"
                    raise NotCollected(Cause.THROTTLED, f"{later.detail}: come back later{after}") from None
                self.hold(asked)
                wait *= 2
            else:
                if self._cache is not None and status == 200:
                    self._cache.put(key, body)
                return Answer(value, cached=False)
        raise AssertionError("the last attempt returns or raises")

    def hold(self, seconds: float) -> None:
        """Ask nothing for so long, as the site wishes. Raises ``NotCollected`` when that is longer than we wait."""
        if seconds > self.limits.waiting:
            raise NotCollected(Cause.THROTTLED, f"{self.host} asks us to wait {seconds:.0f} s")
        self._next = max(self._next, time.monotonic() + seconds)

    async def _request(self, target: str, form: bytes | None, accept: frozenset[int]) -> tuple[int, bytes]:
        """Status and body, after redirects within the site. Raises ``NotCollected`` and ``TryLater``."""
        scheme, port, seen = self.scheme, self.port, {target}
        for _ in range(self.limits.redirects + 1):
            status, headers, body = await self._once(scheme, port, target, form)
            if status in accept:
                return status, body
            shown = f"HTTP {status} from {self.host}"
            if status in _LATER:
                raise TryLater(shown, retry_after(headers.get("retry-after", "")))
            if status not in _MOVED or form is not None:
                cause = Cause.NOT_PERMITTED if status in (401, 403) else Cause.PROTOCOL_ERROR
                raise NotCollected(cause, shown)
            scheme, port, target = self._redirected(scheme, port, target, headers.get("location", ""))
            if target in seen and scheme == self.scheme:
                raise NotCollected(Cause.PROTOCOL_ERROR, f"{self.host} redirects in a circle")
            seen.add(target)
        raise NotCollected(Cause.PROTOCOL_ERROR, f"{self.host} redirects more than {self.limits.redirects} times")

    def _redirected(self, scheme: str, port: int, target: str, location: str) -> tuple[str, int, str]:
        """Where a redirect leads, within the site: the same host over the same port, or from http to https."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        try:
            joined = urllib.parse.urljoin(f"{scheme}://{host}:{port}{target}", location[:4000])
            new_scheme, new_host, new_port, new_target = split_url(urllib.parse.urldefrag(joined).url)
        except ValueError:
            raise NotCollected(Cause.PROTOCOL_ERROR, f"{self.host} redirects to no usable URL") from None
        upgraded = (scheme, new_scheme) == ("http", "https") and new_port == 443
        if not location or new_host != self.host or not ((new_scheme, new_port) == (scheme, port) or upgraded):
            where = printable(location, 100) or "nowhere"
            raise NotCollected(Cause.PROTOCOL_ERROR, f"{self.host} redirects elsewhere, which is not followed: {where}")
        return new_scheme, new_port, new_target

    async def _once(self, scheme: str, port: int, target: str, form: bytes | None) -> tuple[int, httpx.Headers, bytes]:
        """One request, in its turn."""
        if self.requests >= self.limits.requests:
            raise NotCollected(Cause.NOT_PERMITTED, f"{self.limits.requests} requests have been made: enough for once")
        pause = self._next - time.monotonic()
        if pause > 0:
            await self._sleep(pause)
        self.requests += 1
        try:
            async with asyncio.timeout(self.limits.request):
                return await self._exchange(scheme, port, target, form)
        except TimeoutError:
            detail = f"no complete answer from {self.host} in {self.limits.request:g} s"
            raise NotCollected(Cause.DEADLINE_EXCEEDED, detail) from None
        except httpx.HTTPError as error:
            raise self._fault(error) from None
        finally:
            self._next = max(self._next, time.monotonic() + self.limits.spacing)

    async def _exchange(
        self, scheme: str, port: int, target: str, form: bytes | None
    ) -> tuple[int, httpx.Headers, bytes]:
        usual = 443 if scheme == "https" else 80
        named = f"[{self.host}]" if ":" in self.host else self.host
        headers = {"Host": named if port == usual else f"{named}:{port}"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded;charset=UTF-8"
        candidates = await self._candidates(port)
        for number, address in enumerate(candidates, 1):
            shown = f"[{address}]" if ":" in address else address
            request = self._http.build_request(
                "GET" if form is None else "POST",
                f"{scheme}://{shown}:{port}{target}",
                headers=headers,
                content=form,
                # The address is dialled, but the certificate has to be the host's.
                extensions={"sni_hostname": self.host} if literal(self.host) is None else None,
            )
            try:
                response = await self._http.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(candidates):
                    raise
                continue
            try:
                return response.status_code, response.headers, await self._body(response)
            finally:
                await response.aclose()
                self._http.cookies.clear()  # we come as nobody in particular each time
        raise AssertionError("there is an address, or its lack was raised")

    async def _candidates(self, port: int) -> list[str]:
        """The addresses to dial, in order; none of them private unless that is allowed."""
        own = literal(self.host)
        if own is not None:
            found = [str(own)]
        else:
            try:
                found = await asyncio.wait_for(self._addresses(self.host, port), self.limits.connect)
            except TimeoutError:
                raise NotCollected(Cause.DNS_TIMEOUT, f"no DNS answer for {self.host}") from None
            except socket.gaierror as error:
                unknown = error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
                cause = Cause.DNS_NXDOMAIN if unknown else Cause.DNS_SERVFAIL
                raise NotCollected(cause, f"{self.host}: {printable(error.strerror or '', 100)}") from None
            except (OSError, UnicodeError) as error:
                raise NotCollected(Cause.DNS_SERVFAIL, f"{self.host}: {printable(str(error), 100)}") from None
        reasons = {text: self._blocked(text) for text in found}
        allowed = [text for text, reason in reasons.items() if reason is None]
        if not allowed:
            if not reasons:
                raise NotCollected(Cause.DNS_NXDOMAIN, f"{self.host} has no address")
            text, reason = next(iter(reasons.items()))
            raise NotCollected(Cause.BLOCKED_ADDRESS, f"{self.host} leads to {printable(text, 60)}, {reason}")
        return allowed[:_ADDRESSES]

    def _blocked(self, text: str) -> str | None:
        address = literal(text.partition("%")[0])
        if address is None:
            return "no address"
        return None if self._allow_private else blocked_reason(address)

    async def _body(self, response: httpx.Response) -> bytes:
        """The body, decoded. Unpacked here and not by httpx, which would unpack a whole bomb before anybody counts."""
        at_most = self.limits.answer_bytes
        too_long = NotCollected(Cause.REPLY_TOO_LONG, f"{self.host} sends more than {at_most} bytes")
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            raise NotCollected(Cause.PROTOCOL_ERROR, f"{self.host} sends an encoding that nobody asked for")
        raw = bytearray()
        async for chunk in response.aiter_raw():
            raw += chunk
            if len(raw) > at_most:
                raise too_long
        if encoding != "gzip" or not raw:
            return bytes(raw)
        unpack = zlib.decompressobj(wbits=31)
        try:
            body = unpack.decompress(bytes(raw), at_most + 1)
        except zlib.error:
            raise NotCollected(Cause.PROTOCOL_ERROR, f"{self.host} sends gzip that cannot be unpacked") from None
        if len(body) > at_most:
            raise too_long
        if not unpack.eof:
            raise NotCollected(Cause.PROTOCOL_ERROR, f"the answer of {self.host} breaks off")
        return body

    def _fault(self, error: httpx.HTTPError) -> NotCollected:
        """The cause of what httpx met."""
        if isinstance(error, httpx.ConnectTimeout):
            return NotCollected(Cause.CONNECTION_TIMEOUT, f"no connection to {self.host} in {self.limits.connect:g} s")
        if isinstance(error, httpx.TimeoutException):
            return NotCollected(Cause.DEADLINE_EXCEEDED, f"{self.host} stayed silent for {self.limits.read:g} s")
        inner: BaseException | None = error
        while inner is not None:
            if isinstance(inner, ssl.SSLError):
                alert = "alert" in (inner.reason or "").lower()
                cause = Cause.TLS_ALERT if alert else Cause.TLS_HANDSHAKE_ERROR
                return NotCollected(cause, f"{self.host}: {printable(str(inner), 200)}")
            if isinstance(inner, ConnectionRefusedError):
                return NotCollected(Cause.CONNECTION_REFUSED, f"{self.host} port {self.port}")
            if isinstance(inner, OSError) and inner.errno in _NO_WAY:
                return NotCollected(Cause.CONNECTION_TIMEOUT, f"{self.host}: {printable(inner.strerror or '', 100)}")
            inner = inner.__cause__ or inner.__context__
        if isinstance(error, httpx.NetworkError):
            return NotCollected(Cause.CONNECTION_RESET, f"the connection to {self.host} broke off")
        return NotCollected(Cause.PROTOCOL_ERROR, f"{self.host}: {printable(str(error), 200)}")


def retry_after(header: str) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, from now: a number, or a date (RFC 9110 §10.2.3). None when it
    says neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def read_json(body: bytes) -> Any:
    """The document in an answer. Raises ``NotCollected`` for what is none, such as a page for people."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    start = body[:1000].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        what = "a page for people (HTML or XML) in place of JSON"
    elif not start:
        what = "an empty answer in place of JSON"
    else:
        what = f"no valid JSON, or only a part of it ({len(body)} bytes)"
    raise NotCollected(Cause.PROTOCOL_ERROR, what) from None
