"""Trust stores: the bundled one (certifi), the operating system's, and the one that the user has given."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import importlib.util
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from probes.der import malformed, quiet
from probes.model import Cause, Unmeasured
from probes.replies import printable

if TYPE_CHECKING:
    from cryptography import x509
    from OpenSSL import crypto

STORES = ("bundled", "given", "system")
"""certifi's anchors, those of ``Options.ca_file``, and the operating system's."""

_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep their anchors, for a Python whose OpenSSL was built to look elsewhere."""

_PEM = re.compile(rb"-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----")
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")


@dataclasses.dataclass(frozen=True, slots=True)
class Anchors:
    """Where the trust anchors of a store are: PEM files, and maybe a folder of files named by hash. ``state`` changes
    when one of them does."""

    files: tuple[str, ...]
    folder: str | None
    state: tuple[tuple[int, int], ...]


def _state(path: str) -> tuple[int, int]:
    with contextlib.suppress(OSError):  # reading it will say what is wrong
        found = os.stat(path)
        return found.st_mtime_ns, found.st_size
    return 0, 0


def anchors_at(*files: str, folder: str | None = None) -> Anchors:
    """The anchors in these places, as they are now."""
    return Anchors(files, folder, tuple(_state(path) for path in (*files, *([folder] if folder else []))))


@functools.cache
def certifi_bundle() -> str:
    """The path of certifi's trust anchors. Importing certifi for it costs four times as much as reading them."""
    found = importlib.util.find_spec("certifi")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "cacert.pem"
        if path.is_file():
            return str(path)
    import certifi

    return certifi.where()


def system_anchors() -> Anchors:
    """The operating system's trust anchors, found as OpenSSL finds them (``SSL_CERT_FILE`` and ``SSL_CERT_DIR``
    included). ``Unmeasured(tls_client_unsupported)`` when it has none."""
    paths = ssl.get_default_verify_paths()
    files = [paths.cafile] if paths.cafile is not None else []
    folder: str | None = paths.capath
    if not files and folder is None and not {paths.openssl_cafile_env, paths.openssl_capath_env} & set(os.environ):
        files = [path for path in _SYSTEM_FILES if Path(path).is_file()][:1]
    found = anchors_at(*files, folder=folder)
    if not count(found):
        raise Unmeasured(Cause.TLS_CLIENT_UNSUPPORTED, "this machine's operating system has no trust store")
    return found


def _hashed(folder: str) -> Iterator[Path]:
    """The files of a folder that OpenSSL would look at."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from (Path(entry.path) for entry in entries if _HASHED.fullmatch(entry.name))


@functools.lru_cache(maxsize=8)
def count(anchors: Anchors) -> int:
    """How many anchors there are; those of the folder when there are none in the files, since it holds the same."""
    found = 0
    for path in anchors.files:
        with contextlib.suppress(OSError):
            found += len(_PEM.findall(Path(path).read_bytes()))
    return found or sum(1 for _ in _hashed(anchors.folder or ""))


def anchors_of(ca_file: str | None) -> dict[str, Anchors | Unmeasured]:
    """Every store of ``STORES`` that there is to ask; "given" only with a ``ca_file``. Why not, for one that is not
    there."""
    found: dict[str, Anchors | Unmeasured] = {"bundled": anchors_at(certifi_bundle())}
    if ca_file is not None:
        found["given"] = anchors_at(ca_file)
    try:
        found["system"] = system_anchors()
    except Unmeasured as problem:
        found["system"] = problem
    return found


def describe_stores(ca_file: str | None) -> str:
    """Which trust stores there are, how many anchors each has and of when they are, as a line for the transcript."""
    described = []
    for name, anchors in anchors_of(ca_file).items():
        if isinstance(anchors, Unmeasured):
            described.append(f"{name}: none")
            continue
        changed = max((mtime for mtime, _ in anchors.state), default=0) / 1e9
        day = datetime.datetime.fromtimestamp(changed, datetime.UTC).date().isoformat()
        version = _certifi_version() if name == "bundled" else ""
        described.append(f"{name}: {count(anchors)} anchors{version or f' of {day}'}")
    return "trust stores: " + "; ".join(described)


@functools.cache
def _certifi_version() -> str:
    """The version in the name of certifi's metadata folder; importing certifi or reading metadata costs more."""
    for path in Path(certifi_bundle()).parents[1].glob("certifi-*.dist-info"):
        return f" of certifi {path.name.removeprefix('certifi-').removesuffix('.dist-info')}"
    return ""


@functools.lru_cache(maxsize=8)
def _store(anchors: Anchors, now: datetime.datetime | None) -> crypto.X509Store:
    """The store, read again only when a file has changed (a lab writes a new authority at each start)."""
    from OpenSSL import crypto

    store = crypto.X509Store()
    try:
        for path in anchors.files:
            store.load_locations(path)
        if anchors.folder is not None:
            store.load_locations(None, anchors.folder)
    except (crypto.Error, OSError) as error:
        raise Unmeasured(Cause.PROBE_BUG, f"the trust anchors cannot be read: {printable(str(error), 200)}") from None
    # A trust anchor is trusted as it is (RFC 5280 §6.1.1 d): it need not be self-signed.
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    if now is not None:
        store.set_time(now.astimezone(datetime.UTC))
    return store


_PRESENT = datetime.timedelta(minutes=5)


def store_at(anchors: Anchors, now: datetime.datetime | None) -> crypto.X509Store:
    """The store of these anchors, which verifies at the time ``now`` (None, or a few minutes ago: at the present; a
    store's time can be set only once). ``Unmeasured(probe_bug)`` when they cannot be read: that is our own fault, and
    nothing can be said about anybody's certificate."""
    present = now is None or abs(datetime.datetime.now(datetime.UTC) - now) < _PRESENT
    return _store(anchors, None if present else now)


@functools.lru_cache(maxsize=8)
@quiet
def _certificates_of(anchors: Anchors) -> Mapping[str, tuple[x509.Certificate, ...]]:
    """The anchors themselves, by subject. Those that cannot be read are left out: they vouch for nobody."""
    from cryptography import x509

    found: dict[str, list[x509.Certificate]] = {}
    for path in (*map(Path, anchors.files), *_hashed(anchors.folder or "")):
        with contextlib.suppress(OSError, *malformed()):
            for certificate in x509.load_pem_x509_certificates(path.read_bytes()):
                found.setdefault(canonical(certificate.subject), []).append(certificate)
    return {name: tuple(dict.fromkeys(certificates)) for name, certificates in found.items()}


def known_anchors(name: x509.Name, stores: Iterable[Anchors]) -> list[x509.Certificate]:
    """The anchors of these stores with this subject."""
    found: list[x509.Certificate] = []
    for anchors in stores:
        found += _certificates_of(anchors).get(canonical(name), ())
    return list(dict.fromkeys(found))


def canonical(name: x509.Name) -> str:
    """A name in the form in which RFC 5280 §7.1 compares names: without regard to case and repeated blanks."""
    return " ".join(name.rfc4514_string().casefold().split())
