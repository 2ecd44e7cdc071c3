"""The lab: mail platforms of different quality on this machine alone, to try and test everything with no network.

``start(directory)`` brings up SMTP, IMAP, POP3, ManageSieve, DNS and HTTPS servers on loopback addresses in a
background thread, and writes a workspace whose vendors, resolver and trust anchor point at them. See ``docs/lab.md``.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from mailrubric.lab.authority import Authority
from mailrubric.lab.files import Folder, as_yaml
from mailrubric.lab.servers import NAMESERVER, LabError, Servers
from mailrubric.lab.vendors import PREFERRED_PORTS, VENDORS, LabVendor, Place, Service

__all__ = ["Lab", "LabError", "LabVendor", "Place", "start"]

_INVENTED = (
    "An invented platform of the local lab: every claim in this file is made up, its servers run on this machine."
)


class Lab:
    """A running lab. Made by ``start``; end it with ``close`` or a ``with`` block.

    ``workspace``: the folder to open with ``--workspace``. ``vendors``: who is in it. ``ports``: where they are.
    ``resolver``: (address, port) of its name server. ``ca_file``: its root certificate.
    ``notes``: what a person should know about this start, one line each.
    """

    def __init__(self, folder: Folder, servers: Servers) -> None:
        self._folder = folder
        self._servers = servers
        self.workspace: Path = folder.directory
        self.vendors: tuple[LabVendor, ...] = VENDORS
        self.ports: Mapping[Place, int] = dict(servers.ports)
        self.resolver: tuple[str, int] = (servers.addresses[NAMESERVER.host], servers.ports[NAMESERVER])
        self.ca_file: Path = folder.directory / "ca.pem"
        self.notes: tuple[str, ...] = tuple(folder.notes)
        if servers.unopened:
            self.notes += ("this user may not open port 443, so the lab's MTA-STS policies cannot be fetched",)

    def close(self) -> None:
        """Stop every server. The workspace's files stay. Safe to call twice."""
        self._servers.close()
        self._folder.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(directory: Path, *, ports: Mapping[Service, int] | None = None) -> Lab:
    """Start the lab and write its workspace into ``directory``, which must be new, empty or the lab's own.

    ``ports``: service (``submission``, ``submissions``, ``mx``, ``imap``, ``imaps``, ``pop3``, ``pop3s``, ``sieve``,
    ``https``, ``dns``) → port, which must then be free at every host; the others are those of the last run over this
    folder, or the usual port plus 10000, or any that is free. Raises ``LabError``; nothing is left running then.
    """
    given = dict(ports or {})
    unknown = given.keys() - (PREFERRED_PORTS.keys() - {"policy"})
    if unknown:
        raise LabError(f"no such service: {', '.join(sorted(unknown))}")
    with contextlib.ExitStack() as stack:
        folder = Folder(directory)
        stack.callback(folder.release)
        authority = Authority()
        servers = Servers(VENDORS, authority)
        former = {
            place: folder.former_ports[f"{place.host}/{place.service}"]
            for place in [NAMESERVER, *(place for vendor in VENDORS for place in vendor.places())]
            if f"{place.host}/{place.service}" in folder.former_ports
        }
        servers.open(given, former)
        stack.callback(servers.close)
        servers.start()
        address, port = servers.addresses[NAMESERVER.host], servers.ports[NAMESERVER]
        today = datetime.datetime.now(datetime.UTC).date()
        files = {"ca.pem": authority.root_pem, "mailrubric.yaml": as_yaml(_settings(f"{address}:{port}"))}
        for vendor in VENDORS:
            comment = f"{vendor.purpose}\n{_INVENTED}"
            files[f"vendors/{vendor.id}.yaml"] = as_yaml(vendor.profile(servers.ports, today), comment=comment)
        folder.write(files, {f"{place.host}/{place.service}": port for place, port in servers.ports.items()})
        lab = Lab(folder, servers)
        stack.pop_all()
        return lab


def _settings(resolver: str) -> dict[str, object]:
    """``mailrubric.yaml``: the shipped criteria, none of the shipped vendors, and this machine only."""
    return {
        "shipped": True,
        "shipped_vendors": False,
        "allow_private": True,
        "resolver": resolver,
        "ca": "ca.pem",
        "ehlo": "prober.lab.test",
        "vantage": "lab",
    }
