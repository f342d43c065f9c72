"""The venue's UDP edge: datagrams to listeners one by one, or to multicast groups."""

import asyncio
import socket
from collections.abc import Callable

from services.venue.multicast.settings import Destination, MulticastConfig, addresses
from services.venue.outputs import Datagram

SEND_BUFFER_BYTES = 4 << 20
RESOLVE_S = 1.0  # between looks at where a listener's name points now


class Sender:
    """Sends and forgets. What a full socket refuses is counted and never waited on: listeners
    see the hole in the sequence and heal from snapshots. A listener that is known by name is
    looked up again and again: a container that starts anew has a new address."""

    accepts: frozenset[type] = frozenset({Datagram})

    def __init__(self, config: MulticastConfig, destinations: tuple[Destination, ...]) -> None:
        self._config = config
        self._destinations = destinations
        self._socket: socket.socket | None = None
        self._found: dict[str, str] = {}  # host -> its address
        self._finding: asyncio.Task[None] | None = None
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
        names = sorted({to.host for to in self._destinations if not _is_address(to.host)})
        if names:
            self._finding = asyncio.create_task(self._find(names), name="listeners")

    def send(self, message: object) -> None:
        assert isinstance(message, Datagram)
        if self._socket is None:
            return  # the venue is closing: its clock may tick once more after this door is shut
        channel_id, data = message
        known = self._addresses.get(channel_id)
        if known is None:
            known = self._addresses[channel_id] = [
                (self._found.get(host, host), port)
                for host, port in addresses(self._config, self._destinations, channel_id)
                if host in self._found or _is_address(host)
            ]
        for address in known:
            try:
                self._socket.sendto(data, address)
            except OSError:  # full, or nobody can be reached there
                self.refused_count += 1
            else:
                self.sent_count += 1

    async def _find(self, names: list[str]) -> None:
        """Keeps the addresses of names; one that cannot be found keeps its last."""
        loop = asyncio.get_running_loop()
        while True:
            for name in names:
                try:
                    found = await loop.getaddrinfo(name, None, family=socket.AF_INET)
                except OSError:
                    continue  # not up yet, or the name server is away
                address = str(found[0][4][0])
                if self._found.get(name) != address:
                    self._found[name] = address
                    self._addresses.clear()
            await asyncio.sleep(RESOLVE_S)

    async def stop(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _is_address(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True
