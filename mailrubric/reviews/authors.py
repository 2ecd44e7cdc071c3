"""Authors of reviews as hashes: two authors of one source are told apart and nobody is named."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_ANONYMOUS = re.compile(
    r"(an? )?(anonym\w*|verified|validated|google|apple|amazon|capterra|g2|trustpilot|deleted|former|guest|unknown|"
    r"private|not provided|n a|none|null|user|reviewer|customer|consumer|kunde|client|hidden)"
    r"( (user|reviewer|customer|consumer|buyer|account|name|author|member|kunde|client))?( (in|at|from) .*)?"
)


def author_hash(source: str, author: str) -> str:
    """A hash of 16 hexadecimal digits for an author's name or account at a source; "" for nobody in particular.

    Letter case and spacing do not matter. The source is the salt, so that one name at two sources has two hashes.
    «Verified User in Marketing», «A Google user» and the like name no single person: taking them for one author would
    leave one review of all theirs.
    """
    name = " ".join(unicodedata.normalize("NFKC", author).casefold().split())
    if not name or _ANONYMOUS.fullmatch(re.sub(r"[\W_]+", " ", name).strip()):
        return ""
    return hashlib.sha256(f"mailrubric review author\0{source}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[
        :16
    ]


def person_hash(source: str, name: str) -> str:
    """As ``author_hash``, for a name as it is displayed: "" also for one that many people bear, such as a given name
    alone or «Amena T.», because two people under one hash would count as one."""
    words = name.replace(",", " ").split()
    return author_hash(source, name) if len(words) > 1 and len(words[-1].strip(".")) > 2 else ""
