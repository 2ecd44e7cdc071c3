"""Which probes there are. A probe's module is imported when the probe is first asked for, so that measuring one
endpoint costs no more imports than it needs."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple, cast

from probes.model import MAIL_ROLES, WEB_ROLES, Endpoint, Metric, Probe, Role


class _Entry(NamedTuple):
    module: str
    factory: str
    roles: frozenset[Role]


_SHIPPED: dict[str, _Entry] = {
    "smtp": _Entry("probes.smtp", "SMTPProbe", frozenset({"submission", "mx"})),
    "imap": _Entry("probes.imap", "IMAPProbe", frozenset({"imap"})),
    "pop3": _Entry("probes.pop3", "POP3Probe", frozenset({"pop3"})),
    "sieve": _Entry("probes.sieve", "SieveProbe", frozenset({"sieve"})),
    "tls": _Entry("probes.tls", "TLSProbe", MAIL_ROLES | WEB_ROLES),
    "resumption": _Entry("probes.resumption", "ResumptionProbe", MAIL_ROLES | WEB_ROLES),
    "certificate": _Entry("probes.certificate", "CertificateProbe", MAIL_ROLES | WEB_ROLES),
    "dns": _Entry("probes.dns", "DNSProbe", frozenset({"domain", "sending"})),
    "names": _Entry("probes.names", "NamesProbe", MAIL_ROLES | {"domain"}),
    "dnssec": _Entry("probes.dnssec", "DNSSECProbe", frozenset({"domain", "mx"})),
    "dane": _Entry("probes.dane", "DANEProbe", frozenset({"mx"})),
    "blocklist": _Entry("probes.blocklists", "BlocklistProbe", frozenset({"mx", "submission"})),
    "delegation": _Entry("probes.delegation", "DelegationProbe", frozenset({"domain"})),
    "bimi": _Entry("probes.bimi", "BIMIProbe", frozenset({"domain"})),
    "discovery": _Entry("probes.discovery", "DiscoveryProbe", frozenset({"domain"})),
    "own_server": _Entry("probes.own_server", "OwnServerProbe", frozenset({"submission", "mx"})),
    "http": _Entry("probes.http", "HTTPProbe", WEB_ROLES),
    "security_txt": _Entry("probes.security_txt", "SecurityTextProbe", frozenset({"web"})),
    "status": _Entry("probes.status", "StatusProbe", frozenset({"status"})),
    "reach": _Entry("probes.reach", "ReachProbe", MAIL_ROLES),
    "latency": _Entry("probes.latency", "LatencyProbe", MAIL_ROLES | WEB_ROLES),
}
"""Name → where it is and the roles it applies to (the same as its class says; here so that asking imports nothing)."""

_added: dict[str, Probe] = {}


def names() -> tuple[str, ...]:
    """Names of all probes, the shipped ones first."""
    return (*_SHIPPED, *(name for name in _added if name not in _SHIPPED))


def probe(name: str) -> Probe:
    """The probe of this name. ``KeyError`` when there is none."""
    return _added[name] if name in _added else _shipped(name)


def probes() -> tuple[Probe, ...]:
    """All probes."""
    return tuple(probe(name) for name in names())


def applicable(endpoint: Endpoint) -> tuple[Probe, ...]:
    """The probes that apply to this endpoint's role; imports no others."""
    return tuple(probe(name) for name in names() if endpoint.role in _roles(name))


def metrics() -> tuple[Metric, ...]:
    """Every metric that the probes declare, sorted by key. ``ValueError`` when two declare the same key."""
    found: dict[str, Metric] = {}
    for each in probes():
        for metric in each.metrics:
            if metric.key in found:
                raise ValueError(f"two probes declare the metric {metric.key}")
            found[metric.key] = metric
    return tuple(found[key] for key in sorted(found))


def unit(metric: str) -> str:
    """The unit of a metric, "" when it has none or no probe declares it. Asks the probes that have been imported first,
    of these the one that it is named after."""
    for name in sorted(names(), key=lambda name: (not _imported(name), name != metric.partition(".")[0])):
        for declared in probe(name).metrics:
            if declared.key == metric:
                return declared.unit
    return ""


def add(extra: Probe) -> None:
    """Make one more probe known in this process; it replaces one of the same name."""
    _added[extra.name] = extra


def add_folder(folder: Path) -> tuple[Probe, ...]:
    """Make the probes of a user's own folder known: each of its ``*.py`` files sets ``PROBE`` to a probe.

    This runs the folder's code: call it for folders that the user has named only. ``ValueError`` names the file that
    sets no ``PROBE``; what its code raises comes through.
    """
    found = []
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith("_"):
            continue
        spec = importlib.util.spec_from_file_location(f"workspace_probes.{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        extra = getattr(module, "PROBE", None)
        if extra is None:
            raise ValueError(f"{path} sets no PROBE")
        add(extra)
        found.append(extra)
    return tuple(found)


def _roles(name: str) -> frozenset[Role]:
    return _added[name].roles if name in _added else _SHIPPED[name].roles


def _imported(name: str) -> bool:
    return name in _added or _SHIPPED[name].module in sys.modules


@functools.cache
def _shipped(name: str) -> Probe:
    entry = _SHIPPED[name]
    return cast(Probe, getattr(importlib.import_module(entry.module), entry.factory)())
