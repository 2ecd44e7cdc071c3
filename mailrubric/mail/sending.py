"""Test messages from an account of one's own at a vendor to mailboxes of one's own: plan, run, and what it showed.

Two keys open this: the account stands in the workspace's ``mailrubric.yaml`` (``sending``), and the caller says for
this run that it is to be used. Secrets come from the environment alone and are never part of what is returned.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime
import math
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mailrubric.evidence.observation import Observation, ObservedValue
from mailrubric.intervals import quantile_bounds, wilson
from mailrubric.mail import send_metrics
from probes.authentication import Credentials, Redactor, Secret
from probes.letter import compose, is_address, run_mark
from probes.model import Cause, Endpoint, Measurement, Report, Step, Unmeasured
from probes.network import Network, Options, Surroundings
from probes.runner import parse_target, versions
from probes.seed_mailbox import Arrival, Expectation, Watch, limits_for_reading, watch
from probes.send import ACCEPTANCE_SECONDS, Login, Sending, send, try_recipients
from probes.verified_tls import surroundings_for_secrets

if TYPE_CHECKING:
    from mailrubric.catalogue.models import SeedMailbox, SendingAccount, Settings

MOST_MESSAGES = 20
"""Messages of one run, to all recipients together."""
SETTLED_SECONDS = 900.0
"""After so long a wait, a message that is in no folder counts as not delivered: greylisting and queues take minutes.
After a shorter one it may still be on its way, and nothing is said about shares."""
SPACING_SECONDS = 5.0
"""Between two messages."""
SESSION_SECONDS = ACCEPTANCE_SECONDS + 60
"""For one session, where nobody says otherwise."""


class SendingError(Exception):
    """Sending cannot begin; the text is a sentence for people that names the setting or the variable."""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """An account of one's own at a vendor."""

    vendor: str
    endpoint: Endpoint
    sender: str
    login: Login


@dataclasses.dataclass(frozen=True, slots=True)
class Seed:
    """A mailbox of one's own that can be looked into."""

    name: str
    address: str
    endpoint: Endpoint
    login: Login
    spam_folder: str = ""


def account_of(
    settings: Settings, vendor: str, endpoints: Sequence[Endpoint], environment: Mapping[str, str] | None = None
) -> Account:
    """The account at ``vendor`` that the settings name, with its secret from the environment. ``endpoints``: of the
    vendor's profile; its first submission server is used where the settings name none."""
    declared = settings.sending.accounts.get(vendor)
    if declared is None:
        raise SendingError(f"mailrubric.yaml names no account of yours at {vendor}: sending: accounts: {vendor}: …")
    if declared.server:
        endpoint = parse_target(declared.server)
    else:
        submission = [each for each in endpoints if each.role == "submission" and each.tls != "none"]
        if not submission:
            raise SendingError(f"the profile of {vendor} has no submission server with TLS; name one as the server")
        endpoint = Endpoint("submission", host=submission[0].host, port=submission[0].port, tls=submission[0].tls)
    login = _login(declared, f"sending.accounts.{vendor}", "", environment)
    return Account(vendor, endpoint, declared.sender, login)


def seeds_of(settings: Settings, names: Sequence[str], environment: Mapping[str, str] | None = None) -> list[Seed]:
    """The seed mailboxes of these names, with their secrets from the environment."""
    found = []
    for name in dict.fromkeys(names):
        declared = settings.sending.seeds.get(name)
        if declared is None:
            known = ", ".join(settings.sending.seeds) or "none"
            raise SendingError(f"mailrubric.yaml names no seed mailbox {name} (sending: seeds); there are: {known}")
        login = _login(declared, f"sending.seeds.{name}", declared.address, environment)
        found.append(Seed(name, declared.address, parse_target(declared.server), login, declared.spam_folder))
    return found


def _login(
    declared: SendingAccount | SeedMailbox, place: str, user: str, environment: Mapping[str, str] | None
) -> Login:
    given = os.environ if environment is None else environment

    def value(variable: str, what: str) -> str:
        text = given.get(variable, "")
        if not text:
            raise SendingError(f"the environment variable {variable} is not set: it holds the {what} for {place}")
        return text

    if declared.user_variable:
        user = value(declared.user_variable, "user name")
    password = Secret(value(declared.password_variable, "password")) if declared.password_variable else None
    token = Secret(value(declared.token_variable, "access token")) if declared.token_variable else None
    try:
        return Login(Credentials(user, password, token), declared.mechanism)
    except ValueError as error:
        raise SendingError(f"{place}: {error}") from None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is to be sent. ``recipients``: addresses whose mailboxes nobody looks into; ``seeds``: those that are looked
    into. ``each``: messages to each of them. ``wait``: seconds after the last message in which all are looked for.
    ``spacing``: seconds between messages."""

    account: Account
    recipients: tuple[str, ...] = ()
    seeds: tuple[Seed, ...] = ()
    each: int = 1
    wait: float = SETTLED_SECONDS
    spacing: float = SPACING_SECONDS
    malformed_recipients: bool = False
    unknown_recipient: bool = False

    def __post_init__(self) -> None:
        for address in (self.account.sender, *self.recipients, *(seed.address for seed in self.seeds)):
            if not is_address(address):
                raise SendingError(f"not one plain address such as tester@example.com: {address}")
        if not self.letters:
            raise SendingError("there is nobody to send to")
        if len(self.letters) > MOST_MESSAGES:
            raise SendingError(f"{len(self.letters)} messages are more than the {MOST_MESSAGES} that one run may send")

    @property
    def letters(self) -> list[tuple[str, Seed | None]]:
        """Recipient and seed of each message, in the order of sending."""
        by_seed = {seed.address.lower(): seed for seed in self.seeds}
        to = dict.fromkeys([*self.recipients, *(seed.address for seed in self.seeds)])
        unique = {address.lower(): address for address in to}
        return [(address, by_seed.get(key)) for _ in range(self.each) for key, address in unique.items()]


@dataclasses.dataclass(slots=True)
class Message:
    """One message and what became of it. ``problem``: why nothing is known of its arrival, None when it was found or
    nobody looks. ``delivery_seconds`` and the two figures behind it are None unless it was found."""

    number: int
    recipient: str
    seed: str
    sending: Sending
    arrival: Arrival | None = None
    problem: Unmeasured | None = None

    @property
    def delivery_seconds(self) -> float | None:
        """From the lone dot to the arrival (``Arrival.seconds_since``)."""
        sent = self.sending.sent_at
        return None if self.arrival is None or sent is None else self.arrival.seconds_since(sent)


@dataclasses.dataclass(slots=True)
class Outcome:
    """All of one run. ``watches``: by seed name. ``asked``: what the malformed and unknown recipients showed.
    ``transcript``: of all sessions, without secrets."""

    plan: Plan
    run: str
    started: datetime.datetime
    vantage: str
    messages: list[Message] = dataclasses.field(default_factory=list)
    watches: dict[str, Watch] = dataclasses.field(default_factory=dict)
    asked: tuple[Measurement, ...] = ()
    transcript: tuple[Step, ...] = ()
    duration_ms: float = 0.0
    waited: float = 0.0
    """Seconds after the last message in which it was looked for, unless everything was found before: those of the plan,
    fewer when somebody put an end to it."""
    stopped: bool = False
    """Whether somebody put an end to it."""

    @property
    def accepted(self) -> int:
        """How many messages the platform accepted."""
        return sum(message.sending.accepted for message in self.messages)

    @property
    def started_text(self) -> str:
        """ISO 8601 in UTC."""
        return self.started.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def report(self) -> Report:
        """The transcript as a report for the store. It stands beside those of the server's probes, not among them: its
        endpoint is named by its URL, and it holds no measurement."""
        endpoint, sent = self.plan.account.endpoint, [message.sending for message in self.messages]
        return Report(
            endpoint=dataclasses.replace(endpoint, url=server_url(endpoint), label="send"),
            started=self.started_text,
            vantage=self.vantage,
            versions=versions(),
            measurements=(),
            transcript=self.transcript,
            duration_ms=self.duration_ms,
            address=next((each.address for each in sent if each.address), ""),
        )


def server_url(endpoint: Endpoint) -> str:
    """A mail server as the settings name it: ``smtp://host:587``."""
    scheme = {"submission": "smtp", "imap": "imap"}[endpoint.role] + ("s" if endpoint.tls == "implicit" else "")
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{scheme}://{host}:{endpoint.port}"


# --- running ----------------------------------------------------------------------------------------------------------


class _Transcripts:
    """Puts the transcripts of several networks together: one clock, connections numbered through."""

    def __init__(self) -> None:
        self.began = asyncio.get_running_loop().time()
        self._steps: list[Step] = []
        self._connections = 0

    def add(self, steps: Sequence[Step], offset_ms: float) -> None:
        self._steps += [
            dataclasses.replace(
                step,
                ms=round(step.ms + offset_ms, 3),
                connection=step.connection and step.connection + self._connections,
            )
            for step in steps
        ]
        self._connections += max((step.connection for step in steps), default=0)

    def offset(self) -> float:
        """Milliseconds since the run began."""
        return 1000 * (asyncio.get_running_loop().time() - self.began)

    def all(self) -> tuple[Step, ...]:
        return tuple(sorted(self._steps, key=lambda step: step.ms))


async def run(
    plan: Plan,
    options: Options,
    tell: Callable[[str], None] = lambda text: None,
    stop: asyncio.Event | None = None,
) -> Outcome:
    """Open the seed mailboxes, send the messages one after the other, and look for them until the wait is over. Raises
    nothing but ``CancelledError``: what went wrong is in the outcome.

    ``options``: the limits of one session are taken as they are but for the number of connections. ``tell``: progress,
    a line at a time. ``stop``: once it is set, no further message is sent, and after one more look the wait is over.
    A message to a seed mailbox that cannot be opened is not sent: nobody could see what becomes of it.
    """
    letters = plan.letters
    stop = stop if stop is not None else asyncio.Event()
    connections = 4 * (len(letters) + len(plan.seeds)) + 16
    limits = dataclasses.replace(
        options.limits,
        connections_per_address=connections,
        connections_per_address_full=connections,
        connections_per_address_own_server=connections,
        # Each mailbox is watched on a connection of its own, and many of them may be at one provider.
        concurrent_per_address=len(plan.seeds) + 4,
    )
    options = dataclasses.replace(options, limits=limits, record_to=None)
    surroundings = surroundings_for_secrets(options)
    outcome = Outcome(plan, run_mark(os.urandom(8)), datetime.datetime.now(datetime.UTC), options.vantage)
    transcripts = _Transcripts()
    longest = plan.wait + (len(letters) + 1) * (limits.deadline + plan.spacing)
    expectations = {seed.name: Expectation(outcome.run) for seed in plan.seeds}
    opened: dict[str, asyncio.Future[Unmeasured | None]] = {
        seed.name: asyncio.get_running_loop().create_future() for seed in plan.seeds
    }

    async def look(seed: Seed) -> None:
        reading = dataclasses.replace(options, limits=limits_for_reading(limits, longest))
        offset = transcripts.offset()
        async with Network(seed.endpoint, reading, surroundings) as network:
            outcome.watches[seed.name] = await watch(
                seed.endpoint,
                network,
                seed.login,
                expectations[seed.name],
                spam_folder=seed.spam_folder,
                ready=opened[seed.name].set_result,
            )
        transcripts.add(outcome.watches[seed.name].transcript, offset)

    tasks = [asyncio.create_task(look(seed), name=f"seed {seed.name}") for seed in plan.seeds]
    try:
        for seed in plan.seeds:
            problem = await opened[seed.name]
            tell(f"mailbox {seed.name}: {'open' if problem is None else problem}")
        await _send_all(outcome, options, surroundings, expectations, opened, transcripts, tell, stop)
        await _wait_for(outcome, expectations, tasks, tell, stop)
        _settle(outcome, expectations)
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        await surroundings.close()
    outcome.transcript = transcripts.all()
    outcome.duration_ms = round(transcripts.offset(), 3)
    _take_out_secrets(outcome)
    return outcome


async def _wait_for(
    outcome: Outcome,
    expectations: Mapping[str, Expectation],
    tasks: Sequence[asyncio.Task[None]],
    tell: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Until everything was found, or the wait is over and each mailbox looked through once more."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    outcome.waited = outcome.plan.wait
    pending = any(expectation.pending for expectation in expectations.values())
    if pending and not stop.is_set():
        tell(f"looking for the messages, for at most {outcome.plan.wait:.0f} s")
    for expectation in expectations.values():
        expectation.until = began + (outcome.plan.wait if pending else 0.0)
    watching: asyncio.Future[Any] = asyncio.gather(*tasks)
    stopping: asyncio.Future[Any] = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait((watching, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not watching.done():
            outcome.stopped = True
            outcome.waited = min(outcome.waited, loop.time() - began)
            for expectation in expectations.values():
                expectation.until = loop.time()
        await watching
    finally:
        stopping.cancel()
        watching.cancel()
        await asyncio.gather(stopping, watching, return_exceptions=True)


def _take_out_secrets(outcome: Outcome) -> None:
    """Each session has taken its own secret out of what it heard; here all of them are taken out of everything: a user
    name that is a token too may come back in a message's headers, for one."""
    redactor = Redactor()
    for login in (outcome.plan.account.login, *(seed.login for seed in outcome.plan.seeds)):
        redactor.hide(login.credentials.secret.reveal())
    outcome.transcript = tuple(dataclasses.replace(step, text=redactor(step.text)) for step in outcome.transcript)
    for message in outcome.messages:
        sending = message.sending
        if message.arrival is not None:
            headers = tuple(redactor(line) for line in message.arrival.headers)
            message.arrival = dataclasses.replace(message.arrival, headers=headers)
        if message.problem is not None:
            message.problem = redactor.problem(message.problem)
        if sending.problem is not None:
            sending.problem = redactor.problem(sending.problem)
        sending.transcript = ()  # it stands in the run's
        sending.reply = redactor(sending.reply)
        sending.steps = [dataclasses.replace(step, said=redactor(step.said)) for step in sending.steps]
    outcome.asked = tuple(dataclasses.replace(each, detail=redactor(each.detail)) for each in outcome.asked)
    for watched in outcome.watches.values():
        watched.transcript = ()
        if watched.problem is not None:
            watched.problem = redactor.problem(watched.problem)


async def _send_all(
    outcome: Outcome,
    options: Options,
    surroundings: Surroundings,
    expectations: Mapping[str, Expectation],
    opened: Mapping[str, asyncio.Future[Unmeasured | None]],
    transcripts: _Transcripts,
    tell: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    plan = outcome.plan
    account = plan.account
    last_letter = None
    for number, (recipient, seed) in enumerate(plan.letters, 1):
        unread = opened[seed.name].result() if seed is not None else None
        if unread is not None:
            why = Unmeasured(unread.cause, f"not sent, since its mailbox cannot be read: {unread.detail}")
            sending = Sending(number, recipient, problem=why)
            outcome.messages.append(Message(number, recipient, seed.name if seed else "", sending))
            continue
        if last_letter is not None:
            await _pause(plan.spacing, stop)
        if stop.is_set():
            outcome.stopped = True
            return
        letter = compose(outcome.run, number, account.sender, recipient, datetime.datetime.now(datetime.UTC))
        last_letter = letter
        if seed is not None:
            expectations[seed.name].add(number)
        offset = transcripts.offset()
        async with Network(account.endpoint, options, surroundings) as network:
            sending = await send(account.endpoint, network, account.login, letter)
        transcripts.add(sending.transcript, offset)
        if seed is not None and sending.sent_at is None:
            expectations[seed.name].pending.discard(number)
        outcome.messages.append(Message(number, recipient, seed.name if seed else "", sending))
        if sending.accepted:
            tell(f"message {number} to {recipient}: accepted in {sending.accepted_ms:.0f} ms, {sending.reply}")
        else:
            tell(f"message {number} to {recipient}: {sending.failed_at}: {sending.problem}")
    if last_letter is not None and (plan.malformed_recipients or plan.unknown_recipient) and not stop.is_set():
        await _pause(plan.spacing, stop)
        offset = transcripts.offset()
        async with Network(account.endpoint, options, surroundings) as network:
            tried, outcome.asked = await try_recipients(
                account.endpoint,
                network,
                account.login,
                last_letter,
                malformed=plan.malformed_recipients,
                unknown=plan.unknown_recipient,
            )
        transcripts.add(tried.transcript, offset)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _settle(outcome: Outcome, expectations: Mapping[str, Expectation]) -> None:
    """Say of each message whether and where it was found, or why that is not known."""
    for message in outcome.messages:
        if not message.seed:
            continue
        watched = outcome.watches[message.seed]
        message.arrival = expectations[message.seed].arrivals.get(message.number)
        if message.arrival is not None:
            continue
        if message.sending.sent_at is None:
            message.problem = message.sending.problem
        elif watched.problem is not None:
            message.problem = watched.problem
        elif not watched.complete:
            message.problem = Unmeasured(
                Cause.DEADLINE_EXCEEDED, f"not found, but {watched.unlooked} folders could not be looked in"
            )
        else:
            message.problem = Unmeasured(
                Cause.DEADLINE_EXCEEDED,
                f"in none of {watched.folders} folders {outcome.waited:.0f} s after the last message was sent",
            )


# --- what it showed ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    value: ObservedValue | None
    cause: Cause | None = None
    detail: str = ""
    n: int | None = None
    low: float | None = None
    high: float | None = None


def observations(outcome: Outcome, report: str = "") -> list[Observation]:
    """What the run says of the vendor, as evidence of kind ``tested``. ``report``: id of the stored transcript.

    Shares count a message as not there only when its mailbox was read to the end of a wait of ``SETTLED_SECONDS``. A
    mailbox that could not be read to the end is left out with all its messages: leaving out only those not found in it
    would make the shares too good.
    """
    found: dict[str, _Found] = _session_times(outcome)
    if outcome.plan.seeds:
        found |= _shares(outcome)
        found[send_metrics.DELIVERY_SECONDS] = _delivery(outcome)
    for each in outcome.asked:
        found[each.metric] = _Found(each.value, each.cause, each.detail)
    units = {metric.key: metric.unit for metric in send_metrics.METRICS}
    return [
        Observation(
            vendor=outcome.plan.account.vendor,
            metric=metric,
            value=each.value,
            kind="tested",
            source="mailrubric send",
            observed=outcome.started_text,
            cause=None if each.cause is None else each.cause.value,
            detail=each.detail,
            unit=units[metric],
            vantage=outcome.vantage,
            n=each.n,
            low=each.low,
            high=each.high,
            report=report,
            versions=tuple(sorted(versions().items())),
        )
        for metric, each in found.items()
    ]


def _why_not(sendings: Iterable[Sending]) -> Unmeasured:
    """The problem that most of them met."""
    problems = [each.problem for each in sendings if each.problem is not None]
    if not problems:
        return Unmeasured(Cause.PROTOCOL_ERROR, "no message was accepted")
    common, _ = collections.Counter(problem.cause for problem in problems).most_common(1)[0]
    return next(problem for problem in problems if problem.cause is common)


def _begun(outcome: Outcome) -> list[Sending]:
    """The sessions with the vendor's server, failed ones too."""
    return [each.sending for each in outcome.messages if each.sending.steps or each.sending.failed_at is not None]


def _session_times(outcome: Outcome) -> dict[str, _Found]:
    """Nothing where every message was held back, since no mailbox could be read: that says nothing of the vendor."""
    sendings = _begun(outcome)
    if not sendings:
        return {}
    why = _why_not(sendings)
    found = {}
    whole = [each.accepted_ms for each in sendings if each.accepted_ms is not None]
    found[send_metrics.ACCEPTED_MS] = _median(whole, why)
    for step, metric in send_metrics.STEP_METRICS.items():
        times = [step_taken.ms for each in sendings for step_taken in each.steps if step_taken.name == step]
        found[metric] = _median(times, why)
    mechanisms = [each.mechanism for each in sendings if each.ms("auth") is not None]
    found[send_metrics.MECHANISM] = (
        _Found(", ".join(sorted(set(mechanisms))), n=len(mechanisms))
        if mechanisms
        else _Found(None, why.cause, why.detail)
    )
    return found


def _median(values: Sequence[float], why: Unmeasured) -> _Found:
    if not values:
        return _Found(None, why.cause, why.detail)
    low, high = quantile_bounds(values, 0.5) or (None, None)
    return _Found(round(statistics.median(values), 3), n=len(values), low=low, high=high)


def _counted(outcome: Outcome) -> tuple[list[Message], list[str]]:
    """The messages that say something of arrival: accepted, in mailboxes read to the end; and what was left out."""
    counted, left_out = [], []
    for message in outcome.messages:
        if not message.seed or not message.sending.accepted:
            continue
        watched = outcome.watches[message.seed]
        if watched.problem is not None:
            left_out.append(f"mailbox {message.seed}: {watched.problem}")
        elif not watched.complete:
            left_out.append(f"mailbox {message.seed}: {watched.unlooked} folders could not be looked in")
        else:
            counted.append(message)
    return counted, list(dict.fromkeys(left_out))


def _shares(outcome: Outcome) -> dict[str, _Found]:
    metrics = (send_metrics.INBOX_RATE, send_metrics.SPAM_RATE, send_metrics.DELIVERED_RATE)
    counted, left_out = _counted(outcome)
    if not counted:
        return dict.fromkeys(metrics, _nothing_counted(outcome, left_out))
    placed = collections.Counter(message.arrival.placement for message in counted if message.arrival is not None)
    n, missing = len(counted), len(counted) - sum(placed.values())
    words = f"of {n} messages {placed['inbox']} in the inbox, {placed['spam']} in spam, {placed['other']} elsewhere"
    if missing:
        words += f", {missing} in no folder {outcome.waited:.0f} s after the last was sent"
    detail = "; ".join([words, *(f"left out: {each}" for each in left_out)])
    if missing and outcome.waited < SETTLED_SECONDS:
        detail += f"; they may be on their way: only after {SETTLED_SECONDS:.0f} s they count as not delivered"
        return dict.fromkeys(metrics, _Found(None, Cause.DEADLINE_EXCEEDED, detail))

    def share(count: int) -> _Found:
        low, high = wilson(count, n)
        return _Found(round(100 * count / n, 3), None, detail, n, round(100 * low, 3), round(100 * high, 3))

    return dict(zip(metrics, (share(placed["inbox"]), share(placed["spam"]), share(n - missing)), strict=True))


def _delivery(outcome: Outcome) -> _Found:
    counted, left_out = _counted(outcome)
    if not counted:
        return _nothing_counted(outcome, left_out)
    times = [math.inf if (seconds := each.delivery_seconds) is None else seconds for each in counted]
    missing = sum(math.isinf(each) for each in times)
    detail = "; ".join(f"left out: {each}" for each in left_out)
    if missing:
        detail = "; ".join(filter(None, [f"{missing} of {len(times)} not found in {outcome.waited:.0f} s", detail]))
    middle = statistics.median(times)
    if math.isinf(middle):
        return _Found(None, Cause.DEADLINE_EXCEEDED, detail)
    low, high = quantile_bounds(times, 0.5) or (None, None)
    if high is not None and math.isinf(high):
        low = high = None  # it has no upper end that anybody has seen
    return _Found(round(middle, 3), None, detail, len(times), low, high)


def _nothing_counted(outcome: Outcome, left_out: Sequence[str]) -> _Found:
    for message in outcome.messages:
        watched = outcome.watches.get(message.seed)
        if message.sending.accepted and watched is not None and watched.problem is not None:
            return _Found(None, watched.problem.cause, "; ".join(left_out))
    if left_out:
        return _Found(None, Cause.DEADLINE_EXCEEDED, "; ".join(left_out))
    why = _why_not(message.sending for message in outcome.messages if message.seed)
    return _Found(None, why.cause, why.detail)
