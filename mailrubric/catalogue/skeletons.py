"""Commented YAML to start from. Each text is valid as it stands; what is optional stands in comments."""

from __future__ import annotations

import re
from pathlib import Path

from mailrubric.catalogue import yamlfile
from mailrubric.files import write_new

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_VENDOR = """\
# A vendor profile: what is known of one email platform, and where it can be probed.
# Leave out what you do not know: absent means unknown, never "no".
id: {id}                            # the file's name, without .yaml
name: {name}
category: esp                       # esp, marketing, mailbox or self-hosted
# homepage: https://www.example.com
# aliases: [A Former Name]

# Where it can be probed. Every role is optional and is a list: - {{…}} once for each server.
# label (a region, say), source and as_of may stand with every endpoint.
endpoints: {{}}
# endpoints:
#   submission:                     # where customers hand in mail
#     - {{host: smtp.example.com, port: 587, tls: starttls}}
#     - {{host: smtp.example.com, port: 465, tls: implicit}}
#   mx:                             # where it receives mail: a domain (its MX hosts are looked up) or a host
#     - {{domain: example.com}}
#   imap:
#     - {{host: imap.example.com, port: 993, tls: implicit}}
#   domain:                         # its own domain: SPF, DMARC, MTA-STS, TLS-RPT
#     - {{domain: example.com}}
#   sending:                        # the name customers put into include: of their SPF record
#     - {{domain: spf.example.com}}
#   api:
#     - {{url: https://api.example.com}}
#   status:                         # kind: what the status page is made with
#     - {{url: https://status.example.com, kind: statuspage}}

# What others say of it. Each fact must be declared in a criteria file ("mailrubric metrics" lists them all), and needs
# its source and the date the source was read or written (2026-08-13, 2026-08, 2026 or undated).
facts: {{}}
# facts:
#   dedicated_ip:
#     value: true
#     source: https://www.example.com/pricing
#     as_of: 2026-08-13
#     grade: official               # official, probed, secondary (the default) or unverified
#     note: from the second plan on
#     document: https://www.example.com/report.pdf      # a report or certificate that proves it
#     also:                         # another source that says the same
#       - {{source: https://docs.example.com/ips, as_of: 2026-07}}
#     disputed:                     # another source that says otherwise: kept and shown, not resolved
#       - {{value: false, source: https://example.org/review, as_of: 2025}}

# Price plans as their source states them, a month.
# plans:
#   - {{name: Basic, monthly: 15, currency: USD, included_emails: 10000, overage_per_thousand: 1.8,
#      source: https://www.example.com/pricing, as_of: 2026-08-13}}
"""

_CRITERION = """\
# A group of criteria. A group whose id exists already is merged with it; a criterion replaces the one of its id.
group:
  id: {id}
  title: {title}
  weight: 10                        # against the other groups
  # description: What these questions have in common.

# Facts that vendor profiles may state from now on. Types: boolean, integer, number, text, set, level.
facts:
  {key}:
    type: boolean
    meaning: Say here what exactly is true or false.
  # {key}_hours: {{type: number, unit: h, meaning: Units of data and time are converted.}}
  # {key}_level: {{type: level, levels: [none, partial, full], meaning: From worst to best.}}

criteria:
  - id: {id}
    question: Which one question does this answer?
    # Where the value comes from: probe (a metric), fact, reviews, survey, trial or price. With both probe and fact the
    # measurement counts and the fact stands in; a difference is shown as a contradiction.
    from: {{fact: {fact}}}
    # from: {{probe: smtp.size_limit, roles: [submission], combine: worst, fact: {fact}}}
    weight: 1                       # against the other criteria of this group
    # The value function gives 0 to 100 and never looks at other vendors. One of:
    score: {{yes: 100, no: 0}}                                     # boolean
    # score: {{map: {{none: 0, partial: 50, full: 100}}}}            # level or text
    # score: {{points: [[0, 0], [10, 60], [35, 100]]}}             # number: straight lines between the points
    # score: {{points: [[1, 100], [1000, 0]], scale: log}}         # number: for prices and limits
    # score: {{curve: {{worth_90: 200, worth_50: 800}}}}             # number: for times, less is better here
    # score: {{share_of: [PLAIN, LOGIN, XOAUTH2]}}                 # set: how many of these
    # score: {{none_of: [PLAIN, LOGIN]}}                           # set: 100 when it has none of these, else 0
    # unit: MB                      # the unit that the value function is written in
    # must: {{equals: true, else: what it means to fail}}          # a gate; or above, at_least, below, at_most,
    #                                                            # one_of: […], includes: […]
    # applies_to: [esp, marketing]  # other categories: not applicable, which is not unknown
    # half_life: 180                # days until the evidence counts half
    # document_required: true       # a claim without a document earns nothing
    rationale: Why does this matter to whom, and why these scores?
    # reference: RFC 5321, section 4.5.3
"""


def vendor_skeleton(identifier: str) -> str:
    """The text of ``vendors/<id>.yaml``. Raises ``ValueError`` for what is no id."""
    check_identifier(identifier)
    return _VENDOR.format(id=_text(identifier), name=_text(_title(identifier)))


def criterion_skeleton(identifier: str) -> str:
    """The text of ``criteria/<id>.yaml``: a group with one criterion. Raises ``ValueError`` for what is no id."""
    check_identifier(identifier)
    fact = identifier.replace("-", "_")
    return _CRITERION.format(id=_text(identifier), title=_text(_title(identifier)), key=fact, fact=_text(fact))


def new_vendor(directory: Path, identifier: str) -> Path:
    """Write ``vendors/<id>.yaml`` into a workspace and return its path.

    Raises ``ValueError`` for what is no id, ``FileExistsError`` when there is such a file, ``OSError``.
    """
    return _new(directory, f"vendors/{identifier}.yaml", "vendor", vendor_skeleton(identifier))


def new_criterion(directory: Path, identifier: str) -> Path:
    """Write ``criteria/<id>.yaml`` into a workspace and return its path. Raises as ``new_vendor`` does."""
    return _new(directory, f"criteria/{identifier}.yaml", "criteria", criterion_skeleton(identifier))


def _new(directory: Path, name: str, schema: str, text: str) -> Path:
    if (directory / "docs" / "schema" / f"{schema}.schema.json").is_file():
        text = f"# yaml-language-server: $schema=../docs/schema/{schema}.schema.json\n{text}"
    return write_new(directory / name, text.encode())


def check_identifier(identifier: str) -> None:
    """``ValueError`` for what is no id."""
    if len(identifier) > 64 or _ID.fullmatch(identifier) is None:
        raise ValueError(
            "an id is made of lower-case letters and digits joined by hyphens, such as tls-versions (at most 64)"
        )


def _title(identifier: str) -> str:
    words = identifier.replace("-", " ")
    return words[0].upper() + words[1:]


def _text(word: str) -> str:
    """A word as YAML text: in quotes when it would be a value of its own, as no and null would."""
    return word if yamlfile.read(word.encode()).data == word else f'"{word}"'
