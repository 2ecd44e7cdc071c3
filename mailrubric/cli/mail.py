"""``mailrubric mail``: what real messages show of the platform that sent them."""

from __future__ import annotations

from mailrubric.cli import mail_analyse, mail_cadence, options

app = options.group("Analyse real messages: one by one, and over weeks.")


@app.callback()
def _mail() -> None:
    # A callback keeps the name of a command in the call even if the group had one command only.
    pass


app.command("analyse")(mail_analyse.analyse)
app.command("cadence")(mail_cadence.cadence)
