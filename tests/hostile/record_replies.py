"""Record real servers of this machine for ``test_mutated_replies``: ``python -m tests.hostile.record_replies``.

Writes one recording for each service into ``tests/hostile/replies/``: Postfix, Exim, Dovecot and nginx with a
certificate of their own, and a domain that NSD answers for. Needs what ``tests/real`` needs. Run it again when probes
ask for more than the recordings hold.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
from contextlib import ExitStack
from pathlib import Path

from probes.model import Endpoint
from probes.network import Options
from probes.recording import Recorder, to_text
from probes.runner import probe_endpoint
from tests.hostile import faults_web
from tests.real import servers
from tests.real.conftest import zones

FOLDER = Path(__file__).parent / "replies"


async def _record(name: str, endpoint: Endpoint, options: Options) -> None:
    recorder = Recorder(endpoint, options, datetime.datetime.now(datetime.UTC))
    report = await probe_endpoint(endpoint, options=options, tapes=recorder, started=recorder.recording.started)
    recorder.recording.versions = report.versions
    found = sum(each.cause is None for each in report.measurements)
    (FOLDER / f"{name}.json").write_text(to_text(recorder.recording), encoding="ascii")
    print(f"{name}: {found} of {len(report.measurements)} metrics have a value")


def _mail(service: servers.Service, role: str, tls: str = "starttls") -> Endpoint:
    return Endpoint(role, host=service.host, port=service.port, tls=tls)  # type: ignore[arg-type]


def main() -> None:
    """Start the servers, probe each, stop them."""
    FOLDER.mkdir(exist_ok=True)
    with ExitStack() as running:
        authority = servers.Authority(running.enter_context(servers.scratch("authority")))
        resolver = running.enter_context(servers.nsd(zones()))
        issue, domain = authority.issue, servers.DOMAIN
        names = {name: issue(f"{name}.{domain}", rsa=name == "exim") for name in ("postfix", "dovecot", "exim", "www")}
        tls = {
            "smtpd_tls_chain_files": f"{names['postfix'].key}, {names['postfix'].chain}",
            "smtpd_tls_security_level": "may",
        }
        ports = {name: servers.Service.on(f"postfix.{domain}") for name in ("submission", "submissions", "mx")}
        settings = {"submission": {}, "submissions": {"smtpd_tls_wrappermode": "yes"}, "mx": {}}
        running.enter_context(servers.postfix([servers.Listener(ports[name], settings[name]) for name in ports], tls))
        dovecot, _ = running.enter_context(servers.dovecot(names["dovecot"], {"ssl": "required"}))
        exim = running.enter_context(servers.exim(names["exim"], {"tls_advertise_hosts": "*"}))
        www = servers.Service.on(f"www.{domain}")
        certificate = names["www"]
        site = f"""server {{
        listen {www.address}:{www.port} ssl http2; server_name {www.host};
        ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};
        add_header Strict-Transport-Security "max-age=63072000; includeSubDomains; preload";
        root @ROOT@; }}"""
        files = {"api/v2/summary.json": json.dumps(faults_web.SUMMARY), "index.html": "<p>ok"}
        running.enter_context(servers.nginx([site], [www], files))
        endpoints = {
            "postfix-submission": _mail(ports["submission"], "submission"),
            "postfix-submissions": _mail(ports["submissions"], "submission", "implicit"),
            "postfix-mx": _mail(ports["mx"], "mx"),
            "exim-submission": _mail(exim["submission"], "submission"),
            "dovecot-submission": _mail(dovecot["submission"], "submission"),
            "dovecot-imap": _mail(dovecot["imap"], "imap"),
            "dovecot-imaps": _mail(dovecot["imaps"], "imap", "implicit"),
            "dovecot-pop3": _mail(dovecot["pop3"], "pop3"),
            "dovecot-sieve": _mail(dovecot["sieve"], "sieve"),
            "nginx-status": Endpoint("status", url=f"https://{www.host}:{www.port}/", kind="statuspage"),
            "nginx-api": Endpoint("api", url=f"https://{www.host}:{www.port}/"),
            "nsd-domain": Endpoint("domain", domain=domain, selectors=("s1",)),
        }
        options = Options(
            allow_private=True, resolver=resolver, ca_file=str(authority.file), ehlo_name="probe.example.test"
        )
        limits = dataclasses.replace(options.limits, deadline=20, dns_timeout=1, spacing_mx=0.01)
        options = dataclasses.replace(options, limits=limits)
        for name, endpoint in endpoints.items():
            asyncio.run(_record(name, endpoint, options))


if __name__ == "__main__":
    main()
