"""The examples in the two guides are valid as they stand, beside the shipped catalogue."""

import re
from pathlib import Path

import pytest

from mailrubric import units
from mailrubric.catalogue.load import check, load, parse_criteria
from mailrubric.catalogue.models import Criterion, Endpoints, From, Must
from mailrubric.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
GUIDES = {
    name: (ROOT / "docs" / f"writing-a-{name}.md").read_text(encoding="utf-8") for name in ("criterion", "vendor")
}


def examples(name: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", GUIDES[name], re.DOTALL)


@pytest.fixture(scope="module")
def shipped():
    return Workspace.open(ROOT).catalogue()


def test_the_criteria_file_is_valid(shipped):
    file, problems = parse_criteria(examples("criterion")[0].encode(), "help.yaml", shipped)
    assert problems == []
    assert file is not None
    assert len(file.criteria) == 3


def test_the_preset_is_valid(tmp_path):
    path = tmp_path / "criteria" / "presets" / "our-team.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(examples("criterion")[1])
    assert [str(problem) for problem in check([path])] == []


def test_the_vendor_is_valid(tmp_path):
    path = tmp_path / "vendors" / "acme-mail.yaml"
    path.parent.mkdir()
    path.write_text(examples("vendor")[0])
    assert [str(problem) for problem in check([path])] == []
    catalogue = load([ROOT, tmp_path])
    assert len(catalogue.endpoints("acme-mail")) == 7
    assert catalogue.vendors["acme-mail"].facts["dedicated_ip"].disputed[0].value is False


def test_there_are_no_other_examples():
    assert [len(examples(name)) for name in GUIDES] == [2, 1]


SCORES = re.findall(r"^\| (`[^|]*`) \| `(\{.*?\})`[:| ]", GUIDES["criterion"], re.MULTILINE)


def test_every_row_of_the_table_of_value_functions_is_valid_for_its_types(shipped):
    rows = [(kind, score) for kinds, score in SCORES for kind in re.findall(r"`(\w+)`", kinds)]
    assert {kind for kind, _ in rows} == {"boolean", "integer", "number", "level", "text", "set"}
    for kind, score in rows:
        levels = ", levels: [none, partial, full]" if kind == "level" else ""
        text = (
            "group: {id: new, title: New, weight: 1}\n"
            f"facts: {{of_docs: {{type: {kind}, meaning: x{levels}}}}}\n"
            f"criteria:\n- {{id: of-docs, question: '?', rationale: x, from: {{fact: of_docs}}, score: {score}}}\n"
        )
        _, problems = parse_criteria(text.encode(), "docs.yaml", shipped)
        assert problems == [], text


def test_the_guides_name_every_key():
    for model in (Criterion, From, Must):
        for name, field in model.model_fields.items():
            key = field.alias or name
            assert re.search(rf"\b{key}\b", GUIDES["criterion"]), key
    for role in Endpoints.model_fields:
        assert f"`{role}`" in GUIDES["vendor"], role
    for unit in (*units.DATA, *units.TIME):
        assert re.search(rf"\b{unit}\b", GUIDES["criterion"]), unit


def test_links_between_pages_lead_somewhere():
    for text in GUIDES.values():
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (ROOT / "docs" / target).exists(), target
