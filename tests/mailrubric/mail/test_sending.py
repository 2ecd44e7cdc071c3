"""What a run of test messages says, and above all what it does not."""

from __future__ import annotations

import datetime

import pytest

from mailrubric.catalogue.models import Settings
from mailrubric.evidence.observation import Observation
from mailrubric.mail.send_metrics import METRICS
from mailrubric.mail.sending import (
    MOST_MESSAGES,
    Account,
    Message,
    Outcome,
    Plan,
    Seed,
    SendingError,
    account_of,
    observations,
    seeds_of,
)
from probes.authentication import Credentials, Secret
from probes.model import Cause, Endpoint, Measurement, Unmeasured
from probes.seed_mailbox import Arrival, Placement, Watch
from probes.send import Login, Sending, StepTaken

SENT = datetime.datetime(2026, 11, 23, 6, 0, tzinfo=datetime.UTC)
LOGIN = Login(Credentials("me", Secret("never-shown-anywhere")))
SUBMISSION = Endpoint("submission", host="smtp.acme.example", port=587)


def seed(name: str) -> Seed:
    return Seed(
        name, f"{name}@seed.example", Endpoint("imap", host="imap.seed.example", port=993, tls="implicit"), LOGIN
    )


def plan(*names: str, wait: float = 900, each: int = 1, to: tuple[str, ...] = ()) -> Plan:
    account = Account("acme", SUBMISSION, "me@acme.example", LOGIN)
    return Plan(account, to, tuple(seed(name) for name in names), each=each, wait=wait)


def sending(number: int, *, accepted: bool = True, problem: Unmeasured | None = None) -> Sending:
    found = Sending(number, "x@seed.example", mechanism="PLAIN", accepted=accepted, problem=problem)
    found.steps = [StepTaken("connect", 10.0 * number), StepTaken("auth", 1.0)] if accepted or problem else []
    found.sent_at = SENT if accepted else None
    return found


def message(number: int, name: str, place: Placement | None, seconds: float = 2.0) -> Message:
    arrival = None
    if place is not None:
        arrival = Arrival(number, place, "folder", SENT + datetime.timedelta(seconds=seconds))
    return Message(number, f"{name}@seed.example", name, sending(number), arrival)


def outcome(what: Plan, messages: list[Message], **watches: Watch) -> Outcome:
    made = Outcome(what, "mr0123456789abcdef", SENT, "here", messages, waited=what.wait)
    made.watches = {each.name: Watch(complete=True, folders=3) for each in what.seeds} | watches
    return made


def found(made: Outcome) -> dict[str, Observation]:
    by_metric = {each.metric: each for each in observations(made, "report-1")}
    declared = {metric.key: metric for metric in METRICS}
    for metric, each in by_metric.items():
        assert (each.value is None) == (each.cause is not None), metric
        assert each.unit == declared[metric].unit
        assert (each.kind, each.vendor, each.vantage, each.report) == ("tested", "acme", "here", "report-1")
        assert "never-shown-anywhere" not in repr(each)
        if each.cause is not None:
            Cause(each.cause)
    return by_metric


# --- shares -----------------------------------------------------------------------------------------------------------


def test_shares() -> None:
    places: list[Placement | None] = ["inbox"] * 6 + ["spam", "other", "inbox", None]
    messages = [message(number, "a", place) for number, place in enumerate(places, 1)]
    said = found(outcome(plan("a", each=10), messages))
    inbox = said["trial.inbox_rate"]
    assert (inbox.value, inbox.n) == (70.0, 10)
    assert inbox.low == pytest.approx(39.68, abs=0.01)  # Wilson for 7 of 10
    assert inbox.high == pytest.approx(89.22, abs=0.01)
    assert said["trial.spam_rate"].value == 10.0
    assert said["trial.delivered_rate"].value == 90.0
    assert "1 in no folder" in inbox.detail


def test_a_short_wait_says_nothing_of_shares_while_something_is_missing() -> None:
    messages = [message(1, "a", "inbox"), message(2, "a", None)]
    said = found(outcome(plan("a", each=2, wait=899), messages))
    for metric in ("trial.inbox_rate", "trial.spam_rate", "trial.delivered_rate"):
        assert said[metric].value is None
        assert said[metric].cause == "deadline_exceeded"
    assert said["trial.delivery_seconds"].cause == "deadline_exceeded"
    all_there = [message(1, "a", "inbox"), message(2, "a", "spam")]
    assert found(outcome(plan("a", each=2, wait=10), all_there))["trial.inbox_rate"].value == 50.0


def test_a_mailbox_that_could_not_be_read_to_the_end_counts_for_nothing() -> None:
    # Its message that was found must not count either: those that were not found are not counted, and the share would
    # be too good.
    messages = [message(1, "a", "spam"), message(2, "b", "inbox"), message(3, "b", None)]
    broken = Watch(problem=Unmeasured(Cause.CONNECTION_RESET, "gone"))
    said = found(outcome(plan("a", "b"), messages, b=broken))
    assert (said["trial.inbox_rate"].value, said["trial.inbox_rate"].n) == (0.0, 1)
    assert "left out: mailbox b" in said["trial.inbox_rate"].detail
    alone = found(outcome(plan("b"), messages[1:], b=broken))
    for metric in ("trial.inbox_rate", "trial.delivery_seconds"):
        assert alone[metric].cause == "connection_reset"
    partly = found(outcome(plan("b"), messages[1:], b=Watch(complete=False, unlooked=2)))
    assert partly["trial.inbox_rate"].cause == "deadline_exceeded"


def test_what_was_not_accepted_is_no_lost_message() -> None:
    why = Unmeasured(Cause.NOT_PERMITTED, "the server refuses the login: 535")
    refused = Message(2, "a@seed.example", "a", sending(2, accepted=False, problem=why))
    said = found(outcome(plan("a", each=2), [message(1, "a", "inbox"), refused]))
    assert (said["trial.inbox_rate"].value, said["trial.inbox_rate"].n) == (100.0, 1)
    nothing = found(outcome(plan("a"), [refused]))
    assert nothing["trial.inbox_rate"].cause == "not_permitted"
    assert nothing["trial.send_accepted_ms"].cause == "not_permitted"
    assert nothing["trial.send_connect_ms"].value == 20.0


def test_a_message_that_was_held_back_says_nothing_of_the_vendors_server() -> None:
    unread = Unmeasured(Cause.CONNECTION_REFUSED, "not sent, since its mailbox cannot be read: nobody listens there")
    held = [Message(each, "b@seed.example", "b", Sending(each, "b@seed.example", problem=unread)) for each in (1, 2)]
    broken = Watch(problem=Unmeasured(Cause.CONNECTION_REFUSED, "nobody listens there"))
    said = found(outcome(plan("b", each=2), held, b=broken))
    assert said["trial.inbox_rate"].cause == "connection_refused"
    assert not [metric for metric in said if metric.startswith("trial.send_")]
    refused = sending(3, accepted=False, problem=Unmeasured(Cause.NOT_PERMITTED, "the server refuses the login: 535"))
    both = [*held, Message(3, "c@seed.example", "", refused)]
    said = found(outcome(plan("b", each=2, to=("c@seed.example",)), both, b=broken))
    assert (
        said["trial.send_accepted_ms"].cause == "not_permitted"
    )  # of the one that was tried, though it is one of three


def test_a_message_that_may_have_been_taken_counts_for_nothing() -> None:
    lost = sending(1, accepted=False, problem=Unmeasured(Cause.CONNECTION_RESET, "after the dot"))
    lost.sent_at = SENT
    said = found(outcome(plan("a"), [Message(1, "a@seed.example", "a", lost)]))
    assert said["trial.inbox_rate"].cause == "connection_reset"


def test_without_seeds_nothing_is_said_of_arrival() -> None:
    made = Message(1, "a@b.example", "", sending(1))
    said = found(outcome(plan(to=("a@b.example",)), [made]))
    assert "trial.inbox_rate" not in said
    assert "trial.delivery_seconds" not in said
    assert said["trial.send_login_mechanism"].value == "PLAIN"


def test_what_was_asked_beside() -> None:
    made = outcome(plan("a"), [message(1, "a", "inbox")])
    made.asked = (
        Measurement("trial.malformed_recipients_accepted", ("double-dot",)),
        Measurement.missing("trial.unknown_recipient_accepted", Cause.THROTTLED, "450"),
    )
    said = found(made)
    assert said["trial.malformed_recipients_accepted"].value == ("double-dot",)
    assert said["trial.unknown_recipient_accepted"].cause == "throttled"


# --- times ------------------------------------------------------------------------------------------------------------


def test_delivery_counts_the_missing_as_late() -> None:
    some = [message(number, "a", "inbox", seconds) for number, seconds in enumerate((3.0, 1.0, 2.0), 1)]
    said = found(outcome(plan("a", each=5), [*some, message(4, "a", None), message(5, "a", None)]))
    delivery = said["trial.delivery_seconds"]
    assert (delivery.value, delivery.n) == (3.0, 5)  # not 2.0, the median of those found
    assert "2 of 5 not found" in delivery.detail
    assert (delivery.low, delivery.high) == (None, None)
    said = found(outcome(plan("a", each=5), [*some[:2], *(message(number, "a", None) for number in (3, 4, 5))]))
    assert said["trial.delivery_seconds"].cause == "deadline_exceeded"


def test_delivery_interval() -> None:
    many = [message(number, "a", "inbox", float(number)) for number in range(1, 11)]
    delivery = found(outcome(plan("a", each=10), many))["trial.delivery_seconds"]
    assert (delivery.value, delivery.low, delivery.high) == (5.5, 2.0, 9.0)
    late = [*many[:8], message(9, "a", None), message(10, "a", None)]
    delivery = found(outcome(plan("a", each=10), late))["trial.delivery_seconds"]
    assert (delivery.value, delivery.low, delivery.high) == (5.5, None, None)


# --- plans and accounts -----------------------------------------------------------------------------------------------


def test_plans() -> None:
    both = plan("a", "b", to=("A@seed.example", "c@d.example"), each=2)
    assert [(address.lower(), each.name if each else "") for address, each in both.letters] == [
        ("a@seed.example", "a"), ("c@d.example", ""), ("b@seed.example", "b"),
    ] * 2  # fmt: skip
    with pytest.raises(SendingError, match="nobody"):
        plan()
    with pytest.raises(SendingError, match="more than the 20"):
        plan("a", "b", "c", each=MOST_MESSAGES // 3 + 1)
    for address in ("a", "a@b@c", "a b@c.example", "a@b.example>\r\nDATA", "<a@b.example>"):
        with pytest.raises(SendingError, match="plain address"):
            plan(to=(address,))


SETTINGS = Settings.model_validate(
    {
        "sending": {
            "accounts": {
                "acme": {"user_variable": "ACME_USER", "password_variable": "ACME_PASSWORD", "from": "me@acme.example"},
                "own": {
                    "server": "smtps://mail.own.example",
                    "user_variable": "OWN_USER",
                    "token_variable": "OWN_TOKEN",
                    "from": "me@own.example",
                },
            },
            "seeds": {
                "box": {"server": "imaps://imap.own.example", "address": "box@own.example", "password_variable": "BOX"}
            },
        }
    }
)


def test_accounts() -> None:
    environment = {"ACME_USER": "u", "ACME_PASSWORD": "pässword-of-mine", "OWN_USER": "o", "OWN_TOKEN": "t", "BOX": "b"}
    account = account_of(SETTINGS, "acme", [SUBMISSION], environment)
    assert account.endpoint == SUBMISSION
    assert account.login.credentials.secret.reveal() == "pässword-of-mine"
    assert "pässword-of-mine" not in repr(account)
    own = account_of(SETTINGS, "own", [], environment)
    assert (own.endpoint.host, own.endpoint.port, own.endpoint.tls) == ("mail.own.example", 465, "implicit")
    assert own.login.credentials.token is not None
    (box,) = seeds_of(SETTINGS, ["box", "box"], environment)
    assert box.login.credentials.user == "box@own.example"
    assert box.endpoint.port == 993


@pytest.mark.parametrize(
    ("vendor", "environment", "words"),
    [
        ("acme", {}, "ACME_USER is not set"),
        ("acme", {"ACME_USER": "u"}, "ACME_PASSWORD is not set"),
        ("acme", {"ACME_USER": "u", "ACME_PASSWORD": ""}, "ACME_PASSWORD is not set"),
        ("acme", {"ACME_USER": "u\nx", "ACME_PASSWORD": "secret-of-mine"}, "user name"),
        ("acme", {"ACME_USER": "u", "ACME_PASSWORD": "secret-of-mine\r\nx"}, "no line ends"),
        ("nobody", {}, "names no account of yours at nobody"),
        ("acme", {"ACME_USER": "u", "ACME_PASSWORD": "secret-of-mine"}, "no submission server"),
    ],
)
def test_what_is_missing_is_named(vendor: str, environment: dict[str, str], words: str) -> None:
    plain = Endpoint("submission", host="smtp.acme.example", port=25, tls="none")
    with pytest.raises(SendingError, match=words) as raised:
        account_of(SETTINGS, vendor, [plain] if words == "no submission server" else [SUBMISSION], environment)
    assert "secret-of-mine" not in str(raised.value)


def test_unknown_seeds() -> None:
    with pytest.raises(SendingError, match="there are: box"):
        seeds_of(SETTINGS, ["bix"], {})


def test_metrics_are_declared_well() -> None:
    keys = [metric.key for metric in METRICS]
    assert len(set(keys)) == len(keys)
    for metric in METRICS:
        assert metric.key.startswith("trial.")
        assert metric.meaning.endswith(".")
        assert metric.reference
