"""Where benchmarks take place: real servers in a network namespace of their own, clients near or far.

The bench runs itself in a new network and mount namespace (``enter``); nothing of it is seen outside, and it vanishes
with the process. There, ``198.18.0.0/16`` (RFC 2544 keeps it for benchmarks) are all addresses of the servers'
namespace, ``/etc/hosts`` and ``/etc/resolv.conf`` name them, and ``far`` gives clients a namespace with a long way
(``bench.relay``). Where namespaces or TUN are not to be had, the clients stay at home and a delaying TCP proxy
(``bench.proxy``) stands in, which does not delay TCP handshakes; ``World.how`` says which it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.measuring import Figure, progress
from mailrubric.lab.authority import Authority
from tests import needs
from tests.real import servers

DOMAIN = "example.test"
MAIL = f"mail.{DOMAIN}"
NAME_SERVER = "198.18.0.53"
MAIL_ADDRESS = "198.18.0.1"
PORT = 587
MOST = 500
"""How many hosts there are for batches."""
TARGETS = {f"m{number}.{DOMAIN}": f"198.18.{1 + number // 250}.{1 + number % 250}" for number in range(MOST)}
"""Host name → address of the hosts of a batch. One process serves them all; to clients they are strangers."""

_INSIDE = "MAILRUBRIC_BENCH_INSIDE"
_TUN = Path("/dev/net/tun")


def inside() -> bool:
    """Whether we are in namespaces of our own."""
    return bool(os.environ.get(_INSIDE))


def enter(arguments: Sequence[str]) -> int | None:
    """Run the bench with these arguments in namespaces of its own; its exit code. None where it can't be done."""
    command = ["unshare", "--net", "--mount", "--propagation", "private"]
    tools = all(needs.find(name) for name in ("unshare", "nsenter", "ip", "mount", "umount"))
    if os.geteuid() or not _TUN.exists() or not tools or subprocess.run([*command, "true"], check=False).returncode:
        return None
    there = subprocess.Popen([*command, sys.executable, "-m", "bench", *arguments], env={**os.environ, _INSIDE: "1"})
    former = signal.signal(signal.SIGTERM, lambda *_: there.terminate())
    try:
        return there.wait()
    except KeyboardInterrupt:
        return there.wait()  # it has heard that too
    finally:
        signal.signal(signal.SIGTERM, former)


@dataclasses.dataclass(slots=True)
class World:
    """``authority``: PEM file of the servers' root. ``isolated``: whether we are in namespaces of our own."""

    folder: Path
    authority: Path
    chain: Path
    key: Path
    isolated: bool
    resolver: str = ""
    """ADDRESS:PORT of our name server, where it is not the system's: nobody is to ask a real one."""

    @property
    def how(self) -> str:
        """How the way is made longer, in words."""
        if self.isolated:
            return (
                "servers and clients in two network namespaces; the way between them, a relay of IP packets over TUN "
                "devices in a process of its own, delays every packet, TCP handshakes too (at 0 ms: loopback)"
            )
        return (
            "servers on loopback; the delay comes from a TCP proxy in a process of its own, which does not delay TCP "
            "handshakes (no network namespaces here)"
        )

    @property
    def host(self) -> str:
        """The name of the single mail server."""
        return MAIL if self.isolated else "localhost"

    @property
    def targets(self) -> Mapping[str, str]:
        """Name → address of the hosts of a batch; empty where one machine has too few addresses for it."""
        return TARGETS if self.isolated else {}


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Names and certificates for the servers; in our own namespaces the addresses too."""
    isolated = inside()
    with tempfile.TemporaryDirectory(prefix="mailrubric-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        # The lab's authority follows RFC 5280 to the letter, which SSLyze's validation insists on.
        authority = Authority()
        identity = authority.issue([MAIL, f"*.{DOMAIN}", "localhost"])
        made = World(folder, folder / "root.pem", folder / "chain.pem", folder / "key.pem", isolated)
        made.authority.write_bytes(authority.root_pem)
        made.chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in identity.chain))
        made.key.write_bytes(identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        for file in (made.authority, made.chain, made.key):
            file.chmod(0o644)  # the servers read them as different accounts; the key is worth nothing
        servers.ADDRESSES.setdefault("localhost", "127.0.0.1")
        servers.ADDRESSES[MAIL] = MAIL_ADDRESS
        servers.ADDRESSES[f"ns.{servers.DOMAIN}"] = NAME_SERVER if isolated else "127.0.0.1"
        with _names(folder) if isolated else contextlib.nullcontext():
            yield made


@contextlib.contextmanager
def _names(folder: Path) -> Iterator[None]:
    """Give this namespace its addresses, and the names of all hosts."""
    for command in (
        ["link", "set", "lo", "up"],
        ["route", "replace", "local", "198.18.0.0/16", "dev", "lo"],
    ):
        subprocess.run(["ip", *command], check=True, stdin=subprocess.DEVNULL)
    names = {MAIL: MAIL_ADDRESS, **TARGETS}
    files = (
        ("/etc/hosts", "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in names.items())),
        ("/etc/resolv.conf", f"nameserver {NAME_SERVER}\n"),
    )
    with contextlib.ExitStack() as mounted:
        for path, text in files:
            ours = folder / Path(path).name
            ours.write_text(text, encoding="ascii")
            ours.chmod(0o644)
            subprocess.run(["mount", "--bind", ours, path], check=True, stdin=subprocess.DEVNULL)
            mounted.callback(subprocess.run, ["umount", path], check=True, stdin=subprocess.DEVNULL)
        yield


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """How a client gets to the servers. ``prefix`` goes before its command; ``port`` is where the mail server seems to
    be."""

    round_trip_ms: float
    prefix: tuple[str, ...]
    port: int


@contextlib.contextmanager
def far(world: World, round_trip_ms: float, port: int = PORT) -> Iterator[Way]:
    """A way with this round trip to the mail server on ``port``."""
    if not round_trip_ms:
        yield Way(0, (), port)
    elif world.isolated:
        with _namespace() as process, _relay(round_trip_ms, process):
            yield Way(round_trip_ms, ("nsenter", f"--net=/proc/{process}/ns/net"), port)
    else:
        with _proxy(round_trip_ms, port) as listen:
            yield Way(round_trip_ms, (), listen)


@contextlib.contextmanager
def _namespace() -> Iterator[int]:
    """A process that does nothing but keep a new network namespace open; its id."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "86400"])
    try:
        ours, theirs = Path("/proc/self/ns/net"), Path(f"/proc/{holder.pid}/ns/net")
        until = time.monotonic() + 5
        while os.readlink(theirs) == os.readlink(ours):
            if time.monotonic() > until:
                raise RuntimeError("no new network namespace came about")
            time.sleep(0.01)
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


@contextlib.contextmanager
def _relay(round_trip_ms: float, process: int) -> Iterator[None]:
    relay = subprocess.Popen(
        [sys.executable, "-m", "bench.relay", str(round_trip_ms), str(process), "198.19.0.1", "198.19.0.2"],
        stdout=subprocess.PIPE,
    )
    try:
        if relay.stdout is None or relay.stdout.readline() != b"ready\n":
            raise RuntimeError("the relay did not come up")
        yield
    finally:
        relay.kill()
        relay.wait()


@contextlib.contextmanager
def _proxy(round_trip_ms: float, port: int) -> Iterator[int]:
    listen = servers.free_port("127.0.0.1")
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.proxy", str(listen), "127.0.0.1", str(port), str(round_trip_ms)]
    )
    try:
        time.sleep(0.5)
        yield listen
    finally:
        process.terminate()
        process.wait()


# --- servers ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def postfix(world: World) -> Iterator[int]:
    """Debian's Postfix as a submission server with STARTTLS, TLS 1.2 and 1.3; its port."""
    service = servers.Service(world.host, PORT if world.isolated else servers.free_port("127.0.0.1"))
    both = world.folder / "both.pem"
    both.write_bytes(world.key.read_bytes() + world.chain.read_bytes())
    both.chmod(0o644)
    parameters = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_chain_files": str(both),
        "smtpd_tls_protocols": ">=TLSv1.2",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_connection_rate_limit": "0",
    }
    with servers.postfix(
        [servers.Listener(service, parameters)],
        {"default_process_limit": "900", "myhostname": MAIL, "smtpd_peername_lookup": "no"},
    ):
        yield service.port


@contextlib.contextmanager
def chasquid(world: World) -> Iterator[int]:
    """chasquid, which serves every address in one process and so is cheap with hundreds of connections; its id."""
    program = needs.require("chasquid", "chasquid")
    folder = world.folder / "chasquid"
    place = folder / "certs" / MAIL
    for each in (folder / "data", folder / "domains" / MAIL, folder / "hooks", place):
        each.mkdir(parents=True, exist_ok=True)
    (place / "fullchain.pem").write_bytes(world.chain.read_bytes())
    (place / "privkey.pem").write_bytes(world.key.read_bytes())
    (folder / "chasquid.conf").write_text(
        f'hostname: "{MAIL}"\nsubmission_address: ":{PORT}"\ndata_dir: "{folder}/data"\n'
        f'mail_log_path: "{folder}/mail.log"\nsmtp_address: "127.0.0.1:2525"\n'
        'submission_over_tls_address: "127.0.0.1:4650"\n',
        encoding="utf-8",
    )
    with servers.running("chasquid", [program, f"-config_dir={folder}"], [(MAIL_ADDRESS, PORT)], world.folder):
        # Whoever listens on that port here: there is but one.
        found = subprocess.run(["pgrep", "-n", "-x", "chasquid"], capture_output=True, text=True, check=True)
        yield int(found.stdout)


@contextlib.contextmanager
def name_server(world: World) -> Iterator[tuple[str, int]]:
    """NSD with the domain of all hosts and one with mail policies; its address and port. In our own namespaces it is
    the resolver of ``/etc/resolv.conf``."""
    records = [
        f'@ IN TXT "v=spf1 ip4:198.51.100.0/24 include:_spf.{DOMAIN} -all"',
        '_spf IN TXT "v=spf1 ip4:203.0.113.0/24 ip4:192.0.2.0/25 -all"',
        '_dmarc IN TXT "v=DMARC1; p=reject; rua=mailto:reports@example.test"',
        "@ IN MX 10 mail",
        f"mail IN A {MAIL_ADDRESS}",
        *(f"{name.partition('.')[0]} IN A {address}" for name, address in TARGETS.items()),
    ]
    pointers = [f"1.0 IN PTR {MAIL}."]
    for name, address in TARGETS.items():
        third, fourth = address.split(".")[2:]
        pointers.append(f"{fourth}.{third} IN PTR {name}.")
    zones = [servers.Zone(DOMAIN, records), servers.Zone("18.198.in-addr.arpa", pointers)]
    with _fixed_port(53 if world.isolated else 0), servers.nsd(zones) as place:
        world.resolver = "" if world.isolated else f"{place[0]}:{place[1]}"
        yield place


@contextlib.contextmanager
def _fixed_port(port: int) -> Iterator[None]:
    """Let the next server take this port instead of a free one (0: a free one after all)."""
    former = servers.free_port
    if port:
        servers.free_port = lambda address: port
    try:
        yield
    finally:
        servers.free_port = former


@contextlib.contextmanager
def cpu_of(process: int, figure: Figure) -> Iterator[None]:
    """Add to ``figure.cpu`` the CPU seconds that a running process uses inside the block."""
    before = cpu_seconds(process)
    yield
    figure.cpu += cpu_seconds(process) - before


def cpu_seconds(process: int) -> float:
    """CPU seconds of a running process so far, without its children."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(process: int) -> float:
    """The most memory that a running process has had at once, in MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    progress(f"no VmHWM for process {process}")
    return 0.0
