"""``validate --evidence`` over the shipped catalogue: warnings at their places, and still exit code 0."""

from __future__ import annotations


def test_warnings_of_what_does_no_work_here(call):
    plain = call("validate", "--json").json
    found = call("validate", "--evidence", "--json")
    assert found.code == 0
    warnings = found.json["problems"]
    assert len(warnings) > len(plain["problems"])
    alike = [each for each in warnings if "tells none of them apart" in each["message"]]
    assert alike
    assert all(each["severity"] == "warning" and each["line"] > 1 for each in alike)
    assert {each["key"] for each in alike} >= {"webhooks"}
