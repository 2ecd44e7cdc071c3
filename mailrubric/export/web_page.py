"""``.html``: one page to read, print or mail. Self-contained: no script, no font, nothing is loaded from anywhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from mailrubric.display import age_words, interval, one_line, points, tenths, value_words
from mailrubric.evidence.observation import Observation
from mailrubric.export.tables import (
    METHOD,
    STATUS_WORDS,
    Column,
    Table,
    gate_summary,
    reason,
    robustness_words,
    shown,
    tables,
    versions_words,
)
from mailrubric.scoring.decision import RobustRanking
from mailrubric.scoring.evaluation import Cell, CriterionInfo, Evaluation, VendorScore, VendorStatus

_WEB = re.compile(r"https?://[^\s]+", re.IGNORECASE)

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2127; --quiet: #5b6570; --paper: #ffffff; --line: #d9dee3; --tint: #f4f6f8;
  --accent: #1f6feb; --band: #9cc3fb; --bad: #b3261e; --warn: #8a5a00; --heat: #2f7de1; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --quiet: #9aa5b1; --paper: #14181d; --line: #313943;
  --tint: #1c222a; --accent: #7db2ff; --band: #2b558f; --bad: #ff8a80; --warn: #f0b95a; --heat: #3f8cf0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.9rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .35rem; }
p { margin: .35rem 0; }
a { color: var(--accent); overflow-wrap: anywhere; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.quiet, small { color: var(--quiet); }
small { font-size: .82rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .38rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { font-size: .78rem; color: var(--quiet); font-weight: 600; border-bottom-width: 2px; white-space: nowrap; }
thead th.slant { white-space: normal; min-width: 5.5rem; }
tbody th { font-weight: 600; }
.right { text-align: right; white-space: nowrap; }
.bar svg { display: block; width: 100%; height: 1.1rem; }
.unknown { color: var(--quiet); font-style: italic; white-space: normal; }
.heat { background: color-mix(in srgb, var(--heat) calc(var(--s) * .55%), transparent); text-align: right; }
.badge { display: inline-block; padding: 0 .45em; border: 1px solid var(--line); border-radius: .6em; font-size: .78rem;
  background: var(--tint); white-space: nowrap; }
.bad { color: var(--bad); }
.warn { color: var(--warn); }
.facts { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1.5rem; margin: .75rem 0;
  padding: 0; list-style: none; }
.facts b { font-weight: 600; }
.tall { font-size: 1.6rem; font-weight: 650; }
ul.evidence { margin: 0; padding: 0; list-style: none; font-size: .82rem; color: var(--quiet); }
ul.evidence li + li { margin-top: .2rem; }
h1, h2, h3, th { overflow-wrap: anywhere; }
table.fixed { table-layout: fixed; min-width: 60rem; }
tr.group > * { background: var(--tint); border-top: 2px solid var(--line); font-weight: 650; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
footer li { margin: .3rem 0; }
@media (max-width: 40rem) { body { padding: 1rem .75rem 3rem; } }
@media print { @page { margin: 12mm; size: landscape; }
  :root { color-scheme: light; --ink: #000; --quiet: #444; --paper: #fff;
  --line: #bbb; --tint: #f2f2f2; --accent: #123f8a; --band: #9cc3fb; --bad: #8c1d18; --warn: #6b4500; }
  body { max-width: none; padding: 0; font-size: 10.5px; } section.vendor { break-before: page; }
  tr { break-inside: avoid; }
  thead { display: table-header-group; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; }
  table.fixed { min-width: 0; }
  a { text-decoration: none; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

_TITLE = "Email platform scorecard"


def write_html(evaluation: Evaluation, sure: RobustRanking | None = None) -> bytes:
    """The whole page."""
    return "\n".join(_page(evaluation, sure)).encode()


def escape(text: str) -> str:
    """Text from outside, for an element or a quoted attribute."""
    return html.escape(one_line(text), quote=True)


def link(text: str) -> str:
    """A source: a link when it is a web address (no other scheme is ever linked), else the text."""
    if _WEB.fullmatch(text):
        return f'<a href="{escape(text)}" rel="noopener noreferrer nofollow">{escape(text)}</a>'
    return escape(text)


def _page(evaluation: Evaluation, sure: RobustRanking | None) -> Iterator[str]:
    sheet = tables(evaluation, sure)
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    # Even if an escape were missed, nothing could run or be fetched.
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="referrer" content="no-referrer">'
    yield f'<meta name="generator" content="Mailrubric {escape(evaluation.engine_version)}">'
    yield f"<title>{_TITLE}, {escape(evaluation.as_of)}</title>"
    yield f"<style>{_STYLE}</style>"
    yield "</head>"
    yield "<body>"
    yield from _header(evaluation)
    yield from _ranking(evaluation)
    yield from _by_group(evaluation)
    if sure is not None:
        yield "<h2>How sure the ranking is</h2>"
        yield f"<p>{escape(robustness_words(sure))}</p>"
        yield from _plain(sheet.robustness, leave_out=("vendor",))
    yield "<h2>Contradictions between claim and measurement</h2>"
    if sheet.contradictions.rows:
        yield from _plain(sheet.contradictions, leave_out=("vendor",))
    else:
        yield '<p class="quiet">None found.</p>'
    about = {criterion.id: criterion for criterion in evaluation.criteria}
    for vendor in evaluation.vendors:
        yield from _vendor(vendor, about)
    yield '<h2 id="rules">Rules</h2>'
    yield from _plain(sheet.rules, headless=True)
    yield "<h3>Group weights</h3>"
    yield from _plain(sheet.weights)
    yield "<h3>Criteria</h3>"
    yield from _plain(sheet.rubric)
    yield '<footer id="method"><h2>How to read this</h2>'
    yield "<ul>"
    yield from (f"<li>{escape(sentence)}</li>" for sentence in METHOD)
    yield "</ul></footer>"
    yield "</body>"
    yield "</html>"
    yield ""


def _header(evaluation: Evaluation) -> Iterator[str]:
    count = {status: sum(v.status == status for v in evaluation.vendors) for status in STATUS_WORDS}
    yield f"<h1>{_TITLE}</h1>"
    yield (
        f"<p>{count['ranked']} ranked, {count['insufficient']} with insufficient evidence, "
        f"{count['failed']} that failed a gate.</p>"
    )
    yield '<ul class="facts quiet">'
    yield f"<li>As of <b>{escape(evaluation.as_of)}</b></li>"
    yield f"<li>Weights: <b>{escape(evaluation.preset) or 'default weights'}</b></li>"
    yield f"<li>Ranked from <b>{tenths(evaluation.minimum_coverage)} %</b> coverage</li>"
    yield f'<li>Rules <a href="#rules"><code>{escape(evaluation.rules_hash[:12])}</code></a></li>'
    yield f"<li>Engine <b>{escape(evaluation.engine_version)}</b></li>"
    yield '<li><a href="#method">How to read this</a></li>'
    yield "</ul>"


def _ranking(evaluation: Evaluation) -> Iterator[str]:
    headings: tuple[tuple[VendorStatus, str], ...] = (
        ("ranked", "Ranking"),
        ("insufficient", "Insufficient evidence"),
        ("failed", "Failed a gate"),
    )
    for status, heading in headings:
        vendors = [vendor for vendor in evaluation.vendors if vendor.status == status]
        if not vendors:
            continue
        yield f"<h2>{heading}</h2>"
        yield from _open(
            (
                ("Rank", 5, True),
                ("Vendor", 18, False),
                ("Estimate", 8, True),
                ("Score", 7, True),
                ("Score in its interval, 0 to 100", 26, False),
                ("Interval", 10, True),
                ("Coverage", 8, True),
                ("Category", 9, False),
                ("Gates", 17, False),
            )
        )
        for vendor in vendors:
            rank = "" if vendor.rank is None else str(vendor.rank)
            gates = gate_summary(vendor)
            css = "bad" if vendor.status == "failed" else "warn" if gates not in ("", "passed") else "quiet"
            yield (
                f'<tr><td class="right">{rank}</td><th scope="row"><a href="#vendor-{escape(vendor.id)}">'
                f"{escape(vendor.name)}</a>{_lab(vendor)}</th>{_figure(vendor.ranking_score)}{_figure(vendor.score)}"
                f'<td class="bar">{_bar(vendor)}</td>'
                f'<td class="right">{interval(vendor.low, vendor.high)}</td>'
                f'<td class="right">{tenths(vendor.coverage)} %</td><td>{escape(vendor.category)}</td>'
                f'<td class="{css}">{escape(gates)}</td></tr>'
            )
        yield "</tbody></table></div>"


def _bar(vendor: VendorScore) -> str:
    """The interval as a band and the score as a mark on it; no mark when the score is unknown."""
    label = f"score {points(vendor.score)}, interval {tenths(vendor.low)} to {tenths(vendor.high)}"
    low, high = (min(max(bound, 0.0), 100.0) for bound in (vendor.low, vendor.high))
    mark = ""
    if vendor.score is not None:
        at = min(max(vendor.score, 0.0), 100.0)
        mark = f'<rect x="{tenths(max(at - 0.6, 0.0))}" y="1" width="1.2" height="10" fill="var(--accent)"/>'
    return (
        f'<svg viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label="{label}">'
        '<rect x="0" y="5.4" width="100" height="1.2" fill="var(--line)"/>'
        f'<rect x="{tenths(low)}" y="3" width="{tenths(max(high - low, 0.3))}" height="6" fill="var(--band)"/>'
        f"{mark}</svg>"
    )


def _by_group(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.vendors or not evaluation.vendors[0].groups:
        return
    yield "<h2>Scores by group</h2>"
    yield '<div class="scroll"><table><thead><tr><th>Vendor</th>'
    yield from (f'<th class="slant right">{escape(group.title)}</th>' for group in evaluation.vendors[0].groups)
    yield "</tr></thead><tbody>"
    for vendor in evaluation.vendors:
        yield f'<tr><th scope="row">{escape(vendor.name)}{_lab(vendor)}</th>'
        for group in vendor.groups:
            if group.score is None or not group.applicable:
                yield _figure(None, applicable=group.applicable)
            else:
                yield f'<td class="heat" style="--s: {tenths(group.score)}">{tenths(group.score)}</td>'
        yield "</tr>"
    yield "</tbody></table></div>"


def _vendor(vendor: VendorScore, about: dict[str, CriterionInfo]) -> Iterator[str]:
    yield f'<section class="vendor" id="vendor-{escape(vendor.id)}">'
    yield f"<h2>{escape(vendor.name)}{_lab(vendor)}</h2>"
    yield '<ul class="facts">'
    yield f'<li><span class="tall">{points(vendor.score)}</span> <span class="quiet">score</span></li>'
    standing = f"rank {vendor.rank}" if vendor.rank is not None else STATUS_WORDS[vendor.status]
    for name, words in (
        ("standing", standing),
        ("estimate", points(vendor.ranking_score)),
        ("interval", interval(vendor.low, vendor.high)),
        ("coverage", f"{tenths(vendor.coverage)} %"),
        ("category", vendor.category),
        ("evidence from", f"{vendor.oldest[:10]} to {vendor.newest[:10]}" if vendor.oldest else "nowhere yet"),
    ):
        yield f'<li><span class="quiet">{name}</span> <b>{escape(words)}</b></li>'
    yield "</ul>"
    for gate in vendor.gates:
        if gate.status == "fail":
            yield f'<p class="bad"><b>Gate failed</b>: {escape(gate.reason)} ({escape(gate.criterion)})</p>'
        elif gate.status == "provisional":
            yield f'<p class="warn"><b>Gate undecided</b>: {escape(gate.reason)} ({escape(gate.criterion)})</p>'
    for item in vendor.contradictions:
        yield f'<p class="warn"><b>Contradiction</b>: {escape(item.sentence)}</p>'
    yield from _open(
        (
            ("Criterion", 27, False),
            ("Value", 21, False),
            ("Score", 8, True),
            ("Weight", 7, True),
            ("Contribution", 9, True),
            ("Evidence", 28, False),
        )
    )
    for group in vendor.groups:
        contribution = None if group.score is None else group.contribution
        coverage = f"coverage {tenths(group.coverage)} %" if group.applicable else ""
        yield (
            f'<tr class="group"><th scope="rowgroup" colspan="2">{escape(group.title)}</th>'
            f"{_figure(group.score, applicable=group.applicable)}"
            f'<td class="right">{tenths(group.weight)} %</td>{_figure(contribution, applicable=group.applicable)}'
            f'<td class="quiet">{coverage}</td></tr>'
        )
        for cell in vendor.cells:
            if about[cell.criterion].group == group.id:
                yield _cell(cell, about[cell.criterion])
    yield "</tbody></table></div>"
    yield "</section>"


def _open(columns: Sequence[tuple[str, int, bool]]) -> Iterator[str]:
    """Begin a table whose columns (title, width in per cent, right-aligned) are the same each time."""
    yield '<div class="scroll"><table class="fixed"><colgroup>'
    yield "".join(f'<col style="width: {width}%">' for _, width, _ in columns)
    heads = (f'<th class="right">{title}</th>' if right else f"<th>{title}</th>" for title, _, right in columns)
    yield f"</colgroup><thead><tr>{''.join(heads)}</tr></thead><tbody>"


def _cell(cell: Cell, criterion: CriterionInfo) -> str:
    if cell.value is not None:
        value = f'{escape(value_words(cell.value, cell.unit))} <span class="badge">{escape(cell.kind or "")}</span>'
        if cell.grade == "unverified":
            value += ' <span class="badge warn">unverified</span>'
    else:
        value = f'<span class="unknown">{points(None, applicable=cell.applicable)}</span>'
    if cell.score is None or cell.detail:
        value += f"<br><small>{escape(reason(cell))}</small>"
    lines = [_observation(item) for item in cell.evidence]
    if cell.contradiction:
        lines.insert(0, f'<span class="warn">{escape(cell.contradiction.sentence)}</span>')
    if cell.observed:
        lines.append(f"evidence: {escape(age_words(cell.age_days, cell.observed))}")
    evidence = "".join(f"<li>{line}</li>" for line in lines)
    return (
        f"<tr><td>{escape(criterion.question)}<br>"
        f"<small><code>{escape(cell.criterion)}</code></small></td>"
        f"<td>{value}</td>{_figure(cell.score, applicable=cell.applicable)}"
        f'<td class="right">{tenths(cell.weight)} %</td>{_figure(cell.contribution, applicable=cell.applicable)}'
        f'<td><ul class="evidence">{evidence}</ul></td></tr>'
    )


def _observation(item: Observation) -> str:
    value = value_words(item.value, item.unit) if item.value is not None else f"no value, {item.cause}"
    about = [
        link(item.source),
        *map(escape, (item.observed, item.vantage, item.grade, versions_words(item), item.note)),
    ]
    document = f", document {link(item.document)}" if item.document else ""
    return f"{escape(item.endpoint or item.metric)}: {escape(value)} ({', '.join(filter(None, about))}{document})"


def _figure(number: float | None, *, applicable: bool = True) -> str:
    css = "right unknown" if number is None or not applicable else "right"
    return f'<td class="{css}">{points(number, applicable=applicable)}</td>'


def _lab(vendor: VendorScore) -> str:
    return ' <span class="badge">lab</span>' if vendor.lab else ""


def _plain(table: Table, leave_out: Iterable[str] = (), headless: bool = False) -> Iterator[str]:
    left_out = set(leave_out)
    columns: Sequence[Column] = [column for column in table.columns if column.key not in left_out]
    yield '<div class="scroll"><table>'
    if not headless:
        heads = (f"<th{_align(column)}>{escape(column.title)}</th>" for column in columns)
        yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for record in table.records():
        entries = ((column, shown(record[column.key], column.kind)) for column in columns)
        cells = (f"<td{_align(c)}>{link(words) if c.kind == 'link' else escape(words)}</td>" for c, words in entries)
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _align(column: Column) -> str:
    return ' class="right"' if column.kind in ("figure", "number", "integer", "weight") else ""
