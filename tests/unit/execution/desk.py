"""Messages for execution's tests, and a harness that runs the core on them."""

from collections.abc import Iterable
from typing import Any, TypeVar

from services.execution.core import Config, Execution
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.hedging import HedgeIntentV1
from shared.messages.market import Instrument, InstrumentsV1, Tick, TickStep, TicksV1
from shared.messages.message import Message, decode, encode
from shared.messages.orders import FillV1, OrderV1, PlaceOrderV1
from shared.messages.risk import HaltV1

T0 = 1_767_000_000 * NS_PER_S
PERPETUAL = "BTC-PERPETUAL"
M = TypeVar("M", bound=Message)


def instrument(**fields: Any) -> Instrument:
    values: dict[str, Any] = {
        "name": PERPETUAL,
        "instrument_id": 1,
        "kind": "perpetual",
        "underlying": "BTC",
        "expiry_ns": 0,
        "strike_usd": 0.0,
        "is_call": False,
        "tick_e8": 50_000_000,
        "tick_steps": (),
        "lot_e8": 10**9,
        "maker_fee_ratio": 0.0,
        "taker_fee_ratio": 0.0005,
        **fields,
    }
    return Instrument(**values)


OPTION = instrument(
    name="BTC-9JAN26-90000-C",
    kind="option",
    tick_e8=10_000,
    lot_e8=10_000_000,
    tick_steps=(TickStep(above_ticks=50, step_ticks=5),),
)


def intent(intent_id: str = "i1", **fields: Any) -> HedgeIntentV1:
    values: dict[str, Any] = {
        "created_ns": T0,
        "intent_id": intent_id,
        "underlying": "BTC",
        "instrument": PERPETUAL,
        "side": "buy",
        "amount_lots": 100,
        "urgency": "passive",
        "deadline_ns": T0 + 20 * NS_PER_S,
        "delta_coin": -0.01,
        "band_coin": 0.005,
        "reason": "band",
        "portfolio_fill_count": 1,
        **fields,
    }
    return HedgeIntentV1(**values)


def order(place: PlaceOrderV1, state: str, now_ns: int, **fields: Any) -> OrderV1:
    values: dict[str, Any] = {
        "created_ns": now_ns,
        "order_id": place.order_id,
        "venue_order_id": "v1",
        "instrument": place.instrument,
        "side": place.side,
        "state": state,
        "amount_lots": place.amount_lots,
        "filled_lots": place.amount_lots if state == "filled" else 0,
        "price_ticks": place.price_ticks,
        "reason": "",
        "venue_ns": now_ns,
        **fields,
    }
    return OrderV1(**values)


def fill(place: PlaceOrderV1, trade_id: str, lots: int, now_ns: int) -> FillV1:
    return FillV1(
        created_ns=now_ns,
        trade_id=trade_id,
        venue_order_id="v1",
        order_id=place.order_id,
        is_quote=False,
        underlying="BTC",
        instrument=place.instrument,
        side=place.side,
        amount_lots=lots,
        price_ticks=place.price_ticks,
        is_maker=True,
        fee_coin_e12=0,
        index_usd=90_000.0,
        mark_price=90_000.0,
        venue_ns=now_ns,
    )


def halt(action: str, reason: str, now_ns: int) -> HaltV1:
    return HaltV1(
        created_ns=now_ns,
        halt_id=f"h{now_ns}",
        underlying="all",
        action="halt" if action == "halt" else "resume",
        reason=reason,
        author="test",
    )


class Desk:
    """Runs the core; `out` is what it said since the last `clear`."""

    def __init__(self, config: Config | None = None, *, is_started: bool = True) -> None:
        self.core = Execution(config or Config())
        self.now_ns = T0
        self.out: list[Message] = []
        listed = InstrumentsV1(
            created_ns=T0, underlying="BTC", expiry_ns=0, instruments=(instrument(), OPTION)
        )
        self.take(self.core.on_instruments(listed))
        if is_started:
            self.take(self.core.start(TimerV1(created_ns=T0)))
            self.market()

    def take(self, outputs: Iterable[object]) -> None:
        for output in outputs:
            assert isinstance(output, Message)
            assert decode(type(output), encode(output)) == output
            self.out.append(output)

    def market(
        self, bid: int = 180_000, ask: int = 180_010, lots: int = 500, **fields: Any
    ) -> None:
        values: dict[str, Any] = {
            "mark_price": 90_002.5,
            "mark_vol": 0.0,
            "is_live": True,
            **fields,
        }
        tick = Tick(
            instrument=PERPETUAL,
            bid_ticks=bid,
            bid_lots=lots if bid else 0,
            ask_ticks=ask,
            ask_lots=lots if ask else 0,
            venue_ns=self.now_ns,
            **values,
        )
        batch = TicksV1(
            created_ns=self.now_ns,
            underlying="BTC",
            sequence=1,
            index_usd=90_000.0,
            index_ns=self.now_ns,
            ticks=(tick,),
        )
        self.take(self.core.on_ticks(batch))

    def intent(self, intent_id: str = "i1", **fields: Any) -> None:
        values = {"created_ns": self.now_ns, "deadline_ns": self.now_ns + 20 * NS_PER_S, **fields}
        self.take(self.core.on_intent(intent(intent_id, **values)))

    def told(self, state: str, place: PlaceOrderV1 | None = None, **fields: Any) -> None:
        place = place or self.said(PlaceOrderV1)[-1]
        self.take(self.core.on_order(order(place, state, self.now_ns, **fields)))

    def tick(self, count: int = 1, *, is_quiet: bool = False) -> None:
        """Lets time pass, with the market as it is unless `is_quiet`."""
        for _ in range(count):
            self.now_ns += 100 * NS_PER_MS
            if not is_quiet:
                market = self.core._markets[PERPETUAL]
                market.seen_ns = self.now_ns
            self.take(self.core.on_timer(TimerV1(created_ns=self.now_ns)))

    def said(self, kind: type[M]) -> list[M]:
        return [message for message in self.out if isinstance(message, kind)]

    @property
    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.out]
