"""NautilusTrader, from a strategy's callback to its order at the execution client: `on_quote_tick`
entered, a limit order made, checked by the risk engine and handed over. Runs in an environment of
its own: `python peer_nautilus.py TICKS` prints the nanoseconds of each as a JSON array.

The order before is cancelled after the clock has stopped, so that the book stays small. Simulated
data and venue, logging off: no socket and no serialisation are in it.
"""

import json
import sys
import time
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

FIRST_NS = 1_700_000_000_000_000_000  # with times near zero the engine ends in a double free
STEP_NS = 1_000_000
WARM_UP = 1_000


class Quoter(Strategy):  # type: ignore[misc]
    """Quotes one side at every tick."""

    def __init__(self, instrument: Any) -> None:
        super().__init__()
        self.instrument = instrument
        self.took_ns: list[int] = []
        self.order: Any = None

    def on_start(self) -> None:
        self.subscribe_quote_ticks(self.instrument.id)

    def on_quote_tick(self, tick: Any) -> None:
        began_ns = time.perf_counter_ns()
        order = self.order_factory.limit(
            instrument_id=tick.instrument_id,
            order_side=OrderSide.BUY,
            quantity=Quantity.from_str("0.100"),
            price=Price(float(tick.bid_price) - 1_000.0, 1),
        )
        self.submit_order(order)
        self.took_ns.append(time.perf_counter_ns() - began_ns)
        if self.order is not None and self.order.is_open:
            self.cancel_order(self.order)
        self.order = order


def main() -> None:
    count = int(sys.argv[1]) + WARM_UP
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(log_level="ERROR")))
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(1_000_000_000, USDT)],
        default_leverage=Decimal(1),
    )
    instrument = TestInstrumentProvider.btcusdt_perp_binance()
    engine.add_instrument(instrument)
    ticks = []
    for number in range(count):
        bid, at_ns = 60_000.0 + number % 7, FIRST_NS + number * STEP_NS
        prices = Price(bid, 1), Price(bid + 1.0, 1)
        sizes = Quantity.from_str("1.000"), Quantity.from_str("1.000")
        ticks.append(QuoteTick(instrument.id, *prices, *sizes, at_ns, at_ns))
    engine.add_data(ticks)
    quoter = Quoter(instrument)
    engine.add_strategy(quoter)
    engine.run()
    took_ns = quoter.took_ns[WARM_UP:]
    engine.dispose()
    print(json.dumps(took_ns))


if __name__ == "__main__":
    main()
