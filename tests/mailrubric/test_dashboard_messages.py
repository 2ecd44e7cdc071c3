"""The Messages page over mailboxes in the workspace: what it says, what it stores, and that hostile mail stays text."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mailrubric.dashboard.messages import _mailboxes
from mailrubric.evidence.store import Store
from mailrubric.workspace import Workspace
from tests.mailrubric.cli.test_mail_cadence import ZONES, write

pytestmark = pytest.mark.slow

SCRIPT = "from mailrubric.dashboard import messages\nmessages.page()"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAILRUBRIC_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("MAILRUBRIC_STORE", raising=False)
    (tmp_path / "mail").mkdir()
    return tmp_path


def opened(name: str, **keys: object) -> AppTest:
    app = AppTest.from_string(SCRIPT)
    app.session_state["mailbox"] = name
    for key, value in keys.items():
        app.session_state[key] = value
    app.run(timeout=120)
    assert not app.exception
    return app


def text(app: AppTest) -> str:
    """What a reader sees: what guards against Markdown is taken away."""
    parts = [each.value for kind in ("markdown", "caption", "info", "warning", "error") for each in app.get(kind)]
    return "\n".join(map(str, parts)).replace("\\", "")


def metrics(app: AppTest) -> dict[str, tuple[str, str]]:
    return {each.label: (each.value, each.delta) for each in app.metric}


def test_without_mail_it_says_what_to_do(workspace: Path) -> None:
    app = AppTest.from_string(SCRIPT).run(timeout=120)
    assert not app.exception
    assert "Choose mail that a platform has sent" in text(app)
    assert not app.metric


def test_a_mailbox_of_the_workspace(workspace: Path) -> None:
    write(workspace / "mail" / "shop.mbox")
    app = opened("shop.mbox", cadence_zone="America/New_York")
    said = text(app)
    assert "156 messages**, 2026-03-02 to 2026-08-27 from shop.example (156)." in said
    assert "**156 messages** of 52 campaigns to 3 recipients." in said
    found = metrics(app)
    assert found["Messages a week"] == ("2.0", "2.0 to 2.0")
    assert found["Weeks over the tolerance"][0] == "0 %"
    assert found["In waking hours"][0] == "0 %"
    assert found["Never opened"][0] == "50 %"
    assert "- Send when people are awake: only 0 %" in said
    assert "most come on Mon from 4 o'clock; 0 % come while people are awake" in said
    # Every chart is followed by a sentence that says what it shows.
    assert len(app.get("plotly_chart")) == 3


def test_an_upload_with_its_recipients(workspace: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "shop.mbox", local=True)
    app = AppTest.from_string(SCRIPT).run(timeout=120)
    app.file_uploader[0].set_value(("../../x.eml", path.read_bytes(), "application/mbox"))
    app.run(timeout=120)
    lines = "".join(f"{name}@reader.example,{place}\n" for name, place in ZONES.items())
    app.file_uploader[1].set_value(("r.csv", f"address,zone\n{lines}".encode(), "text/csv"))
    app.run(timeout=120)
    assert not app.exception
    assert metrics(app)["In waking hours"][0] == "100 %"
    app.file_uploader[1].set_value(("r.csv", b"address,zone\nann,Mars\n", "text/csv"))
    app.run(timeout=120)
    assert "line 2: address: expected a mail address" in app.error[0].value.replace("\\", "")
    app.file_uploader[0].set_value(("x.mbox", b"\x00\xff\x00" * 1000, "application/mbox"))
    app.run(timeout=120)
    assert not app.exception
    assert "**0 messages**" in text(app)


def test_without_a_zone_the_hours_are_unknown(workspace: Path) -> None:
    write(workspace / "mail" / "shop.mbox")
    app = opened("shop.mbox")
    assert metrics(app)["In waking hours"] == ("unknown", "zone unknown")
    assert "Nobody said in which time zone the recipients live." in text(app)
    assert len(app.get("plotly_chart")) == 2


def test_what_it_stores_is_what_the_command_stores(workspace: Path, tmp_path: Path) -> None:
    write(workspace / "mail" / "shop.mbox")
    app = opened("shop.mbox", cadence_zone="Europe/Berlin", cadence_tried=["sending by local time"])
    chooser = next(each for each in app.selectbox if each.label == "Whose platform sent it?")
    chooser.select("postmark").run(timeout=60)
    next(each for each in app.button if each.label == "Store the figures").click().run(timeout=60)
    assert not app.exception
    assert "figures stored for Postmark" in app.success[0].value
    with Store(Workspace.open(workspace).store_url()) as store:
        kept = {each.metric: each for each in store.observations() if each.vendor == "postmark"}
    assert (kept["trial.one_click_share"].value, kept["trial.one_click_share"].cause) == (None, "kind_unknown")
    assert (kept["trial.bulk_share"].value, kept["trial.bulk_share"].n) == (100, 156)
    assert kept["trial.local_time_sending"].cause == "too_few"  # all recipients in one zone show nothing of it
    assert "trial.unsubscribe_obeyed" not in kept  # nobody said when anybody unsubscribed
    assert {each.kind for each in kept.values()} == {"tested"}
    # Habits of one customer say nothing about the platform.
    assert (kept["trial.waking_hours_share"].value, kept["trial.waking_hours_share"].cause) == (None, "too_few")


def test_a_reader_who_knows_that_all_is_bulk_mail_says_so(workspace: Path) -> None:
    write(workspace / "mail" / "shop.mbox")
    app = opened("shop.mbox")
    assert "say so (--bulk, or the switch on the page Messages)" in text(app).replace("\\", "")
    switch = next(each for each in app.toggle if each.label == "All of this is bulk mail")
    switch.set_value(True).run(timeout=120)
    assert not app.exception
    assert "or the switch on the page Messages" not in text(app)
    chooser = next(each for each in app.selectbox if each.label == "Whose platform sent it?")
    chooser.select("postmark").run(timeout=60)
    next(each for each in app.button if each.label == "Store the figures").click().run(timeout=60)
    with Store(Workspace.open(workspace).store_url()) as store:
        kept = {each.metric: each for each in store.observations() if each.vendor == "postmark"}
    found = kept["trial.one_click_share"]
    assert (found.value, found.n, found.detail) == (0, 156, "all messages are bulk mail, as its reader says")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"cadence_signed_up": "soon"}, "expected a time such as 2026-11-22T10:00:00Z, got 'soon'"),
        ({"cadence_left": "<script>alert(1)</script>"}, "expected a time such as"),
    ],
)
def test_what_cannot_be_read_is_said(workspace: Path, keys: dict[str, object], said: str) -> None:
    write(workspace / "mail" / "shop.mbox")
    app = opened("shop.mbox", **keys)
    assert said in app.error[0].value.replace("\\", "")
    assert not app.metric


def test_hostile_mail_stays_text(workspace: Path) -> None:
    evil = (
        b"From: <x@evil.example>\r\nSubject: <img src=x onerror=alert(1)> **bold** $x^2$ \x1b[31m\r\n"
        b"Precedence: bulk\r\n"
        b"Date: Mon, %d Mar 2026 10:00:00 +0100\r\nX-Mailer: [click](javascript:alert(1))\r\n"
        b"Delivered-To: <script>@x\r\n\r\n<script>alert(1)</script>\r\n"
    )
    folder = workspace / "mail" / "evil"
    folder.mkdir()
    for day in range(1, 29):
        (folder / f"{day}.eml").write_bytes(evil % day)
    (folder / "[x](javascript:alert).eml").write_bytes(b"\x00\xff" * 5000)
    (folder / "empty.eml").write_bytes(b"")
    app = opened("evil")
    shown = "\n".join(str(each.value) for kind in ("markdown", "caption", "warning") for each in app.get(kind))
    assert "28 messages" in shown
    assert "<script" not in shown
    assert "<img" not in shown
    assert "](javascript" not in shown
    assert "not read" in shown


def test_no_mailbox_outside_the_folder(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = write(tmp_path_factory.mktemp("elsewhere") / "secret.mbox")
    (workspace / "mail" / "link.mbox").symlink_to(outside)
    (workspace / "mail" / "notes.txt").write_text("no mail", encoding="utf-8")
    (workspace / "mail" / "a.mbox").write_bytes(b"")
    assert _mailboxes(workspace) == ["a.mbox"]
    for name in ("link.mbox", "../../secret.mbox", "/etc/passwd"):
        app = AppTest.from_string(SCRIPT)
        app.session_state["mailbox"] = name
        app.run(timeout=120)
        assert "messages**" not in text(app)
