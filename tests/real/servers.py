"""Real servers on loopback, each with a configuration and a spool of its own in a throw-away folder.

Nothing here reads or writes the system's own configuration. Every server listens on an address of 127.0.0.0/8 that
belongs to this test run alone, so that even ports such as 25 and 443 never collide with anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import trustme

from tests import needs

START_SECONDS = 15.0
"""How long a server may take until it listens; the slowest here needs one."""

DOMAIN = "example.test"
"""The domain of this run's servers (RFC 6761 keeps ``.test`` free for this)."""

_network = f"127.{random.SystemRandom().randrange(20, 250)}.{random.SystemRandom().randrange(1, 250)}"
_HOSTS = ("ns", "postfix", "dovecot", "exim", "chasquid", "haraka", "www", "mta-sts", "mx1", "mx2", "nobody")
ADDRESSES: dict[str, str] = {f"{name}.{DOMAIN}": f"{_network}.{number}" for number, name in enumerate(_HOSTS, start=1)}
"""Host name → its address, in a loopback network of this test run's own."""


def free_port(address: str) -> int:
    """A port on which nobody listens at ``address``."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder that server processes can reach after they have dropped root (pytest's ``tmp_path`` is root's alone, and
    often too long for the path of a Unix socket)."""
    folder = Path(tempfile.mkdtemp(prefix=f"mailrubric-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give(folder: Path, account: str) -> Path:
    """Create ``folder`` and make it ``account``'s."""
    folder.mkdir(parents=True, exist_ok=True)
    entry = pwd.getpwnam(account)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


def account_of(*names: str) -> str:
    """The first of these accounts that this machine has."""
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    needs.lacking(f"no account {' or '.join(names)} on this machine")


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str | Path],
    listens: Sequence[tuple[str, int]],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    ready: Callable[[], bool] | None = None,
) -> Iterator[None]:
    """Run a server in the foreground until the block ends. It is up when all of ``listens`` accept a connection and
    ``ready`` (if any) says so. What it printed is in the error when it does not come up."""
    output = folder / f"{name}.out"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={"PATH": needs.SYSTEM_PATH, "LANG": "C.UTF-8", **(environment or {})},
            start_new_session=True,
        )
        try:
            _wait(name, process, listens, folder, ready)
            yield
        finally:
            _stop(process)


def _wait(
    name: str,
    process: subprocess.Popen[bytes],
    listens: Sequence[tuple[str, int]],
    folder: Path,
    ready: Callable[[], bool] | None,
) -> None:
    waiting = list(listens)
    until = time.monotonic() + START_SECONDS
    while waiting or (ready is not None and not ready()):
        if process.poll() is not None or time.monotonic() > until:
            ended = f"ended with {process.returncode}" if process.returncode is not None else f"not on {waiting}"
            logs = "\n".join(
                f"--- {path.name}\n{path.read_text(encoding='utf-8', errors='replace')[-3000:]}"
                for path in sorted([*folder.glob("*.out"), *folder.glob("*log*")])
                if path.is_file()
            )
            raise RuntimeError(f"{name} did not come up ({ended})\n{logs}")
        if waiting:
            with contextlib.suppress(OSError), socket.create_connection(waiting[0], timeout=1):
                waiting.pop(0)
                continue
        time.sleep(0.03)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
    # Children that outlived their parent are in its process group: nobody else is.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclasses.dataclass(frozen=True)
class Service:
    """One listener: the host name that its certificate and DNS give it, and its port."""

    host: str
    port: int

    @property
    def address(self) -> str:
        """The address that the name stands for."""
        return ADDRESSES[self.host]

    @classmethod
    def on(cls, host: str, port: int = 0) -> Service:
        """A service on ``host``'s port, or on a free one."""
        return cls(host, port or free_port(ADDRESSES[host]))


# --- certificates -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Certificate:
    """PEM files of one server certificate: ``chain`` (leaf first) and ``key``, both readable by every account."""

    name: str
    chain: Path
    key: Path


class Authority:
    """A certificate authority of this test run; ``file`` is its certificate, for ``--ca``."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self._folder = folder
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.file))
        self.file.chmod(0o644)

    def issue(self, *names: str, rsa: bool = False) -> Certificate:
        """A certificate for these names, with a P-256 key or one of 2048 bits RSA."""
        kind = trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA
        issued = self._authority.issue_cert(*names, key_type=kind)
        stem = f"{names[0]}-{kind.name.lower()}"
        chain, key = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        chain.chmod(0o644)
        key.chmod(0o644)  # the servers read it as different accounts; it is worth nothing
        return Certificate(names[0], chain, key)


# --- DNS --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Zone:
    """One zone; ``lines`` in the format of a zone file (RFC 1035 §5)."""

    origin: str
    lines: Sequence[str] = ()

    def text(self) -> str:
        """The zone file."""
        head = [
            f"$ORIGIN {self.origin}.",
            "$TTL 60",
            f"@ IN SOA ns.{DOMAIN}. hostmaster.{DOMAIN}. 1 3600 600 86400 60",
            f"@ IN NS ns.{DOMAIN}.",
        ]
        hosts = [f"{name}. IN A {address}" for name, address in ADDRESSES.items() if name.endswith("." + self.origin)]
        return "\n".join([*head, *hosts, *self.lines, ""])


@contextlib.contextmanager
def nsd(zones: Sequence[Zone]) -> Iterator[tuple[str, int]]:
    """NSD, an authoritative server, for these zones; its address and port. The zone ``DOMAIN`` names all servers."""
    program = needs.require("nsd", "nsd")
    address = ADDRESSES[f"ns.{DOMAIN}"]
    port = free_port(address)
    with scratch("nsd") as folder:
        config = [
            "server:",
            f"  ip-address: {address}@{port}",
            '  username: ""',
            "  do-ip6: no",
            "  server-count: 1",
            "  rrl-ratelimit: 0",  # otherwise some of a burst of questions get no answer
            f"  zonesdir: {folder}",
            '  database: ""',
            f"  pidfile: {folder}/pid",
            f"  xfrdfile: {folder}/xfrd",
            f"  xfrdir: {folder}",
            f"  zonelistfile: {folder}/zonelist",
            f"  cookie-secret-file: {folder}/cookies",
            "remote-control:",
            "  control-enable: no",
        ]
        for zone in zones:
            (folder / f"{zone.origin}.zone").write_text(zone.text(), encoding="utf-8")
            config += ["zone:", f"  name: {zone.origin}", f"  zonefile: {zone.origin}.zone"]
        (folder / "nsd.conf").write_text("\n".join([*config, ""]), encoding="utf-8")
        with running("nsd", [program, "-d", "-c", folder / "nsd.conf"], [(address, port)], folder):
            yield address, port


# --- Postfix ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Listener:
    """One line of Postfix's master.cf: a daemon on a port, with parameters of its own (``-o name=value``)."""

    service: Service
    parameters: Mapping[str, str]
    daemon: str = "smtpd"


@contextlib.contextmanager
def postfix(listeners: Sequence[Listener], settings: Mapping[str, str], *, more: Sequence[str] = ()) -> Iterator[None]:
    """One Postfix with these listeners; ``settings`` go into main.cf for all, ``more`` are lines of master.cf."""
    needs.require_root()
    needs.require("postfix", "postfix")
    master = Path("/usr/lib/postfix/sbin/master")
    account = account_of("postfix")
    with scratch("postfix") as folder:
        config, queue = folder / "etc", folder / "queue"
        config.mkdir()
        queue.mkdir()
        main = {
            "compatibility_level": "3.6",
            "queue_directory": str(queue),
            "data_directory": str(give(folder / "data", account)),
            "mail_owner": account,
            "setgid_group": "postdrop",
            "myhostname": f"postfix.{DOMAIN}",
            "mynetworks": "192.0.2.0/24",  # nobody: so that nothing is waived for us
            "inet_interfaces": "loopback-only",
            "inet_protocols": "ipv4",
            "mydestination": "",
            "local_recipient_maps": "",
            "alias_maps": "",
            "alias_database": "",
            "smtpd_relay_restrictions": "reject",
            "maillog_file": str(folder / "log"),
            "maillog_file_prefixes": str(folder),
            **settings,
        }
        (config / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in main.items()))
        lines = [
            "postlog unix-dgram n - n - 1 postlogd",
            "anvil unix - - n - 1 anvil",
            "tlsmgr unix - - n 1000? 1 tlsmgr",
            "tlsproxy unix - - n - 0 tlsproxy",
            "smtpd pass - - n - - smtpd",
            "rewrite unix - - n - - trivial-rewrite",
            "cleanup unix n - n - 0 cleanup",
            *more,
        ]
        for listener in listeners:
            place, most = listener.service, "1" if listener.daemon == "postscreen" else "-"
            lines.append(f"{place.address}:{place.port} inet n - n - {most} {listener.daemon}")
            lines += [f"  -o {{ {key} = {value} }}" for key, value in listener.parameters.items()]
        (config / "master.cf").write_text("\n".join([*lines, ""]))
        # Creates the folders of the queue, and says what is wrong with the configuration.
        subprocess.run(
            [needs.require("postfix"), "-c", str(config), "check"],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=30,
        )
        places = [(listener.service.address, listener.service.port) for listener in listeners]
        with running("postfix", [master, "-c", config, "-d"], places, folder):
            yield


# --- Dovecot ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def dovecot(
    certificate: Certificate, settings: Mapping[str, str], *, implicit: bool = True
) -> Iterator[tuple[dict[str, Service], Path]]:
    """One Dovecot with IMAP, POP3 and submission (each in plain text and, if ``implicit``, with TLS from the start) and
    ManageSieve.

    Yields its services, ``imap imaps pop3 pop3s submission submissions sieve``, and the path of a SASL socket for
    Postfix. Its address is not the one that clients here come from: Dovecot takes a connection between equal addresses
    for secure and would offer passwords in plain text.
    """
    needs.require_root()
    program = needs.require("dovecot", "dovecot-core")
    for protocol in ("imap", "pop3", "managesieve", "submission"):
        if not Path(f"/usr/lib/dovecot/{protocol}-login").exists():
            needs.lacking(f"Dovecot's {protocol} is not installed (Debian package dovecot-{protocol}d)")
    host = certificate.name
    protocols = {"imap": "imap", "pop3": "pop3", "submission": "submission", "managesieve": "sieve"}
    listeners = {name: protocol for protocol, name in protocols.items()}
    if implicit:
        listeners |= {f"{name}s": name for name in ("imap", "pop3", "submission")}
    services = {name: Service.on(host) for name in listeners}
    with scratch("dovecot") as folder:
        (folder / "mail").mkdir()
        base = {
            "base_dir": f"{folder}/run",
            "state_dir": f"{folder}/state",
            "log_path": f"{folder}/log",
            "protocols": "imap pop3 submission sieve",
            "listen": ADDRESSES[host],
            "hostname": host,
            "ssl_cert": f"<{certificate.chain}",
            "ssl_key": f"<{certificate.key}",
            "mail_location": f"maildir:{folder}/mail",
            "submission_relay_host": "127.0.0.1",
            "first_valid_uid": "1",
            "default_vsz_limit": "512M",
            **settings,
        }
        text = "".join(f"{key} = {value}\n" for key, value in base.items())
        text += "passdb {\n  driver = static\n  args = password=worth-nothing\n}\n"
        text += f"userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home={folder}/mail\n}}\n"
        for protocol in protocols:
            text += f"service {protocol}-login {{\n"
            for name in (name for name, of in listeners.items() if of == protocol):
                ssl = "\n    ssl = yes" if name not in protocols.values() else ""
                text += f"  inet_listener {name} {{\n    port = {services[name].port}{ssl}\n  }}\n"
            text += "}\n"
        text += f"service auth {{\n  unix_listener {folder}/auth {{\n    mode = 0666\n  }}\n}}\n"
        (folder / "dovecot.conf").write_text(text, encoding="utf-8")
        listens = [(service.address, service.port) for service in services.values()]
        with running("dovecot", [program, "-F", "-c", folder / "dovecot.conf"], listens, folder):
            yield services, folder / "auth"


# --- Exim -------------------------------------------------------------------------------------------------------------


def exim_program() -> Path:
    """Exim's binary: unpacked by ``.ci/run`` beside the installed Postfix (Debian lets only one of them be installed),
    or the installed one. Skips the test when it is not there or can't run."""
    unpacked = needs.CACHE / "exim/usr/sbin/exim4"
    program = unpacked if unpacked.exists() else Path(needs.require("exim4", "exim4-daemon-light"))
    try:
        subprocess.run([program, "--version"], check=False, capture_output=True, timeout=10, stdin=subprocess.DEVNULL)
    except OSError as error:
        needs.lacking(f"Exim cannot be started: {error}")
    return program


@contextlib.contextmanager
def exim(
    certificate: Certificate, settings: Mapping[str, str], *, rules: str = "", more: str = ""
) -> Iterator[dict[str, Service]]:
    """One Exim daemon: ``submission`` with STARTTLS, ``submissions`` with TLS from the start. ``rules`` are ACLs,
    ``more`` further sections."""
    needs.require_root()
    program = exim_program()
    account = account_of("Debian-exim")
    services = {name: Service.on(certificate.name) for name in ("submission", "submissions")}
    with scratch("exim") as folder:
        spool = give(folder / "spool", account)
        main = {
            "primary_hostname": certificate.name,
            "spool_directory": str(spool),
            "log_file_path": f"{give(folder / 'logs', account)}/%slog",
            "pid_file_path": f"{folder}/pid",
            "local_interfaces": "<; " + " ; ".join(f"[{place.address}]:{place.port}" for place in services.values()),
            "tls_on_connect_ports": str(services["submissions"].port),
            "tls_certificate": str(certificate.chain),
            "tls_privatekey": str(certificate.key),
            "smtp_banner": f"{certificate.name} ESMTP",
            "host_lookup": "",
            "rfc1413_hosts": "",
            **settings,
        }
        text = "".join(f"{key} = {value}\n" for key, value in main.items())
        text += f"begin acl\n{rules}begin authenticators\n"
        for name in ("PLAIN", "LOGIN"):
            text += f"{name.lower()}:\n  driver = plaintext\n  public_name = {name}\n  server_prompts = :\n"
            text += "  server_condition = false\n"
        text += more
        config = folder / "exim.conf"
        config.write_text(text, encoding="utf-8")
        config.chmod(0o640)  # Exim refuses a configuration that others may write
        os.chown(config, 0, pwd.getpwnam(account).pw_gid)
        listens = [(place.address, place.port) for place in services.values()]
        with running("exim", [program, "-C", config, "-bdf", "-q1h"], listens, folder):
            yield services


# --- chasquid ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def chasquid(
    certificate: Certificate, *, size_megabytes: int, aliases: str = "", users: Mapping[str, str] | None = None
) -> Iterator[dict[str, Service]]:
    """chasquid with its three listeners: ``mx``, ``submission`` (STARTTLS), ``submissions`` (implicit TLS).
    ``aliases``: who takes mail in the domain of its own name; ``users``: who may log in there (name → password)."""
    program = needs.require("chasquid", "chasquid")
    host = certificate.name
    address = ADDRESSES[host]
    services = {name: Service.on(host) for name in ("mx", "submission", "submissions")}
    with scratch("chasquid") as folder:
        (folder / "data").mkdir()
        (folder / "domains" / host).mkdir(parents=True)
        (folder / "domains" / host / "aliases").write_text(aliases, encoding="utf-8")
        (folder / "hooks").mkdir()
        place = folder / "certs" / host
        place.mkdir(parents=True)
        shutil.copy(certificate.chain, place / "fullchain.pem")
        shutil.copy(certificate.key, place / "privkey.pem")
        (folder / "chasquid.conf").write_text(
            f'hostname: "{host}"\n'
            f"max_data_size_mb: {size_megabytes}\n"
            f'smtp_address: "{address}:{services["mx"].port}"\n'
            f'submission_address: "{address}:{services["submission"].port}"\n'
            f'submission_over_tls_address: "{address}:{services["submissions"].port}"\n'
            f'data_dir: "{folder}/data"\n'
            'mail_log_path: "<stderr>"\n',
            encoding="utf-8",
        )
        for user, password in (users or {}).items():
            util = needs.require("chasquid-util", "chasquid")
            command = [util, f"-C={folder}", "user-add", f"{user}@{host}", f"--password={password}"]
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        listens = [(service.address, service.port) for service in services.values()]
        with running("chasquid", [program, f"-config_dir={folder}"], listens, folder):
            yield services


# --- Haraka -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def haraka(certificate: Certificate, *, size: int, local: str = "") -> Iterator[dict[str, Service]]:
    """Haraka with STARTTLS on ``submission`` and TLS from the start on ``submissions``; AUTH PLAIN, LOGIN and CRAM-MD5
    against a file of accounts, which Haraka offers before TLS too to clients with private addresses. Mail for the
    domain ``local`` is taken and thrown away."""
    node = needs.require("node", "nodejs")
    program = needs.CACHE / "haraka/node_modules/Haraka/bin/haraka"
    if not program.exists():
        needs.lacking("Haraka is not installed (npm package Haraka, by .ci/run)")
    shipped = (program.parents[1] / "config/connection.ini").read_text(encoding="utf-8")
    address = ADDRESSES[certificate.name]
    services = {name: Service.on(certificate.name) for name in ("submission", "submissions")}
    with scratch("haraka") as folder:
        config = folder / "config"
        config.mkdir()
        files = {
            "smtp.ini": f"listen={address}:{services['submission'].port},{address}:{services['submissions'].port}\n"
            f"smtps_port={services['submissions'].port}\nnodes=0\n[headers]\n",
            # Haraka falls over a connection.ini that lacks the sections of the one it ships.
            "connection.ini": shipped.replace("bytes=26214400", f"bytes={size}"),
            "me": f"{certificate.name}\n",
            "plugins": "tls\nauth/flat_file\n" + ("rcpt_to.in_host_list\nqueue/discard\n" if local else ""),
            "host_list": f"{local}\n",
            "auth_flat_file.ini": "[core]\nmethods=PLAIN,LOGIN,CRAM-MD5\n[users]\nsomebody=worth-nothing\n",
            "tls.ini": f"key={certificate.key}\ncert={certificate.chain}\nminVersion=TLSv1.2\n",
            "tls_key.pem": certificate.key.read_text(encoding="utf-8"),
            "tls_cert.pem": certificate.chain.read_text(encoding="utf-8"),
            "log.ini": "[main]\nlevel=NOTICE\n",
        }
        for name, text in files.items():
            (config / name).write_text(text, encoding="utf-8")
        (folder / "queue").mkdir()
        listens = [(service.address, service.port) for service in services.values()]
        environment = {"HOME": str(folder), **({"YES_REALLY_DO_DISCARD": "yes"} if local else {})}
        with running("haraka", [node, program, "-c", folder], listens, folder, environment=environment):
            yield services


# --- nginx ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def nginx(servers: Sequence[str], services: Sequence[Service], files: Mapping[str, str]) -> Iterator[None]:
    """nginx with these ``server { … }`` blocks, in which ``@ROOT@`` stands for the folder of ``files``."""
    program = needs.require("nginx", "nginx-light")
    with scratch("nginx") as folder:
        root = folder / "root"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        temporary = "".join(
            f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        blocks = "\n".join(servers).replace("@ROOT@", str(root))
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{user}daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{\n  access_log off;\n{temporary}"
            "  types { application/json json; text/plain txt; }\n"
            f"{blocks}\n}}\n",
            encoding="utf-8",
        )
        command: list[str | Path] = [program, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]
        with running("nginx", command, [(service.address, service.port) for service in services], folder):
            yield
