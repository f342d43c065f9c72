"""What the desk is told of one underlying's quotes: changes, status, uptime, pulls and alerts."""

from collections.abc import Callable, Iterator
from typing import Literal

from native.engine import ASK, BID, GATE_OK, GATE_REASONS, LATCH_ALL, Decision, LiveQuote, Pass
from services.market_making.contracts import Contracts
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import (
    ExecutionLatchV1,
    Quote,
    QuotesPulledV1,
    QuotesV1,
    QuotingStatusV1,
)
from shared.messages.risk import AlertV1
from shared.service import Reading

SIDES: dict[int, Literal["buy", "sell"]] = {BID: "buy", ASK: "sell"}


class Report:
    """`live` gives what rests in a slot, as far as we know."""

    def __init__(
        self, underlying: str, live: Callable[[int], LiveQuote], contracts: Contracts
    ) -> None:
        self.trip_count = 0
        self.rejected_count = 0  # sides refused by the venue
        self.surface_version = 0
        self.surface_ns = 0
        self.quotable_count = 0
        self.two_sided_count = 0
        self.one_sided_count = 0
        self._underlying = underlying
        self._live = live
        self._contracts = contracts
        self._sequence = 0
        self._sent_count = 0
        self._refused_count = 0
        self._pull_count = 0
        self._two_sided_ns = 0  # instruments times time
        self._quotable_ns = 0
        self._counted_ns = 0
        self._has_quoted = False

    def on_surface(self, surface: SurfaceV1) -> None:
        self.surface_version, self.surface_ns = surface.version, surface.market_ns

    def counted(self, sent_count: int, refused_count: int, rejected_count: int) -> None:
        """Takes counts that are kept elsewhere, since the start."""
        self._sent_count, self._refused_count = sent_count, refused_count
        self.rejected_count = rejected_count

    def passed(self, done: Pass) -> None:
        self.quotable_count = done.quotable_count
        self.two_sided_count = done.two_sided_count
        self.one_sided_count = done.one_sided_count

    def sent(self, decisions: list[Decision]) -> None:
        for one in decisions:
            self._sent_count += one.is_bid_moved + one.is_ask_moved
            self._refused_count += (one.bid_reason != GATE_OK) + (one.ask_reason != GATE_OK)

    def count_uptime(self, now_ns: int, *, is_quoting: bool) -> None:
        """Adds the time since the last call, as it now stands; starts with the first quote."""
        if not is_quoting:
            self.two_sided_count = self.one_sided_count = 0
        self._has_quoted = self._has_quoted or self.two_sided_count > 0
        if self._has_quoted and self._counted_ns:
            elapsed_ns = max(0, now_ns - self._counted_ns)
            self._two_sided_ns += self.two_sided_count * elapsed_ns
            self._quotable_ns += self.quotable_count * elapsed_ns
        self._counted_ns = now_ns

    def changed(self, now_ns: int, slots: list[int]) -> QuotesV1:
        known = [slot for slot in slots if slot in self._contracts.of_slot]
        return self._quotes(now_ns, [self._quote(slot) for slot in known], is_full=False)

    def full(self, now_ns: int) -> QuotesV1:
        quotes = [self._quote(slot) for slot in self._contracts.of_slot]
        live = [quote for quote in quotes if quote.bid_lots or quote.ask_lots]
        return self._quotes(now_ns, live, is_full=True)

    def pulled(self, now_ns: int, reason: str) -> Iterator[object]:
        quoted_count = self.two_sided_count + self.one_sided_count
        self.two_sided_count = self.one_sided_count = 0
        self._sequence += 1
        self._pull_count += 1
        yield QuotesPulledV1(
            created_ns=now_ns,
            underlying=self._underlying,
            pull_id=f"{self._underlying}-{now_ns}-{self._sequence}",
            reason=reason,
            quoted_count=quoted_count,
        )
        yield self._quotes(now_ns, [], is_full=True)

    def latched(self, now_ns: int, slot: int, side: int) -> Iterator[object]:
        """A latch has closed; slot LATCH_ALL: more was executed than was sent."""
        self._sequence += 1
        is_all = slot == LATCH_ALL
        instrument = "all" if is_all else self._contracts.of_slot[slot].name
        side_name: Literal["buy", "sell", "both"] = "both" if is_all else SIDES[side]
        yield ExecutionLatchV1(
            created_ns=now_ns,
            latch_id=f"{self._underlying}-{now_ns}-{self._sequence}",
            underlying=self._underlying,
            instrument=instrument,
            side=side_name,
        )
        text = "more was executed than was sent" if is_all else "executed too often in a row"
        severity: Literal["page", "ticket"] = "page" if is_all else "ticket"
        yield self.alert(now_ns, "latched", severity, f"{instrument} {side_name}: {text}")

    def status(self, now_ns: int, state: str) -> QuotingStatusV1:
        return QuotingStatusV1(
            created_ns=now_ns,
            underlying=self._underlying,
            state=state,
            quoted_count=self.two_sided_count,
            one_sided_count=self.one_sided_count,
            quotable_count=self.quotable_count,
            quotes_sent_count=self._sent_count,
            quotes_refused_count=self._refused_count,
            mmp_trigger_count=self.trip_count,
            uptime_ratio=self._uptime(),
        )

    def readings(self) -> Iterator[Reading]:
        here = (self._underlying,)
        if self._has_quoted:
            yield Reading("quote_live_count", self.two_sided_count, (*here, "two"))
            yield Reading("quote_live_count", self.one_sided_count, (*here, "one"))
        yield Reading("quote_quotable_count", self.quotable_count, here)
        yield Reading("quote_uptime_ratio", self._uptime(), here)
        yield Reading("quote_sent", self._sent_count, here)
        yield Reading("quote_gated", self._refused_count, here)
        yield Reading("quote_rejected", self.rejected_count, here)
        yield Reading("quote_pulled", self._pull_count, here)
        yield Reading("protection_tripped", self.trip_count, here)

    def _uptime(self) -> float:
        return min(1.0, self._two_sided_ns / self._quotable_ns) if self._quotable_ns else 0.0

    def alert(
        self, now_ns: int, name: str, severity: Literal["page", "ticket", "info"], text: str
    ) -> AlertV1:
        self._sequence += 1
        return AlertV1(
            created_ns=now_ns,
            alert_id=f"market_making-{self._underlying}-{now_ns}-{self._sequence}",
            name=name,
            severity=severity,
            text=f"{self._underlying}: {text}",
            source="market_making",
        )

    def _quote(self, slot: int) -> Quote:
        live = self._live(slot)
        return Quote(
            self._contracts.of_slot[slot].name,
            live.bid_ticks if live.bid_lots else 0,
            live.bid_lots,
            live.ask_ticks if live.ask_lots else 0,
            live.ask_lots,
            max(0.0, live.theo_coin),
        )

    def _quotes(self, now_ns: int, quotes: list[Quote], *, is_full: bool) -> QuotesV1:
        self._sequence += 1
        return QuotesV1(
            created_ns=now_ns,
            underlying=self._underlying,
            sequence=self._sequence,
            surface_version=self.surface_version,
            surface_age_ns=max(0, now_ns - self.surface_ns),
            is_full=is_full,
            quotes=tuple(quotes),
        )


def state_text(blocked: int, lease_state: str, waiting: str) -> str:
    """Returns QuotingStatusV1's state: active, reducing, or halted with why."""
    if blocked != GATE_OK:
        return f"halted: {GATE_REASONS[blocked]}"
    return f"halted: {waiting}" if waiting else lease_state
