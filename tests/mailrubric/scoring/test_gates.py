from __future__ import annotations

from typing import Any

import pytest

from mailrubric.catalogue.models import Must
from mailrubric.evidence.observation import ObservedValue
from mailrubric.scoring.gates import judge, meets


def must(**condition: Any) -> Must:
    return Must.model_validate({**condition, "else": "it is not good enough"})


@pytest.mark.parametrize(
    ("condition", "value", "wanted"),
    [
        ({"above": 0}, 0, False),
        ({"above": 0}, 0.1, True),
        ({"at_least": 5}, 5, True),
        ({"below": 5}, 5, False),
        ({"at_most": 5}, 5, True),
        ({"at_most": 5}, "few", None),
        ({"above": 0}, True, None),
        ({"equals": True}, True, True),
        ({"equals": True}, False, False),
        ({"equals": True}, 1, None),
        ({"equals": "reject"}, "Reject", True),
        ({"equals": "reject"}, "none", False),
        ({"one_of": ["TLSv1.2", "TLSv1.3"]}, "tlsv1.3", True),
        ({"one_of": ["TLSv1.2", "TLSv1.3"]}, "TLSv1.0", False),
        ({"one_of": ["a"]}, ("a",), None),
        ({"includes": ["eu"]}, ("us", "EU"), True),
        ({"includes": ["eu", "us"]}, ("eu",), False),
        ({"includes": ["eu"]}, (), False),
        ({"includes": ["eu"]}, "eu", True),
        ({"includes": ["eu"]}, 3, None),
    ],
)
def test_conditions(condition: dict[str, Any], value: ObservedValue, wanted: bool | None) -> None:
    assert meets(must(**condition), value) is wanted


def test_unknown_is_provisional_and_says_why() -> None:
    status, reason = judge(must(above=0), None, (), "worst", "d", "not probed yet")
    assert status == "provisional"
    assert reason == "not known (above 0 d is asked): not probed yet"


def test_with_worst_one_endpoint_can_fail_the_gate_and_with_best_one_can_save_it() -> None:
    assert judge(must(above=0), 3, (3, -1), "worst", "d", "")[0] == "fail"
    assert judge(must(above=0), -1, (3, -1), "best", "d", "")[0] == "pass"
    assert judge(must(above=0), -1, (-3, -1), "best", "d", "")[0] == "fail"
    assert judge(must(above=0), 1, (3, -1), "mean", "d", "")[0] == "pass"


def test_a_failure_says_what_was_found_and_what_was_asked() -> None:
    _, reason = judge(must(above=0), -3, (-3,), "worst", "d", "")
    assert reason == "it is not good enough (-3 d; above 0 d is asked)"


def test_sources_that_disagree_leave_a_gate_provisional() -> None:
    assert judge(must(equals=True), True, (True, False), "any source", "", "")[0] == "provisional"
    assert judge(must(equals=True), False, (False, False), "any source", "", "")[0] == "fail"


def test_a_value_that_the_condition_cannot_take_is_provisional() -> None:
    assert judge(must(above=0), "soon", ("soon",), "worst", "d", "")[0] == "provisional"
