"""The HTTP probe against real HTTP/1.1 and HTTP/2 servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.http import (
    API_REQUESTS,
    API_REQUESTS_FULL,
    HTTPProbe,
    announces_http3,
    authentication_schemes,
    hsts,
    hsts_max_age,
    redirect_target,
)
from probes.model import Cause, Endpoint, Measurement, Role
from probes.network import Depth, HTTPResponse, Limits, Network
from tests.probes import certificates as zoo
from tests.probes.loopback import QUICK, measure, options, reset, scripted
from tests.probes.webserver import Pages, response, web_server

HSTS = {"Strict_Transport_Security": "max-age=31536000; includeSubDomains"}


async def probe_url(url: str, role: Role = "api", kind: str = "", limits: Limits = QUICK) -> dict[str, Measurement]:
    return await measure(HTTPProbe(), Endpoint(role, url=url, kind=kind), options(limits=limits))


async def probe_pages(
    pages: Pages, path: str = "/", *, role: Role = "api", tls: bool = True, kind: str = ""
) -> dict[str, Measurement]:
    async with web_server(pages, zoo.localhost() if tls else None) as port:
        return await probe_url(f"{'https' if tls else 'http'}://localhost:{port}{path}", role, kind)


def values(found: dict[str, Measurement]) -> dict[str, object]:
    return {key: each.value if each.cause is None else each.cause for key, each in found.items()}


async def test_a_good_api() -> None:
    refusal = response(
        "401 Unauthorized",
        b'{"type": "about:blank", "title": "Unauthorized", "status": 401}',
        Content_Type="application/problem+json; charset=utf-8",
        WWW_Authenticate='Bearer realm="a, b", Basic realm=c',
        X_Request_Id="1f",
        RateLimit_Policy='"default";q=10;w=1',
        X_RateLimit_Remaining="9",
        Retry_After="1",
        API_Version="3",
        Alt_Svc='h3=":443"; ma=86400, h3-29=":443"',
        **HSTS,
    )
    found = values(await probe_pages({"/v1": refusal}, "/v1"))
    latency = found.pop("http.latency_ms")
    assert isinstance(latency, float)
    assert 0 < latency < 5000
    assert found == {
        "http.reachable": True,
        "http.status": 401,
        "http.redirects": 0,
        "http.version": "HTTP/1.1",
        "http.tls": True,
        "http.hsts": True,
        "http.hsts_max_age": 31536000,
        "http.hsts_include_subdomains": True,
        "http.hsts_preload": False,
        "http.http3_announced": True,
        "http.authentication_required": True,
        "http.authentication_schemes": ("basic", "bearer"),
        "http.error_json": True,
        "http.error_fields": ("status", "title", "type"),
        "http.problem_details": True,
        "http.request_id_headers": ("x-request-id",),
        "http.rate_limit_headers": ("ratelimit-policy", "retry-after", "x-ratelimit-remaining"),
        "http.lifecycle_headers": ("api-version",),
    }


async def test_a_poor_api() -> None:
    found = values(await probe_pages({"/": response(version="HTTP/1.0")}, tls=False))
    found.pop("http.latency_ms")
    assert found == {
        "http.reachable": True,
        "http.status": 200,
        "http.redirects": 0,
        "http.version": "HTTP/1.0",
        "http.tls": False,
        "http.hsts": False,
        "http.hsts_max_age": Cause.NOT_APPLICABLE,
        "http.hsts_include_subdomains": Cause.NOT_APPLICABLE,
        "http.hsts_preload": Cause.NOT_APPLICABLE,
        "http.http3_announced": False,
        "http.authentication_required": False,
        "http.authentication_schemes": Cause.NOT_APPLICABLE,
        "http.error_json": Cause.NOT_APPLICABLE,
        "http.error_fields": Cause.NOT_APPLICABLE,
        "http.problem_details": Cause.NOT_APPLICABLE,
        "http.request_id_headers": (),
        "http.rate_limit_headers": (),
        "http.lifecycle_headers": (),
    }


# --- the shape of a refusal -------------------------------------------------------------------------------------------


async def refusal(body: bytes, status: str = "403 Forbidden", **headers: str) -> dict[str, object]:
    return values(await probe_pages({"/": response(status, body, **headers)}))


async def test_a_refusal_for_people_only() -> None:
    found = await refusal(b"<h1>Forbidden</h1>", Content_Type="text/html")
    assert found["http.error_json"] is False
    assert found["http.error_fields"] is Cause.NOT_APPLICABLE
    assert found["http.problem_details"] is False
    assert found["http.authentication_schemes"] is Cause.NOT_APPLICABLE


async def test_a_401_without_a_challenge() -> None:
    found = await refusal(b"{}", "401 Unauthorized", Content_Type="application/json")
    assert found["http.authentication_schemes"] == ()
    assert found["http.error_json"] is True
    assert found["http.error_fields"] == ()
    assert found["http.problem_details"] is False


async def test_problem_details_need_both_type_and_object() -> None:
    found = await refusal(b'["no"]', Content_Type="application/problem+json")
    assert (found["http.error_json"], found["http.problem_details"]) == (True, False)
    assert found["http.error_fields"] is Cause.NOT_APPLICABLE
    found = await refusal(b"no", Content_Type="application/problem+json")
    assert (found["http.error_json"], found["http.problem_details"]) == (False, False)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Internal Server Error", "200 OK"])
async def test_what_is_no_refusal_has_no_shape(status: str) -> None:
    found = await refusal(b'{"error": 1}', status)
    for name in ("error_json", "error_fields", "problem_details"):
        assert found[f"http.{name}"] is Cause.NOT_APPLICABLE
    assert found["http.status"] == int(status[:3])


async def test_hostile_refusals() -> None:
    deep = await refusal(b"[" * 50_000)
    assert deep["http.error_json"] is False
    long = await refusal(b"[" + b"1," * 40_000 + b"1]")
    assert long["http.error_json"] is Cause.REPLY_TOO_LONG
    assert long["http.status"] == 403
    many = ", ".join(f'"field{number:03}\\u001b[2J{"x" * 100}": 1' for number in range(200))
    fields = (await refusal(f"{{{many}}}".encode()))["http.error_fields"]
    assert isinstance(fields, tuple)
    assert len(fields) == 30
    assert all(len(name) < 70 and name.isprintable() for name in fields)


@pytest.mark.parametrize(
    ("header", "schemes"),
    [
        ("Basic", ("basic",)), ('Basic realm="x", charset="UTF-8"', ("basic",)),
        ("Negotiate, NTLM", ("negotiate", "ntlm")),
        ('New realm="apps", type=1, title="Log in to \\"apps\\", Digest x", Basic realm="simple"', ("basic", "new")),
        ("Bearer abc==, Basic", ("basic", "bearer")), ("", ()), (",,", ()), ('realm="x"', ()), ("realm = x", ()),
        ('Basic realm="open', ("basic",)), ("=", ()),
    ],
)  # fmt: skip
def test_authentication_schemes(header: str, schemes: tuple[str, ...]) -> None:
    assert authentication_schemes(header) == schemes


@pytest.mark.parametrize(
    ("header", "announced"),
    [
        ('h3=":443"; ma=60', True), ('h2=":443", h3=":8443"', True), ('h3-29=":443"', False), ("clear", False),
        ("", False), ('h2="a, h3=b"', False),
    ],
)  # fmt: skip
def test_http_3_is_announced(header: str, announced: bool) -> None:
    assert announces_http3(header) is announced


# --- several requests -------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def patient_server(at_most: int, status: str = "401 Unauthorized") -> AsyncIterator[tuple[int, list[int]]]:
    """Answers ``at_most`` requests on each connection and then hangs up; its port, and how many came on each."""
    came: list[int] = []

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(0)
        for _ in range(at_most):
            await reader.readuntil(b"\r\n\r\n")
            came[number - 1] += 1
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    async with scripted(serve) as state:
        yield state.port, came


async def responses_timed(port: int, role: Role, depth: Depth = "standard") -> int:
    endpoint = Endpoint(role, url=f"http://127.0.0.1:{port}/")
    async with Network(endpoint, dataclasses.replace(options(), depth=depth)) as network:
        assert {each.metric: each for each in await HTTPProbe().measure(endpoint, network)}["http.reachable"].value
        return sum(sample.step == "response" for sample in network.samples)


async def test_an_api_is_asked_several_times_on_one_connection() -> None:
    async with patient_server(100) as (port, came):
        assert await responses_timed(port, "api") == API_REQUESTS
        assert came == [API_REQUESTS]
        assert await responses_timed(port, "api", "full") == API_REQUESTS_FULL
        assert await responses_timed(port, "web") == 1


async def test_an_api_that_hangs_up_or_asks_us_to_stop_is_left_alone() -> None:
    async with patient_server(2) as (port, came):
        assert await responses_timed(port, "api") == 2
        assert came == [2]
    for status in ("429 Too Many Requests", "503 Service Unavailable"):
        async with patient_server(100, status) as (port, came):
            assert await responses_timed(port, "api") == 1
            assert came == [1]


@contextlib.asynccontextmanager
async def http2_server(status: str) -> AsyncIterator[int]:
    """Answers every HTTP/2 request with this status."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(zoo.localhost().chain, zoo.localhost().key)
    context.set_alpn_protocols(["h2"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        connection.send_headers(event.stream_id, [(":status", status)])
                        connection.send_data(event.stream_id, b"hello", end_stream=True)
                writer.write(connection.data_to_send())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_http_2() -> None:
    async with http2_server("403") as port:
        found = await probe_url(f"https://localhost:{port}/")
    assert found["http.version"].value == "HTTP/2"
    assert found["http.status"].value == 403
    assert found["http.authentication_required"].value is True


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_nobody_there() -> None:
    async with scripted(hang_up) as state:
        port = state.port
    found = await probe_url(f"https://localhost:{port}/")
    assert {each.cause for each in found.values()} == {Cause.CONNECTION_REFUSED}


async def hang_up(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close at once."""


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", None, b"RESET", b"drip"])
async def test_incomplete_answers_are_no_answer(answer: bytes | None) -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await asyncio.sleep(30)
        elif answer == b"RESET":
            reset(writer)
        elif answer == b"drip":
            while True:
                writer.write(b"H")
                await asyncio.sleep(0.1)
        else:
            writer.write(answer)

    async with scripted(serve) as state:
        limits = Limits(deadline=1.5, read_timeout=0.6)
        found = await probe_url(f"http://127.0.0.1:{state.port}/", limits=limits)
    assert all(each.value is None for each in found.values())
    allowed = {Cause.CONNECTION_RESET, Cause.PROTOCOL_ERROR, Cause.DEADLINE_EXCEEDED}
    assert {each.cause for each in found.values()} <= allowed


async def test_plain_text_on_a_tls_port() -> None:
    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(response("400 Bad Request"))
        await asyncio.sleep(0.2)

    async with scripted(serve) as state:
        found = await probe_url(f"https://localhost:{state.port}/")
    assert {each.cause for each in found.values()} == {Cause.TLS_HANDSHAKE_ERROR}


async def test_what_is_no_url() -> None:
    for url in ("https:///x", "https://user:secret@localhost/", "https://a..b/", "https://localhost:0/"):
        found = await probe_url(url)
        assert {each.cause for each in found.values()} == {Cause.NOT_APPLICABLE}
        assert not any("secret" in each.detail for each in found.values())


# --- redirects --------------------------------------------------------------------------------------------------------


def moved(location: str, **headers: str) -> bytes:
    return response("302 Found", Location=location, **headers)


async def test_redirects_are_followed_and_counted() -> None:
    pages = {"/": moved("/a?x=1#top", **HSTS), "/a?x=1": moved("b"), "/b": response("404 Not Found")}
    found = await probe_pages(pages, role="web")
    assert found["http.redirects"].value == 2
    assert found["http.status"].value == 404
    assert found["http.status"].detail.endswith("/b")
    assert found["http.hsts"].value is True, "by the first response over https"


async def test_a_fourth_redirect_is_not_followed() -> None:
    pages = {f"/{number}": moved(f"/{number + 1}") for number in range(9)}
    found = await probe_pages(pages, "/0", role="web")
    assert found["http.redirects"].value == 3
    assert found["http.status"].value == 302


async def test_a_loop_ends() -> None:
    found = await probe_pages({"/": moved("/a"), "/a": moved("/")}, role="web")
    assert found["http.redirects"].value == 1
    assert found["http.status"].value == 302


async def test_http_leads_to_https_but_not_back() -> None:
    async with web_server({"/": response(**HSTS), "/back": b""}, zoo.localhost()) as secure:
        found = await probe_pages({"/": moved(f"https://localhost:{secure}/")}, tls=False, role="web")
        assert found["http.tls"].value is True
        assert found["http.hsts"].value is True
    async with web_server({"/": response()}) as plain:
        found = await probe_pages({"/": moved(f"http://localhost:{plain}/")}, role="web")
    assert found["http.tls"].value is True
    assert found["http.status"].value == 302
    assert found["http.redirects"].value == 0


async def test_a_redirect_into_nothing() -> None:
    found = await probe_pages({"/": moved("https://localhost:1/", **HSTS)})
    assert found["http.reachable"].value is True
    assert found["http.hsts"].value is True
    first = {"http.reachable", "http.redirects", "http.hsts", "http.hsts_max_age", "http.hsts_include_subdomains"}
    for key in set(found) - first - {"http.hsts_preload"}:
        assert found[key].cause is Cause.CONNECTION_REFUSED
        assert "after a redirect" in found[key].detail
    found = await probe_pages({"/": moved("http://127.0.0.1:1/")}, tls=False)
    assert found["http.hsts"].cause is Cause.CONNECTION_REFUSED


async def test_redirects_keep_the_address_guard() -> None:
    # Without permission for private addresses not even the first address is dialled; the guard is the network's.
    async with web_server({"/": moved("http://127.0.0.1:1/")}) as port:
        from dataclasses import replace

        endpoint = Endpoint("web", url=f"http://127.0.0.1:{port}/")
        found = await measure(HTTPProbe(), endpoint, replace(options(), allow_private=False))
    assert {each.cause for each in found.values()} == {Cause.BLOCKED_ADDRESS}


def redirecting(location: str, url: str = "https://a.example/x/y", status: int = 301) -> HTTPResponse:
    return cast(HTTPResponse, SimpleNamespace(url=url, status=status, headers={"location": location}))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://b.example/", "https://b.example/"), ("z", "https://a.example/x/z"), ("//b.example/q#f", "https://b.example/q"),
        ("http://a.example/", None), ("ftp://a.example/", None), ("javascript:alert(1)", None), ("", None),
        ("https://[broken/", None), ("x" * 3000, None), ("file:///etc/passwd", None),
    ],
)  # fmt: skip
def test_redirect_targets(location: str, target: str | None) -> None:
    assert redirect_target(redirecting(location)) == target
    assert redirect_target(redirecting(location, status=200)) is None


# --- HSTS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "age"),
    [
        ("max-age=31536000", 31536000), ('MAX-AGE="600" ; includeSubDomains; preload', 600), ("max-age=0", 0),
        ("; max-age=5;;", 5), ("max-age=1; x=\"a;b\"", 1), ("max-age=1, max-age=2", 1), ("max-age=1; unknown", 1),
        ("", None), ("includeSubDomains", None), ("max-age", None), ("max-age=-1", None), ("max-age=1e3", None),
        ("max-age=1; max-age=2", None), ("max-age=1 2", None), ("max-age=1; preload; Preload", None),
        ("max-age=99999999999999999999", None), ('max-age="1', None),
    ],
)  # fmt: skip
def test_hsts_headers(header: str, age: int | None) -> None:
    assert hsts_max_age(header) == age


def test_hsts_directives() -> None:
    found = hsts("max-age=1; IncludeSubDomains; preload")
    assert found is not None
    assert set(found) == {"max-age", "includesubdomains", "preload"}


async def test_hsts_that_is_switched_off_or_broken() -> None:
    found = await probe_pages({"/": response(Strict_Transport_Security="max-age=0")})
    assert found["http.hsts"].value is False
    assert found["http.hsts_max_age"].value == 0
    found = await probe_pages({"/": response(Strict_Transport_Security="forever")})
    assert found["http.hsts"].value is False
    assert "forever" in found["http.hsts"].detail
    # Over plain http the header means nothing (RFC 6797 §8.1).
    found = await probe_pages({"/": response(**HSTS)}, tls=False)
    assert found["http.hsts"].value is False


# --- headers from anybody ---------------------------------------------------------------------------------------------

HEADERS = st.text(alphabet='Basic h3=,;"\\ \t=max-age0123456789é', max_size=120)


@given(HEADERS)
def test_no_header_breaks_its_reader(header: str) -> None:
    for scheme in authentication_schemes(header):
        assert scheme in header.lower()
        assert scheme.isprintable()
    if announces_http3(header):
        assert "h3=" in header
    directives = hsts(header)
    if directives is not None:
        assert directives["max-age"].isdigit()
        assert hsts_max_age(header) == int(directives["max-age"])


@pytest.mark.parametrize("piece", ['"', ",", "a ", 'a"\\', "a= ", " ", "a", "h3=", "max-age=1;"])
def test_long_headers_cost_little(piece: str) -> None:
    header = piece * (60_000 // len(piece))
    began = time.perf_counter()
    authentication_schemes(header)
    announces_http3(header)
    hsts(header)
    assert time.perf_counter() - began < 2
