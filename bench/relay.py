"""A long way between two network namespaces: IP packets arrive half a round trip later on the other side.

    python -m bench.relay ROUND_TRIP_MS PROCESS OUR_ADDRESS THEIR_ADDRESS

Started as root in the servers' namespace; PROCESS is the id of one that lives in the clients'. Makes a TUN device in
each and carries packets from one to the other, so everything is delayed as on a real way: TCP's and UDP's every packet,
the TCP handshake too. A process of its own, so that its CPU is nobody's. Prints ``ready`` once packets pass.

Neither namespace has any other device, so nothing can leave the machine. The kernel's own ``netem`` does the same where
it is built in; this needs only TUN.
"""

from __future__ import annotations

import collections
import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_DEVICE = "way"
_QUEUE_PACKETS = "20000"
_PACKETS_AT_ONCE = 64


def _device(address: str, peer: str, *, default_route: bool) -> int:
    """A TUN device in the namespace that this thread is in; its file."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", _DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    commands = [
        ["link", "set", "lo", "up"],
        ["address", "add", address, "peer", peer, "dev", _DEVICE],
        ["link", "set", _DEVICE, "txqueuelen", _QUEUE_PACKETS, "up"],
    ]
    if default_route:
        commands.append(["route", "add", "198.18.0.0/16", "dev", _DEVICE])
    for command in commands:
        subprocess.run(["ip", *command], check=True, stdin=subprocess.DEVNULL)
    return file


def _enter(process: int) -> None:
    with open(f"/proc/{process}/ns/net", "rb") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def carry(files: tuple[int, int], delay: float) -> None:
    """Carry packets between the two for ever, each ``delay`` seconds late. In order: the delay is the same for all."""
    other = {files[0]: files[1], files[1]: files[0]}
    waiting: collections.deque[tuple[float, int, bytes]] = collections.deque()
    clock = time.monotonic
    while True:
        timeout = max(0.0, waiting[0][0] - clock()) if waiting else None
        for file in select.select(files, (), (), timeout)[0]:  # epoll would round up to whole milliseconds
            try:
                for _ in range(_PACKETS_AT_ONCE):
                    packet = os.read(file, 65536)
                    waiting.append((clock() + delay, other[file], packet))
            except BlockingIOError:
                pass
        now = clock()
        while waiting and waiting[0][0] <= now:
            _, file, packet = waiting.popleft()
            try:
                os.write(file, packet)
            except OSError:  # IPv6 chatter, or a full queue: a way may lose packets, and TCP sends them again
                continue


def main(arguments: list[str]) -> None:
    """See the module's text."""
    round_trip_ms, process, ours, theirs = float(arguments[0]), int(arguments[1]), arguments[2], arguments[3]
    here = _device(ours, theirs, default_route=False)
    _enter(process)
    there = _device(theirs, ours, default_route=True)
    os.nice(-10)  # a way is never busy with something else
    print("ready", flush=True)
    carry((here, there), round_trip_ms / 2000)


if __name__ == "__main__":
    main(sys.argv[1:])
