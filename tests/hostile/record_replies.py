"""Record real servers of this machine for ``test_mutated_replies``: ``python -m tests.hostile.record_replies``.

Writes one recording for each service into ``tests/hostile/replies/``: Postfix, Exim, Dovecot and nginx with a
certificate of their own, and a domain that NSD answers for. Needs what ``tests/real`` needs. Run it again when probes
ask for more than the recordings hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import hashlib
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from probes.model import Endpoint, Report, Role, TLSMode
from probes.network import Options
from probes.recording import Recorder, Recording, read, to_text
from probes.replay import replay
from probes.runner import probe_endpoint
from tests.hostile import faults_web
from tests.probes.dnsserver import Records, name_server
from tests.real import servers
from tests.real.conftest import zones

FOLDER = Path(__file__).parent / "replies"


async def _record(endpoint: Endpoint, options: Options, zone: Records | None) -> tuple[Report, Recording]:
    recorder = Recorder(endpoint, options, datetime.datetime.now(datetime.UTC))
    async with contextlib.AsyncExitStack() as running:
        if zone is not None:
            asked = await running.enter_async_context(name_server(zone))
            options = dataclasses.replace(options, resolver=asked.resolver)
        report = await probe_endpoint(endpoint, options=options, tapes=recorder, started=recorder.recording.started)
    recorder.recording.versions = report.versions
    return report, recorder.recording


def _mail(service: servers.Service, role: Role, tls: TLSMode = "starttls") -> Endpoint:
    return Endpoint(role, host=service.host, port=service.port, tls=tls)


def _signed(mx: servers.Service, key: str) -> Records:
    """A signed zone, as a validating resolver shows it: mail host with DANE, and every policy a domain can have."""
    domain = servers.DOMAIN
    here = {f"{name}.{domain}": {"A": [servers.ADDRESSES[f"{name}.{domain}"]]} for name in ("postfix", "www")}
    return {
        **here,
        "": {"SIGNED": ["yes"]},
        "test": {"SIGNED": ["yes"], "SOA": ["ns.test. root.test. 1 3600 600 86400 300"]},
        "iana.org": {"SIGNED": ["yes"], "SOA": ["ns.iana.org. root.iana.org. 1 3600 600 86400 300"]},
        "dnssec-failed.org": {"FAULT": ["BOGUS"]},
        domain: {
            "MX": [f"10 {mx.host}."],
            "NS": [f"ns.{domain}."],
            "SOA": [f"ns.{domain}. root.{domain}. 1 3600 600 1209600 300"],
            "TXT": ['"v=spf1 mx ip4:192.0.2.0/28 -all"'],
            "CAA": ['0 issue "authority.test"'],
        },
        f"ns.{domain}": {"A": [servers.ADDRESSES[f"ns.{domain}"]]},
        f"_dmarc.{domain}": {"TXT": ['"v=DMARC1; p=reject; rua=mailto:a@example.test"']},
        f"_smtp._tls.{domain}": {"TXT": ['"v=TLSRPTv1; rua=mailto:tls@example.test"']},
        f"_mta-sts.{domain}": {"TXT": ['"v=STSv1; id=1;"']},
        f"default._bimi.{domain}": {
            "TXT": [f'"v=BIMI1; l=https://www.{domain}/logo.svg; a=https://www.{domain}/mark.pem"']
        },
        f"s1._domainkey.{domain}": {"TXT": ['"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="']},
        f"_submissions._tcp.{domain}": {"SRV": [f"0 1 465 postfix.{domain}."]},
        f"_imaps._tcp.{domain}": {"SRV": ["0 0 0 ."]},
        f"_{mx.port}._tcp.{mx.host}": {"TLSA": [f"3 1 1 {key}"]},
    }


def _key(certificate: servers.Certificate) -> str:
    """SHA-256 of a certificate's public key, as TLSA records have it."""
    found = x509.load_pem_x509_certificate(certificate.chain.read_bytes()).public_key()
    der = found.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


SECURITY = "Contact: mailto:security@example.test\nExpires: 2036-01-01T00:00:00Z\nPreferred-Languages: en\n"
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 1 1">'
    "<title>Example</title></svg>"
)


def _site(service: servers.Service, certificate: servers.Certificate, options: str) -> str:
    return f"""server {{
        listen {service.address}:{service.port} {options}; server_name {service.host};
        ssl_certificate {certificate.chain}; ssl_certificate_key {certificate.key};
        add_header Strict-Transport-Security "max-age=63072000; includeSubDomains; preload";
        types {{ application/json json; text/plain txt; image/svg+xml svg; application/pem-certificate-chain pem; }}
        location = /v1 {{ add_header WWW-Authenticate Bearer; return 401 '{{"error": "no key"}}'; }}
        root @ROOT@; }}"""


def _differences(live: Report, again: Report) -> list[str]:
    one, two = ({each.metric: each for each in report.measurements} for report in (live, again))
    return [
        f"{live.endpoint.key}: {one.get(key)} became {two.get(key)}"
        for key in one | two
        if one.get(key) != two.get(key)
    ]


def main(folder: Path = FOLDER) -> list[str]:
    """Start the servers, probe and record each, stop them; what its replay measures otherwise."""
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as running:
        authority = servers.Authority(running.enter_context(servers.scratch("authority")))
        (folder / "authority.pem").write_bytes(authority.file.read_bytes())
        resolver = running.enter_context(servers.nsd(zones()))
        domain = servers.DOMAIN
        names = {
            name: authority.issue(f"{name}.{domain}", rsa=name == "exim")
            for name in ("postfix", "dovecot", "exim", "www")
        }
        tls = {
            "smtpd_tls_chain_files": f"{names['postfix'].key}, {names['postfix'].chain}",
            "smtpd_tls_security_level": "may",
        }
        ports = {name: servers.Service.on(f"postfix.{domain}") for name in ("submission", "submissions", "mx")}
        settings = {"submission": {}, "submissions": {"smtpd_tls_wrappermode": "yes"}, "mx": {}}
        running.enter_context(servers.postfix([servers.Listener(ports[name], settings[name]) for name in ports], tls))
        dovecot, _ = running.enter_context(servers.dovecot(names["dovecot"], {"ssl": "required"}))
        exim = running.enter_context(servers.exim(names["exim"], {"tls_advertise_hosts": "*"}))
        www = [servers.Service.on(f"www.{domain}", 443), servers.Service.on(f"www.{domain}")]
        files = {
            "api/v2/summary.json": json.dumps(faults_web.SUMMARY),
            "index.html": "<p>ok",
            "logo.svg": LOGO,
            "mark.pem": names["www"].chain.read_text(),
            ".well-known/security.txt": SECURITY,
        }
        sites = [_site(www[0], names["www"], "ssl"), _site(www[1], names["www"], "ssl http2")]
        running.enter_context(servers.nginx(sites, www, files))
        signed = _signed(ports["mx"], _key(names["postfix"]))
        endpoints: dict[str, tuple[Endpoint, Records | None]] = {
            "postfix-submission": (_mail(ports["submission"], "submission"), None),
            "postfix-submissions": (_mail(ports["submissions"], "submission", "implicit"), None),
            "postfix-mx": (_mail(ports["mx"], "mx"), signed),
            "exim-submission": (_mail(exim["submission"], "submission"), None),
            "dovecot-submission": (_mail(dovecot["submission"], "submission"), None),
            "dovecot-imap": (_mail(dovecot["imap"], "imap"), None),
            "dovecot-imaps": (_mail(dovecot["imaps"], "imap", "implicit"), None),
            "dovecot-pop3": (_mail(dovecot["pop3"], "pop3"), None),
            "dovecot-sieve": (_mail(dovecot["sieve"], "sieve"), None),
            "nginx-status": (Endpoint("status", url=f"https://{www[1].host}:{www[1].port}/", kind="statuspage"), None),
            "nginx-api": (Endpoint("api", url=f"https://{www[0].host}/v1"), None),
            "nginx-web": (Endpoint("web", url=f"https://{www[0].host}/"), None),
            "nsd-domain": (Endpoint("domain", domain=domain, selectors=("s1",)), None),
            "signed-domain": (Endpoint("domain", domain=domain, selectors=("s1",)), signed),
        }
        options = Options(
            allow_private=True, resolver=resolver, ca_file=str(authority.file), ehlo_name="probe.example.test"
        )
        limits = dataclasses.replace(options.limits, deadline=20, dns_timeout=1, spacing_mx=0.01)
        options = dataclasses.replace(options, limits=limits)
        wrong = []
        for name, (endpoint, zone) in endpoints.items():
            path = folder / f"{name}.json"
            live, recording = asyncio.run(_record(endpoint, options, zone))
            path.write_text(to_text(recording), encoding="ascii")
            found = sum(each.cause is None for each in live.measurements)
            print(f"{name}: {found} of {len(live.measurements)} metrics have a value")
            wrong += _differences(live, replay(read(path), ca_file=options.ca_file))
    return wrong


if __name__ == "__main__":
    print("\n".join(main()))
