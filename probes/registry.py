"""Which probes there are. A probe's module is imported when the probe is first asked for, so that measuring one
endpoint costs no more imports than it needs."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
import traceback
import types
from pathlib import Path
from typing import NamedTuple, cast, get_args

from probes.model import MAIL_ROLES, ROLES, WEB_ROLES, Endpoint, Metric, MetricType, Probe, Role


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
_of_folder: list[str] = []  # names in _added that came from a user's own folder
_loaded: dict[tuple[Path, int, int], Probe] = {}


def names() -> tuple[str, ...]:
    """Names of all probes, the shipped ones first."""
    return (*_SHIPPED, *(name for name in _added if name not in _SHIPPED))


def shipped_names() -> tuple[str, ...]:
    """Names of the shipped probes."""
    return tuple(_SHIPPED)


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


@functools.lru_cache(4096)
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
    unit.cache_clear()


class BrokenProbe(ValueError):
    """A file of a user's own folder that gives no probe. ``line``: where, 0 when it is the file as a whole."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")
        self.path = path
        self.line = line
        self.message = message


def own_files(folder: Path) -> list[Path]:
    """The files of a user's own ``probes/`` folder that are to give a probe: ``*.py``, but for helpers (``_…``) and
    tests (``test_…``, ``conftest.py``). None in a folder that is a package, such as the one with the shipped probes."""
    if (folder / "__init__.py").exists():
        return []
    return [
        path
        for path in sorted(folder.glob("*.py"))
        if not path.name.startswith(("_", "test_")) and path.name != "conftest.py"
    ]


def add_folder(folder: Path) -> tuple[tuple[Probe, ...], tuple[BrokenProbe, ...]]:
    """Make the probes of a user's own folder known, each set as ``PROBE`` by one of its ``own_files``; and what is
    wrong with the files that give none, which costs the others nothing. Those of another folder are forgotten.

    This runs the folder's code: call it for the folder of the user's own workspace only. A file that has not changed
    since is not run again.
    """
    for name in _of_folder:
        _added.pop(name, None)
    _of_folder.clear()
    unit.cache_clear()
    found: list[Probe] = []
    broken: list[BrokenProbe] = []
    for path in own_files(folder):
        try:
            extra = load_file(path)
            _check_names(extra, path)
        except BrokenProbe as problem:
            broken.append(problem)
        else:
            add(extra)
            _of_folder.append(extra.name)
            found.append(extra)
    return tuple(found), tuple(broken)


def load_file(path: Path) -> Probe:
    """The probe that a file sets as ``PROBE``. This runs the file. Raises ``BrokenProbe``."""
    try:
        state = path.stat()
        key = (path.absolute(), state.st_mtime_ns, state.st_size)
        if key not in _loaded:
            _loaded[key] = _run(path, path.read_bytes())
    except OSError as error:
        raise BrokenProbe(path, 0, f"it cannot be read: {error.strerror or error}") from None
    return _loaded[key]


def _run(path: Path, source: bytes) -> Probe:
    module = types.ModuleType(f"workspace_probes.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look for what their annotations mean
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 (it is the user's own code)
    except SyntaxError as error:
        raise BrokenProbe(path, error.lineno or 0, f"{type(error).__name__}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        # Whatever the user's code raises is his to mend: it becomes a problem with its place in his file.
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        raise BrokenProbe(path, (lines and lines[-1]) or 0, f"{type(error).__name__}: {error}") from None
    extra = getattr(module, "PROBE", None)
    if extra is None:
        raise BrokenProbe(path, 0, "it sets no PROBE")
    fault = _fault(extra)
    if fault:
        raise BrokenProbe(path, 0, fault)
    return cast(Probe, extra)


def _fault(extra: object) -> str:
    """What keeps an object from being a probe; "" when it is one."""
    name, roles, declared = (getattr(extra, each, None) for each in ("name", "roles", "metrics"))
    if isinstance(extra, type):
        return "PROBE is a class: make it an instance, as in PROBE = Weather()"
    if not isinstance(name, str) or re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) is None:
        return "the probe's name is not made of lower-case letters, digits and underscores"
    if not isinstance(roles, frozenset) or not roles or not roles <= set(ROLES):
        return f"the probe's roles are not a frozenset of some of {', '.join(ROLES)}"
    if not isinstance(declared, tuple) or not declared or not all(isinstance(each, Metric) for each in declared):
        return "the probe's metrics are not a tuple of Metric"
    for metric in declared:
        if re.fullmatch(rf"{name}\.[a-z][a-z0-9_]*", metric.key) is None:
            return f"the metric {metric.key!r} does not begin with the probe's name, as in {name}.answer"
        if metric.type not in get_args(MetricType) or (metric.type == "level") != bool(metric.levels):
            return f"the type of {metric.key} is none of {', '.join(get_args(MetricType))}, or has no levels"
    if not inspect.iscoroutinefunction(getattr(extra, "measure", None)):
        return "the probe has no method: async def measure(self, endpoint, network)"
    return ""


def _check_names(extra: Probe, path: Path) -> None:
    """``BrokenProbe`` when a metric is already another probe's."""
    keys = [metric.key for metric in extra.metrics]
    for name in names():
        if name != extra.name:
            taken = {metric.key for metric in probe(name).metrics}.intersection(keys)
            if taken:
                raise BrokenProbe(path, 0, f"the probe {name} has a metric {min(taken)} already")
    if len(set(keys)) < len(keys):
        raise BrokenProbe(path, 0, "it declares a metric twice")


def _roles(name: str) -> frozenset[Role]:
    return _added[name].roles if name in _added else _SHIPPED[name].roles


def _imported(name: str) -> bool:
    return name in _added or _SHIPPED[name].module in sys.modules


@functools.cache
def _shipped(name: str) -> Probe:
    entry = _SHIPPED[name]
    return cast(Probe, getattr(importlib.import_module(entry.module), entry.factory)())
