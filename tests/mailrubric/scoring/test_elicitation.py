"""What a weight is the weight of, and a judgement as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailrubric.catalogue.catalogue import Catalogue
from mailrubric.catalogue.load import read_judgement
from mailrubric.catalogue.models import (
    CurveFunction,
    MapFunction,
    NoneFunction,
    PointsFunction,
    ShareFunction,
    YesNoFunction,
)
from mailrubric.scoring.elicitation import METHODS, blank, judgement_text, save_judgement, swings
from mailrubric.scoring.evaluate import effective_weights
from mailrubric.scoring.people import judged, method_of
from mailrubric.scoring.words import end_points
from mailrubric.workspace import Workspace


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Workspace.open().catalogue()


def test_both_ends_of_each_kind_of_value_function() -> None:
    points = PointsFunction(points=((0, 0), (7, 40), (30, 100)))
    assert end_points(points, "d") == ("0 d", "30 d")
    falling = PointsFunction(points=((5, 100), (60, 0)))
    assert end_points(falling, "USD") == ("60 USD", "5 USD")
    assert end_points(MapFunction(map={"none": 0, "some": 50, "all": 100})) == ("none", "all")
    assert end_points(YesNoFunction(yes=100, no=0)) == ("no", "yes")
    assert end_points(YesNoFunction(yes=0, no=100)) == ("yes", "no")
    assert end_points(ShareFunction(share_of=("a", "b", "c"))) == ("none of 3", "all 3")
    assert end_points(NoneFunction(none_of=("a", "b", "c"))) == ("any of 3", "none of 3")
    quick = CurveFunction.model_validate({"curve": {"worth_90": 10, "worth_50": 60}})
    worst, best = end_points(quick, "min")
    assert best == "10 min"
    assert worst.endswith(" min")
    assert float(worst.split()[0]) > 60


def test_the_swings_of_every_group_are_whole(catalogue: Catalogue) -> None:
    for group in catalogue.groups:
        found = swings(catalogue, group.id)
        assert sum(each.share for each in found) == pytest.approx(100)
        assert [each.share for each in found] == sorted((each.share for each in found), reverse=True)
        assert all(each.worst != each.best for each in found)


@pytest.mark.parametrize("method", METHODS)
def test_a_blank_judgement_is_a_file_that_says_the_same(method: str, catalogue: Catalogue, tmp_path: Path) -> None:
    judgement = blank(catalogue, method)
    path = save_judgement(tmp_path, "ana", catalogue, judgement)
    read = read_judgement(path, catalogue)
    assert judged(read, catalogue) == judged(judgement, catalogue)
    assert method_of(read) == method
    groups, _ = effective_weights(catalogue, None, judged(read, catalogue))
    order = sorted(catalogue.groups, key=lambda group: (-group.weight, group.id))
    assert groups[order[0].id] == max(groups.values())
    assert "→" in judgement_text(catalogue, judgement)
    with pytest.raises(FileExistsError):
        save_judgement(tmp_path, "ana", catalogue, judgement)


@pytest.mark.parametrize("name", ["", "../ana", "Ana", "a b", "x" * 65])
def test_a_name_that_is_no_file_of_ours_is_refused(name: str, catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="an id is made of"):
        save_judgement(tmp_path, name, catalogue, blank(catalogue, "swing"))
    assert not list(tmp_path.iterdir())
