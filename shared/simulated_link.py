"""A venue session over simulated bytes: the same state machine as on a socket, another carrier."""

import random
from functools import partial
from typing import TYPE_CHECKING, Protocol

from shared.clock import NS_PER_MS
from shared.venue_link import LinkSettings, VenueRequest
from shared.venue_session import TIMER_INTERVAL_MS, SessionOutput, VenueSession

if TYPE_CHECKING:
    from shared.simulation import Agent, Simulation

WIRE_NS = 100_000  # one way
RECONNECT_NS = 500 * NS_PER_MS


class VenuePort(Protocol):
    """The venue's side: connections are numbered by the simulation, never twice the same."""

    client_id: str
    client_secret: str

    def opened(self, connection_id: int) -> None: ...

    def received(self, connection_id: int, data: bytes) -> None: ...

    def closed(self, connection_id: int) -> None: ...

    def attach(self, connection_id: int, link: "SimulatedLink") -> None:
        """What the venue sends on this connection goes to `link.arrive`."""
        ...


class SimulatedLink:
    """One agent's connection to the venue, opened again when it is lost."""

    def __init__(
        self,
        simulation: "Simulation",
        agent: "Agent",
        port: VenuePort,
        settings: LinkSettings,
        nonce: random.Random,
    ) -> None:
        self._simulation = simulation
        self._agent = agent
        self._port = port
        self._settings = settings
        self._nonce = nonce
        self._connection_id = 0  # 0: none
        self._opening = 0  # grows with each attempt: an older one is void
        self._cut_until_ns = 0
        self._wire: tuple[int, int, list[bytes]] | None = None  # the newest batch on its way
        self._session = self._fresh_session()

    @property
    def is_up(self) -> bool:
        return self._session.is_up

    def open(self) -> None:
        """Starts with a fresh session; for an agent that has just started."""
        self._session = self._fresh_session()
        self._connect_at(self._simulation.clock.now_ns + WIRE_NS)
        incarnation = self._agent.incarnation

        def tick() -> None:
            if self._agent.incarnation != incarnation:
                return
            now_ns = self._simulation.clock.now_ns
            if now_ns >= self._agent.stalled_until_ns:
                self._take(self._session.on_timer(now_ns))
            self._simulation.at(now_ns + TIMER_INTERVAL_MS * NS_PER_MS, tick)

        self._simulation.at(self._simulation.clock.now_ns + TIMER_INTERVAL_MS * NS_PER_MS, tick)

    def kill(self) -> None:
        """The agent is dead; the kernel closes the connection."""
        self._opening += 1
        self._close_at_venue()

    def cut(self, away_ns: int) -> None:
        """The connection is lost on both sides and cannot be opened for a while."""
        self._cut_until_ns = self._simulation.clock.now_ns + away_ns
        if self._connection_id:
            self._lose("connection lost")

    def request(self, request: VenueRequest) -> None:
        self._take(self._session.on_request(request, self._simulation.clock.now_ns))

    def arrive(self, connection_id: int, data: bytes) -> None:
        """Bytes that the venue sends; they take their time on the wire."""
        at_ns = self._simulation.clock.now_ns + WIRE_NS
        if self._wire is not None and self._wire[:2] == (at_ns, connection_id):
            self._wire[2].append(data)  # lands with what was sent at the same moment
            return
        batch = [data]
        self._wire = (at_ns, connection_id, batch)

        def land() -> None:
            for one in batch:
                if self._agent.is_free:
                    self._receive(connection_id, one)
                else:
                    self._agent.run(partial(self._receive, connection_id, one))

        self._simulation.at(at_ns, land)

    def closed_by_venue(self, connection_id: int) -> None:
        def lose() -> None:
            if connection_id == self._connection_id:
                self._connection_id = 0
                self._lose("closed by the venue")

        self._simulation.at(self._simulation.clock.now_ns + WIRE_NS, lose)

    def _receive(self, connection_id: int, data: bytes) -> None:
        if connection_id == self._connection_id:
            self._take(self._session.on_bytes(data, self._simulation.clock.now_ns))

    def _connect_at(self, at_ns: int) -> None:
        self._opening += 1
        opening = self._opening

        def connect() -> None:
            if opening != self._opening or not self._agent.is_running:
                return
            if self._simulation.clock.now_ns < self._cut_until_ns:
                self._connect_at(self._simulation.clock.now_ns + RECONNECT_NS)
                return
            self._connection_id = self._simulation.next_connection_id()
            self._port.attach(self._connection_id, self)
            self._port.opened(self._connection_id)
            self._take(self._session.on_connected(self._simulation.clock.now_ns))

        self._simulation.at(at_ns, connect)

    def _take(self, output: SessionOutput) -> None:
        connection_id, now_ns = self._connection_id, self._simulation.clock.now_ns
        for data in output.sends:
            send = partial(self._port.received, connection_id, data)
            self._simulation.at(now_ns + WIRE_NS, send)
        for event in output.events:
            self._agent.take(event)
        if output.close_reason and connection_id == self._connection_id:
            self._lose(output.close_reason)

    def _lose(self, reason: str) -> None:
        self._close_at_venue()
        self._take(self._session.on_disconnected(reason, self._simulation.clock.now_ns))
        self._connect_at(self._simulation.clock.now_ns + RECONNECT_NS)

    def _close_at_venue(self) -> None:
        if self._connection_id:
            connection_id, self._connection_id = self._connection_id, 0
            self._simulation.at(
                self._simulation.clock.now_ns + WIRE_NS, lambda: self._port.closed(connection_id)
            )

    def _fresh_session(self) -> VenueSession:
        return VenueSession(
            self._settings,
            self._port.client_id,
            self._port.client_secret,
            lambda: f"{self._nonce.getrandbits(64):016x}",
        )
