"""What market_making shows the desk of its quotes."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from shared.messages.message import (
    Count,
    Delivery,
    Lots,
    Message,
    Name,
    NonNegative,
    Ratio,
    Text,
    Ticks,
    Underlying,
)


class Quote(msgspec.Struct, frozen=True, array_like=True):
    """The desk's live quote in one instrument; 0 lots where a side is not quoted. Positional."""

    instrument: Name
    bid_ticks: Ticks
    bid_lots: Lots
    ask_ticks: Ticks
    ask_lots: Lots
    theo_coin: NonNegative


class QuotesV1(Message, frozen=True, kw_only=True, tag="quoting.quotes.v1"):
    """Quotes that just changed at the venue (`is_full`: all of them, now and then)."""

    delivery: ClassVar[Delivery] = Delivery.LOSSY

    underlying: Underlying
    sequence: Count
    surface_version: Count
    surface_age_ns: Count
    is_full: bool
    quotes: Annotated[tuple[Quote, ...], Meta(max_length=2048)]

    def key(self) -> str:
        return self.underlying


class QuotingStatusV1(Message, frozen=True, kw_only=True, tag="quoting.status.v1"):
    """Where quoting stands, every second and on change."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    underlying: Underlying
    state: Text  # active, reducing, or halted: <why>
    quoted_count: Count  # instruments with both sides live now
    one_sided_count: Count
    quotable_count: Count  # instruments in the quoted range
    quotes_sent_count: Count  # sides sent since start
    quotes_refused_count: Count  # by the gate, since start
    mmp_trigger_count: Count
    uptime_ratio: Ratio  # two-sided time over quotable time since the first quote

    def key(self) -> str:
        return self.underlying


class TickToQuoteV1(Message, frozen=True, kw_only=True, tag="quoting.tick_to_quote.v1"):
    """How fast a fast path is: a datagram's arrival to its quotes' sending, since the start."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    sample_count: Count
    p50_us: NonNegative
    p90_us: NonNegative
    p99_us: NonNegative
    p999_us: NonNegative
    max_us: NonNegative
    path: Name = "all"  # the underlyings it quotes, where a desk has several paths

    def key(self) -> str:
        return self.path


class QuotesPulledV1(Message, frozen=True, kw_only=True, tag="quoting.pulled.v1"):
    """All quotes of an underlying were pulled."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    underlying: Underlying
    pull_id: Name
    reason: Text
    quoted_count: Count

    def key(self) -> str:
        return self.underlying

    def message_id(self) -> str:
        return f"pulled-{self.pull_id}"


class ExecutionLatchV1(Message, frozen=True, kw_only=True, tag="quoting.latch.v1"):
    """A latch of executions has closed: a side of an instrument traded too often in a row, or more
    than was sent was executed (`all`, `both`). It is closed over restarts, until a later HaltV1
    that resumes."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    latch_id: Name
    underlying: Underlying
    instrument: Name  # or "all"
    side: Literal["buy", "sell", "both"]

    def key(self) -> str:
        return self.underlying

    def message_id(self) -> str:
        return f"latched-{self.latch_id}"
