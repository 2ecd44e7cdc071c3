"""The programs we are compared with: how each is had, called and read, and our own call for the same findings.

Every peer runs as a program of its own and is never imported (SSLyze is AGPL-3.0, testssl.sh and swaks GPL-2.0, nmap
NPSL, blackbox_exporter and checkdmarc Apache-2.0). Python peers live in virtual environments in the cache folder; the
others are Debian's packages and are left out, with a word, where they are not installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import sys
import venv
import xml.etree.ElementTree
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.measuring import CACHE, progress
from bench.world import DOMAIN, MAIL_ADDRESS, World
from tests import needs

Findings = Mapping[str, object]
Command = list[str | Path]


class Absent(Exception):
    """This peer is not installed here; the text says how to get it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ours:
    """Our own call. ``what``: the findings, in words; ``read`` turns a report into those that are compared."""

    what: str
    command: Callable[[World, str, int], Command]
    read: Callable[[bytes], Findings]


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """One program. ``command`` makes the command line for a host and port, ``read`` turns its output into findings;
    ``ours``: our calls that it is compared with, each for all of its findings or some."""

    key: str
    name: str
    command: Callable[[World, str, int], Command]
    read: Callable[[World, bytes], Findings]
    ours: tuple[Ours, ...]


def debian(program: str, package: str) -> str:
    """The path of a program of a Debian package; ``Absent`` without it."""
    path = needs.find(program)
    if path is None:
        raise Absent(f"not installed (Debian package {package})")
    return path


def python_program(package: str, program: str) -> Path:
    """A command from PyPI, installed into an environment of its own when it is not there yet. An environment variable
    with the command's name in capitals names another one."""
    given = os.environ.get(program.upper())
    if given:
        return Path(given)
    folder = CACHE / program
    path = folder / "bin" / program
    if not path.exists():
        progress(f"installing {package} into {folder}")
        try:
            venv.create(folder, with_pip=True, clear=True)
            subprocess.run(
                [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", package], check=True
            )
        except (subprocess.CalledProcessError, OSError) as error:
            raise Absent(f"could not be installed from PyPI ({error})") from None
    return path


def prepare(only: Sequence[str]) -> None:
    """Install the Python peers, which can't be done where there is no network. What fails is told where it is used."""
    for name in ("sslyze", "checkdmarc"):
        if not only or name in only:
            with contextlib.suppress(Absent):
                python_program(name, name)


def versions() -> str:
    """The versions of the peers and servers that are here, as a sentence."""
    found: list[tuple[str, Command]] = []
    for name in ("sslyze", "checkdmarc"):
        wanted = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
        found.append((name, [CACHE / name / "bin" / "python", "-c", wanted]))
    found += [
        ("testssl.sh", ["dpkg-query", "-W", "-f", "${Version}", "testssl.sh"]),
        ("nmap", ["dpkg-query", "-W", "-f", "${Version}", "nmap"]),
        ("swaks", ["dpkg-query", "-W", "-f", "${Version}", "swaks"]),
        ("blackbox_exporter", ["dpkg-query", "-W", "-f", "${Version}", "prometheus-blackbox-exporter"]),
        ("Postfix", ["dpkg-query", "-W", "-f", "${Version}", "postfix"]),
        ("chasquid", ["dpkg-query", "-W", "-f", "${Version}", "chasquid"]),
    ]
    return "Versions: " + ", ".join(f"{name} {_said(command) or 'unknown'}" for name, command in found) + "."


def _said(command: Sequence[str | Path]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


EVERY_SUITE = "versions, every cipher suite, certificate (trust, name, key)"
NO_SUITES = "versions, certificate (it has to try every suite for the versions, we don't)"
EXTENSIONS = "EHLO extensions (ours: TLS and all that follows, too)"


# --- ours -------------------------------------------------------------------------------------------------------------


def mailrubric() -> Path:
    """Our command, of the environment that the bench runs in."""
    return Path(sys.executable).parent / "mailrubric"


def our_command(*words: str, target: str = "smtp") -> Callable[[World, str, int], Command]:
    """``mailrubric probe --target`` with these further words."""

    def command(world: World, host: str, port: int) -> Command:
        place = f"dns://{DOMAIN}" if target == "dns" else f"{target}://{host}:{port}"
        resolver = ["--resolver", world.resolver] if world.resolver else []
        return [
            mailrubric(), "probe", "--target", place, "--json", "--allow-private", "--ca", world.authority, *resolver,
            *words,
        ]  # fmt: skip

    return command


def values_of(output: bytes) -> dict[str, object]:
    """Metric → value of a report; those without a value are left out."""
    return {each["metric"]: each["value"] for each in json.loads(output)["measurements"] if each["cause"] is None}


def some_of(output: bytes, **metrics: str) -> Findings:
    """These metrics of a report under the given names; a missing one is None, sets are sorted lists."""
    values = values_of(output)
    return {name: _plain(values.get(metric)) for name, metric in metrics.items()}


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, list) else value


# --- SSLyze -----------------------------------------------------------------------------------------------------------

SSLYZE_VERSIONS = {
    "ssl_3_0": "SSLv3", "tls_1_0": "TLSv1.0", "tls_1_1": "TLSv1.1", "tls_1_2": "TLSv1.2", "tls_1_3": "TLSv1.3",
}  # fmt: skip


def sslyze_flags(world: World) -> Command:
    """Versions with their suites, and the certificate; JSON into the folder of the world."""
    return [
        python_program("sslyze", "sslyze"), "--starttls=smtp", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2",
        "--tlsv1_3", "--certinfo", "--certinfo_ca_file", world.authority, "--mozilla_config=disable", "--quiet",
        f"--json_out={world.folder / 'sslyze.json'}",
    ]  # fmt: skip


def read_sslyze_server(server: Mapping[str, object], host: str) -> Findings:
    """Findings on one server of SSLyze's JSON."""
    result = json.loads(json.dumps(server))["scan_result"]
    suites: list[str] = []
    versions = []
    for key, version in SSLYZE_VERSIONS.items():
        accepted = (result[f"{key}_cipher_suites"]["result"] or {}).get("accepted_cipher_suites", [])
        suites += [each["cipher_suite"]["name"] for each in accepted]
        versions += [version] if accepted else []
    deployment = result["certificate_info"]["result"]["certificate_deployments"][0]
    leaf = deployment["received_certificate_chain"][0]
    names = leaf["subject_alternative_name"]["dns_names"]
    wildcard = "*." + host.partition(".")[2]
    return {
        "versions": versions,
        "suites": sorted(set(suites)),
        "trusted": any(each["was_validation_successful"] for each in deployment["path_validation_results"]),
        "name matches": host in names or wildcard in names,
        "key bits": leaf["public_key"]["key_size"],
    }


def _read_sslyze(world: World, output: bytes) -> Findings:
    document = json.loads((world.folder / "sslyze.json").read_bytes())
    return read_sslyze_server(document["server_scan_results"][0], world.host)


def our_versions_and_certificate(output: bytes) -> Findings:
    """What SSLyze finds but the suites, of a report of ours."""
    return {
        **some_of(output, versions="tls.versions", trusted="certificate.trusted"),
        **some_of(output, **{"name matches": "certificate.name_matches", "key bits": "certificate.key_bits"}),
    }


def our_tls_and_certificate(output: bytes) -> Findings:
    """All that SSLyze is asked for, of a report of ours."""
    return {**our_versions_and_certificate(output), **some_of(output, suites="tls.suites")}


# --- testssl.sh -------------------------------------------------------------------------------------------------------

TESTSSL_VERSIONS = {
    "SSLv3": "SSLv3", "TLS 1": "TLSv1.0", "TLS 1.1": "TLSv1.1", "TLS 1.2": "TLSv1.2", "TLS 1.3": "TLSv1.3",
}  # fmt: skip
TESTSSL_FAMILIES: dict[str, frozenset[str]] = {
    "NULL ciphers": frozenset({"null"}),
    "Anonymous NULL Ciphers": frozenset({"anonymous"}),
    "Export ciphers": frozenset({"export"}),
    "LOW: 64 Bit + DES, RC[2,4]": frozenset({"des", "rc2", "rc4"}),
    "Triple DES Ciphers / IDEA": frozenset({"3des", "idea"}),
}
"""testssl.sh's category → our names of the families in it."""


def testssl_flags(world: World) -> Command:
    """Protocols and standard cipher categories (``-p``, ``-s``), without DNS."""
    return [
        debian("testssl", "testssl.sh"), "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none",
        "-t", "smtp", "-p", "-s",
    ]  # fmt: skip


def _testssl(world: World, host: str, port: int) -> Command:
    address = MAIL_ADDRESS if world.isolated else "127.0.0.1"
    return [*testssl_flags(world), "--ip", address, f"{host}:{port}"]


def read_testssl(text: str) -> Findings:
    """Versions and weak families, of what testssl.sh prints on one server."""
    offered = {name for name in (*TESTSSL_VERSIONS, *TESTSSL_FAMILIES) if _offered(name, text)}
    return {
        "versions": [version for name, version in TESTSSL_VERSIONS.items() if name in offered],
        "weak suites": [name for name in TESTSSL_FAMILIES if name in offered],
    }


def _offered(name: str, text: str) -> bool:
    return re.search(rf"^ {re.escape(name)}(?: \([^)]*\))?  +offered\b", text, re.MULTILINE) is not None


def our_versions_and_families(output: bytes) -> Findings:
    """What testssl.sh is asked for, of a report of ours."""
    found = dict(some_of(output, versions="tls.versions", families="tls.weak_families"))
    families = found.pop("families")
    if not isinstance(families, list):
        return {**found, "weak suites": None}
    return {**found, "weak suites": [name for name, kinds in TESTSSL_FAMILIES.items() if kinds & set(families)]}


# --- nmap -------------------------------------------------------------------------------------------------------------


def _nmap(script: str) -> Callable[[World, str, int], Command]:
    def command(world: World, host: str, port: int) -> Command:
        # The plus makes the script run on whatever port the server has here.
        words: Command = ["-Pn", "-n", "-p", str(port), "--script", f"+{script}", "-oX", world.folder / "nmap.xml"]
        return [debian("nmap", "nmap"), *words, host]

    return command


def _nmap_script(world: World) -> xml.etree.ElementTree.Element:
    tree = xml.etree.ElementTree.parse(world.folder / "nmap.xml")
    found = tree.find(".//script")
    if found is None:
        raise ValueError("nmap's script said nothing")
    return found


def _read_nmap_ciphers(world: World, output: bytes) -> Findings:
    versions, suites = [], set()
    for table in _nmap_script(world).findall("table"):
        versions.append(table.get("key", ""))
        for suite in table.findall("table[@key='ciphers']/table/elem[@key='name']"):
            # Suites of TLS 1.3 get a made-up key exchange in their names here.
            suites.add((suite.text or "").replace("TLS_AKE_WITH_", "TLS_"))
    return {"versions": sorted(versions), "suites": sorted(suites)}


def _read_nmap_commands(world: World, output: bytes) -> Findings:
    said = (_nmap_script(world).get("output") or "").split(", ")
    return {"extensions": sorted(each.split()[0] for each in said[1:])}


def our_versions_and_suites(output: bytes) -> Findings:
    """What nmap's ssl-enum-ciphers finds, of a report of ours."""
    return some_of(output, versions="tls.versions", suites="tls.suites")


def our_extensions(output: bytes) -> Findings:
    """The EHLO keywords before TLS, of a report of ours."""
    return some_of(output, extensions="smtp.extensions")


# --- swaks ------------------------------------------------------------------------------------------------------------


def _swaks(world: World, host: str, port: int) -> Command:
    return [debian("swaks", "swaks"), "--server", host, "--port", str(port), "--quit-after", "EHLO"]


def _read_swaks(world: World, output: bytes) -> Findings:
    lines = [line.decode() for line in output.splitlines() if line.startswith(b"<-  250")]
    return {"extensions": sorted(line[8:].split()[0] for line in lines[1:])}


# --- checkdmarc -------------------------------------------------------------------------------------------------------


def _checkdmarc(world: World, host: str, port: int) -> Command:
    if not world.isolated:
        raise Absent("not measured: it cannot be given a name server on a port of its own")
    return [python_program("checkdmarc", "checkdmarc"), DOMAIN]


def _read_checkdmarc(world: World, output: bytes) -> Findings:
    said = json.loads(output[output.index(b"{") :])
    return {
        "MX hosts": sorted(each["hostname"] for each in said["mx"]["hosts"]),
        "SPF lookups": said["spf"]["dns_lookups"],
        "DMARC policy": said["dmarc"]["tags"]["p"]["value"],
        "MTA-STS": bool(said["mta_sts"]["valid"]),
        "TLS-RPT": bool(said["smtp_tls_reporting"]["valid"]),
    }


def our_policies(output: bytes) -> Findings:
    """What checkdmarc is asked for, of a report of ours."""
    return some_of(
        output,
        **{"MX hosts": "dns.mx_hosts", "SPF lookups": "spf.lookups", "DMARC policy": "dmarc.policy"},
        **{"MTA-STS": "mta_sts.record", "TLS-RPT": "tls_rpt.present"},
    )


_FULL = our_command("--probe", "tls", "--probe", "certificate", "--depth", "full")
"""The same for everybody who lists suites, though some list less: so it is measured once."""

PEERS: tuple[Peer, ...] = (
    Peer(
        "sslyze", "SSLyze", lambda world, host, port: [*sslyze_flags(world), f"{host}:{port}"], _read_sslyze,
        (
            Ours(EVERY_SUITE, _FULL, our_tls_and_certificate),
            Ours(NO_SUITES, our_command("--probe", "tls", "--probe", "certificate"), our_versions_and_certificate),
        ),
    ),
    Peer(
        "testssl", "testssl.sh -p -s", _testssl, lambda world, output: read_testssl(output.decode("utf-8", "replace")),
        (Ours("versions, weak suites by family", _FULL, our_versions_and_families),),
    ),
    Peer(
        "nmap", "nmap ssl-enum-ciphers", _nmap("ssl-enum-ciphers"), _read_nmap_ciphers,
        (Ours("versions, every cipher suite", _FULL, our_versions_and_suites),),
    ),
    Peer(
        "smtp-commands", "nmap smtp-commands", _nmap("smtp-commands"), _read_nmap_commands,
        (Ours(EXTENSIONS, our_command("--probe", "smtp"), our_extensions),),
    ),
    Peer(
        "swaks", "swaks --quit-after EHLO", _swaks, _read_swaks,
        (Ours(EXTENSIONS, our_command("--probe", "smtp"), our_extensions),),
    ),
    Peer(
        "checkdmarc", "checkdmarc", _checkdmarc, _read_checkdmarc,
        (
            Ours(
                "MX, SPF with its lookups, DMARC, MTA-STS, TLS-RPT", our_command("--probe", "dns", target="dns"),
                our_policies,
            ),
        ),
    ),
)  # fmt: skip
