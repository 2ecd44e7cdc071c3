"""``mailrubric metrics``: every metric that probes yield and every fact that profiles may state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, complain, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from mailrubric.catalogue.catalogue import Catalogue
    from probes.model import Metric

_PROBE_TITLES = {
    "smtp": "SMTP",
    "tls": "TLS",
    "certificate": "Certificate",
    "dns": "DNS policy",
    "names": "Names, addresses and MX records",
    "dnssec": "DNSSEC",
    "dane": "DANE",
    "discovery": "Discovery by mail clients",
    "http": "HTTP and APIs",
    "status": "Status pages",
    "imap": "IMAP",
    "pop3": "POP3",
    "sieve": "ManageSieve",
}


def metrics(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference as Markdown (docs/metrics.md).", show_default=False)
    ] = False,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """List every metric and fact: type, unit, meaning, reference."""
    if markdown and json:
        raise Usage("either --markdown or --json")
    from mailrubric.cli.catalogue import read_catalogue
    from mailrubric.cli.workspace import open_workspace

    place = open_workspace(workspace)
    for problem in place.add_probes():
        complain(f"{problem} (left out)")
    catalogue = read_catalogue(place)
    if json:
        print_json(reference_json(catalogue))
    elif markdown:
        print(reference_markdown(catalogue), end="")
    else:
        _show(catalogue)


def reference_json(catalogue: Catalogue) -> dict[str, Any]:
    """Metrics and facts for programs (docs/json.md)."""
    from mailrubric.evidence.declared import rooms

    roles_of = {name: roles for name, _, roles, _ in _probes()}
    return {
        "metrics": [
            {
                "key": metric.key,
                "probe": name,
                "type": metric.type,
                "unit": metric.unit,
                "levels": list(metric.levels),
                "roles": sorted(metric.roles if metric.roles is not None else roles_of[name]),
                "meaning": metric.meaning,
                "reference": metric.reference,
            }
            for name, _, _, declared in _probes()
            for metric in declared
        ]
        + [
            {
                "key": metric.key,
                "probe": None,
                "type": metric.type,
                "unit": metric.unit,
                "levels": list(metric.levels),
                "roles": [],
                "meaning": metric.meaning,
                "reference": metric.reference,
            }
            for _, declared in rooms()
            for metric in declared
        ],
        "facts": [
            {
                "name": name,
                "type": fact.type,
                "unit": fact.unit,
                "levels": list(fact.levels),
                "meaning": fact.meaning,
                "group": _group_of(catalogue, name),
            }
            for name, fact in sorted(catalogue.facts.items())
        ],
    }


def reference_markdown(catalogue: Catalogue) -> str:
    """``docs/metrics.md``."""
    from mailrubric.causes import EXPLANATIONS
    from mailrubric.evidence.declared import rooms
    from mailrubric.export.markdown import escape

    lines = [
        "# Metrics and facts",
        "",
        "Written by `mailrubric metrics --markdown`; a test keeps it current. A **metric** is what a probe measures at",
        "an endpoint, or what reviews, surveys, trials and real messages tell. A **fact** is what a vendor profile",
        "states, with its source. Either has a value, or is missing with a cause: a missing value is never “no”,",
        "“none” or 0.",
        "",
        "Types: `boolean`; `integer` and `number`, in the unit given; `text`; `set` (of texts, sorted); `level` (one",
        "of the levels listed, from worst to best or oldest to newest).",
        "",
        "## Metrics",
        "",
    ]
    for name, title, roles, declared in _probes():
        lines += [f"### {title} (probe `{name}`)", "", f"Endpoints: {', '.join(sorted(roles))}.", ""]
        lines += ["| metric | type | unit | meaning | reference |", "| --- | --- | --- | --- | --- |"]
        for metric in declared:
            only = f" Only on: {', '.join(sorted(metric.roles))}." if metric.roles is not None else ""
            meaning = escape(_sentence(metric.meaning) + only)
            lines.append(
                f"| `{metric.key}` | {_type(metric.type, metric.levels)} | {escape(metric.unit)} | {meaning} "
                f"| {escape(metric.reference)} |"
            )
        lines.append("")
    for title, by_people in rooms():
        lines += [f"### {title}", ""]
        lines += ["| metric | type | unit | meaning | reference |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| `{metric.key}` | {_type(metric.type, metric.levels)} | {escape(metric.unit)} "
            f"| {escape(_sentence(metric.meaning))} | {escape(metric.reference)} |"
            for metric in by_people
        ]
        lines.append("")
    lines += ["## Facts", ""]
    for group in (*catalogue.groups, None):
        identifier = group.id if group is not None else ""
        facts = [
            (name, fact) for name, fact in sorted(catalogue.facts.items()) if _group_of(catalogue, name) == identifier
        ]
        if not facts:
            continue
        lines += [f"### {escape(group.title if group is not None else 'Other')}", ""]
        lines += ["| fact | type | unit | meaning |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{name}` | {_type(fact.type, fact.levels)} | {escape(fact.unit)} | {escape(_sentence(fact.meaning))} |"
            for name, fact in facts
        ]
        lines.append("")
    lines += ["## Causes of missing values", "", "| cause | what it means | what to do |", "| --- | --- | --- |"]
    lines += [
        f"| `{cause}` | {escape(words.sentence)} | {escape(words.advice)} |" for cause, words in EXPLANATIONS.items()
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _show(catalogue: Catalogue) -> None:
    from mailrubric.evidence.declared import rooms

    for name, title, _, declared in _probes():
        print_title(f"{title} (probe {name})")
        print_table(
            ("metric", "type", "unit", "reference", "meaning"),
            [(metric.key, metric.type, metric.unit, metric.reference, metric.meaning) for metric in declared],
        )
        say()
    for title, by_people in rooms():
        print_title(title)
        print_table(
            ("metric", "type", "unit", "reference", "meaning"),
            [(metric.key, metric.type, metric.unit, metric.reference, metric.meaning) for metric in by_people],
        )
        say()
    print_title("Facts")
    print_table(
        ("fact", "type", "unit", "meaning"),
        [(name, fact.type, fact.unit, fact.meaning) for name, fact in sorted(catalogue.facts.items())],
    )


def _probes() -> list[tuple[str, str, frozenset[str], list[Metric]]]:
    """Name, title, roles and metrics of every probe, metrics sorted by key."""
    from probes import registry

    return [
        (
            probe.name,
            _PROBE_TITLES.get(probe.name, probe.name),
            frozenset(probe.roles),
            sorted(probe.metrics, key=lambda metric: metric.key),
        )
        for probe in registry.probes()
    ]


def _group_of(catalogue: Catalogue, fact: str) -> str:
    """The group whose criteria use a fact first; else the one whose file declares it; else "" ."""
    for criterion in catalogue.criteria:
        if criterion.source.fact == fact:
            return catalogue.group_of[criterion.id]
    path = catalogue.paths.get(f"fact:{fact}")
    return next((group.id for group in catalogue.groups if catalogue.paths.get(f"group:{group.id}") == path), "")


def _type(kind: str, levels: tuple[str, ...]) -> str:
    from mailrubric.export.markdown import escape

    return f"{kind}: {escape(', '.join(levels))}" if levels else kind


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
