"""Execution and gateway on the simulated venue, on the simulated bus: the path of a hedge."""

import json
from collections.abc import Callable
from typing import Any

from services.execution.core import Config as ExecutionConfig
from services.execution.service import build as build_execution
from services.gateway.core import Config as GatewayConfig
from services.gateway.service import build as build_gateway
from services.venue.core import Close, Output, Send, UserAccount, Venue
from services.venue.core import Config as VenueConfig
from services.venue.market.opening import build_venue, open_chain
from shared.clock import NS_PER_MS, NS_PER_S
from shared.configuration import DeskConfig
from shared.faults import FaultRates
from shared.messages.hedging import HedgeIntentV1
from shared.messages.message import Message
from shared.messages.orders import AccountV1, FillV1
from shared.service import Service
from shared.simulated_link import SimulatedLink
from shared.simulation import Settings, Simulation

START_NS = 1_768_200_000 * NS_PER_S
STEP_NS = 50 * NS_PER_MS
DESK = DeskConfig(underlyings=("BTC",))


class CorePort:
    """The venue's core as the simulation's venue: bytes straight in and out."""

    client_id = "desk-id"
    client_secret = "desk-secret"

    def __init__(self, seed: int, *, has_crowd: bool) -> None:
        chain = open_chain("", seed, START_NS, DESK.underlyings)
        users = [UserAccount("desk", self.client_id, self.client_secret)]
        config = VenueConfig(has_crowd=has_crowd)
        self.venue: Venue = build_venue(config, chain, seed, users, START_NS)
        self.links: dict[int, SimulatedLink] = {}
        self.now: Callable[[], int] = lambda: START_NS
        self.is_mute = False  # takes what it is sent, and its answers are lost
        self.is_lossy = False  # what it is sent is lost
        self.labels: list[str] = []  # of every order it was sent

    def attach(self, connection_id: int, link: SimulatedLink) -> None:
        self.links[connection_id] = link

    def opened(self, connection_id: int) -> None:
        self.venue.on_open(connection_id, self.now())

    def received(self, connection_id: int, data: bytes) -> None:
        if self.is_lossy:
            return
        call = json.loads(data)
        if call["method"] in {"private/buy", "private/sell"}:
            self.labels.append(call["params"]["label"])
        self.send(self.venue.on_bytes(connection_id, data, self.now()))

    def closed(self, connection_id: int) -> None:
        self.send(self.venue.on_close(connection_id, self.now()))

    def step(self) -> None:
        self.send(self.venue.on_timer(self.now()))

    def send(self, outputs: list[Output]) -> None:
        for output in outputs:
            link = self.links.get(output.connection_id)
            if link is None:
                continue
            if isinstance(output, Send):
                if not self.is_mute:
                    link.arrive(output.connection_id, output.data)
            elif isinstance(output, Close):
                link.closed_by_venue(output.connection_id)


class HedgePath:
    """Runs the desk's half that trades hedges; keeps every message."""

    def __init__(
        self, seed: int = 1, faults: FaultRates | None = None, *, has_crowd: bool = True
    ) -> None:
        self.port = CorePort(seed, has_crowd=has_crowd)
        builders: list[Callable[[], Service]] = [
            lambda: build_gateway(GatewayConfig(), DESK),
            lambda: build_execution(ExecutionConfig(), DESK),
        ]
        settings = Settings(seed=seed, start_ns=START_NS, faults=faults, is_encoded=True)
        self.simulation = Simulation(settings, builders, self.port)
        self.port.now = lambda: self.simulation.clock.now_ns
        self.said: list[tuple[str, Message]] = []
        self.simulation.observers.append(
            lambda _now_ns, sender, message: self.said.append((sender, message))
        )
        self._step()

    def _step(self) -> None:
        self.port.step()
        self.simulation.at(self.simulation.clock.now_ns + STEP_NS, self._step)

    def start(self, seconds: float) -> None:
        self.simulation.start(START_NS + round(seconds * NS_PER_S))

    def run(self, seconds: float) -> None:
        self.simulation.run_until(self.simulation.clock.now_ns + round(seconds * NS_PER_S))

    def intent(self, intent_id: str, **fields: Any) -> HedgeIntentV1:
        now_ns = self.simulation.clock.now_ns
        values: dict[str, Any] = {
            "created_ns": now_ns,
            "intent_id": intent_id,
            "underlying": "BTC",
            "instrument": "BTC-PERPETUAL",
            "side": "buy",
            "amount_lots": 500,
            "urgency": "passive",
            "deadline_ns": now_ns + 10 * NS_PER_S,
            "delta_coin": -0.1,
            "band_coin": 0.05,
            "reason": "test",
            "portfolio_fill_count": 0,
            **fields,
        }
        message = HedgeIntentV1(**values)
        self.simulation.bus.publish("hedging", message)
        return message

    def all(self, kind: type) -> list[Any]:
        """Every message of a kind once, whoever said it how often."""
        found: dict[str | None, Message] = {}
        for _, message in self.said:
            if type(message) is kind:
                found.setdefault(message.message_id(), message)
        return list(found.values())

    def all_states(self, kind: type) -> list[Any]:
        """Every message of a kind, in order."""
        return [message for _, message in self.said if type(message) is kind]

    def filled_lots(self, intent_id: str) -> int:
        fills = [fill for fill in self.all(FillV1) if fill.order_id.startswith(f"{intent_id}-")]
        return sum(fill.amount_lots for fill in fills)

    def quiet_account(self) -> AccountV1:
        """Returns the venue's word on the account after everything has come to rest."""
        self.run(8.0)
        return [message for _, message in self.said if isinstance(message, AccountV1)][-1]
