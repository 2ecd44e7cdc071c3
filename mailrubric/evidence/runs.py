"""A run over many endpoints as the store keeps it: when and from where, and what this machine let it measure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One precondition (``probes.preconditions``) with the number of the run's endpoints that it concerns. ``ok``:
    None when it could not be told."""

    name: str
    ok: bool | None
    detail: str
    endpoints: int


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """``started``: ISO 8601 in UTC, ending in Z. ``endpoints``: how many were to be probed."""

    started: str
    vantage: str
    endpoints: int
    preconditions: tuple[Condition, ...] = ()


_TITLES = {
    "names": "Names of the internet",
    "port_25": "Outbound port 25",
    "ipv6": "IPv6",
    "dnssec": "DNSSEC validation by the resolver",
    "blocklists": "Blocklists",
    "tls": "TLS library",
}


def title(name: str) -> str:
    """A precondition's name for people."""
    return _TITLES.get(name, name)


def sentence(condition: Condition, run: Run) -> str:
    """What is not met, with its consequence, for people: "From here port 25 could not be reached on 2026-11-23: 34 MX
    endpoints could not be measured." Empty for a precondition that is met or unknown."""
    if condition.ok is not False:
        return ""
    day, count = run.started[:10], condition.endpoints
    many = "endpoint" if count == 1 else "endpoints"
    match condition.name:
        case "names":
            what = f"The resolver knew none of the internet's names on {day} ({condition.detail})"
            return f"{what}: nothing can be said of the {many} that it does not know either."
        case "port_25":
            what = f"From here port 25 could not be reached on {day}"
            return f"{what}: {count} MX {many} could not be measured." if count else f"{what}."
        case "ipv6":
            return f"From here there was no IPv6 on {day}: what servers do over IPv6 could not be measured."
        case "dnssec":
            what = f"The resolver did not prove on {day} that it validates DNSSEC"
            rest = f": DNSSEC and DANE of {count} {many} could not be measured" if count else ""
            return f"{what} ({condition.detail}){rest}."
        case "blocklists":
            what = f"No blocklist answered properly from here on {day}"
            return f"{what}: listings of {count} {many} could not be measured." if count else f"{what}."
        case "tls":
            return f"Our TLS library has limits ({condition.detail}): such handshakes could not be measured on {day}."
    return f"{title(condition.name)} was not met on {day}: {condition.detail}."


def sentences(run: Run) -> list[str]:
    """Those of a run, for all that was not met."""
    return [said for condition in run.preconditions if (said := sentence(condition, run))]


def newest(runs: Iterable[Run]) -> list[str]:
    """What is not met by the newest run that could tell, for each precondition. ``runs``: newest first."""
    told: dict[str, str] = {}
    for run in runs:
        for condition in run.preconditions:
            if condition.ok is not None:
                told.setdefault(condition.name, sentence(condition, run))
    return [said for said in told.values() if said]


def conditions_to_json(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    """As in a stored run and in the output for programs."""
    return [dataclasses.asdict(condition) for condition in conditions]


def conditions_from_json(entries: Iterable[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """The opposite of :func:`conditions_to_json`."""
    return tuple(
        Condition(str(each["name"]), each["ok"], str(each["detail"]), int(each["endpoints"])) for each in entries
    )
