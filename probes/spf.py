"""SPF records: parsing, and counting what evaluating one costs, over the whole tree of includes and redirects.

The counting follows every branch, as for a message that matches nothing (RFC 7208 §4.6.4): the most that any sender's
message can cost. DNS comes in as a function, so that all of this works on answers alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Literal

from probes.addresses import literal
from probes.model import Unmeasured
from probes.ranges import EVERYTHING, AddressSet, IPNetwork
from probes.replies import printable

if TYPE_CHECKING:
    from probes.network import Answer

Resolve = Callable[[str, str], Awaitable["Answer"]]
"""(name, kind) → answer; raises ``Unmeasured`` when none came, as ``Network.resolve`` does."""

LOOKUP_LIMIT = 10
"""Terms with DNS look-ups that an evaluation may meet before it is a permerror (RFC 7208 §4.6.4)."""
VOID_LIMIT = 2
MX_LIMIT = 10
COUNTED = 30
"""Counting stops here: 30 means 30 or more."""

Qualifier = Literal["+", "-", "~", "?"]
_QUALIFIERS: dict[str, Qualifier] = {"+": "+", "-": "-", "~": "~", "?": "?"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_MACRO = re.compile(r"%(?:[%_-]|\{[slodiphcrtvSLODIPHCRTV][0-9]{0,3}[rR]?[.+,/_=-]*\})")
_CIDR = re.compile(r"(.*?)(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?", re.DOTALL)
_VERSION = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)


class SPFSyntaxError(ValueError):
    """A record that is a permerror by its text alone; the message is printable."""


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """One mechanism. ``domain``: its domain-spec, "" when it has none. ``network``: of ``ip4`` and ``ip6``.
    ``lengths``: of the IPv4 and IPv6 prefixes of ``a`` and ``mx``."""

    qualifier: Qualifier
    mechanism: str
    domain: str = ""
    network: IPNetwork | None = None
    lengths: tuple[int, int] = (32, 128)

    @property
    def has_macros(self) -> bool:
        """Whether its domain depends on the message."""
        return "%" in self.domain


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """The mechanisms up to and with ``all`` (RFC 7208 §5.1: what follows is ignored) and the ``redirect`` target, ""
    when there is none or an ``all`` makes it void (§6.1)."""

    terms: tuple[Term, ...]
    redirect: str = ""

    @property
    def all(self) -> Qualifier | None:
        """The qualifier of ``all``."""
        return self.terms[-1].qualifier if self.terms and self.terms[-1].mechanism == "all" else None


def records_of(texts: Sequence[str]) -> list[str]:
    """The SPF records among a name's TXT records (RFC 7208 §4.5)."""
    return [text for text in texts if _VERSION.match(text)]


def parse(text: str) -> Record:
    """The record; raises ``SPFSyntaxError`` for what any evaluator has to call a permerror (RFC 7208 §4.6)."""
    if not _VERSION.match(text):
        raise SPFSyntaxError("it does not begin with v=spf1")
    if not (text.isascii() and text.isprintable()):
        raise SPFSyntaxError("it has characters other than printable ASCII")
    terms: list[Term] = []
    modifiers: dict[str, str] = {}
    for word in text[6:].split(" "):
        if not word:
            continue
        match = _NAME.match(word)
        if match and word[match.end() : match.end() + 1] == "=":
            name, value = match.group().lower(), word[match.end() + 1 :]
            if name in ("redirect", "exp"):
                if name in modifiers:
                    raise SPFSyntaxError(f"{name} comes twice")
                modifiers[name] = _domain(value, word)
            elif _has_bad_macro(value):
                raise SPFSyntaxError(f"malformed macro in {_shown(word)}")
            continue
        terms.append(_term(word))
    end = next((index for index, term in enumerate(terms) if term.mechanism == "all"), None)
    if end is not None:
        return Record(tuple(terms[: end + 1]))
    return Record(tuple(terms), modifiers.get("redirect", ""))


def _shown(word: str) -> str:
    return repr(printable(word, 80))


def _term(word: str) -> Term:
    qualifier = _QUALIFIERS.get(word[0], "+")
    rest = word[1:] if word[0] in _QUALIFIERS else word
    match = _NAME.match(rest)
    mechanism = match.group().lower() if match else ""
    after = rest[match.end() :] if match else rest
    argument = after[1:] if after.startswith(":") else None
    if argument is None and after and not (mechanism in ("a", "mx") and after.startswith("/")):
        raise SPFSyntaxError(f"malformed term {_shown(word)}")
    match mechanism:
        case "all":
            if argument is not None:
                raise SPFSyntaxError(f"all takes no argument: {_shown(word)}")
            return Term(qualifier, mechanism)
        case "include" | "exists":
            if argument is None:
                raise SPFSyntaxError(f"{mechanism} names no domain")
            return Term(qualifier, mechanism, _domain(argument, word))
        case "ptr":
            return Term(qualifier, mechanism, "" if argument is None else _domain(argument, word))
        case "a" | "mx":
            domain, lengths = _domain_and_lengths(after, argument, word)
            return Term(qualifier, mechanism, domain, lengths=lengths)
        case "ip4" | "ip6":
            return Term(qualifier, mechanism, network=_network(mechanism, argument or "", word))
    raise SPFSyntaxError(f"unknown mechanism {_shown(word)}")


def _domain_and_lengths(after: str, argument: str | None, word: str) -> tuple[str, tuple[int, int]]:
    """The domain of ``a`` and ``mx``, and the lengths of its prefixes. Slashes inside a macro are its delimiters, so
    lengths are looked for behind the last brace."""
    text = after if argument is None else argument
    head, brace, tail = text.rpartition("}")
    match = _CIDR.fullmatch(tail)
    lengths = (int(match[2] or 32), int(match[3] or 128)) if match is not None else (33, 129)
    if match is None or lengths[0] > 32 or lengths[1] > 128 or "/" in match[1]:
        raise SPFSyntaxError(f"malformed prefix length in {_shown(word)}")
    domain = head + brace + match[1]
    return "" if argument is None else _domain(domain, word), lengths


def _network(mechanism: str, argument: str, word: str) -> IPNetwork:
    address, slash, length = argument.partition("/")
    widest = 32 if mechanism == "ip4" else 128
    try:
        if slash and not (length.isdigit() and str(int(length)) == length and int(length) <= widest):
            raise ValueError(length)
        prefix = int(length) if slash else widest
        if mechanism == "ip4":
            return ipaddress.IPv4Network((ipaddress.IPv4Address(address).packed, prefix), strict=False)
        if "%" in address:  # a scope, which Python takes and SPF does not
            raise ValueError(address)
        return ipaddress.IPv6Network((ipaddress.IPv6Address(address).packed, prefix), strict=False)
    except ValueError:
        raise SPFSyntaxError(f"malformed address in {_shown(word)}") from None


def _has_bad_macro(text: str) -> bool:
    return "%" in _MACRO.sub("", text)


def _domain(text: str, word: str) -> str:
    """A domain-spec (RFC 7208 §7.1), without its trailing dot, in lower case unless it has macros."""
    if _has_bad_macro(text):
        raise SPFSyntaxError(f"malformed macro in {_shown(word)}")
    if "%" in text:
        return text
    name = text.removesuffix(".").lower()
    labels = name.split(".")
    if len(labels) < 2 or len(name) > 253 or any(not 1 <= len(label) <= 63 for label in labels):
        raise SPFSyntaxError(f"no domain name in {_shown(word)}")
    if not re.search(r"[a-z]", labels[-1]) or not re.fullmatch(r"[a-z0-9-]+", labels[-1]):
        raise SPFSyntaxError(f"no domain name in {_shown(word)}")
    return name


_NOBODY = AddressSet()


@dataclasses.dataclass(slots=True)
class Cost:
    """What evaluating a record costs, over its whole tree. ``lookups``: terms that ask DNS, without the record's own
    query; ``voids``: look-ups with an empty answer. ``all``: qualifier of the ``all`` that ends the evaluation, "none"
    when nothing does. ``error``: why an evaluator must call it a permerror, "" when it need not. ``unknown``: why the
    tree could not be followed to its end; ``per_sender``: part of it depends on the message (macros). ``names``: those
    whose records are included or redirected to.

    ``passing``: the addresses for which the record says pass. They are not all of them when ``open_ended`` (a term's
    addresses depend on the message), and not known when ``passing_unknown`` says why."""

    lookups: int = 0
    voids: int = 0
    all: str = "none"
    error: str = ""
    unknown: Unmeasured | None = None
    per_sender: bool = False
    endless: bool = False
    names: set[str] = dataclasses.field(default_factory=set)
    passing: AddressSet = _NOBODY
    passing_unknown: Unmeasured | None = None
    open_ended: bool = False

    def fault(self, error: str) -> None:
        """Keep the first error."""
        self.error = self.error or error


async def cost_of(domain: str, record: Record, resolve: Resolve, addresses: bool = False) -> Cost:
    """Follow the record of ``domain`` to the end. Never raises ``Unmeasured``: see ``Cost.unknown``. ``addresses``: ask
    for those of ``a`` and ``mx`` terms as well, which costs more questions, and is needed for ``Cost.passing``."""
    cost = Cost()
    walk = _Walk(resolve, cost, addresses)
    try:
        cost.all, cost.passing = await walk.record(domain, record, (domain,))
    except Unmeasured as reason:
        cost.unknown = reason
    if cost.lookups > LOOKUP_LIMIT:
        cost.fault(f"it takes {cost.lookups} DNS look-ups, {LOOKUP_LIMIT} are allowed")
    if cost.voids > VOID_LIMIT:
        cost.fault(f"{cost.voids} DNS look-ups have an empty answer, {VOID_LIMIT} are allowed")
    return cost


class _Walk:
    """A walk over the tree of one record, adding up in ``cost``."""

    def __init__(self, resolve: Resolve, cost: Cost, addresses: bool) -> None:
        self._resolve = resolve
        self._cost = cost
        self._addresses = addresses

    async def record(self, domain: str, record: Record, path: tuple[str, ...]) -> tuple[str, AddressSet]:
        """How the record ends, and for which addresses it says pass: those that match a passing term and none before
        it (RFC 7208 §4.6.2)."""
        cost = self._cost
        decided = passing = _NOBODY
        for term in record.terms:
            if cost.lookups >= COUNTED:
                return "none", passing
            matching = await self._term(domain, term, path)
            if term.qualifier == "+":
                passing |= matching - decided
            decided |= matching
        if record.all is not None:
            return f"{record.all}all", passing
        if record.redirect and cost.lookups < COUNTED:
            cost.lookups += 1
            end, matching = await self._enter("redirect", record.redirect, path)
            return end, passing | (matching - decided)
        return "none", passing

    async def _term(self, domain: str, term: Term, path: tuple[str, ...]) -> AddressSet:
        """The addresses that match one term, as far as they are known."""
        if term.network is not None:
            return AddressSet.of((term.network,))
        if term.mechanism == "all":
            return EVERYTHING
        self._cost.lookups += 1
        if term.mechanism == "include":
            return (await self._enter("include", term.domain, path))[1]
        if term.has_macros or term.mechanism == "ptr":
            self._cost.open_ended = True
            return _NOBODY
        return await self._look_up(term, term.domain or domain)

    async def _enter(self, how: str, target: str, path: tuple[str, ...]) -> tuple[str, AddressSet]:
        """Go on in another name's record."""
        cost = self._cost
        if "%" in target:
            cost.per_sender = cost.open_ended = True
            return "none", _NOBODY
        cost.names.add(target)
        if target in path:
            cost.endless = True
            cost.fault(f"{how} of {printable(target, 100)} leads back to itself")
            return "none", _NOBODY
        answer = await self._resolve(target, "TXT")
        if not answer.records:
            cost.voids += 1
        found = records_of(answer.records)
        if len(found) != 1:
            cost.fault(f"{how} of {printable(target, 100)}, which has {'no SPF record' if not found else 'several'}")
            return "none", _NOBODY
        try:
            record = parse(found[0])
        except SPFSyntaxError as error:
            cost.fault(f"{how} of {printable(target, 100)}: {error}")
            return "none", _NOBODY
        return await self.record(target, record, (*path, target))

    async def _look_up(self, term: Term, name: str) -> AddressSet:
        """Count an empty answer. ``a`` asks for one kind of address, depending on the sender: only an answer that is
        empty for both kinds is sure to be empty."""
        cost = self._cost
        hosts = [name]
        if term.mechanism == "mx":
            answer = await self._resolve(name, "MX")
            if len(answer.records) > MX_LIMIT:
                cost.fault(f"mx of {printable(name, 100)}, which has more than {MX_LIMIT} hosts")
            hosts = [record.split()[-1].removesuffix(".") for record in answer.records[:MX_LIMIT]]
        else:
            answer = await self._resolve(name, "A")
            if term.mechanism == "a" and answer.exists and not answer.records:
                answer = await self._resolve(name, "AAAA")
        if not answer.records:
            cost.voids += 1
            return _NOBODY
        if term.mechanism == "exists":  # of a name that is the same for every message
            return EVERYTHING
        return await self._of_hosts([host for host in hosts if host], term.lengths) if self._addresses else _NOBODY

    async def _of_hosts(self, hosts: Sequence[str], lengths: tuple[int, int]) -> AddressSet:
        try:
            answers = await asyncio.gather(*(self._resolve(host, kind) for host in hosts for kind in ("A", "AAAA")))
        except Unmeasured as reason:
            self._cost.passing_unknown = reason
            return _NOBODY
        found = [address for answer in answers for text in answer.records if (address := literal(text)) is not None]
        return AddressSet.of(
            ipaddress.ip_network((address, lengths[0] if address.version == 4 else lengths[1]), strict=False)
            for address in found
        )
