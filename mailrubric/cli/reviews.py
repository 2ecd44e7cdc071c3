"""``mailrubric reviews``: what people say about vendors. Each command's module is light and stands on its own."""

from __future__ import annotations

import typer

from mailrubric.cli import reviews_classify, reviews_collect, reviews_import, reviews_summary

app = typer.Typer(
    help="Import, collect, classify and sum up what people write about vendors.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _reviews() -> None:
    # A callback keeps the name of a command in the call even while the group has one command only.
    pass


app.command("classify")(reviews_classify.classify)
app.command("collect")(reviews_collect.collect)
app.command("import")(reviews_import.import_reviews)
app.command("summary")(reviews_summary.summary)
