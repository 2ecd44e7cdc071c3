"""A probe of one's own to start from: module, test and doc entry, each working as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from mailrubric.files import write_new

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

_MODULE = '''\
"""What a mail server says first, before we say anything. docs/probes.md of Mailrubric explains every part."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from probes.model import Endpoint, Measurement, Metric, Unmeasured
from probes.network import Network
from probes.replies import printable


class {title}Probe:
    """Reads the first line that the server sends."""

    name = "{name}"
    # The endpoints it is for: submission, mx, imap, pop3, sieve, domain, sending, api, status, web.
    roles = frozenset({{"submission", "mx"}})
    # All that it may yield: key, type, meaning. Types: boolean, integer, number, text, set, level.
    metrics = (
        Metric("{name}.first_line", "text", "First line that the server sends, before we say anything."),
        Metric("{name}.first_line_ms", "number", "Time until that line was there.", unit="ms"),
    )

    async def measure(self, endpoint: Endpoint, network: Network) -> Iterable[Measurement]:
        """Both metrics. Whatever goes wrong raises Unmeasured with its cause, and the metrics are missing with it."""
        # The only way to the outside: it keeps the deadline, the caps and our manners. One connection of few.
        async with await network.dial(endpoint.host, endpoint.port) as connection:
            if endpoint.tls == "implicit":
                await connection.start_tls(endpoint.host)
            began = connection.clock()
            line = await connection.read_line()
            took = connection.ms_since(began)
            with contextlib.suppress(Unmeasured):  # a goodbye that fails costs no value
                await connection.send_line("QUIT")
        # What comes from outside stays bytes until printable() has made it harmless.
        return [Measurement("{name}.first_line", printable(line)), Measurement("{name}.first_line_ms", took)]


PROBE = {title}Probe()
'''

_TEST = '''\
"""Tests of the probe {name} against a server on loopback: python -m pytest probes/test_{name}.py"""

from __future__ import annotations

import asyncio
from pathlib import Path

from probes import registry
from probes.model import Cause, Endpoint, Measurement
from probes.network import Options
from probes.runner import probe_endpoint

PROBE = registry.load_file(Path(__file__).with_name("{name}.py"))


async def measure(said: bytes, heard: bytearray | None = None) -> dict[str, Measurement]:
    """What the probe finds at a server that says this, and hangs up when it says nothing; ``heard`` gets what it was
    told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        if said:
            told = await reader.read()
            if heard is not None:
                heard.extend(told)
        writer.close()
        done.set()

    done = asyncio.Event()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        endpoint = Endpoint("submission", host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        report = await probe_endpoint(endpoint, options=Options(allow_private=True), probes=[PROBE])
        await done.wait()
    return {{each.metric: each for each in report.measurements}}


def test_a_server_that_speaks() -> None:
    heard = bytearray()
    found = asyncio.run(measure(b"220 mail.example ESMTP\\r\\n", heard))
    assert found["{name}.first_line"].value == "220 mail.example ESMTP"
    assert isinstance(found["{name}.first_line_ms"].value, float)
    assert heard == b"QUIT\\r\\n"


def test_hostile_bytes_are_harmless() -> None:
    assert asyncio.run(measure(b"\\x1b[2J\\xff\\r\\n"))["{name}.first_line"].value == "\\\\x1b[2J\\\\xff"


def test_no_line_is_a_cause_and_no_value() -> None:
    found = asyncio.run(measure(b""))
    assert {{each.cause for each in found.values()}} == {{Cause.CONNECTION_RESET}}
'''

_ENTRY = """\
## `{name}`

What a mail server says first. Replace this with what the probe measures, why, and what it costs the server (one
connection).

| metric | meaning |
| --- | --- |
| `{name}.first_line` | First line that the server sends, before we say anything. |
| `{name}.first_line_ms` | Time until that line was there, in ms. |
"""


def new_probe(directory: Path, name: str) -> list[Path]:
    """Write ``probes/<name>.py`` and ``probes/test_<name>.py`` into a workspace, add an entry to ``probes/README.md``,
    and return their paths.

    Raises ``ValueError`` for what is no name of a probe, ``FileExistsError`` when there is such a file, ``OSError``.
    """
    from probes import registry

    if _NAME.fullmatch(name) is None or name.startswith("test_"):
        raise ValueError("a probe's name is made of lower-case letters, digits and underscores, such as dns_cookies")
    if name in registry.shipped_names() or any(key.startswith(f"{name}.") for key in _shipped_keys()):
        raise ValueError("Mailrubric has a probe or metrics of this name already")
    folder = directory / "probes"
    if (folder / "__init__.py").exists():
        raise ValueError(f"{folder} is a Python package, not a workspace's folder of probes; name another --workspace")
    title = "".join(word.capitalize() for word in name.split("_"))
    texts = {folder / f"{name}.py": _MODULE, folder / f"test_{name}.py": _TEST}
    for path in texts:
        if path.exists():
            raise FileExistsError(17, "exists", str(path))
    paths = [write_new(path, text.format(name=name, title=title).encode()) for path, text in texts.items()]
    return [*paths, _add_entry(folder / "README.md", name)]


def _shipped_keys() -> list[str]:
    from probes import registry

    return [metric.key for name in registry.shipped_names() for metric in registry.probe(name).metrics]


def _add_entry(path: Path, name: str) -> Path:
    """Append the probe's entry, unless there is one."""
    text = path.read_text(encoding="utf-8") if path.exists() else "# Probes of our own\n"
    if f"## `{name}`" not in text:
        path.write_text(f"{text.rstrip()}\n\n{_ENTRY.format(name=name)}", encoding="utf-8")
    return path
