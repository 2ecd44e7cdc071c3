"""What a run with ``--own-server`` says before it does anything intrusive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mailrubric.cli.terminal import Usage, complain

if TYPE_CHECKING:
    from probes.model import Endpoint
    from probes.network import Options


def announce(endpoints: Iterable[Endpoint], options: Options) -> None:
    """Say on stderr which endpoints are asked what. ``Usage`` when there is none: whoever says ``--own-server`` means
    one of his own, and it has to be named in the workspace."""
    from probes.network import is_own_server

    own = []
    for endpoint in endpoints:
        found_later = not endpoint.host and endpoint.domain.lower() in options.own_servers
        if endpoint.role in ("submission", "mx") and (found_later or is_own_server(endpoint, options.own_servers)):
            own.append(endpoint.key)
    if not own:
        names = ", ".join(sorted(options.own_servers))
        raise Usage(f"--own-server: no SMTP endpoint of this run is among the own_servers of mailrubric.yaml ({names})")
    complain(f"Asked what is intrusive, as mailrubric.yaml and --own-server say: {', '.join(dict.fromkeys(own))}")
    complain("  malformed addresses, VRFY, EXPN, recipients in example.org (given up before any text), wrong commands")
    recipient = options.own_server_recipient
    complain(
        f"  up to 26 test messages to {recipient}"
        if recipient
        else "  no test messages, since own_server_recipient names no mailbox"
    )
