"""Intents through execution and gateway to the simulated venue and back, faults and all."""

from collections import Counter

import pytest

from shared.clock import NS_PER_S
from shared.faults import FaultRates
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import FeedV1, InstrumentsV1, TicksV1
from shared.messages.orders import FillV1, OrderV1, PlaceOrderV1
from shared.messages.risk import AlertV1
from tests.simulation.hedge_path import HedgePath

FAULTS = FaultRates(crash_s=12.0, stall_s=15.0, disconnect_s=10.0, quiet_s=4.0)
SEEDS = 8


def outcomes(path: HedgePath) -> dict[str, HedgeOutcomeV1]:
    return {outcome.intent_id: outcome for outcome in path.all(HedgeOutcomeV1)}


def check(path: HedgePath) -> None:
    """What must hold at the end of any run."""
    account = path.quiet_account()
    positions: Counter[str] = Counter()
    for fill in path.all(FillV1):
        sign = 1 if fill.side == "buy" else -1
        positions[fill.instrument] += sign * fill.amount_lots
    venue = {one.instrument: one.position_lots for one in account.positions}
    assert venue == {name: lots for name, lots in positions.items() if lots}
    assert len(path.port.labels) == len(set(path.port.labels)), "an order was sent twice"
    intents = path.all(HedgeIntentV1)
    ended = outcomes(path)
    assert sorted(ended) == sorted(intent.intent_id for intent in intents)
    for intent in intents:
        filled_lots = path.filled_lots(intent.intent_id)
        assert filled_lots <= intent.amount_lots
        assert ended[intent.intent_id].filled_lots == filled_lots
    assert account.open_order_count == 0


def test_gateway_is_ready_within_seconds_with_the_whole_chain_live() -> None:
    path = HedgePath(has_crowd=False)
    path.start(5)
    path.run(3.0)
    gateway = path.simulation.agents["gateway"].service
    assert gateway.not_ready() == ""
    listed = {one.name for message in path.all_states(InstrumentsV1) for one in message.instruments}
    ticks = {
        tick.instrument: tick
        for _, batch in path.said
        if isinstance(batch, TicksV1)
        for tick in batch.ticks
    }
    assert len(listed) > 300
    assert {name for name, tick in ticks.items() if tick.is_live} == listed
    assert all(tick.mark_price > 0.0 for tick in ticks.values())
    assert path.all(AlertV1) == []


def test_passive_intent_is_filled_by_resting() -> None:
    path = HedgePath(seed=3)
    path.start(30)
    path.run(3.0)
    path.intent("i1", amount_lots=100)
    path.run(12.0)
    assert outcomes(path)["i1"].result == "done"
    assert all(fill.is_maker for fill in path.all(FillV1))
    check(path)


def test_urgent_intent_is_taken_at_once() -> None:
    path = HedgePath(seed=4)
    path.start(30)
    path.run(3.0)
    path.intent("i1", urgency="taking", side="sell")
    path.run(1.0)
    assert outcomes(path)["i1"].result == "done"
    [*fills] = path.all(FillV1)
    assert all(not fill.is_maker and fill.fee_coin_e12 > 0 for fill in fills)
    check(path)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_faults_lose_nothing_and_trade_nothing_twice(seed: int) -> None:
    path = HedgePath(seed=seed, faults=FAULTS)
    path.start(50)
    path.run(3.0)
    for n in range(12):
        path.intent(
            f"i{n}",
            side="buy" if n % 3 else "sell",
            urgency="taking" if n % 2 else "passive",
            deadline_ns=path.simulation.clock.now_ns + 6 * NS_PER_S,
        )
        path.run(4.0)
    path.run(20.0)
    check(path)


def test_lost_answers_are_asked_for_and_the_order_is_found() -> None:
    path = HedgePath(seed=5)
    path.start(60)
    path.run(3.0)
    path.port.is_mute = True
    path.intent("i1", urgency="taking")
    path.run(0.3)
    assert len(path.port.labels) == 1
    link = path.simulation.agents["gateway"].link
    assert link is not None
    link.cut(200_000_000)
    path.port.is_mute = False
    path.run(12.0)
    states = [order.state for order in path.all(OrderV1) if order.order_id == "i1-0"]
    assert states[0] == "unknown"
    assert states[-1] in {"filled", "cancelled"}
    assert path.filled_lots("i1") > 0
    check(path)


def test_order_the_venue_never_saw_is_not_found_and_another_is_sent() -> None:
    path = HedgePath(seed=6)
    path.start(60)
    path.run(3.0)
    link = path.simulation.agents["gateway"].link
    assert link is not None
    path.port.is_lossy = True
    path.intent("i1", urgency="taking", deadline_ns=path.simulation.clock.now_ns + 30 * NS_PER_S)
    path.run(0.3)
    link.cut(200_000_000)
    path.port.is_lossy = False
    path.run(15.0)
    reasons = [(order.state, order.reason) for order in path.all(OrderV1)]
    assert ("rejected", "not_found") in reasons
    assert [place.order_id for place in path.all(PlaceOrderV1)][:2] == ["i1-0", "i1-1"]
    assert outcomes(path)["i1"].result == "done"
    check(path)


def test_fills_made_while_the_gateway_is_dead_are_published_after() -> None:
    path = HedgePath(seed=7)
    path.start(60)
    path.run(3.0)
    path.port.is_mute = True
    path.intent("i1", urgency="taking")
    path.run(0.3)
    path.simulation.agents["gateway"].crash()
    path.port.is_mute = False
    path.run(1.0)
    assert path.all(FillV1) == []
    path.simulation.agents["gateway"].start()
    path.run(12.0)
    assert path.filled_lots("i1") > 0
    check(path)


def test_feed_says_when_the_venue_is_away() -> None:
    path = HedgePath(has_crowd=False)
    path.start(20)
    path.run(3.0)
    link = path.simulation.agents["gateway"].link
    assert link is not None
    link.cut(2 * NS_PER_S)
    path.run(0.5)
    feeds = [message for _, message in path.said if isinstance(message, FeedV1)]
    assert not feeds[-1].is_connected
    path.run(6.0)
    feeds = [message for _, message in path.said if isinstance(message, FeedV1)]
    assert (feeds[-1].is_connected, feeds[-1].reconnect_count) == (True, 1)
