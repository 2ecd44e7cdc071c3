"""The fault matrix as data: what can go wrong, where, and what a probe may say then.

A **target** is one kind of endpoint with a well-behaved scripted server behind it. A **fault** replaces one **place**
of that server's script (the greeting, the answer to a command, the handshake). What is allowed follows from two tables
alone: ``STAGES`` says at which stage of the conversation a metric is observed, ``_case`` which causes a fault at a
place may have. Before the fault every value must be there and be the truth (that of the well-behaved server); from it
on there must be none, but a cause out of those.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Callable, Iterator, Mapping

from probes import extensions
from probes.model import Cause, Role, TLSMode
from tests.hostile.server import (
    FAULTS,
    Alert,
    Answer,
    Close,
    CloseNotify,
    ReadRecord,
    Script,
    Send,
    Silence,
    StartTLS,
    Step,
    imap,
    pop3,
    sieve,
    smtp,
)

# --- stages of a mail conversation ------------------------------------------------------------------------------------

CONNECT, GREETING, CAPABILITIES, UPGRADE, HANDSHAKE, AFTER_TLS, QUIT = (
    "connect", "greeting", "capabilities", "upgrade", "handshake", "capabilities after TLS", "quit",
)  # fmt: skip
SIDE = "side"
"""Observed on connections of their own, which go through the same stages up to the handshake."""
MAIL = "mail"
"""MAIL FROM before TLS, on the second connection, which begins when the first has ended."""
RESUMPTION = "resumption"
"""The handshake of the second connection, which a server is asked for that has said all that was due on the first."""
INJECTION = "injection"
"""The first answer under TLS on the second connection."""

SECOND: dict[str, tuple[str, ...]] = {
    MAIL: (GREETING, CAPABILITIES, MAIL),
    RESUMPTION: (GREETING, CAPABILITIES, MAIL, UPGRADE, HANDSHAKE),
    INJECTION: (GREETING, CAPABILITIES, MAIL, UPGRADE, HANDSHAKE, AFTER_TLS),
}
"""What is observed on the second connection → the steps there that lead to it."""

ORDER: dict[TLSMode, tuple[str, ...]] = {
    "starttls": (CONNECT, GREETING, CAPABILITIES, UPGRADE, HANDSHAKE, AFTER_TLS, QUIT),
    "implicit": (CONNECT, HANDSHAKE, GREETING, CAPABILITIES, QUIT),
    "none": (CONNECT, GREETING, CAPABILITIES, QUIT),
}

_OFFERED = "offered"  # what a client uses: the capabilities after TLS where there is an upgrade, else the first ones

STAGES: dict[str, str] = {
    "smtp.connect_ms": CONNECT,
    "smtp.greeting_ms": GREETING,
    "smtp.greeting_name": GREETING,
    "smtp.greeting_name_is_fqdn": GREETING,
    "smtp.greeting_name_leads_here": GREETING,
    "smtp.software": CAPABILITIES,
    "smtp.software_version_shown": CAPABILITIES,
    "smtp.ehlo_name": CAPABILITIES,
    "smtp.ehlo_name_is_fqdn": CAPABILITIES,
    "smtp.ehlo_name_is_greeting_name": CAPABILITIES,
    "smtp.extensions": CAPABILITIES,
    "smtp.extensions_after_tls": _OFFERED,
    "smtp.starttls": CAPABILITIES,
    "smtp.starttls_injection": UPGRADE,
    "smtp.starttls_works": HANDSHAKE,
    "smtp.auth_before_tls": CAPABILITIES,
    "smtp.auth_before_tls_offered": CAPABILITIES,
    "smtp.auth_mechanisms": _OFFERED,
    "smtp.size_limit": _OFFERED,
    "smtp.pipelining": _OFFERED,
    "smtp.eight_bit_mime": _OFFERED,
    "smtp.smtputf8": _OFFERED,
    "smtp.chunking": _OFFERED,
    "smtp.dsn": _OFFERED,
    "smtp.enhanced_status_codes": _OFFERED,
    "smtp.requiretls": _OFFERED,
    "smtp.tls_required": MAIL,
    "smtp.starttls_unadvertised": CAPABILITIES,
    "smtp.starttls_command_injection": INJECTION,
    "smtp.enhanced_codes_used": QUIT,
    "smtp.quit_code": QUIT,
    **{metric.key: _OFFERED for metric in extensions.METRICS},
    **{f"{protocol}.capabilities_only_before_tls": _OFFERED for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.capabilities_only_after_tls": _OFFERED for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.starttls_unadvertised": CAPABILITIES for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.starttls_command_injection": INJECTION for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.software": CAPABILITIES for protocol in ("pop3", "sieve")},
    **{f"{protocol}.software_version_shown": CAPABILITIES for protocol in ("pop3", "sieve")},
    "imap.software": GREETING,
    "imap.software_version_shown": GREETING,
    "tls.resumption": RESUMPTION,
    "tls.early_data": _OFFERED,
    **{f"{protocol}.greeting_ms": GREETING for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.capabilities": CAPABILITIES for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.capabilities_after_tls": _OFFERED for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.starttls": CAPABILITIES for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.starttls_injection": UPGRADE for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.starttls_works": HANDSHAKE for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.auth_mechanisms": _OFFERED for protocol in ("imap", "pop3", "sieve")},
    **{f"{protocol}.login_disabled": CAPABILITIES for protocol in ("imap", "pop3", "sieve")},
    "sieve.extensions": _OFFERED,
    "tls.cipher": HANDSHAKE,
    "tls.group": HANDSHAKE,
    "tls.handshake_ms": HANDSHAKE,
    "tls.versions": SIDE,
    "tls.oldest_version": SIDE,
    "tls.newest_version": SIDE,
    "tls.": SIDE,
    "certificate.": HANDSHAKE,
    "certificate.key_types": SIDE,
    "certificate.all_trusted": SIDE,
    "certificate.all_names_match": SIDE,
    "certificate.fewest_days_left": SIDE,
    **{
        f"certificate.other_{what}": SIDE
        for what in (
            "trusted",
            "trust_error",
            "name_matches",
            "days_left",
            "key_bits",
            "signature_algorithm",
            "chain_in_order",
            "chain_complete",
        )
    },
    "latency.samples": CONNECT,
    **{f"latency.connect_{which}_ms": CONNECT for which in ("p50", "p95")},
    **{f"latency.greeting_{which}_ms": GREETING for which in ("p50", "p95")},
    **{f"latency.reply_{which}_ms": CAPABILITIES for which in ("p50", "p95")},
    **{f"latency.handshake_{which}_ms": HANDSHAKE for which in ("p50", "p95")},
    # Not of the conversation: these ask DNS, and nothing about an endpoint that is named by a private address.
    "dns.": CONNECT,
    "reach.": CONNECT,
    "dnssec.": CONNECT,
    "dane.": CONNECT,
    "blocklist.": CONNECT,
    "own_server.": CONNECT,  # nobody's here: they are not permitted, before anything is dialled
}
"""Metric, or the beginning of its key up to the dot → the stage at which it is observed."""


SHOWN_BY_HANDSHAKE = frozenset({"tls.newest_version", "tls.forward_secrecy", "tls.aead", "certificate.all_names_match"})
"""Metrics of further connections whose value the main conversation's own handshake can show."""


def stage_of(metric: str, mode: TLSMode) -> str:
    """The stage at which a metric is observed. ``KeyError`` for a metric that this table does not know: say there when
    it is observed."""
    stage = STAGES.get(metric) or STAGES[metric.partition(".")[0] + "."]
    if stage == _OFFERED:
        return AFTER_TLS if mode == "starttls" else CAPABILITIES
    return stage


# --- targets ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Target:
    """A kind of mail endpoint. ``places``: stage → the name of the command whose answer belongs to it.
    ``without_tls``: what makes it a server that neither offers the upgrade nor agrees to it."""

    role: Role
    mode: TLSMode
    server: Callable[..., Script]
    places: Mapping[str, str]
    without_tls: Mapping[str, Script] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Such as ``submission starttls``."""
        return f"{self.role} {'without TLS' if self.without_tls else self.mode}"

    @property
    def protocol(self) -> str:
        """The protocol spoken, which is also the name of its probe."""
        return self.server.__name__

    @property
    def order(self) -> tuple[str, ...]:
        """The stages, in the order of the conversation."""
        return (CONNECT, GREETING, CAPABILITIES, UPGRADE, QUIT) if self.without_tls else ORDER[self.mode]

    def stage_of(self, metric: str) -> str:
        """The stage at which a metric is observed at this kind of server."""
        stage = stage_of(metric, self.mode)
        if not self.without_tls:
            return stage
        if metric.endswith(".starttls_unadvertised"):
            return UPGRADE
        # Once its list is complete, it is known of all the rest that TLS is not offered.
        return stage if stage in (CONNECT, GREETING, QUIT, MAIL) else CAPABILITIES

    def script(self) -> Script:
        """The well-behaved server."""
        return self.server(implicit=self.mode == "implicit", **self.without_tls)

    def answer(self, place: str) -> bytes:
        """What the well-behaved server says at a place."""
        *first, answer = self.script()
        assert isinstance(answer, Answer)
        if place == GREETING:
            said: Script = tuple(first)
        elif place in (AFTER_TLS, QUIT) and AFTER_TLS in self.order and self.places[place] in _verbs(answer, True):
            said = _verbs(answer, True)[self.places[place]]
        else:
            said = _verbs(answer, self.mode == "implicit")[self.places[place]]
        sent = [step.data for step in said if isinstance(step, Send)]
        return sent[-1] if place == AFTER_TLS else sent[0]

    def broken(self, place: str, fault: Script) -> Script:
        """The server with ``fault`` in one place."""
        implicit = self.mode == "implicit"
        if place == HANDSHAKE:
            if implicit:
                return (ReadRecord(), *fault)
            agree = Send(self.answer(UPGRADE))
            return self.server(**{self.places[UPGRADE]: (agree, ReadRecord(), *fault)})
        if place == GREETING:
            return self.server(implicit=implicit, **{**self.without_tls, "greeting": fault})
        command = self.places[place]
        if implicit:
            return self.server(implicit=True, tls={command.encode(): fault})
        if place == AFTER_TLS and self.protocol == "sieve":  # the capabilities come without being asked for
            return self.server(**{command: (Send(self.answer(UPGRADE)), StartTLS(), *fault)})
        if place in (AFTER_TLS, QUIT) and AFTER_TLS in self.order:
            return self.server(tls={command.encode(): fault})
        return self.server(**{**self.without_tls, command: fault})


def _verbs(answer: Answer, tls: bool) -> dict[str, Script]:
    chosen = answer.tls_commands if tls and answer.tls_commands is not None else answer.commands
    return {verb.decode(): script for verb, script in chosen.items()}


_SMTP = {CAPABILITIES: "EHLO", UPGRADE: "STARTTLS", AFTER_TLS: "EHLO", QUIT: "QUIT", MAIL: "MAIL"}
_IMAP = {CAPABILITIES: "CAPABILITY", UPGRADE: "STARTTLS", AFTER_TLS: "CAPABILITY", QUIT: "LOGOUT"}
_POP3 = {CAPABILITIES: "CAPA", UPGRADE: "STLS", AFTER_TLS: "CAPA", QUIT: "QUIT"}
_SIEVE = {UPGRADE: "STARTTLS", AFTER_TLS: "STARTTLS", QUIT: "LOGOUT"}  # the greeting holds the capabilities

TARGETS = (
    Target("submission", "starttls", smtp, _SMTP),
    Target("submission", "implicit", smtp, _SMTP),
    Target("submission", "none", smtp, _SMTP),
    Target("mx", "starttls", smtp, _SMTP),
    Target("imap", "starttls", imap, _IMAP),
    Target("imap", "implicit", imap, _IMAP),
    Target("pop3", "starttls", pop3, _POP3),
    Target("pop3", "implicit", pop3, _POP3),
    Target("sieve", "starttls", sieve, _SIEVE),
    Target(
        "submission", "starttls", smtp, _SMTP,
        {"EHLO": (Send(b"250-hostile.test\r\n250 SIZE 5\r\n"),), "STARTTLS": (Send(b"502 5.5.1 what?\r\n"),)},
    ),
    Target(
        "imap", "starttls", imap, _IMAP,
        {"CAPABILITY": (Send(b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"),), "STARTTLS": (Send(b"{tag} BAD what?\r\n"),)},
    ),
    Target(
        "pop3", "starttls", pop3, _POP3,
        {"CAPA": (Send(b"+OK\r\nTOP\r\n.\r\n"),), "STLS": (Send(b"-ERR what?\r\n"),)},
    ),
    Target(
        "sieve", "starttls", sieve, _SIEVE,
        {
            "greeting": (Send(b'"IMPLEMENTATION" "hostile"\r\n"SIEVE" "fileinto"\r\nOK "ready"\r\n'),),
            "STARTTLS": (Send(b'NO "what?"\r\n'),),
        },
    ),
)  # fmt: skip

# --- faults -----------------------------------------------------------------------------------------------------------

IN_TIME = frozenset({Cause.DEADLINE_EXCEEDED, Cause.GREETING_TIMEOUT})
HUNG_UP = frozenset({Cause.CONNECTION_RESET})
NONSENSE = frozenset({Cause.PROTOCOL_ERROR})
TOO_LONG = frozenset({Cause.REPLY_TOO_LONG})
NOT_TLS = frozenset({Cause.TLS_HANDSHAKE_ERROR})

_BY_KIND: dict[str, frozenset[Cause]] = {
    "silence": IN_TIME,
    "stalls half-way": IN_TIME,
    "drip": IN_TIME,
    "close": HUNG_UP,
    "half-close": HUNG_UP,
    "reset": HUNG_UP,
    "cut off half-way": HUNG_UP,
    "garbage": NONSENSE,
    "binary": NONSENSE,
    "endless reply": TOO_LONG,
    "endless line": TOO_LONG,
    "line of 1 MiB": TOO_LONG,
    "421": frozenset({Cause.THROTTLED}),
    "554": frozenset({Cause.GREETING_REJECTED}),
    "codes differ, the last is another": NONSENSE,
    "codes differ, the first is another": NONSENSE,
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One fault at one place of one target's server, and what may be said about it.

    ``script`` None: nobody serves (``listening`` says how). ``place``: where the fault is; "" for a server without one.
    ``causes``: for the metrics that can no longer be observed. ``instead``: metrics whose value the fault itself shows.
    ``side``: causes that are allowed besides for what is observed on further connections.

    ``later``: what further connections get instead; then the fault is there, and the main conversation is spared.
    """

    target: Target
    fault: str
    place: str
    script: Script | None
    causes: frozenset[Cause] = frozenset()
    instead: Mapping[str, object] = dataclasses.field(default_factory=dict)
    side: frozenset[Cause] = frozenset()
    listening: str = "yes"
    reached_after: frozenset[str] = frozenset()
    """Stages after the place that the conversation reaches in spite of the fault."""
    later: Script | None = None

    @property
    def answered(self) -> bool:
        """Whether the fault is an answer after which the second connection goes on."""
        return self.fault == "554" and self.place == MAIL

    def second_reached(self, stage: str) -> bool:
        """Whether the second connection comes about and gets as far as this observation on it."""
        if self.later is None:
            complete = AFTER_TLS if self.target.mode == "starttls" else CAPABILITIES
            if not self.reached(CAPABILITIES if stage == MAIL else complete):
                return False
            return self.place != MAIL or (self.answered and stage != MAIL)
        steps = SECOND[stage] if self.target.mode != "implicit" else (HANDSHAKE,)
        return self.place not in steps

    @property
    def name(self) -> str:
        """Such as ``reset at greeting``."""
        name = f"{self.fault} at {self.place}" if self.place else self.fault
        return f"{name} of later connections" if self.later else name

    def reached(self, stage: str) -> bool:
        """Whether the conversation that meets the fault gets past this stage."""
        if not self.place or stage in self.reached_after:
            return True
        if self.place == MAIL:
            return stage not in SECOND
        if stage not in self.target.order:
            stage = CAPABILITIES  # of an upgrade that is not tried
        if self.target.protocol == "sieve" and stage == CAPABILITIES:
            stage = GREETING
        return self.target.order.index(stage) < self.target.order.index(self.place)


def cases(target: Target) -> Iterator[Case]:
    """All the cases of one target."""
    yield Case(target, "well-behaved", "", target.script())
    yield Case(target, "connection refused", CONNECT, None, frozenset({Cause.CONNECTION_REFUSED}), listening="no")
    yield Case(target, "connect timeout", CONNECT, None, frozenset({Cause.CONNECTION_TIMEOUT}), listening="full")
    places = [place for place in (*target.order, MAIL) if place in target.places or place in (GREETING, HANDSHAKE)]
    if target.role != "submission" or target.mode == "implicit":
        places = [place for place in places if place != MAIL]
    for place in places:
        for fault, script in _faults_at(target, place).items():
            yield _case(target, place, fault, script)
    yield from _whole_servers(target)
    if target.mode == "none" or target.without_tls:
        return
    for place in places if target.mode == "starttls" else (HANDSHAKE,):
        for fault, script in _faults_at(target, place).items():
            # (An alert that refuses the parameters is an answer about the version that was offered. On the second
            # connection nobody waits for the answer to the farewell, and no other has MAIL.)
            if fault != "TLS alert" and place not in (QUIT, MAIL):
                case = _case(target, place, fault, script)
                yield dataclasses.replace(_later(case), script=target.script(), later=case.script)


def _later(case: Case) -> Case:
    """The same fault on later connections alone: what it means for the second one."""
    target, causes, instead = case.target, case.causes, {}
    if case.fault == "554" and case.place == UPGRADE and target.protocol == "smtp":
        # Refused where it was agreed to before: it is the command behind it that the server does not want.
        instead = {f"{target.protocol}.starttls_command_injection": False}
    if case.fault == "554" and case.place == AFTER_TLS:
        causes |= IN_TIME  # whose answer it is shows the one to QUIT, which never comes
    return dataclasses.replace(case, causes=causes, instead=instead)


def _faults_at(target: Target, place: str) -> dict[str, Script]:
    faults = dict(FAULTS)
    if place == HANDSHAKE:
        faults |= {"TLS alert": (Alert(40),), "TLS alert internal_error": (Alert(80),)}
        # The script has read the ClientHello already.
        for name in ("TLS alert", "TLS alert internal_error"):
            faults[name] = (Send(bytes([21, 3, 3, 0, 2, 2, 40 if name == "TLS alert" else 80])), Close())
        return faults
    said = target.answer(place).replace(b"{tag}", b"")  # cut before the tag could matter
    half = said[: max(1, len(said) // 2)]
    if target.protocol == "smtp":
        # Lines of one reply whose codes differ (RFC 5321 §4.2.1): no reader may go by the first or by the last alone.
        *_, last = said.rstrip(b"\r\n").split(b"\r\n")
        agreeing = said[: -len(last) - 2] + last[:3] + b"-" + last[4:] + b"\r\n"
        other = b"299" if place != UPGRADE else b"220" if said.startswith(b"5") else b"502"
        faults["codes differ, the last is another"] = (Send(agreeing + other + b" " + last[4:] + b"\r\n"), Silence())
        faults["codes differ, the first is another"] = (Send(other + b"-x\r\n" + said), Silence())
    return faults | {"cut off half-way": (Send(half), Close()), "stalls half-way": (Send(half), Silence())}


def _case(target: Target, place: str, fault: str, script: Script) -> Case:
    works = f"{target.protocol}.starttls_works"
    is_smtp = target.protocol == "smtp"
    causes = _BY_KIND.get(fault, frozenset())
    instead: dict[str, object] = {}
    side: frozenset[Cause] = frozenset()
    reached_after: frozenset[str] = frozenset()
    if place == HANDSHAKE:
        if fault.startswith("TLS alert"):
            causes = frozenset({Cause.TLS_ALERT})
        elif causes not in (IN_TIME, HUNG_UP) or fault == "drip":
            # Whatever was sent, it began with a byte that no TLS record begins with.
            causes, side = NOT_TLS, NONSENSE | TOO_LONG | HUNG_UP
        if target.mode == "starttls" and causes & (NOT_TLS | {Cause.TLS_ALERT}):
            instead[works] = False  # it is the server's TLS that does not work
    elif not is_smtp and fault in ("421", "554", "endless reply"):
        causes = NONSENSE | (TOO_LONG if fault == "endless reply" else frozenset())
    elif fault == "421":
        side = frozenset({Cause.THROTTLED})
        if place == GREETING:
            causes = frozenset({Cause.GREETING_REJECTED})
    elif fault == "554" and place == UPGRADE and target.without_tls:
        reached_after = frozenset({UPGRADE, QUIT})  # a refusal in other words
    elif fault == "554" and place == UPGRADE:
        causes, instead = NOT_TLS, {works: False}
        reached_after = frozenset({QUIT})  # a refusal is an answer: we go on to say goodbye
    elif fault == "554" and place == QUIT:
        instead = {"smtp.quit_code": 554, "smtp.enhanced_codes_used": True}
    elif fault == "554" and place == MAIL:
        causes = NONSENSE  # it does not say what it has to do with TLS
    elif fault == "endless reply" and place not in (GREETING, UPGRADE):
        causes |= NONSENSE
    if target.protocol == "sieve" and fault == "endless line":
        causes |= NONSENSE
    if causes == IN_TIME:
        side = IN_TIME
    if fault == "554" and place in (UPGRADE, MAIL):
        script = (Send(b"554 5.7.1 not you\r\n"),)  # and the server listens on
    return Case(target, fault, place, target.broken(place, script), causes, instead, side, "yes", reached_after)


def _whole_servers(target: Target) -> Iterator[Case]:
    """Servers that are peculiar as a whole."""
    if target.mode == "implicit":
        plain: Script = target.server()
        yield Case(target, "plain text on a TLS port", HANDSHAKE, plain, NOT_TLS, side=NONSENSE | TOO_LONG)
        said = target.answer(QUIT)
        script = target.server(implicit=True, tls={target.places[QUIT].encode(): (Send(said), CloseNotify(), Close())})
        yield Case(target, "close with close_notify", "", script)
    else:
        implicit: Script = target.server(implicit=True)
        yield Case(target, "TLS on a plain-text port", GREETING, implicit, IN_TIME)
    if target.protocol == "smtp":
        implicit_tls = target.mode == "implicit"
        greetings = {
            "greeting without ESMTP": b"220 hostile.test\r\n",
            "greeting of several lines": b"220-hostile.test ESMTP\r\n220-no spam\r\n220 please\r\n",
            "8-bit greeting": b"220 hostile.test \xff\xfe caf\xe9 \x1b[2J\r\n",
        }
        for name, greeting in greetings.items():
            changes = {**target.without_tls, "greeting": (Send(greeting),)}
            yield Case(target, name, "", target.server(implicit=implicit_tls, **changes))
    if target.mode != "starttls" or target.without_tls:
        return
    said = target.answer(UPGRADE)
    injected = {"smtp": b"250 injected\r\n", "imap": b"* OK injected\r\n", "pop3": b"+OK injected\r\n"}
    more = injected.get(target.protocol, b'OK "injected"\r\n')
    yield Case(
        target,
        "injected bytes after the agreement",
        HANDSHAKE,
        target.server(**{target.places[UPGRADE]: (Send(said + more), StartTLS())}),
        NONSENSE,
        instead={f"{target.protocol}.starttls_injection": True},
    )
    if target.protocol == "smtp":
        ehlo = b"250-hostile.test\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n"
        yield Case(target, "STARTTLS not on the last line", "", target.server(EHLO=(Send(ehlo),)))
        lower = target.answer(CAPABILITIES).replace(b"STARTTLS", b"StartTLS").replace(b"\r\n", b"\n")
        yield Case(target, "bare LF and odd case", "", target.server(EHLO=(Send(lower),)))


# --- places where nobody answers --------------------------------------------------------------------------------------


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port on loopback that refuses connections, and does so until the end."""
    with socket.socket() as bound:  # bound but not listening: nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port on loopback where a connection is neither made nor refused: its queue is full and nobody accepts."""
    with contextlib.ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(64):
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0.2)
            try:
                waiting.connect(listening.getsockname())
            except TimeoutError:
                yield listening.getsockname()[1]
                return
        raise RuntimeError("the queue of a listening socket does not fill up here")


__all__ = ["SECOND", "STAGES", "TARGETS", "Case", "Step", "Target", "black_hole", "cases", "nobody", "stage_of"]
