"""The polite client, against servers that are not."""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import gzip
import json
import os
import socket
import ssl
import time
import tracemalloc

import pytest
import trustme

from mailrubric.causes import EXPLANATIONS
from mailrubric.reviews.collectors import client as module
from mailrubric.reviews.collectors.client import (
    Cache,
    Client,
    Limits,
    NotCollected,
    TryLater,
    read_json,
    retry_after,
)
from tests.mailrubric.reviews.collectors.conftest import QUICK
from tests.mailrubric.reviews.collectors.server import Request, response, site

GOOD = response({"fine": True})


async def fault(asked) -> NotCollected:
    with pytest.raises(NotCollected) as caught:
        await asked
    assert caught.value.cause in EXPLANATIONS
    assert caught.value.detail
    assert caught.value.detail.isprintable()
    return caught.value


async def test_we_say_who_we_are_and_ask_for_nothing_strange(client):
    async with site(lambda _: GOOD) as there, client(there.base) as asking:
        answer = await asking.ask("/feed", read_json, parameters={"q": "a b&c", "page": 2})
    assert answer.value == {"fine": True}
    assert not answer.cached
    (request,) = there.requests
    assert request.headers["user-agent"].startswith("mailrubric/")
    assert request.headers["host"] == f"127.0.0.1:{there.port}"
    assert request.headers["accept-encoding"] == "gzip"
    assert request.parameters == {"q": "a b&c", "page": "2"}
    assert {"cookie", "authorization", "referer"}.isdisjoint(request.headers)


async def test_no_cookie_is_taken(client):
    async with site(lambda _: response({}, Set_Cookie="id=1; Path=/")) as there, client(there.base) as asking:
        await asking.ask("/1", read_json)
        await asking.ask("/2", read_json)
    assert all("cookie" not in request.headers for request in there.requests)


# --- waiting ----------------------------------------------------------------------------------------------------------


async def test_a_pause_between_requests(client, waits):
    async with site(lambda _: GOOD) as there, client(there.base, dataclasses.replace(QUICK, spacing=50)) as asking:
        await asking.ask("/1", read_json)
        await asking.ask("/2", read_json)
    assert len(waits) == 1
    assert 40 < waits[0] <= 50


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_come_back_later_is_obeyed_as_long_as_asked(client, waits, status):
    answers = [response("", status, Retry_After="20"), response("", status, Retry_After="40"), GOOD]
    async with site(lambda _: answers.pop(0)) as there, client(there.base) as asking:
        assert (await asking.ask("/feed", read_json)).value == {"fine": True}
    assert len(there.requests) == 3
    assert [round(each, -1) for each in waits] == [20, 40]


async def test_a_site_that_always_says_later_is_left_alone(client, waits):
    later = response("", "429 Too Many Requests")
    async with site(lambda _: later) as there, client(there.base) as asking:
        found = await fault(asking.ask("/feed", read_json))
    assert found.cause == "throttled"
    assert "HTTP 429" in found.detail
    assert len(there.requests) == QUICK.attempts
    assert 0 < waits[0] < waits[1]


async def test_a_wait_longer_than_we_wait_ends_it_at_once(client, waits):
    later = response("", "503 Service Unavailable", Retry_After="7200")
    async with site(lambda _: later) as there, client(there.base) as asking:
        found = await fault(asking.ask("/feed", read_json))
    assert (found.cause, waits, len(there.requests)) == ("throttled", [], 1)
    assert "in 7200 s" in found.detail


async def test_a_body_that_says_too_many_requests_counts_like_429(client, waits):
    def read(body: bytes) -> str:
        if b"slow" in body:
            raise TryLater("slow down", 12)
        return "fine"

    answers = [response("slow"), response("good")]
    async with site(lambda _: answers.pop(0)) as there, client(there.base) as asking:
        assert (await asking.ask("/feed", read)).value == "fine"
        assert round(waits[0]) == 12
        assert (await asking.ask("/feed", read)).cached


async def test_hold_keeps_everything_back(client, waits):
    async with site(lambda _: GOOD) as there, client(there.base) as asking:
        asking.hold(45)
        await asking.ask("/feed", read_json)
        assert 44 < waits[0] <= 45
        with pytest.raises(NotCollected, match="throttled"):
            asking.hold(61)


def test_retry_after_in_its_two_forms():
    assert retry_after("120") == 120
    assert retry_after(" 5 ") == 5
    assert retry_after("") is None
    assert retry_after("soon") is None
    assert retry_after("-5") is None
    assert retry_after("9" * 4000) == 999_999_999
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    later = retry_after(email.utils.formatdate(time.time() + 90, usegmt=True))
    assert later is not None
    assert 60 < later <= 91


# --- what is no answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "cause", "detail"),
    [
        (response("<!DOCTYPE html><h1>Robots?</h1>"), "protocol_error", "a page for people"),
        (response('{"feed": {"entry": [{"id"'), "protocol_error", "only a part of it"),
        (response(""), "protocol_error", "empty answer"),
        (response("[" * 100_000), "protocol_error", "no valid JSON"),
        (response(b"\xff\xfe\x00"), "protocol_error", "no valid JSON"),
        (response("", "404 Not Found"), "protocol_error", "HTTP 404"),
        (response("", "500 Internal Server Error"), "protocol_error", "HTTP 500"),
        (response("", "403 Forbidden"), "not_permitted", "HTTP 403"),
        (b"", "protocol_error", ""),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol_error", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "protocol_error", ""),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", "protocol_error", ""),
        (response(b"no gzip", Content_Encoding="gzip"), "protocol_error", "cannot be unpacked"),
        (response(gzip.compress(b"x" * 5000, mtime=0)[:-9], Content_Encoding="gzip"), "protocol_error", "breaks off"),
        (response(b"...", Content_Encoding="br"), "protocol_error", "encoding that nobody asked for"),
    ],
)
async def test_what_is_no_answer_has_a_cause_and_is_not_kept(client, answer, cause, detail):
    async def once(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    good = False
    async with site(lambda _: GOOD if good else once) as there:
        async with client(there.base) as asking:
            found = await fault(asking.ask("/feed", read_json))
        assert found.cause == cause
        assert detail in found.detail
        good = True
        async with client(there.base) as asking:
            again = await asking.ask("/feed", read_json)
    assert (again.value, again.cached) == ({"fine": True}, False)


async def test_gzip_is_unpacked(client):
    packed = response(gzip.compress(b'{"items": []}', mtime=0), Content_Encoding="gzip")
    async with site(lambda _: packed) as there, client(there.base) as asking:
        assert (await asking.ask("/feed", read_json)).value == {"items": []}


async def test_a_bomb_of_gzip_is_not_unpacked(client):
    bomb = gzip.compress(b"0" * 200_000_000, mtime=0)
    assert len(bomb) < 250_000
    tracemalloc.start()
    try:
        async with site(lambda _: response(bomb, Content_Encoding="gzip")) as there, client(there.base) as asking:
            found = await fault(asking.ask("/feed", read_json))
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    assert found.cause == "reply_too_long"


async def test_an_endless_body_is_cut_off(client):
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
        while True:
            writer.write(b'"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",' * 1000)
            await writer.drain()

    small = dataclasses.replace(QUICK, answer_bytes=200_000)
    async with site(lambda _: endless) as there, client(there.base, small) as asking:
        found = await fault(asking.ask("/feed", read_json))
    assert (found.cause, "200000 bytes" in found.detail) == ("reply_too_long", True)


async def test_a_slow_drip_runs_out_of_time(client):
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with site(lambda _: drip) as there, client(there.base, dataclasses.replace(QUICK, request=0.5)) as asking:
        found = await fault(asking.ask("/feed", read_json))
    assert (found.cause, "0.5 s" in found.detail) == ("deadline_exceeded", True)


async def test_silence_runs_out_of_time(client):
    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with site(lambda _: silent) as there, client(there.base, dataclasses.replace(QUICK, read=0.3)) as asking:
        found = await fault(asking.ask("/feed", read_json))
    assert (found.cause, "silent for 0.3 s" in found.detail) == ("deadline_exceeded", True)


async def test_a_closed_port(client):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with client(f"http://127.0.0.1:{port}") as asking:
        found = await fault(asking.ask("/feed", read_json))
    assert (found.cause, str(port) in found.detail) == ("connection_refused", True)


# --- redirects --------------------------------------------------------------------------------------------------------


async def test_a_redirect_within_the_site_is_followed(client):
    def answer(request: Request):
        return GOOD if request.path == "/new" else response("", "302 Found", Location="/new?page=2")

    async with site(answer) as there, client(there.base) as asking:
        assert (await asking.ask("/old", read_json)).value == {"fine": True}
    assert there.targets == ["/old", "/new?page=2"]


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://elsewhere.example/",
        "http://127.0.0.1:1/",
        "//elsewhere.example/feed",
        "file:///etc/passwd",
        "http://user:secret@127.0.0.1/",
        "http://[::1",
        "",
        "\x1b[31m",
    ],
)
async def test_a_redirect_elsewhere_is_not(client, location):
    async with site(lambda _: response("", "301 Moved", Location=location)) as there, client(there.base) as asking:
        found = await fault(asking.ask("/old", read_json))
    assert (found.cause, len(there.requests)) == ("protocol_error", 1)
    assert "redirect" in found.detail or "location header" in found.detail


async def test_circles_and_long_ways_of_redirects_end(client):
    circle = response("", "302 Found", Location="/old")
    async with site(lambda _: circle) as there, client(there.base) as asking:
        assert "circle" in (await fault(asking.ask("/old", read_json))).detail
    assert len(there.requests) == 1

    def further(request: Request):
        return response("", "302 Found", Location=f"/{int(request.path[1:]) + 1}")

    async with site(further) as there, client(there.base) as asking:
        assert "more than 3 times" in (await fault(asking.ask("/1", read_json))).detail
    assert there.targets == ["/1", "/2", "/3", "/4"]


# --- addresses and certificates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["http://127.0.0.1:{}", "http://[::1]:{}", "http://localhost:{}"])
async def test_private_addresses_are_not_dialled_unless_allowed(client, base):
    async with site(lambda _: GOOD) as there, client(base.format(there.port), allow_private=False) as asking:
        found = await fault(asking.ask("/feed", read_json))
    assert (found.cause, there.requests) == ("blocked_address", [])


async def test_a_name_that_leads_to_a_private_network_is_not_dialled(client):
    async def addresses(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "127.0.0.1", "fe80::1%eth0", "::ffff:192.168.0.1"]

    async with site(lambda _: GOOD) as there:
        base = f"http://reviews.example:{there.port}"
        async with client(base, allow_private=False, addresses=addresses) as asking:
            found = await fault(asking.ask("/feed", read_json))
    assert (found.cause, there.requests) == ("blocked_address", [])
    assert "10.0.0.1" in found.detail


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "dns_nxdomain"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "dns_servfail"),
        (OSError("what a resolver"), "dns_servfail"),
        (TimeoutError(), "dns_timeout"),
        (None, "dns_nxdomain"),
    ],
)
async def test_names_without_an_address(client, error, cause):
    async def addresses(host: str, port: int) -> list[str]:
        if error is not None:
            raise error
        return []

    async with client("http://reviews.example", addresses=addresses) as asking:
        assert (await fault(asking.ask("/feed", read_json))).cause == cause


@pytest.fixture
def authority(tmp_path):
    found = trustme.CA()
    found.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return found


def served(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_https_asks_for_the_certificate_of_the_host_and_not_of_the_address(client, authority, tmp_path):
    async with site(lambda _: GOOD, served(authority, "reviews.example")) as there:
        base, ca = f"https://reviews.example:{there.port}", str(tmp_path / "ca.pem")
        async with client(base, addresses=loopback, ca_file=ca) as asking:
            assert (await asking.ask("/feed", read_json)).value == {"fine": True}
    assert there.requests[0].headers["host"] == f"reviews.example:{there.port}"


@pytest.mark.parametrize(("name", "trusted"), [("other.example", True), ("reviews.example", False)])
async def test_a_certificate_of_somebody_else_is_refused(client, authority, tmp_path, name, trusted):
    async with site(lambda _: GOOD, served(authority, name)) as there:
        ca = str(tmp_path / "ca.pem") if trusted else None
        async with client(f"https://reviews.example:{there.port}", addresses=loopback, ca_file=ca) as asking:
            found = await fault(asking.ask("/feed", read_json))
    assert (found.cause, there.requests) == ("tls_handshake_error", [])


async def test_the_second_address_is_tried_when_the_first_takes_no_connection(client):
    async def addresses(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]  # only the second one listens

    async with (
        site(lambda _: GOOD) as there,
        client(f"http://reviews.example:{there.port}", addresses=addresses) as asking,
    ):
        assert (await asking.ask("/feed", read_json)).value == {"fine": True}


async def test_variables_of_the_environment_name_no_proxy_for_us(client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with site(lambda _: GOOD) as there, client(there.base) as asking:
        assert (await asking.ask("/feed", read_json)).value == {"fine": True}


def test_a_base_that_is_no_site_is_refused():
    for base in ("ftp://example.com", "https://user:secret@example.com", "https://", "example.com"):
        with pytest.raises(ValueError, match=r"\S"):
            Client(base)


# --- the cache --------------------------------------------------------------------------------------------------------


async def test_a_kept_answer_needs_no_request(client):
    async with site(lambda _: GOOD) as there:
        for number in range(3):
            async with client(there.base) as asking:
                answer = await asking.ask("/feed", read_json, parameters={"page": 1})
                assert (answer.value, answer.cached) == ({"fine": True}, number > 0)
                assert (asking.requests, asking.cached) == ((1, 0) if number == 0 else (0, 1))
        async with client(there.base) as asking:
            assert not (await asking.ask("/feed", read_json, parameters={"page": 2})).cached
            assert not (await asking.ask("/feed", read_json, form=b"page=2")).cached
            assert (await asking.ask("/feed", read_json, form=b"page=2")).cached
    assert len(there.requests) == 3


async def test_age_ends_an_answer(tmp_path, waits):
    now = 1_000_000.0
    cache = Cache(tmp_path, lambda: now)
    async with site(lambda _: GOOD) as there, Client(there.base, cache, QUICK, allow_private=True) as asking:
        await asking.ask("/feed", read_json, age=3600)
        now += 3599
        assert (await asking.ask("/feed", read_json, age=3600)).cached
        now += 2
        assert not (await asking.ask("/feed", read_json, age=3600)).cached
        now -= 86_400  # a clock that was set back makes no answer from the future
        assert not (await asking.ask("/feed", read_json, age=3600)).cached


async def test_a_kept_answer_that_is_spoilt_is_asked_for_anew(client, tmp_path):
    async with site(lambda _: GOOD) as there, client(there.base) as asking:
        await asking.ask("/feed", read_json)
        (file,) = (tmp_path / "collected").glob("*.answer")
        whole = file.read_bytes()
        for spoilt in (
            b"",
            b"{}",
            whole[:-3],
            whole + b"x",
            b"\xff" * 50,
            b"[" * 9000,
            whole.replace(b"true", b"tru?"),
        ):
            file.write_bytes(spoilt)
            answer = await asking.ask("/feed", read_json)
            assert (answer.value, answer.cached) == ({"fine": True}, False)
            assert file.read_bytes() != spoilt


async def test_old_answers_are_deleted_and_none_gets_into_a_repository(client, tmp_path):
    async with site(lambda _: GOOD) as there, client(there.base) as asking:
        await asking.ask("/feed", read_json)
    (file,) = (tmp_path / "collected").glob("*.answer")
    part = file.with_name("left.part")
    part.write_text("{")
    assert (tmp_path / "collected" / ".gitignore").read_text() == "*\n"
    Cache(tmp_path / "collected")
    assert file.exists()
    old = time.time() - module.KEPT_SECONDS - 60
    os.utime(file, (old, old))
    os.utime(part, (old, old))
    Cache(tmp_path / "collected")
    assert not file.exists()
    assert not part.exists()


async def test_a_folder_that_cannot_be_written_costs_the_cache_only(client, tmp_path):
    (tmp_path / "collected").write_text("a file in the way")
    async with site(lambda _: GOOD) as there, client(there.base) as asking:
        assert (await asking.ask("/feed", read_json)).value == {"fine": True}


async def test_an_answer_that_the_reader_refuses_is_not_kept(client):
    def refuse(body: bytes):
        raise NotCollected("empty_answer", "nothing in it")

    async with site(lambda _: GOOD) as there, client(there.base) as asking:
        assert (await fault(asking.ask("/feed", refuse))).cause == "empty_answer"
        assert not (await asking.ask("/feed", read_json)).cached
        # Nor does a kept answer that another reader refuses stand in anybody's way.
        assert (await fault(asking.ask("/feed", refuse))).cause == "empty_answer"
    assert len(there.requests) == 3


async def test_an_error_whose_body_was_wanted_is_not_kept(client):
    async with site(lambda _: response({"error": 1}, "400 Bad Request")) as there, client(there.base) as asking:
        for _ in range(2):
            answer = await asking.ask("/feed", read_json, accept=frozenset({200, 400}))
            assert (answer.value, answer.cached) == ({"error": 1}, False)
    assert len(there.requests) == 2


async def test_requests_have_an_end(client):
    few = dataclasses.replace(QUICK, requests=2)
    async with site(lambda _: GOOD) as there, client(there.base, few, cached=False) as asking:
        await asking.ask("/1", read_json)
        await asking.ask("/2", read_json)
        assert (await fault(asking.ask("/3", read_json))).cause == "not_permitted"
    assert len(there.requests) == 2


def test_the_limits_that_count_outside_tests():
    limits = Limits()
    assert limits.spacing >= 1
    assert limits.requests <= 300  # what Stack Exchange allows in a day
    assert json.dumps(dataclasses.asdict(limits))
