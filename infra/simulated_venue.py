"""The venue's core inside a simulation: the bytes of a socket, carried by the event heap."""

from services.venue.core import Close, Config, Output, Send, UserAccount
from services.venue.market.chain import Chain
from services.venue.market.opening import build_venue
from services.venue.outputs import Datagram
from shared.clock import NS_PER_MS, NS_PER_S
from shared.simulated_link import SimulatedLink
from shared.simulation import Simulation


class SimulatedVenue:
    """Owns the venue of one simulation: its timer, its connections, its audit on the bus."""

    client_id = "desk"
    client_secret = "simulated"  # noqa: S105  # nothing outside this process can use it

    def __init__(self, config: Config, chain: Chain, seed: int) -> None:
        desk = UserAccount("desk", self.client_id, self.client_secret)
        self.core = build_venue(config, chain, seed, [desk], chain.opened_ns)
        self._step_ns = config.step_ms * NS_PER_MS
        self._links: dict[int, SimulatedLink] = {}
        self._simulation: Simulation | None = None
        self._audit_ns = chain.opened_ns

    def start(self, simulation: Simulation) -> None:
        self._simulation = simulation
        simulation.at(simulation.clock.now_ns + self._step_ns, self._tick)

    def attach(self, connection_id: int, link: SimulatedLink) -> None:
        self._links[connection_id] = link

    def opened(self, connection_id: int) -> None:
        self.core.on_open(connection_id, self._now_ns)

    def received(self, connection_id: int, data: bytes) -> None:
        self._route(self.core.on_bytes(connection_id, data, self._now_ns))

    def closed(self, connection_id: int) -> None:
        self._links.pop(connection_id, None)
        self._route(self.core.on_close(connection_id, self._now_ns))

    @property
    def _now_ns(self) -> int:
        assert self._simulation is not None
        return self._simulation.clock.now_ns

    def _tick(self) -> None:
        simulation, now_ns = self._simulation, self._now_ns
        assert simulation is not None
        self._route(self.core.on_timer(now_ns))
        if now_ns - self._audit_ns >= NS_PER_S:
            self._audit_ns = now_ns
            for audit in self.core.audits(now_ns):
                simulation.bus.publish("venue", audit)
        simulation.at(now_ns + self._step_ns, self._tick)

    def _route(self, outputs: list[Output]) -> None:
        for output in outputs:
            assert not isinstance(output, Datagram), "nobody listens to datagrams here"
            link = self._links.get(output.connection_id)
            if link is None:
                continue
            if isinstance(output, Send):
                link.arrive(output.connection_id, output.data)
            else:
                assert isinstance(output, Close)
                del self._links[output.connection_id]
                link.closed_by_venue(output.connection_id)
