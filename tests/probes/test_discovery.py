"""Automatic configuration of mail clients against a name server and web servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.discovery import METRICS, SERVICES, DiscoveryProbe, parse_autoconfig
from probes.markup import MAXIMUM_DEPTH, MAXIMUM_ELEMENTS, parse_xml
from probes.model import Cause, Endpoint, Measurement, Unmeasured
from probes.network import Limits, Network
from tests.probes import certificates as zoo
from tests.probes.certificates import Served
from tests.probes.dnsserver import name_server
from tests.probes.loopback import QUICK, measure, options
from tests.probes.webserver import Pages, response, web_server

DOMAIN = "post.example"
Zone = dict[str, dict[str, Sequence[str]]]

CONFIG = b"""<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
 <emailProvider id="post.example">
  <domain>post.example</domain>
  <displayName>Post</displayName>
  <incomingServer type="imap"><hostname>IMAP.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType>
   <authentication>password-cleartext</authentication></incomingServer>
  <incomingServer type="pop3"><hostname>pop.post.example</hostname><port>110</port><socketType>STARTTLS</socketType>
  </incomingServer>
  <incomingServer type="exchange"><hostname>ews.post.example</hostname></incomingServer>
  <incomingServer type="imap"><hostname>bad..name</hostname><port>143</port><socketType>plain</socketType>
  </incomingServer>
  <outgoingServer type="smtp"><hostname>smtp.post.example</hostname><port>70000</port><socketType>SSL</socketType>
  </outgoingServer>
  <outgoingServer type="smtp"><hostname>smtp.post.example</hostname><port>465</port><socketType>SSL</socketType>
  </outgoingServer>
 </emailProvider>
</clientConfig>
"""
SERVERS = (
    "imap imap.post.example:993 SSL",
    "pop3 pop.post.example:110 STARTTLS",
    "smtp smtp.post.example:465 SSL",
)
SESSION = json.dumps({"capabilities": {"urn:ietf:params:jmap:core": {}}, "apiUrl": "https://post.example/api"}).encode()
CONFIG_PATHS = ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml")
JMAP = "/.well-known/jmap"


def good() -> Zone:
    return {
        DOMAIN: {"A": ["127.0.0.1"]},
        f"autoconfig.{DOMAIN}": {"A": ["127.0.0.1"]},
        f"autodiscover.{DOMAIN}": {"CNAME": ["autodiscover.platform.example."]},
        f"_submissions._tcp.{DOMAIN}": {"SRV": ["0 1 465 smtp.post.example."]},
        f"_submission._tcp.{DOMAIN}": {"SRV": ["0 1 587 smtp.post.example."]},
        f"_imaps._tcp.{DOMAIN}": {"SRV": ["10 1 993 imap2.post.example.", "0 1 993 IMAP.post.example."]},
        f"_imap._tcp.{DOMAIN}": {"SRV": ["0 1 143 imap.post.example."]},
        f"_pop3s._tcp.{DOMAIN}": {"SRV": ["0 1 995 pop.post.example."]},
        f"_pop3._tcp.{DOMAIN}": {"SRV": ["0 0 0 ."]},
        f"_sieve._tcp.{DOMAIN}": {"SRV": ["0 1 4190 sieve.post.example."]},
    }


def nothing() -> Zone:
    return {DOMAIN: {"MX": ["0 mx.post.example."]}}


@functools.cache
def certificate(*names: str) -> Served:
    return zoo.save(zoo.issue(zoo.intermediate(), names or (DOMAIN, f"*.{DOMAIN}"), key=zoo.rsa_key()))


@contextlib.asynccontextmanager
async def website(pages: Pages, served: Served | None = None) -> AsyncIterator[int]:
    async with web_server(pages, served or certificate()) as port:
        yield port


async def discover(zone: Zone, port: int = 1, limits: Limits = QUICK, domain: str = DOMAIN) -> dict[str, Measurement]:
    async with name_server(zone) as asked:
        chosen = options(asked.resolver, limits)
        return await measure(DiscoveryProbe(port), Endpoint("domain", domain=domain), chosen)


async def discover_pages(
    pages: Pages, zone: Zone | None = None, served: Served | None = None
) -> dict[str, Measurement]:
    async with website(pages, served) as port:
        return await discover(zone or good(), port)


def values(found: Mapping[str, Measurement]) -> dict[str, object]:
    return {
        key.removeprefix("discovery."): each.value if each.cause is None else each.cause for key, each in found.items()
    }


def challenge() -> bytes:
    return response("401 Unauthorized", WWW_Authenticate="Bearer")


async def test_a_domain_that_tells_clients_everything() -> None:
    found = values(await discover_pages({CONFIG_PATHS[0]: response(body=CONFIG), JMAP: challenge()}))
    assert found == {
        "submissions": True, "submission": True, "imaps": True, "imap": True, "pop3s": True, "pop3": False,
        "sieve": True,
        "srv": (
            "imap imap.post.example:143", "imaps imap.post.example:993", "imaps imap2.post.example:993",
            "pop3s pop.post.example:995", "sieve sieve.post.example:4190", "submission smtp.post.example:587",
            "submissions smtp.post.example:465",
        ),
        "autoconfig": True, "autoconfig_servers": SERVERS, "autodiscover": True, "jmap": True, "answering": (),
        "contradictions": tuple(
            f"{place} is on a host that does not exist ({by})"
            for place, by in (
                ("imap.post.example:143", "SRV imap"), ("imap.post.example:993", "SRV imaps, autoconfig"),
                ("imap2.post.example:993", "SRV imaps"), ("pop.post.example:110", "autoconfig"),
                ("pop.post.example:995", "SRV pop3s"), ("sieve.post.example:4190", "SRV sieve"),
                ("smtp.post.example:465", "SRV submissions, autoconfig"), ("smtp.post.example:587", "SRV submission"),
            )
        ),
        "consistent": False,
    }  # fmt: skip


async def test_a_domain_that_tells_nothing() -> None:
    found = await discover(nothing())
    assert values(found) == {
        **dict.fromkeys(SERVICES, False),
        "srv": (), "autoconfig": False, "autoconfig_servers": Cause.NOT_APPLICABLE, "autodiscover": False,
        "jmap": False, "answering": Cause.NOT_APPLICABLE, "contradictions": Cause.NOT_APPLICABLE,
        "consistent": Cause.NOT_APPLICABLE,
    }  # fmt: skip


async def test_a_domain_that_does_not_exist() -> None:
    found = values(await discover({"other.example": {"A": ["192.0.2.1"]}}))
    assert found == values(await discover(nothing()))


async def test_what_is_no_domain() -> None:
    found = await measure(DiscoveryProbe(), Endpoint("domain", domain="a..b"))
    assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("SERVFAIL", Cause.DNS_SERVFAIL),
        ("REFUSED", Cause.DNS_SERVFAIL),
        pytest.param("SILENT", Cause.DNS_TIMEOUT, marks=pytest.mark.slow),
    ],
)
async def test_a_fault_is_never_a_fact(fault: str, cause: Cause) -> None:
    """Each question fails in turn: what depends on it has the cause or stays true, and nothing else changes."""
    pages = {CONFIG_PATHS[0]: response(body=CONFIG), JMAP: challenge()}
    # Only where nothing answers is there a reason to be impatient.
    limits = Limits(deadline=60, connect_timeout=10, read_timeout=10, dns_timeout=2 if fault == "SILENT" else 10)
    names = [f"_{service}._tcp.{DOMAIN}" for service in (*SERVICES, "jmap", "autodiscover")]
    async with website(pages) as port:
        truth = values(await discover(good(), port, limits))
        assert not [key for key, value in truth.items() if isinstance(value, Cause)]

        async def fails(name: str) -> None:
            zone = good()
            zone[name] = {**zone.get(name, {}), "FAULT": [fault]}
            found = values(await discover(zone, port, limits))
            # What was found of other announcements stays; that there is no more is not said.
            seen, every = (set(cast("tuple[str, ...]", each.pop("contradictions"))) for each in (found, dict(truth)))
            assert {text.partition(" (")[0] for text in seen} <= {text.partition(" (")[0] for text in every}
            changed = {key for key, value in found.items() if value != truth[key]} - {"answering"}
            assert found["answering"] in ((), cause), "none of the servers is there"
            service = name.removeprefix("_").partition(".")[0]
            assert {found[key] for key in changed} <= {cause}, name
            assert changed <= {service, "srv", "jmap", "autoconfig", "autoconfig_servers", "autodiscover"}, name
            if service in SERVICES:
                assert changed == {service, "srv"}, name

        await asyncio.gather(*map(fails, (*names, f"autodiscover.{DOMAIN}", f"autoconfig.{DOMAIN}", DOMAIN)))


async def test_everything_fails() -> None:
    zone: Zone = {
        name: {"FAULT": ["SERVFAIL"]} for name in (*good(), f"_jmap._tcp.{DOMAIN}", f"_autodiscover._tcp.{DOMAIN}")
    }
    assert set(values(await discover(zone)).values()) == {Cause.DNS_SERVFAIL}


# --- SRV --------------------------------------------------------------------------------------------------------------


async def test_a_target_of_one_dot_says_no() -> None:
    found = await discover({**nothing(), f"_imap._tcp.{DOMAIN}": {"SRV": ["0 0 0 ."]}})
    assert found["discovery.imap"].value is False
    assert found["discovery.imap"].detail == "the record says that it is not offered"
    assert found["discovery.pop3"].detail == ""
    assert found["discovery.srv"].value == ()


async def test_targets_that_are_none_are_left_out() -> None:
    records = [
        "0 0 0 imap.post.example.",
        "0 0 993 .",
        "1 0 993 good.post.example.",
        "0 0 993 1.2.3.4.",
        "0 0 1 \\001x.",
    ]
    found = await discover({**nothing(), f"_imaps._tcp.{DOMAIN}": {"SRV": records}})
    assert found["discovery.srv"].value == ("imaps good.post.example:993",)
    assert found["discovery.imaps"].value is True


async def test_many_records_are_capped() -> None:
    records = [f"0 0 993 host{number}.post.example." for number in range(60)]
    found = await discover({**nothing(), f"_imaps._tcp.{DOMAIN}": {"SRV": records}})
    listed = found["discovery.srv"].value
    assert isinstance(listed, tuple)
    assert len(listed) == 20


# --- Autodiscover -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "records", "value"),
    [
        ("_autodiscover._tcp", {"SRV": ["0 0 443 mail.post.example."]}, True),
        ("_autodiscover._tcp", {"SRV": ["0 0 0 ."]}, False),
        ("autodiscover", {"CNAME": ["autodiscover.outlook.example."]}, True),
        ("autodiscover", {"A": ["192.0.2.1"]}, True),
        ("autodiscover", {"AAAA": ["2001:db8::1"]}, True),
        ("autodiscover", {"TXT": ['"hello"']}, False),
    ],
)
async def test_autodiscover(name: str, records: dict[str, Sequence[str]], value: bool) -> None:
    found = await discover({**nothing(), f"{name}.{DOMAIN}": records})
    assert found["discovery.autodiscover"].value is value


async def test_autodiscover_of_a_domain_where_every_name_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    anything = bytes(8).hex()
    monkeypatch.setattr(Network, "random", lambda network, purpose, size: bytes(size))
    alike: Zone = {f"{name}.{DOMAIN}": {"A": ["192.0.2.1"]} for name in ("autodiscover", anything)}
    found = await discover({**nothing(), **alike})
    assert found["discovery.autodiscover"].value is False
    assert "every name" in found["discovery.autodiscover"].detail
    alike[f"{anything}.{DOMAIN}"] = {"FAULT": ["SERVFAIL"]}
    found = await discover({**nothing(), **alike})
    assert found["discovery.autodiscover"].cause is Cause.DNS_SERVFAIL


# --- autoconfig -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CONFIG_PATHS)
async def test_either_place_will_do(path: str) -> None:
    found = await discover_pages({path: response(body=CONFIG)})
    assert found["discovery.autoconfig"].value is True
    assert found["discovery.autoconfig_servers"].value == SERVERS
    assert found["discovery.autoconfig"].detail.endswith(path)


@pytest.mark.parametrize(
    ("page", "value"),
    [
        (response("404 Not Found"), False),
        (response("410 Gone"), False),
        (response(body=b"<!DOCTYPE html><html><p>Welcome</html>"), False),
        (response(body=b""), False),
        (response(body=b"<clientConfig/>"), False),
        (response(body=b"<clientConfig><emailProvider/></clientConfig>"), False),
        (response(body=CONFIG[:400]), Cause.PROTOCOL_ERROR),
        (response(body=b"<!DOCTYPE x [<!ENTITY a 'a'>]><clientConfig/>"), Cause.PROTOCOL_ERROR),
        (response(body=b"<!DOCTYPE x><clientConfig/>".decode().encode("utf-16")), Cause.PROTOCOL_ERROR),
        (response("500 Internal Server Error"), Cause.PROTOCOL_ERROR),
        (response("403 Forbidden"), Cause.PROTOCOL_ERROR),
        (response("401 Unauthorized"), Cause.PROTOCOL_ERROR),
        (response("302 Found", Location="http://post.example/"), Cause.PROTOCOL_ERROR),
        (response("302 Found", Location="https://127.0.0.1:1/"), Cause.CONNECTION_REFUSED),
        (response("429 Too Many Requests"), Cause.THROTTLED),
        (response(body=b" " * (1 << 21)), Cause.REPLY_TOO_LONG),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Cause.DEADLINE_EXCEEDED),
        (b"", Cause.CONNECTION_RESET),
    ],
)
async def test_what_is_no_autoconfig(page: bytes, value: object) -> None:
    pages = {CONFIG_PATHS[0]: page, CONFIG_PATHS[1]: response("404 Not Found")}
    found = values(await discover_pages(pages))
    assert found["autoconfig"] is value if value is False else found["autoconfig"] in (value, Cause.CONNECTION_RESET)
    assert found["autoconfig_servers"] in (Cause.NOT_APPLICABLE if value is False else found["autoconfig"],)


async def test_a_fault_at_one_place_is_no_loss_when_the_other_has_it() -> None:
    pages = {CONFIG_PATHS[0]: response("500 Oops"), CONFIG_PATHS[1]: response(body=CONFIG)}
    assert (await discover_pages(pages))["discovery.autoconfig_servers"].value == SERVERS


async def test_what_clients_must_not_trust_is_not_offered() -> None:
    pages = {path: response(body=CONFIG) for path in CONFIG_PATHS} | {JMAP: challenge()}
    for served in (certificate("other.example"), zoo.save(zoo.issue(None, [DOMAIN, f"*.{DOMAIN}"]))):
        found = await discover_pages(pages, served=served)
        assert found["discovery.autoconfig"].value is False
        assert found["discovery.jmap"].value is False
        assert "certificate" in found["discovery.autoconfig"].detail


async def test_plain_http_is_not_asked_and_not_believed() -> None:
    async with web_server({path: response(body=CONFIG) for path in CONFIG_PATHS}) as port:
        found = values(await discover(good(), port))
    assert found["autoconfig"] is found["autoconfig_servers"] is found["jmap"] is Cause.DEADLINE_EXCEEDED


async def test_nobody_listens() -> None:
    found = values(await discover(good(), 1))
    assert found["autoconfig"] is found["jmap"] is Cause.CONNECTION_REFUSED


# --- JMAP -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "value"),
    [
        (response(body=SESSION), True),
        (challenge(), True),
        (response("401 Unauthorized"), False),
        (response(body=b"<html>Welcome to every path</html>"), False),
        (response(body=b'{"capabilities": {}}'), False),
        (response(body=b'["urn:ietf:params:jmap:core"]'), False),
        (response(body=b'{"urn:ietf:params:jmap:core": '), False),
        (response(body=b'{"capabilities": {"urn:ietf:params:jmap:core": {}}}'), False),
        (response(body=b'"urn:ietf:params:jmap:core"' + b"[" * 100_000), False),
        (response("404 Not Found"), False),
        (response("503 Service Unavailable"), Cause.PROTOCOL_ERROR),
        (response("429 Too Many Requests"), Cause.THROTTLED),
        (response(body=b" " * (1 << 21)), Cause.REPLY_TOO_LONG),
    ],
)
async def test_jmap(page: bytes, value: object) -> None:
    assert values(await discover_pages({JMAP: page}))["jmap"] is value


async def test_jmap_behind_a_redirect() -> None:
    pages = {JMAP: response("307 Temporary Redirect", Location="/jmap/session"), "/jmap/session": challenge()}
    assert values(await discover_pages(pages))["jmap"] is True


async def test_jmap_where_the_record_says() -> None:
    async with website({JMAP: challenge()}, certificate(f"jmap.{DOMAIN}")) as port:
        zone: Zone = {**nothing(), f"jmap.{DOMAIN}": {"A": ["127.0.0.1"]}}
        zone[f"_jmap._tcp.{DOMAIN}"] = {"SRV": [f"0 1 {port} jmap.{DOMAIN}."]}
        found = await discover(zone)
    assert found["discovery.jmap"].value is True
    assert found["discovery.srv"].value == (f"jmap jmap.{DOMAIN}:{port}",)
    zone[f"_jmap._tcp.{DOMAIN}"] = {"SRV": ["0 0 0 ."]}
    assert (await discover(zone))["discovery.jmap"].value is False
    zone[f"_jmap._tcp.{DOMAIN}"] = {"FAULT": ["SERVFAIL"]}
    assert (await discover(zone))["discovery.jmap"].cause is Cause.DNS_SERVFAIL


# --- XML --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"", b"text", b"<a>", b"<a></b>", b"<a/><b/>", b"\xff\xfe", b"<a>\x00</a>",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"<!DOCTYPE a><a/>", b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', b"<a>&undefined;</a>",
        b"<a>" * (MAXIMUM_DEPTH + 1) + b"</a>" * (MAXIMUM_DEPTH + 1), b"<a>" + b"<b/>" * MAXIMUM_ELEMENTS + b"</a>",
        b"<!DOCTYPE a [<!ENTITY b 'bbbbbbbb'><!ENTITY c '&b;&b;&b;&b;'>]><a>&c;&c;</a>",
        "<!DOCTYPE a [<!ENTITY b 'b'>]><a>&b;</a>".encode("utf-16"),
    ],
)  # fmt: skip
def test_xml_that_is_not_read(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        parse_xml(body)


def test_xml_that_is_read() -> None:
    root = parse_xml(b"<a x='1'><!-- c --><b> one &amp; <![CDATA[<two>]]> </b><b/></a>")
    assert (root.tag, root.get("x"), [each.text for each in root]) == ("a", "1", [" one & <two> ", None])
    assert parse_xml("<a>é</a>".encode("utf-16")).text == "é"


@given(st.binary(max_size=60) | st.text(alphabet="<>/!?&;='\" ab[]-", max_size=60).map(str.encode))
def test_no_bytes_break_the_xml_reader(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert parse_xml(body).tag


pieces = st.sampled_from(
    [b"<clientConfig>", b"</clientConfig>", b"<emailProvider>", b"</emailProvider>", b"<incomingServer type='imap'>",
     b"</incomingServer>", b"<hostname>", b"</hostname>", b"<port>", b"</port>", b"993",
     b"<socketType>SSL</socketType>",
     b"a.example", b"%EMAILDOMAIN%", b"\x00", b"<hostname>h.example</hostname><port>1</port>"]
)  # fmt: skip


@given(st.lists(pieces, max_size=25).map(b"".join))
def test_no_configuration_breaks_its_reader(body: bytes) -> None:
    with contextlib.suppress(Unmeasured):
        found = parse_autoconfig(body, DOMAIN)
        assert isinstance(found, str) or all(len(server.split(" ")) == 3 for server in found)


def test_every_metric_is_for_domains() -> None:
    assert {metric.key.partition(".")[0] for metric in METRICS} == {"discovery"}
    assert DiscoveryProbe.roles == {"domain"}
