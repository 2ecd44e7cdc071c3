"""Every fault of a criteria file, as people read it."""

import textwrap
from pathlib import Path

import pytest

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.load import parse_criteria
from mailrubric.catalogue.models import Criterion, FactDeclaration, From, Group, YesNoFunction
from probes.model import Metric

METRICS = (
    Metric("smtp.size_limit", "integer", "The stated limit.", "B", roles=frozenset({"submission", "mx"})),
    Metric("smtp.starttls", "boolean", "Whether STARTTLS is offered.", roles=frozenset({"submission", "mx"})),
    Metric("smtp.auth_mechanisms", "set", "Mechanisms.", roles=frozenset({"submission"})),
    Metric("smtp.greeting_name", "text", "Name said in the greeting."),
    Metric("smtp.connect_ms", "number", "Time to connect.", "ms"),
    Metric("tls.oldest_version", "level", "Oldest.", levels=("SSLv3", "TLSv1.0", "TLSv1.2")),
)
CONTEXT = Catalogue(
    groups=(Group(id="other", title="Other", weight=1),),
    criteria=(
        Criterion(
            id="taken",
            question="?",
            source=From(fact="dedicated_ip"),
            score=YesNoFunction(yes=100, no=0),
            rationale="Because.",
        ),
    ),
    group_of={"taken": "other"},
    facts={
        "dedicated_ip": FactDeclaration(type="boolean", meaning="Whether there is one."),
        "support_channels": FactDeclaration(type="set", meaning="Which."),
        "sla": FactDeclaration(type="number", unit="%", meaning="Uptime promised."),
        "retention": FactDeclaration(type="number", unit="d", meaning="How long logs stay."),
        "users": FactDeclaration(type="integer", meaning="How many."),
        "oldest_tls": FactDeclaration(type="level", levels=("SSLv3", "TLSv1.0", "TLSv1.2"), meaning="Oldest."),
    },
    metrics={metric.key: metric for metric in METRICS},
)
HEAD = "group: {id: own, title: Own, weight: 1}\n"


def lines(text: str, context: Catalogue = CONTEXT) -> list[str]:
    _, problems = parse_criteria(textwrap.dedent(text).encode(), "own.yaml", context)
    return [str(problem) for problem in problems]


def criterion(source: str, score: str, *more: str) -> list[str]:
    """The faults of one criterion; its ``from`` stands on line 6, ``score`` on line 7."""
    text = HEAD + "criteria:\n- id: one\n  question: Which?\n  rationale: Because.\n"
    text += "".join(f"  {line}\n" for line in (source, score, *more) if line)
    text += "- {id: rest, question: '?', rationale: x, from: {fact: dedicated_ip}, score: {yes: 100, no: 0}}\n"
    return [line.replace("criteria[0].", "") for line in lines(text)]


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("source", "score", "more"),
    [
        ("{probe: smtp.size_limit}", "{points: [[0, 0], [25, 100]]}", "unit: MB"),
        ("{probe: smtp.size_limit}", "{points: [[1, 0], [25, 100]], scale: log}", "unit: MiB"),
        ("{probe: smtp.connect_ms, combine: median}", "{curve: {worth_90: 0.1, worth_50: 1}}", "unit: s"),
        (
            "{probe: smtp.starttls, roles: [mx], fact: dedicated_ip}",
            "{yes: 100, no: 0}",
            "must: {equals: true, else: x}",
        ),
        ("{probe: tls.oldest_version, fact: oldest_tls}", "{map: {SSLv3: 0, TLSv1.0: 5, TLSv1.2: 100}}", ""),
        (
            "{probe: tls.oldest_version}",
            "{map: {SSLv3: 0, TLSv1.0: 5, TLSv1.2: 9}}",
            "must: {one_of: [TLSv1.2], else: x}",
        ),
        ("{probe: smtp.greeting_name}", "{map: {a: 0, b: 100}}", "must: {equals: b, else: x}"),
        ("{probe: smtp.auth_mechanisms}", "{share_of: [PLAIN]}", "must: {includes: [PLAIN], else: x}"),
        ("{fact: sla}", "{points: [[99, 0], [100, 100]]}", "must: {at_least: 99.5, else: x}"),
        ("{fact: users}", "{points: [[1, 0], [9, 100]]}", "unit: users"),
        ("{reviews: rating}", "{points: [[1, 0], [5, 100]]}", ""),
        ("{survey: sus}", "{curve: {worth_90: 80, worth_50: 60}}", ""),
        ("{trial: first_send_minutes}", "{points: [[10, 100], [60, 0]]}", "unit: h"),
        ("{price: monthly_10k}", "{points: [[1, 100], [100, 0]], scale: log}", "half_life: 90"),
        ("{fact: dedicated_ip}", "{yes: 100, no: 0}", "document_required: true"),
        ("{price: monthly_10k, fact: sla}", "{points: [[1, 100], [100, 0]]}", ""),
    ],
)
def test_what_fits_is_accepted_without_a_word(source, score, more):
    assert criterion(f"from: {source}", f"score: {score}", more) == []


def blocks(name: str) -> list[tuple[str, list[str]]]:
    """The YAML and the sentences (after =>) of each paragraph of a file beside this one."""
    found = []
    for block in (Path(__file__).parent / name).read_text(encoding="utf-8").strip().split("\n\n"):
        rows = block.split("\n")
        source = [row for row in rows if not row.startswith("=> ")]
        found.append(("\n".join(source), [row[3:] for row in rows if row.startswith("=> ")]))
    assert len(found) > 15
    return found


@pytest.mark.parametrize(("text", "said"), blocks("criterion_errors.txt"))
def test_each_fault_of_a_criterion_is_one_sentence_at_its_place(text, said):
    assert said
    assert criterion(*text.split("\n")) == [f"own.yaml:{line}" for line in said]


@pytest.mark.parametrize(("text", "said"), blocks("criteria_file_errors.txt"))
def test_each_fault_of_a_group_and_its_facts_is_one_sentence_at_its_place(text, said):
    assert said
    assert lines(text) == [f"own.yaml:{line}" for line in said]


def test_a_text_that_is_too_long_is_not_repeated():
    assert lines(HEAD.replace("Own", "x" * 2001))[0] == (
        "own.yaml:1:25: group.title: is too long: at most 2,000 characters, not 2,001"
    )


ONE = (
    "- {{id: {}, question: '?', rationale: x, from: {{fact: dedicated_ip}}, score: {{yes: 100, no: 0}}, weight: {}}}\n"
)


def test_ids_are_used_once():
    text = HEAD + "criteria:\n" + ONE.format("one", 1) + ONE.format("two", 1) + ONE.format("one", 1)
    assert only(lines(text)) == "own.yaml:5:8: criteria[2].id: there is a criterion 'one' already, at 3:8"


def test_weights_must_not_sum_to_nothing():
    text = HEAD + "criteria:\n" + ONE.format("one", 0) + ONE.format("two", 0)
    assert lines(text)[0] == "own.yaml:2:1: criteria: the weights of all criteria of this group are 0"
    text = HEAD.replace("weight: 1", "weight: 0") + "criteria:\n" + ONE.format("one", 1)
    assert only(lines(text, Catalogue(facts=CONTEXT.facts))) == (
        "own.yaml:1:38: group.weight: the weights of all groups are 0"
    )


def test_a_criterion_of_another_group_is_replaced_with_a_warning():
    file, problems = parse_criteria((HEAD + "criteria:\n" + ONE.format("taken", 1)).encode(), "own.yaml", CONTEXT)
    assert file is not None
    assert [str(problem) for problem in problems] == [
        "own.yaml:3:8: warning: criteria[0].id: replaces the criterion of that id in the group other"
    ]


def test_a_fault_in_one_place_hides_no_fault_in_another_and_is_told_once():
    text = HEAD + (
        "facts: {broken: {type: nothing}}\n"
        "criteria:\n"
        "- {id: one, question: '?', rationale: x, from: {fact: broken}, score: {yes: 100, no: 0}}\n"
        "- {id: two, question: '?', rationale: x, from: {fact: unknown}, score: {yes: 100, no: 0}}\n"
        "- {id: three, question: '?', from: {fact: dedicated_ip}, score: {yes: 100, no: 0}}\n"
    )
    assert lines(text) == [
        "own.yaml:2:17: facts.broken.meaning: this key is missing",
        "own.yaml:2:24: facts.broken.type: expected one of boolean, integer, number, text, set or level, got 'nothing'",
        "own.yaml:5:55: criteria[1].from.fact: no criteria file declares the fact 'unknown'",
        "own.yaml:6:3: criteria[2].rationale: this key is missing",
    ]


def test_a_file_full_of_faults_is_cut_short():
    text = HEAD + "facts:\n" + "".join(f"  f{index}: {{type: set}}\n" for index in range(3000))
    found = lines(text)
    assert len(found) == 101
    assert found[-1] == "own.yaml:103:9: 2,900 further problems of this file are not shown"


def test_what_a_hostile_file_says_is_shown_harmless():
    found = lines(HEAD + 'facts: {"\\u202egnp.exe": {}}\ncriteria: "<script>\\u2028"')
    assert found
    for line in found:
        assert line.isprintable()
    _, problems = parse_criteria(b"[", "../../etc/\x1b[31mpass\nwd.yaml", CONTEXT)
    assert str(only(problems)).startswith("[31mpasswd.yaml:1:2: ")


def test_a_usable_file_is_returned_and_a_faulty_one_is_not():
    good, problems = parse_criteria((HEAD + "criteria:\n" + ONE.format("one", 0.5)).encode(), "a.yaml", CONTEXT)
    assert problems == []
    assert good is not None
    assert good.criteria[0].weight == 0.5
    bad, problems = parse_criteria((HEAD + "criteria:\n" + ONE.format("one", "x")).encode(), "a.yaml", CONTEXT)
    assert bad is None
    assert len(problems) == 1
    nonsense, problems = parse_criteria((HEAD + "criteria:\n" + ONE.format("one", 0)).encode(), "a.yaml", CONTEXT)
    assert nonsense is None  # its form is right, its weights sum to 0
    assert problems[0].severity == "error"
