"""Finding messages: mbox variants, Maildir, files and folders, each beside what Python's own ``mailbox`` finds."""

from __future__ import annotations

import mailbox
import os
import random
from pathlib import Path

import pytest

from mailrubric.mail import fields, reading
from mailrubric.mail.reading import Place, Raw, Skipped

ONE = b"Subject: one\nFrom: a@b.example\n\nHello\n"
TWO = b"Subject: two\nFrom: a@b.example\n\n>From the start\n>>From quoted twice\n"
LINE = b"From sender@b.example Mon Nov 23 05:00:00 2026\n"


def found(path: Path) -> list[Place]:
    each = list(reading.places(path))
    assert not [skipped for skipped in each if isinstance(skipped, Skipped)]
    return [place for place in each if isinstance(place, Place)]


def raws(path: Path) -> list[Raw]:
    return [raw for _, raw in reading.load(found(path)) if isinstance(raw, Raw)]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n", b"\n\n"])
def test_an_mbox(tmp_path: Path, ending: bytes, last: bytes) -> None:
    box = tmp_path / "a.mbox"
    text = LINE + ONE + b"\n" + LINE + TWO.rstrip(b"\n") + last
    box.write_bytes(text.replace(b"\n", ending))
    one, two = raws(box)
    assert one.data == ONE.replace(b"\n", ending)
    assert two.data.rstrip() == TWO.replace(b"\n", ending).rstrip()
    assert [place.name for place in found(box)] == ["a.mbox 1", "a.mbox 2"]
    assert one.mbox


def test_the_ways_of_undoing_the_quoting(tmp_path: Path) -> None:
    box = tmp_path / "a.mbox"
    box.write_bytes(LINE + TWO)
    (raw,) = raws(box)
    start = fields.split(raw.data)[1]
    assert raw.bodies(start) == (
        b"From the start\n>From quoted twice\n",  # mboxrd
        b"From the start\n>>From quoted twice\n",  # mboxo
        b">From the start\n>>From quoted twice\n",  # as it stands
    )
    assert Raw(TWO, len(TWO)).bodies(start) == (TWO[start:],)  # not in an mbox, nobody quotes


def test_lines_that_only_look_like_a_beginning(tmp_path: Path) -> None:
    box = tmp_path / "a.mbox"
    body = b"Hello\nFrom here on it is text\n\nFrom now on, too, and no field follows.\n\nFrom:\n"
    box.write_bytes(LINE + b"Subject: one\n\n" + body + b"\n" + LINE + ONE)
    one, two = raws(box)
    assert one.data.endswith(body)
    assert two.data == ONE


def test_beginnings_of_other_programs(tmp_path: Path) -> None:
    box = tmp_path / "a.mbox"
    lines = [
        b"From - Mon Nov 23 05:00:00 2026\r\n",
        b"From 1743344@xxx Mon Nov 23 05:00:00 +0000 2026\n",
        b"From user at b.example  Mon Nov  2 05:00:00 2026\n",
        b"From MAILER-DAEMON\n",  # without a date, but after an empty line and before a field
    ]
    box.write_bytes(b"".join(line + ONE + b"\n" for line in lines))
    assert [raw.data for raw in raws(box)] == [ONE] * 4


def test_a_large_mbox_is_cut_like_pythons(tmp_path: Path) -> None:
    chosen = random.Random(3)
    box = tmp_path / "a.mbox"
    sizes = [chosen.choice([0, 1, 50, 5000, 40_000, 2**20 - 600, 2**20]) for _ in range(40)]
    bodies = [bytes(chosen.choices(b"abc \n", k=size)) for size in sizes]
    box.write_bytes(b"".join(LINE + b"X: 1\n\n" + body + b"\n\n" for body in bodies))
    theirs = [message.as_bytes() for message in mailbox.mbox(box)]
    ours = [raw.data for raw in raws(box)]
    assert len(ours) == len(theirs) == len(bodies)
    assert [each.rstrip(b"\n") for each in ours] == [each.rstrip(b"\n") for each in theirs]


def test_a_maildir(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box")
    for flags, part in (("S", "cur"), ("RS", "cur"), ("", "cur"), ("", "new")):
        message = mailbox.MaildirMessage(ONE)
        message.set_subdir(part)
        message.set_flags(flags)
        box.add(message)
    (tmp_path / "box" / "cur" / ".hidden").write_bytes(ONE)
    (tmp_path / "box" / "tmp" / "unfinished").write_bytes(ONE)
    places = found(tmp_path / "box")
    assert sorted(place.seen is True for place in places) == [False, False, True, True]
    assert all(place.arrived is not None for place in places)
    assert [raw.data for raw in raws(tmp_path / "box")] == [ONE] * 4
    assert [place.name for place in places] == sorted(place.name for place in places)


def test_folders_of_everything(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "1.eml").write_bytes(ONE)
    (tmp_path / "b" / "2.EML").write_bytes(ONE)
    (tmp_path / "notes.txt").write_bytes(ONE)
    (tmp_path / "z.mbox").write_bytes(LINE + ONE + b"\n" + LINE + ONE)
    (tmp_path / "empty.mbox").write_bytes(b"")
    mailbox.Maildir(tmp_path / "m").add(ONE)
    names = [place.name for place in found(tmp_path)]
    assert [name for name in names if not name.startswith("m/")] == ["b/2.EML", "b/c/1.eml", "z.mbox 1", "z.mbox 2"]
    assert len(names) == 5


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(reading.places(tmp_path / "nothing"))
    os.mkfifo(tmp_path / "pipe.eml")
    with pytest.raises(OSError, match="neither"):
        list(reading.places(tmp_path / "pipe.eml"))
    (tmp_path / "loop").symlink_to(tmp_path)
    (skipped,) = reading.places(tmp_path)  # not opened: we would wait for somebody to write
    assert isinstance(skipped, Skipped)
    assert skipped.reason == "a file that can't be read: no regular file"


def test_a_file_that_goes_away(tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(ONE)
    (tmp_path / "2.eml").write_bytes(TWO)
    places = found(tmp_path)
    (tmp_path / "1.eml").unlink()
    first, second = (outcome for _, outcome in reading.load(places))
    assert isinstance(first, Skipped)
    assert isinstance(second, Raw)


def test_a_message_beyond_the_cap_is_read_in_part(tmp_path: Path) -> None:
    path = tmp_path / "1.eml"
    with path.open("wb") as file:
        file.write(ONE)
        file.truncate(reading.MESSAGE_BYTES * 5)
    (raw,) = raws(path)
    assert raw.cut
    assert raw.size == reading.MESSAGE_BYTES * 5
    assert len(raw.data) < 2 * fields.HEADER_BYTES


def test_names_of_files_are_shown_harmlessly(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m\n.eml").write_bytes(ONE)
    (place,) = found(tmp_path)
    assert "\x1b" not in place.name
    assert "\n" not in place.name
    assert raws(tmp_path)[0].data == ONE


def test_messages_as_apple_mail_keeps_them(tmp_path: Path) -> None:
    message = b"From: a@b.example\nSubject: x\n\nIt works.\n"
    about = b'<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0"><dict></dict></plist>\n'
    tmp_path.joinpath("1.emlx").write_bytes(b"%d  \n" % len(message) + message + about)
    tmp_path.joinpath("2.emlx").write_bytes(b"99999\n" + message)  # it says more than there is
    tmp_path.joinpath("3.emlx").write_bytes(message)
    tmp_path.joinpath("4.partial.emlx").write_bytes(b"%d\n" % len(message) + message + about)
    found = list(reading.places(tmp_path))
    loaded = [raw for _, raw in reading.load([each for each in found if isinstance(each, reading.Place)])]
    assert loaded == [reading.Raw(message, len(message))] * 3
    assert found[3] == reading.Skipped("4.partial.emlx", "a message of which Apple Mail keeps parts elsewhere")
