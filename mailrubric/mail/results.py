"""What the receiver's own server has found: trusted Authentication-Results (RFC 8601), and the ARC chain (RFC 8617).

A sender can write such a field as well as anybody. What counts is the topmost one, since a receiver adds its own above
what it got, and it has to bear the name of the receiver's side; or, where the user names the server that he trusts,
that server's fields as far down as the first Received field below the one by which the message came in from outside.
All others are ignored.
"""

from __future__ import annotations

import dataclasses
import re

from mailrubric.mail import fields, received
from mailrubric.mail.fields import Fields
from mailrubric.mail.names import shared_labels
from probes.replies import printable

RESULTS = frozenset(
    {
        "pass",
        "fail",
        "softfail",
        "neutral",
        "none",
        "policy",
        "temperror",
        "permerror",
        "hardfail",
        "bestguesspass",
        "discard",
        "skipped",
    }
)
"""Result words of RFC 8601 §2.7 and some that servers use beside them."""
_METHODS = frozenset({"dkim", "spf", "dmarc", "arc", "iprev", "auth"})
_ENTRIES = 50
_PIECES = re.compile(r'[^()"\\;]+|\\.?|["();]', re.DOTALL)
_RESULT = re.compile(r"\s*([A-Za-z0-9-]{1,40})(?:\s*/\s*\d+)?\s*=\s*([A-Za-z]{1,20})(?![A-Za-z0-9=-])")
_PROPERTY = re.compile(r"([A-Za-z0-9-]{1,40})\s*\.\s*([A-Za-z0-9-]{1,40})\s*=\s*([^\s;]{1,512})")


@dataclasses.dataclass(frozen=True, slots=True)
class Stated:
    """One result: ``dkim=pass header.d=example.com`` is ("dkim", "pass", {"header.d": "example.com"})."""

    method: str
    result: str
    properties: dict[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Results:
    """All that the trusted server states. ``authserv_id``: its name; "" when there is no trusted field, and ``why``
    says so."""

    authserv_id: str = ""
    stated: tuple[Stated, ...] = ()
    why: str = ""

    def result(self, method: str) -> str | None:
        """The result of a method, ``pass`` if there is one among several; None when nothing is stated."""
        found = [each.result for each in self.stated if each.method == method]
        return "pass" if "pass" in found else found[0] if found else None

    def passed_domain(self, method: str, name: str) -> str:
        """The domain in this property of the method's ``pass``, else of its first result; "" for none."""
        found = sorted((each for each in self.stated if each.method == method), key=lambda each: each.result != "pass")
        return fields.domain_of(found[0].properties.get(name, "")) if found else ""


def trusted(message: Fields, authserv_id: str = "") -> Results:
    """The trusted results of a message. ``authserv_id``: whose to trust, or a domain below which all are; "" for the
    topmost field."""
    places = message.places("authentication-results")
    if not places:
        return Results(why="no Authentication-Results field")
    own, end = _own(message)
    if not authserv_id:
        found = parse(message.text(places[0])) if places[0] < end else None
        if found is None:
            return Results(why="the topmost Authentication-Results field is malformed or not the receiver's")
        if own and not any(_of_one_house(found.authserv_id, name) for name in own):
            writer = found.authserv_id or "nobody"
            return Results(why=f"the topmost Authentication-Results field is of {writer}, not of {own[-1]}")
        return found
    stated: list[Stated] = []
    name = ""
    for place in places:
        one = parse(message.text(place)) if place < end else None
        # Some receivers state each method under a name of its own: spf.icloud.com, dmarc.icloud.com.
        if one is not None and f".{one.authserv_id.lower()}".endswith(f".{authserv_id.lower()}"):
            name = name or one.authserv_id
            known = {each.method for each in stated}
            stated += (each for each in one.stated if each.method not in known)
    if not name:
        return Results(why=f"no Authentication-Results field of {printable(authserv_id, 255)} at the top")
    return Results(name, tuple(stated))


def _own(message: Fields) -> tuple[list[str], int]:
    """The names of the receiver's servers, by the Received fields down to the newest one from outside; and where the
    part of the header ends that they may have added: at the Received field after it. (Some receivers add their results
    below their own Received field.)"""
    places = message.places("received")
    names: list[str] = []
    for number, place in enumerate(places):
        hop = received.hop(message.text(place))
        names += [hop.by] if hop.by else []
        if not hop.internal or number == received.HOPS:
            return names, places[number + 1] if number + 1 < len(places) else len(message.entries)
    return names, places[1] if len(places) > 1 else len(message.entries)


def _of_one_house(authserv_id: str, server: str) -> bool:
    """Whether a server's name and an authserv-id share two labels or more, or are equal. Microsoft's servers state
    results without an authserv-id."""
    one, other = authserv_id.lower().rstrip("."), server.rstrip(".")
    if not one:
        return f".{other}".endswith(".outlook.com")
    return one == other or shared_labels(one, other) >= 2


def parse(text: str) -> Results | None:
    """One field; None when it has neither an authserv-id nor a result in its place, as Microsoft's have. Results with a
    word that is none are left out."""
    head, *entries = _entries(text)
    plain = fields.outside(head)[0].split()
    if not plain:
        return None
    if "=" in plain[0]:
        plain, entries = [""], [head, *entries]
    stated = []
    for entry in entries[:_ENTRIES]:
        bare = fields.outside(entry)[0]
        match = _RESULT.match(bare)
        if match is None or match[1].lower() not in _METHODS or match[2].lower() not in RESULTS:
            continue
        properties: dict[str, str] = {}
        for kind, name, value in _PROPERTY.findall(bare, match.end()):
            properties.setdefault(f"{kind}.{name}".lower(), value)
        stated.append(Stated(match[1].lower(), match[2].lower(), properties))
    if not plain[0] and not stated:
        return None
    return Results(printable(plain[0], 255), tuple(stated))


def _entries(text: str) -> list[str]:
    """Split at semicolons that stand in no comment and no quotation."""
    parts: list[list[str]] = [[]]
    depth = 0
    quoted = False
    for piece in _PIECES.findall(text[: fields.FIELD_CHARACTERS]):
        if piece == '"' and not depth:
            quoted = not quoted
        elif piece == "(" and not quoted:
            depth += 1
        elif piece == ")" and not quoted:
            depth = max(0, depth - 1)
        elif piece == ";" and not quoted and not depth:
            parts.append([])
            continue
        parts[-1].append(piece)
    return ["".join(part) for part in parts]


# --- ARC, RFC 8617 ----------------------------------------------------------------------------------------------------

_INSTANCE = re.compile(r"(?:^|;)\s*i\s*=\s*(\d{1,4})\s*(?:;|$)", re.IGNORECASE)
_VALIDATION = re.compile(r"(?:^|;)\s*cv\s*=\s*(none|fail|pass)\s*(?:;|$)", re.IGNORECASE)
MOST_SETS = 50
"""RFC 8617 §4.2.1: no chain is longer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """``sets``: the highest instance number; 0 without ARC. ``validation``: ``cv`` of the newest seal, as stated.
    ``complete``: every set from 1 on has its three fields, each once, and ``cv`` is none in the first and not fail in
    any (RFC 8617 §5.2); None without ARC. Whether signatures and seals are good: :mod:`mailrubric.mail.arc`."""

    sets: int = 0
    validation: str = ""
    complete: bool | None = None


def instance(value: str) -> int:
    """Which set an ARC field is of, from 1 on; 0 when it does not say or no chain is so long."""
    match = _INSTANCE.search(value)
    return int(match[1]) if match is not None and 1 <= int(match[1]) <= MOST_SETS else 0


def chain(message: Fields) -> Chain:
    """The ARC chain as its fields show it."""
    seen: dict[str, list[int]] = {}
    validation: dict[int, str] = {}
    malformed = False
    for kind in ("arc-seal", "arc-message-signature", "arc-authentication-results"):
        for value in message.all(kind)[: MOST_SETS + 1]:
            number = instance(value)
            if not number:
                malformed = True
                continue
            seen.setdefault(kind, []).append(number)
            found = _VALIDATION.search(value) if kind == "arc-seal" else None
            if found:
                validation[number] = found[1].lower()
    if not seen:
        return Chain(complete=False) if malformed else Chain()
    most = max(number for numbers in seen.values() for number in numbers)
    wanted = list(range(1, most + 1))
    complete = not malformed and len(seen) == 3 and all(sorted(numbers) == wanted for numbers in seen.values())
    sound = validation.get(1) == "none" and all(validation.get(number) == "pass" for number in wanted[1:])
    return Chain(most, validation.get(most, ""), complete and sound)
