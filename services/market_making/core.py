"""Market making: surface, ticks, limits and lease in; two-sided quotes at the venue out."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from native.engine import ASK, BID, GATE_OK, LATCH_ALL
from services.market_making.breakers import Breakers
from services.market_making.mass_quote import (
    OWN_TRADES_CHANNEL,
    TRIP_CHANNEL,
    own_trades,
    request_rates,
    trip_channel,
    trip_channels,
)
from services.market_making.policy import Policy
from services.market_making.quoter import Quoter
from services.market_making.quoting import Outputs, Phase, Quoting
from services.market_making.report import state_text
from shared.clock import NS_PER_MS, NS_PER_S
from shared.dedupe import Seen
from shared.messages.desk import TimerV1
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.orders import FillV1
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import ExecutionLatchV1
from shared.messages.risk import HaltV1, LeaseV1, LimitsV1
from shared.service import Reading
from shared.venue_link import VenueDown, VenueNotice, VenueReply, VenueRequest, VenueUp

# An older fill, or one of another order, moves the position and says nothing of our quotes.
NEWS_NS_MAX = 2 * NS_PER_S
FULL_INTERVAL_NS = 5 * NS_PER_S
TRADES_CHANNEL = "user.trades"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[market_making]`, with a policy for each underlying."""

    BTC: Policy = Policy()
    ETH: Policy = Policy(
        amount_lots=24,
        skew_delta_ratio=8e-7,
        flow_delta_ratio=2e-6,
        vol_half=0.0003,
        mmp_quantity_coin=300.0,
        mmp_delta_coin=60.0,
    )
    transport: Literal["fix", "websocket"] = "fix"  # of quotes, where the venue speaks both
    skew_enabled: bool = True
    waiting: Literal["auto", "blocking", "adaptive", "busy"] = "auto"  # of the fast path's thread
    spin_us: Annotated[int, Meta(ge=0, le=10_000)] = 50  # adaptive: looks so long before it sleeps
    cpu: Annotated[int, Meta(ge=-1, le=1023)] = -1  # the fast path's own core; -1: any
    priority: Annotated[int, Meta(ge=0, le=90)] = 10  # SCHED_FIFO, where permitted; 0: ordinary
    busy_poll_us: Annotated[int, Meta(ge=0, le=1_000)] = 0  # SO_BUSY_POLL; 0: not asked for
    feed_silence_ms: Annotated[int, Meta(ge=50, le=60_000)] = 200  # of datagrams: pull
    answer_ms_max: Annotated[int, Meta(ge=100, le=60_000)] = 2_000  # to a quote: pull
    instruments_max: Annotated[int, Meta(ge=1, le=4096)] = 2048  # slots an underlying
    in_flight_max: Annotated[int, Meta(ge=1, le=16)] = 4  # requests an underlying
    decide_interval_ms: Annotated[int, Meta(ge=1, le=10_000)] = 250  # at least this often
    decide_move_ratio: Annotated[float, Meta(ge=0.0, le=0.1)] = 5e-5  # of the index: at once
    timer_interval_ms: Annotated[int, Meta(ge=10, le=200)] = 50  # how late a lapse may be seen


class Underlying:
    """What comes in for one underlying, newest only."""

    def __init__(self, name: str, quoter: Quoting) -> None:
        self.name = name
        self.quoter = quoter
        self.waiting: dict[str, int] = {}  # signed lots of instruments not listed yet
        self.latched: set[tuple[str, str]] = set()  # instrument and side, or all and both
        self.rearmed_ns = 0
        self.hedge_usd = 0.0
        self.index_usd = 0.0
        self.index_ns = 0
        self.decided_usd = 0.0
        self.decided_ns = 0
        self.lease_ns = 0  # when the newest lease was given
        self.lease_expires_ns = 0
        self.lease_state = "active"
        self.halt_ns = 0
        self.full_ns = 0
        self.state = ""


class MarketMaking:
    """One core for all underlyings: they share a venue session and nothing else."""

    def __init__(
        self,
        config: Config,
        underlyings: tuple[str, ...],
        venue_share: float = 1.0,
        breakers: Breakers | None = None,
    ) -> None:
        self._config = config
        self._venue_share = venue_share  # of the account's requests
        self._breakers = breakers or Breakers()
        self._last_id = 0
        self._roles: dict[int, Quoting] = {}  # request id -> who asked
        self._summary_id = 0
        self._seen = Seen()
        self._is_started = False
        self._now_ns = 0
        self.books = {
            name: Underlying(name, self._quoter(name, getattr(config, name)))
            for name in underlyings
        }

    def on_instruments(self, batch: InstrumentsV1) -> Outputs:
        book = self.books.get(batch.underlying)
        if book is None:
            return
        for name in book.quoter.contracts.update(batch):
            lots = book.waiting.pop(name, 0)
            late_id = f"{name}@{batch.created_ns}"
            yield from self._move_position(
                book, name, lots, 0, batch.created_ns, late_id, is_old=True
            )
            self._close_latches(book, name)
        self._set_hedge(book)

    def on_surface(self, surface: SurfaceV1) -> Outputs:
        book = self.books.get(surface.underlying)
        if book is None or surface.market_ns < book.quoter.report.surface_ns:
            return
        book.quoter.set_surface(surface)
        yield from ()

    def on_ticks(self, batch: TicksV1) -> Outputs:
        book = self.books.get(batch.underlying)
        if book is None:
            return
        now_ns = self._at(batch.created_ns)
        self._take_books(book, batch)
        if batch.index_ns >= book.index_ns:
            book.index_usd, book.index_ns = batch.index_usd, batch.index_ns
            book.quoter.on_index(batch.index_usd, batch.index_ns)
        moved = abs(book.index_usd - book.decided_usd)
        if (
            moved > self._config.decide_move_ratio * book.index_usd
            or now_ns - book.decided_ns >= self._config.decide_interval_ms * NS_PER_MS
        ):
            yield from self._decide(book, now_ns)

    def on_limits(self, limits: LimitsV1) -> Outputs:
        book = self.books.get(limits.underlying)
        known = book.quoter.limits if book else None
        if book is not None and (known is None or limits.version >= known.version):
            book.quoter.set_limits(limits)
        yield from ()

    def on_lease(self, lease: LeaseV1) -> Outputs:
        book = self.books.get(lease.underlying)
        if book is None or lease.created_ns < book.lease_ns:
            return
        book.lease_ns, book.lease_state = lease.created_ns, lease.state
        book.lease_expires_ns = lease.expires_ns
        book.quoter.set_lease(lease.state, lease.expires_ns)
        yield from ()

    def on_halt(self, halt: HaltV1) -> Outputs:
        """Latches; a resume also opens the latches of executions."""
        for book in self.books.values():
            if halt.underlying not in (book.name, "all") or halt.created_ns < book.halt_ns:
                continue
            book.halt_ns = halt.created_ns
            book.quoter.set_halted(is_halted=halt.action == "halt")
            if halt.action == "resume":
                book.rearmed_ns = halt.created_ns
                book.latched.clear()
                book.quoter.rearm()
            elif self._is_started:
                now_ns = self._at(halt.created_ns)
                yield from self._asked(book.quoter, book.quoter.pull(now_ns, "halted"))

    def on_latched(self, latch: ExecutionLatchV1) -> Outputs:
        """Our own word, perhaps of a former life."""
        book = self.books.get(latch.underlying)
        if book is not None and latch.created_ns > book.rearmed_ns:
            book.latched.add((latch.instrument, latch.side))
            self._close_latches(book, latch.instrument)
        yield from ()

    def on_fill(self, fill: FillV1) -> Outputs:
        book = self.books.get(fill.underlying)
        if book is None or not self._seen.add(fill.trade_id):
            return
        now_ns = self._at(fill.created_ns) if self._is_started else fill.created_ns
        lots = fill.amount_lots if fill.side == "buy" else -fill.amount_lots
        is_news = self._is_started and now_ns - fill.venue_ns <= NEWS_NS_MAX and fill.is_quote
        yield from self._move_position(
            book, fill.instrument, lots, fill.price_ticks, now_ns, fill.trade_id, is_old=not is_news
        )
        if is_news:
            yield from self._decide(book, now_ns)

    def on_start(self, timer: TimerV1) -> Outputs:
        self._at(timer.created_ns)
        self._is_started = True
        for book in self.books.values():
            book.quoter.is_started = True
        yield from ()

    def on_timer(self, timer: TimerV1) -> Outputs:
        now_ns = self._at(timer.created_ns)
        held = self._breakers.hold_reason()
        is_wider = not self._breakers.surface.is_trusted
        for book in self.books.values():
            quoter = book.quoter
            quoter.set_wider(is_wider=is_wider)
            yield from self._asked(quoter, quoter.hold(now_ns, held))
            quoter.report.count_uptime(now_ns, is_quoting=quoter.phase is Phase.QUOTING)
            yield from self._asked(quoter, quoter.on_timer(now_ns))
            self._set_hedge(book)
            if self._state(book, now_ns) != book.state:
                yield from self._status(book, now_ns)

    def on_second_timer(self, timer: TimerV1) -> Outputs:
        now_ns = self._at(timer.created_ns)
        for book in self.books.values():
            yield from self._status(book, now_ns)
            if now_ns - book.full_ns >= FULL_INTERVAL_NS:
                book.full_ns = now_ns
                yield book.quoter.report.full(now_ns)

    def on_up(self, up: VenueUp) -> Outputs:
        now_ns = self._at(up.created_ns)
        for book in self.books.values():
            yield from self._asked(book.quoter, book.quoter.on_up(now_ns))
        names = self._channels()
        yield VenueRequest(self._new_id(), "private/subscribe", {"channels": names})
        self._summary_id = self._new_id()
        currency = next(iter(self.books))
        yield VenueRequest(
            self._summary_id,
            "private/get_account_summary",
            {"currency": currency, "extended": True},
        )

    def on_down(self, down: VenueDown) -> Outputs:
        now_ns = self._at(down.created_ns)
        self._roles.clear()
        for book in self.books.values():
            yield from self._asked(book.quoter, book.quoter.on_down(now_ns))

    def on_reply(self, reply: VenueReply) -> Outputs:
        self._at(reply.created_ns)
        quoter = self._roles.pop(reply.request_id, None)
        if quoter is not None:
            yield from self._asked(quoter, quoter.on_reply(reply))
        elif reply.request_id == self._summary_id:
            rates = request_rates(reply.result)
            if rates is not None:
                self._set_rates(rates)

    def on_notice(self, notice: VenueNotice) -> Outputs:
        now_ns = self._at(notice.created_ns)
        if notice.channel.startswith(TRADES_CHANNEL):
            yield from self._on_own_trades(notice, now_ns)
        elif notice.channel.startswith(TRIP_CHANNEL):
            for book in self.books.values():
                if notice.channel == trip_channel(book.name):
                    yield from self._asked(book.quoter, book.quoter.on_trip(now_ns))

    def on_drain(self, timer: TimerV1) -> Outputs:
        now_ns = self._at(timer.created_ns)
        for book in self.books.values():
            book.quoter.is_draining = True
            yield from self._asked(book.quoter, book.quoter.pull(now_ns, "drain"))

    def is_drained(self) -> bool:
        return all(book.quoter.is_clear for book in self.books.values())

    def not_ready(self) -> str:
        """Ready means: the session is up and nothing rests that should not."""
        down = [book.name for book in self.books.values() if book.quoter.phase is Phase.DOWN]
        return f"no venue session for {', '.join(down)}" if down else ""

    def readings(self, now_ns: int) -> Iterator[Reading]:
        for name, book in self.books.items():
            yield from book.quoter.report.readings()
            yield Reading("quote_blocked", book.quoter.blocked(now_ns) != GATE_OK, (name,))
            if book.lease_expires_ns:
                left_s = (book.lease_expires_ns - now_ns) / NS_PER_S
                yield Reading("lease_left_seconds", left_s, (name,))

    def _set_rates(self, rates: tuple[float, float, float, float]) -> None:
        for book in self.books.values():
            book.quoter.set_rates(rates, share=self._venue_share / len(self.books))

    def _channels(self) -> list[str]:
        return [OWN_TRADES_CHANNEL, *trip_channels(list(self.books))]

    def _on_own_trades(self, notice: VenueNotice, now_ns: int) -> Outputs:
        changed: dict[str, Underlying] = {}
        for trade in own_trades(notice.data):
            book = self.books.get(trade.instrument.split("-")[0])
            if book is None or not book.quoter.contracts.is_known(trade.instrument):
                continue  # the gateway's FillV1 will bring it
            if self._is_started and self._seen.add(trade.trade_id):
                lots = book.quoter.contracts.lots(trade.instrument, trade.amount)
                ticks = book.quoter.contracts.ticks(trade.instrument, trade.price)
                signed = lots if trade.is_buy else -lots
                is_old, name = not trade.is_quote, trade.instrument
                yield from self._move_position(
                    book, name, signed, ticks, now_ns, trade.trade_id, is_old=is_old
                )
                changed[book.name] = book
        for book in changed.values():
            yield from self._decide(book, now_ns)

    def _move_position(
        self,
        book: Underlying,
        name: str,
        lots: int,
        price_ticks: int,
        now_ns: int,
        trade_id: str,
        *,
        is_old: bool,
    ) -> Outputs:
        contracts = book.quoter.contracts
        slot = contracts.slots.get(name)
        if lots == 0:
            return
        if slot is not None:
            yield from book.quoter.on_fill(slot, lots, price_ticks, now_ns, trade_id, is_old=is_old)
        elif name in contracts.future_lots_usd:
            contracts.hold_future(name, lots)
            self._set_hedge(book)
        else:
            book.waiting[name] = book.waiting.get(name, 0) + lots

    def _set_hedge(self, book: Underlying) -> None:
        hedge_usd = book.quoter.contracts.hedge_usd()
        if hedge_usd != book.hedge_usd:
            book.hedge_usd = hedge_usd
            book.quoter.set_hedge(hedge_usd)

    def _close_latches(self, book: Underlying, name: str) -> None:
        slot = LATCH_ALL if name == "all" else book.quoter.contracts.slots.get(name)
        for instrument, side in book.latched:
            if instrument == name and slot is not None:
                book.quoter.latch(slot, ASK if side == "sell" else BID)

    def _take_books(self, book: Underlying, batch: TicksV1) -> None:
        changed = []
        for tick in batch.ticks:
            slot = book.quoter.contracts.on_tick(tick)
            if slot is None:
                continue
            changed.append((slot, tick.bid_ticks, tick.bid_lots, tick.ask_ticks, tick.ask_lots))
        if changed:
            book.quoter.on_books(changed)

    def _decide(self, book: Underlying, now_ns: int) -> Outputs:
        book.decided_usd, book.decided_ns = book.index_usd, now_ns
        yield from self._asked(book.quoter, book.quoter.decide(now_ns))

    def _asked(self, quoter: Quoting, outputs: Outputs) -> Outputs:
        """Remembers who asked the venue, so that the answer finds its way."""
        for output in outputs:
            if isinstance(output, VenueRequest):
                self._roles[output.request_id] = quoter
            yield output

    def _status(self, book: Underlying, now_ns: int) -> Outputs:
        book.state = self._state(book, now_ns)
        yield book.quoter.report.status(now_ns, book.state)

    def _state(self, book: Underlying, now_ns: int) -> str:
        quoter = book.quoter
        waiting = "" if quoter.phase is Phase.QUOTING else quoter.held or quoter.phase.value
        return state_text(quoter.blocked(now_ns), book.lease_state, waiting)

    def _quoter(self, name: str, policy: Policy) -> Quoting:
        return Quoter(
            name,
            policy,
            self._new_id,
            slot_count=self._config.instruments_max,
            in_flight_max=self._config.in_flight_max,
            is_skewed=self._config.skew_enabled,
        )

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _at(self, created_ns: int) -> int:
        """Returns now: the newest time that any input has carried."""
        self._now_ns = max(self._now_ns, created_ns)
        return self._now_ns
