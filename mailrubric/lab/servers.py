"""Binds the lab's ports and runs its servers on an event loop of their own, in one background thread."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import logging
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from typing import Any

from OpenSSL import SSL

from mailrubric.lab.authority import Authority
from mailrubric.lab.mailbox import IMAPService, POP3Service, SieveService
from mailrubric.lab.nameserver import ZONE, UDPNameserver, Zone, serve_tcp
from mailrubric.lab.smtp import SMTPService, SMTPSession
from mailrubric.lab.stream import Closed, Stream, server_context
from mailrubric.lab.vendors import IMPLICIT, PREFERRED_PORTS, LabVendor, Place, Protocol, Service
from mailrubric.lab.web import WebService

NAMESERVER = Place(f"ns.{ZONE}", "dns")
_NETWORK = "127.77"
"""Linux answers on all of 127/8, so each host gets an address of its own there: 127.77.VENDOR.HOST."""
_ONE_ADDRESS = "127.0.0.1"
"""Where the system gives only this one (macOS, BSD), every host shares it and differs by port."""
_UDP_TRIES = 20
_BACKLOG = 100
_STOP_SECONDS = 5.0

_log = logging.getLogger(__name__)


class LabError(Exception):
    """The lab cannot start; the text is a sentence for people."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Bound:
    """A place with its socket: listening, not answering yet."""

    place: Place
    vendor: LabVendor
    socket: socket.socket


class Servers:
    """All servers of the lab. ``open`` binds every port, ``start`` begins to answer, ``close`` ends it all."""

    def __init__(self, vendors: tuple[LabVendor, ...], authority: Authority) -> None:
        self._vendors = vendors
        self._authority = authority
        self._bound: list[_Bound] = []
        self._dns_tcp: socket.socket | None = None
        self._dns_udp: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.addresses: dict[str, str] = {}
        """Host name → address."""
        self.ports: dict[Place, int] = {}
        """Place → port."""
        self.unopened: list[Place] = []
        """Places whose only possible port (443 for MTA-STS policies) this user may not open."""

    def open(self, given: Mapping[Service, int], former: Mapping[Place, int]) -> None:
        """Bind every socket. ``given`` ports must be free; ``former`` and the usual ones are taken if they are.

        Raises ``LabError``; nothing stays bound then.
        """
        try:
            self._assign_addresses()
            self._open_nameserver(given.get("dns"), former.get(NAMESERVER))
            for vendor in self._vendors:
                for place in vendor.places():
                    self._open_place(vendor, place, given.get(place.service), former.get(place))
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Begin to answer; returns when every server does. Raises ``LabError``."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="mailrubric-lab", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except OSError as error:
            self.close()
            raise LabError(f"the lab's servers cannot start: {error}") from error

    def close(self) -> None:
        """Stop answering, close every socket, end the thread. Safe to call twice."""
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is not None and stop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # closed by itself since we looked
                loop.call_soon_threadsafe(stop.set)
        if thread is not None and thread is not threading.current_thread():
            thread.join(_STOP_SECONDS)
            self._thread = None
        for bound in self._bound:
            bound.socket.close()
        self._bound.clear()
        for nameserver in (self._dns_tcp, self._dns_udp):
            if nameserver is not None:
                nameserver.close()
        self._dns_tcp = self._dns_udp = None

    # --- binding ------------------------------------------------------------------------------------------------------

    def _assign_addresses(self) -> None:
        many = _can_bind(f"{_NETWORK}.0.53")
        self.addresses[NAMESERVER.host] = f"{_NETWORK}.0.53" if many else _ONE_ADDRESS
        for number, vendor in enumerate(self._vendors, start=1):
            hosts = dict.fromkeys(place.host for place in vendor.places())
            for position, host in enumerate(hosts, start=1):
                self.addresses[host] = f"{_NETWORK}.{number}.{position}" if many else _ONE_ADDRESS

    def _open_nameserver(self, given: int | None, former: int | None) -> None:
        """One port number for UDP and TCP."""
        address = self.addresses[NAMESERVER.host]
        for _ in range(_UDP_TRIES):
            tcp = _bind(address, NAMESERVER, given, former)
            port = int(tcp.getsockname()[1])
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                udp.bind((address, port))
            except OSError:
                tcp.close()
                udp.close()
                if given is not None:
                    raise LabError(f"port {given} (UDP, for dns) of {address} is taken") from None
                former = 0  # any other
            else:
                udp.setblocking(False)
                self._dns_tcp, self._dns_udp = tcp, udp
                self.ports[NAMESERVER] = port
                return
        raise LabError(f"no port of {address} is free for both UDP and TCP")

    def _open_place(self, vendor: LabVendor, place: Place, given: int | None, former: int | None) -> None:
        if place.service == "policy":
            bound = self._bind_policy(place)
            if bound is None:
                self.unopened.append(place)
                return
        else:
            bound = _bind(self.addresses[place.host], place, given, former, listens=vendor.listens)
        self._bound.append(_Bound(place, vendor, bound))
        self.ports[place] = int(bound.getsockname()[1])

    def _bind_policy(self, place: Place) -> socket.socket | None:
        """Port 443 of an address that no other lab on this machine has taken for it; None when we may not have it."""
        usual = self.addresses[place.host]
        others = [usual.replace(_NETWORK, f"127.{number}", 1) for number in range(78, 98)]
        for address in dict.fromkeys([usual, *others]):  # just the one where the system gives only one
            with contextlib.suppress(LabError):
                bound = _bind(address, place, PREFERRED_PORTS["policy"], None)
                self.addresses[place.host] = address
                return bound
        return None

    # --- answering ----------------------------------------------------------------------------------------------------

    def _run(self, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except BaseException as error:
            if ready.done():
                _log.exception("the lab's servers ended by an error")
            else:
                ready.set_exception(error)

    async def _serve(self, ready: Future[None]) -> None:
        assert self._dns_tcp is not None
        assert self._dns_udp is not None
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with contextlib.AsyncExitStack() as stack:
            zone = Zone(self._records())
            transport, _ = await self._loop.create_datagram_endpoint(lambda: UDPNameserver(zone), sock=self._dns_udp)
            stack.callback(transport.close)

            async def answer_dns(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await serve_tcp(zone, reader, writer)

            servers = [await asyncio.start_server(answer_dns, sock=self._dns_tcp)]
            contexts = {vendor.id: self._contexts(vendor) for vendor in self._vendors if vendor.listens}
            for bound in self._bound:
                if bound.vendor.listens:  # otherwise the port stays bound and deaf: connections are refused
                    protocol = bound.vendor.protocol(bound.place, self.ports)
                    context = contexts[bound.vendor.id][isinstance(protocol, WebService)]
                    servers.append(
                        await asyncio.start_server(_handler(bound.place, protocol, context), sock=bound.socket)
                    )
            for server in servers:
                stack.callback(server.close)
            ready.set_result(None)
            await self._stop.wait()
        # asyncio.run cancels the conversations that are still going on.

    def _records(self) -> list[tuple[str, str, str]]:
        records = [(NAMESERVER.host, "A", self.addresses[NAMESERVER.host])]
        for vendor in self._vendors:
            hosts = dict.fromkeys(place.host for place in vendor.places())
            records += vendor.records({host: self.addresses[host] for host in hosts})
        return records

    def _contexts(self, vendor: LabVendor) -> tuple[SSL.Context, SSL.Context]:
        """TLS of its mail servers, and of its web servers."""
        names: dict[bool, list[str]] = {False: [], True: []}
        for place in vendor.places():
            same = names[place.service in ("https", "policy")]
            if place.host not in same:
                same.append(place.host)
        mail_identity = vendor.identity(self._authority, names[False])
        mail = server_context(mail_identity, oldest=vendor.oldest, newest=vendor.newest)
        if not names[True]:
            return mail, mail
        return mail, server_context(self._authority.issue(names[True]), alpn=("h2", "http/1.1"))


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def _handler(place: Place, protocol: Protocol, context: SSL.Context) -> Handler:
    """What asyncio calls for each connection to a place."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = Stream(reader, writer)
        try:
            agreed = await stream.start_tls(context) if place.service in IMPLICIT else ""
            await _converse(protocol, stream, context, agreed)
        except Closed as reason:
            _log.debug("%s %s: %s", place.service, place.host, reason)
        except asyncio.CancelledError:
            stream.abort()  # the lab is closing: no time for goodbyes
            raise
        finally:
            await stream.close()

    return handle


async def _converse(protocol: Protocol, stream: Stream, context: SSL.Context, agreed: str) -> None:
    match protocol:
        case SMTPService():
            await SMTPSession(protocol, stream, context).run()
        case IMAPService() | POP3Service() | SieveService():
            await protocol.run(stream, context)
        case WebService():
            await protocol.run(stream, agreed)


def _can_bind(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True


def _bind(address: str, place: Place, given: int | None, former: int | None, *, listens: bool = True) -> socket.socket:
    """A TCP socket at the given port, or else at the former, the usual or any free one.

    It listens at once: until then another lab that starts at this moment could bind the same port. One that shall
    never listen keeps others out by not sharing its port at all.
    """
    usual = PREFERRED_PORTS[place.service]
    candidates = [given] if given is not None else [former, usual, 0] if former is not None else [usual, 0]
    reason: OSError | None = None
    for port in candidates:
        assert port is not None
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(listens))
        try:
            listener.bind((address, port))
            if listens:
                listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            reason = error
            if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EPERM):
                break
        else:
            return listener
    detail = reason.strerror if reason is not None else "no port was tried"
    raise LabError(f"port {candidates[0]} ({place.service}) of {address} cannot be opened: {detail}") from reason
