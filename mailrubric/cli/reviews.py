"""``mailrubric reviews``: what people say about vendors. Each command's module is light and stands on its own."""

from __future__ import annotations

from mailrubric.cli import options, reviews_classify, reviews_collect, reviews_import, reviews_summary

app = options.group("Import, collect, classify and sum up what people write about vendors.")


@app.callback()
def _reviews() -> None:
    # A callback keeps the name of a command in the call even while the group has one command only.
    pass


app.command("classify")(reviews_classify.classify)
app.command("collect")(reviews_collect.collect)
app.command("import")(reviews_import.import_reviews)
app.command("summary")(reviews_summary.summary)
