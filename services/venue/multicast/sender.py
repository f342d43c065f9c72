"""The venue's UDP edge: datagrams to listeners one by one, or to multicast groups."""

import socket
from collections.abc import Callable

from services.venue.multicast.settings import Destination, MulticastConfig, addresses
from services.venue.outputs import Datagram

SEND_BUFFER_BYTES = 4 << 20


class Sender:
    """Sends and forgets. What a full socket refuses is counted and never waited on: listeners
    see the hole in the sequence and heal from snapshots."""

    accepts: frozenset[type] = frozenset({Datagram})

    def __init__(self, config: MulticastConfig, destinations: tuple[Destination, ...]) -> None:
        self._config = config
        self._destinations = destinations
        self._socket: socket.socket | None = None
        self._addresses: dict[int, list[tuple[str, int]]] = {}  # of a channel
        self.sent_count = 0
        self.refused_count = 0

    async def start(self, deliver: Callable[[object], None]) -> None:
        del deliver  # nothing comes in here
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.setblocking(False)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if self._config.mode == "multicast":
            interface = socket.inet_aton(self._config.interface)
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._config.ttl)
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        self._socket = out

    def send(self, message: object) -> None:
        assert isinstance(message, Datagram)
        assert self._socket is not None
        channel_id, data = message
        known = self._addresses.get(channel_id)
        if known is None:
            known = self._addresses[channel_id] = addresses(
                self._config, self._destinations, channel_id
            )
        for address in known:
            try:
                self._socket.sendto(data, address)
            except OSError:  # full, or nobody can be reached there
                self.refused_count += 1
            else:
                self.sent_count += 1

    async def stop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
