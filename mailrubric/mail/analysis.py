"""Real messages, analysed: from the raw bytes of one to a stream of records for a mailbox of any size.

``Analysis`` is what others use: it finds the messages, analyses them in one or several processes, fetches the DNS
records that they need in between (only the first process asks), and yields the records in the mailbox's order. Memory
is bounded by what is under way at once, not by the mailbox.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mailrubric.mail import arc, campaigns, content, dkim, fields, listing, reading, received, results
from mailrubric.mail.fields import Fields
from mailrubric.mail.message import AnalysedMessage, Missing, Result, Signature
from mailrubric.mail.names import OFFLINE, Names, Text, shared_labels
from mailrubric.mail.reading import Place, Raw, Skipped
from probes.model import Cause, Unmeasured
from probes.network import Options
from probes.replies import printable

BATCH = 64
"""Messages that go to a process at once."""
BATCH_BYTES = 16 * 1024 * 1024
FEW = 1500
"""Up to so many messages, one process is quicker than starting more."""
_KEPT_KEYS = 200
_EXAMPLES = 5

_SURE = frozenset({"signature_malformed", "signature_expired"})
"""Causes of a signature without a result that every receiver had as well: it counted for nothing."""

Aligned = Callable[[str, str], bool | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """A message that can't be analysed before the TXT records of these names are known."""

    place: Place
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """``authserv_id``: whose Authentication-Results to trust; "" for the topmost. ``sender``: only messages from this
    domain, or signed by it, and what is below it; "" for all."""

    authserv_id: str = ""
    sender: str = ""


NOT_CHOSEN = "of another sender"


def aligned_at_sight(one: str, other: str) -> bool | None:
    """Whether two domains are aligned, where that can be said without DNS (``Names.aligned``)."""
    if one == other:
        return bool(one)
    return None if one and other and shared_labels(one, other) >= 2 else False


def analyse_message(
    place: Place, raw: Raw, keys: Mapping[str, Text], settings: Settings | None = None
) -> AnalysedMessage | Wanted | Skipped:
    """One message. ``keys``: TXT records that are known; ``Wanted`` when those of a signature are not among them."""
    settings = settings or Settings()
    try:
        head, start = fields.split(raw.data)
        message = fields.parse(head)
    except fields.Unreadable as reason:
        return Skipped(place.name, str(reason) if raw.data.strip() else "an empty file or message")
    if raw.cut and start >= len(raw.data):
        return Skipped(place.name, f"the header section is longer than {fields.HEADER_BYTES // 1024} KiB")
    prepared = dkim.prepare(message)
    from_address, from_domain, from_problem = _from(message)
    if settings.sender and not any(
        _below(name, settings.sender) for name in (from_domain, *(each.signature.domain for each in prepared))
    ):
        return Skipped(place.name, NOT_CHOSEN)
    chain = results.chain(message)
    sets = arc.prepare(message, chain)
    wanted = dict.fromkeys((*dkim.wanted(prepared), *arc.wanted(sets)))
    if any(name not in keys for name in wanted):
        return Wanted(place, tuple(wanted))

    missing: list[Missing] = []
    hops = received.hops(message.all("received"))
    stamps = [hop.time for hop in reversed(hops) if hop.time is not None]
    arrived = stamps[0] if stamps else place.arrived
    sent, offset = fields.date(message.first("date"))
    bodies = raw.bodies(start) if prepared or not raw.cut else (b"",)
    body = dkim.Body(bodies[0], bodies[1:], raw.cut)
    signatures = dkim.verify(message, body, prepared, keys, arrived)
    forwarded = arc.verify(message, body, sets, keys, arrived)
    verdict = _dkim_result(signatures, missing)
    stated = results.trusted(message, settings.authserv_id)
    listed = listing.look(message)
    found = content.Content() if raw.cut else content.read(message, bodies[0])
    outer = [hop for hop in hops if not hop.internal]
    border = received.boundary(hops)
    defects = [*found.defects]
    if message.faults:
        defects.append(f"{message.faults} lines of the header are no fields")

    record = AnalysedMessage(
        place=place.name,
        message_id=printable((message.first("message-id") or "").strip("<> "), 255),
        sent=sent,
        date_offset=offset,
        arrived=arrived,
        from_domain=from_domain,
        from_address=fields.digest(from_address),
        recipient=fields.digest(_recipient(message)),
        seen=place.seen if place.kind != "mbox" else _seen(message),
        size=raw.size,
        cut=raw.cut,
        defects=tuple(defects),
        bulk=listed.bulk,
        bulk_reasons=listed.bulk_reasons,
        personal_signs=listed.personal_signs,
        list_unsubscribe=listed.list_unsubscribe,
        unsubscribe_https=listed.unsubscribe_https,
        unsubscribe_mailto=listed.unsubscribe_mailto,
        one_click=listed.one_click,
        one_click_signed=_one_click_signed(listed.one_click, signatures, missing),
        list_id=listed.list_id,
        feedback_id=listed.feedback_id,
        campaign_id=campaigns.campaign_id(message),
        subject=campaigns.subject(message),
        precedence=listed.precedence,
        auto_submitted=listed.auto_submitted,
        mailer=listed.mailer,
        fingerprints=listed.fingerprints,
        signatures=tuple(signatures),
        dkim=verdict,
        dkim_stated=stated.result("dkim"),
        spf=stated.result("spf"),
        spf_domain=stated.passed_domain("spf", "smtp.mailfrom"),
        dmarc=stated.result("dmarc"),
        arc_results=stated.result("arc"),
        authserv_id=stated.authserv_id,
        arc_sets=chain.sets,
        arc_cv=chain.validation,
        arc_complete=chain.complete,
        arc=forwarded.result,
        arc_sealers=forwarded.sealers,
        arc_detail=forwarded.detail if forwarded.result == "fail" else "",
        hops=hops,
        tls_hops=sum(hop.tls is True for hop in outer),
        plain_hops=sum(hop.tls is False for hop in outer),
        unknown_hops=sum(hop.tls is None for hop in outer),
        sending_address=border.address if border else "",
        parts=found.parts,
        attachments=found.attachments,
        plain_text=None if raw.cut else found.plain_text,
        html=None if raw.cut else found.html,
        html_bytes=found.html_bytes,
        text_alike=found.text_alike,
        words=found.words,
        images=found.images,
        links=found.links,
        https_links=found.https_links,
        link_hosts=found.link_hosts,
        tracking_pixels=found.tracking_pixels,
        redirect_links=found.redirect_links,
    )
    if forwarded.result is None:
        missing.append(Missing("arc", forwarded.cause, forwarded.detail))
    _say_what_is_missing(record, message, missing, from_problem, stated.why)
    return align(dataclasses.replace(record, causes=tuple(missing)), aligned_at_sight)


def align(record: AnalysedMessage, aligned: Aligned, *, offline: bool = True) -> AnalysedMessage:
    """The record with everything about alignment. ``aligned``: whether two domains are of one organisation;
    ``offline``: it asks no DNS."""
    kept = [each for each in record.causes if each.field not in ("dkim_aligned", "spf_aligned", "dmarc_aligned")]
    known: dict[str, bool | None] = {}

    def with_from(domain: str) -> bool | None:
        if domain not in known:
            known[domain] = aligned(domain, record.from_domain) if domain and record.from_domain else False
        return known[domain]

    signatures = tuple(
        dataclasses.replace(
            each, aligned=with_from(each.domain), strict=bool(each.domain) and each.domain == record.from_domain
        )
        for each in record.signatures
    )
    undecided = (OFFLINE, "DNS was not asked which organisation the names are of")
    if not offline:
        undecided = (Cause.DNS_SERVFAIL.value, "DNS did not say which organisation the names are of")
    nobody = (Cause.NOT_APPLICABLE.value, "From names no single domain")

    dkim_aligned: bool | None = None
    spf_aligned: bool | None = None
    dmarc_aligned: bool | None = None
    if not record.from_domain:
        kept += (Missing(field, *nobody) for field in ("dkim_aligned", "spf_aligned", "dmarc_aligned"))
    else:
        passed = [each.aligned for each in signatures if each.result == "pass"]
        # A good signature of another organisation leaves open what an aligned one that was not checked would show.
        unchecked = [each for each in signatures if _unknown(each) and each.aligned is not False]
        dkim_aligned = True if True in passed else None if None in passed or unchecked else False
        if dkim_aligned is None:
            reason = undecided if None in passed else (unchecked[0].cause, unchecked[0].detail)
            kept.append(Missing("dkim_aligned", *reason))
        if record.spf is None:
            stated = record.cause("spf")
            kept.append(Missing("spf_aligned", *((stated.cause, stated.detail) if stated else undecided)))
        else:
            spf_aligned = with_from(record.spf_domain) if record.spf == "pass" else False
            if spf_aligned is None:
                kept.append(Missing("spf_aligned", *undecided))
        both = (dkim_aligned, spf_aligned)
        dmarc_aligned = True if True in both else None if None in both else False
        if dmarc_aligned is None:
            why = next(each for each in kept if each.field in ("dkim_aligned", "spf_aligned"))
            kept.append(Missing("dmarc_aligned", why.cause, why.detail))
    return dataclasses.replace(
        record,
        signatures=signatures,
        dkim_aligned=dkim_aligned,
        spf_aligned=spf_aligned,
        dmarc_aligned=dmarc_aligned,
        causes=tuple(kept),
    )


def undecided(record: AnalysedMessage) -> bool:
    """Whether alignment depends on DNS here."""
    return bool(record.from_domain) and (
        any(each.aligned is None for each in record.signatures) or (record.spf == "pass" and record.spf_aligned is None)
    )


def _from(message: Fields) -> tuple[str, str, str]:
    """The author's address and its domain; "" and why, when there are several or none (RFC 9989 §11.5 of old: who has
    more than one From field may show whom he likes)."""
    values = message.all("from")
    if len(values) != 1:
        return "", "", "more than one From field" if values else "no From field"
    found = fields.addresses(values[0])
    domains = {fields.domain_of(address) for address in found}
    if len(domains) != 1 or domains == {""}:
        return "", "", "From names several domains" if len(domains) > 1 else "From names no domain"
    return found[0], domains.pop(), ""


def _recipient(message: Fields) -> str:
    """Whose copy it is: by the field that delivery adds, else by To when it names one alone."""
    for name in ("delivered-to", "x-original-to"):
        found = fields.addresses(message.first(name) or "")
        if len(found) == 1:
            return found[0]
    named = [address for name in ("to", "cc") for value in message.all(name) for address in fields.addresses(value)]
    return named[0] if len(named) == 1 else ""


def _seen(message: Fields) -> bool | None:
    """Whether it was opened, as the programs that keep an mbox write into its messages."""
    status = message.first("status")
    if status is not None and len(status) <= 8:
        return "R" in status.upper()
    mozilla = message.first("x-mozilla-status")
    if mozilla is not None and len(mozilla) == 4 and all(each in "0123456789abcdefABCDEF" for each in mozilla):
        return bool(int(mozilla, 16) & 1)
    labels = message.first("x-gmail-labels")
    if labels is not None:
        words = {label.strip().lower() for label in labels.split(",")}
        # In the language of the account; in others than English nobody can tell.
        return False if "unread" in words else True if "opened" in words else None
    return None


def _unknown(signature: Signature) -> bool:
    """Whether nothing is known about it, as opposed to one that no receiver could take for good."""
    return signature.result is None and signature.cause not in _SURE


def _dkim_result(signatures: Sequence[Signature], missing: list[Missing]) -> Result | None:
    if not signatures:
        return "none"
    if any(each.result == "pass" for each in signatures):
        return "pass"
    unknown = [each for each in signatures if _unknown(each)]
    if not unknown:
        return "fail"
    missing.append(Missing("dkim", unknown[0].cause, unknown[0].detail))
    return None


def _one_click_signed(one_click: bool, signatures: Sequence[Signature], missing: list[Missing]) -> bool | None:
    if not one_click:
        missing.append(Missing("one_click_signed", Cause.NOT_APPLICABLE.value, "there is no one-click unsubscription"))
        return None
    both = {"list-unsubscribe", "list-unsubscribe-post"}
    covering = [each for each in signatures if both <= set(each.covers)]
    if any(each.result == "pass" for each in covering):
        return True
    unknown = [each for each in covering if _unknown(each)]
    if unknown:
        missing.append(Missing("one_click_signed", unknown[0].cause, unknown[0].detail))
        return None
    return False


def _say_what_is_missing(
    record: AnalysedMessage, message: Fields, missing: list[Missing], from_problem: str, no_results: str
) -> None:
    def say(field: str, cause: str, detail: str = "") -> None:
        missing.append(Missing(field, cause, detail))

    if record.sent is None:
        say("sent", "field_missing", "Date is malformed" if message.places("date") else "no Date field")
    if record.arrived is None:
        say("arrived", "field_missing", "no Received field with a time, and the mailbox keeps none")
    if not record.from_domain:
        say("from_domain", "field_missing", from_problem)
    if record.seen is None:
        say("seen", "not_stated", "this kind of mailbox does not say what was opened")
    if record.bulk is None:
        say("bulk", "not_stated", "no sign of either")
    for field in ("dkim_stated", "spf", "dmarc"):
        if getattr(record, field) is None:
            say(field, "no_trusted_results", no_results or f"{record.authserv_id} states nothing about it")
    if record.cut:
        for field in ("plain_text", "html", "links"):
            say(field, "message_cut", "the message was not read whole")
    if not record.sending_address:
        say("sending_address", "not_stated", "no Received field names the address that it came from outside by")


def _below(name: str, domain: str) -> bool:
    return f".{name}".endswith(f".{domain}")


# --- mailboxes --------------------------------------------------------------------------------------------------------

Outcome = AnalysedMessage | Wanted | Skipped


def analyse_batch(batch: Sequence[Place], keys: Mapping[str, Text], settings: Settings) -> list[Outcome]:
    """The messages at these places. Runs in any process; opens only their files."""
    outcomes: list[Outcome] = []
    for place, raw in reading.load(batch):
        if isinstance(raw, Skipped):
            outcomes.append(raw)
            continue
        try:
            outcomes.append(analyse_message(place, raw, keys, settings))
        except Exception as fault:  # a fault of ours must not cost the other messages: it is counted under its name
            outcomes.append(Skipped(place.name, f"a fault of Mailrubric ({type(fault).__name__})"))
    return outcomes


def _submit(
    pool: concurrent.futures.Executor, batch: Sequence[Place], keys: Mapping[str, Text], settings: Settings
) -> concurrent.futures.Future[list[Outcome]]:
    """A batch for the pool, whose processes start here. They are started deaf to Ctrl-C, which a terminal sends to all
    of them: the first process hears it and ends them in order, where each by itself would end with a traceback."""
    if sys.platform == "win32":
        return pool.submit(analyse_batch, batch, keys, settings)
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(analyse_batch, batch, keys, settings)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _end_with_parent() -> None:
    """In a process of the pool: end when the first process does. Killed, that one can't say so, and this one would wait
    for its next batch for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class Analysis:
    """The messages of a mailbox, one record each, in order. Iterate once; then ``skipped`` counts what was left out, by
    reason, ``examples`` names some of each, and ``others`` counts messages of senders that were not asked for.

    ``source``: a file or folder, or places that come from elsewhere. ``options``: how DNS may be asked; None for
    offline. ``processes``: 0 for as many as there are cores. Yields at the earliest when a whole batch is done. Raises
    what the source raises: ``OSError`` at once; ``Unmeasured``, where a server breaks off, when all that came before
    has been yielded.
    """

    def __init__(
        self,
        source: Path | Iterable[Place | Skipped],
        *,
        options: Options | None = None,
        settings: Settings | None = None,
        processes: int = 1,
    ) -> None:
        self._source = reading.places(source) if isinstance(source, Path) else source
        self._options = options
        self._settings = settings or Settings()
        self._processes = processes or min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
        self._problem: Unmeasured | None = None
        self.skipped: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.others = 0
        self.read = 0

    def __iter__(self) -> Iterator[AnalysedMessage]:
        with Names(self._options) as names:
            yield from self._run(names)
        if self._problem is not None:
            raise self._problem

    def _found(self) -> Iterator[Place | Skipped]:
        """The source up to its end, or to where it cannot be read any further: what came before is analysed first."""
        try:
            yield from self._source
        except Unmeasured as problem:
            self._problem = problem

    def _run(self, names: Names) -> Iterator[AnalysedMessage]:
        source = self._found()
        first = list(itertools.islice(source, FEW if self._processes > 1 else 0))
        keys: dict[str, Text] = {}
        batches = self._batches(itertools.chain(first, source))
        if len(first) < FEW or self._processes == 1:
            for batch, skipped in batches:
                yield from self._settle(analyse_batch(batch, keys, self._settings), skipped, names, keys, None)
            return
        # Not forked: the first process has threads and an event loop, which do not survive that.
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(
            self._processes, mp_context=context, initializer=_end_with_parent
        ) as pool:
            waiting: deque[tuple[concurrent.futures.Future[list[Outcome]], list[Skipped]]] = deque()
            try:
                for batch, skipped in batches:
                    waiting.append((_submit(pool, batch, dict(keys), self._settings), skipped))
                    if len(waiting) > 3 * self._processes:
                        done, left_out = waiting.popleft()
                        yield from self._settle(done.result(), left_out, names, keys, pool)
                while waiting:
                    done, left_out = waiting.popleft()
                    yield from self._settle(done.result(), left_out, names, keys, pool)
            finally:
                for future, _ in waiting:
                    future.cancel()

    def _batches(self, source: Iterable[Place | Skipped]) -> Iterator[tuple[list[Place], list[Skipped]]]:
        batch: list[Place] = []
        skipped: list[Skipped] = []
        size = 0
        for each in source:
            if isinstance(each, Skipped):
                skipped.append(each)
            else:
                batch.append(each)
                size += max(0, each.size) + len(each.data)
            if len(batch) + len(skipped) >= BATCH or size >= BATCH_BYTES:
                yield batch, skipped
                batch, skipped, size = [], [], 0
        if batch or skipped:
            yield batch, skipped

    def _settle(
        self,
        outcomes: list[Outcome],
        skipped: Sequence[Skipped],
        names: Names,
        keys: dict[str, Text],
        pool: concurrent.futures.Executor | None,
    ) -> Iterator[AnalysedMessage]:
        """The records of one batch: what some of its messages want of DNS is fetched, and they are analysed again."""
        for left_out in skipped:
            self._skip(left_out)
        wanting = [each for each in outcomes if isinstance(each, Wanted)]
        again: Iterator[Outcome] = iter(())
        if wanting:
            fetched = names.texts(name for each in wanting for name in each.names)
            places = [each.place for each in wanting]
            if pool is None:
                again = iter(analyse_batch(places, fetched, self._settings))
            else:
                again = iter(_submit(pool, places, fetched, self._settings).result())
            for name, text in fetched.items():
                keys.pop(name, None)
                keys[name] = text
            while len(keys) > _KEPT_KEYS:
                del keys[next(iter(keys))]
        for each in outcomes:
            outcome: Outcome = next(again) if isinstance(each, Wanted) else each
            if isinstance(outcome, Wanted):  # the file has changed in between
                outcome = Skipped(outcome.place.name, "a file that changed while it was read")
            if isinstance(outcome, Skipped):
                self._skip(outcome)
                continue
            self.read += 1
            yield align(outcome, names.aligned, offline=False) if not names.offline and undecided(outcome) else outcome

    def _skip(self, skipped: Skipped) -> None:
        if skipped.reason == NOT_CHOSEN:
            self.others += 1
            return
        self.skipped[skipped.reason] += 1
        examples = self.examples.setdefault(skipped.reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(skipped.place)
