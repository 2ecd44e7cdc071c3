"""What the files of ``trials/`` say reaches the score, as of any date, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailrubric.catalogue.messages import CatalogueError
from mailrubric.causes import EXPLANATIONS
from mailrubric.evidence.everything import observations
from mailrubric.evidence.observation import Observation
from mailrubric.evidence.store import Store
from mailrubric.scoring.evaluate import evaluate
from mailrubric.trials import folder
from mailrubric.trials.metrics import METRICS
from mailrubric.workspace import Workspace

PROFILE = "id: {id}\nname: {name}\ncategory: esp\n"
SURVEYS = """\
vendor,survey,date,q1,q2,q3,q4,q5,q6,q7,q8,q9,q10,score,comment
acme,sus,2024-03-04,4,2,4,2,4,2,4,2,4,2,,
acme,sus,2024-03-05,5,1,5,1,5,1,5,1,5,1,,
acme,reference,2024-03-05,,,,,,,,,,,9,
bolt,sus,2024-03-05,4,,,,,,,,,,,
"""
SUPPORT = """\
vendor,channel,opened,first_reply,solved,helpful,note
acme,email,2024-03-04T09:00Z,2024-03-04T11:00Z,2024-03-05T09:00Z,yes,
acme,chat,2024-03-04T12:00Z,2024-03-04T12:30Z,,no,
bolt,email,2024-03-04T09:00Z,,,,
"""
TRIAL = """\
vendor: acme
support_hours: {zone: Europe/Berlin, days: mon-fri, hours: "09:00-17:00"}
log:
  - {at: 2024-03-04T09:00:00Z, tester: one, task: sign-up, event: start}
  - {at: 2024-03-04T09:10:00Z, tester: one, task: sign-up, event: done}
  - {at: 2024-03-04T10:00:00Z, tester: one, task: first-message, event: start}
  - {at: 2024-03-04T10:20:00Z, tester: one, task: first-message, event: done}
"""
NOW = datetime(2024, 3, 6, 9, tzinfo=UTC)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    (tmp_path / "mailrubric.yaml").write_text("shipped_vendors: false\n")
    for name, text in {
        "vendors/acme.yaml": PROFILE.format(id="acme", name="Acme"),
        "vendors/bolt.yaml": PROFILE.format(id="bolt", name="Bolt"),
        "trials/surveys.csv": SURVEYS,
        "trials/support.csv": SUPPORT,
        "trials/acme.yaml": TRIAL,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return Workspace.open(tmp_path)


def of(found: list[Observation], vendor: str) -> dict[str, Observation]:
    return {each.metric: each for each in found if each.vendor == vendor}


def test_every_metric_is_declared_and_has_its_kind(place):
    found = observations(place, None, as_of=NOW)
    declared = {metric.key: metric for metric in METRICS}
    assert {each.metric for each in found} == set(declared)
    for each in found:
        assert each.kind == ("surveyed" if each.metric.startswith("survey.") else "tested")
        assert each.unit == declared[each.metric].unit
        assert (each.value is None) == (each.cause is not None)
        assert each.cause is None or each.cause in EXPLANATIONS
        assert each.n is not None
        if each.low is not None and each.high is not None:
            assert each.low <= each.value <= each.high


def test_values_with_sample_size_and_interval(place):
    acme = of(observations(place, None, as_of=NOW), "acme")
    sus = acme["survey.sus"]
    assert (sus.value, sus.n, sus.observed, sus.source) == (87.5, 2, "2024-03-05", "trials/surveys.csv")
    assert sus.low < 87.5 < sus.high == 100
    assert acme["survey.reference_score"].value == 9
    assert acme["survey.reference_nps"].value == 100
    assert acme["trial.first_send_minutes"].value == 30
    assert (acme["trial.tasks_completed"].value, acme["trial.tasks_completed"].n) == (100, 2)
    reply = acme["trial.support_first_reply_hours"]
    assert (reply.value, reply.n, reply.low, reply.high) == (1.25, 2, 0.0, folder.OPEN_END)
    assert acme["trial.support_first_reply_working_hours"].value == 1.25
    assert acme["trial.support_helpful_share"].value == 50


def test_what_is_not_known_has_a_cause_and_no_value(place):
    found = observations(place, None, as_of=NOW)
    bolt = of(found, "bolt")
    assert (bolt["survey.sus"].value, bolt["survey.sus"].cause) == (None, "incomplete_answers")
    waiting = bolt["trial.support_first_reply_hours"]
    assert (waiting.value, waiting.cause, waiting.n) == (None, "unfinished", 1)
    assert waiting.detail == "at least 48 hours: 1 of 1 ticket still waits"
    assert "trial.first_send_minutes" not in bolt, "nobody tried it: no evidence, not a failure"
    assert of(found, "acme")["trial.support_solved_hours"].cause == "unfinished"


def test_a_vendor_that_never_answers_does_not_stay_unknown(place):
    late = of(observations(place, None, as_of=NOW + timedelta(days=4)), "bolt")["trial.support_first_reply_hours"]
    assert (late.value, late.low, late.high) == (144, 144, folder.OPEN_END)
    assert late.cause is None
    assert late.note.startswith("At least 6 days, since")


def test_an_old_scorecard_knows_what_was_known_then(place):
    then = of(observations(place, None, as_of=datetime(2024, 3, 4, 10, 5, tzinfo=UTC)), "acme")
    assert then["survey.sus"].n == 1
    assert then["trial.first_send_minutes"].cause == "unfinished"
    assert then["trial.support_first_reply_hours"].value is None
    assert observations(place, None, as_of=datetime(2024, 3, 3, tzinfo=UTC)) == []


def test_they_stand_beside_what_the_store_holds(place):
    stored = Observation("acme", "trial.inbox_rate", 91.0, "tested", "send", "2024-03-05T09:00:00Z", unit="%")
    with Store(place.store_url()) as store:
        store.add_observations([stored])
        both = observations(place, store, ["acme"], NOW)
    assert "trial.inbox_rate" in {each.metric for each in both}
    assert {each.vendor for each in both} == {"acme"}
    assert len(both) == 1 + len(observations(place, None, ["acme"], NOW))


def test_they_reach_the_score_with_their_interval(place):
    catalogue = place.catalogue()
    evaluation = evaluate(catalogue, observations(place, None, as_of=NOW), as_of=NOW)
    acme, bolt = (next(line for line in evaluation.vendors if line.id == name) for name in ("acme", "bolt"))
    cells = {cell.criterion: cell for cell in acme.cells}
    sus = cells["usability-scale"]
    assert (sus.value, sus.n, sus.kind) == (87.5, 2, "surveyed")
    assert sus.low < sus.score < sus.high
    assert cells["time-to-first-send"].value == 30
    assert cells["tasks-completed"].score == 100
    assert cells["tasks-completed"].low < 60
    assert cells["peer-references"].value == 9
    assert cells["support-helpful"].value == 50
    assert cells["support-solved"].cause == "unfinished"
    assert next(cell for cell in bolt.cells if cell.criterion == "usability-scale").cause == "incomplete_answers"


def test_every_criterion_of_trials_and_surveys_here_has_a_metric_in_its_unit(place):
    declared = {metric.key: metric for metric in METRICS}
    used = set()
    for criterion in place.catalogue().criteria:
        source = criterion.source
        key = f"survey.{source.survey}" if source.survey else f"trial.{source.trial}"
        if key in declared:
            assert criterion.unit == declared[key].unit, criterion.id
            used.add(key)
    assert {"survey.sus", "survey.reference_score", "trial.first_send_minutes", "trial.tasks_completed"} <= used


def test_faults_of_all_files_are_listed_together(place):
    trials = place.directory / "trials"
    (trials / "surveys.csv").write_text("vendor,survey,date\nnobody,sus,2024-03-04\n")
    (trials / "bolt.yaml").write_text("vendor: bolt\nlogg: []\n")
    (trials / "other.yml").write_text("vendor: bolt\n")
    with pytest.raises(CatalogueError) as caught:
        observations(place, None, as_of=NOW)
    words = [str(problem) for problem in caught.value.problems]
    assert any("surveys.csv:2:1: vendor: no vendor has the id 'nobody'" in each for each in words)
    assert any("bolt.yaml:2:1: logg: unknown key" in each for each in words)
    assert any("other.yml: warning: is not read" in each for each in words)
    assert {str(problem) for problem in place.check()} >= set(words)
    checked = place.check([trials / "bolt.yaml"])
    assert [problem.path.name for problem in checked] == ["bolt.yaml"]
    assert place.check([place.directory / "vendors"]) == []


def test_the_fingerprint_changes_with_a_file(place):
    before = folder.fingerprint(place.directory)
    assert len(before) == 3
    with (place.directory / "trials" / "support.csv").open("a") as stream:
        stream.write("bolt,chat,2024-03-05T09:00Z,,,,\n")
    assert folder.fingerprint(place.directory) != before


def test_a_workspace_without_trials_has_none(tmp_path):
    assert observations(Workspace.open(tmp_path), None) == []
    assert not (tmp_path / "trials").exists(), "looking makes no folder"


def test_a_folder_that_cannot_be_listed_is_a_fault_and_not_an_empty_one(tmp_path):
    (tmp_path / folder.FOLDER).write_text("no folder")
    found, problems = folder.read(tmp_path, {"acme": "esp"})
    assert (found.answers, found.tickets, found.trials) == ((), (), {})
    assert [problem.message for problem in problems if problem.path == tmp_path / folder.FOLDER] == [
        "cannot be read: Not a directory"
    ]


def test_a_list_of_tasks_that_is_a_link_to_nothing_is_a_fault(tmp_path):
    (tmp_path / folder.FOLDER).mkdir()
    (tmp_path / folder.FOLDER / "tasks.yaml").symlink_to("gone.yaml")
    found, problems = folder.read(tmp_path, {"acme": "esp"})
    assert found.tasks == ()
    assert ["cannot be read" in problem.message for problem in problems] == [True]
