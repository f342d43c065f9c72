"""A market_making core with a toy venue at its other end, spoken to in messages only."""

import math
from typing import Any

from services.market_making.core import Config, MarketMaking
from shared.clock import NS_PER_MS, NS_PER_S, NS_PER_YEAR
from shared.messages.desk import TimerV1
from shared.messages.market import Instrument, InstrumentsV1, Tick, TickStep, TicksV1
from shared.messages.orders import FillV1
from shared.messages.pricing import Slice, SurfaceV1
from shared.messages.risk import LeaseV1, LimitsV1
from shared.venue_link import VenueDown, VenueNotice, VenueReply, VenueRequest, VenueUp

START_NS = 1_768_294_800 * NS_PER_S
INDEX_USD = 92_000.0
TENORS_DAYS = (2, 9, 44, 160)
STRIKES = tuple(range(70_000, 120_001, 2_500))


def option(days: int, strike: float, *, is_call: bool) -> Instrument:
    return Instrument(
        name=f"BTC-{days}D-{int(strike)}-{'C' if is_call else 'P'}",
        instrument_id=days * 10_000 + int(strike) // 100 + is_call,
        kind="option",
        underlying="BTC",
        expiry_ns=START_NS + days * 86_400 * NS_PER_S,
        strike_usd=strike,
        is_call=is_call,
        tick_e8=10_000,
        tick_steps=(TickStep(above_ticks=50, step_ticks=5),),
        lot_e8=10_000_000,
        maker_fee_ratio=0.0003,
        taker_fee_ratio=0.0003,
    )


def perpetual() -> Instrument:
    return Instrument(
        name="BTC-PERPETUAL",
        instrument_id=2,
        kind="perpetual",
        underlying="BTC",
        expiry_ns=0,
        strike_usd=0.0,
        is_call=False,
        tick_e8=50_000_000,
        tick_steps=(),
        lot_e8=1_000_000_000,
        maker_fee_ratio=0.0,
        taker_fee_ratio=0.0005,
    )


def surface(now_ns: int, version: int = 2, vol: float = 0.45) -> SurfaceV1:
    slices = []
    for days in TENORS_DAYS:
        years = (START_NS + days * 86_400 * NS_PER_S - now_ns) / NS_PER_YEAR
        total = vol * vol * years
        slices.append(
            Slice(
                expiry_ns=START_NS + days * 86_400 * NS_PER_S,
                years=years,
                forward_ratio=1.0 + 0.04 * years,
                a=0.7 * total,
                b=0.3 * total / (0.1 + 0.4 * math.sqrt(years)),
                rho=-0.2,
                m=0.0,
                sigma=0.1 + 0.4 * math.sqrt(years),
                rmse_vol=0.001,
                inside_ratio=1.0,
            )
        )
    return SurfaceV1(
        created_ns=now_ns,
        underlying="BTC",
        version=version,
        market_ns=now_ns,
        index_usd=INDEX_USD,
        slices=tuple(slices),
        is_butterfly_free=True,
        is_calendar_free=True,
        fit_us=100.0,
    )


def limits(version: int = 1, **changes: Any) -> LimitsV1:
    fields: dict[str, Any] = {
        "created_ns": START_NS,
        "underlying": "BTC",
        "version": version,
        "delta_coin_max": 10.0,
        "vega_usd_max": 15_000.0,
        "gamma_coin_per_usd_max": 0.01,
        "quote_lots_max": 50,
        "position_lots_max": 1000,
        "collar_vol": 0.15,
        "collar_coin": 0.002,
        "surface_age_ns_max": 5 * NS_PER_S,
        "tick_age_ns_max": 3 * NS_PER_S,
        "author": "test",
    }
    return LimitsV1(**(fields | changes))


class ToyDesk:
    """Feeds one BTC core. `answer` replies to what the core asked the venue, in order."""

    def __init__(self, config: Config | None = None, *, is_quoting: bool = True) -> None:
        self.now_ns = START_NS
        self.published: list[Any] = []
        self.waiting: list[VenueRequest] = []
        self.asked: list[VenueRequest] = []
        self.rests: dict[tuple[str, str], tuple[float, float]] = {}  # (name, side): price, amount
        self.refuse: set[tuple[str, str]] = set()  # sides that the toy venue refuses
        self.errors: dict[str, int] = {}  # method -> error code
        self.sequence = 0
        self.core = self._core(config or Config())
        self.list_instruments()
        if is_quoting:
            self.start_quoting()

    def _core(self, config: Config) -> MarketMaking:
        return MarketMaking(config, ("BTC",))

    @property
    def quoter(self) -> Any:
        return self.core.books["BTC"].quoter

    def take(self, outputs: Any) -> None:
        for output in outputs:
            if isinstance(output, VenueRequest):
                self.waiting.append(output)
                self.asked.append(output)
            else:
                self.published.append(output)

    def list_instruments(self) -> None:
        batches = [(0, (perpetual(),))]
        for days in TENORS_DAYS:
            both = [option(days, k, is_call=c) for k in STRIKES for c in (True, False)]
            batches.append((both[0].expiry_ns, tuple(both)))
        for expiry_ns, instruments in batches:
            batch = InstrumentsV1(
                created_ns=self.now_ns,
                underlying="BTC",
                expiry_ns=expiry_ns,
                instruments=instruments,
            )
            self.take(self.core.on_instruments(batch))

    def start_quoting(self) -> None:
        self.take(self.core.on_start(TimerV1(created_ns=self.now_ns)))
        self.take(self.core.on_limits(limits()))
        self.take(self.core.on_surface(surface(self.now_ns)))
        self.lease()
        self.tick()
        self.up()
        self.settle()

    def up(self) -> None:
        self.take(self.core.on_up(VenueUp(created_ns=self.now_ns, connection_count=1)))

    def down(self) -> None:
        self.rests.clear()
        for request in self.waiting:
            self.reply(request, error_code=-1)
        self.waiting.clear()
        self.take(self.core.on_down(VenueDown(created_ns=self.now_ns, reason="test")))

    def lease(self, state: Any = "active", seconds: float = 1e4) -> None:
        self.sequence += 1
        lease = LeaseV1(
            created_ns=self.now_ns,
            underlying="BTC",
            sequence=self.sequence,
            state=state,
            expires_ns=self.now_ns + int(seconds * NS_PER_S),
        )
        self.take(self.core.on_lease(lease))

    def tick(self, index_usd: float = INDEX_USD, ticks: tuple[Tick, ...] = ()) -> None:
        self.sequence += 1
        batch = TicksV1(
            created_ns=self.now_ns,
            underlying="BTC",
            sequence=self.sequence,
            index_usd=index_usd,
            index_ns=self.now_ns,
            ticks=ticks,
        )
        self.take(self.core.on_ticks(batch))

    def timer(self) -> None:
        self.take(self.core.on_timer(TimerV1(created_ns=self.now_ns)))

    def second_timer(self) -> None:
        self.take(self.core.on_second_timer(TimerV1(created_ns=self.now_ns)))

    def later(self, ms: int) -> None:
        self.now_ns += ms * NS_PER_MS

    def run(self, ms: int, index_usd: float = INDEX_USD) -> None:
        """Lets time pass in steps of 50 ms with fresh ticks, surfaces and answers."""
        for step in range(ms // 50):
            self.later(50)
            if step % 10 == 0:
                self.take(self.core.on_surface(surface(self.now_ns)))
            self.timer()
            self.tick(index_usd)
            self.answer()

    def settle(self) -> None:
        """Answers and ticks until nothing is outstanding."""
        for _ in range(100):
            if not self.waiting:
                break
            self.answer()
            self.later(50)
            self.tick()

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for request in waiting:
            self.reply(request, error_code=self.errors.get(request.method, 0))

    def reply(self, request: VenueRequest, error_code: int = 0) -> None:
        result = None if error_code else self._serve(request)
        reply = VenueReply(
            created_ns=self.now_ns,
            request_id=request.request_id,
            result=result,
            error_code=error_code,
        )
        self.take(self.core.on_reply(reply))

    def trade(
        self, name: str, side: str, amount: float, trade_id: str, *, is_quote: bool = True
    ) -> None:
        """The venue tells of a trade of ours at the price that rests."""
        price, resting = self.rests.get((name, side), (0.01, amount))
        if resting > amount + 1e-9:
            self.rests[name, side] = (price, resting - amount)
        else:
            self.rests.pop((name, side), None)
        row = {
            "trade_id": trade_id,
            "instrument_name": name,
            "direction": "buy" if side == "bid" else "sell",
            "amount": amount,
            "price": price,
            "mmp": is_quote,
        }
        notice = VenueNotice(created_ns=self.now_ns, channel="user.trades.any.any.raw", data=[row])
        self.take(self.core.on_notice(notice))

    def fill(
        self, name: str, side: Any, lots: int, trade_id: str, *, is_quote: bool = True
    ) -> None:
        fill = FillV1(
            created_ns=self.now_ns,
            trade_id=trade_id,
            venue_order_id="1",
            order_id="",
            is_quote=is_quote,
            underlying="BTC",
            instrument=name,
            side=side,
            amount_lots=lots,
            price_ticks=100,
            is_maker=True,
            fee_coin_e12=0,
            index_usd=INDEX_USD,
            mark_price=0.01,
            venue_ns=self.now_ns,
        )
        self.take(self.core.on_fill(fill))

    def last(self, kind: type) -> Any:
        return next(one for one in reversed(self.published) if isinstance(one, kind))

    def is_cancelling(self) -> bool:
        """Has the venue been asked to cancel, and not answered yet?"""
        return any(request.method == "private/cancel_quotes" for request in self.waiting)

    def quote_requests(self) -> int:
        return self.methods().count("private/mass_quote")

    def cancel_requests(self) -> int:
        return self.methods().count("private/cancel_quotes")

    def live(self, name: str) -> Any:
        """Returns what the desk believes rests."""
        return self.quoter.engine.quote(self.quoter.contracts.slots[name])

    def methods(self) -> list[str]:
        return [request.method for request in self.asked]

    def two_sided(self) -> set[str]:
        names = {name for name, _ in self.rests}
        return {n for n in names if (n, "bid") in self.rests and (n, "ask") in self.rests}

    def _serve(self, request: VenueRequest) -> Any:
        if request.method == "private/cancel_quotes":
            count = len(self.rests)
            self.rests.clear()
            return count
        if request.method != "private/mass_quote":
            return "ok"
        errors = []
        for quote in request.params["quotes"]:
            name = quote["instrument_name"]
            for side in ("bid", "ask"):
                if side not in quote:
                    continue
                if (name, side) in self.refuse:
                    self.rests.pop((name, side), None)
                    error = {"code": 11054, "message": "post_only_reject"}
                    errors.append({"instrument_name": name, "side": side, "error": error})
                elif quote[side]["amount"] == 0:
                    self.rests.pop((name, side), None)
                else:
                    self.rests[name, side] = (quote[side]["price"], quote[side]["amount"])
        return {"errors": errors}


def quoting_desk(kind: type[ToyDesk] = ToyDesk, **config: Any) -> ToyDesk:
    desk = kind(Config(**config))
    desk.run(300)
    assert len(desk.two_sided()) > 80
    return desk
