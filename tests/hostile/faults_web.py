"""The fault matrix of web servers (API, status page, web site) as data: see ``faults`` for how it is read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping

from probes.model import Cause, Role
from tests.hostile.faults import HUNG_UP, IN_TIME, NONSENSE, NOT_TLS, TOO_LONG
from tests.hostile.server import (
    FAULTS,
    NAME,
    Answer,
    Close,
    Drip,
    Flood,
    HalfClose,
    ReadRecord,
    Reset,
    Script,
    Send,
    Silence,
    StartTLS,
)

ROLES: tuple[Role, ...] = ("api", "status", "web")

TRUE: Mapping[str, object] = {}
"""Everything is as with the well-behaved server."""

Expected = frozenset[Cause] | Mapping[str, object]
"""Of one probe's metrics: the causes of which each has one; or the truth, but for these: metric → its value, or the set
of causes of which it has one."""

SUMMARY = {
    "page": {"id": "abc", "name": "Hostile", "url": "https://hostile.test"},
    "status": {"indicator": "none", "description": "All Systems Operational"},
    "components": [{"id": "1", "name": "Mail", "status": "operational", "group": False}],
    "incidents": [],
}
BODY = json.dumps(SUMMARY).encode()
HSTS = b"Strict-Transport-Security: max-age=31536000\r\n"


def response(
    body: bytes = BODY, status: bytes = b"200 OK", headers: bytes = b"", version: bytes = b"HTTP/1.1"
) -> bytes:
    """A complete response."""
    length = b"Content-Length: %d\r\n" % len(body)
    return (
        version + b" " + status + b"\r\nContent-Type: application/json\r\n" + HSTS + length + headers + b"\r\n" + body
    )


@dataclasses.dataclass(frozen=True)
class Case:
    """One fault of a web server. ``listening`` "no" or "full": nobody serves. ``tls``: of tls and certificate; ``http``
    and ``status``: of those. A status page that is not asked for is not looked at. ``security_txt``: of that, where it
    is not what becomes of ``http``; the well-behaved server answers every path, so it has none."""

    name: str
    script: Script | None
    tls: Expected = dataclasses.field(default_factory=dict)
    http: Expected = dataclasses.field(default_factory=dict)
    status: Expected = dataclasses.field(default_factory=dict)
    security_txt: Expected | None = None
    listening: str = "yes"
    alone: bool = False
    """Whether it costs so much computing time that other cases beside it would run into their limits."""

    def expected(self, metric: str) -> Expected:
        """What is expected of the probe to which this metric belongs."""
        group, _, name = metric.partition(".")
        if group == "security_txt":
            default = self.http if isinstance(self.http, frozenset) else TRUE
            return default if self.security_txt is None else self.security_txt
        if group == "latency":
            if name == "samples" or name.startswith("connect"):
                return TRUE if self.script is not None else self.http
            # A response counts for what it took as soon as it is complete, whatever it says.
            causes = self.tls if name.startswith("handshake") else self.http
            return causes if isinstance(causes, frozenset) else TRUE
        return self.http if group == "http" else self.status if group == "status" else self.tls


def served(scheme: str, *said: Script, name: str = NAME) -> Script:
    """A server that reads a request and then does what ``said`` says, for every request of a connection that stays
    open; its certificate is for ``name``."""
    answer = Answer({b"": tuple(step for script in said for step in script)}, otherwise=())
    return (*((StartTLS(name, alpn=("http/1.1",)),) if scheme == "https" else ()), answer)


def _page(status: int = 200, **http: object) -> dict[str, object]:
    refusal: dict[str, object] = {}
    if 400 <= status < 500 and status != 429:
        fields = tuple(sorted(SUMMARY))
        refusal = {"http.error_json": True, "http.error_fields": fields, "http.problem_details": False}
    if status == 401:
        refusal["http.authentication_schemes"] = ()
    return {"http.status": status, **refusal, **{f"http.{name}": value for name, value in http.items()}}


def cases(scheme: str) -> Iterator[Case]:
    """All the cases of a server of this scheme; the first is the well-behaved one."""
    yield Case("well-behaved", served(scheme, (Send(response()),)))
    for listening, cause in (("no", Cause.CONNECTION_REFUSED), ("full", Cause.CONNECTION_TIMEOUT)):
        all_ = frozenset({cause})
        yield Case(f"connection: {cause.value}", None, all_, all_, all_, listening=listening)
    if scheme == "https":
        yield from _handshakes()
    yield from _cut_short(scheme)
    yield from _malformed(scheme)
    yield from _odd(scheme)


def _handshakes() -> Iterator[Case]:
    for fault, script in FAULTS.items():
        causes = HUNG_UP if fault in ("close", "half-close", "reset") else IN_TIME if fault == "silence" else NOT_TLS
        # The hand-made hellos name what they see more finely.
        versions = causes | (NONSENSE | TOO_LONG | HUNG_UP if causes == NOT_TLS else frozenset())
        yield Case(f"{fault} at handshake", (ReadRecord(), *script), versions, causes, causes)
    plain = (ReadRecord(), Send(response(b"plain", b"400 Bad Request")), Close())
    yield Case("plain HTTP on a TLS port", plain, NOT_TLS | NONSENSE | HUNG_UP, NOT_TLS, NOT_TLS)
    for number in (40, 70, 80, 112):
        alert = frozenset({Cause.TLS_ALERT})
        script = (ReadRecord(), Send(bytes([21, 3, 3, 0, 2, 2, number])), Close())
        yield Case(f"TLS alert {number}", script, alert, alert, alert)


def _cut_short(scheme: str) -> Iterator[Case]:
    """The response stops somewhere."""
    whole = response()
    head = whole.index(b"\r\n\r\n") + 4
    ends: dict[str, tuple[Script, frozenset[Cause]]] = {
        "close": ((Close(),), HUNG_UP),
        "half-close": ((HalfClose(), Silence()), HUNG_UP),
        "reset": ((Reset(),), HUNG_UP),
        "silence": ((Silence(),), IN_TIME),
    }
    places = {
        "before the status line": 0,
        "in the status line": 7,
        "in the headers": 40,
        "after the headers": head,
        "in the body": head + 20,
    }
    for end, (script, causes) in ends.items():
        for place, at in places.items():
            sent: Script = (Send(whole[:at]),) if at else ()
            yield Case(f"{end} {place}", served(scheme, sent, script), http=causes, status=causes)
    yield Case("one byte a second", served(scheme, (Drip(whole),)), http=IN_TIME, status=IN_TIME)


def _malformed(scheme: str) -> Iterator[Case]:
    """What is sent is no HTTP, or too much of it."""
    start = b"HTTP/1.1 200 OK\r\n"
    # Where the library reads on for more, the silence that follows comes first.
    for fault in ("garbage", "binary", "421", "554"):
        causes = NONSENSE | (IN_TIME if fault == "554" else frozenset()) | (HUNG_UP if fault == "421" else frozenset())
        yield Case(f"{fault} instead of a response", served(scheme, FAULTS[fault]), http=causes, status=causes)
    nonsense = {
        "two content lengths": start + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "negative content length": start + b"Content-Length: -5\r\n\r\nhello",
        "content length that is no number": start + b"Content-Length: 0x10\r\n\r\nhello",
        "chunk that is no chunk": start + b"Transfer-Encoding: chunked\r\n\r\nnot hexadecimal\r\n",
        "header without a colon": start + b"no colon here\r\n\r\n",
        "status that is no number": b"HTTP/1.1 OK fine\r\n\r\n",
        "control characters in a header": start + b"X-A: \x00\x01\r\n\r\n",
    }
    for fault, sent in nonsense.items():
        yield Case(fault, served(scheme, (Send(sent), Silence())), http=NONSENSE, status=NONSENSE)
    long: dict[str, Script] = {
        "endless headers": (Send(start), Flood(b"X-More: and more\r\n")),
        "endless header line": (Send(start + b"X-Long: "), Flood(b"x" * 1024)),
        "header line of 1 MiB": (Send(start + b"X-Long: " + b"x" * (1 << 20) + b"\r\n\r\n"), Close()),
        "endless status line": (Send(b"HTTP/1.1 200 "), Flood(b"O" * 1024)),
        "endless 100 Continue": (Flood(b"HTTP/1.1 100 Continue\r\n\r\n"),),
        "endless chunk extension": (Send(start + b"Transfer-Encoding: chunked\r\n\r\n1;"), Flood(b"x" * 1024)),
    }
    for fault, script in long.items():
        alone = fault == "endless 100 Continue"
        # That one keeps a slow machine busy until the time is up.
        causes = TOO_LONG | NONSENSE | (IN_TIME if alone else frozenset())
        yield Case(fault, served(scheme, script), http=causes, status=causes, alone=alone)
    if scheme == "https":
        for fault in ("garbage", "endless line", "binary"):
            # What is no frame can look like the beginning of a long one, of which the rest never comes.
            causes = NONSENSE | TOO_LONG | HUNG_UP | IN_TIME
            yield Case(f"{fault} instead of HTTP/2", _http2(FAULTS[fault]), http=causes, status=causes)
        for fault, causes in (("silence", IN_TIME), ("close", HUNG_UP)):
            yield Case(f"{fault} instead of HTTP/2", _http2(FAULTS[fault]), http=causes, status=causes)


def _http2(fault: Script) -> Script:
    """A server that agrees to HTTP/2, waits for the preface and then does something else."""
    preface = Answer({b"PRI": (*fault, Close())}, otherwise=())
    return (StartTLS(alpn=("h2",)), preface)


def _odd(scheme: str) -> Iterator[Case]:
    """Complete responses: the page's own facts are facts, the status page is none."""

    def answered(
        name: str, sent: bytes, http: Expected = TRUE, status: Expected = NONSENSE, file: Expected | None = None
    ) -> Case:
        code = int(sent[9:12])
        if file is None and len(sent) > 65536 and code == 200:
            file = TOO_LONG
        if file is None and code not in (200, 404):
            file = frozenset({Cause.THROTTLED}) if code == 429 else NONSENSE
        return Case(name, served(scheme, (Send(sent),)), http=http, status=status, security_txt=file)

    summaries: dict[str, bytes] = {
        "no JSON": b"<html>hello</html>",
        "empty body": b"",
        "list": b"[]",
        "nested to attack": b"[" * 100_000,
        "not UTF-8": b'{"page": "\xff\xfe"}',
        "number beyond all measure": b'{"page": ' + b"9" * 10_000 + b"}",
        "other JSON": b'{"status": "ok"}',
        "indicator of another kind": json.dumps({**SUMMARY, "status": {"indicator": "purple"}}).encode(),
        "indicator that is no text": json.dumps({**SUMMARY, "status": {"indicator": None}}).encode(),
        "incidents that are no list": json.dumps({**SUMMARY, "incidents": "none"}).encode(),
        "incident without a status": json.dumps({**SUMMARY, "incidents": [{}]}).encode(),
        "components that are no objects": json.dumps({**SUMMARY, "components": [1, 2]}).encode(),
        "no page": json.dumps({**SUMMARY, "page": {}}).encode(),
    }
    for name, body in summaries.items():
        yield answered(f"status page: {name}", response(body), status=NONSENSE | TOO_LONG)
    for status in (b"404 Not Found", b"500 Internal Server Error", b"503 Service Unavailable"):
        yield answered(f"status {status.decode()}", response(status=status), _page(int(status[:3])))
    throttled = frozenset({Cause.THROTTLED})
    yield answered("status 429", response(status=b"429 Too Many Requests"), _page(429), throttled)
    for code in (401, 403):
        wanted = {"http.authentication_required": True}
        yield answered(f"status {code}", response(status=b"%d No" % code), _page(code) | wanted)
    nowhere = {"a loop": b"/", "no place": b"", "a script": b"javascript:alert(1)", "a file": b"file:///etc/passwd"}
    for name, target in nowhere.items():
        sent = response(status=b"302 Found", headers=b"Location: " + target + b"\r\n")
        # The status page lies elsewhere, so the loop's first step leads it to the page itself.
        yield answered(f"redirect to {name}", sent, _page(302, redirects=0))
    sent = response(status=b"302 Found", headers=b"Location: /again\r\n")
    yield answered("redirect that comes again", sent, _page(302, redirects=1))
    if scheme == "https":
        sent = response(status=b"301 Moved", headers=b"Location: http://127.0.0.1:1/\r\n")
        yield answered("redirect from https to http", sent, _page(301, redirects=0))
    refused = frozenset({Cause.CONNECTION_REFUSED})
    of_response = (
        "status", "version", "latency_ms", "tls", "http3_announced", "authentication_required",
        "authentication_schemes", "error_json", "error_fields", "problem_details", "request_id_headers",
        "rate_limit_headers", "lifecycle_headers",
    )  # fmt: skip
    of_hsts = ("hsts", "hsts_max_age", "hsts_include_subdomains", "hsts_preload")
    dead = {f"http.{name}": refused for name in of_response}
    if scheme == "http":
        dead |= {f"http.{name}": refused for name in of_hsts}
    sent = response(status=b"302 Found", headers=f"Location: {scheme}://127.0.0.1:1/\r\n".encode())
    yield answered("redirect to where nobody listens", sent, dead, refused, refused)
    missing = frozenset({Cause.NOT_APPLICABLE})
    for value in (b"max-age=soon", b"max-age=1; max-age=2", b"includeSubDomains", b'max-age="'):
        sent = response().replace(HSTS, b"Strict-Transport-Security: " + value + b"\r\n")
        nothing = {f"http.{name}": missing for name in of_hsts}
        wrong: Expected = nothing | {"http.hsts": False} if scheme == "https" else TRUE
        yield answered(f"HSTS header {value.decode()}", sent, wrong, TRUE)
    yield answered("HTTP/1.0", response(version=b"HTTP/1.0"), {"http.version": "HTTP/1.0"}, TRUE)
    # A page without an end is cut: what its headers said stays true.
    start = response(b"").replace(b"Content-Length: 0\r\n", b"")
    floods: dict[str, Script] = {
        "endless body": (Send(start), Flood(b"x" * 16384)),
        "body of a TiB": (Send(response(b"").replace(b"Length: 0", b"Length: 1099511627776")), Flood(b"x" * 16384)),
        "endless chunks": (
            Send(start.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")),
            Flood(b"400\r\n" + b"x" * 1024 + b"\r\n"),
        ),
    }
    for name, script in floods.items():
        yield Case(name, served(scheme, script), status=TOO_LONG, security_txt=TOO_LONG)
    small = (Send(start.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")), Flood(b"1\r\nx\r\n"))
    causes = TOO_LONG | IN_TIME  # more framing than content
    yield Case("endless chunks of one byte", served(scheme, small), http=causes, status=causes, alone=True)
