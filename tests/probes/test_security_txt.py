"""security.txt against web servers on loopback, and its parser against anything."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.http import HTTPProbe
from probes.model import Cause, Endpoint, Measurement
from probes.runner import probe_endpoint
from probes.security_txt import MAXIMUM_CONTACTS, SECURITY_TXT, SecurityText, SecurityTextProbe, parse
from tests.probes import certificates as zoo
from tests.probes.loopback import QUICK, options
from tests.probes.webserver import Pages, response, web_server

SOON = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
FILE = f"""# our address
Contact: mailto:security@example.com
Contact: https://example.com/report
Expires: {SOON}
Preferred-Languages: en, de

Canonical: https://example.com/.well-known/security.txt
""".encode()
PLAIN = "text/plain; charset=utf-8"


def text(body: bytes = FILE, content_type: str = PLAIN) -> bytes:
    return response(body=body, Content_Type=content_type)


async def look(pages: Pages, scheme: str = "https", path: str = "/") -> dict[str, Measurement]:
    async with web_server(pages, zoo.localhost() if scheme == "https" else None) as port:
        endpoint = Endpoint("web", url=f"{scheme}://localhost:{port}{path}")
        report = await probe_endpoint(endpoint, options=options(limits=QUICK), probes=[SecurityTextProbe()])
    return {each.metric.removeprefix("security_txt."): each for each in report.measurements}


def values(found: dict[str, Measurement]) -> dict[str, object]:
    return {key: each.value if each.cause is None else each.cause for key, each in found.items()}


# --- values -----------------------------------------------------------------------------------------------------------


async def test_a_good_file() -> None:
    found = values(await look({"/": response(), SECURITY_TXT: text()}))
    days = found.pop("expires_days")
    assert isinstance(days, float)
    assert 99.9 < days <= 100
    assert found == {
        "present": True,
        "valid": True,
        "contact": ("https://example.com/report", "mailto:security@example.com"),
        "signed": False,
    }


async def test_an_outdated_file() -> None:
    old = b"Contact: mailto:a@example.com\r\nExpires: 2020-01-01T00:00:00+01:00\r\n"
    found = await look({"/": response(), SECURITY_TXT: text(old)})
    days = found["expires_days"].value
    assert isinstance(days, float)
    assert days < -1000
    assert found["valid"].value is True


async def test_no_file() -> None:
    for status in ("404 Not Found", "410 Gone"):
        found = await look({"/": response(), SECURITY_TXT: response(status, b"Contact: mailto:a@b.example")})
        assert values(found) == {
            "present": False, "valid": Cause.NOT_APPLICABLE, "contact": Cause.NOT_APPLICABLE,
            "expires_days": Cause.NOT_APPLICABLE, "signed": Cause.NOT_APPLICABLE,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html><p>Contact: us</html>", "text/html"),
        (b"Contact: mailto:a@example.com", "text/html; charset=utf-8"),
        (b"<html>" + b"x" * 2_000_000, "text/html"),
        (b"{}", "application/json"),
        (b"", "text/plain"),
        (b"Contact:\n", "text/plain"),
    ],
)
async def test_something_else_is_no_file(body: bytes, content_type: str) -> None:
    found = await look({"/": response(), SECURITY_TXT: text(body, content_type)})
    assert found["present"].value is False
    assert found["present"].detail


async def test_redirects_are_followed_but_not_out_of_https() -> None:
    moved = response("301 Moved", Location="/security.txt")
    found = await look({"/": response(), SECURITY_TXT: moved, "/security.txt": text()})
    assert found["present"].value is True
    assert found["present"].detail.endswith("/security.txt")
    found = await look({"/": response(), SECURITY_TXT: response("302 Found", Location="/"), "/security.txt": text()})
    assert found["present"].value is False, "a redirect to the front page is no file"
    found = await look({"/": response(), SECURITY_TXT: response("302 Found", Location="http://localhost:1/")})
    assert found["present"].cause is Cause.PROTOCOL_ERROR


async def test_the_page_itself_may_be_elsewhere() -> None:
    pages = {"/": response("302 Found", Location="/home"), "/home": response(), SECURITY_TXT: text()}
    assert (await look(pages))["present"].value is True
    assert (await look({SECURITY_TXT: text()}, path="/a/b?c"))["present"].value is True


# --- causes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (response("500 Internal Server Error"), Cause.PROTOCOL_ERROR),
        (response("403 Forbidden"), Cause.PROTOCOL_ERROR),
        (response("429 Too Many Requests"), Cause.THROTTLED),
        (b"", Cause.CONNECTION_RESET),
        (b"not HTTP at all\r\n\r\n", Cause.PROTOCOL_ERROR),
        (text(b"Contact: mailto:a@example.com\n" * 10_000), Cause.REPLY_TOO_LONG),
        (response("302 Found", Location="https://localhost:1/"), Cause.CONNECTION_REFUSED),
    ],
)
async def test_a_fault_is_no_absence(answer: bytes, cause: Cause) -> None:
    found = await look({"/": response(), SECURITY_TXT: answer})
    assert {each.cause for each in found.values()} == {cause}


async def test_plain_http_has_none() -> None:
    found = await look({"/": response(), SECURITY_TXT: text()}, "http")
    assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}


async def test_nobody_there() -> None:
    async with web_server({}) as port:
        pass
    endpoint = Endpoint("web", url=f"https://localhost:{port}/")
    report = await probe_endpoint(endpoint, options=options(limits=QUICK), probes=[SecurityTextProbe()])
    assert {each.cause for each in report.measurements} == {Cause.CONNECTION_REFUSED}


# --- manners ----------------------------------------------------------------------------------------------------------


async def asked_on(keeps: bool, answers: bool = True) -> tuple[list[list[str]], dict[str, Measurement], bool]:
    """What was asked for on each connection of a server that keeps connections open, or says so and hangs up; the
    file's measurements; whether the page was seen."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(zoo.localhost().chain, zoo.localhost().key)
    asked: list[list[str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append([])
        mine = asked[-1]
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1].decode()
                mine.append(path)
                if path == SECURITY_TXT and not answers:
                    await asyncio.sleep(30)
                body = FILE if path == SECURITY_TXT else b"page"
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
                if not keeps:
                    break
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    endpoint = Endpoint("web", url=f"https://localhost:{server.sockets[0].getsockname()[1]}/")
    report = await probe_endpoint(
        endpoint,
        options=options(limits=dataclasses.replace(QUICK, deadline=4)),
        probes=[HTTPProbe(), SecurityTextProbe()],
    )
    server.close()
    found = {each.metric: each for each in report.measurements}
    return asked, found, found["http.reachable"].value is True


async def test_the_file_comes_over_the_connection_of_the_page() -> None:
    asked, found, _ = await asked_on(keeps=True)
    assert asked == [["/", SECURITY_TXT]]
    assert found["security_txt.present"].value is True


async def test_a_server_that_hangs_up_is_asked_once_more() -> None:
    asked, found, _ = await asked_on(keeps=False)
    assert asked == [["/"], [SECURITY_TXT]]
    assert found["security_txt.present"].value is True


async def test_a_file_that_never_comes_costs_the_page_nothing() -> None:
    asked, found, page_seen = await asked_on(keeps=True, answers=False)
    assert page_seen
    assert asked == [["/", SECURITY_TXT]], "who keeps silent is not asked twice"
    assert found["security_txt.present"].cause is Cause.DEADLINE_EXCEEDED


async def test_other_roles_ask_for_no_file() -> None:
    async with web_server({"/": response()}, zoo.localhost()) as port:
        endpoint = Endpoint("api", url=f"https://localhost:{port}/")
        report = await probe_endpoint(endpoint, options=options(), probes=[HTTPProbe()])
    assert any("GET" in step.text for step in report.transcript)
    assert not any(SECURITY_TXT in step.text for step in report.transcript)


# --- the parser -------------------------------------------------------------------------------------------------------


def parsed(body: str, content_type: str = PLAIN) -> SecurityText:
    found = parse(body.encode(), content_type)
    assert isinstance(found, SecurityText)
    return found


GOOD = f"Contact: https://a.example/\nExpires: {SOON}\n"


@pytest.mark.parametrize(
    ("body", "content_type", "fault"),
    [
        (GOOD, PLAIN, ""),
        (GOOD, "text/plain", ""),
        (GOOD, 'TEXT/PLAIN; Charset="UTF-8"', ""),
        (GOOD.replace("\n", "\r\n"), PLAIN, ""),
        ("\ufeff" + GOOD, PLAIN, ""),
        (GOOD + "Hiring: https://a.example/\n", PLAIN, ""),
        (GOOD, "application/octet-stream", "its type"),
        (GOOD, "", "its type"),
        (GOOD, "text/plain; charset=latin1", "its type"),
        (GOOD + "hello there\n", PLAIN, "neither field"),
        (GOOD + "Contact: security@a.example\n", PLAIN, "no URI"),
        (GOOD + "Contact: http://a.example/\n", PLAIN, "no URI"),
        ("Contact: tel:+1-201-555-0123\n", PLAIN, "0 Expires"),
        (GOOD + f"Expires: {SOON}\n", PLAIN, "2 Expires"),
        ("Contact: tel:+1\nExpires: tomorrow\n", PLAIN, "no date"),
        ("Contact: tel:+1\nExpires: 2030-01-01\n", PLAIN, "no date"),
        ("Contact: tel:+1\nExpires: 2030-13-01T00:00:00Z\n", PLAIN, "no date"),
        (GOOD + "Preferred-Languages: en\nPreferred-Languages: de\n", PLAIN, "several"),
    ],
    ids=itertools.count(),  # the texts hold a time, and every worker has to name a test alike
)
def test_deviations_from_the_form(body: str, content_type: str, fault: str) -> None:
    found = parsed(body, content_type)
    assert found.fault == "" if not fault else fault in found.fault
    assert found.contacts


def test_a_signed_file() -> None:
    signed = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- # dashes\nContact: mailto:a@b.example\n"
        f"Expires: {SOON}\n-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
    )
    found = parsed(signed)
    assert (found.signed, found.fault, found.contacts) == (True, "", ("mailto:a@b.example",))
    assert parse(b"-----BEGIN PGP SIGNED MESSAGE-----\nContact: mailto:a@b.example\n", PLAIN) != ""


def test_other_encodings() -> None:
    found = parse(b"# caf\xe9\n" + GOOD.encode(), PLAIN)
    assert isinstance(found, SecurityText)
    assert found.fault == "it is not in UTF-8"


def test_contacts_are_capped_and_escaped() -> None:
    found = parsed("".join(f"Contact: https://a.example/{number}\x1b[2J\n" for number in range(100)))
    assert len(found.contacts) == MAXIMUM_CONTACTS
    assert all(contact.isprintable() for contact in found.contacts)


@given(
    st.binary(max_size=400) | st.text(alphabet="Contactexpirs:-/ \n\r#Z2019T\x00é", max_size=200).map(str.encode),
    st.text(max_size=40),
)
def test_nothing_breaks_the_parser(body: bytes, content_type: str) -> None:
    found = parse(body, content_type)
    if isinstance(found, SecurityText):
        assert found.contacts
        assert b"ontact" in body.lower()
        assert all(contact.isprintable() for contact in found.contacts)
    else:
        assert found.isprintable()
