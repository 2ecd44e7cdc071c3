"""Logging in to a server where one has an account: SASL mechanisms from the client's side, without any socket.

A mechanism makes responses from challenges (RFC 4422 §3); how they travel is the protocol's business: ``probes.send``
for SMTP (RFC 4954), ``probes.seed_mailbox`` for IMAP (RFC 9051 §6.2.2). Nobody may use one before TLS with a verified
certificate (``probes.verified_tls``).

Passwords and tokens are :class:`Secret`: whatever shows one by mistake shows the word ``hidden``. What a server says
goes through a :class:`Redactor` before it is kept, since a server may well repeat what it was told.
"""

from __future__ import annotations

import abc
import base64
import binascii
import dataclasses
import hashlib
import hmac
import json
import os
import re
import stringprep
import unicodedata
from collections.abc import Collection
from typing import NoReturn

from probes.model import Cause, Unmeasured
from probes.replies import printable

FEWEST_ITERATIONS = 4096
"""What RFC 7677 §4 wants a server to ask for at least: with fewer, passwords are easily guessed from the exchange."""
MOST_ITERATIONS = 1_000_000
"""More would keep us busy for seconds."""

HIDDEN = "[hidden]"
_SHORTEST_HIDDEN = 4
_SHORTEST_CUT = 6


class Secret:
    """A password or token. Only :meth:`reveal` gives it away: not ``repr``, not ``str``, not ``pickle``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("a secret must not be empty")
        self._text = text

    def reveal(self) -> str:
        """The secret itself, to be sent and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __str__(self) -> str:
        return "hidden"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be copied or stored")


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """A user's name, and a password or an OAuth 2.0 access token (exactly one of them). Some vendors give out a token
    to be used as both, so the name is not shown either."""

    user: str = dataclasses.field(repr=False)
    password: Secret | None = None
    token: Secret | None = None

    def __post_init__(self) -> None:
        if (self.password is None) == (self.token is None):
            raise ValueError("credentials have either a password or a token")
        if not self.user or "\0" in self.user or "\r" in self.user or "\n" in self.user:
            raise ValueError("a user name must not be empty and holds no control characters")
        if "\0" in self.secret.reveal() or "\r" in self.secret.reveal() or "\n" in self.secret.reveal():
            raise ValueError("a password or token holds no NUL and no line ends")

    @property
    def secret(self) -> Secret:
        """The password or the token, whichever there is."""
        found = self.password or self.token
        if found is None:
            raise ValueError("credentials have either a password or a token")
        return found


class Redactor:
    """Takes secrets out of texts: as they are, in Base64, as ``printable`` shows them, and cut off at the end.

    A server that sends them back in a disguise of its own making cannot be helped: it knew them before.
    """

    def __init__(self) -> None:
        self._hidden: tuple[str, ...] = ()

    def hide(self, *secrets: bytes | str) -> None:
        """Take these out from now on. What is shorter than four characters is no secret and would spoil every text."""
        found = set(self._hidden)
        for each in secrets:
            raw = each.encode("utf-8") if isinstance(each, str) else each
            size = 4 * len(raw) + 1
            found |= {raw.decode("utf-8", "replace"), printable(raw, size), base64.b64encode(raw).decode("ascii")}
            found.add(base64.urlsafe_b64encode(raw).decode("ascii").rstrip("="))
        kept = {text for text in found if len(text) >= _SHORTEST_HIDDEN}
        self._hidden = tuple(sorted(kept, key=lambda text: (-len(text), text)))

    def hide_line(self, line: str) -> None:
        """Take this line out as well, a response in Base64 or a challenge: whoever has all that was said in CRAM-MD5 or
        SCRAM can try passwords on it at leisure."""
        if len(line) >= _SHORTEST_HIDDEN and line not in self._hidden:
            self._hidden = tuple(sorted((*self._hidden, line), key=lambda text: (-len(text), text)))

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        for hidden in self._hidden:
            text = text.replace(hidden, HIDDEN)
        end = text.removesuffix("…")
        for hidden in self._hidden:
            for size in range(len(hidden) - 1, _SHORTEST_CUT - 1, -1):
                if end.endswith(hidden[:size]):  # a long line is cut, be it in the middle of a secret
                    return end[:-size] + HIDDEN
        return text

    def problem(self, problem: Unmeasured) -> Unmeasured:
        """The same cause, with nothing in its detail that is to be hidden."""
        return Unmeasured(problem.cause, self(problem.detail))


# --- names and passwords ----------------------------------------------------------------------------------------------

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def saslprep(text: str) -> str:
    """A name or password in the one form in which it is compared (RFC 4013), as a stored string: code points that were
    unassigned in Unicode 3.2 are refused. ``ValueError``, which never shows the text, for what is not allowed."""
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(character) for character in prepared for prohibited in _PROHIBITED):
        raise ValueError("a character that is not allowed in names and passwords (RFC 4013 §2.3)")
    if any(map(stringprep.in_table_d1, prepared)):  # right to left
        ends = stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])
        if not ends or any(map(stringprep.in_table_d2, prepared)):
            raise ValueError("characters of both directions of writing are mixed (RFC 3454 §6)")
    return prepared


def _saslname(text: str) -> str:
    """A name where commas and equals signs have a meaning (RFC 5801 §4)."""
    return text.replace("=", "=3D").replace(",", "=2C")


# --- mechanisms -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class ChannelBinding:
    """What ties a login to this TLS connection (RFC 5056). ``kind``: ``tls-exporter`` (RFC 9266) or
    ``tls-server-end-point`` (RFC 5929 §4)."""

    kind: str
    data: bytes = dataclasses.field(repr=False)


class Mechanism(abc.ABC):
    """One login. ``first``: what the client says unasked; None when the server speaks first. Every method raises
    ``Unmeasured(protocol_error)`` where the server breaks the mechanism's rules; then the login has to be given up."""

    name: str
    first: bytes | None = None
    prompts = False
    """Whether challenges are prompts for people, of which nothing depends."""
    complaint = ""
    """What the server said of its refusal inside of the mechanism, printable; "" when it said nothing."""

    @abc.abstractmethod
    def respond(self, challenge: bytes) -> bytes:
        """The response to a challenge."""

    def finished(self) -> None:
        """The server says that we are logged in: raises when it has not proved what it has to."""
        return None

    def _unexpected(self) -> Unmeasured:
        return Unmeasured(Cause.PROTOCOL_ERROR, f"the server asks more than {self.name} has to say")


class Plain(Mechanism):
    """PLAIN (RFC 4616): name and password as they are."""

    name = "PLAIN"

    def __init__(self, user: str, password: str) -> None:
        self.first = b"\0" + user.encode("utf-8") + b"\0" + password.encode("utf-8")

    def respond(self, challenge: bytes) -> bytes:
        """Nothing is left to be said."""
        raise self._unexpected()


class LoginMechanism(Mechanism):
    """LOGIN (draft-murchison-sasl-login, obsolete and offered by many): name, then password. What the prompts say
    differs from server to server, so only their order counts."""

    name = "LOGIN"
    prompts = True

    def __init__(self, user: str, password: str) -> None:
        self._answers = [user.encode("utf-8"), password.encode("utf-8")]

    def respond(self, challenge: bytes) -> bytes:
        """The name, then the password."""
        if not self._answers:
            raise self._unexpected()
        return self._answers.pop(0)


class CramMD5(Mechanism):
    """CRAM-MD5 (RFC 2195): a keyed digest of the server's challenge."""

    name = "CRAM-MD5"

    def __init__(self, user: str, password: str) -> None:
        self._user = user.encode("utf-8")
        self._password = password.encode("utf-8")
        self._done = False

    def respond(self, challenge: bytes) -> bytes:
        """The name and the digest."""
        if self._done or not challenge:
            raise self._unexpected()
        self._done = True
        return self._user + b" " + hmac.new(self._password, challenge, "md5").hexdigest().encode("ascii")

    def finished(self) -> None:
        """Who lets us in without having asked for the digest does not check it."""
        if not self._done:
            raise Unmeasured(Cause.PROTOCOL_ERROR, "the server accepts CRAM-MD5 without a challenge")


class Scram(Mechanism):
    """SCRAM (RFC 5802, RFC 7677): neither side shows the password, and the server proves that it knows it too.

    ``hash_name``: ``sha256`` or ``sha1``. ``binding``: for the -PLUS variants. ``nonce``: ours, printable ASCII without
    commas; None for a random one.
    """

    def __init__(
        self,
        user: str,
        password: str,
        *,
        hash_name: str = "sha256",
        binding: ChannelBinding | None = None,
        nonce: str | None = None,
    ) -> None:
        shown = {"sha1": "SHA-1", "sha256": "SHA-256"}[hash_name]
        self.name = f"SCRAM-{shown}" + ("-PLUS" if binding is not None else "")
        self._hash = hash_name
        self._password = _prepared(password, "password").encode("utf-8")
        self._nonce = nonce or base64.b64encode(os.urandom(18)).decode("ascii")
        header = "n,," if binding is None else f"p={binding.kind},,"
        self._binding = header.encode("ascii") + (b"" if binding is None else binding.data)
        self._bare = f"n={_saslname(_prepared(user, 'user name'))},r={self._nonce}".encode()
        self.first = header.encode("ascii") + self._bare
        self._signature: bytes | None = None
        self._verified = False

    def respond(self, challenge: bytes) -> bytes:
        """The proof to the server's first message, nothing to its last."""
        if self._signature is None:
            return self._prove(challenge)
        if self._verified:
            raise self._unexpected()
        self._verify(challenge)
        return b""

    def finished(self) -> None:
        """Without its signature the server is not the one that knows the password."""
        if not self._verified:
            raise Unmeasured(
                Cause.PROTOCOL_ERROR, f"the server accepts {self.name} without proving that it knows the password"
            )

    def _prove(self, message: bytes) -> bytes:
        if message.startswith(b"e="):
            raise self._refused(message)
        match = re.match(rb"r=([!-+\--~]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,9})(?:,|$)", message)
        if match is None:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"not a first message of {self.name}")
        nonce, iterations = match[1], int(match[3])
        if not nonce.startswith(self._nonce.encode("ascii")) or len(nonce) == len(self._nonce):
            raise Unmeasured(Cause.PROTOCOL_ERROR, "the server's nonce is not ours with its own added")
        if not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            raise Unmeasured(
                Cause.PROTOCOL_ERROR,
                f"the server asks for {iterations} iterations; from {FEWEST_ITERATIONS} to {MOST_ITERATIONS} are done",
            )
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, decoded(match[2]), iterations)
        client_key = self._keyed(salted, b"Client Key")
        last = b"c=" + base64.b64encode(self._binding) + b",r=" + nonce
        everything = b",".join((self._bare, message, last))
        proof = self._keyed(hashlib.new(self._hash, client_key).digest(), everything)
        self._signature = self._keyed(self._keyed(salted, b"Server Key"), everything)
        together = bytes(one ^ other for one, other in zip(client_key, proof, strict=True))
        return last + b",p=" + base64.b64encode(together)

    def _verify(self, message: bytes) -> None:
        if message.startswith(b"e="):
            raise self._refused(message)
        match = re.match(rb"v=([A-Za-z0-9+/=]+)(?:,|$)", message)
        if match is None:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"not a last message of {self.name}")
        if not hmac.compare_digest(decoded(match[1]), self._signature or b""):
            raise Unmeasured(
                Cause.PROTOCOL_ERROR, f"the server's signature in {self.name} is wrong: it does not know the password"
            )
        self._verified = True

    def _refused(self, message: bytes) -> Unmeasured:
        self.complaint = printable(message[2:], 100)
        return Unmeasured(Cause.NOT_PERMITTED, f"the server ends {self.name} with {self.complaint}")

    def _keyed(self, key: bytes, message: bytes) -> bytes:
        return hmac.new(key, message, self._hash).digest()


class _Bearer(Mechanism):
    """What the two ways to present an access token have in common: a refusal comes as a challenge, which has to be
    answered before the server says its no."""

    _answer: bytes

    def respond(self, challenge: bytes) -> bytes:
        """Take note of the refusal."""
        if self.complaint:
            raise self._unexpected()
        self.complaint = _status_of(challenge)
        return self._answer

    def finished(self) -> None:
        """Who has complained does not let us in."""
        if self.complaint:
            raise Unmeasured(Cause.PROTOCOL_ERROR, f"the server both refuses and accepts the token: {self.complaint}")


class XOAuth2(_Bearer):
    """XOAUTH2 (Google's, and Microsoft's): an access token."""

    name = "XOAUTH2"
    _answer = b""

    def __init__(self, user: str, token: str) -> None:
        self.first = f"user={user}\x01auth=Bearer {token}\x01\x01".encode()


class OAuthBearer(_Bearer):
    """OAUTHBEARER (RFC 7628): an access token, by the standard."""

    name = "OAUTHBEARER"
    _answer = b"\x01"

    def __init__(self, user: str, token: str, host: str, port: int) -> None:
        header = f"n,a={_saslname(user)},"
        self.first = f"{header}\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01".encode()


def _status_of(challenge: bytes) -> str:
    """The ``status`` of an error in JSON (RFC 7628 §3.2.2); else the text as it came. Never empty."""
    try:
        found = json.loads(challenge)
    except (ValueError, RecursionError):
        found = None
    status = found.get("status") if isinstance(found, dict) else None
    return printable(status if isinstance(status, str) and status else challenge, 100) or "no reason given"


def _prepared(text: str, what: str) -> str:
    try:
        return saslprep(text)
    except ValueError as error:
        raise Unmeasured(Cause.NOT_PERMITTED, f"this {what} cannot be used with SCRAM: {error}") from None


def encoded(response: bytes) -> str:
    """A response or challenge as it travels."""
    return base64.b64encode(response).decode("ascii")


def decoded(text: bytes) -> bytes:
    """Base64 as it has to be (RFC 4648 §4). ``Unmeasured(protocol_error)`` for anything else."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Unmeasured(Cause.PROTOCOL_ERROR, "the server sends something that is not Base64") from None


# --- choosing ---------------------------------------------------------------------------------------------------------

WITH_PASSWORD = (
    "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5",
)  # fmt: skip
"""Mechanisms for a password, the first that a server offers is taken. CRAM-MD5 comes last: under TLS it protects
nothing that PLAIN does not, and servers that store passwords properly offer it in vain."""
WITH_TOKEN = ("OAUTHBEARER", "XOAUTH2")
"""Mechanisms for an access token."""
MECHANISMS = (*WITH_PASSWORD, *WITH_TOKEN)


def choose(
    offered: Collection[str],
    credentials: Credentials,
    *,
    host: str,
    port: int,
    wanted: str = "",
    binding: ChannelBinding | None = None,
) -> Mechanism:
    """The mechanism to log in with: ``wanted`` when it is offered, else the first of ours that is.

    ``offered``: names in upper case, as listed under TLS. ``binding``: None when the connection has none, so that
    -PLUS is passed over. ``Unmeasured(not_permitted)`` when there is no way in.
    """
    fitting = WITH_PASSWORD if credentials.password is not None else WITH_TOKEN
    known = [name for name in fitting if binding is not None or not name.endswith("-PLUS")]
    shown = ", ".join(sorted(printable(name, 30) for name in offered)[:20]) or "none"
    if wanted and wanted not in known:
        raise Unmeasured(
            Cause.NOT_PERMITTED, f"the mechanism {wanted} cannot be used with what was given for the login"
        )
    candidates = [wanted] if wanted else known
    name = next((name for name in candidates if name in offered), "")
    if not name:
        what = wanted or ("a login with a password" if credentials.password is not None else "a login with a token")
        raise Unmeasured(Cause.NOT_PERMITTED, f"the server does not offer {what}; its mechanisms: {shown}")
    user, secret = credentials.user, credentials.secret.reveal()
    if name.startswith("SCRAM-"):
        return Scram(
            user,
            secret,
            hash_name="sha256" if "SHA-256" in name else "sha1",
            binding=binding if name.endswith("-PLUS") else None,
        )
    match name:
        case "PLAIN":
            return Plain(user, secret)
        case "LOGIN":
            return LoginMechanism(user, secret)
        case "CRAM-MD5":
            return CramMD5(user, secret)
        case "XOAUTH2":
            return XOAuth2(user, secret)
    return OAuthBearer(user, secret, host, port)
