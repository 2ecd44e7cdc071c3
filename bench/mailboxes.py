"""Realistic mail in any amount, for the benchmark of message analysis: newsletters, receipts, personal mail with
attachments, signed with DKIM like most of today's mail.

Signing is dear, so a few thousand distinct messages are made and signed, and each copy of one gets delivery fields of
its own (Return-Path, Delivered-To, Received), which no signature covers.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import os
import quopri
import random
import re
from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

DOMAINS = tuple(f"brand{number}.test" for number in range(40))
PLATFORM = "platform.test"
_TEXT = """
offer summer account order update team week your new with from this that more save today delivery invoice please thanks
product guide event local friends story about how learn read members season collection free shipping und für grüße
réservation mañana ελληνικά
"""
_WORDS = _TEXT.split()


class Mail:
    """``distinct`` signed messages, from a seed. ``keys``: TXT records by name, for whoever verifies."""

    def __init__(self, distinct: int, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._key = rsa.generate_private_key(65537, 2048)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        self.keys = {f"s1._domainkey.{domain}": record for domain in (*DOMAINS, PLATFORM)}
        self._start = datetime.datetime(2026, 8, 1, tzinfo=datetime.UTC)
        self._messages = [self._message(number) for number in range(distinct)]

    def copies(self, count: int) -> Iterator[bytes]:
        """``count`` messages with LF line ends, as a mailbox holds them."""
        chooser = random.Random(2)
        for number in range(count):
            when, source, message = self._messages[number % len(self._messages)]
            arrived = when + datetime.timedelta(seconds=chooser.randrange(2, 90))
            address = f"192.0.2.{source % 250 + 1}"
            fields = (
                f"Return-Path: <bounce-{number}@{PLATFORM}>\n"
                f"Delivered-To: reader{number % 25}@receiver.test\n"
                f"Received: from mail{source}.{PLATFORM} (mail{source}.{PLATFORM} [{address}])\n"
                "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
                "\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\n"
                "\t(No client certificate requested)\n"
                f"\tby mx.receiver.test (Postfix) with ESMTPS id {number:010X}\n"
                f"\tfor <reader{number % 25}@receiver.test>; {format_datetime(arrived)}\n"
                f"Authentication-Results: mx.receiver.test;\n"
                f"\tdkim=pass (2048-bit key) header.d={DOMAINS[source % len(DOMAINS)]} header.s=s1;\n"
                f"\tspf=pass smtp.mailfrom=bounce-{number}@{PLATFORM};\n"
                f"\tdmarc=pass (p=reject) header.from={DOMAINS[source % len(DOMAINS)]}\n"
            )
            yield fields.encode() + message

    def _text(self, words: int) -> str:
        chosen = self._random.choices(_WORDS, k=words)
        return "\n".join(" ".join(chosen[at : at + 11]).capitalize() + "." for at in range(0, words, 11))

    def _message(self, number: int) -> tuple[datetime.datetime, int, bytes]:
        drawn = self._random.random()
        source = self._random.randrange(200)
        domain = DOMAINS[source % len(DOMAINS)]
        when = self._start + datetime.timedelta(seconds=self._random.randrange(100 * 86400))
        head = [
            ("From", f'"{domain.title()}" <news@{domain}>'),
            ("To", f"reader{number % 25}@receiver.test"),
            ("Subject", f"=?utf-8?q?N=C2=B0_{number}?= {self._text(5)}".replace("\n", " ")),
            ("Date", format_datetime(when.astimezone(datetime.timezone(datetime.timedelta(hours=2))))),
            ("Message-ID", f"<{number}.{source}@{domain}>"),
            ("MIME-Version", "1.0"),
        ]
        if drawn < 0.6:
            body, kind = self._newsletter(number)
            head += [
                ("List-Unsubscribe", f"<https://click.{PLATFORM}/u/{number}>, <mailto:leave-{number}@{PLATFORM}>"),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
                ("List-Id", f"<news.{domain}>"),
                ("Feedback-ID", f"{number}:campaign:{domain}"),
                ("Content-Type", kind),
            ]
        elif drawn < 0.85:
            body = quopri.encodestring(self._text(220).encode()).decode()
            head += [("Auto-Submitted", "auto-generated"), ("Content-Type", "text/plain; charset=utf-8")]
            head += [("Content-Transfer-Encoding", "quoted-printable")]
        else:
            body, kind = self._attachment(number)
            head += [("In-Reply-To", f"<{number}@receiver.test>"), ("Content-Type", kind)]
        message = "".join(f"{name}: {value}\n" for name, value in head)
        signed = self._sign(head, body, PLATFORM) + self._sign(head, body, domain) if drawn < 0.85 else ""
        return when, source, f"{signed}{message}\n{body}".encode()

    def _newsletter(self, number: int) -> tuple[str, str]:
        text = self._text(350)
        rows = "".join(
            f'<tr>\n        <td style="padding: 12px 0 12px 0; font-family: Arial, sans-serif;" align="left">\n'
            f'          <a href="https://click.{PLATFORM}/ls/click?upn={self._opaque(number, row)}">'
            f'<img src="https://img.{PLATFORM}/{row}.png" width="600" height="240" alt="picture {row}"></a>\n'
            f"          <p>{line}</p>\n        </td>\n      </tr>\n"
            for row, line in enumerate(text.split("\n"))
        )
        page = (
            "<!DOCTYPE html><html><head><style>"
            + ".a{color:#333;margin:0 auto}\n" * 60
            + f'</style></head><body><table>\n      {rows}</table><img src="https://click.{PLATFORM}/o/{number}" '
            'width="1" height="1"></body></html>'
        )
        parts = [
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
            + quopri.encodestring(text.encode()).decode(),
            "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
            + quopri.encodestring(page.encode()).decode(),
        ]
        mark = f"=_part_{number}"
        return (
            "".join(f"--{mark}\n{part}\n" for part in parts) + f"--{mark}--\n",
            f'multipart/alternative; boundary="{mark}"',
        )

    def _opaque(self, *what: int) -> str:
        return hashlib.sha256(repr(what).encode()).hexdigest()

    def _attachment(self, number: int) -> tuple[str, str]:
        blob = self._random.randbytes(self._random.randrange(5_000, 40_000))
        lines = base64.encodebytes(blob).decode()
        mark = f"mixed{number}"
        body = (
            f"--{mark}\nContent-Type: text/plain; charset=utf-8\n\n{self._text(120)}\n"
            f"--{mark}\nContent-Type: application/zip; name=a.zip\nContent-Disposition: attachment; filename=a.zip\n"
            f"Content-Transfer-Encoding: base64\n\n{lines}\n--{mark}--\n"
        )
        return body, f"multipart/mixed; boundary={mark}"

    def _sign(self, head: list[tuple[str, str]], body: str, domain: str) -> str:
        """A DKIM-Signature field, relaxed/relaxed."""

        def relaxed(name: str, value: str) -> str:
            value = re.sub(r"[ \t]+", " ", value).strip()
            return f"{name.lower()}:{value}"

        lines = [re.sub(r"[ \t]+", " ", line).rstrip(" ") for line in body.split("\n")]
        canonical = ("\r\n".join(lines).rstrip("\r\n") + "\r\n").encode()
        names = ":".join(name.lower() for name, _ in head)
        value = (
            f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s1; t={int(self._start.timestamp())}; h={names}; "
            f"bh={base64.b64encode(hashlib.sha256(canonical).digest()).decode()}; b="
        )
        signed = "".join(relaxed(name, text) + "\r\n" for name, text in head) + relaxed("DKIM-Signature", value)
        made = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"DKIM-Signature: {value}{base64.b64encode(made).decode()}\n"


def write_mbox(path: Path, messages: Iterator[bytes]) -> int:
    """An mbox with mboxrd quoting; gives its size in bytes."""
    with path.open("wb") as file:
        for message in messages:
            file.write(b"From sender@platform.test Sat Aug  1 00:00:00 2026\n")
            file.write(re.sub(rb"(?m)^(>*From )", rb">\1", message).rstrip(b"\n") + b"\n\n")
    return path.stat().st_size


def write_maildir(path: Path, messages: Iterator[bytes]) -> int:
    """A Maildir, every second message seen; gives its size in bytes."""
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    size = 0
    for number, message in enumerate(messages):
        name = f"cur/{1785542400 + number}.{number}.host:2,{'S' if number % 2 else ''}"
        descriptor = os.open(path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, message)
        os.close(descriptor)
        size += len(message)
    return size
