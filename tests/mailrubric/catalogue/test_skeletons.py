import re

import pytest

from mailrubric.catalogue.load import check, load
from mailrubric.catalogue.skeletons import criterion_skeleton, new_criterion, new_vendor, vendor_skeleton
from mailrubric.catalogue.yamlfile import read

IDS = ["acme", "a", "reply-speed-2", "no", "null", "true", "on", "x" * 64]


@pytest.mark.parametrize("identifier", IDS)
def test_skeletons_are_valid_as_they_stand(tmp_path, identifier):
    paths = [new_vendor(tmp_path, identifier), new_criterion(tmp_path, identifier)]
    assert paths == [tmp_path / "vendors" / f"{identifier}.yaml", tmp_path / "criteria" / f"{identifier}.yaml"]
    assert check([tmp_path], folders=[]) == []
    catalogue = load([tmp_path])
    assert catalogue.warnings == ()
    assert list(catalogue.vendors) == [identifier]
    assert [criterion.id for criterion in catalogue.criteria] == [identifier]


def test_nothing_is_overwritten(tmp_path):
    path = new_vendor(tmp_path, "acme")
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        new_vendor(tmp_path, "acme")
    assert path.read_text() == "mine"
    (tmp_path / "criteria").mkdir()
    (tmp_path / "criteria" / "acme.yaml").symlink_to(tmp_path / "nowhere.yaml")
    with pytest.raises(FileExistsError):
        new_criterion(tmp_path, "acme")
    assert not (tmp_path / "nowhere.yaml").exists()


@pytest.mark.parametrize(
    "identifier", ["", "Acme", "a b", "../a", "a/b", "a_b", "-a", "a-", "ü", "a\n", "x" * 65, "a.b"]
)
def test_what_is_no_id_is_refused(tmp_path, identifier):
    for make in (vendor_skeleton, criterion_skeleton):
        with pytest.raises(ValueError, match="lower-case"):
            make(identifier)
    with pytest.raises(ValueError, match="lower-case"):
        new_vendor(tmp_path, identifier)
    assert list(tmp_path.iterdir()) == []


def uncommented(text: str, *keys: str) -> str:
    """The text with the commented entries of these keys in force, and the empty value they replace gone."""
    lines = text.splitlines()
    for key in keys:
        lines = [line for line in lines if line != f"{key}: {{}}"]
        start = next(index for index, line in enumerate(lines) if re.match(rf"# {key}:", line))
        end = next((index for index in range(start, len(lines)) if not lines[index].startswith("#")), len(lines))
        for index in range(start, end):
            lines[index] = lines[index][2:]
    return "\n".join(lines) + "\n"


def test_the_commented_parts_of_a_vendor_are_right_too(tmp_path):
    text = uncommented(vendor_skeleton("acme"), "homepage", "endpoints", "facts", "plans")
    # The prose between the sections is no YAML.
    text = "\n".join(line for line in text.splitlines() if not re.match(r"[A-Z]", line)) + "\n"
    (tmp_path / "vendors").mkdir()
    (tmp_path / "vendors" / "acme.yaml").write_text(text)
    (tmp_path / "criteria").mkdir()
    (tmp_path / "criteria" / "a.yaml").write_text(criterion_skeleton("dedicated-ip"))
    catalogue = load([tmp_path])
    acme = catalogue.vendors["acme"]
    assert {endpoint.role for endpoint in catalogue.endpoints("acme")} == {
        "submission", "mx", "imap", "domain", "sending", "api", "status",
    }  # fmt: skip
    assert acme.homepage
    assert acme.facts["dedicated_ip"].document
    assert acme.facts["dedicated_ip"].also
    assert acme.facts["dedicated_ip"].disputed[0].value is False
    assert acme.plans[0].included_emails == 10000
    assert catalogue.warnings == ()


def test_the_commented_parts_of_a_criterion_are_right_too(tmp_path):
    """Each commented line put in force by itself, in place of the line of the same key."""
    base = criterion_skeleton("reply-speed")
    commented = re.findall(r"^( *)# (\w+): (.*)$", base, re.MULTILINE)
    tried = []
    for indent, key, value in commented:
        if key.startswith("reply_speed"):
            text = base.replace(f"{indent}# {key}: ", f"{indent}{key}: ")
        else:
            text = re.sub(rf"^{indent}{key}: .*\n", "", base, flags=re.MULTILINE)
            text = text.replace(f"{indent}# {key}: {value}", f"{indent}{key}: {value}", 1)
        kind = {"{map": "level", "{points": "number", "{curve": "number", "{share_of": "set", "{none_of": "set"}
        wanted = next((kind[word] for word in kind if key == "score" and value.startswith(word)), "boolean")
        if key == "unit" or "smtp.size_limit" in value:
            wanted = "number"
            text = re.sub(r"score: {yes.*", "score: {points: [[0, 0], [10, 100]]}", text)
        if wanted == "level":
            wanted = "level\n    levels: [none, partial, full]"
        text = text.replace("    type: boolean", f"    type: {wanted}")
        if key == "unit":
            text = text.replace("    type: number", "    type: number\n    unit: MB")
        folder = tmp_path / f"{len(tried)}"
        (folder / "criteria").mkdir(parents=True)
        (folder / "criteria" / "reply-speed.yaml").write_text(text)
        assert key in str(read(text.encode()).data)
        assert [str(problem) for problem in check([folder], folders=[])] == [], text
        tried.append(key)
    assert tried.count("score") == 6
    assert {"description", "from", "unit", "must", "applies_to", "half_life", "document_required", "reference"} <= set(
        tried
    )


def test_editors_are_pointed_to_the_schema_where_there_is_one(tmp_path):
    assert not new_vendor(tmp_path, "plain").read_text().startswith("# yaml-language-server")
    schemas = tmp_path / "docs" / "schema"
    schemas.mkdir(parents=True)
    for name in ("vendor", "criteria"):
        (schemas / f"{name}.schema.json").write_text("{}")
    for path, name in ((new_vendor(tmp_path, "acme"), "vendor"), (new_criterion(tmp_path, "acme"), "criteria")):
        assert path.read_text().splitlines()[0] == f"# yaml-language-server: $schema=../docs/schema/{name}.schema.json"
    assert check([tmp_path], folders=[]) == []
