"""One analysed message: what everything that looks at real messages builds on.

A field holds what was found. Where something could not be found out, it is None and ``causes`` says why, under the
field's name: a fault is never a fact.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Literal

Result = Literal["pass", "fail", "none"]


@dataclasses.dataclass(frozen=True, slots=True)
class Missing:
    """Why a field has no value. ``cause``: one of ``probes.model.Cause`` or of ``mailrubric.causes``; ``detail``: one
    printable line for people."""

    field: str
    cause: str
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM-Signature field (RFC 6376 §3.5).

    ``result``: ``pass``; ``fail`` when it does not fit the message; None when it could not be checked, with a
    ``cause``. ``algorithm``: ``rsa-sha256``, ``ed25519-sha256``, ``rsa-sha1`` as written. ``bits``: of the key, None
    when no key was had. ``aligned``: with the domain of From, relaxed (RFC 9989 §4.4.1), None when unknown.
    ``strict``: the two are equal. ``covers``: names of the signed fields, lower case, sorted. ``body_length``: ``l=``;
    ``unsigned_bytes``: how much of the body is not covered because of it. ``signed``, ``expires``: ``t=`` and ``x=``
    in seconds since 1970.
    """

    domain: str
    selector: str
    algorithm: str = ""
    result: Literal["pass", "fail"] | None = None
    cause: str = ""
    detail: str = ""
    bits: int | None = None
    testing: bool = False
    aligned: bool | None = None
    strict: bool = False
    covers: tuple[str, ...] = ()
    body_length: int | None = None
    unsigned_bytes: int | None = None
    signed: int | None = None
    expires: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Hop:
    """One Received field (RFC 5321 §4.4), the oldest hop first in a list. ``helo``, ``by``: names as given;
    ``address``: of the sending side as the receiving side saw it, "" when it is not named. ``protocol``: the ``with``
    word in upper case. ``tls``: whether the hop was encrypted; None when its field does not let one know.
    ``internal``: both ends are of one machine or of a private network, or the mail did not come over SMTP at all."""

    by: str = ""
    helo: str = ""
    address: str = ""
    protocol: str = ""
    tls: bool | None = None
    tls_version: str = ""
    cipher: str = ""
    internal: bool = False
    time: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class AnalysedMessage:
    """What one message shows. Times are aware and in UTC; sizes in bytes; domains in lower case.

    ``place``: where it stands, for people. ``from_address``, ``recipient``: hashes that tell addresses apart and name
    nobody; "" when there is none or it can't be told. ``sent``: of Date; ``date_offset``: minutes east of UTC that Date
    gave, None when it gave none or ``-0000``. ``arrived``: of the newest Received field, else of the mailbox itself.
    ``seen``: whether somebody has opened it, None when the mailbox does not say. ``bulk``: True for bulk mail, False
    for mail that one person gets because of what he did, None when there are no signs; ``bulk_reasons``: the signs.
    ``personal_signs``: those of mail for one person, also where ``bulk`` is True because others outweigh them.

    ``campaign_id``: what a field of the platform calls the campaign (X-Campaign-ID, X-Mailgun-Tag …), "" when
    there is none; ``subject``: decoded, one printable line, cut at 200 characters, kept to tell campaigns apart.

    ``dkim``: ``pass`` when one signature at least is good, ``fail`` when all are bad, ``none`` without a signature:
    verified by us. ``dkim_aligned``: whether a good signature is aligned with From. ``spf``, ``dmarc``, ``arc_results``
    and ``dkim_stated``: what the trusted Authentication-Results field states, as its words. ``spf_aligned``: whether
    SPF passed for a domain aligned with From. ``dmarc_aligned``: whether either is aligned, which is what DMARC asks.

    ``arc``: whether the chain of ARC sets holds (RFC 8617 §5.2), verified by us; ``arc_detail``: why not, where it
    does not. ``arc_sealers``: the domains that have sealed it, the oldest first. ``arc_sets``, ``arc_cv`` and
    ``arc_complete``: what the fields show by themselves.

    ``one_click``: both fields of RFC 8058 §3.1 are there and well formed; ``one_click_signed``: and a good signature
    covers both (§4). ``text_alike``: share of the HTML part's words that are in the plain-text part, too.
    ``words``, ``images``: of the HTML, or of the plain text where there is no HTML; ``images`` without
    ``tracking_pixels``, pictures that nobody can see. ``redirect_links``: links that look as if they led to their
    target by way of somebody who counts: a sign, no proof. ``fingerprints``: names of fields that certain platforms
    are known to add.
    """

    place: str = ""
    message_id: str = ""
    sent: datetime.datetime | None = None
    date_offset: int | None = None
    arrived: datetime.datetime | None = None
    from_domain: str = ""
    from_address: str = ""
    recipient: str = ""
    seen: bool | None = None
    size: int = 0
    cut: bool = False
    """It was too long to be read whole: what only the rest could show is missing."""
    defects: tuple[str, ...] = ()

    bulk: bool | None = None
    bulk_reasons: tuple[str, ...] = ()
    personal_signs: tuple[str, ...] = ()
    list_unsubscribe: bool = False
    unsubscribe_https: bool = False
    unsubscribe_mailto: bool = False
    one_click: bool = False
    one_click_signed: bool | None = None
    list_id: str = ""
    feedback_id: str = ""
    campaign_id: str = ""
    subject: str = ""
    precedence: str = ""
    auto_submitted: str = ""
    mailer: str = ""
    fingerprints: tuple[str, ...] = ()

    signatures: tuple[Signature, ...] = ()
    dkim: Result | None = None
    dkim_aligned: bool | None = None
    dkim_stated: str | None = None
    spf: str | None = None
    spf_domain: str = ""
    spf_aligned: bool | None = None
    dmarc: str | None = None
    dmarc_aligned: bool | None = None
    arc_results: str | None = None
    authserv_id: str = ""
    arc_sets: int = 0
    arc_cv: str = ""
    arc_complete: bool | None = None
    arc: Result | None = None
    arc_sealers: tuple[str, ...] = ()
    arc_detail: str = ""

    hops: tuple[Hop, ...] = ()
    tls_hops: int = 0
    plain_hops: int = 0
    unknown_hops: int = 0
    sending_address: str = ""

    parts: int = 0
    attachments: int = 0
    plain_text: bool | None = None
    html: bool | None = None
    html_bytes: int | None = None
    text_alike: float | None = None
    words: int | None = None
    images: int | None = None
    links: int | None = None
    https_links: int | None = None
    link_hosts: tuple[str, ...] = ()
    tracking_pixels: int | None = None
    redirect_links: int | None = None

    causes: tuple[Missing, ...] = ()

    def cause(self, field: str) -> Missing | None:
        """Why this field has no value; None when it has one, or nothing was to be found out."""
        return next((each for each in self.causes if each.field == field), None)
