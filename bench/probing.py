"""One endpoint against SSLyze with the same findings, and 200 endpoints at once, on a real Postfix on loopback.

    python -m bench probe
    python -m bench endpoints

SSLyze (AGPL-3.0) is a peer: it runs as a program from an environment of its own, named by SSLYZE or made on the first
run in the cache folder, and is never imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailrubric.lab.authority import Authority
from tests import needs
from tests.real import servers

ROUNDS = 7
VERSIONS = {"ssl_3_0": "SSLv3", "tls_1_0": "TLSv1.0", "tls_1_1": "TLSv1.1", "tls_1_2": "TLSv1.2", "tls_1_3": "TLSv1.3"}
HOST = "localhost"


def sslyze_program() -> Path:
    """SSLyze's command, installing it into an environment of its own when there is none."""
    given = os.environ.get("SSLYZE")
    if given:
        return Path(given)
    folder = needs.CACHE / "sslyze"
    program = folder / "bin" / "sslyze"
    if not program.exists():
        print(f"installing SSLyze into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", "sslyze"], check=True)
    return program


@contextlib.contextmanager
def postfix() -> Iterator[tuple[servers.Service, Path]]:
    """A Postfix submission server with STARTTLS, TLS 1.2 and 1.3, and the authority of its certificate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        # The lab's authority follows RFC 5280 to the letter, which SSLyze's validation insists on.
        authority = Authority()
        identity = authority.issue([HOST])
        root, chain = folder / "root.pem", folder / "chain.pem"
        root.write_bytes(authority.root_pem)
        key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain.write_bytes(key + b"".join(each.public_bytes(Encoding.PEM) for each in identity.chain))
        service = servers.Service(HOST, servers.free_port("127.0.0.1"))
        parameters = {
            "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": str(chain),
            "smtpd_tls_protocols": ">=TLSv1.2",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_client_connection_rate_limit": "0",
        }
        servers.ADDRESSES.setdefault(HOST, "127.0.0.1")
        with servers.postfix([servers.Listener(service, parameters)], {"default_process_limit": "900"}):
            yield service, root


@contextlib.contextmanager
def delayed(port: int, round_trip_ms: float) -> Iterator[int]:
    """A port that leads to ``port`` with this round trip; the same port for 0."""
    if not round_trip_ms:
        yield port
        return
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


def measured(command: Sequence[str | Path]) -> tuple[float, float, bytes]:
    """(wall seconds, CPU seconds of the process and its children, standard output) of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def ours(port: int, authority: Path) -> list[str | Path]:
    """Our command line for one endpoint: version matrix and certificate, as SSLyze is asked for."""
    return [
        Path(sys.executable).parent / "mailrubric",
        "probe",
        "--target",
        f"smtp://{HOST}:{port}",
        "--json",
        "--allow-private",
        "--ca",
        authority,
        "--probe",
        "tls",
        "--probe",
        "certificate",
    ]


def theirs(program: Path, port: int, authority: Path, output: Path) -> list[str | Path]:
    """SSLyze's command line for the same findings."""
    flags = ["--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--certinfo"]
    return [
        program,
        "--starttls=smtp",
        *flags,
        "--certinfo_ca_file",
        authority,
        "--mozilla_config=disable",
        "--quiet",
        f"--json_out={output}",
        f"{HOST}:{port}",
    ]


def our_findings(output: bytes) -> dict[str, object]:
    """Versions, trust, name and key size from a report."""
    values = {each["metric"]: each["value"] for each in json.loads(output)["measurements"]}
    return {
        "versions": sorted(values["tls.versions"]),
        "trusted": values["certificate.trusted"],
        "name": values["certificate.name_matches"],
        "bits": values["certificate.key_bits"],
    }


def their_findings(output: bytes) -> dict[str, object]:
    """The same from SSLyze's JSON."""
    result = json.loads(output)["server_scan_results"][0]["scan_result"]
    versions = [
        name
        for key, name in VERSIONS.items()
        if (result[f"{key}_cipher_suites"]["result"] or {}).get("accepted_cipher_suites")
    ]
    deployment = result["certificate_info"]["result"]["certificate_deployments"][0]
    leaf = deployment["received_certificate_chain"][0]
    trusted = any(each["was_validation_successful"] for each in deployment["path_validation_results"])
    names = leaf["subject_alternative_name"]["dns_names"]
    return {"versions": versions, "trusted": trusted, "name": HOST in names, "bits": leaf["public_key"]["key_size"]}


def probe() -> list[tuple[str, str]]:
    """Rows for the report: whole-process time and CPU, ours beside SSLyze's."""
    program = sslyze_program()
    rows = []
    with postfix() as (service, authority):
        for round_trip in (0, 50):
            with delayed(service.port, round_trip) as port:
                output = authority.parent / "sslyze.json"
                commands = {"mailrubric": ours(port, authority), "SSLyze": theirs(program, port, authority, output)}
                measured(commands["SSLyze"])
                found = {
                    "mailrubric": our_findings(measured(commands["mailrubric"])[2]),
                    "SSLyze": their_findings(output.read_bytes()),
                }
                if found["mailrubric"] != found["SSLyze"]:
                    raise SystemExit(f"the findings differ, so the times can't be compared: {found}")
                figures: dict[str, tuple[float, float]] = {}
                for name, command in commands.items():
                    runs = [measured(command)[:2] for _ in range(ROUNDS)]
                    figures[name] = (statistics.median(w for w, _ in runs), statistics.median(c for _, c in runs))
                    wall, cpu = figures[name]
                    rows.append((f"{name}, {round_trip} ms round trip", f"{wall:.2f} s, {cpu:.2f} s CPU"))
                (wall, cpu), (their_wall, their_cpu) = figures["mailrubric"], figures["SSLyze"]
                rows.append(
                    (
                        f"ratio at {round_trip} ms (same findings: {found['mailrubric']})",
                        f"{their_wall / wall:.1f} × less time, {their_cpu / cpu:.1f} × less CPU",
                    )
                )
    return rows


def endpoints(count: int = 200) -> list[tuple[str, str]]:
    """Rows for the report: ``count`` endpoints at once in one process, each with its full report."""
    from probes.network import Limits, Options, Surroundings
    from probes.runner import parse_target, probe_endpoint

    rows = []
    with postfix() as (service, authority):
        for round_trip in (0, 50):
            with delayed(service.port, round_trip) as port:
                # One address stands for many servers here, so its own limits are set aside.
                limits = Limits(deadline=60, connections_per_address=100_000, concurrent_per_address=100_000)
                options = Options(limits=limits, allow_private=True, ca_file=str(authority))

                async def everything(port: int = port, options: Options = options) -> list[int]:
                    surroundings = Surroundings(options)
                    reports = await asyncio.gather(
                        *(
                            probe_endpoint(
                                parse_target(f"smtp://{HOST}:{port}"), options=options, surroundings=surroundings
                            )
                            for _ in range(count)
                        )
                    )
                    return [
                        sum(m.value is None and m.cause != "not_applicable" for m in r.measurements) for r in reports
                    ]

                cpu = time.process_time()
                start = time.perf_counter()
                missing = asyncio.run(everything())
                wall, cpu = time.perf_counter() - start, time.process_time() - cpu
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                rows.append(
                    (
                        f"{count} endpoints at once, {round_trip} ms round trip",
                        f"{wall:.1f} s ({count / wall:.0f} a second), {cpu:.1f} s CPU, peak {peak:.0f} MiB, "
                        f"{sum(1 for each in missing if each)} reports with a missing value",
                    )
                )
    return rows
