"""The one list of what must always hold: simulation, `hedgerow up` and the tests use it.

Each invariant counts how often it was checked and keeps the first violations with their detail. It
reads messages only and trusts no agent's word about itself: positions are summed here from fills
and compared with risk's, the ledger's and the venue's.
"""

import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from shared.clock import NS_PER_MS, NS_PER_S
from shared.invariant import Invariant
from shared.invariant_positions import PositionChecks
from shared.messages.desk import HeartbeatV1, RecordV1
from shared.messages.hedging import HedgeIntentV1
from shared.messages.market import VenueAuditV1
from shared.messages.message import Message
from shared.messages.orders import AccountV1, FillV1, OrderV1, PlaceOrderV1, SettlementV1
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import Quote, QuotesV1, QuotingStatusV1
from shared.messages.risk import (
    HaltV1,
    LeaseV1,
    LimitsV1,
    PnlTerms,
    PnlV1,
    PortfolioV1,
    ReconciliationV1,
)

IN_FLIGHT_NS = 1 * NS_PER_S  # a quote decided before a halt may still be on its way so long
LEASE_NS_MAX = 1 * NS_PER_S
DEAF_LEAP_MIN = 16  # quotes missed in a row: the bus was away for us, and leases are missed too
AGE_SLACK_NS = 250 * NS_PER_MS
DELTAS_KEPT = 4  # portfolios that a hedge under way may rest on
GREEK_IN_FLIGHT_NS = 3 * NS_PER_S  # fills of quotes that rested when a limit was reached
GREEK_DRIFT_RATIO = 1.25  # and what the market itself may then add to a greek

LIST = {
    "bid_below_ask": "a two-sided quote's bid is below its ask",
    "quote_size": "a quote is no larger than the limit",
    "quote_fresh": "a quote rests on a surface no older than its bound",
    "quote_under_lease": "quotes are sent only under a live lease, plus what was in flight",
    "no_quote_after_halt": "after a halt no quote is sent or lives, plus what was in flight",
    "lease_bounded": "a lease is short, and never given while halted",
    "greeks_within_limits": "|greeks| stay within limits plus what was in flight",
    "money_conserved": "the venue's money and positions over all accounts sum to zero",
    "risk_equals_fills": "risk's positions are those of the fills that it counts",
    "ledger_equals_fills": "the ledger's recorded fills are the published ones, each once",
    "venue_equals_fills": "when quiet, the venue's positions are those of the fills",
    "reconciled": "risk's own reconciliation with the venue finds no break",
    "fills_idempotent": "a trade id means one trade, however often it comes",
    "order_once": "an order id means one order; its filled amount never shrinks nor exceeds it",
    "pnl_identity": "P&L terms sum to the total, and that is cash plus value",
    "hedge_reduces": "a hedge intent trades against the delta that risk published",
    "surface_certified": "a published surface is free of butterfly and calendar arbitrage",
    "record_chained": "each ledger record holds the hash of the one before",
    "nothing_lost": "no agent lost a durable or state message",
}


class Invariants:
    """Feed every message to `observe`; any order between subjects, doubles welcome."""

    def __init__(self) -> None:
        self.all = {name: Invariant(name, says) for name, says in LIST.items()}
        self.positions = PositionChecks(self.all)
        self._limits: dict[str, LimitsV1] = {}
        self._lease_ns: dict[str, int] = {}  # expiry of the newest, or of one that was missed
        self._quotes_sequence: dict[str, int] = {}
        self._halts: dict[str, HaltV1] = {}  # newest word by underlying or "all"
        self._deltas: dict[str, deque[tuple[int, float]]] = {}  # fill count and delta
        self._beyond: dict[tuple[str, str], tuple[int, float]] = {}  # greek -> since, worst
        self._orders: dict[str, tuple[int, int]] = {}  # venue's time and filled lots, newest
        self._placed: dict[str, int] = {}  # hashes
        self._last_record: RecordV1 | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            QuotesV1: self._on_quotes,
            QuotingStatusV1: self._on_status,
            LeaseV1: self._on_lease,
            HaltV1: self._on_halt,
            LimitsV1: self._on_limits,
            PortfolioV1: self._on_portfolio,
            PnlV1: self._on_pnl,
            VenueAuditV1: self._on_audit,
            ReconciliationV1: self._on_reconciliation,
            OrderV1: self._on_order,
            PlaceOrderV1: self._on_place,
            HedgeIntentV1: self._on_intent,
            SurfaceV1: self._on_surface,
            RecordV1: self._on_record,
            HeartbeatV1: self._on_heartbeat,
            FillV1: self.positions.on_fill,
            SettlementV1: self.positions.on_settlement,
            AccountV1: self.positions.on_account,
        }

    def observe(self, message: Message) -> None:
        handler = self._handlers.get(type(message))
        if handler is not None:
            handler(message)

    def violation_count(self) -> int:
        return sum(one.violation_count for one in self.all.values())

    def report(self) -> list[dict[str, Any]]:
        """Returns every invariant with how often it was checked and what broke it."""
        return [
            {
                "name": one.name,
                "says": one.says,
                "checks": one.check_count,
                "violations": one.violation_count,
                "details": list(one.details),
            }
            for one in self.all.values()
        ]

    def _on_quotes(self, message: QuotesV1) -> None:
        self._note_missed(message)
        limits = self._limits.get(message.underlying)
        below, size = self.all["bid_below_ask"], self.all["quote_size"]
        lots_max = limits.quote_lots_max if limits is not None else None
        is_live = False
        for quote in message.quotes:
            if quote.bid_lots and quote.ask_lots:
                below.expect(quote.bid_ticks < quote.ask_ticks, partial(_prices, quote))
            if quote.bid_lots or quote.ask_lots:
                is_live = True
                if lots_max is not None:
                    size.expect(
                        quote.bid_lots <= lots_max and quote.ask_lots <= lots_max,
                        partial(_amounts, quote),
                    )
        if is_live and not message.is_full:
            self._on_live_quotes(message, limits)

    def _note_missed(self, message: QuotesV1) -> None:
        """Where a whole stretch never came, a lease may have been in it: the longest is assumed."""
        underlying, number = message.underlying, message.sequence
        if number - self._quotes_sequence.get(underlying, number) > DEAF_LEAP_MIN:
            known_ns = self._lease_ns.get(underlying, 0)
            self._lease_ns[underlying] = max(known_ns, message.created_ns + LEASE_NS_MAX)
        self._quotes_sequence[underlying] = number

    def _on_live_quotes(self, message: QuotesV1, limits: LimitsV1 | None) -> None:
        now_ns, underlying = message.created_ns, message.underlying
        if limits is not None:
            bound_ns = limits.surface_age_ns_max + AGE_SLACK_NS
            self.all["quote_fresh"].expect(
                message.surface_age_ns <= bound_ns,
                lambda: f"{underlying} surface {message.surface_age_ns / NS_PER_S:.2f} s old",
            )
        lease_ns = self._lease_ns.get(underlying, 0)
        self.all["quote_under_lease"].expect(
            now_ns <= lease_ns + IN_FLIGHT_NS,
            lambda: f"{underlying} {(now_ns - lease_ns) / NS_PER_S:.2f} s after the lease",
        )
        self._expect_not_halted(underlying, now_ns, len(message.quotes))

    def _on_status(self, message: QuotingStatusV1) -> None:
        live = message.quoted_count + message.one_sided_count
        self._expect_not_halted(message.underlying, message.created_ns, live)

    def _expect_not_halted(self, underlying: str, now_ns: int, live_count: int) -> None:
        halted_ns = self._halted_since(underlying)
        is_late = halted_ns is not None and now_ns > halted_ns + IN_FLIGHT_NS
        self.all["no_quote_after_halt"].expect(
            not (is_late and live_count),
            lambda: f"{underlying} {live_count} quotes, {(now_ns - (halted_ns or 0)) / 1e9:.2f} s",
        )

    def _on_lease(self, message: LeaseV1) -> None:
        is_short = 0 < message.expires_ns - message.created_ns <= LEASE_NS_MAX
        halted_ns = self._halted_since(message.underlying)
        is_allowed = halted_ns is None or message.created_ns <= halted_ns
        self.all["lease_bounded"].expect(
            is_short and is_allowed, lambda: f"{message.underlying} at {message.created_ns}"
        )
        known_ns = self._lease_ns.get(message.underlying, 0)
        self._lease_ns[message.underlying] = max(known_ns, message.expires_ns)

    def _on_halt(self, message: HaltV1) -> None:
        known = self._halts.get(message.underlying)
        if known is None or message.created_ns >= known.created_ns:
            self._halts[message.underlying] = message

    def _halted_since(self, underlying: str) -> int | None:
        words = [self._halts[name] for name in (underlying, "all") if name in self._halts]
        newest = max(words, key=lambda word: word.created_ns, default=None)
        return newest.created_ns if newest is not None and newest.action == "halt" else None

    def _on_limits(self, message: LimitsV1) -> None:
        known = self._limits.get(message.underlying)
        if known is None or message.version >= known.version:
            self._limits[message.underlying] = message

    def _on_portfolio(self, message: PortfolioV1) -> None:
        recent = self._deltas.setdefault(message.underlying, deque(maxlen=DELTAS_KEPT))
        recent.append((message.fill_count, message.delta_coin))
        self.positions.on_portfolio(message)
        limits = self._limits.get(message.underlying)
        if limits is None:
            return
        bounds = (
            ("delta", message.delta_coin, limits.delta_coin_max),
            ("vega", message.vega_usd, limits.vega_usd_max),
            ("gamma", message.gamma_coin_per_usd, limits.gamma_coin_per_usd_max),
        )
        for name, value, bound in bounds:
            self._expect_within(message, name, abs(value), bound)

    def _expect_within(self, message: PortfolioV1, greek: str, size: float, bound: float) -> None:
        key = (message.underlying, greek)
        if size <= bound:
            self._beyond.pop(key, None)
            self.all["greeks_within_limits"].expect(True, str)
            return
        since_ns, worst = self._beyond.setdefault(key, (message.created_ns, size))
        if message.created_ns - since_ns <= GREEK_IN_FLIGHT_NS:
            self._beyond[key] = since_ns, max(worst, size)
        self.all["greeks_within_limits"].expect(
            size <= max(worst, bound) * GREEK_DRIFT_RATIO,
            lambda: f"{message.underlying} {greek} {size:g}, limit {bound:g}",
        )

    def _on_pnl(self, message: PnlV1) -> None:
        coin_error = abs(_sum(message.coin) - message.coin.total)
        usd_error = abs(_sum(message.usd) - message.usd.total)
        is_held = coin_error < 1e-9 and usd_error < 1e-4
        text = f"{message.underlying} terms miss the total by {coin_error:g} coin"
        if message.worth_coin is not None:
            error = abs(message.coin.total - message.worth_coin)
            if error > 1e-8:
                is_held, text = False, f"{message.underlying} total misses cash+value by {error:g}"
        self.all["pnl_identity"].expect(is_held, lambda: text)

    def _on_audit(self, message: VenueAuditV1) -> None:
        self.all["money_conserved"].expect(
            message.accounts_sum_coin_e12 == 0 and message.positions_sum_lots == 0,
            lambda: (
                f"{message.currency} {message.accounts_sum_coin_e12}e-12 coin, "
                f"{message.positions_sum_lots} lots"
            ),
        )
        self._expect_not_halted(message.currency, message.created_ns, message.live_quote_count)

    def _on_reconciliation(self, message: ReconciliationV1) -> None:
        self.all["reconciled"].expect(
            message.is_equal, lambda: f"{message.currency}: {message.detail}"
        )

    def _on_order(self, message: OrderV1) -> None:
        known_ns, known_lots = self._orders.get(message.order_id, (0, 0))
        is_held = message.filled_lots <= message.amount_lots
        if message.venue_ns >= known_ns:
            is_held = is_held and message.filled_lots >= known_lots
            self._orders[message.order_id] = message.venue_ns, message.filled_lots
        self.all["order_once"].expect(
            is_held, lambda: f"{message.order_id} {message.filled_lots}/{message.amount_lots}"
        )

    def _on_place(self, message: PlaceOrderV1) -> None:
        known = self._placed.setdefault(message.order_id, hash(message))
        self.all["order_once"].expect(
            known == hash(message), lambda: f"{message.order_id} was placed twice, differently"
        )

    def _on_intent(self, message: HedgeIntentV1) -> None:
        """Against the portfolios of the last moments: the newest may have come after it."""
        deltas = [
            delta
            for fill_count, delta in self._deltas.get(message.underlying, ())
            if fill_count == message.portfolio_fill_count
        ]
        if not deltas:
            return  # decided on another book than those that we saw
        sign = 1.0 if message.side == "sell" else -1.0
        self.all["hedge_reduces"].expect(
            any(sign * delta > 0.0 for delta in deltas),
            lambda: f"{message.underlying} {message.side} with delta {deltas[-1]:+.4f}",
        )

    def _on_surface(self, message: SurfaceV1) -> None:
        self.all["surface_certified"].expect(
            message.is_butterfly_free and message.is_calendar_free,
            lambda: f"{message.underlying} version {message.version}",
        )

    def _on_record(self, message: RecordV1) -> None:
        self.positions.on_record(message)
        last = self._last_record
        if last is None or message.sequence > last.sequence:
            self._last_record = message
        if last is not None and message.sequence == last.sequence + 1:
            self.all["record_chained"].expect(
                message.previous_hash == last.entry_hash, lambda: f"record {message.sequence}"
            )

    def _on_heartbeat(self, message: HeartbeatV1) -> None:
        self.all["nothing_lost"].expect(
            message.critical_dropped_count == 0,
            lambda: f"{message.service} lost {message.critical_dropped_count}",
        )


def _prices(quote: Quote) -> str:
    return f"{quote.instrument} {quote.bid_ticks} x {quote.ask_ticks}"


def _amounts(quote: Quote) -> str:
    return f"{quote.instrument} {quote.bid_lots} x {quote.ask_lots} lots"


def _sum(terms: PnlTerms) -> float:
    parts = (getattr(terms, name) for name in terms.__struct_fields__ if name != "total")
    return math.fsum(parts)
