"""``mailrubric survey``: answers of one's own testers (SUS) and of references, and what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mailrubric.cli import options
from mailrubric.cli.terminal import Usage, interactive, print_json, print_title, say

if TYPE_CHECKING:
    from mailrubric.trials.surveys import Answer

app = options.group("Answers of your own testers (System Usability Scale) and of references, in trials/surveys.csv.")


@app.command()
def add(
    vendor: options.Vendor,
    survey: Annotated[
        str, typer.Argument(metavar="SURVEY", help="sus (ten statements) or reference (one question).")
    ] = "sus",
    answers: Annotated[
        str | None,
        typer.Option(
            "--answers",
            metavar="LIST",
            help="Of sus: ten answers from 1 (strongly disagree) to 5 (strongly agree): 4,2,5,1,4,2,5,1,4,2. "
            "Without it they are asked for one by one.",
            show_default=False,
        ),
    ] = None,
    score: Annotated[
        int | None,
        typer.Option(
            "--score",
            metavar="N",
            min=0,
            max=10,
            help="Of a reference: how likely it is to choose the platform again, 0 to 10.",
            show_default=False,
        ),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="Day of the answer. Default: today.", show_default=False),
    ] = None,
    comment: Annotated[str, typer.Option("--comment", help="A remark, without names.", show_default=False)] = "",
    workspace: options.Workspace = None,
    json: options.Json = False,
) -> None:
    """Write one answer more into trials/surveys.csv."""
    from mailrubric.cli.by_hand import now, opened, writing
    from mailrubric.display import one_line, tenths
    from mailrubric.trials import surveys

    place = opened(workspace, (vendor,))
    answer = _answer(vendor, survey, answers, score, date or now().date().isoformat(), one_line(comment))
    with writing():
        path = surveys.add(place.folder, answer)
    value = surveys.sus_score([item or 0 for item in answer.items]) if survey == "sus" else float(answer.score or 0)
    if json:
        print_json(
            {
                "vendor": vendor,
                "survey": survey,
                "date": answer.date,
                "score": value,
                "straight": answer.straight,
                "path": place.shown(path),
            }
        )
        return
    say(f"{place.shown(path)}: {tenths(value)} of {100 if survey == 'sus' else 10}")
    if answer.straight:
        say("All ten answers are the same, though every second statement says the contrary: was that meant?")


def _answer(vendor: str, survey: str, answers: str | None, score: int | None, date: str, comment: str) -> Answer:
    from mailrubric.trials.surveys import SURVEYS, Answer

    if survey not in SURVEYS:
        raise Usage(f"no such survey: {survey}; there are {' and '.join(SURVEYS)}")
    if survey == "reference":
        if score is None or answers is not None:
            raise Usage("a reference answers with --score N, from 0 to 10")
        return Answer(vendor, survey, date, (), score, comment)
    if score is not None:
        raise Usage("--score is for references; of sus it is computed from the ten answers")
    return Answer(vendor, survey, date, _items(answers), None, comment)


def _items(answers: str | None) -> tuple[int, ...]:
    import sys

    from mailrubric.trials.surveys import ITEMS

    if answers is None:
        if not interactive(sys.stdin):
            raise Usage("--answers is missing: ten answers from 1 to 5, such as 4,2,5,1,4,2,5,1,4,2")
        typer.echo("From 1 (strongly disagree) to 5 (strongly agree):", err=True)
        return tuple(_asked(number, text) for number, text in enumerate(ITEMS, 1))
    words = [word.strip() for word in answers.split(",")]
    if len(words) != 10 or any(word not in ("1", "2", "3", "4", "5") for word in words):
        raise Usage(f"--answers: expected ten figures from 1 to 5 with commas between them, got {answers}")
    return tuple(int(word) for word in words)


def _asked(number: int, statement: str) -> int:
    while True:
        word = str(typer.prompt(f"{number:2}. {statement}", err=True)).strip()
        if word in ("1", "2", "3", "4", "5"):
            return int(word)
        typer.echo("    A figure from 1 to 5, please.", err=True)


@app.command()
def summary(vendors: options.Vendors = None, workspace: options.Workspace = None, json: options.Json = False) -> None:
    """What the answers come to, with intervals. Exit code 3 when there is none."""
    from mailrubric.cli.by_hand import chosen, estimate_json, opened
    from mailrubric.trials.surveys import summarise

    place = opened(workspace, vendors or ())
    sus, references = summarise(place.trials.answers)
    names = chosen(vendors, sorted({*sus, *references}))
    if json:
        print_json(
            {
                "vendors": [
                    {
                        "id": name,
                        "sus": None
                        if name not in sus
                        else {
                            "score": estimate_json(sus[name].score),
                            "grade": sus[name].grade or None,
                            "percentile": list(sus[name].percentile or ()) or None,
                            "answers": sus[name].answers,
                            "incomplete": sus[name].incomplete,
                            "straight": sus[name].straight,
                            "newest": sus[name].newest,
                            "sentence": sus[name].sentence,
                        },
                        "reference": None
                        if name not in references
                        else {
                            "score": estimate_json(references[name].score),
                            "nps": estimate_json(references[name].nps),
                            "promoters": references[name].promoters,
                            "passives": references[name].passives,
                            "detractors": references[name].detractors,
                            "answers": references[name].answers,
                            "incomplete": references[name].incomplete,
                            "newest": references[name].newest,
                            "sentence": references[name].sentence,
                        },
                    }
                    for name in names
                ]
            }
        )
    for name in () if json else names:
        print_title(name)
        if name in sus:
            say(f"  System Usability Scale: {sus[name].sentence}")
        if name in references:
            say(f"  References: {references[name].sentence}")
    if not names:
        if not json:
            say("No answers yet: mailrubric survey add VENDOR records one.")
        raise typer.Exit(3)
