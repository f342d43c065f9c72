"""Turns hedge intents into orders, one at a time, and never trades more than was asked.

An intent rests passively at the touch, follows it by cancel and replace, and, where that is
configured, takes what is left when its deadline nears. A new order goes out only when every earlier
one of its underlying has ended, so an order of unknown outcome stops all until the gateway has
found out.

The state is rebuilt at a start from the record: intents, orders placed, their states and fills.
A halt of quoting does not stop hedging, which reduces risk; one whose reason contains "all orders"
does: live orders are cancelled and none is placed. While hedging is silent a plain band of our own
stands in for it (backup.py).
"""

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from services.execution.backup import Backup, BackupConfig
from services.execution.breakers import Breakers
from services.execution.prices import PriceRules
from services.execution.trading import Market, Timing, Trading
from services.execution.work import Work
from shared.alerts import Alerts
from shared.clock import NS_PER_MS
from shared.messages.desk import TimerV1
from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.orders import FillV1, OrderV1, PlaceOrderV1
from shared.messages.risk import HaltV1, LimitsV1, PortfolioV1
from shared.service import Reading

TIMER_INTERVAL_MS = 100
CLOSED_MAX = 50_000
ALL_ORDERS = "all orders"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[execution]`."""

    reprice_ms: Annotated[int, Meta(ge=50, le=60_000)] = 500  # a resting order's least life
    improve_steps: Annotated[int, Meta(ge=0, le=10)] = 1
    # So long before its deadline a passive intent takes what is left. 0: never, since hedging asks
    # for taking itself when delta is worth the fee.
    escalate_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    take_wait_ms: Annotated[int, Meta(ge=50, le=60_000)] = 250  # between orders that take
    slippage_ratio: Annotated[float, Meta(ge=0.0, le=0.02)] = 0.0005
    collar_ratio: Annotated[float, Meta(ge=0.0005, le=0.05)] = 0.005
    order_usd_max: Annotated[float, Meta(ge=10.0, le=1e8)] = 2_000_000.0
    order_life_ms: Annotated[int, Meta(ge=200, le=60_000)] = 2000  # to reach the gateway
    reply_ms: Annotated[int, Meta(ge=200, le=60_000)] = 2000  # then the gateway is asked
    query_wait_ms_max: Annotated[int, Meta(ge=500, le=600_000)] = 10_000
    tick_age_ms_max: Annotated[int, Meta(ge=500, le=60_000)] = 5000
    rejects_max: Annotated[int, Meta(ge=1, le=1000)] = 20  # in a row; then the intent is refused
    backup: BackupConfig = BackupConfig()


class Execution:
    """Routes messages to the work of their underlying."""

    def __init__(self, config: Config, breakers: Breakers | None = None) -> None:
        self._breakers = breakers or Breakers()
        self.backup = Backup(config.backup, self._breakers.hedging)
        rules = PriceRules(config.improve_steps, config.slippage_ratio, config.collar_ratio)
        timing = Timing(
            reprice_ns=config.reprice_ms * NS_PER_MS,
            escalate_ns=config.escalate_ms * NS_PER_MS,
            take_wait_ns=config.take_wait_ms * NS_PER_MS,
            order_life_ns=config.order_life_ms * NS_PER_MS,
            reply_ns=config.reply_ms * NS_PER_MS,
            query_wait_ns_max=config.query_wait_ms_max * NS_PER_MS,
            tick_age_ns_max=config.tick_age_ms_max * NS_PER_MS,
            rejects_max=config.rejects_max,
        )
        self._trading = Trading(
            rules, timing, config.order_usd_max, Alerts("execution"), self._breakers.gateway
        )
        self._markets: dict[str, Market] = {}
        self._open: dict[str, list[Work]] = {}  # by underlying, oldest first; the last is wanted
        self._works: dict[str, Work] = {}  # open ones by intent
        self._closed: dict[str, None] = {}  # intents with an outcome
        self._early: dict[str, list[PlaceOrderV1]] = {}  # orders whose intent has not come yet
        self._halts: dict[str, HaltV1] = {}  # the newest by underlying, and of "all"
        self._orphans: set[str] = set()  # open at the venue, and no intent wants them
        self._is_started = False
        self._is_draining = False
        self._now_ns = 0

    # The record: during replay nothing is sent, `start` goes on from where it ended

    def on_intent(self, intent: HedgeIntentV1) -> Iterable[object]:
        if intent.intent_id in self._closed or intent.intent_id in self._works:
            return ()
        if self._is_started and self.backup.refuses(intent):
            return self._refuse(intent)
        self.backup.on_intent(intent)
        work = self._works[intent.intent_id] = Work(intent)
        works = self._open.setdefault(intent.underlying, [])
        works.append(work)
        works.sort(key=lambda one: one.intent.created_ns)
        for place in self._early.pop(intent.intent_id, []):
            work.add(place)
        return self._advance(intent.underlying, intent.created_ns)

    def on_outcome(self, outcome: HedgeOutcomeV1) -> Iterable[object]:
        self._close(outcome.intent_id)
        self.backup.on_outcome(outcome)
        return ()

    def on_portfolio(self, portfolio: PortfolioV1) -> Iterable[object]:
        self.backup.on_portfolio(portfolio)
        return ()

    def on_limits(self, limits: LimitsV1) -> Iterable[object]:
        self.backup.on_limits(limits)
        return ()

    def on_place(self, place: PlaceOrderV1) -> Iterable[object]:
        """Takes an order of an earlier life (or our own, come back)."""
        work = self._works.get(place.intent_id)
        if work is not None:
            work.add(place)
        elif place.intent_id not in self._closed and not self._is_started:
            self._early.setdefault(place.intent_id, []).append(place)
        return ()

    def on_order(self, order: OrderV1) -> Iterable[object]:
        work = self._works.get(order.order_id.rpartition("-")[0])
        if order.state == "open" and work is None:
            self._orphans.add(order.order_id)
        else:
            self._orphans.discard(order.order_id)
        if work is None:
            return ()
        for child in work.children:
            if child.order_id == order.order_id:
                if child.take(order):
                    self._trading.told(work, child, max(self._now_ns, order.created_ns))
                return self._advance(work.intent.underlying, order.created_ns)
        return ()

    def on_fill(self, fill: FillV1) -> Iterable[object]:
        work = self._works.get(fill.order_id.rpartition("-")[0]) if fill.order_id else None
        if work is not None:
            for child in work.children:
                if child.order_id == fill.order_id:
                    child.trades[fill.trade_id] = fill.amount_lots
        return ()

    def on_halt(self, halt: HaltV1) -> Iterable[object]:
        newest = self._halts.get(halt.underlying)
        if newest is None or halt.created_ns >= newest.created_ns:
            self._halts[halt.underlying] = halt
        return self._advance_all(halt.created_ns)

    # Market data

    def on_instruments(self, message: InstrumentsV1) -> Iterable[object]:
        for instrument in message.instruments:
            self._markets.setdefault(instrument.name, Market(instrument)).instrument = instrument
        return ()

    def on_ticks(self, batch: TicksV1) -> Iterable[object]:
        markets = self._markets
        for work in self._open.get(batch.underlying, ()):
            market = markets.get(work.intent.instrument)
            if market is not None:
                market.is_wanted = True
        for tick in batch.ticks:
            market = markets.get(tick.instrument)
            if market is not None and (market.is_wanted or market.instrument.kind != "option"):
                market.take(tick, batch.index_usd, batch.created_ns)
        return ()

    # Timers

    def start(self, timer: TimerV1) -> Iterator[object]:
        self._is_started = True
        self._early.clear()
        self._now_ns = max(self._now_ns, timer.created_ns)
        for works in self._open.values():
            for work in works:
                yield from self._trading.resume(work, self._now_ns)
        yield from self._advance_all(timer.created_ns)

    def on_timer(self, timer: TimerV1) -> Iterator[object]:
        now_ns = self._now_ns = max(self._now_ns, timer.created_ns)
        yield from self._advance_all(now_ns)
        if self._is_started and not self._is_draining:
            for intent in self.backup.advance(self._markets.values(), now_ns):
                yield intent
                yield from self.on_intent(intent)

    def drain(self, timer: TimerV1) -> Iterable[object]:
        """Cancels what is live; the intents stay open in the record for the next life."""
        self._is_draining = True
        return self._advance_all(timer.created_ns)

    def is_drained(self) -> bool:
        return all(work.live is None for work in self._works.values())

    def not_ready(self) -> str:
        return "" if self._markets else "no instruments yet"

    def readings(self, _now_ns: int) -> Iterator[Reading]:
        yield Reading("intent_open_count", len(self._works))
        yield Reading("order_orphan_count", len(self._orphans))

    # Work

    def _advance_all(self, seen_ns: int) -> Iterator[object]:
        for underlying in list(self._open):
            yield from self._advance(underlying, seen_ns)

    def _advance(self, underlying: str, seen_ns: int) -> Iterator[object]:
        """Brings the work of one underlying as far as it goes now."""
        now_ns = self._now_ns = max(self._now_ns, seen_ns)
        if not self._is_started:
            return
        is_blocked = (
            self._is_draining or self._is_halted(underlying) or not self._breakers.ticks.is_trusted
        )
        is_first = True  # no older intent has anything live
        works = self._open.get(underlying, [])
        wanted = works[-1] if works else None
        for work in list(works):
            market = self._markets.get(work.intent.instrument)
            outcome: HedgeOutcomeV1 | None = None
            for output in self._trading.advance(
                work,
                market,
                now_ns,
                is_replaced=work is not wanted,
                may_place=is_first and not is_blocked,
                must_cancel=is_blocked,
            ):
                if isinstance(output, HedgeOutcomeV1):
                    outcome = output
                yield output
            if outcome is not None:
                self._close(work.intent.intent_id)
            else:
                is_first = is_first and work.live is None

    def _refuse(self, intent: HedgeIntentV1) -> Iterator[object]:
        self._close(intent.intent_id)
        yield HedgeOutcomeV1(
            created_ns=max(self._now_ns, intent.created_ns),
            intent_id=intent.intent_id,
            underlying=intent.underlying,
            result="replaced",
            filled_lots=0,
            order_count=0,
            reason="it did not know of the backup's hedge",
        )

    def _close(self, intent_id: str) -> None:
        work = self._works.pop(intent_id, None)
        if work is not None:
            self._open[work.intent.underlying].remove(work)
        self._early.pop(intent_id, None)
        self._closed[intent_id] = None
        if len(self._closed) > CLOSED_MAX:
            del self._closed[next(iter(self._closed))]

    def _is_halted(self, underlying: str) -> bool:
        for name in (underlying, "all"):
            halt = self._halts.get(name)
            if halt is not None and halt.action == "halt" and ALL_ORDERS in halt.reason.lower():
                return True
        return False
