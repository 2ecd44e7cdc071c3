"""Gates: conditions on a criterion's value (never on its score) that a vendor must meet to be ranked."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from mailrubric.catalogue.models import Must
from mailrubric.display import value_words
from mailrubric.evidence.observation import ObservedValue
from mailrubric.scoring.evaluation import GateStatus
from mailrubric.scoring.value_functions import level_text, number
from mailrubric.scoring.words import condition


def meets(must: Must, value: ObservedValue) -> bool | None:
    """Whether a value meets the condition; None when the condition can't be asked of such a value (text for a number).

    Texts and set members compare without regard to case.
    """
    answers: list[bool | None] = []
    amount = number(value)
    comparable = amount == amount
    for limit, passes in (
        (must.above, operator.gt),
        (must.at_least, operator.ge),
        (must.below, operator.lt),
        (must.at_most, operator.le),
    ):
        if limit is not None:
            answers.append(bool(passes(amount, limit)) if comparable else None)
    if must.equals is not None:
        answers.append(_equal(must.equals, value))
    if must.one_of is not None:
        text = level_text(value)
        allowed = {member.casefold() for member in must.one_of}
        answers.append(None if text is None else text.casefold() in allowed)
    if must.includes is not None:
        needed = {member.casefold() for member in must.includes}
        members = {value} if isinstance(value, str) else set(value) if isinstance(value, tuple) else None
        answers.append(None if members is None else needed <= {str(member).casefold() for member in members})
    if not answers or None in answers:
        return None
    return all(answers)


def _equal(wanted: bool | str, value: ObservedValue) -> bool | None:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value if isinstance(wanted, bool) and isinstance(value, bool) else None
    text = level_text(value)
    return None if text is None else text.casefold() == wanted.casefold()


def judge(
    must: Must, value: ObservedValue | None, parts: Sequence[ObservedValue], combine: str, unit: str, unknown: str
) -> tuple[GateStatus, str]:
    """Status of one gate and the reason in words.

    ``value``: the combined value, None when unknown, with ``unknown`` saying why. ``parts``: the values behind it (of
    several endpoints, or of sources that disagree): with ``worst`` all must meet the condition, with ``best`` one is
    enough, with ``mean`` and ``median`` the combined value decides, and with ``any source`` (claims that sources
    dispute) a disagreement leaves the gate provisional.
    """
    if value is None:
        return "provisional", f"not known ({condition(must, unit)} is asked): {unknown}"
    judged = list(parts) if parts and combine in ("worst", "best", "any source") else [value]
    answers = [meets(must, each) for each in judged]
    if None in answers:
        return "provisional", f"{value_words(value, unit)} can't be compared with {condition(must, unit)}"
    if combine == "best":
        passed = any(answers)
    else:
        passed = all(answers)
    if passed:
        return "pass", f"{value_words(value, unit)} ({condition(must, unit)} is asked)"
    failing = next(each for each, answer in zip(judged, answers, strict=True) if not answer)
    if combine == "any source" and any(answers):
        return "provisional", f"sources disagree: one says {value_words(failing, unit)}"
    return "fail", f"{must.otherwise} ({value_words(failing, unit)}; {condition(must, unit)} is asked)"
