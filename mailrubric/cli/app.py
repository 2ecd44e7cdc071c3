"""The list of commands. Each command's module is light; what it needs is imported when it runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mailrubric.cli import (
    changes,
    decision,
    export,
    frozen,
    lab,
    mail,
    metrics,
    new,
    people,
    preconditions,
    price,
    probe,
    reviews,
    score,
    send,
    serve,
    support,
    survey,
    trial,
    validate,
)
from mailrubric.cli.terminal import NobodyReads, Stopped


class _Commands(TyperGroup):
    """typer answers these two itself: the one silently, the other with exit code 1, which reads as the answer "no"."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; see ``mailrubric.cli.run``."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Stopped from None
        except BrokenPipeError:
            raise NobodyReads from None


app = typer.Typer(
    name="mailrubric",
    cls=_Commands,
    help="Choose an email platform on evidence: criteria and vendors in YAML, live probes, a scorecard to check.",
    epilog="Exit codes: 0 fine, 1 the answer is no, 2 usage, 3 nothing could be measured, 130 stopped with Ctrl-C.",
    no_args_is_help=True,
    # Plain help and plain tracebacks: rich would cost a third of the start-up time of every command.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from mailrubric import __version__

        print(f"mailrubric {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version.", show_default=False),
    ] = False,
) -> None:
    pass


app.command("validate")(validate.validate)
app.command("probe")(probe.probe)
app.command("preconditions")(preconditions.preconditions)
app.command("score")(score.score)
app.command("explain")(score.explain)
app.command("why")(decision.why)
app.command("sensitivity")(decision.sensitivity)
app.command("people")(people.people)
app.command("price")(price.price)
app.add_typer(reviews.app, name="reviews")
app.add_typer(survey.app, name="survey")
app.add_typer(trial.app, name="trial")
app.add_typer(support.app, name="support")
app.add_typer(mail.app, name="mail")
app.command("changes")(changes.changes)
app.command("send")(send.send)
app.command("export")(export.export)
app.command("freeze")(frozen.freeze)
app.command("diff")(frozen.diff)
app.command("check")(frozen.check)
app.add_typer(new.app, name="new")
app.command("metrics")(metrics.metrics)
app.command("lab")(lab.lab)
app.command("serve")(serve.serve)
