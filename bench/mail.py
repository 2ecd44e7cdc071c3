"""Real messages: an mbox of 100,000 and a Maildir of 10,000, analysed and merely parsed.

python -m bench mail

Keys come from a name server on loopback, as they would from DNS. What is compared: Python's own ``mailbox`` and
``email`` (every message parsed; and, in a second row, every text part decoded as well), and on a part of the messages
the same with dkimpy as it comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from bench import measuring
from bench.mailboxes import Mail, write_maildir, write_mbox
from bench.measuring import progress, ratio
from bench.tables import Table
from mailrubric.lab.nameserver import UDPNameserver, Zone

MESSAGES = 100_000
DISTINCT = 3000
PART = 10_000
"""For what is compared one message at a time: one process, and dkimpy."""
_TIMEOUT = 7200.0

_PARSE = """
import mailbox, sys
box = mailbox.Maildir(sys.argv[1]) if sys.argv[2] == "maildir" else mailbox.mbox(sys.argv[1])
print(sum(1 for message in box if message["From"]))
"""
_DECODE = """
import mailbox, sys
box = mailbox.Maildir(sys.argv[1]) if sys.argv[2] == "maildir" else mailbox.mbox(sys.argv[1])
count = 0
for message in box:
    for part in message.walk():
        if part.get_content_maintype() == "text":
            part.get_payload(decode=True).decode(part.get_content_charset() or "utf-8", "replace")
    count += 1
print(count)
"""
_DKIM = """
import json, mailbox, sys, dkim
keys = {name.encode() + b".": text.encode() for name, text in json.load(open(sys.argv[3])).items()}
count = good = 0
for name in (box := mailbox.Maildir(sys.argv[1])).keys():
    raw = box.get_bytes(name)
    message = box.get_message(name)
    for number in range(len(message.get_all("DKIM-Signature", []))):
        good += dkim.DKIM(raw).verify(number, dnsfunc=lambda wanted, timeout: keys.get(wanted))
    count += 1
assert good
print(count)
"""


@contextlib.contextmanager
def nameserver(keys: dict[str, str]) -> Iterator[int]:
    """A name server with these keys on a UDP port of 127.0.0.1, in a thread of its own."""
    records = [
        (f"{name}.", "TXT", " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)))
        for name, text in keys.items()
    ]
    loop = asyncio.new_event_loop()
    transport, _ = loop.run_until_complete(
        loop.create_datagram_endpoint(lambda: UDPNameserver(Zone(records)), local_addr=("127.0.0.1", 0))
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        transport.close()
        loop.close()


def table(messages: int = MESSAGES) -> Table:
    """The section of the document."""
    part = min(PART, messages)
    with tempfile.TemporaryDirectory(prefix="mailrubric-bench-mail-") as name:
        folder = Path(name)
        progress(f"making {messages:,} messages")
        mail = Mail(min(DISTINCT, messages))
        (folder / "keys.json").write_text(json.dumps(mail.keys))
        size = write_mbox(folder / "all.mbox", mail.copies(messages))
        write_maildir(folder / "part", mail.copies(part))
        found = Table(
            ("what", "wall", "CPU", "messages/s", "peak memory", "rate ÷ parsing"),
            f"{messages:,} messages of {size / messages / 1000:.0f} kB on average, {size / 1e9:.2f} GB: 60 % "
            "newsletters and 25 % receipts with two DKIM signatures each (RSA 2048), 15 % personal mail with an "
            f"attachment. {len(mail.keys)} keys, fetched over DNS. One run of each, right after each other. Rates are "
            "in messages a second of wall clock; peak memory is of the largest process. Parsing is Python's `mailbox` "
            "and `email`, which look at nothing; its row has the rate that the others are divided by.",
        )
        with nameserver(mail.keys) as port:
            path = folder / "all.mbox"
            parsing = _row(found, "mbox: parsed by `mailbox`", _peer(_PARSE, path, "mbox"), messages, None)
            _row(found, "mbox: parsed and text decoded", _peer(_DECODE, path, "mbox"), messages, parsing)
            _row(found, "mbox: analysed, one process for each core", _ours(path, port, 0), messages, parsing)
            path = folder / "part"
            parsing = _row(found, f"Maildir of {part:,}: parsed", _peer(_PARSE, path, "maildir"), part, None)
            _row(found, "… analysed, one process", _ours(path, port, 1), part, parsing)
            _row(found, "… analysed offline, one process", _ours(path, None, 1), part, parsing)
            keys = str(folder / "keys.json")
            _row(found, "… parsed, DKIM by dkimpy as it comes", _peer(_DKIM, path, "maildir", keys), part, parsing)
    found.notes.append(
        "Analysed: DKIM verified, Authentication-Results, ARC, hops, list fields, MIME and HTML of every message, "
        "summed up; every signature was good, or the run would have failed."
    )
    return found


def _peer(program: str, *words: object) -> list[str]:
    return [sys.executable, "-c", program, *map(str, words)]


def _ours(path: Path, port: int | None, processes: int) -> list[str]:
    dns = ["--offline"] if port is None else ["--resolver", f"127.0.0.1:{port}", "--allow-private"]
    return [
        sys.executable,
        "-m",
        "mailrubric",
        "mail",
        "analyse",
        str(path),
        "--json",
        "--processes",
        str(processes),
        *dns,
    ]


def _row(found: Table, what: str, command: list[str], messages: int, parsing: float | None) -> float:
    """Measure one command; gives its rate."""
    progress(what)
    figure, said = measuring.run(command, timeout=_TIMEOUT)
    if "analyse" in command:
        summary = json.loads(said)["summary"]
        counted = summary["messages"]
        shares = {each["metric"]: each["value"] for each in summary["figures"]}
        if "--offline" not in command and shares["trial.one_click_signed_share"] != 100:
            raise measuring.Failed(f"{what}: not every signature was good")
    else:
        counted = int(said)
    if counted != messages:
        raise measuring.Failed(f"{what}: {counted:,} of {messages:,} messages")
    rate = messages / figure.wall
    found.rows.append(
        (
            what,
            measuring.seconds(figure.wall),
            measuring.seconds(figure.cpu),
            f"{rate:,.0f}",
            f"{figure.peak:.0f} MiB",
            "1" if parsing is None else ratio(rate, parsing),
        )
    )
    return rate
