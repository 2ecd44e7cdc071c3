"""What is asked of DNS about messages: DKIM keys and the organisations that names belong to.

Everything goes through ``probes.network.Network``; nothing else here opens a socket. Offline, nothing is asked, and
every answer is missing with the cause ``offline``. Each name is asked once; a name that fails stays missing for
this run, so that one dead name server does not cost its time for every message.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from types import TracebackType

from mailrubric.mail import fields
from probes import policies
from probes.model import Cause, Endpoint, Unmeasured
from probes.network import Network, Options, Surroundings

QUESTIONS = 20_000
"""How many names are asked in one run."""
AT_ONCE = 32
OFFLINE = "offline"
"""The cause of what only the network could tell, in a run that was told to ask nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """The TXT records of a name: none for a name without any. ``cause``: why nothing is known; "" when it is."""

    records: tuple[str, ...] = ()
    cause: str = ""
    detail: str = ""


class Names:
    """TXT records for one run, fetched in groups. Use as ``with Names(options) as names``; ``options`` None is offline.

    Runs an event loop of its own, so it must not be used inside another one.
    """

    def __init__(self, options: Options | None) -> None:
        self._options = options
        self._runner = asyncio.Runner()
        self._surroundings: Surroundings | None = None
        self._texts: dict[str, Text] = {}
        self._organisations: dict[str, str | None] = {}

    def __enter__(self) -> Names:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._surroundings is not None:
            self._runner.run(self._surroundings.close())
        self._runner.close()

    @property
    def offline(self) -> bool:
        """Whether nothing is asked."""
        return self._options is None

    def texts(self, wanted: Iterable[str]) -> dict[str, Text]:
        """The TXT records of these names (lower case), asked side by side."""
        names = dict.fromkeys(wanted)
        new = [name for name in names if name not in self._texts]
        if new and self._options is None:
            self._texts.update((name, Text(cause=OFFLINE, detail="DNS was not asked")) for name in new)
        elif new:
            self._runner.run(self._ask(new))
        return {name: self._texts[name] for name in names}

    async def _ask(self, names: list[str]) -> None:
        assert self._options is not None
        if self._surroundings is None:
            self._surroundings = Surroundings(self._options)
        for start in range(0, len(names), AT_ONCE):
            group = names[start : start + AT_ONCE]
            if len(self._texts) + len(group) > QUESTIONS:
                refusal = Text(cause=Cause.NOT_PERMITTED, detail=f"more than {QUESTIONS:,} names to ask DNS for")
                self._texts.update((name, refusal) for name in group)
                continue
            # A network of its own for each group: its deadline is for one endpoint, not for a whole mailbox.
            endpoint = Endpoint("domain", domain=group[0])
            async with Network(endpoint, self._options, self._surroundings) as network:
                found = await asyncio.gather(*(_text(name, network) for name in group))
            self._texts.update(zip(group, found, strict=True))

    def organisation(self, domain: str) -> str | None:
        """The organisational domain by a tree walk (RFC 9989 §4.10.2); None when DNS does not let one know."""
        if domain not in self._organisations:
            self._organisations[domain] = self._walk(domain)
        return self._organisations[domain]

    def _walk(self, domain: str) -> str | None:
        walk = {name: f"_dmarc.{name}" for name in policies.tree_walk(domain)}
        texts = self.texts(walk.values())
        if any(texts[question].cause for question in walk.values()):
            return None
        records = {name: policies.dmarc_record(texts[question].records) for name, question in walk.items()}
        return policies.organisation(domain, {name: record for name, record in records.items() if record is not None})

    def aligned(self, one: str, other: str) -> bool | None:
        """Whether two domains are of one organisation (relaxed alignment, RFC 9989 §4.4.1); None when DNS would have to
        be asked and does not say.

        Equal names are, and names without a common parent below the top level are not, whatever DNS says.
        """
        if not one or not other:
            return False
        if one == other:
            return True
        if shared_labels(one, other) < 2:
            return False
        mine, theirs = self.organisation(one), self.organisation(other)
        return None if mine is None or theirs is None else mine == theirs


def shared_labels(one: str, other: str) -> int:
    """How many labels two names have in common, from the right."""
    shared = 0
    for mine, theirs in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if mine != theirs:
            break
        shared += 1
    return shared


async def _text(name: str, network: Network) -> Text:
    if not fields.domain(name):
        return Text(cause=Cause.DNS_NXDOMAIN, detail="no name that can stand in DNS")
    try:
        return Text((await network.resolve(name, "TXT")).records)
    except Unmeasured as problem:
        return Text(cause=problem.cause, detail=problem.detail)
