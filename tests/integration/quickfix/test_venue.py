"""Our venue with QuickFIX as its client: cut, robbed and repeated at every message."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from services.venue.matching.order_entry import Ask
from services.venue.matching.orders import SELL
from services.venue.matching.price_grid import ceil_ticks
from shared.clock import NS_PER_S
from shared.units import price_from_ticks
from tests.integration.quickfix.wire import HARMS, Wire
from tests.integration.server import until
from tests.integration.venue_server import CLIENT_ID, CLIENT_SECRET, Serving, serving

quickfix = pytest.importorskip("quickfix", reason="QuickFIX is not here: make test-quickfix")

from tests.integration.quickfix.engine import Engine, message, settings_file  # noqa: E402

STEPS = 14  # messages that the script sees both ways, heartbeats among them
DESK, GUEST = 2, 3  # accounts
CREDIT = {"trading_burst": 10_000, "trading_rate": 10_000}
LOTS = 10  # one coin


@pytest.mark.parametrize("harm", HARMS)
async def test_no_order_is_carried_out_twice_and_no_fill_is_lost(harm, tmp_path):
    names = [f"C{at}" for at in range(1, STEPS + 1)]
    async with serving(has_crowd=False, **CREDIT) as venue, AsyncExitStack() as stack:
        wires = [
            await stack.enter_async_context(Wire(venue.fix_server.port, harm, at))
            for at in range(1, STEPS + 1)
        ]
        engine = Engine(CLIENT_ID, CLIENT_SECRET)
        initiator = quickfix.SocketInitiator(
            engine, quickfix.MemoryStoreFactory(), settings_file(tmp_path, sessions(names, wires))
        )
        await asyncio.to_thread(initiator.start)
        try:
            options = quiet_options(venue)
            await asyncio.gather(*[script(venue, engine, name, next(options)) for name in names])
            await until(lambda: all(wire.is_done for wire in wires), 30_000)
        finally:
            await asyncio.to_thread(initiator.stop, True)
        assert engine.rejects == []


def sessions(names: list[str], wires: list[Wire]) -> str:
    return "".join(
        f"[SESSION]\nConnectionType=initiator\nSenderCompID={name}\nTargetCompID=DERIBITSERVER\n"
        f"SocketConnectHost=127.0.0.1\nSocketConnectPort={wire.port}\n"
        for name, wire in zip(names, wires, strict=True)
    )


async def script(venue: Serving, engine: Engine, name: str, index: int) -> None:
    """A bid that the guest hits, an order that takes, and one that is cancelled; then everything
    is where it should be, once."""
    exchange = venue.front.venue.exchange
    instrument = exchange.instruments[index]
    ticks = ceil_ticks(instrument, exchange.marks.high_ticks[index] // 2)
    await until(lambda: engine.logons.get(name), 20_000)
    buy(engine, name, "a", index, venue, ticks)
    await until(lambda: orders_named(venue, name, "a"), 20_000)
    guest_sells(venue, index, ticks)
    above = ceil_ticks(instrument, ticks + 5)
    guest_sells(venue, index, above)
    buy(engine, name, "b", index, venue, above, time_in_force=3)
    buy(engine, name, "c", index, venue, 5)
    engine.send(name, message("F", (11, f"{name}-c"), (55, instrument.name)))

    def trades() -> list[str]:
        mine = exchange.history.by_account.get(DESK, ())
        return [trade.trade_id for trade, _ in mine if trade.index == index]

    def is_settled() -> bool:
        told = engine.values(name, 1363)
        return len(trades()) == 2 and len(told) >= 2 and f"{name}-c" in ended_ids(engine, name)

    await until(is_settled, 30_000)
    assert sorted(engine.values(name, 1363)) == sorted(trades())
    for part in "abc":
        assert len(orders_named(venue, name, part)) == 1
    assert Counter(engine.values(name, 17)).most_common(1)[0][1] == 1


def buy(engine: Engine, name: str, part: str, index: int, venue: Serving, ticks: int,
        time_in_force: int = 1) -> None:  # fmt: skip
    instrument = venue.front.venue.exchange.instruments[index]
    price = f"{price_from_ticks(instrument, ticks):.4f}"
    fields: list[tuple[int, Any]] = [
        (11, f"{name}-{part}"), (55, instrument.name), (54, 1), (38, 1), (40, 2), (44, price),
        (59, time_in_force), (100010, f"{name}-{part}"),
    ]  # fmt: skip
    engine.send(name, message("D", *fields))


def guest_sells(venue: Serving, index: int, ticks: int) -> None:
    ask = Ask(index=index, side=SELL, lots=LOTS, price_ticks=ticks)
    venue.front.venue.floor.orders.place(GUEST, 0, ask, venue.clock.wall_ns())
    venue.step()


def orders_named(venue: Serving, name: str, part: str) -> list[str]:
    orders = venue.front.venue.exchange.orders
    mine = (*orders.live(DESK), *orders.ended(DESK))
    return [order.order_id for order in mine if order.label == f"{name}-{part}"]


def ended_ids(engine: Engine, name: str) -> set[str]:
    """Returns the client's ids of orders that were reported cancelled."""
    rows = [dict(fields) for fields in engine.seen[name]]
    return {row[41] for row in rows if row.get(39) == "4" and 41 in row}


def quiet_options(venue: Serving) -> Iterator[int]:
    """Yields BTC options that leave room between the band's ends."""
    exchange = venue.front.venue.exchange
    for index, instrument in enumerate(exchange.instruments):
        is_far = instrument.expiry_ns > venue.clock.wall_ns() + 10 * 86_400 * NS_PER_S
        if instrument.kind == "option" and instrument.underlying == "BTC" and is_far:
            low, high = exchange.marks.low_ticks[index], exchange.marks.high_ticks[index]
            if low <= high // 2 - 10 and high > 100:
                yield index
