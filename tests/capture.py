"""Reads pcapng captures of UDP over Ethernet or loopback: the few blocks that recorded ones use."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ENHANCED_PACKET = 6
SIMPLE_ETHERNET_TYPE = b"\x08\x00"
UDP = 17


class Datagram(NamedTuple):
    port: int
    payload: bytes


def datagrams(path: Path) -> Iterator[Datagram]:
    """Yields the UDP payloads in order."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length >= 12
        assert length == struct.unpack_from("<I", data, at + length - 4)[0]
        if kind == ENHANCED_PACKET:
            captured, original = struct.unpack_from("<II", data, at + 20)
            assert captured == original, "a packet was cut short by the capture"
            yield from _udp(data[at + 28 : at + 28 + captured])
        at += length


def _udp(frame: bytes) -> Iterator[Datagram]:
    if frame[12:14] != SIMPLE_ETHERNET_TYPE:
        return
    header_bytes = (frame[14] & 15) * 4
    if frame[14 + 9] != UDP:
        return
    at = 14 + header_bytes
    port, length = struct.unpack_from(">HH", frame, at + 2)
    yield Datagram(port, frame[at + 8 : at + length])
