"""What the models alone cannot tell: whether a file makes sense beside the metrics, facts and criteria there are."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.messages import Finding, Hint, listed, shown
from mailrubric.catalogue.models import (
    Criterion,
    CurveFunction,
    DomainEndpoint,
    EndpointBase,
    Fact,
    FactDeclaration,
    From,
    Judgement,
    MailEndpoint,
    MapFunction,
    Must,
    MXEndpoint,
    NoneFunction,
    OtherValue,
    Plan,
    PointsFunction,
    SeedMailbox,
    SendingAccount,
    Settings,
    ShareFunction,
    Sourced,
    WebEndpoint,
    Weights,
    YesNoFunction,
)
from mailrubric.catalogue.yamlfile import Location
from mailrubric.evidence.declared import declared
from mailrubric.units import UnitError, convert
from probes.model import Metric

_NUMERIC = ("integer", "number")
_WORDS = ("text", "level")


@dataclasses.dataclass(frozen=True)
class Known:
    """What names may be used. ``complete`` is False when a criteria file could not be read, so that facts, groups
    and criteria may be missing here through no fault of those who use them."""

    metrics: Mapping[str, Metric]
    facts: Mapping[str, FactDeclaration]
    groups: Collection[str] = ()
    criteria: Collection[str] = ()
    doubtful: Collection[str] = ()
    """Facts, groups and criteria whose own declaration is at fault: using them is no second fault."""
    complete: bool = True

    @classmethod
    def of(cls, catalogue: Catalogue) -> Known:
        """What a loaded catalogue knows."""
        groups = {group.id for group in catalogue.groups}
        return cls(catalogue.metrics, catalogue.facts, groups, set(catalogue.group_of))


@dataclasses.dataclass(frozen=True, slots=True)
class _Quantity:
    """The metric or fact a criterion looks at. ``type`` is None where it is not declared."""

    name: str
    type: str | None
    unit: str
    levels: tuple[str, ...]


# --- criteria ---------------------------------------------------------------------------------------------------------


def declaration_findings(declaration: FactDeclaration, at: Location) -> Iterator[Finding]:
    """Faults of one fact's declaration."""
    if declaration.type == "level":
        if len(declaration.levels) < 2:
            yield Finding(at, "type level needs levels: a list from worst to best")
        yield from _repeated(declaration.levels, (*at, "levels"))
    elif declaration.levels:
        yield Finding((*at, "levels"), f"only type level has levels, not type {declaration.type}", of_key=True)
    if declaration.unit and declaration.type not in _NUMERIC:
        yield Finding((*at, "unit"), f"only integers and numbers have a unit, not type {declaration.type}", of_key=True)


def criterion_findings(criterion: Criterion, at: Location, known: Known) -> Iterator[Finding]:
    """Faults of one criterion."""
    if criterion.weight == 0:
        yield Finding((*at, "weight"), "this criterion counts for nothing; was that meant?", "warning")
    quantities: list[_Quantity] = []
    yield from _source_findings(criterion, (*at, "from"), known, quantities)
    for quantity in quantities:
        yield from _unit_findings(criterion, at, quantity)
    yield from _score_findings(criterion, (*at, "score"), quantities)
    if criterion.must is not None:
        yield from _must_findings(criterion.must, (*at, "must"), quantities)
    if criterion.document_required and criterion.source.fact is None:
        yield Finding((*at, "document_required"), "counts only for criteria with a fact", "warning", of_key=True)


def _source_findings(
    criterion: Criterion, at: Location, known: Known, quantities: list[_Quantity]
) -> Iterator[Finding]:
    """Faults of ``from``; what it names is added to ``quantities``, if the rest of the criterion can go by it."""
    source = criterion.source
    named = {
        name: value
        for name in ("probe", "reviews", "survey", "trial", "price")
        if (value := getattr(source, name)) is not None
    }
    if not named and source.fact is None:
        yield Finding(at, "names no source; write one of probe, fact, reviews, survey, trial or price")
    if len(named) > 1:
        yield Finding(at, f"names {listed(named, 'and')}; only one of them may stand (a fact may stand beside it)")
        named = dict([next(iter(named.items()))])  # which is meant is unknown: no more is said of the others
    for name, value in named.items():
        if not value.strip():
            yield Finding((*at, name), "must not be empty")
        elif name == "price":
            quantities.append(_Quantity(value, "number", "", ()))
        elif name != "probe":
            metric = declared().get(f"{name}.{value}")
            if metric is not None:
                quantities.append(_Quantity(metric.key, metric.type, metric.unit, metric.levels))
            else:
                known_names = [key.partition(".")[2] for key in declared() if key.startswith(f"{name}.")]
                what = {"reviews": "reviews do not tell", "survey": "no survey asks for", "trial": "no trial finds out"}
                yield Finding((*at, name), f"{what[name]} {shown(value)}", hint=Hint(value, known_names))
    if source.probe:
        yield from _probe_findings(criterion, at, known, quantities)
    elif source.roles:
        yield Finding((*at, "roles"), "counts only beside probe", "warning", of_key=True)
    if source.promises and (source.fact is None or not named):
        yield Finding((*at, "promises"), "counts only beside a fact and what is measured or tested", of_key=True)
    if source.contradicts != "any" and (source.fact is None or not named):
        yield Finding((*at, "contradicts"), "counts only beside a fact and what is measured or tested", of_key=True)
    if source.fact is not None and source.fact not in known.doubtful:
        declaration = known.facts.get(source.fact)
        if declaration is not None and source.promises:
            yield from _promise_findings(source, declaration, (*at, "promises"))
        elif declaration is not None:
            quantities.append(
                _Quantity(f"the fact {source.fact}", declaration.type, declaration.unit, declaration.levels)
            )
        elif known.complete:
            message = f"no criteria file declares the fact {shown(source.fact)}"
            yield Finding((*at, "fact"), message, hint=Hint(source.fact, known.facts))
    if source.probe and len(quantities) == 2 and not _comparable(quantities[0].type, quantities[1].type):
        first, second = quantities
        del quantities[1]
        yield Finding(
            (*at, "fact"),
            f"{second.name} ({second.type}) cannot stand in for {first.name} ({first.type}): their types differ",
        )


def _promise_findings(source: From, declaration: FactDeclaration, at: Location) -> Iterator[Finding]:
    """Faults of the ranges that a fact's levels promise."""
    levels = {"boolean": ("yes", "no"), "level": declaration.levels}.get(declaration.type)
    if levels is None:
        yield Finding(at, f"{source.fact} is {_a(declaration.type)}; only levels, or yes and no, promise a range")
        return
    for name, (low, high) in source.promises.items():
        if name not in levels:
            hint = Hint(name, levels, f"; expected {listed(levels)}")
            yield Finding((*at, name), f"is none of the levels of the fact {source.fact}", of_key=True, hint=hint)
        elif low > high:
            yield Finding((*at, name), f"must be a range from low to high, got {shown(low)} and {shown(high)}")
    missing = [level for level in levels if level not in source.promises]
    if missing:
        verb = "promises" if len(missing) == 1 else "promise"
        yield Finding(at, f"{listed(missing, 'and')} {verb} nothing here, so such a claim would not count", "warning")


def _probe_findings(criterion: Criterion, at: Location, known: Known, quantities: list[_Quantity]) -> Iterator[Finding]:
    source = criterion.source
    assert source.probe is not None
    metric = known.metrics.get(source.probe)
    if metric is None:
        message = f"no probe measures {shown(source.probe)}"
        yield Finding((*at, "probe"), message, hint=Hint(source.probe, known.metrics))
        return
    quantities.append(_Quantity(metric.key, metric.type, metric.unit, metric.levels))
    for index, role in enumerate(source.roles):
        if metric.roles and role not in metric.roles:
            yield Finding(
                (*at, "roles", index),
                f"{metric.key} is never measured at {role}, only at {listed(sorted(metric.roles))}",
            )
    yield from _repeated(source.roles, (*at, "roles"))
    if source.combine in ("mean", "median") and metric.type not in _NUMERIC:
        yield Finding(
            (*at, "combine"),
            f"{source.combine} needs numbers, and {metric.key} is {_a(metric.type)}; use worst or best",
        )


def _comparable(first: str | None, second: str | None) -> bool:
    return (
        first is None
        or second is None
        or first == second
        or (first in _NUMERIC and second in _NUMERIC)
        or (first in _WORDS and second in _WORDS)
    )


def _unit_findings(criterion: Criterion, at: Location, quantity: _Quantity) -> Iterator[Finding]:
    if not criterion.unit or quantity.type is None:
        return
    if quantity.type not in _NUMERIC:
        message = f"{quantity.name} is {_a(quantity.type)} and has no unit; remove this key"
        yield Finding((*at, "unit"), message, of_key=True)
        return
    try:
        convert(1, quantity.unit, criterion.unit)
    except UnitError as error:
        yield Finding((*at, "unit"), f"{quantity.name}: {error}")


def _score_findings(criterion: Criterion, at: Location, quantities: list[_Quantity]) -> Iterator[Finding]:
    """Faults of the value function, alone and beside the type of what it scores."""
    score = criterion.score
    fits: tuple[str, ...]
    match score:
        case PointsFunction():
            kind, fits = "points", _NUMERIC
            yield from _points_findings(score, (*at, "points"))
        case CurveFunction():
            kind, fits = "curve", _NUMERIC
            if score.curve.worth_90 == score.curve.worth_50:
                yield Finding((*at, "curve", "worth_50"), "must differ from worth_90")
        case MapFunction():
            kind, fits = "map", _WORDS
        case YesNoFunction():
            kind, fits = "yes and no", ("boolean",)
        case ShareFunction():
            kind, fits = "share_of", ("set",)
            yield from _repeated(score.share_of, (*at, "share_of"))
        case NoneFunction():
            kind, fits = "none_of", ("set",)
            yield from _repeated(score.none_of, (*at, "none_of"))
    misfits = False
    for quantity in quantities:
        if quantity.type is not None and quantity.type not in fits:
            misfits = True
            yield Finding(
                at,
                f"{kind} cannot score {quantity.name}, which is {_a(quantity.type)}; use {_FITTING[quantity.type]}",
            )
    if isinstance(score, MapFunction) and not misfits:
        yield from _map_findings(score, (*at, "map"), quantities)


_FITTING = {
    "boolean": "yes and no",
    "integer": "points or curve",
    "number": "points or curve",
    "text": "map",
    "level": "map",
    "set": "share_of or none_of",
}


def _points_findings(score: PointsFunction, at: Location) -> Iterator[Finding]:
    for index, (value, _) in enumerate(score.points):
        if score.scale == "log" and value <= 0:
            yield Finding((*at, index, 0), f"a log scale needs values above 0, got {shown(value)}")
        if index and value <= score.points[index - 1][0]:
            yield Finding(
                (*at, index, 0),
                f"the values must increase, and {shown(value)} comes after {shown(score.points[index - 1][0])}",
            )


def _map_findings(score: MapFunction, at: Location, quantities: list[_Quantity]) -> Iterator[Finding]:
    levels = list(dict.fromkeys(level for quantity in quantities for level in quantity.levels))
    if not levels or any(not quantity.levels for quantity in quantities):
        return
    for key in score.map:
        if key not in levels:
            hint = Hint(key, levels, f"; expected {listed(levels)}")
            yield Finding((*at, key), f"is none of the levels of {quantities[0].name}", of_key=True, hint=hint)
    missing = [level for level in levels if level not in score.map]
    if missing:
        verb = "has" if len(missing) == 1 else "have"
        yield Finding(at, f"{listed(missing, 'and')} {verb} no score here, so such a value would not count", "warning")


def _must_findings(must: Must, at: Location, quantities: list[_Quantity]) -> Iterator[Finding]:
    conditions = {
        name: value
        for name in ("above", "at_least", "below", "at_most", "equals", "one_of", "includes")
        if (value := getattr(must, name)) is not None
    }
    if len(conditions) != 1:
        names = "above, at_least, below, at_most, equals, one_of or includes"
        found = f"it has {listed(conditions, 'and')}" if conditions else "it has none"
        yield Finding(at, f"needs exactly one condition ({names}); {found}")
        return
    name, value = next(iter(conditions.items()))
    place = (*at, name)
    for quantity in quantities:
        if quantity.type is not None:
            yield from _condition_findings(name, value, quantity, place)


def _condition_findings(name: str, value: Any, quantity: _Quantity, at: Location) -> Iterator[Finding]:
    """Whether a condition fits the type of what it looks at."""
    kind = str(quantity.type)
    fits = {
        "boolean": ("equals",),
        "integer": ("above", "at_least", "below", "at_most"),
        "number": ("above", "at_least", "below", "at_most"),
        "text": ("equals", "one_of"),
        "level": ("equals", "one_of"),
        "set": ("includes",),
    }[kind]
    if name not in fits:
        yield Finding(at, f"{quantity.name} is {_a(kind)}; use {listed(fits)}", of_key=True)
    elif name == "equals" and isinstance(value, bool) != (kind == "boolean"):
        expected = "true or false" if kind == "boolean" else "a text in quotes"
        yield Finding(at, f"{quantity.name} is {_a(kind)}: expected {expected}, got {shown(value)}")
    elif quantity.levels and name in ("equals", "one_of"):
        for index, level in enumerate(value if isinstance(value, tuple) else (value,)):
            if level not in quantity.levels:
                hint = Hint(level, quantity.levels, f"; expected {listed(quantity.levels)}")
                place = (*at, index) if isinstance(value, tuple) else at
                yield Finding(place, f"{shown(level)} is none of the levels of {quantity.name}", hint=hint)


# --- vendors ----------------------------------------------------------------------------------------------------------


def fact_findings(name: str, fact: Fact, at: Location, known: Known, today: datetime.date) -> Iterator[Finding]:
    """Faults of one fact of a profile."""
    yield from _date_findings(fact.as_of, (*at, "as_of"), today)
    yield from source_findings(fact.source, (*at, "source"))
    yield from source_findings(fact.via, (*at, "via"))
    if fact.document:
        yield from url_findings(fact.document, (*at, "document"))
    for key, others in (("also", fact.also), ("disputed", fact.disputed)):
        for index, other in enumerate(others):
            yield from _date_findings(other.as_of, (*at, key, index, "as_of"), today)
            yield from source_findings(other.source, (*at, key, index, "source"))
            if key == "disputed" and other.value is None:
                yield Finding((*at, key, index), "a source that disagrees needs its value")
            elif key == "disputed" and _same(other.value, fact.value):
                message = "this source says the same; put it under also"
                yield Finding((*at, key, index, "value"), message, "warning")
    declaration = known.facts.get(name)
    if declaration is None:
        if known.complete and name not in known.doubtful:
            yield Finding(at, "no criteria file declares this fact", of_key=True, hint=Hint(name, known.facts))
        return
    yield from _value_findings(fact.value, declaration, (*at, "value"))
    for key, others in (("also", fact.also), ("disputed", fact.disputed)):
        for index, other in enumerate(others):
            yield from _other_value_findings(other, declaration, (*at, key, index, "value"))


def _same(one: Any, other: Any) -> bool:
    """Whether two stated values are one: ``true`` is not 1, and a set has no order."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return sorted(map(str, one)) == sorted(map(str, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _other_value_findings(other: OtherValue, declaration: FactDeclaration, at: Location) -> Iterator[Finding]:
    if other.value is None:
        return
    value = tuple(other.value) if isinstance(other.value, list) else other.value
    yield from _value_findings(value, declaration, at)


def _value_findings(value: Any, declaration: FactDeclaration, at: Location) -> Iterator[Finding]:
    """Whether a stated value is of its fact's declared type."""
    kind = declaration.type
    fits = {
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "text": isinstance(value, str),
        "level": isinstance(value, str),
        "set": isinstance(value, tuple) and all(isinstance(member, str) for member in value),
    }[kind]
    if not fits:
        quotes = "; put it in quotes" if kind in _WORDS and isinstance(value, bool | int | float) else ""
        texts = " (members that are no texts belong in quotes)" if kind == "set" and isinstance(value, tuple) else ""
        yield Finding(at, f"this fact is {_a(kind)}: expected {_STATED[kind]}, got {shown(value)}{quotes}{texts}")
    elif kind == "level" and declaration.levels and value not in declaration.levels:
        hint = Hint(value, declaration.levels, f"; expected {listed(declaration.levels)}")
        yield Finding(at, f"{shown(value)} is none of the levels of this fact", hint=hint)
    elif kind in _WORDS and not value.strip():
        yield Finding(at, "must not be empty; leave an unknown fact out")
    elif kind == "set":
        yield from _repeated(value, at)


_STATED = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "text": "a text",
    "level": "a text",
    "set": "a list of texts",
}


def compared(judgement: Judgement) -> list[str]:
    """The groups that a judgement compares two at a time, in the order in which they are first named."""
    return list(dict.fromkeys(name for first, others in judgement.pairwise.items() for name in (first, *others)))


def judgement_findings(judgement: Judgement, known: Known) -> Iterator[Finding]:
    """Faults in how one person's weights are said."""
    ways = [name for name in ("groups", "ranking", "swing", "pairwise") if getattr(judgement, name)]
    if len(ways) > 1:
        yield Finding((ways[1],), f"{listed(ways, 'and')} say the groups' weights; use one of them", of_key=True)
    named: dict[Location, str] = {
        **{("ranking", index): name for index, name in enumerate(judgement.ranking)},
        **{("swing", name): name for name in judgement.swing},
        **{("pairwise", name): name for name in judgement.pairwise},
        **{("pairwise", first, name): name for first, others in judgement.pairwise.items() for name in others},
    }
    if known.complete:
        for at, name in named.items():
            if name not in known.groups:
                yield Finding(at, f"there is no group {shown(name)}", hint=Hint(name, known.groups), of_key=True)
    for index, name in enumerate(judgement.ranking):
        if name in judgement.ranking[:index]:
            yield Finding(("ranking", index), f"{name} stands higher up already")
    if judgement.swing and not any(judgement.swing.values()):
        yield Finding(("swing",), "every swing is 0", of_key=True)
    names = compared(judgement)
    pairs = [(first, second) for first, others in judgement.pairwise.items() for second in others]
    for first, second in pairs:
        if first == second or (second, first) in pairs:
            at = ("pairwise", first, second)
            yield Finding(at, f"{first} and {second} are compared twice, or with themselves", of_key=True)
    missing = [
        f"{one} and {other}"
        for index, one in enumerate(names)
        for other in names[index + 1 :]
        if (one, other) not in pairs and (other, one) not in pairs
    ]
    if missing:
        more = f" and {len(missing) - 3} more pairs" if len(missing) > 3 else ""
        yield Finding(("pairwise",), f"not compared yet: {', '.join(missing[:3])}{more}", of_key=True)


def sourced_findings(said: Sourced, at: Location, today: datetime.date) -> Iterator[Finding]:
    """Faults of where and when something was said."""
    yield from _date_findings(said.as_of, (*at, "as_of"), today)
    yield from source_findings(said.source, (*at, "source"))


def plan_findings(plan: Plan, at: Location, today: datetime.date) -> Iterator[Finding]:
    """Faults of one price plan."""
    yield from sourced_findings(plan, at, today)
    if plan.steps and plan.overage_per_thousand is not None:
        yield Finding((*at, "overage_per_thousand"), "give either steps or overage_per_thousand, not both")
    if plan.block is not None and plan.overage_per_thousand is None:
        yield Finding((*at, "block"), "counts only beside overage_per_thousand")
    volumes = [step.above for step in plan.steps]
    if volumes != sorted(set(volumes)):
        yield Finding((*at, "steps"), "the steps must rise: each above more messages than the one before")
    elif volumes and volumes[0] > (plan.included_emails or 0):
        yield Finding(
            (*at, "steps", 0, "above"), f"the price between {plan.included_emails or 0} and {volumes[0]} is missing"
        )
    if plan.maximum_emails is not None and plan.maximum_emails < (plan.included_emails or 0):
        yield Finding((*at, "maximum_emails"), f"less than the {plan.included_emails} included_emails")


def endpoint_findings(endpoint: EndpointBase, at: Location, today: datetime.date) -> Iterator[Finding]:
    """Faults of one endpoint."""
    if endpoint.as_of is not None:
        yield from _date_findings(endpoint.as_of, (*at, "as_of"), today)
    yield from source_findings(endpoint.source, (*at, "source"))
    match endpoint:
        case MailEndpoint():
            yield from _host_findings(endpoint.host, (*at, "host"))
            expected = _USUAL_TLS.get(endpoint.port)
            if expected is not None and endpoint.tls not in (expected, "none"):
                message = f"port {endpoint.port} usually speaks {expected} TLS, not {endpoint.tls}"
                yield Finding((*at, "port"), message, "warning")
        case MXEndpoint():
            if (endpoint.host is None) == (endpoint.domain is None):
                yield Finding(at, "needs either host (a server) or domain (its MX hosts are looked up)")
            for key, name in (("host", endpoint.host), ("domain", endpoint.domain)):
                if name is not None:
                    yield from _host_findings(name, (*at, key), address=key == "host")
        case DomainEndpoint():
            yield from _host_findings(endpoint.domain, (*at, "domain"), address=False)
            for index, selector in enumerate(endpoint.selectors):
                yield from _host_findings(selector, (*at, "selectors", index), address=False, what="a DKIM selector")
        case WebEndpoint():
            yield from url_findings(endpoint.url, (*at, "url"))


_USUAL_TLS: dict[int, Literal["starttls", "implicit"]] = {
    25: "starttls",
    110: "starttls",
    143: "starttls",
    465: "implicit",
    587: "starttls",
    993: "implicit",
    995: "implicit",
    2525: "starttls",
    4190: "starttls",
}
"""RFC 8314 and the ports' registrations; services on other ports are not second-guessed."""

_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


def _host_findings(
    name: str, at: Location, *, address: bool = True, what: str = "a host name such as smtp.example.com"
) -> Iterator[Finding]:
    if is_host(name) and (address or not _is_address(name)):
        return
    hint = ""
    if "://" in name:
        hint = "; leave the scheme (…://) out"
    elif re.fullmatch(r"[^:]+:\d+", name):
        hint = "; write the port under its own key"
    elif not name.isascii():
        hint = "; write it in its ASCII form (xn--…)"
    elif name.startswith("["):
        hint = "; write the address without brackets"
    yield Finding(at, f"expected {what}, got {shown(name)}{hint}")


def is_host(name: str) -> bool:
    """Whether this is a host name (RFC 1123 labels, underscores allowed as in DNS) or an IP address."""
    return len(name) <= 253 and (_HOST.fullmatch(name) is not None or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


_WITH_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]*@")


def source_findings(source: str, at: Location) -> Iterator[Finding]:
    """Faults of where something was read: any words will do, but no address with a password in it."""
    if _WITH_PASSWORD.search(source):
        yield Finding(at, "must not hold a user name or password")


def url_findings(url: str, at: Location) -> Iterator[Finding]:
    """Faults of a web address: only http and https, a host, no password, nothing that cannot stand in a URL."""
    fault = ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        fault = "is no web address"
    else:
        if parts.scheme not in ("http", "https"):
            fault = f"expected an address that begins with https:// or http://, got {shown(url)}"
        elif not host or port == 0 or not is_host(host):
            fault = "has no valid host"
        elif parts.username is not None or parts.password is not None:
            fault = "must not hold a user name or password"
        elif not url.isprintable() or any(character in url for character in ' <>"'):
            fault = "holds a space or a character that does not belong in an address"
    if fault:
        yield Finding(at, fault)


def _date_findings(text: str, at: Location, today: datetime.date) -> Iterator[Finding]:
    if text == "undated":
        return
    parts = [int(part) for part in text.split("-")]
    year, month, day = (*parts, 1, 1)[:3]
    try:
        date = datetime.date(year, month, day)
    except ValueError:
        yield Finding(at, f"there is no such date: {text}")
        return
    if date > today:
        yield Finding(at, f"{text} lies in the future", "warning")


# --- presets and settings ---------------------------------------------------------------------------------------------


def weight_names_findings(weights: Weights, known: Known) -> Iterator[Finding]:
    """Weights of groups and criteria that there are not."""
    for key, names, what in (("groups", known.groups, "group"), ("criteria", known.criteria, "criterion")):
        for name in getattr(weights, key):
            if known.complete and name not in names and name not in known.doubtful:
                yield Finding((key, name), f"there is no such {what}", of_key=True, hint=Hint(name, names))


def settings_findings(settings: Settings) -> Iterator[Finding]:
    """Faults of a workspace's settings."""
    if settings.store:
        yield from _store_findings(settings.store)
    if settings.resolver and split_resolver(settings.resolver) is None:
        message = f"expected an IP address and a port, such as 127.0.0.1:53, got {shown(settings.resolver)}"
        yield Finding(("resolver",), message)
    if settings.ehlo:
        yield from _host_findings(settings.ehlo, ("ehlo",), what="this machine's host name")
    if not settings.vantage.strip():
        yield Finding(("vantage",), "must not be empty")
    for number, name in enumerate(settings.own_servers):
        yield from _host_findings(name, ("own_servers", number), what="a host name, an address or a domain")
    yield from _repeated(settings.own_servers, ("own_servers",))
    if settings.own_server_recipient:
        yield from _recipient_findings(settings.own_server_recipient, ("own_server_recipient",))
        if not settings.own_servers:
            yield Finding(("own_server_recipient",), "counts only beside own_servers", "warning", of_key=True)
    for name, account in settings.sending.accounts.items():
        at: Location = ("sending", "accounts", name)
        if account.server:
            yield from _mail_server_findings(account.server, (*at, "server"), ("smtp", "smtps"))
        yield from _recipient_findings(account.sender, (*at, "from"))
        yield from _login_findings(account, at)
    for name, seed in settings.sending.seeds.items():
        at = ("sending", "seeds", name)
        yield from _mail_server_findings(seed.server, (*at, "server"), ("imap", "imaps"))
        yield from _recipient_findings(seed.address, (*at, "address"))
        yield from _login_findings(seed, at)


def _mail_server_findings(url: str, at: Location, schemes: tuple[str, ...]) -> Iterator[Finding]:
    from probes.runner import parse_target

    if url.partition("://")[0].lower() not in schemes:
        # The text itself is not repeated, here and below: somebody may have put a password into it.
        yield Finding(at, f"expected {' or '.join(f'{scheme}://HOST:PORT' for scheme in schemes)}")
        return
    try:
        parse_target(url)
    except ValueError as error:
        yield Finding(at, str(error))


def _login_findings(login: SendingAccount | SeedMailbox, at: Location) -> Iterator[Finding]:
    from probes.authentication import MECHANISMS

    for key in ("user_variable", "password_variable", "token_variable"):
        name = getattr(login, key)
        if name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name):
            message = "expected the name of an environment variable, such as ACME_PASSWORD; secrets never stand here"
            yield Finding((*at, key), message)
    if bool(login.password_variable) == bool(login.token_variable):
        yield Finding(at, "name either a password_variable or a token_variable", of_key=True)
    if login.mechanism and login.mechanism not in MECHANISMS:
        message = f"expected one of {', '.join(MECHANISMS)}, got {shown(login.mechanism)}"
        yield Finding((*at, "mechanism"), message, hint=Hint(login.mechanism, MECHANISMS))


def _recipient_findings(recipient: str, at: Location) -> Iterator[Finding]:
    local, _, domain = recipient.rpartition("@")
    plain = re.fullmatch(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*", local) is not None and len(local) <= 64
    if not plain or not is_host(domain) or _is_address(domain):
        message = f"expected one address such as tester@example.com, got {shown(recipient)}"
        yield Finding(at, message)


def _store_findings(store: str) -> Iterator[Finding]:
    scheme, separator, _ = store.partition("://")
    if not separator or not re.fullmatch(r"[a-z][a-z0-9_]*(\+[a-z0-9_]+)?", scheme):
        # The text itself is not repeated: it may hold a password.
        yield Finding(("store",), "expected a database URL, such as postgresql+pg8000://host/database")
        return
    try:
        password = urlsplit(store).password
    except ValueError:
        yield Finding(("store",), "is no database URL")
        return
    if password:
        message = "a password must not stand in a file; put the whole URL into the environment as MAILRUBRIC_STORE"
        yield Finding(("store",), message)


def split_resolver(text: str) -> tuple[str, int] | None:
    """``127.0.0.1:53`` or ``[::1]:53`` as (address, port); None for anything else. The port defaults to 53."""
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?", text)
    plain = re.fullmatch(r"([0-9.]+)(?::([0-9]{1,5}))?", text)
    found = bracketed or plain
    if found is None:
        return (text, 53) if _is_address(text) else None
    host, port = found.group(1), int(found.group(2) or 53)
    return (host, port) if _is_address(host) and 1 <= port <= 65535 else None


def _repeated(values: Iterable[str], at: Location) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield Finding((*at, index), f"{shown(value)} stands twice")
        seen.add(value)


def _a(kind: str | None) -> str:
    return {"integer": "an integer"}.get(str(kind), f"a {kind}")
