"""DNS for one run: literal addresses, ``localhost``, the system's hosts file, then dnspython. Network layer: opens
sockets.

``getaddrinfo`` is never used: its look-ups run in a small pool of threads and cannot be cancelled, so a few dead names
would delay every healthy one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from probes.addresses import IPAddress, host_name, is_localhost, literal
from probes.model import Cause, Unmeasured
from probes.replies import printable, quoted

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.message
    import dns.name
    import dns.rdata
    import dns.rdatatype

_HOSTS_FILE_BYTES = 1024 * 1024
_PAYLOAD_BYTES = 1232  # DNS flag day 2020: fits into one packet everywhere
_DIRECT_AT_ONCE = 4
_DIRECT_QUESTIONS = 256
"""How much one name server is asked directly: so many questions at once, and so many in a run."""
_NAME_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('"\\@$();')


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A DNS answer that arrived. ``exists`` is False for NXDOMAIN; ``records`` is empty for NXDOMAIN and NODATA.
    ``authenticated``: the AD bit, meaningful only from a validating resolver. ``message``: for what else is needed.

    ``records`` are in the order of the answer and in presentation form ("10 mx.example.com."), but for TXT, where the
    strings of a record are joined without quotes (RFC 7208 §3.3) and bytes that are not UTF-8 are escaped.
    """

    name: str
    kind: str
    exists: bool
    records: tuple[str, ...]
    authenticated: bool
    message: dns.message.Message


@dataclasses.dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What one name server said when it was asked itself, without recursion. ``code``: NOERROR, REFUSED …;
    ``authoritative``: the AA bit; ``records``: those of the name and kind asked for, as in ``Answer``; ``referral``:
    the name servers that it names for it beside the answer (RFC 1034 §4.3.2); ``tcp``: it came over TCP."""

    server: str
    name: str
    kind: str
    code: str
    authoritative: bool
    records: tuple[str, ...]
    referral: tuple[str, ...]
    tcp: bool


class ServerFailure(Unmeasured):
    """No usable answer (``dns_servfail``). ``codes``: what the name servers said (SERVFAIL, REFUSED …); ``extended``:
    their extended errors, by number (RFC 8914)."""

    def __init__(
        self, detail: str, codes: frozenset[str] = frozenset(), extended: frozenset[int] = frozenset()
    ) -> None:
        super().__init__(Cause.DNS_SERVFAIL, detail)
        self.codes = codes
        self.extended = extended


class Resolver:
    """DNS questions of one run, each asked once. Belongs to one event loop.

    ``server``: (address, port) to ask instead of the system's name servers; the hosts file is then not read either.
    ``timeout``: seconds for one question with all its retries.
    """

    def __init__(self, server: tuple[str, int] | None, timeout: float) -> None:
        self._server = server
        self._timeout = timeout
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._questions: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self._direct: dict[tuple[str, int, str, str], asyncio.Task[ServerAnswer]] = {}
        self._direct_turns: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_DIRECT_AT_ONCE)
        )
        self._direct_count: Counter[str] = Counter()
        self._hosts: dict[str, list[str]] | None = None

    async def ask(self, name: str, kind: str) -> Answer:
        """The answer to one question, from the cache when it was asked before in this run. Failures are not kept."""
        key = (_question_name(name), kind.upper())
        task = self._questions.get(key)
        if task is None or task.cancelled() or (task.done() and task.exception() is not None):
            task = self._questions[key] = asyncio.create_task(self._ask(*key), name=f"DNS {key[1]} {key[0]}")
            task.add_done_callback(_retrieve)
        try:
            return await asyncio.shield(task)
        except ServerFailure as problem:
            raise ServerFailure(problem.detail, problem.codes, problem.extended) from None
        except Unmeasured as problem:
            raise Unmeasured(problem.cause, problem.detail) from None

    async def addresses(self, host: str) -> tuple[tuple[IPAddress, ...], str]:
        """IPv4, then IPv6 addresses of a literal or a name, in the order of the answers; and a remark, if any.

        Raises ``Unmeasured``: ``dns_nxdomain`` also for a name without any address and for what can be no name.
        """
        given = literal(host)
        if given is not None:
            return (given,), ""
        try:
            name = host_name(host)
        except ValueError as error:
            raise Unmeasured(Cause.DNS_NXDOMAIN, f"{quoted(host, 80)} is no host name: {error}") from None
        if is_localhost(name):
            return (_address("127.0.0.1"), _address("::1")), ""
        if self._server is None:
            written = [address for text in self._hosts_file().get(name, ()) if (address := literal(text)) is not None]
            if written:
                return tuple(sorted(written, key=lambda address: address.version)), "from the hosts file"
        results = await asyncio.gather(self.ask(name, "A"), self.ask(name, "AAAA"), return_exceptions=True)
        found: list[IPAddress] = []
        problems: list[Unmeasured] = []
        exists = False
        for result in results:
            if isinstance(result, Unmeasured):
                problems.append(result)
            elif isinstance(result, BaseException):
                raise result
            else:
                exists = exists or result.exists
                found += [one for text in result.records if (one := literal(text)) is not None]
        if found:
            return tuple(found), "; ".join(problem.detail for problem in problems)
        if problems:
            raise Unmeasured(problems[0].cause, problems[0].detail)
        if exists:
            raise Unmeasured(Cause.DNS_NXDOMAIN, f"{name} exists but has no address")
        raise Unmeasured(Cause.DNS_NXDOMAIN, f"{name} does not exist")

    async def ask_server(self, address: str, port: int, name: str, kind: str) -> ServerAnswer:
        """Ask the name server at this address itself, each question once in a run: over UDP, and over TCP when that
        was cut or brought nothing. Whoever calls sees to it that the address may be asked (``Network.ask_server``).

        Raises ``Unmeasured``: ``dns_timeout``, ``connection_refused``, ``no_ipv6_locally``, ``port_blocked_locally``,
        ``protocol_error`` for an answer that is none, ``not_permitted`` beyond our own limit for one server.
        """
        key = (address, port, _question_name(name), kind.upper())
        task = self._direct.get(key)
        if task is None or task.cancelled():
            if self._direct_count[address] >= _DIRECT_QUESTIONS:
                raise Unmeasured(Cause.NOT_PERMITTED, f"our own limit of {_DIRECT_QUESTIONS} questions to {address}")
            self._direct_count[address] += 1
            task = self._direct[key] = asyncio.create_task(self._ask_server(*key), name=f"{kind} {name} at {address}")
            task.add_done_callback(_retrieve)
        try:
            return await asyncio.shield(task)
        except Unmeasured as problem:
            raise Unmeasured(problem.cause, problem.detail) from None

    async def _ask_server(self, address: str, port: int, name: str, kind: str) -> ServerAnswer:
        import dns.asyncquery
        import dns.exception
        import dns.flags
        import dns.message
        import dns.name
        import dns.rdatatype

        question = dns.name.from_text(name + ".") if name else dns.name.root
        rdtype = dns.rdatatype.from_text(kind)
        # Without RD: an authoritative server owes nobody recursion, and one that recurses shows by its answer's lack of
        # AA that it is none.
        query = dns.message.make_query(question, rdtype, use_edns=0, payload=_PAYLOAD_BYTES, flags=0)
        patience = self._timeout / 2
        async with self._direct_turns[address]:
            try:
                try:
                    response = await dns.asyncquery.udp(
                        query, address, patience, port, ignore_unexpected=True, ignore_errors=True,
                        raise_on_truncation=True,
                    )  # fmt: skip
                    return _server_answer(address, name, response, question, rdtype, tcp=False)
                except (dns.message.Truncated, dns.exception.Timeout):
                    response = await dns.asyncquery.tcp(query, address, patience, port)
                    if response.flags & dns.flags.TC:
                        raise Unmeasured(Cause.PROTOCOL_ERROR, f"{address}: the answer is truncated over TCP") from None
                    return _server_answer(address, name, response, question, rdtype, tcp=True)
            except dns.exception.Timeout:
                raise Unmeasured(Cause.DNS_TIMEOUT, f"{address} does not answer within {self._timeout:g} s") from None
            except EOFError:  # the connection ended before the answer
                raise Unmeasured(Cause.CONNECTION_RESET, f"{address} hangs up instead of answering") from None
            except OSError as error:
                raise _no_way(address, error) from None
            except (dns.exception.DNSException, ValueError) as error:
                # (A server's malformed answer can trip the library up in ways that are no DNSException.)
                raise Unmeasured(Cause.PROTOCOL_ERROR, f"{address}: {printable(str(error), 200)}") from None

    async def close(self) -> None:
        """Give up the questions still under way."""
        every: list[asyncio.Task[Answer] | asyncio.Task[ServerAnswer]] = []
        every += self._questions.values()
        every += self._direct.values()
        tasks = [task for task in every if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, name: str, kind: str) -> Answer:
        import dns.exception
        import dns.flags
        import dns.name
        import dns.rdatatype
        import dns.resolver

        question = dns.name.from_text(name + ".") if name else dns.name.root
        try:
            resolver = self._resolver = self._resolver or self._configured()
            answer = await resolver.resolve(
                question,
                dns.rdatatype.from_text(kind),
                raise_on_no_answer=False,
                search=False,
                lifetime=self._timeout,
            )
        except dns.resolver.NXDOMAIN as negative:
            message = negative.response(question)  # type: ignore[no-untyped-call]
            return Answer(name, kind, exists=False, records=(), authenticated=_authenticated(message), message=message)
        except dns.resolver.NoNameservers as error:
            raise _server_failure(f"{kind} {name}", error) from None
        except dns.resolver.LifetimeTimeout:
            raise Unmeasured(Cause.DNS_TIMEOUT, f"{kind} {name}: no answer within {self._timeout:g} s") from None
        except dns.resolver.NoResolverConfiguration:
            raise Unmeasured(Cause.DNS_SERVFAIL, "no name server is configured on this machine") from None
        except (dns.exception.DNSException, OSError) as error:
            # Malformed answers, alias loops and local trouble: the resolver gave no usable answer.
            raise Unmeasured(Cause.DNS_SERVFAIL, f"{kind} {name}: {printable(str(error), 200)}") from None
        if answer.response.flags & dns.flags.TC:
            # Cut over TCP too (over UDP the resolver would have asked again): what is missing from it is not absent.
            raise Unmeasured(Cause.DNS_SERVFAIL, f"{kind} {name}: the answer is truncated")
        records = tuple(_text(record) for record in answer.rrset) if answer.rrset is not None else ()
        return Answer(name, kind, True, records, _authenticated(answer.response), answer.response)

    def _configured(self) -> dns.asyncresolver.Resolver:
        import dns.asyncresolver
        import dns.flags

        if self._server is None:
            resolver = dns.asyncresolver.Resolver(configure=True)
        else:
            host, port = self._server
            address = "127.0.0.1" if is_localhost(host.lower()) else str(literal(host) or "")
            if not address:
                raise Unmeasured(Cause.DNS_SERVFAIL, f"the resolver {quoted(host, 80)} is not an IP address")
            resolver = dns.asyncresolver.Resolver(configure=False)
            resolver.nameservers = [address]
            resolver.port = port
        resolver.cache = None
        resolver.timeout = max(0.1, self._timeout / 2)
        resolver.lifetime = self._timeout
        resolver.retry_servfail = False
        # AD in the question asks for AD in the answer (RFC 6840 §5.7) without the weight of DNSSEC records.
        resolver.flags = dns.flags.RD | dns.flags.AD
        resolver.use_edns(0, 0, _PAYLOAD_BYTES)
        return resolver

    def _hosts_file(self) -> dict[str, list[str]]:
        if self._hosts is None:
            self._hosts = _read_hosts_file()
        return self._hosts


def _server_answer(
    address: str,
    name: str,
    response: dns.message.Message,
    question: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    *,
    tcp: bool,
) -> ServerAnswer:
    import dns.flags
    import dns.rcode
    import dns.rdatatype

    records = [record for each in response.answer if each.name == question and each.rdtype == rdtype for record in each]
    referral = [
        record
        for each in response.authority
        if each.rdtype == dns.rdatatype.NS and each.name == question
        for record in each
    ]
    return ServerAnswer(
        server=address,
        name=name,
        kind=dns.rdatatype.to_text(rdtype),
        code=dns.rcode.to_text(response.rcode()),
        authoritative=bool(response.flags & dns.flags.AA),
        records=tuple(map(_text, records)),
        referral=tuple(map(_text, referral)),
        tcp=tcp,
    )


def _no_way(address: str, error: OSError) -> Unmeasured:
    """Why a name server could not be asked at all."""
    match error.errno:
        case errno.ECONNREFUSED:
            return Unmeasured(Cause.CONNECTION_REFUSED, f"{address} refuses questions")
        case errno.ECONNRESET | errno.EPIPE:
            return Unmeasured(Cause.CONNECTION_RESET, f"{address} reset the connection")
        case errno.ENETUNREACH | errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT if ":" in address:
            return Unmeasured(Cause.NO_IPV6_LOCALLY, "this machine has no way to the IPv6 internet")
        case errno.ENETUNREACH | errno.EPERM | errno.EACCES:
            return Unmeasured(Cause.PORT_BLOCKED_LOCALLY, f"this machine may not send questions to {address}")
    return Unmeasured(Cause.DNS_TIMEOUT, f"{address}: {printable(str(error), 200)}")


def _retrieve(task: asyncio.Task[Answer] | asyncio.Task[ServerAnswer]) -> None:
    """Look at the task's exception, so that asyncio does not complain when everybody who asked has gone."""
    if not task.cancelled():
        task.exception()


def _question_name(name: str) -> str:
    """A DNS name (wider than a host name: ``_dmarc``, ``*``) in lower case without the final dot."""
    text = name.strip().removesuffix(".").lower()
    if not text.isascii():
        try:
            text = host_name(text)
        except ValueError as error:
            raise Unmeasured(Cause.DNS_NXDOMAIN, f"{quoted(name, 80)} is no DNS name: {error}") from None
    labels = text.split(".") if text else []
    if len(text) > 253 or not set(text) <= _NAME_CHARACTERS or any(not 1 <= len(label) <= 63 for label in labels):
        raise Unmeasured(Cause.DNS_NXDOMAIN, f"{quoted(name, 80)} is no DNS name")
    return text


def _address(text: str) -> IPAddress:
    address = literal(text)
    if address is None:
        raise ValueError(text)
    return address


def _text(record: dns.rdata.Rdata) -> str:
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "backslashreplace")
    return record.to_text()


def _authenticated(message: dns.message.Message) -> bool:
    import dns.flags

    return bool(message.flags & dns.flags.AD)


def _server_failure(question: str, error: object) -> ServerFailure:
    """What the name servers said: SERVFAIL, REFUSED …, with the extended error (RFC 8914) where there is one."""
    import dns.edns
    import dns.rcode

    said = []
    codes = set()
    extended = set()
    for _, _, _, problem, response in getattr(error, "kwargs", {}).get("errors", ()):
        if response is None:
            said.append(printable(str(problem), 100))
            continue
        text = dns.rcode.to_text(response.rcode())
        codes.add(text)
        for option in response.options:
            if isinstance(option, dns.edns.EDEOption):
                extended.add(int(option.code))
                text += f" ({option.code.name.replace('_', ' ').lower()})"
        said.append(text)
    detail = "; ".join(dict.fromkeys(said)) or "every name server failed"
    return ServerFailure(f"{question}: {detail}", frozenset(codes), frozenset(extended))


def _read_hosts_file() -> dict[str, list[str]]:
    """Name → addresses, as the system's hosts file says; empty when there is none."""
    path = Path(r"C:\Windows\System32\drivers\etc\hosts") if sys.platform == "win32" else Path("/etc/hosts")
    try:
        with path.open("rb") as file:
            text = file.read(_HOSTS_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return {}
    hosts: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            hosts.setdefault(name.lower().removesuffix("."), []).append(address)
    return hosts
