"""The table of changes on the Vendor page, drawn by Streamlit itself."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.mailrubric.cli.test_changes import HOSTILE, RUNS, SMTP, two_runs


def _table(url: str, number: int) -> None:
    from types import SimpleNamespace
    from typing import cast

    from mailrubric.dashboard import vendor
    from mailrubric.dashboard.state import View
    from mailrubric.evidence.store import Store

    with Store(url) as store:
        reports = store.reports("acme-mail")
        of_server = [each for each in reports if each.role == "submission"]
        shown = (of_server + [each for each in reports if each.role == "web"])[number]
        vendor._changes(cast(View, SimpleNamespace(store=store)), reports, shown.id)


def drawn(folder: Path, number: int) -> AppTest:
    workspace = two_runs(folder / "workspace")
    app = AppTest.from_function(
        _table, kwargs={"url": f"sqlite:///{workspace / 'mailrubric.sqlite'}", "number": number}
    )
    app.run(timeout=30)
    assert not app.exception
    return app


def test_the_newest_report_shows_what_changed(tmp_path: Path) -> None:
    app = drawn(tmp_path, 0)
    (table,) = app.dataframe
    rows = {row["Metric"]: (row["Was"], row["Is"]) for row in table.value.to_dict("records")}
    assert rows["tls.versions"] == ("TLSv1.0, TLSv1.2", "with TLSv1.3, without TLSv1.0")
    assert rows["tls.group"][0] == "x25519"
    assert rows["tls.group"][1].startswith("unknown")
    assert "\x1b" not in rows["smtp.greeting_name"][0], HOSTILE
    assert RUNS[1] in app.caption[0].value.replace("\\", "")


def test_a_report_without_another_shows_nothing(tmp_path: Path) -> None:
    assert SMTP.role == "submission"
    app = drawn(tmp_path, 3)
    assert not app.dataframe
    assert not app.caption
