"""What to do next for one intent: wait, ask, cancel, place, or end it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from services.execution.prices import PriceRules, passive_ticks, taking_ticks
from services.execution.work import Child, Work, order_id_of
from shared.alerts import Alerts
from shared.breaker import Breaker
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.hedging import HedgeOutcomeV1
from shared.messages.market import Instrument, Tick
from shared.messages.orders import CancelOrderV1, PlaceOrderV1, QueryOrderV1
from shared.units import E8

CANCEL_AGAIN_NS = 2 * NS_PER_S
REJECT_WAIT_NS = 100 * NS_PER_MS  # doubles with each refusal in a row
REJECT_WAIT_NS_MAX = 2 * NS_PER_S
ORDER_ID_MAX = 64  # the venue's label
Result = Literal["done", "expired", "replaced", "rejected"]


@dataclass(frozen=True)
class Timing:
    reprice_ns: int
    escalate_ns: int
    take_wait_ns: int
    order_life_ns: int
    reply_ns: int
    query_wait_ns_max: int
    tick_age_ns_max: int
    rejects_max: int


class Market:
    """One instrument's newest tick."""

    __slots__ = ("index_usd", "instrument", "is_wanted", "seen_ns", "tick")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.tick: Tick | None = None
        self.index_usd = 0.0
        self.seen_ns = 0
        self.is_wanted = False

    def take(self, tick: Tick, index_usd: float, seen_ns: int) -> None:
        if seen_ns >= self.seen_ns:
            self.tick = tick
            self.index_usd = index_usd
            self.seen_ns = seen_ns


class Trading:
    """The rules; all state is in the work handed in."""

    def __init__(
        self,
        rules: PriceRules,
        timing: Timing,
        order_usd_max: float,
        alerts: Alerts,
        gateway: Breaker,
    ) -> None:
        self._gateway = gateway
        self._rules = rules
        self._timing = timing
        self._order_usd_max = order_usd_max
        self._alerts = alerts

    def resume(self, work: Work, now_ns: int) -> Iterator[object]:
        """Asks, after a restart, what became of everything that had not ended."""
        for child in work.children:
            if not child.is_ended:
                yield from self._query(child, now_ns)

    def told(self, work: Work, child: Child, now_ns: int) -> None:
        """The gateway has told something new of an order."""
        if child.state == "rejected":
            work.rejects_in_a_row += 1
            doubled = REJECT_WAIT_NS << min(work.rejects_in_a_row - 1, 10)
            work.place_at_ns = now_ns + min(doubled, REJECT_WAIT_NS_MAX)
        elif child.state == "unknown":
            child.query_at_ns = now_ns + self._timing.reply_ns
        elif child.state is not None:
            work.rejects_in_a_row = 0
            if child.is_immediate:
                work.place_at_ns = now_ns + self._timing.take_wait_ns

    def advance(
        self,
        work: Work,
        market: Market | None,
        now_ns: int,
        *,
        is_replaced: bool,
        may_place: bool,
        must_cancel: bool,
    ) -> Iterator[object]:
        """Yields what to send now; an outcome is the last thing an intent yields."""
        result, reason = self._end(work, market, now_ns, is_replaced=is_replaced)
        live = work.live
        if live is not None:
            yield from self._chase(live, now_ns)
            if result or must_cancel or self._is_misplaced(work, live, market, now_ns):
                yield from self._cancel(live, now_ns)
        elif result:
            yield HedgeOutcomeV1(
                created_ns=now_ns,
                intent_id=work.intent.intent_id,
                underlying=work.intent.underlying,
                result=result,
                filled_lots=work.filled_lots,
                order_count=len(work.children),
                reason=reason,
            )
            if result == "rejected":
                text = f"intent {work.intent.intent_id}: {reason}"
                yield from self._alerts.raised("intent-rejected", "ticket", text, now_ns)
        elif may_place and market is not None:
            yield from self._place(work, market, now_ns)

    def _end(
        self, work: Work, market: Market | None, now_ns: int, *, is_replaced: bool
    ) -> tuple[Result | None, str]:
        """Returns how the intent ends, if it does, and why."""
        intent = work.intent
        if not work.remaining_lots:
            return "done", ""
        if is_replaced:
            return "replaced", "a newer intent"
        if now_ns >= intent.deadline_ns:
            return "expired", _last_word(work)
        if market is None:
            return "rejected", f"{intent.instrument} is not listed"
        if market.instrument.underlying != intent.underlying:
            return "rejected", f"{intent.instrument} is not of {intent.underlying}"
        if work.rejects_in_a_row >= self._timing.rejects_max:
            return "rejected", f"{work.rejects_in_a_row} orders refused: {_last_word(work)}"[:1024]
        if len(order_id_of(intent.intent_id, work.next_number)) > ORDER_ID_MAX:
            return "rejected", "the intent's id leaves no room for an order's"
        return None, ""

    def _place(self, work: Work, market: Market, now_ns: int) -> Iterator[object]:
        tick = self._usable(market, now_ns)
        if tick is None or now_ns < work.place_at_ns:
            return
        intent, instrument = work.intent, market.instrument
        is_taking = self._is_taking(work, now_ns)
        if is_taking:
            price_ticks = taking_ticks(instrument, intent.side, tick, self._rules)
        else:
            price_ticks = passive_ticks(instrument, intent.side, tick, self._rules)
        amount_lots = min(work.remaining_lots, self._lots_max(market))
        if price_ticks <= 0 or amount_lots <= 0 or not self._gateway.try_acquire(now_ns):
            return
        place = PlaceOrderV1(
            created_ns=now_ns,
            order_id=order_id_of(intent.intent_id, work.next_number),
            intent_id=intent.intent_id,
            instrument=intent.instrument,
            side=intent.side,
            amount_lots=amount_lots,
            price_ticks=price_ticks,
            is_post_only=not is_taking,
            is_immediate=is_taking,
            is_reduce_only=False,
            expires_ns=now_ns + self._timing.order_life_ns,
        )
        child = work.add(place)
        assert child is not None, "order numbers only grow"
        child.query_at_ns = now_ns + self._timing.reply_ns
        yield place

    def _chase(self, child: Child, now_ns: int) -> Iterator[object]:
        """Asks after an order that should have told of itself."""
        if child.state != "open" and now_ns >= child.query_at_ns:
            yield from self._query(child, now_ns)

    def _query(self, child: Child, now_ns: int) -> Iterator[object]:
        wait_ns = max(self._timing.reply_ns // 2, 2 * child.query_wait_ns)
        child.query_wait_ns = min(wait_ns, self._timing.query_wait_ns_max)
        child.query_at_ns = now_ns + child.query_wait_ns
        yield QueryOrderV1(
            created_ns=now_ns,
            order_id=child.order_id,
            attempt=now_ns // NS_PER_MS,  # never the same again, over restarts too
            instrument=child.instrument,
        )

    def _cancel(self, child: Child, now_ns: int) -> Iterator[object]:
        """Asks for a cancel, and again after a while; an immediate order ends by itself."""
        if child.is_immediate and child.state != "open":
            return
        if now_ns >= child.cancel_at_ns:
            child.cancel_at_ns = now_ns + CANCEL_AGAIN_NS
            yield CancelOrderV1(
                created_ns=now_ns,
                order_id=child.order_id,
                attempt=now_ns // NS_PER_MS,
                instrument=child.instrument,
            )

    def _is_misplaced(self, work: Work, child: Child, market: Market | None, now_ns: int) -> bool:
        """Returns whether a resting order should rest elsewhere, or take, or not rest at all."""
        if child.is_immediate:
            return child.state == "open"
        if child.was_given_up:
            return True  # and came back
        tick = None if market is None else self._usable(market, now_ns)
        if tick is None or market is None or self._is_taking(work, now_ns):
            return True
        if child.state != "open" or now_ns - child.placed_ns < self._timing.reprice_ns:
            return False
        own = child.price_ticks
        return passive_ticks(market.instrument, child.side, tick, self._rules, own) != own

    def _is_taking(self, work: Work, now_ns: int) -> bool:
        intent = work.intent
        return intent.urgency == "taking" or now_ns >= intent.deadline_ns - self._timing.escalate_ns

    def _usable(self, market: Market, now_ns: int) -> Tick | None:
        tick = market.tick
        if tick is None or not tick.is_live:
            return None
        return tick if now_ns - market.seen_ns <= self._timing.tick_age_ns_max else None

    def _lots_max(self, market: Market) -> int:
        lot = market.instrument.lot_e8 / E8
        lot_usd = lot * market.index_usd if market.instrument.kind == "option" else lot
        return max(1, int(self._order_usd_max / lot_usd)) if lot_usd > 0 else 0


def _last_word(work: Work) -> str:
    """Returns what was last heard of the intent's orders, for people."""
    if not work.children:
        return "no order was placed"
    child = work.children[-1]
    return f"last order {child.state or 'sent'} {child.reason}".strip()
