"""Addresses for MAIL and RCPT, well-formed and malformed (RFC 5321 §4.1.2), and which of them a server of one's own
takes.

Every form is made of an address that the server takes as it is, so that it is the form that is refused and not the
mailbox. Whether a reply refuses the form or something else its code says, which is kept in the details.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from probes.model import Cause, Measurement, Unmeasured
from probes.own_session import Session, Sessions, refusal
from probes.replies import Reply

LOCAL_PART = "mailrubric"
"""Who our senders claim to be."""


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """One way to write an address. ``text``: what stands behind ``MAIL FROM:`` or ``RCPT TO:``, with ``{local}`` (its
    first character ``{head}``, the rest ``{tail}``) and ``{domain}`` (in ``{capitals}``) for those of the address;
    bytes that are no UTF-8 are lone surrogates (PEP 383). ``splits``: a server may read it as more than one line."""

    name: str
    text: str
    splits: bool = False

    def argument(self, address: str) -> bytes:
        """The bytes for this address."""
        local, _, domain = address.rpartition("@")
        parts = {"local": local, "head": local[:1], "tail": local[1:] or "x", "domain": domain}
        parts["capitals"] = domain.upper()
        return self.text.format(**parts).encode("utf-8", "surrogateescape")


_LABEL = "d" * 63

MALFORMED: tuple[Form, ...] = (
    Form("no-brackets", "{local}@{domain}"),
    Form("unclosed-bracket", "<{local}@{domain}"),
    Form("unopened-bracket", "{local}@{domain}>"),
    Form("double-brackets", "<<{local}@{domain}>>"),
    Form("space-after-colon", " <{local}@{domain}>"),
    Form("space-around", "< {local}@{domain} >"),
    Form("space-inside", "<{head} {tail}@{domain}>"),
    Form("tab-inside", "<{head}\t{tail}@{domain}>"),
    Form("display-name", "Mailrubric <{local}@{domain}>"),
    Form("comment", "<{local}(comment)@{domain}>"),
    Form("unknown-parameter", "<{local}@{domain}> MAILRUBRIC=1"),
    Form("leading-dot", "<.{local}@{domain}>"),
    Form("trailing-dot", "<{local}.@{domain}>"),
    Form("double-dot", "<{head}..{tail}@{domain}>"),
    Form("quote-inside", '<{head}"{tail}@{domain}>'),
    Form("unclosed-quote", '<"{local}@{domain}>'),
    Form("long-local-part", f"<{'l' * 65}@{{domain}}>"),
    Form("empty-local-part", "<@{domain}>"),
    Form("no-domain", "<{local}>"),
    Form("empty-domain", "<{local}@>"),
    Form("two-at-signs", "<{local}@{domain}@{domain}>"),
    Form("domain-trailing-dot", "<{local}@{domain}.>"),
    Form("domain-double-dot", "<{local}@x..{domain}>"),
    Form("domain-leading-hyphen", "<{local}@-x.{domain}>"),
    Form("domain-long-label", f"<{{local}}@{_LABEL}d.{{domain}}>"),
    Form("domain-too-long", f"<{{local}}@{_LABEL}.{_LABEL}.{_LABEL}.{_LABEL}.{{domain}}>"),
    Form("literal-out-of-range", "<{local}@[300.1.2.3]>"),
    Form("literal-unclosed", "<{local}@[192.0.2.1>"),
    Form("utf8-unannounced", "<{head}ü{tail}@{domain}>"),
    Form("latin1", "<{head}\udcfc{tail}@{domain}>"),
    Form("control-character", "<{head}\x01{tail}@{domain}>"),
    Form("nul", "<{head}\x00{tail}@{domain}>"),
    Form("bare-cr", "<{head}\r{tail}@{domain}>", splits=True),
    Form("bare-lf", "<{head}\n{tail}@{domain}>", splits=True),
)
"""What no server has to take, from the merely careless to what lets one address pass for another."""

WELL_FORMED_SENDERS: tuple[Form, ...] = (
    Form("null", "<>"),
    Form("domain-in-capitals", "<{local}@{capitals}>"),
    Form("plus", "<{local}+tag@{domain}>"),
    Form("all-of-atext", "<!#$%&'*+-/=?^_`{{|}}~@{domain}>"),
    Form("local-part-of-64", f"<{'l' * 64}@{{domain}}>"),
    Form("quoted", '<"{local}"@{domain}>'),
    Form("quoted-space", '<"{head} {tail}"@{domain}>'),
    Form("quoted-dots", '<"{head}..{tail}"@{domain}>'),
    Form("quoted-at-sign", '<"{head}@{tail}"@{domain}>'),
    Form("quoted-pair", '<"{head}\\"{tail}"@{domain}>'),
    Form("ipv4-literal", "<{local}@[192.0.2.1]>"),
    Form("ipv6-literal", "<{local}@[IPv6:2001:db8::1]>"),
    Form("source-route", "<@relay.example:{local}@{domain}>"),
)
"""Exotic, but so by the grammar that they have to be understood. The source route is obsolete (RFC 5321 appendix C)."""

WELL_FORMED_RECIPIENTS: tuple[Form, ...] = (
    Form("domain-in-capitals", "<{local}@{capitals}>"),
    Form("quoted", '<"{local}"@{domain}>'),
    Form("quoted-pair", '<"\\{head}{tail}"@{domain}>'),
    Form("source-route", "<@{domain}:{local}@{domain}>"),
    Form("postmaster", "<Postmaster>"),
    Form("postmaster-of-domain", "<postmaster@{domain}>"),
)
"""Other ways to write the recipient, and the two that every server has to take (RFC 5321 §4.5.1)."""


MAIL_FROM_NOBODY = "MAIL FROM:<>"
"""The null reverse-path: whatever becomes of it, nothing is returned to anybody."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The reply to one form, and whether it means that the form was taken."""

    reply: Reply
    taken: bool


async def sender_taken(sessions: Sessions, candidates: Iterable[str]) -> str:
    """The first of these addresses that the server takes as a sender. What keeps it from taking any is raised."""
    problem = Unmeasured(Cause.NOT_PERMITTED, "there is no address to try as a sender")
    for address in dict.fromkeys(candidates):
        reply = await sessions.attempt(functools.partial(Session.begin, mail=f"MAIL FROM:<{address}>"))
        if reply.positive:
            return address
        problem = refusal(reply, f"the sender <{address}>")
    raise problem


async def recipient_taken(sessions: Sessions, address: str) -> None:
    """Raise what keeps the server from taking this recipient; nothing when it does."""
    reply = await sessions.attempt(functools.partial(name_recipient, address=f"<{address}>"))
    if not reply.positive:
        raise refusal(reply, f"the recipient <{address}>")


async def senders(sessions: Sessions, forms: Sequence[Form], address: str) -> dict[str, Answer]:
    """The answer to each form as a sender. ``address``: what the forms are made of, and what the server takes as it is;
    it still does so afterwards, or its refusal is raised."""
    found = await _all(sessions, forms, address, _sender)
    await sender_taken(sessions, [address])
    await sessions.close()
    return found


async def recipients(sessions: Sessions, forms: Sequence[Form], address: str) -> dict[str, Answer]:
    """The same for recipients. No message follows."""
    found = await _all(sessions, forms, address, name_recipient)
    await recipient_taken(sessions, address)
    await sessions.close()
    return found


async def _all(
    sessions: Sessions, forms: Sequence[Form], address: str, ask: Callable[[Session, bytes], Awaitable[Reply]]
) -> dict[str, Answer]:
    """The answer to each form. What is put off is asked once more at the end: it may have been a passing fault."""
    found: dict[str, Answer] = {}
    for turn in (1, 2):
        for form in forms:
            if turn == 1 or _put_off(found[form.name]):
                found[form.name] = await _ask(sessions, form, functools.partial(_told, ask, form.argument(address)))
    return found


async def _told(ask: Callable[[Session, bytes], Awaitable[Reply]], address: bytes, session: Session) -> Reply:
    return await ask(session, address)


async def _ask(sessions: Sessions, form: Form, work: Callable[[Session], Awaitable[Reply]]) -> Answer:
    if not form.splits:
        reply = await sessions.attempt(work)
        return Answer(reply, reply.positive)
    session = await sessions.fresh()
    reply = await work(session)
    if not reply.positive:
        session.over = True  # it may have more to say to what it takes for the next line
        return Answer(reply, taken=False)
    # Taken as one line when nothing but the goodbye follows.
    return Answer(reply, taken=not await session.goodbye())


async def _sender(session: Session, address: bytes) -> Reply:
    return await session.begin(b"MAIL FROM:" + address)


async def name_recipient(session: Session, address: str | bytes, mail: str = MAIL_FROM_NOBODY) -> Reply:
    """The reply to RCPT with this address (in brackets, or however it is to be written), in a transaction that ``mail``
    begins, without other recipients: some servers allow the null reverse-path no more than one. The server's refusal to
    begin it is raised."""
    begun = await session.begin(mail, keep=not session.recipients)
    if not begun.positive:
        raise refusal(begun, mail)
    reply = await session.ask(b"RCPT TO:" + (address.encode("ascii") if isinstance(address, str) else address))
    session.recipients += reply.positive
    return reply


def accepted(metric: str, answers: Mapping[str, Answer]) -> Measurement:
    """The malformed forms that were taken. No fact where every form was put off and none answered for good."""
    taken = [name for name, answer in answers.items() if answer.taken]
    if not taken and all(_put_off(answer) for answer in answers.values()):
        return Measurement.missing(metric, Cause.THROTTLED, words(answers))
    return Measurement(metric, tuple(sorted(taken)), detail=words(answers))


def refused(metric: str, answers: Mapping[str, Answer]) -> Measurement:
    """The well-formed forms that were refused. No fact while a form is only put off."""
    if any(_put_off(answer) for answer in answers.values()):
        return Measurement.missing(metric, Cause.THROTTLED, words(answers))
    names = sorted(name for name, answer in answers.items() if not answer.taken)
    return Measurement(metric, tuple(names), detail=words(answers))


def _put_off(answer: Answer) -> bool:
    return 400 <= answer.reply.code < 500


def words(answers: Mapping[str, Answer]) -> str:
    """The forms by reply code, for people."""
    by_code: dict[str, list[str]] = {}
    for name, answer in answers.items():
        code = f"{answer.reply.code} {answer.reply.enhanced}".rstrip()
        split = answer.reply.positive and not answer.taken
        by_code.setdefault(code, []).append(f"{name} (as two lines)" if split else name)
    return "; ".join(f"{code}: {', '.join(names)}" for code, names in sorted(by_code.items()))
