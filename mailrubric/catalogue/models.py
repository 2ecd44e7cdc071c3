"""The YAML contracts: criteria files, vendor profiles, weight presets, workspace settings.

Each model refuses unknown keys. Positions (line and column) are added to errors by ``catalogue.load``; JSON Schemas
are generated from these models by ``catalogue.schema``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
FactName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=64)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
_WHEN = r"^(\d{4}(-\d{2}(-\d{2})?)?|undated)$"
When = Annotated[
    str,
    StringConstraints(pattern=_WHEN),
    # An editor reads a bare year as a number; our reader keeps it as the text that was written.
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _WHEN}, {"type": "integer", "minimum": 1000, "maximum": 9999}]}
    ),
]
"""A date as precise as its source gives it: 2026-08-13, 2026-08, 2026 or ``undated``."""
Category = Literal["esp", "marketing", "mailbox", "self-hosted"]
Grade = Literal["official", "probed", "secondary", "unverified"]
# Strict: a quoted "5" and ``true`` are no numbers, as the JSON Schemas say too.
Points = Annotated[float, Field(ge=0, le=100, strict=True)]
Weight = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False, strict=True)]
Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
ValueType = Literal["boolean", "integer", "number", "text", "set", "level"]
Combine = Literal["worst", "best", "mean", "median"]
"""How values of several endpoints become one: by their score (worst, best) or by their value (mean, median)."""
RoleName = Literal["submission", "mx", "imap", "pop3", "sieve", "domain", "sending", "api", "status", "web"]


class Model(BaseModel):
    """Strict about keys, immutable, and populated by the YAML names."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, strict=False)


# --- criteria ---------------------------------------------------------------------------------------------------------


class FactDeclaration(Model):
    """A fact that vendor profiles may state."""

    type: ValueType
    unit: str = ""
    meaning: Text
    levels: tuple[Text, ...] = Field(
        default=(), max_length=100, description="For type level: from worst to best or oldest to newest"
    )


class Group(Model):
    """A group of criteria, with its weight against the other groups."""

    id: Identifier
    title: Text
    weight: Weight
    description: str = ""


class From(Model):
    """Where a value comes from. With ``probe`` and ``fact`` the measurement counts and the fact stands in."""

    probe: str | None = Field(default=None, description="A metric of a probe, such as tls.oldest_version")
    fact: FactName | None = Field(default=None, description="A fact of the vendor profile")
    reviews: str | None = Field(default=None, description="A metric of review evidence, such as rating")
    survey: str | None = Field(default=None, description="A metric of surveys, such as sus")
    trial: str | None = Field(default=None, description="A metric of hands-on trials, such as first_send")
    price: str | None = Field(default=None, description="A price metric, such as monthly_10k")
    roles: tuple[RoleName, ...] = Field(default=(), description="Endpoint roles that count; empty means all")
    combine: Combine = "worst"
    tolerance: float = Field(
        default=0.1, ge=0, le=1, strict=True, description="Relative difference of numbers that is no contradiction"
    )
    contradicts: Literal["any", "less", "more"] = Field(
        default="any",
        description="Which measured number contradicts the claimed one: any other, or only one that is less (a limit "
        "that is larger than claimed breaks no promise) or more",
    )
    promises: dict[str, tuple[Number, Number]] = Field(
        default_factory=dict,
        description="Beside a fact in words: the range of the tested or measured number that each of its levels (or "
        "yes and no) promises, in the criterion's unit. The claim spans its range; what lies outside contradicts it",
    )


class PointsFunction(Model):
    """Piecewise linear between (value, score) points, flat outside; ``scale: log`` interpolates in log10(value)."""

    points: Annotated[tuple[tuple[Number, Points], ...], Field(min_length=2, max_length=50)]
    scale: Literal["linear", "log"] = "linear"


class MapFunction(Model):
    """Named levels or texts to scores."""

    map: Annotated[dict[str, Points], Field(min_length=1, max_length=100)]


class YesNoFunction(Model):
    """Scores of true and false."""

    yes: Points
    no: Points


class ShareFunction(Model):
    """The share of these members that the set has, times 100."""

    share_of: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]


class NoneFunction(Model):
    """100 when the set has none of these members, 0 when it has any of them: for what must not be there."""

    none_of: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]


class CurveEnds(Model):
    """The value worth 90 points and the value worth 50."""

    worth_90: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
    worth_50: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class CurveFunction(Model):
    """Log-normal curve through two control points, as Lighthouse scores latencies; lower (or higher) is better
    depending on which end is larger."""

    curve: CurveEnds


ValueFunction = PointsFunction | MapFunction | YesNoFunction | ShareFunction | NoneFunction | CurveFunction


_CONDITIONS = ("above", "at_least", "below", "at_most", "equals", "one_of", "includes")


class Must(Model):
    """A gate on the value (not on its score). Exactly one condition; ``else`` says in words what failing means."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in _CONDITIONS]})

    above: Number | None = None
    at_least: Number | None = None
    below: Number | None = None
    at_most: Number | None = None
    equals: Flag | str | None = None
    one_of: tuple[str, ...] | None = None
    includes: tuple[str, ...] | None = None
    otherwise: Text = Field(alias="else")


class Criterion(Model):
    """One question, a weight, where its value comes from, and a value function to 0–100."""

    id: Identifier
    question: Text
    source: From = Field(alias="from")
    weight: Weight = 1
    score: ValueFunction
    unit: str = Field(default="", description="Unit the value function is written in; metrics and facts are converted")
    must: Must | None = None
    applies_to: tuple[Category, ...] = Field(default=(), description="Vendor categories; empty means all")
    half_life: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        strict=True,
        description="Days until evidence counts half; default by kind",
    )
    document_required: Flag = Field(
        default=False, description="A claim without a document (a report or certificate) earns nothing"
    )
    rationale: Text
    reference: str = ""


class CriteriaFile(Model):
    """One file in ``criteria/``."""

    group: Group
    facts: dict[FactName, FactDeclaration] = Field(default_factory=dict)
    criteria: tuple[Criterion, ...] = ()


class Weights(Model):
    """Overrides of group and criterion weights; the shape of ``--weights FILE``."""

    groups: dict[Identifier, Weight] = Field(default_factory=dict)
    criteria: dict[Identifier, Weight] = Field(default_factory=dict)


class Preset(Weights):
    """One file in ``criteria/presets/``: the weights of one kind of buyer."""

    id: Identifier
    title: Text
    description: Text
    categories: tuple[Category, ...] = Field(default=(), description="Vendor categories this buyer looks at")


Times = Annotated[float, Field(ge=1 / 9, le=9, allow_inf_nan=False, strict=True)]
"""How many times as important, on Saaty's scale."""


class Judgement(Weights):
    """One person's weights: a file in ``evaluations/``, and the shape of ``--weights FILE``. The groups' weights are
    said in one of four ways; groups that ``ranking``, ``swing`` or ``pairwise`` leave out weigh nothing."""

    name: str = Field(default="", description="Whose weights these are; default is the file's name")
    ranking: tuple[Identifier, ...] = Field(default=(), description="Groups, the most important first")
    rule: Literal["centroid", "sum"] = Field(
        default="centroid", description="How a ranking becomes weights: rank order centroid (steep) or rank sum"
    )
    swing: dict[Identifier, Weight] = Field(
        default_factory=dict,
        description="Points for going from the worst to the best in each group; the most important one gets 100",
    )
    pairwise: dict[Identifier, dict[Identifier, Times]] = Field(
        default_factory=dict, description="a: {b: 3} says that a is 3 times as important as b (1/9 to 9)"
    )


# --- vendors ----------------------------------------------------------------------------------------------------------


class Sourced(Model):
    """Anything said about a vendor carries where and when it was said."""

    source: Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]
    as_of: When


class OtherValue(Sourced):
    """A further source: one that agrees (``also``, no value) or one that disagrees (``disputed``, with its value)."""

    value: Any = None
    grade: Grade | None = None
    note: str = ""


class Fact(Sourced):
    """A claim: a value with its source and date. ``document``: URL of a report or certificate that proves it."""

    value: bool | int | float | str | tuple[str, ...]
    grade: Grade = "secondary"
    note: str = ""
    via: str = Field(default="", description="Where the source was read, when not at the source itself")
    document: str = ""
    also: tuple[OtherValue, ...] = ()
    disputed: tuple[OtherValue, ...] = ()


class EndpointBase(Model):
    """Optional provenance and label of an endpoint."""

    label: str = ""
    source: str = ""
    as_of: When | None = None
    grade: Grade | None = None


Host = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]


class MailEndpoint(EndpointBase):
    """A mail server."""

    host: Host
    port: Port
    tls: Literal["starttls", "implicit", "none"] = "starttls"


class MXEndpoint(EndpointBase):
    """A receiving server, or a domain whose MX hosts are looked up."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["host"]}, {"required": ["domain"]}]})

    host: Host | None = None
    domain: Host | None = None
    port: Port = 25


class DomainEndpoint(EndpointBase):
    """A domain whose DNS policy is read; for ``sending`` the name customers include in SPF."""

    domain: Host
    selectors: tuple[str, ...] = ()


class WebEndpoint(EndpointBase):
    """A URL; ``kind`` for status pages."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2000)]
    kind: str = ""


class Endpoints(Model):
    """All places of a vendor that can be probed, by role."""

    submission: tuple[MailEndpoint, ...] = ()
    mx: tuple[MXEndpoint, ...] = ()
    imap: tuple[MailEndpoint, ...] = ()
    pop3: tuple[MailEndpoint, ...] = ()
    sieve: tuple[MailEndpoint, ...] = ()
    domain: tuple[DomainEndpoint, ...] = ()
    sending: tuple[DomainEndpoint, ...] = ()
    api: tuple[WebEndpoint, ...] = ()
    status: tuple[WebEndpoint, ...] = ()
    web: tuple[WebEndpoint, ...] = ()


Price = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]


class PriceStep(Model):
    """From so many messages a month on, a further thousand costs this much (until the next step)."""

    above: Annotated[int, Field(ge=0, strict=True)]
    per_thousand: Price


class Plan(Sourced):
    """A price plan as its source states it; prices a month."""

    name: Text
    monthly: Price
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    included_emails: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        default=None, description="Messages a month in the base price; for per_user, of each user"
    )
    overage_per_thousand: Price | None = Field(default=None, description="Price of a thousand further messages")
    steps: tuple[PriceStep, ...] = Field(
        default=(), description="Prices of further messages that fall with volume, instead of overage_per_thousand"
    )
    block: Annotated[int, Field(ge=1, le=10_000_000, strict=True)] | None = Field(
        default=None, description="Further messages are sold in blocks of so many; without it, one by one"
    )
    maximum_emails: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="The plan, or what is known of its price, ends at so many messages a month"
    )
    minimum: Price | None = Field(default=None, description="What is charged at least")
    add_ons: dict[FactName, Price] = Field(
        default_factory=dict, description="Price of an option, each: dedicated_ip: 30"
    )
    includes: dict[FactName, Annotated[int, Field(ge=1, le=10_000, strict=True)]] = Field(
        default_factory=dict, description="Options in the base price, and how many: dedicated_ip: 1"
    )
    per_user: Flag = False
    billing: Literal["monthly", "yearly"] = Field(
        default="monthly", description="yearly when this price a month is to be had only by paying a year ahead"
    )
    grade: Grade = "secondary"
    note: str = ""


class AppleApp(Sourced):
    """An app in Apple's App Store."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9]{3,15}$")] = Field(
        description="The number after id in the store's address"
    )
    countries: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")], ...] = Field(
        default=("us",), min_length=1, max_length=20, description="Stores to read, by their country: [us, gb]"
    )


class PlayApp(Sourced):
    """An app in Google Play."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$", max_length=200)]
    country: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "us"
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$")] = "en"


class StackExchangeTag(Sourced):
    """A tag that a site of Stack Exchange has for this vendor."""

    site: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9.-]{0,60}$")] = "stackoverflow"
    tag: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.+#-]{1,60}$")]


class HackerNews(Model):
    """How to tell what is said about this vendor from what is not."""

    names: tuple[Text, ...] = Field(
        default=(), max_length=10, description="What people call it there; default is the vendor's name"
    )
    context: tuple[Text, ...] | None = Field(
        default=None,
        max_length=100,
        description="Words of which one must stand beside the name; default are words about email, [] asks for none",
    )
    exact: Flag = Field(
        default=False, description="The name counts in just these letters: for one that is a common word in small ones"
    )


class ReviewSources(Model):
    """Where `mailrubric reviews collect` finds what people write about this vendor."""

    apple: tuple[AppleApp, ...] = ()
    google_play: tuple[PlayApp, ...] = ()
    stack_exchange: tuple[StackExchangeTag, ...] = ()
    hacker_news: HackerNews = HackerNews()


class Vendor(Model):
    """One file in ``vendors/``."""

    id: Identifier
    name: Text
    category: Category
    homepage: str = ""
    lab: Flag = Field(default=False, description="A server of the local lab, never a real platform")
    aliases: tuple[str, ...] = ()
    endpoints: Endpoints = Endpoints()
    facts: dict[FactName, Fact] = Field(default_factory=dict)
    plans: tuple[Plan, ...] = ()
    reviews: ReviewSources = ReviewSources()


# --- workspace --------------------------------------------------------------------------------------------------------


class SendingAccount(Model):
    """An account of one's own at a vendor, for ``mailrubric send``. Names of environment variables, never secrets."""

    server: str = Field(
        default="",
        description="smtp://HOST:587 (STARTTLS) or smtps://HOST:465; default is the profile's first submission server",
    )
    user_variable: Text = Field(description="Environment variable that holds the user name")
    password_variable: str = Field(default="", description="Environment variable that holds the password")
    token_variable: str = Field(
        default="", description="Environment variable that holds an OAuth 2.0 access token, instead of a password"
    )
    sender: Text = Field(alias="from", description="The address that test messages come from")
    mechanism: str = Field(default="", description="The only SASL mechanism to use; default is the best one offered")


class SeedMailbox(Model):
    """A mailbox of one's own that test messages go to and are looked for in, over IMAP."""

    server: Text = Field(description="imaps://HOST:993 or imap://HOST:143 (STARTTLS)")
    address: Text = Field(description="The mailbox's address")
    user_variable: str = Field(
        default="", description="Environment variable that holds the user name; default: the user name is the address"
    )
    password_variable: str = Field(default="", description="Environment variable that holds the password")
    token_variable: str = Field(
        default="", description="Environment variable that holds an OAuth 2.0 access token, instead of a password"
    )
    mechanism: str = Field(default="", description="The only SASL mechanism to use; default is the best one offered")
    spam_folder: str = Field(
        default="", description="Name of the spam folder, where the server does not mark it and its name does not tell"
    )


class Sending(Model):
    """What ``mailrubric send`` may use; see docs/send.md."""

    accounts: dict[Identifier, SendingAccount] = Field(
        default_factory=dict, max_length=200, description="Vendor id: one's own account there"
    )
    seeds: dict[Identifier, SeedMailbox] = Field(
        default_factory=dict, max_length=100, description="Name: a mailbox of one's own, for --seed"
    )


class Settings(Model):
    """``mailrubric.yaml`` in a workspace. Secrets never stand here: the store's password comes from the environment."""

    store: str = Field(default="", description="SQLAlchemy URL; default is mailrubric.sqlite in the workspace")
    shipped: Flag = Field(default=True, description="Also use the shipped criteria and vendors")
    shipped_vendors: Flag = Field(default=True, description="Also use the shipped vendors")
    preset: str = ""
    minimum_coverage: Points = 60
    allow_private: Flag = False
    resolver: str = Field(default="", description="HOST:PORT of the DNS resolver; empty means the system's")
    ca: str = Field(default="", description="PEM file with one more trust anchor")
    ehlo: str = Field(default="", description="Name said in EHLO; default is this machine's name")
    vantage: str = Field(default="local", description="Label of the place measured from")
    depth: Literal["standard", "full"] = Field(
        default="standard", description="full also measures what takes many connections, such as the cipher suites"
    )
    deadline: Annotated[
        float, Field(gt=0, le=600, strict=True, description="Seconds for one endpoint; 120 at full depth unless set")
    ] = 30
    concurrency: Annotated[int, Field(ge=1, le=500, strict=True)] = 20
    own_servers: tuple[str, ...] = Field(
        default=(),
        max_length=1000,
        description="Hosts, addresses and domains of one's own, for runs with --own-server (docs/own-server.md)",
    )
    own_server_recipient: str = Field(
        default="", description="A mailbox of one's own on these servers, for test messages; empty: none are sent"
    )
    sending: Sending = Field(
        default_factory=Sending, description="Accounts and seed mailboxes of one's own for mailrubric send"
    )
