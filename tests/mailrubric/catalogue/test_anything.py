"""Whatever stands in a file, there are problems or a catalogue, and never an exception."""

import random
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailrubric.catalogue.load import examine, parse_criteria
from mailrubric.catalogue.yamlfile import read
from mailrubric.workspace import Workspace
from tests.mailrubric.catalogue.test_criteria_errors import CONTEXT

ROOT = Path(__file__).resolve().parents[3]
CRITERIA = [path.read_bytes() for path in sorted((ROOT / "criteria").glob("*.yaml"))]
PRESETS = [path.read_bytes() for path in sorted((ROOT / "criteria" / "presets").glob("*.yaml"))]
VENDORS = [path.read_bytes() for path in sorted((ROOT / "vendors").glob("*.yaml"))]
SETTINGS = [b"store: sqlite:///x.sqlite\nresolver: 127.0.0.1:53\npreset: a\nehlo: a.example\nca: x.pem\n"]
CATALOGUE = Workspace.open(ROOT).catalogue()
ANYTHING = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["yes", "esp", "level", "TLSv1.2", "2026-02-31", "http://[", "https://x:y@z", "a.b", "x" * 3000]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | scalars, inner, max_size=3),
    max_leaves=6,
)


def places(data, path=()):
    yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from places(value, (*path, index))


@st.composite
def mutated(draw, originals):
    """A valid file with some parts replaced, renamed, doubled or removed: as data, then written as YAML again; or with
    a few of its bytes changed."""
    content = draw(st.sampled_from(originals))
    if draw(st.booleans()):
        data = read(content).data
        for _ in range(draw(st.integers(1, 4))):
            found = list(places(data))
            path = found[draw(st.integers(0, len(found) - 1))]
            if not path:
                if draw(st.integers(0, 9)) == 0:
                    data = draw(values)
                continue
            parent = data
            for step in path[:-1]:
                parent = parent[step]
            action = draw(st.sampled_from(["replace", "remove", "rename", "move"]))
            if action == "replace":
                parent[path[-1]] = draw(values)
            elif action == "remove":
                del parent[path[-1]]
            elif action == "rename" and isinstance(parent, dict):
                parent[draw(st.text(max_size=8) | st.sampled_from(["map", "points", "id", "else"]))] = parent.pop(
                    path[-1]
                )
            elif isinstance(parent, list):
                parent.append(parent[path[-1]])
        return yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass")
    changed = bytearray(content)
    generator = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(generator.randint(1, 12)):
        at = generator.randrange(len(changed))
        kind = generator.randrange(4)
        if kind == 0:
            changed[at] = generator.choice(b":-[]{}#&*!|>'\"%@`?, \n\t\0ab1\xff")
        elif kind == 1:
            del changed[at : at + generator.randint(1, 30)]
        elif kind == 2:
            changed[at:at] = bytes(generator.choice(b":-[]{}#&*!|>'\"%@`?, \n\tab1") for _ in range(5))
        else:
            other = generator.randrange(len(changed))
            changed[at:at] = changed[other : other + 40]
        if not changed:
            break
    return bytes(changed)


def look(problems):
    for problem in problems:
        assert problem.message
        text = str(problem)
        assert text.isprintable(), text
        assert len(text) < 2000
        assert problem.line >= 0
        assert problem.column >= 0


@ANYTHING
@given(
    st.binary(max_size=300) | mutated(CRITERIA) | values.map(lambda value: yaml.dump(value).encode("utf-8", "replace"))
)
def test_any_criteria_file(content):
    file, problems = parse_criteria(content, "any.yaml", CATALOGUE)
    look(problems)
    assert (file is None) == any(problem.severity == "error" for problem in problems)
    if file is not None:
        CATALOGUE.extended(file)
    parse_criteria(content, "any.yaml", CONTEXT)


def everything(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    catalogue, problems = examine([ROOT, folder] if name.startswith("criteria/") else [folder])
    look(problems)
    for vendor in catalogue.vendors.values():
        catalogue.endpoints(vendor)


@pytest.mark.slow
@settings(ANYTHING, max_examples=75)
@given(mutated(VENDORS))
def test_any_vendor(tmp_path, content):
    (tmp_path / "criteria").mkdir(exist_ok=True)
    for path in (ROOT / "criteria").glob("*.yaml"):
        link = tmp_path / "criteria" / path.name
        if not link.exists():
            link.symlink_to(path)
    everything(tmp_path, "vendors/any.yaml", content)


@pytest.mark.slow
@settings(ANYTHING, max_examples=25)
@given(mutated(PRESETS) | mutated(CRITERIA))
def test_any_preset_or_criteria_file_over_the_shipped_ones(tmp_path, content):
    for name in ("criteria/presets/any.yaml", "criteria/any.yaml"):
        everything(tmp_path, name, content)


@ANYTHING
@given(mutated(SETTINGS) | st.binary(max_size=100))
def test_any_settings(tmp_path, content):
    from mailrubric.catalogue.messages import CatalogueError

    (tmp_path / "mailrubric.yaml").write_bytes(content)
    try:
        workspace = Workspace.open(tmp_path)
    except CatalogueError as error:
        problems = error.problems
    else:
        problems = []
        assert workspace.store_url()
        assert "@" not in workspace.store_label().replace("…@", "")
        assert workspace.network_options()
    look(problems)
