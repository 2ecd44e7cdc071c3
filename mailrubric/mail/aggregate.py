"""Many analysed messages summed up: shares with Wilson's interval, counts, and why there is no figure where there is
none. Takes them one at a time, in little memory."""

from __future__ import annotations

import array
import copy
import dataclasses
import datetime
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from mailrubric.evidence.observation import Observation
from mailrubric.evidence.times import written
from mailrubric.intervals import wilson
from mailrubric.mail import listing
from mailrubric.mail.message import AnalysedMessage
from mailrubric.mail.metrics import METRICS
from mailrubric.mail.received import boundary, network_of
from probes.model import Cause

ADDRESSES = 10_000
"""Sending addresses that are told apart."""
FEW_WORDS = 20
"""A picture with fewer words beside it is all that such a message has to say."""
MOST_UNKNOWN = 0.1
"""Of what a share is about, no more than this part may be unknown: otherwise the rest says too little about all."""
SOURCE = "mailrubric mail analyse"
BY_WORD = "all messages are bulk mail, as its reader says"
"""Detail of a share whose messages are bulk mail because somebody said so (``--bulk``)."""
_MOST_COMMON = 20


def bounds(yes: int, n: int, unknown: int) -> tuple[float, float]:
    """Wilson's interval of a share where ``unknown`` more are not known: it covers whatever they are, since what is not
    known is seldom like the rest (a signature is unknown, its absence is not)."""
    return wilson(yes, n + unknown)[0], wilson(yes + unknown, n + unknown)[1]


@dataclasses.dataclass(slots=True)
class Tally:
    """A share being counted. ``causes``: (cause, detail) of messages that it is unknown for."""

    yes: int = 0
    n: int = 0
    causes: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)

    def add(self, value: bool | None, cause: tuple[str, str]) -> None:
        """One message that the share is about."""
        if value is None:
            self.causes[cause] += 1
        else:
            self.yes += value
            self.n += 1


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One metric over all messages: a value or a cause. Shares in per cent, with the bounds of their 95 % interval.
    ``unknown``: messages that it is about and of which nothing is known."""

    metric: str
    value: float | int | None
    n: int
    low: float | None = None
    high: float | None = None
    cause: str = ""
    detail: str = ""
    unknown: int = 0


_SECOND_LEVELS = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "ltd", "me", "ne", "net", "or", "org", "plc"})
"""What registries of countries put between a name and the country: example.co.uk."""


def house(domain: str) -> str:
    """The part of a domain that most likely has one owner: ``shop.example`` of ``news.shop.example``, ``shop.co.uk`` of
    ``news.shop.co.uk``. A guess from the name, which asks nobody."""
    labels = domain.split(".")
    registered = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVELS else 2
    return ".".join(labels[-registered:])


def _always(message: AnalysedMessage) -> bool:
    return True


def _bulk_but_for(sign: str) -> Callable[[AnalysedMessage], bool | None]:
    """Whether a message is bulk mail, by every sign but the field that is measured: chosen by that, all would have it,
    and those without would have dropped out."""
    return lambda message: listing.kind(message, without=sign)


def _html(message: AnalysedMessage) -> bool | None:
    return message.html


def _linked(message: AnalysedMessage) -> bool | None:
    return None if message.links is None else message.links > 0


def _picture_only(message: AnalysedMessage) -> bool:
    return bool(message.images) and (message.words or 0) < FEW_WORDS


def _last_hop(message: AnalysedMessage) -> bool | None:
    hop = boundary(message.hops)
    return hop.tls if hop is not None else None


_STATED = {"dkim": "dkim_stated", "spf": "spf", "dmarc": "dmarc", "arc": "arc_results"}
"""Method → the field of a message with what its receiver states of it."""

_SHARES: tuple[
    tuple[str, str, Callable[[AnalysedMessage], bool | None], Callable[[AnalysedMessage], bool | None], str], ...
] = (
    # metric, field whose cause tells why it is unknown, which messages it is about (None where that is not known),
    # value, what these are called
    ("trial.dkim_pass_share", "dkim", _always, lambda m: None if m.dkim is None else m.dkim == "pass", "messages"),
    ("trial.dkim_aligned_share", "dkim_aligned", _always, lambda m: m.dkim_aligned, "messages"),
    (
        "trial.dkim_body_unsigned_share",
        "dkim",
        lambda m: m.dkim in ("pass", None),
        lambda m: (
            None if m.dkim is None else any(each.result == "pass" and each.unsigned_bytes for each in m.signatures)
        ),
        "messages with a verified signature",
    ),
    ("trial.spf_aligned_share", "spf_aligned", _always, lambda m: m.spf_aligned, "messages"),
    ("trial.dmarc_aligned_share", "dmarc_aligned", _always, lambda m: m.dmarc_aligned, "messages"),
    (
        "trial.dmarc_stated_pass_share",
        "dmarc",
        _always,
        lambda m: None if m.dmarc is None else m.dmarc == "pass",
        "messages",
    ),
    ("trial.tls_last_hop_share", "sending_address", _always, _last_hop, "messages"),
    ("trial.bulk_share", "bulk", _always, lambda m: m.bulk, "messages"),
    (
        "trial.list_unsubscribe_share",
        "",
        _bulk_but_for(listing.LIST_UNSUBSCRIBE),
        lambda m: m.list_unsubscribe,
        "bulk messages",
    ),
    ("trial.one_click_share", "", _bulk_but_for(listing.LIST_UNSUBSCRIBE), lambda m: m.one_click, "bulk messages"),
    (
        "trial.one_click_signed_share",
        "one_click_signed",
        lambda m: m.one_click,
        lambda m: m.one_click_signed,
        "messages with one-click unsubscription",
    ),
    ("trial.list_id_share", "", _bulk_but_for(listing.LIST_ID), lambda m: bool(m.list_id), "bulk messages"),
    ("trial.feedback_id_share", "", _bulk_but_for(""), lambda m: bool(m.feedback_id), "bulk messages"),
    ("trial.plain_text_share", "plain_text", _html, lambda m: m.plain_text, "messages with HTML"),
    ("trial.picture_only_share", "html", _html, _picture_only, "messages with HTML"),
    ("trial.https_links_share", "links", _linked, lambda m: m.https_links == m.links, "messages with web links"),
    ("trial.tracking_pixel_share", "html", _html, lambda m: bool(m.tracking_pixels), "messages with HTML"),
    ("trial.redirect_links_share", "links", _linked, lambda m: bool(m.redirect_links), "messages with web links"),
)


_OF_BULK = frozenset(metric for metric, *_, what in _SHARES if what == "bulk messages")
_KIND_UNKNOWN = ("kind_unknown", "no other field shows whether they are bulk mail")


class Aggregate:
    """The sum of a stream of messages: ``add`` each, then ask for ``figures``. ``all_bulk``: whoever gave them says
    that all are bulk mail, so that shares of bulk messages are of all of them."""

    def __init__(self, *, all_bulk: bool = False) -> None:
        self.all_bulk = all_bulk
        self.messages = 0
        self.first: datetime.datetime | None = None
        self.last: datetime.datetime | None = None
        self.tallies = {metric: Tally() for metric, *_ in _SHARES}
        self._of_all = {metric: Tally() for metric in _OF_BULK}
        self.senders: Counter[str] = Counter()
        self.signers: Counter[str] = Counter()
        self.mailers: Counter[str] = Counter()
        self.fingerprints: Counter[str] = Counter()
        self.link_hosts: Counter[str] = Counter()
        self.tls_versions: Counter[str] = Counter()
        self.results: dict[str, Counter[str]] = {name: Counter() for name in _STATED}
        """What the receivers state, by method."""
        self.chains: Counter[str] = Counter()
        """Messages with ARC sets, by whether we find that the chain holds; "unknown" where that can't be told."""
        self.tls_hops = self.plain_hops = self.unknown_hops = 0
        self._domains: dict[str, set[str]] = {}
        self._unaddressed: Counter[tuple[str, str]] = Counter()
        self._addresses_cut = False
        self._bits: int | None = None
        self._bits_n = 0
        self._sizes = array.array("Q")
        self._alike = array.array("d")

    def add(self, message: AnalysedMessage) -> None:
        """One more message."""
        self.messages += 1
        for metric, field, applies, value, _ in _SHARES:
            about = applies(message)
            if metric in _OF_BULK:
                self._of_all[metric].add(value(message), ("", ""))
            if about is None and metric in _OF_BULK:
                self.tallies[metric].add(None, _KIND_UNKNOWN)
            elif about is None or about:
                found = value(message) if about else None
                cause = ("", "")
                if found is None:
                    missing = message.cause(field)
                    cause = (missing.cause, missing.detail) if missing else ("not_stated", "")
                self.tallies[metric].add(found, cause)
        when = message.arrived or message.sent
        if when is not None:
            self.first = when if self.first is None else min(self.first, when)
            self.last = when if self.last is None else max(self.last, when)
        self._count(self.senders, message.from_domain)
        self._count(self.mailers, message.mailer)
        for name in message.fingerprints:
            self._count(self.fingerprints, name)
        for host in message.link_hosts:
            self._count(self.link_hosts, host)
        for signature in message.signatures:
            if signature.result == "pass":
                self._count(self.signers, signature.domain)
                if signature.aligned and signature.algorithm.startswith("rsa") and signature.bits is not None:
                    self._bits = signature.bits if self._bits is None else min(self._bits, signature.bits)
                    self._bits_n += 1
        for method, counter in self.results.items():
            stated = getattr(message, _STATED[method])
            if stated is not None:
                counter[stated] += 1
        if message.arc_sets:
            self.chains[message.arc or "unknown"] += 1
        self.tls_hops += message.tls_hops
        self.plain_hops += message.plain_hops
        self.unknown_hops += message.unknown_hops
        for hop in message.hops:
            if hop.tls and not hop.internal:
                self.tls_versions[hop.tls_version or "version not stated"] += 1
        self._sizes.append(message.size)
        if message.text_alike is not None:
            self._alike.append(message.text_alike)
        self._address(message)

    def _count(self, counter: Counter[str], word: str) -> None:
        """Count a word from outside; of very many different ones, only those that came first."""
        if word and (word in counter or len(counter) < ADDRESSES):
            counter[word] += 1

    def _address(self, message: AnalysedMessage) -> None:
        address = message.sending_address
        if not address:
            missing = message.cause("sending_address")
            self._unaddressed[(missing.cause, missing.detail) if missing else ("not_stated", "")] += 1
        elif address in self._domains or len(self._domains) < ADDRESSES:
            domains = self._domains.setdefault(address, set())
            if message.from_domain and len(domains) < 100:
                domains.add(message.from_domain)
        else:
            self._addresses_cut = True

    def taken_for_bulk(self) -> Aggregate:
        """The same sum with ``all_bulk``. Shares its parts with this one: no more messages may be added to either."""
        other = copy.copy(self)
        other.all_bulk = True
        return other

    # -- what came of it ----------------------------------------------------------------------------------------------

    def figures(self) -> list[Figure]:
        """Every metric of ``mailrubric.mail.metrics``, in its order."""
        found = {metric: self._share(metric, tally) for metric, tally in self.tallies.items()}
        if self.all_bulk:
            for metric, tally in self._of_all.items():
                share = self._share(metric, tally)
                found[metric] = dataclasses.replace(share, detail=BY_WORD) if tally.n else share
        hops = self.tls_hops + self.plain_hops
        found["trial.messages_analysed"] = Figure("trial.messages_analysed", self.messages, self.messages)
        if self.unknown_hops > MOST_UNKNOWN * (hops + self.unknown_hops):
            why = f"{self.unknown_hops:,} of {hops + self.unknown_hops:,} hops do not say whether they were encrypted"
            found["trial.tls_hop_share"] = self._without("trial.tls_hop_share", "not_stated", why, self.unknown_hops)
        else:
            found["trial.tls_hop_share"] = self._of(
                "trial.tls_hop_share", self.tls_hops, hops, self.unknown_hops, "no hop came from outside"
            )
        unchecked = self.tallies["trial.dkim_aligned_share"].causes
        if self._bits is None and unchecked:
            (cause, detail), count = unchecked.most_common(1)[0]
            found["trial.dkim_key_bits"] = self._without("trial.dkim_key_bits", cause, detail, count)
        elif self._bits is None:
            why = "no verified RSA signature by the organisation in From"
            found["trial.dkim_key_bits"] = self._without("trial.dkim_key_bits", Cause.NOT_APPLICABLE, why)
        else:
            found["trial.dkim_key_bits"] = Figure("trial.dkim_key_bits", self._bits, self._bits_n)
        addressed = self.messages - sum(self._unaddressed.values())
        unknown = self.messages - addressed
        for metric, count in (
            ("trial.sending_addresses", len(self._domains)),
            ("trial.sending_networks", len({network_of(address) for address in self._domains})),
        ):
            if count:
                detail = f"there are more; the first {ADDRESSES:,} were told apart" if self._addresses_cut else ""
                found[metric] = Figure(metric, count, addressed, detail=detail, unknown=unknown)
            else:
                cause, detail = next(iter(self._unaddressed), (Cause.NOT_APPLICABLE.value, "no messages"))
                found[metric] = self._without(metric, cause, detail, unknown)
        if self._sizes:
            middle = round(statistics.median(self._sizes))
            found["trial.message_bytes"] = Figure("trial.message_bytes", middle, self.messages)
        else:
            found["trial.message_bytes"] = self._without("trial.message_bytes", Cause.NOT_APPLICABLE, "no messages")
        alike = "trial.plain_text_likeness"
        if self._alike:
            found[alike] = Figure(alike, 100 * statistics.median(self._alike), len(self._alike))
        else:
            why = "there are no messages with both HTML and plain text"
            found[alike] = self._without(alike, Cause.NOT_APPLICABLE, why)
        return [found[metric.key] for metric in METRICS]

    def _share(self, metric: str, tally: Tally) -> Figure:
        unknown = sum(tally.causes.values())
        what = next(words for key, *_, words in _SHARES if key == metric)
        if unknown > MOST_UNKNOWN * (tally.n + unknown):
            (cause, detail), _ = tally.causes.most_common(1)[0]
            return self._without(metric, cause, f"unknown for {unknown:,} of {tally.n + unknown:,}: {detail}", unknown)
        return self._of(metric, tally.yes, tally.n, unknown, f"there are no {what}")

    def _of(self, metric: str, yes: int, n: int, unknown: int, why_not: str) -> Figure:
        if not n:
            return self._without(metric, Cause.NOT_APPLICABLE, why_not, unknown)
        low, high = bounds(yes, n, unknown)
        return Figure(metric, 100 * yes / n, n, 100 * low, 100 * high, unknown=unknown)

    def _without(self, metric: str, cause: str, detail: str, unknown: int = 0) -> Figure:
        return Figure(metric, None, 0, cause=str(cause), detail=detail, unknown=unknown)

    def addresses(self) -> list[tuple[str, str, int]]:
        """(address, its network, number of domains in From seen with it) of each sending address, sorted."""
        return sorted((address, network_of(address), len(domains)) for address, domains in self._domains.items())

    def sharing(self) -> tuple[str, str]:
        """What the addresses let one infer about sharing, as (``shared``, ``one sender`` or ``unknown``, why). An
        inference from this mailbox alone: who else sends from an address does not show here."""
        if not self._domains:
            return "unknown", "no message names the address that it came from"
        shared = sum(len({house(domain) for domain in domains}) > 1 for domains in self._domains.values())
        if shared:
            words = (
                f"{shared} of {len(self._domains)} addresses sent for domains in From of several owners, by their names"
            )
            return "shared", words
        if len({house(domain) for domain in self.senders}) > 1:
            return "one sender", "each address sent for the domains of one owner; others may use it all the same"
        return "unknown", "all messages are from one owner's domains, so nobody else could have shown"

    def observations(self, vendor: str, now: datetime.datetime) -> list[Observation]:
        """The figures as evidence about a vendor, observed when its newest message came (never later than ``now``)."""
        units = {metric.key: metric.unit for metric in METRICS}
        when = min(self.last, now) if self.last is not None else now
        return [
            Observation(
                vendor=vendor,
                metric=each.metric,
                value=each.value,
                kind="tested",
                source=SOURCE,
                observed=written(when),
                cause=each.cause or None,
                detail=each.detail or (f"of {each.unknown:,} more nothing is known" if each.unknown else ""),
                unit=units[each.metric],
                n=each.n,
                low=each.low,
                high=each.high,
            )
            for each in self.figures()
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs (docs/json.md)."""
        inferred, why = self.sharing()
        units = {metric.key: metric.unit for metric in METRICS}
        return {
            "messages": self.messages,
            "all_bulk": self.all_bulk,
            "first": _stamp(self.first),
            "last": _stamp(self.last),
            "figures": [
                {
                    "metric": each.metric,
                    "value": each.value,
                    "unit": units[each.metric],
                    "n": each.n,
                    "unknown": each.unknown,
                    "low": each.low,
                    "high": each.high,
                    "cause": each.cause or None,
                    "detail": each.detail,
                }
                for each in self.figures()
            ],
            "senders": _most(self.senders),
            "signers": _most(self.signers),
            "results": {method: _most(counter) for method, counter in self.results.items()},
            "arc": _most(self.chains),
            "tls_versions": [{"name": each["name"], "hops": each["messages"]} for each in _most(self.tls_versions)],
            "addresses": [
                {"address": address, "network": network, "sender_domains": count}
                for address, network, count in self.addresses()[:_MOST_COMMON]
            ],
            "sharing": {"inferred": inferred, "why": why},
            "mailers": _most(self.mailers),
            "fingerprints": _most(self.fingerprints),
            "link_hosts": _most(self.link_hosts),
        }


def aggregate(messages: Iterable[AnalysedMessage]) -> Aggregate:
    """The sum of these messages."""
    total = Aggregate()
    for message in messages:
        total.add(message)
    return total


def _most(counter: Counter[str]) -> list[dict[str, str | int]]:
    most = sorted(counter.items(), key=lambda each: (-each[1], each[0]))
    return [{"name": name, "messages": count} for name, count in most[:_MOST_COMMON]]


def _stamp(when: datetime.datetime | None) -> str | None:
    return None if when is None else written(when)
