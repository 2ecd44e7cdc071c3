"""The JSON Schemas are current, and say the same as the loader."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest

from mailrubric.catalogue import schema
from mailrubric.catalogue.load import parse_criteria
from mailrubric.catalogue.models import Criterion
from mailrubric.catalogue.skeletons import criterion_skeleton, vendor_skeleton
from mailrubric.catalogue.yamlfile import read
from mailrubric.workspace import Workspace
from tests.mailrubric.catalogue.test_criteria_errors import CONTEXT, HEAD, blocks

ROOT = Path(__file__).resolve().parents[3]
VALIDATORS = {name: jsonschema.Draft202012Validator(schema.schema(name)) for name in schema.SCHEMAS}


def accepted(name: str, content: bytes) -> bool:
    return VALIDATORS[name].is_valid(read(content).data)


@pytest.mark.parametrize("name", schema.SCHEMAS)
def test_the_written_schemas_are_current(name):
    written = (ROOT / "docs" / "schema" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert written == schema.text(name), "run: python -m mailrubric.catalogue.schema"


@pytest.mark.parametrize("name", schema.SCHEMAS)
def test_the_schemas_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(schema.schema(name))
    assert schema.schema(name)["additionalProperties"] is False


def test_keys_are_those_of_the_yaml():
    text = schema.text("criteria")
    properties = json.loads(text)["$defs"]["Criterion"]["properties"]
    assert {"from", "score", "must"} <= set(properties)
    assert "source" not in properties
    assert "else" in json.loads(text)["$defs"]["Must"]["properties"]
    assert set(properties) == {field.alias or name for name, field in Criterion.model_fields.items()}


def test_writing_changes_only_what_is_out_of_date(tmp_path):
    assert sorted(path.name for path in schema.write(tmp_path / "schema")) == sorted(
        f"{name}.schema.json" for name in schema.SCHEMAS
    )
    assert schema.write(tmp_path / "schema") == []
    (tmp_path / "schema" / "vendor.schema.json").write_text("{}")
    assert [path.name for path in schema.write(tmp_path / "schema")] == ["vendor.schema.json"]


def test_skeletons_are_accepted():
    assert accepted("vendor", vendor_skeleton("acme").encode())
    assert accepted("criteria", criterion_skeleton("reply-speed").encode())


def test_what_the_loader_refuses_for_its_form_an_editor_underlines_too():
    """Every faulty criterion whose fault is of form (not of knowing the metrics and facts) is refused by the schema."""
    told = {"expected", "unknown key", "this key is missing", "must not be empty", "is empty", "holds "}
    looked_at = 0
    for text, said in blocks("criterion_errors.txt"):
        sentences = [line.split(": ", 2)[2] for line in said]
        content = HEAD + "criteria:\n- id: one\n  question: Which?\n  rationale: Because.\n"
        content += "".join(f"  {line}\n" for line in text.split("\n"))
        if any(sentence.startswith(tuple(told)) for sentence in sentences) and "survey: ' '" not in text:
            looked_at += 1
            assert not accepted("criteria", content.encode()), text
    assert looked_at > 25


def test_what_is_valid_an_editor_accepts():
    content = (HEAD + (
        "facts: {a: {type: level, levels: [low, high], meaning: x}}\n"
        "criteria:\n"
        "- id: one\n  question: Which?\n  rationale: Because.\n  weight: 0.5\n  unit: MB\n  applies_to: [esp]\n"
        "  from: {probe: smtp.size_limit, roles: [mx], combine: best, tolerance: 0}\n"
        "  score: {points: [[1, 0], [2.5, 100]], scale: log}\n"
        "  must: {above: 0, else: too small}\n"
        "- id: two\n  question: Which?\n  rationale: Because.\n"
        "  from: {fact: a}\n  score: {map: {low: 0, high: 100}}\n"
    )).encode()  # fmt: skip
    file, problems = parse_criteria(content, "own.yaml", CONTEXT)
    assert problems == []
    assert file is not None
    assert accepted("criteria", content)
    data = copy.deepcopy(read(content).data)
    data["criteria"][0]["must"]["below"] = 3
    assert not VALIDATORS["criteria"].is_valid(data)  # two conditions


# --- what is shipped --------------------------------------------------------------------------------------------------

SHIPPED = [
    *(("criteria", path) for path in sorted((ROOT / "criteria").glob("*.yaml"))),
    *(("preset", path) for path in sorted((ROOT / "criteria" / "presets").glob("*.yaml"))),
    *(("vendor", path) for path in sorted((ROOT / "vendors").glob("*.yaml"))),
]


@pytest.mark.parametrize(("kind", "path"), SHIPPED, ids=[path.stem for _, path in SHIPPED])
def test_every_shipped_file_names_its_schema_and_fits_it(kind, path):
    content = path.read_bytes()
    up = "../../" if kind == "preset" else "../"
    assert content.decode().splitlines()[0] == f"# yaml-language-server: $schema={up}docs/schema/{kind}.schema.json"
    assert (path.parent / f"{up}docs/schema/{kind}.schema.json").is_file()
    faults = [f"{error.json_path}: {error.message}" for error in VALIDATORS[kind].iter_errors(read(content).data)]
    assert faults == []


def test_the_shipped_catalogue_has_no_faults():
    assert [str(problem) for problem in Workspace.open(ROOT).check()] == []


def test_there_is_something_shipped():
    assert {kind for kind, _ in SHIPPED} == {"criteria", "preset", "vendor"}
