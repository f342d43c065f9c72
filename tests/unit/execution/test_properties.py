"""Random desks: late, doubled and reordered news, unknown outcomes, restarts.

The model is the truth at the venue: what was accepted, what has traded, what is still live.
"""

import random

import pytest

from services.execution.core import Config
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.message import Message
from shared.messages.orders import CancelOrderV1, OrderV1, PlaceOrderV1, QueryOrderV1
from tests.unit.execution.desk import T0, Desk, fill, intent, order

SEEDS = 150


class VenueOrder:
    def __init__(self, place: PlaceOrderV1, *, is_live: bool) -> None:
        self.place = place
        self.is_live = is_live
        self.was_there = is_live
        self.filled_lots = 0


class World:
    """A gateway and a venue that lose, delay, double and reorder news but never lie."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.desk = Desk(Config(escalate_ms=1500))
        self.record: list[Message] = []
        self.orders: dict[str, VenueOrder] = {}
        self.news: list[tuple[int, Message]] = []  # due, message
        self.trade_count = 0
        self.taken = 0

    def run(self, intents: int) -> None:
        due_ns = {T0 + (1 + 3 * n) * NS_PER_S: n for n in range(intents)}
        for step in range(700):
            desk = self.desk
            if step % 10 == 0:
                move = self.random.randrange(-6, 7)
                desk.market(bid=180_000 + move, ask=180_010 + move)
            n = due_ns.get(desk.now_ns)
            if n is not None:
                self.intent(n)
            self.trade()
            self.deliver()
            if self.random.random() < 0.01:
                self.restart()
            self.desk.tick()
            self.obey()

    def intent(self, n: int) -> None:
        message = intent(
            f"i{n}",
            created_ns=self.desk.now_ns,
            side=self.random.choice(["buy", "sell"]),
            amount_lots=self.random.randrange(1, 200),
            urgency=self.random.choice(["passive", "taking"]),
            deadline_ns=self.desk.now_ns + self.random.randrange(1, 8) * NS_PER_S,
        )
        self.record.append(message)
        for _ in range(self.random.choice([1, 1, 2])):
            self.desk.take(self.desk.core.on_intent(message))
        self.obey()

    def obey(self) -> None:
        """Does what the core has just said."""
        while self.taken < len(self.desk.out):
            message = self.desk.out[self.taken]
            self.taken += 1
            self.record.append(message)
            if isinstance(message, PlaceOrderV1):
                self.place(message)
            elif isinstance(message, CancelOrderV1):
                found = self.orders[message.order_id]
                if self.random.random() < 0.9:
                    found.is_live = False
                self.tell(found)
            elif isinstance(message, QueryOrderV1):
                self.tell(self.orders[message.order_id])

    def place(self, place: PlaceOrderV1) -> None:
        assert place.order_id not in self.orders, "an order was sent twice"
        assert not any(other.is_live for other in self.orders.values()), "two orders live"
        luck = self.random.random()
        found = self.orders[place.order_id] = VenueOrder(place, is_live=luck > 0.2)
        if 0.2 < luck < 0.3 or luck < 0.1:
            self.send(order(place, "unknown", self.desk.now_ns))
        elif luck < 0.2:
            self.send(order(place, "rejected", self.desk.now_ns, reason="11054 post_only_reject"))
        else:
            if place.is_immediate:
                self.fill(found, self.random.randrange(place.amount_lots + 1))
                found.is_live = False
            self.tell(found)

    def fill(self, found: VenueOrder, lots: int) -> None:
        if lots > 0:
            found.filled_lots += lots
            self.trade_count += 1
            self.send(fill(found.place, f"t{self.trade_count}", lots, self.desk.now_ns))

    def trade(self) -> None:
        for found in self.orders.values():
            if found.is_live and self.random.random() < 0.1:
                left = found.place.amount_lots - found.filled_lots
                self.fill(found, self.random.randrange(left + 1))
                if found.filled_lots == found.place.amount_lots:
                    found.is_live = False
                self.tell(found)

    def tell(self, found: VenueOrder) -> None:
        place, filled_lots = found.place, found.filled_lots
        if found.is_live:
            state = "open"
        elif filled_lots == place.amount_lots:
            state = "filled"
        else:
            state = "cancelled" if found.was_there else "rejected"
        reason = "" if found.was_there else "not_found"
        self.send(order(place, state, self.desk.now_ns, filled_lots=filled_lots, reason=reason))

    def send(self, message: Message) -> None:
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            delay_ns = self.random.choice([0, 0, 100, 500, 2500]) * NS_PER_MS
            self.news.append((self.desk.now_ns + delay_ns, message))

    def deliver(self) -> None:
        due = [item for item in self.news if item[0] <= self.desk.now_ns]
        self.news = [item for item in self.news if item[0] > self.desk.now_ns]
        self.random.shuffle(due)
        for _, message in due:
            self.record.append(message)
            handler = (
                self.desk.core.on_order if isinstance(message, OrderV1) else self.desk.core.on_fill
            )
            self.desk.take(handler(message))  # type: ignore[arg-type]
            self.obey()

    def restart(self) -> None:
        """Kill -9, and a new process that has only the record."""
        before = self.desk
        self.desk = Desk(Config(escalate_ms=1500), is_started=False)
        self.taken = 0
        handlers = {
            "HedgeIntentV1": self.desk.core.on_intent,
            "PlaceOrderV1": self.desk.core.on_place,
            "OrderV1": self.desk.core.on_order,
            "FillV1": self.desk.core.on_fill,
            "HedgeOutcomeV1": self.desk.core.on_outcome,
        }
        for message in self.record:
            handler = handlers.get(type(message).__name__)
            if handler is not None:
                self.desk.take(handler(message))  # type: ignore[operator]
        self.desk.now_ns = before.now_ns
        self.desk.market()
        self.desk.take(self.desk.core.start(TimerV1(created_ns=before.now_ns)))
        self.obey()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_never_more_than_asked_never_twice_always_an_outcome(seed: int) -> None:
    world = World(seed)
    world.run(intents=8)
    intents = {one.intent_id: one for one in world.record if isinstance(one, HedgeIntentV1)}
    outcomes = [one for one in world.record if isinstance(one, HedgeOutcomeV1)]
    assert sorted(one.intent_id for one in outcomes) == sorted(intents)
    for one in outcomes:
        filled_lots = sum(
            found.filled_lots
            for found in world.orders.values()
            if found.place.intent_id == one.intent_id
        )
        assert filled_lots <= intents[one.intent_id].amount_lots
        assert one.filled_lots == filled_lots
    assert not any(found.is_live for found in world.orders.values())


def test_the_seeds_meet_what_they_are_for() -> None:
    results: set[str] = set()
    states: set[str] = set()
    for seed in range(30):
        world = World(seed)
        world.run(intents=8)
        results |= {one.result for one in world.record if isinstance(one, HedgeOutcomeV1)}
        states |= {one.state for one in world.record if isinstance(one, OrderV1)}
    assert results >= {"done", "expired", "replaced"}
    assert states == {"open", "filled", "cancelled", "rejected", "unknown"}
