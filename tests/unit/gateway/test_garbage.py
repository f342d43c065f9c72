"""Nothing the venue sends stops the gateway or makes it publish what the bus would refuse.

`Scripted.take` encodes and decodes every message, bounds and all.
"""

import copy
import random
from typing import Any

import pytest

from tests.unit.gateway.scripted import CALL, PERPETUAL, Scripted, order_row, place, trade_row

JUNK = (
    None,
    True,
    -1,
    0,
    1,
    2**63,
    -(2**70),
    0.5,
    -0.1,
    1e308,
    1e-320,
    "",
    "x",
    "90000",
    "a b",
    "long" * 1000,
    [],
    [1],
    {},
    {"a": []},
    [[]],
    [None],
    [{}],
    "new",
)
NOTICES: dict[str, Any] = {
    f"quote.{CALL}": {
        "timestamp": 1_767_000_000_000,
        "best_bid_price": 0.0365,
        "best_bid_amount": 1.0,
        "best_ask_price": 0.04,
        "best_ask_amount": 1.0,
    },
    f"book.{PERPETUAL}.100ms": {
        "type": "snapshot",
        "timestamp": 1_767_000_000_000,
        "change_id": 5,
        "prev_change_id": 4,
        "bids": [["new", 90000.0, 10.0]],
        "asks": [["change", 90001.0, 10.0]],
    },
    f"ticker.{PERPETUAL}.100ms": {"mark_price": 90000.0, "state": "open"},
    "markprice.options.btc_usd": [{"instrument_name": CALL, "mark_price": 0.03, "iv": 0.5}],
    "deribit_price_index.btc_usd": {"price": 90000.0, "timestamp": 1_767_000_000_000},
    "user.trades.any.any.raw": [trade_row("t")],
    "user.orders.future.BTC.raw": order_row(),
    "instrument.state.option.BTC": {"instrument_name": CALL, "state": "created"},
}  # fmt: skip


def spoil(source: random.Random, value: Any) -> Any:
    """Replaces one value somewhere inside, or all of it."""
    if isinstance(value, dict) and value and source.random() < 0.9:
        key = source.choice(list(value))
        if source.random() < 0.1:
            return {other: value[other] for other in value if other != key}
        return {**value, key: spoil(source, value[key])}
    if isinstance(value, list) and value and source.random() < 0.8:
        at = source.randrange(len(value))
        return [*value[:at], spoil(source, value[at]), *value[at + 1 :]]
    return source.choice(JUNK)


@pytest.mark.parametrize("seed", range(20))
def test_spoiled_notices(seed: int) -> None:
    source = random.Random(seed)
    gateway = Scripted()
    gateway.ready()
    gateway.command(place())
    for _ in range(150):
        channel = source.choice(list(NOTICES))
        data = copy.deepcopy(NOTICES[channel])
        if source.random() < 0.8:
            data = spoil(source, data)
        gateway.notice(channel, data)
        gateway.tick()


@pytest.mark.parametrize("seed", range(40))
def test_spoiled_answers(seed: int) -> None:
    source = random.Random(seed)
    gateway = Scripted()
    gateway.up()
    for step in range(120):
        while gateway.open:
            request = gateway.open[0]
            answer = gateway.plain_answer(request)
            if request.method in {"private/buy", "private/get_order_state"}:
                answer = {"order": order_row(), "trades": [trade_row()], **order_row()}
            elif "order" in request.method:
                answer = [order_row(label=f"i{step}-0")]
            elif "trades" in request.method:
                answer = {"trades": [trade_row(f"t{step}")], "has_more": False}
            elif request.method == "private/get_positions":
                answer = [{"instrument_name": PERPETUAL, "size": 10.0}]
            gateway.answer(
                request.method, spoil(source, answer) if source.random() < 0.3 else answer
            )
        gateway.command(place(f"i{step}-0"))
        gateway.notice("deribit_price_index.btc_usd", {"price": 9e4, "timestamp": gateway.ms})
        gateway.tick(3)
