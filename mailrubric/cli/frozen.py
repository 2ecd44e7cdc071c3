"""``mailrubric freeze``, ``diff`` and ``check``: a decision kept, compared, and watched over in a pipeline."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from xml.etree import ElementTree

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, complain, print_json, print_table, print_title, say

if TYPE_CHECKING:
    from mailrubric.frozen import Difference, Inputs
    from mailrubric.scoring.evaluation import Evaluation, VendorScore


def read(path: Path) -> Inputs:
    """A frozen scorecard from a file; a usage failure that says what is wrong with it."""
    from mailrubric.frozen import LARGEST, FrozenError, thaw

    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return thaw(data)
    except FrozenError as error:
        raise Usage(f"{path}: {error}") from error


def scored(path: Path, given: Inputs) -> Evaluation:
    """The evaluation of a frozen scorecard; a usage failure when it is not the one that the file tells of. One made by
    another version of the rules may differ, and says so on stderr."""
    from mailrubric.cli.catalogue import evaluated
    from mailrubric.frozen import unlike
    from mailrubric.scoring.evaluate import ENGINE_VERSION

    evaluation = evaluated(given)
    differs = unlike(given, evaluation)
    if differs and given.engine == ENGINE_VERSION:
        raise Usage(
            f"{path}: its result is not what its own evidence and rules come to ({differs}): "
            "it was changed after mailrubric freeze wrote it"
        )
    if differs:
        complain(
            f"{path} was made by version {given.engine} of the scoring, and version {ENGINE_VERSION} comes to another "
            f"result ({differs})"
        )
    return evaluation


def freeze(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE.json", help="Where to write it.", show_default=False),
    ],
    vendors: options.Vendors = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.", show_default=False)] = False,
    preset: options.Preset = None,
    weights: options.Weights = None,
    category: options.Category = None,
    everyone: options.AllCategories = False,
    min_coverage: options.MinimumCoverage = None,
    as_of: options.AsOf = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Keep a decision: criteria, weights, profiles, evidence and result in one file that scores the same for ever."""
    from mailrubric.cli.catalogue import Choice, evaluated, gather
    from mailrubric.cli.export import must_be_writable, write_output
    from mailrubric.frozen import freeze as frozen

    if output.suffix.lower() != ".json":
        raise Usage(f"{output.name} does not end in .json")
    must_be_writable(output, replace=force)
    choice = Choice(
        workspace, tuple(vendors or ()), tuple(category or ()), everyone, preset, weights, min_coverage, as_of
    )
    _, _, given, _ = gather(choice)
    evaluation = evaluated(given)
    data = frozen(given)
    write_output(output, data, replace=force)
    if json:
        print_json(
            {
                "path": str(output),
                "bytes": len(data),
                "vendors": len(evaluation.vendors),
                "observations": len(given.observations),
                "rules_hash": evaluation.rules_hash,
                "as_of": evaluation.as_of,
            }
        )
    else:
        from mailrubric.display import how_many

        counts = f"{how_many(len(evaluation.vendors), 'vendor')}, {how_many(len(given.observations), 'observation')}"
        say(f"{output} ({how_many(len(data), 'byte')}, {counts})")
        say(f"mailrubric score --from {output} shows the same scorecard again.")


def diff(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="A frozen scorecard.", show_default=False)],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="A later one.", show_default=False)],
    json: options.Json = False,
) -> None:
    """What changed between two frozen scorecards, and what of each vendor's change comes from where."""
    from mailrubric.frozen import ScoringError, WeightError, difference

    old, new = read(before), read(after)
    scored(before, old)
    scored(after, new)
    try:
        found = difference(old, new)
    except (ScoringError, WeightError) as error:
        raise Usage(str(error)) from error
    if json:
        plain = dataclasses.asdict(found)
        plain["weights"] = {name: {"before": pair[0], "after": pair[1]} for name, pair in found.weights.items()}
        plain["as_of"] = {"before": found.as_of[0], "after": found.as_of[1]}
        print_json(plain)
        return
    _show_difference(found)


def _show_difference(found: Difference) -> None:
    from mailrubric.display import points, tenths

    print_title(f"From {found.as_of[0]} to {found.as_of[1]}")
    if found.nothing:
        say("Nothing changed: the same evidence says the same under the same rules.")
        return
    for title, names in (
        ("vendors that came", found.added_vendors),
        ("vendors that went", found.removed_vendors),
        ("criteria that came", found.added_criteria),
        ("criteria that went", found.removed_criteria),
        ("criteria that are judged otherwise", found.changed_criteria),
    ):
        if names:
            say(f"{title}: {', '.join(names)}")
    say()
    print_title("Where each vendor's change comes from")
    others = bool(found.added_vendors or found.removed_vendors)
    print_table(
        ("id", "rank", "estimate", "change", "evidence", "criteria", "weights", *(("vendors",) if others else ())),
        [
            (
                each.id,
                _arrow(_rank(each.rank_before, each.status_before), _rank(each.rank_after, each.status_after)),
                _arrow(points(each.before), points(each.after)),
                "" if each.before is None or each.after is None else _signed(each.after - each.before),
                *_parts(each.parts, others),
            )
            for each in found.vendors
        ],
        right=(3, 4, 5, 6, 7),
    )
    for each in found.vendors:
        if each.rank_parts is not None and each.rank_before != each.rank_after:
            came = ", ".join(f"{name} {part:+.2g}" for name, part in each.rank_parts.items() if abs(part) >= 0.005)
            say(f"{each.id}: rank {each.rank_before} to {each.rank_after}; places gained by {came}")
    if found.weights:
        say()
        print_title("Weights, in per cent of all weight")
        print_table(
            ("criterion", "before", "after"),
            [(name, tenths(pair[0]), tenths(pair[1])) for name, pair in found.weights.items()],
            right=(1, 2),
        )
    if found.cells:
        say()
        print_title("Values")
        print_table(
            ("vendor", "criterion", "before", "after"),
            [(each.vendor, each.criterion, each.before, each.after) for each in found.cells],
        )


def _parts(parts: dict[str, float] | None, others: bool) -> list[str]:
    """One cell a factor; that of the other vendors only where some came or went."""
    if parts is None:
        return [""] * (4 if others else 3)
    return [_signed(part) for name, part in parts.items() if others or name != "vendors"]


def _rank(rank: int | None, status: str) -> str:
    return str(rank) if rank is not None else status


def _arrow(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _signed(points: float) -> str:
    return f"{points:+.1f}" if abs(points) >= 0.05 else "0"


def check(
    vendors: options.Vendors = None,
    frozen: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE.json", help="Check a frozen scorecard instead.", show_default=False),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option("--min-score", metavar="POINTS", min=0, max=100, help="Fail below it.", show_default=False),
    ] = None,
    allow_contradictions: Annotated[
        bool,
        typer.Option("--allow-contradictions", help="Claims that measurements belie do not fail.", show_default=False),
    ] = False,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE.xml", help="Write the result as JUnit XML too.", show_default=False),
    ] = None,
    preset: options.Preset = None,
    weights: options.Weights = None,
    category: options.Category = None,
    everyone: options.AllCategories = False,
    min_coverage: options.MinimumCoverage = None,
    as_of: options.AsOf = None,
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """For pipelines: exit code 1 when a vendor fails a gate, falls below --min-score, or is belied by a measurement.

    What is unknown fails nothing: an undecided gate, or a score that is not known, is listed as undecided.
    """
    from mailrubric.cli.catalogue import Choice, choose, score

    if frozen is not None:
        if any((preset, weights, everyone, min_coverage is not None, as_of, workspace)):
            raise Usage("--from takes rules, weights and time from the file: leave those choices out")
        given = read(frozen)
        chosen = set(choose(given.catalogue, vendors or (), category or (), lab_too=True))
        evaluation = scored(frozen, given)
        evaluation = dataclasses.replace(
            evaluation, vendors=tuple(line for line in evaluation.vendors if line.id in chosen)
        )
    else:
        evaluation = score(
            Choice(
                workspace, tuple(vendors or ()), tuple(category or ()), everyone, preset, weights, min_coverage, as_of
            )
        ).evaluation
    findings = [_findings(line, min_score, allow_contradictions) for line in evaluation.vendors]
    if junit is not None:
        _write_junit(junit, evaluation, findings)
    failed = [each["id"] for each in findings if each["failures"]]
    if json:
        print_json(
            {
                "passed": not failed,
                "rules_hash": evaluation.rules_hash,
                "as_of": evaluation.as_of,
                "minimum_score": min_score,
                "vendors": findings,
            }
        )
    else:
        for each in findings:
            word = "FAILED" if each["failures"] else "passed"
            say(f"{each['id']}: {word}" + (f", {len(each['undecided'])} undecided" if each["undecided"] else ""))
            for what in each["failures"]:
                say(f"  {what}")
    raise typer.Exit(1 if failed else 0)


def _findings(line: VendorScore, minimum: float | None, allow_contradictions: bool) -> dict[str, Any]:
    failures = [f"gate {gate.criterion}: {gate.reason}" for gate in line.gates if gate.status == "fail"]
    undecided = [f"gate {gate.criterion}: {gate.reason}" for gate in line.gates if gate.status == "provisional"]
    if minimum is not None:
        if line.score is None:
            undecided.append("score: nothing is known")
        elif line.high < minimum:
            failures.append(f"score: at most {line.high:.1f} whatever is still unknown, below {minimum:g}")
        elif line.score < minimum:
            failures.append(f"score: {line.score:.1f}, below {minimum:g}")
    if not allow_contradictions:
        failures += [f"contradiction: {each.sentence}" for each in line.contradictions]
    return {
        "id": line.id,
        "name": line.name,
        "score": line.score,
        "passed": not failures,
        "failures": failures,
        "undecided": undecided,
    }


def _write_junit(path: Path, evaluation: Evaluation, findings: list[dict[str, Any]]) -> None:
    """One test case a vendor; what is undecided goes to its standard output."""
    from mailrubric.cli.export import write_output
    from mailrubric.display import one_line

    failed = sum(bool(each["failures"]) for each in findings)
    suite = ElementTree.Element(
        "testsuite", name="mailrubric check", tests=str(len(findings)), failures=str(failed), errors="0", skipped="0",
        timestamp=evaluation.as_of.removesuffix("Z"), time="0",
    )  # fmt: skip
    for each in findings:
        case = ElementTree.SubElement(suite, "testcase", classname="mailrubric", name=one_line(each["id"]), time="0")
        if each["failures"]:
            text = "\n".join(map(one_line, each["failures"]))
            failure = ElementTree.SubElement(case, "failure", message=one_line(each["failures"][0]), type="check")
            failure.text = text
        if each["undecided"]:
            ElementTree.SubElement(case, "system-out").text = "\n".join(map(one_line, each["undecided"]))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    data = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
    write_output(path, data, replace=True)  # a report of this run, as every test runner replaces its own
