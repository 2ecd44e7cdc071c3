"""How a probe of the command line may behave: the workspace's settings with the command's options over them."""

from __future__ import annotations

import ipaddress
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailrubric.cli.terminal import Usage

if TYPE_CHECKING:
    from probes.network import Depth, Options

_SETTINGS_FILE = "mailrubric.yaml"


def options(
    workspace: Path | None,
    *,
    allow_private: bool = False,
    resolver: str | None = None,
    ca: Path | None = None,
    ehlo: str | None = None,
    deadline: float | None = None,
    depth: str | None = None,
    own_server: bool = False,
) -> Options:
    """Network options; ``Usage`` for a value that cannot be meant.

    Without a ``mailrubric.yaml`` neither the models nor the YAML reader are loaded.
    """
    import dataclasses

    from probes.network import Limits, Options

    settings = _settings(workspace, _depth(depth))
    if allow_private:
        settings["allow_private"] = True
    if resolver is not None:
        settings["resolver"] = parse_resolver(resolver)
    if ca is not None:
        _check_anchors(ca)
        settings["ca_file"] = str(ca)
    if ehlo is not None:
        if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]{1,255}", ehlo):
            raise Usage("--ehlo: a host name such as probe.example.com, or an address in brackets")
        settings["ehlo_name"] = ehlo
    if deadline is not None:
        if not 0 < deadline < math.inf:  # a comparison with nan is never true
            raise Usage("--deadline: a number of seconds")
        limits = settings.get("limits", Limits())
        settings["limits"] = dataclasses.replace(limits, deadline=deadline, deadline_own_server=deadline)
    if own_server:
        settings.update(_own_servers(workspace))
    return Options(**settings)


def _depth(name: str | None) -> Depth | None:
    from probes.network import DEADLINES

    for depth in DEADLINES:
        if name == depth:
            return depth
    if name is None:
        return None
    raise Usage(f"--depth: {' or '.join(DEADLINES)}, not {name!r}")


def _own_servers(workspace: Path | None) -> dict[str, Any]:
    """The servers that the workspace declares to be one's own."""
    found: dict[str, Any] = {}
    if ((workspace or Path()) / _SETTINGS_FILE).is_file():
        from mailrubric.cli.workspace import open_workspace

        found = open_workspace(workspace).own_server_options()
    if not found.get("own_servers"):
        raise Usage(f"--own-server: {_SETTINGS_FILE} names no own_servers; see docs/own-server.md")
    return found


def _check_anchors(file: Path) -> None:
    """``Usage`` for a file without certificates: what depends on it would be a fault of ours later."""
    import ssl

    if not file.is_file():
        raise Usage(f"--ca: there is no file {file}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except OSError as error:  # unreadable, or (SSLError) not PEM
        raise Usage(f"--ca: no certificate in PEM can be read from {file}: {error.strerror or error}") from None


def parse_resolver(text: str) -> tuple[str, int]:
    """``192.0.2.1``, ``192.0.2.1:5353``, ``[2001:db8::1]:5353`` or ``2001:db8::1`` as (address, port)."""
    match = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?|([^:]+)(?::(\d{1,5}))?|(.*:.*:.*)", text)
    address = next((match[group] for group in (1, 3, 5) if match and match[group]), "") if match else ""
    port = int((match[2] or match[4] or "53") if match else 53)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        address = ""
    if not address or not 0 < port < 65536:
        raise Usage(f"--resolver: {text!r} is not ADDRESS:PORT, such as 192.0.2.1:53 or [2001:db8::1]:53")
    return address, port


def _settings(workspace: Path | None, depth: Depth | None) -> dict[str, Any]:
    folder = workspace if workspace is not None else Path()
    if workspace is not None and not folder.is_dir():
        raise Usage(f"--workspace: there is no folder {folder}")
    if not (folder / _SETTINGS_FILE).is_file():
        from probes.network import DEADLINES, Limits

        return {} if depth is None else {"depth": depth, "limits": Limits(deadline=DEADLINES[depth])}
    from mailrubric.cli.workspace import open_workspace

    return open_workspace(workspace).network_options(depth)
