"""Folders of real files: what they become together, and what is said of those at fault."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailrubric.catalogue.load import CatalogueError, check, examine, known_metrics, load, parse_criteria, save_criteria
from mailrubric.catalogue.models import MXEndpoint, Vendor
from probes import registry
from probes.model import Endpoint
from tests.mailrubric.catalogue.test_criteria_errors import blocks

FACTS = """\
group: {id: base, title: Base, weight: 5}
facts:
  dedicated_ip: {type: boolean, meaning: Whether an address of one's own can be had.}
  size: {type: integer, unit: MB, meaning: Largest message.}
  uptime: {type: number, unit: "%", meaning: Uptime promised.}
  channels: {type: set, meaning: Ways to reach support.}
  standard: {type: text, meaning: A standard.}
  plan: {type: level, levels: [none, some, full], meaning: How much.}
criteria:
- {id: own-ip, question: "Own address?", from: {fact: dedicated_ip}, score: {yes: 100, no: 0}, rationale: It matters.}
- {id: uptime, question: "Uptime?", from: {fact: uptime}, score: {points: [[99, 0], [100, 100]]}, rationale: Matters.}
"""
OWN = """\
group: {{id: {group}, title: Own, weight: {weight}}}
criteria:
- {{id: {criterion}, question: "?", from: {{fact: dedicated_ip}}, score: {{yes: {yes}, no: 0}}, rationale: It matters.}}
"""
ACME = "id: acme\nname: {name}\ncategory: esp\n"
VENDOR_WITH_FACT = (
    ACME.format(name="Acme") + "facts: {dedicated_ip: {value: true, source: https://a.example, as_of: 2026}}\n"
)


def write(folder: Path, **files: str) -> Path:
    """Files by place: ``criteria__a`` is ``criteria/a.yaml``, ``presets__a`` is ``criteria/presets/a.yaml``."""
    for name, text in files.items():
        kind, _, stem = name.partition("__")
        path = folder / ("criteria/presets" if kind == "presets" else kind) / f"{stem.replace('_', '-')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def base(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "base", criteria__base=FACTS)


def said(folders: list[Path]) -> list[str]:
    return [str(problem) for problem in examine(folders)[1]]


@pytest.mark.parametrize(("text", "expected"), blocks("vendor_errors.txt"))
def test_each_fault_of_a_vendor_is_one_sentence_at_its_place(base, text, expected):
    write(base, vendors__acme=text)
    if expected == ["none"]:
        expected = []
    assert said([base]) == [f"base/vendors/acme.yaml:{line}" for line in expected]


def test_a_catalogue_has_everything_with_its_file(base):
    write(base, criteria__a_first=OWN.format(group="first", weight=1, criterion="one", yes=100))
    write(base, vendors__zeta="id: zeta\nname: Zeta\ncategory: mailbox\n", vendors__acme=ACME.format(name="Acme"))
    write(base, presets__team="id: team\ntitle: T\ndescription: D\ngroups: {first: 0}\ncriteria: {own-ip: 2}\n")
    catalogue = load([base])
    assert [group.id for group in catalogue.groups] == ["first", "base"]  # by file name: a-first, base
    assert [criterion.id for criterion in catalogue.criteria] == ["one", "own-ip", "uptime"]
    assert catalogue.group_of == {"one": "first", "own-ip": "base", "uptime": "base"}
    assert [criterion.id for criterion in catalogue.criteria_in("base")] == ["own-ip", "uptime"]
    assert catalogue.criteria_in("nowhere") == ()
    assert catalogue.group("first").weight == 1
    assert catalogue.criterion("uptime").question == "Uptime?"
    assert list(catalogue.vendors) == ["acme", "zeta"]
    assert catalogue.presets["team"].criteria == {"own-ip": 2}
    assert set(catalogue.facts) == {"dedicated_ip", "size", "uptime", "channels", "standard", "plan"}
    assert catalogue.warnings == ()
    assert {key: path.relative_to(base).as_posix() for key, path in catalogue.paths.items()} == {
        "group:first": "criteria/a-first.yaml",
        "criterion:one": "criteria/a-first.yaml",
        "group:base": "criteria/base.yaml",
        "criterion:own-ip": "criteria/base.yaml",
        "criterion:uptime": "criteria/base.yaml",
        **{f"fact:{name}": "criteria/base.yaml" for name in catalogue.facts},
        "vendor:acme": "vendors/acme.yaml",
        "vendor:zeta": "vendors/zeta.yaml",
        "preset:team": "criteria/presets/team.yaml",
    }
    for ask in (catalogue.group, catalogue.criterion, catalogue.endpoints):
        with pytest.raises(KeyError):
            ask("nowhere")


def test_metrics_are_those_of_the_probes_with_their_roles_filled_in():
    metrics = known_metrics()
    declared = {metric.key: (metric, probe) for probe in registry.probes() for metric in probe.metrics}
    assert list(metrics) == sorted(declared)
    assert len(metrics) > 50
    for key, metric in metrics.items():
        original, probe = declared[key]
        assert metric.roles
        assert metric.roles == (original.roles or probe.roles)
        assert (metric.type, metric.unit, metric.levels) == (original.type, original.unit, original.levels)


def test_endpoints_in_the_words_of_the_probes(base):
    write(
        base,
        vendors__acme=ACME.format(name="Acme")
        + """\
endpoints:
  web: [{url: https://example.com}]
  submission:
    - {host: smtp.example.com, port: 587, label: EU}
    - {host: smtp.example.com, port: 465, tls: implicit}
  mx: [{domain: example.com}, {host: mx.example.com, port: 2525}]
  imap: [{host: imap.example.com, port: 993, tls: implicit}]
  pop3: [{host: pop.example.com, port: 110, tls: none}]
  sieve: [{host: sieve.example.com, port: 4190}]
  domain: [{domain: example.com, selectors: [s1, s2]}]
  sending: [{domain: spf.example.com}]
  api: [{url: https://api.example.com/v1, label: EU}]
  status: [{url: https://status.example.com, kind: statuspage}]
""",
    )
    catalogue = load([base])
    expected = [
        Endpoint("submission", host="smtp.example.com", port=587, label="EU"),
        Endpoint("submission", host="smtp.example.com", port=465, tls="implicit"),
        Endpoint("mx", domain="example.com", port=25),
        Endpoint("mx", host="mx.example.com", port=2525),
        Endpoint("imap", host="imap.example.com", port=993, tls="implicit"),
        Endpoint("pop3", host="pop.example.com", port=110, tls="none"),
        Endpoint("sieve", host="sieve.example.com", port=4190),
        Endpoint("domain", domain="example.com", selectors=("s1", "s2")),
        Endpoint("sending", domain="spf.example.com"),
        Endpoint("api", url="https://api.example.com/v1", label="EU"),
        Endpoint("status", url="https://status.example.com", kind="statuspage"),
        Endpoint("web", url="https://example.com"),
    ]
    assert catalogue.endpoints("acme") == expected
    assert catalogue.endpoints(catalogue.vendors["acme"]) == expected
    assert len({endpoint.key for endpoint in expected}) == len(expected)


def test_a_later_folder_extends_and_replaces_by_id(base, tmp_path):
    write(base, vendors__acme=ACME.format(name="Acme"), vendors__beta="id: beta\nname: Beta\ncategory: esp\n")
    write(base, presets__team="id: team\ntitle: Shipped\ndescription: D\n")
    own = write(
        tmp_path / "own",
        criteria__zz=OWN.format(group="base", weight=9, criterion="own-ip", yes=50)
        + OWN.format(group="x", weight=1, criterion="extra", yes=70).partition("criteria:\n")[2],
        criteria__new=OWN.format(group="new", weight=1, criterion="uptime", yes=80),
        vendors__acme=ACME.format(name="Ours"),
        presets__team="id: team\ntitle: Own\ndescription: D\n",
    )
    catalogue = load([base, own])
    assert [(group.id, group.title, group.weight) for group in catalogue.groups] == [
        ("base", "Own", 9),
        ("new", "Own", 1),
    ]
    # own-ip is replaced where it stood, extra is added to the merged group, uptime has moved to another group.
    assert [(item.id, catalogue.group_of[item.id]) for item in catalogue.criteria] == [
        ("own-ip", "base"),
        ("extra", "base"),
        ("uptime", "new"),
    ]
    assert catalogue.criterion("own-ip").score.yes == 50
    assert catalogue.paths["criterion:own-ip"] == own / "criteria/zz.yaml"
    assert catalogue.paths["group:base"] == own / "criteria/zz.yaml"
    assert {vendor.id: vendor.name for vendor in catalogue.vendors.values()} == {"acme": "Ours", "beta": "Beta"}
    assert catalogue.paths["vendor:beta"] == base / "vendors/beta.yaml"
    assert catalogue.presets["team"].title == "Own"
    assert list(load([base, own], without_vendors=[base]).vendors) == ["acme"]
    # The order of folders is the order of precedence.
    assert load([own, base]).vendors["acme"].name == "Acme"


def test_a_later_folder_cannot_make_a_fact_something_else(base, tmp_path):
    # Told once, where it is written, and not at every criterion and profile that goes by the earlier declaration.
    write(base, vendors__acme=VENDOR_WITH_FACT)
    text = OWN.format(group="own", weight=1, criterion="extra", yes=70)
    wrong = "facts: {dedicated_ip: {type: number, meaning: M}, plan: {type: level, levels: [none, full], meaning: M}}\n"
    own = write(tmp_path / "own", criteria__own=text.replace("criteria:", wrong + "criteria:"))
    assert said([base, own]) == [
        "own/criteria/own.yaml:2:9: facts.dedicated_ip: this fact is declared already, as boolean; give yours another "
        "name",
        "own/criteria/own.yaml:2:51: facts.plan: this fact is declared already, as level of none, some and full; give "
        "yours another name",
    ]
    catalogue = load([base])
    uploaded = (own / "criteria/own.yaml").read_bytes()
    assert [problem.key for problem in parse_criteria(uploaded, "own.yaml", catalogue)[1]] == [
        "facts.dedicated_ip",
        "facts.plan",
    ]
    # Saying it again, or giving it one level more, takes nothing away from anybody.
    more = wrong.replace("number", "boolean").replace("[none,", "[none, some,").replace("full]", "full, double]")
    write(own, criteria__own=text.replace("criteria:", more + "criteria:"))
    assert said([base, own]) == []
    assert load([base, own]).facts["plan"].levels == ("none", "some", "full", "double")


def test_what_is_laid_over_a_catalogue_is_what_a_later_folder_would_be(base, tmp_path):
    from mailrubric.catalogue.load import parse_criteria

    text = OWN.format(group="new", weight=1, criterion="uptime", yes=80)
    own = write(tmp_path / "own", criteria__new=text)
    before = load([base])
    file, _ = parse_criteria(text.encode(), "new.yaml", before)
    assert file is not None
    together, preview = load([base, own]), before.extended(file)
    assert (preview.groups, preview.criteria, preview.group_of) == (
        together.groups,
        together.criteria,
        together.group_of,
    )
    assert before.group_of["uptime"] == "base"


def test_no_folder_and_empty_folders_are_an_empty_catalogue(tmp_path):
    for folders in ([], [tmp_path], [tmp_path / "absent"]):
        catalogue = load(folders)
        assert catalogue.criteria == ()
        assert catalogue.vendors == {}
        assert catalogue.metrics


def test_every_error_of_every_file_is_told_in_one_run_sorted_and_once(base):
    write(
        base,
        criteria__other=OWN.format(group="other", weight=1, criterion="own-ip", yes=100),
        criteria__twin=OWN.format(group="base", weight=1, criterion="twin", yes=100)
        + "facts: {size: {type: integer, meaning: Again.}}\n",
        criteria__broken="group: [\n",
        vendors__acme="id: acme\nname: Acme\ncategory: nope\n"
        "facts: {dedicated_ip: {value: 3, source: x, as_of: 2026}}\n",
        vendors__beta="id: Beta\nname: Beta\ncategory: esp\n",
        vendors__empty="# nothing yet\n",
        presets__team="id: team\ntitle: T\ndescription: D\ngroups: {first: x}\n",
    )
    (base / "vendors" / "old.yml").write_text("id: old")
    (base / "vendors" / ".hidden.yaml").write_text("[")
    with pytest.raises(CatalogueError) as raised:
        load([base])
    lines = [str(problem) for problem in raised.value.problems]
    assert lines == [
        "base/criteria/broken.yaml:2:1: is not valid YAML: a value was expected here",
        "base/criteria/other.yaml:3:8: criteria[0].id: there is a criterion 'own-ip' already, at "
        "base/criteria/base.yaml:10:8",
        "base/criteria/presets/team.yaml:4:17: groups.first: expected a number from 0 to 1000000, got 'x'",
        "base/criteria/twin.yaml:1:13: group.id: there is a group 'base' already, at base/criteria/base.yaml:1:13",
        "base/criteria/twin.yaml:4:9: facts.size: there is a fact 'size' already, at base/criteria/base.yaml:4:3",
        "base/vendors/acme.yaml:3:11: category: expected one of esp, marketing, mailbox or self-hosted, got 'nope'",
        "base/vendors/acme.yaml:4:31: facts.dedicated_ip.value: this fact is a boolean: expected true or false, got 3",
        "base/vendors/beta.yaml:1:5: id: expected an id of lower-case letters and digits joined by hyphens, such as "
        "tls-versions, got 'Beta'",
        "base/vendors/empty.yaml: is empty",
        "base/vendors/old.yml: warning: is not read: its name must end in .yaml",
    ]
    assert str(raised.value) == "\n".join(lines)


def test_while_a_criteria_file_cannot_be_read_nobody_is_blamed_for_using_it(base):
    write(base, vendors__acme=ACME.format(name="A") + "facts: {in_broken: {value: 1, source: x, as_of: 2026}}\n")
    write(base, presets__team="id: team\ntitle: T\ndescription: D\ngroups: {in-broken: 1}\n")
    assert said([base]) == [
        "base/criteria/presets/team.yaml:4:10: groups.in-broken: there is no such group",
        "base/vendors/acme.yaml:4:9: facts.in_broken: no criteria file declares this fact",
    ]
    write(base, criteria__broken="group: {id: in-broken\n")
    assert [line.partition(":")[0] for line in said([base])] == ["base/criteria/broken.yaml"]
    # Readable but wrong: what it declares is known by name, and everything else is not.
    write(base, criteria__broken="group: {id: in-broken}\nfacts: {in_broken: {type: nonsense}}\n")
    assert {line.partition(":")[0] for line in said([base])} == {"base/criteria/broken.yaml"}
    write(base, criteria__broken="group: {id: elsewhere}\nfacts: {elsewhere: {type: nonsense}}\n")
    assert {line.partition(":")[0] for line in said([base])} == {
        "base/criteria/broken.yaml",
        "base/criteria/presets/team.yaml",
        "base/vendors/acme.yaml",
    }


def test_presets_name_what_there_is(base):
    write(base, presets__team="id: team\ntitle: T\ndescription: D\ngroups: {bsae: 1}\ncriteria: {own_ip: 2, zzz: 1}\n")
    assert said([base]) == [
        "base/criteria/presets/team.yaml:4:10: groups.bsae: there is no such group; did you mean 'base'?",
        "base/criteria/presets/team.yaml:5:12: criteria.own_ip: the key must be an id of lower-case letters and digits "
        "joined by hyphens, such as tls-versions",
        "base/criteria/presets/team.yaml:5:23: criteria.zzz: there is no such criterion",
    ]
    write(base, presets__team="id: team\ntitle: T\ndescription: D\ncriteria: {own-ipp: 2, zzz: 1}\n")
    assert said([base]) == [
        "base/criteria/presets/team.yaml:4:12: criteria.own-ipp: there is no such criterion; did you mean 'own-ip'?",
        "base/criteria/presets/team.yaml:4:24: criteria.zzz: there is no such criterion",
    ]


def test_presets_leave_some_weight(base):
    write(base, presets__team="id: team\ntitle: T\ndescription: D\ngroups: {base: 0}\n")
    assert said([base]) == ["base/criteria/presets/team.yaml:4:1: groups: the weights of all groups are 0"]
    write(base, presets__team="id: team\ntitle: T\ndescription: D\ncriteria: {own-ip: 0, uptime: 0}\n")
    assert said([base]) == [
        "base/criteria/presets/team.yaml:4:1: criteria: the weights of all criteria of the group base are 0; give the "
        "group itself the weight 0"
    ]
    write(base, presets__team="id: team\ntitle: T\ndescription: D\ncriteria: {own-ip: 0}\n")
    assert said([base]) == []
    # A group whose own weights are all 0 is told of at its file alone: no preset that leaves it be can mend it.
    write(
        base, criteria__other=OWN.format(group="x", weight=1, criterion="y", yes=9).replace("from:", "weight: 0, from:")
    )
    assert said([base]) == [
        "base/criteria/other.yaml:2:1: criteria: the weights of all criteria of this group are 0",
        "base/criteria/other.yaml:3:34: warning: criteria[0].weight: this criterion counts for nothing; was that "
        "meant?",
    ]


def test_weights_over_all_groups_and_folders(base, tmp_path):
    text = FACTS.replace("weight: 5", "weight: 0")
    write(base, criteria__base=text, criteria__other=OWN.format(group="other", weight=0, criterion="one", yes=100))
    assert said([base]) == ["base/criteria/base.yaml:1:40: group.weight: the weights of all groups are 0"]
    # A later folder may give weight: then one group of no weight is only remarkable.
    own = write(tmp_path / "own", criteria__other=OWN.format(group="other", weight=1, criterion="one", yes=100))
    found = said([base, own])
    assert found == [
        "base/criteria/base.yaml:1:40: warning: group.weight: this group counts for nothing; was that meant?"
    ]
    assert load([base, own]).warnings[0].severity == "warning"


def test_problems_are_told_where_the_files_are_seen_from(base, tmp_path, monkeypatch):
    write(base, vendors__acme="[")
    monkeypatch.chdir(base)
    assert said([Path(".")])[0].startswith("vendors/acme.yaml:1:")
    assert said([base])[0].startswith("vendors/acme.yaml:1:")
    monkeypatch.chdir("/")
    assert said([base])[0].startswith(f"{str(base).lstrip('/')}/vendors/acme.yaml:1:")
    monkeypatch.chdir("/usr")
    assert said([base])[0].startswith(f"{base}/vendors/acme.yaml:1:")


# --- check: single files, beside what is around them ------------------------------------------------------------------


def checked(*paths: Path, folders: list[Path] | None = None) -> list[str]:
    return [str(problem) for problem in check(paths, folders=[] if folders is None else folders)]


def test_checking_a_file_tells_of_that_file_only_and_knows_its_neighbours(base):
    write(base, vendors__acme=ACME.format(name="A") + "facts: {uptme: {value: 1, source: x, as_of: 2026}}\n")
    write(base, vendors__beta="[", criteria__other=OWN.format(group="other", weight=1, criterion="own-ip", yes=1))
    acme = "base/vendors/acme.yaml:4:9: facts.uptme: no criteria file declares this fact; did you mean 'uptime'?"
    beta = "base/vendors/beta.yaml:1:2: is not valid YAML: a value was expected here"
    other = (
        "base/criteria/other.yaml:3:8: criteria[0].id: there is a criterion 'own-ip' already, at "
        "base/criteria/base.yaml:10:8"
    )
    assert checked(base / "vendors" / "acme.yaml") == [acme]
    assert checked(Path("base/vendors/acme.yaml")) == [acme]
    assert checked(base / "criteria" / "base.yaml") == []
    assert checked(base / "criteria" / "other.yaml") == [other]
    assert checked(base / "vendors") == [acme, beta]
    assert checked(base / "criteria") == [other]
    assert checked(base) == [other, acme, beta]
    assert checked(base / "vendors" / "acme.yaml", base / "vendors") == [acme, beta]


def test_checking_a_file_from_elsewhere_judges_it_beside_the_catalogue(base, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    profile = elsewhere / "acme.yaml"
    profile.write_text(ACME.format(name="A") + "facts: {uptime: {value: high, source: x, as_of: 2026}}\n")
    criteria = elsewhere / "mine.yaml"
    criteria.write_text(OWN.format(group="mine", weight=1, criterion="mine", yes=101))
    preset = elsewhere / "preset.yaml"
    preset.write_text("id: p\ntitle: P\ndescription: D\ngroups: {nope: 1}\n")
    riddle = elsewhere / "riddle.yaml"
    riddle.write_text("a: b\n")
    weights = elsewhere / "weights.yaml"
    weights.write_text("ranking:\n  - nope\n")
    expected = [
        "elsewhere/acme.yaml:4:25: facts.uptime.value: this fact is a number: expected a number, got 'high'",
        "elsewhere/mine.yaml:3:70: criteria[0].score.yes: expected 0–100, got 101",
        "elsewhere/preset.yaml:4:10: groups.nope: there is no such group",
        "elsewhere/riddle.yaml:1:1: what is this file? A criteria file has the key group, a vendor profile category, a "
        "preset groups and title, somebody's weights groups, ranking, swing or pairwise",
        "elsewhere/weights.yaml:2:5: ranking[0]: there is no group 'nope'",
    ]
    for path, sentence in zip((profile, criteria, preset, riddle, weights), expected, strict=True):
        assert checked(path, folders=[base]) == [sentence]
    assert checked(elsewhere, folders=[base]) == expected


def test_checking_a_file_by_default_knows_the_shipped_criteria(tmp_path):
    profile = tmp_path / "acme.yaml"
    profile.write_text(ACME.format(name="A") + "facts: {dedicated_ips_of_mars: {value: 1, source: x, as_of: 2026}}\n")
    found = check([profile])
    assert len(found) == 1
    assert found[0].key == "facts.dedicated_ips_of_mars"


def test_checking_settings_and_what_is_not_there(base, tmp_path):
    (base / "mailrubric.yaml").write_text("deadlin: 5\nca: absent.pem\n")
    assert checked(base / "mailrubric.yaml") == [
        "base/mailrubric.yaml:1:1: deadlin: unknown key; did you mean 'deadline'?"
    ]
    (base / "mailrubric.yaml").write_text("deadline: 5\nca: absent.pem\n")
    assert checked(base) == ["base/mailrubric.yaml:2:5: ca: there is no file 'absent.pem' in this folder"]
    assert checked(tmp_path / "nowhere.yaml") == ["nowhere.yaml: there is no such file or folder"]
    (tmp_path / "bare").mkdir()
    assert checked(tmp_path / "bare") == ["bare: holds no criteria, presets, vendors or mailrubric.yaml"]


# --- saving -----------------------------------------------------------------------------------------------------------


def test_an_uploaded_file_is_saved_under_its_own_name_and_replaces_nothing(tmp_path):
    path = save_criteria(tmp_path, "My_Own.yml", b"group: {}\n")
    assert path == tmp_path / "criteria" / "My_Own.yaml"
    assert path.read_bytes() == b"group: {}\n"
    with pytest.raises(FileExistsError):
        save_criteria(tmp_path, "My_Own.yaml", b"other")
    assert path.read_bytes() == b"group: {}\n"
    assert save_criteria(tmp_path, "C:\\evil\\..\\b.yaml", b"x").name == "b.yaml"
    assert save_criteria(tmp_path, "/etc/c.yaml", b"x") == tmp_path / "criteria" / "c.yaml"
    for name in ("", ".yaml", "..", "a.txt", "a.yaml\n", "a b.yaml", "a\0.yaml", "ü.yaml", "x" * 65 + ".yaml"):
        with pytest.raises(ValueError, match="name"):
            save_criteria(tmp_path, name, b"x")
    with pytest.raises(ValueError, match="1 MiB"):
        save_criteria(tmp_path, "big.yaml", b"x" * (2**20 + 1))
    assert sorted(entry.name for entry in (tmp_path / "criteria").iterdir()) == ["My_Own.yaml", "b.yaml", "c.yaml"]


# --- speed ------------------------------------------------------------------------------------------------------------


def test_a_large_catalogue_loads_in_half_a_second(base):
    """70 vendors of 25 facts beside the criteria: more than is shipped, in a cold process, imports included."""
    fact = (
        "  {name}:\n    value: {value}\n    source: https://www.example.com/docs/{name}\n"
        "    as_of: 2026-08-13\n    grade: official\n"
    )
    names = [f"fact_{index}" for index in range(25)]
    declared = "".join(f"  {name}: {{type: boolean, meaning: Some fact.}}\n" for name in names)
    write(base, criteria__many="group: {id: many, title: Many, weight: 1}\nfacts:\n" + declared)
    for index in range(70):
        facts = "".join(fact.format(name=name, value="true") for name in names)
        write(base, **{f"vendors__v{index}": f"id: v{index}\nname: V\ncategory: esp\nfacts:\n{facts}"})
    code = (
        "import time; began = time.process_time()\n"
        "from pathlib import Path\n"
        "from mailrubric.catalogue.load import load\n"
        "imported = time.process_time()\n"
        f"catalogue = load([Path({str(base)!r})])\n"
        "ended = time.process_time()\n"
        "assert len(catalogue.vendors) == 70\n"
        "print(imported - began, ended - imported)"
    )
    best = [9.0, 9.0]
    for _ in range(3):
        root = Path(__file__).resolve().parents[3]
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=60
        )
        best = [min(pair) for pair in zip(best, map(float, done.stdout.split()), strict=True)]
    assert best[1] < 0.5  # loading, the probes' modules included
    assert sum(best) < 1.0


def test_a_hostile_folder_is_refused_quickly(base):
    """A file with as many faults as fit must not take long to explain."""
    facts = "".join(f"  dedicated_ipx{index}: {{value: 1, source: x, as_of: 2026}}\n" for index in range(2400))
    write(base, vendors__acme=ACME.format(name="A") + "facts:\n" + facts)
    write(base, criteria__base=FACTS.replace("facts:\n", "facts:\n" + "".join(
        f"  dedicated_ip{index}: {{type: boolean, meaning: x}}\n" for index in range(3000))))  # fmt: skip
    began = time.process_time()
    found = said([base])
    assert time.process_time() - began < 3
    assert len(found) == 101


def test_models_say_what_they_are_made_of():
    # The YAML names alone are read from files; the Python names are for code.
    assert Vendor(id="a", name="A", category="esp").endpoints.mx == ()
    assert MXEndpoint(domain="example.com").port == 25
