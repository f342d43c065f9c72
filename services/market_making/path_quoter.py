"""The quotes of one underlying on the fast path: what the control plane does beside the C loop.

The loop holds the engine, the feed and the FIX connection; it decides, quotes and pulls by itself.
Here are the words that set it up, the venue's protection (over the venue session), and what its
records mean to the desk.
"""

from collections.abc import Callable, Sequence

from native import path_records as records
from native.engine import ASK, BID, GATE_FROZEN, GATE_HALTED, GATE_OK
from services.market_making.contracts import Contracts, option_block
from services.market_making.mass_quote import (
    group_name,
    index_name,
    mmp_config_params,
    reset_mmp_params,
)
from services.market_making.path_mirror import Mirror
from services.market_making.path_words import (
    CloseLatch,
    ListOption,
    PathCounts,
    PutLease,
    PutLimits,
    PutPolicy,
    PutSurface,
    Rearm,
    Record,
    Register,
    ReleaseSlot,
    SetHalted,
    SetHedge,
    Start,
    Stop,
    TakeFill,
)
from services.market_making.policy import (
    Policy,
    limits_block,
    policy_block,
    protection,
    slice_blocks,
)
from services.market_making.quoting import Outputs, Phase
from services.market_making.report import Report
from services.market_making.trips import Trips
from shared.clock import NS_PER_MS
from shared.messages.market import Instrument
from shared.messages.pricing import SurfaceV1
from shared.messages.risk import LimitsV1
from shared.venue_link import VenueReply, VenueRequest

RETRY_NS = 250 * NS_PER_MS
SURFACE_VERSION_MIN = 2  # the first one was fitted on what had come by then: forwards are missing
PHASES = {
    records.PHASE_DOWN: Phase.DOWN,
    records.PHASE_CLEARING: Phase.CLEARING,
    records.PHASE_CLEAR: Phase.CLEAR,
    records.PHASE_QUOTING: Phase.QUOTING,
}


class PathQuoter:
    """`say` takes words for the path; outputs are VenueRequest and bus messages."""

    def __init__(
        self,
        number: int,
        underlying: str,
        policy: Policy,
        new_id: Callable[[], int],
        say: Callable[[object], None],
        *,
        slot_count: int,
        is_skewed: bool,
    ) -> None:
        self.number = number
        self.underlying = underlying
        self.mirror = Mirror()
        self.contracts = Contracts(self, slot_count)
        self.report = Report(underlying, self.mirror.quote, self.contracts)
        self.limits: LimitsV1 | None = None
        self.phase = Phase.DOWN
        self.is_started = False
        self.is_draining = False
        self.held = ""
        self._policy = policy
        self._new_id = new_id
        self._say = say
        self._is_skewed = is_skewed
        self._is_wider = False
        self._positions: dict[int, int] = {}  # signed lots by slot, until the start
        self._hedge_usd = 0.0
        self._quotes_per_s, self._quotes_burst = 225.0, 225.0
        self._version = 0
        self._blocked = GATE_HALTED
        self._trips = Trips()
        self._pending_id = 0
        self._retry_ns = 0
        self._is_session_up = False  # the venue session, for protection
        self._is_configured = False
        self._needs_reset = False
        self._is_told_to_quote = False
        say(Register(number, underlying, index_name(underlying), group_name(underlying)))

    @property
    def is_clear(self) -> bool:
        return self.phase in (Phase.DOWN, Phase.CLEAR, Phase.PREPARING)

    def blocked(self, now_ns: int) -> int:
        del now_ns
        return self._blocked if self.phase is not Phase.DOWN else GATE_OK

    def open(self) -> None:
        """Tells the path what had been replayed."""
        for slot, lots in sorted(self._positions.items()):
            if lots:
                self._say(TakeFill(self.number, slot, lots, 0, "", is_old=True))
        self._positions.clear()
        self._say(SetHedge(self.number, self._hedge_usd))

    # Words for the path

    def put(self, slot: int, instrument: Instrument, *, is_listed: bool) -> None:
        """The contracts' slots are the path's."""
        self._say(
            ListOption(
                self.number,
                slot,
                instrument.instrument_id,
                instrument.name,
                option_block(instrument, is_listed=True),
                is_tradable=is_listed,
            )
        )

    def clear(self, slot: int) -> None:
        self.mirror.drop(slot)
        self._positions.pop(slot, None)
        self._say(ReleaseSlot(self.number, slot))

    def set_limits(self, limits: LimitsV1) -> None:
        is_new = self.limits is None or protection(self._policy, limits) != protection(
            self._policy, self.limits
        )
        self.limits = limits
        self._is_configured = self._is_configured and not is_new
        self._say(PutLimits(self.number, limits_block(self._policy, limits)))
        self._put_policy()

    def set_rates(self, rates: tuple[float, float, float, float], share: float) -> None:
        """The path's own budget bounds requests; the engine's, the quotes of an underlying."""
        self._quotes_per_s, self._quotes_burst = rates[2] * share * 0.9, rates[3] * share * 0.9
        if self.limits is not None:
            self._put_policy()

    def set_surface(self, surface: SurfaceV1) -> None:
        slices = slice_blocks(surface)
        self._say(PutSurface(self.number, surface.version, surface.market_ns, slices))
        self.report.on_surface(surface)

    def set_lease(self, state: str, expires_ns: int) -> None:
        self._say(PutLease(self.number, state == "active", expires_ns))

    def set_wider(self, *, is_wider: bool) -> None:
        if is_wider is not self._is_wider:
            self._is_wider = is_wider
            if self.limits is not None:
                self._put_policy()

    def hold(self, now_ns: int, reason: str) -> Outputs:
        del now_ns
        self.held = reason
        if reason and self._is_told_to_quote:
            self._is_told_to_quote = False
            self._say(Stop(self.number))
        yield from ()

    def set_halted(self, *, is_halted: bool) -> None:
        self._say(SetHalted(self.number, is_halted))

    def rearm(self) -> None:
        self._say(Rearm(self.number))

    def latch(self, slot: int, side: int) -> None:
        self._say(CloseLatch(self.number, slot, side))

    def set_hedge(self, hedge_usd: float) -> None:
        self._hedge_usd = hedge_usd
        if self.is_started:
            self._say(SetHedge(self.number, hedge_usd))

    def on_books(self, books: Sequence[tuple[int, int, int, int, int]]) -> None:
        """The path has its own."""

    def on_index(self, index_usd: float, tick_ns: int) -> None:
        """The path has its own."""

    def on_fill(
        self, slot: int, lots: int, price_ticks: int, now_ns: int, trade_id: str, *, is_old: bool
    ) -> Outputs:
        """A latch that it closes comes back as a record."""
        del now_ns
        if self.is_started:
            self._say(TakeFill(self.number, slot, lots, price_ticks, trade_id, is_old))
        else:
            self._positions[slot] = self._positions.get(slot, 0) + lots
        yield from ()

    # The venue session and FIX

    def on_up(self, now_ns: int) -> Outputs:
        del now_ns
        self._is_session_up = True
        self._pending_id = 0
        yield from ()

    def on_down(self, now_ns: int) -> Outputs:
        """Protection cannot be set meanwhile; what is set stays, and the quotes are FIX's."""
        del now_ns
        self._is_session_up = False
        self._pending_id = 0
        if self.phase is Phase.PREPARING:
            self.phase = Phase.CLEAR
        yield from ()

    def on_fix_up(self) -> None:
        """A new session, perhaps with a venue that has forgotten: protection is set anew."""
        self._is_configured = self._is_told_to_quote = False
        self._needs_reset = True

    def on_fix_down(self, now_ns: int) -> Outputs:
        yield from self._enter(Phase.DOWN, now_ns)

    def on_trip(self, now_ns: int) -> Outputs:
        if self._needs_reset or self.phase is Phase.DOWN:
            return
        self._trips.on_trip(now_ns)
        self._needs_reset = True
        self._is_told_to_quote = False
        self._say(Stop(self.number))  # the path may not have seen it yet
        self.report.trip_count += 1
        yield self.report.alert(now_ns, "mmp_trigger", "ticket", "the venue's protection tripped")

    def pull(self, now_ns: int, reason: str) -> Outputs:
        """A halt pulls by itself; a drain must be said."""
        del now_ns, reason
        if self.is_draining:
            self._is_told_to_quote = False
            self._say(Stop(self.number))
        yield from ()

    def decide(self, now_ns: int) -> Outputs:
        """The loop does, at every tick and fill."""
        del now_ns
        yield from ()

    def on_timer(self, now_ns: int) -> Outputs:
        self.contracts.release_expired(now_ns)
        if self.phase is Phase.CLEAR and not self._is_told_to_quote:
            yield from self._advance(now_ns)

    def on_reply(self, reply: VenueReply) -> Outputs:
        """The answer to what was asked about protection."""
        if reply.request_id != self._pending_id:
            return
        self._pending_id = 0
        if self.phase is Phase.PREPARING:
            self.phase = Phase.CLEAR
        if reply.error_code:
            self._retry_ns = reply.created_ns + RETRY_NS
            return
        if self._is_configured:
            self._needs_reset = False
        self._is_configured = True
        if self.phase is Phase.CLEAR:
            yield from self._advance(reply.created_ns)

    # What the path says

    def on_counts(self, counts: PathCounts) -> None:
        self._blocked = counts.blocked_reason
        self.report.quotable_count = counts.quotable_count
        if self.phase is Phase.QUOTING:
            self.report.two_sided_count = counts.two_sided_count
            self.report.one_sided_count = counts.one_sided_count
        self.report.counted(counts.sent_count, counts.refused_count, counts.rejected_count)

    def on_record(self, record: Record, now_ns: int) -> Outputs:
        if record.kind == records.QUOTE:
            self.mirror.on_quote(record)
        elif record.kind == records.FILL:
            self.mirror.on_fill(record)
        elif record.kind == records.SIDE:
            self.mirror.on_side_gone(record)
        elif record.kind == records.PHASE:
            yield from self._enter(PHASES[record.code], now_ns)
        elif record.kind == records.PULL:
            yield from self._on_pull(record.code, now_ns)
        elif record.kind == records.CLEAR:
            yield from self._on_cleared(record.code, now_ns)
        elif record.kind == records.TRIP:
            yield from self.on_trip(now_ns)
        elif record.kind == records.LATCH:
            side = BID if record.is_bid_moved else ASK
            yield from self.report.latched(now_ns, record.slot, side)
        elif record.kind == records.COMMAND:
            self._is_told_to_quote = False  # it may have been the start
            self._retry_ns = now_ns + RETRY_NS
            text = f"the path refused word {record.counted}: {record.code}"
            yield self.report.alert(now_ns, "path_refused", "ticket", text)

    def changed(self, now_ns: int) -> Outputs:
        """What moved since the last time, in one message."""
        slots = self.mirror.take_changed()
        if slots and self.phase is Phase.QUOTING:
            yield self.report.changed(now_ns, slots)

    def _on_pull(self, reason: int, now_ns: int) -> Outputs:
        if reason == GATE_FROZEN:
            yield self.report.alert(now_ns, "own_window", "ticket", "our own window tripped first")
        elif reason == records.PULL_RECORDS:
            yield self.report.alert(now_ns, "records_full", "page", "records find no room")

    def _on_cleared(self, reason: int, now_ns: int) -> Outputs:
        was_quoted = len(self.mirror) > 0
        self.mirror.clear()
        if was_quoted or reason != records.PULL_ASKED or self.is_draining:
            asked = self.held if reason == records.PULL_ASKED else ""
            text = "drain" if self.is_draining else asked or records.pull_name(reason)
            yield from self.report.pulled(now_ns, text)

    def _enter(self, phase: Phase, now_ns: int) -> Outputs:
        was_clear = self.is_clear
        if phase is Phase.CLEAR and self._pending_id:
            phase = Phase.PREPARING
        self.phase = phase
        if phase is not Phase.QUOTING:
            self.report.two_sided_count = self.report.one_sided_count = 0
        if phase is Phase.DOWN:
            self.mirror.clear()
            if not was_clear:
                yield from self.report.pulled(now_ns, "venue session lost")

    def _advance(self, now_ns: int) -> Outputs:
        """From nothing resting to the word to quote: protection first."""
        if self.is_draining or not self.is_started or self.limits is None or self.held:
            return
        if not self._is_session_up or self._pending_id:
            return
        if now_ns < max(self._trips.hold_ns, self._retry_ns):
            return
        if not self._is_configured:
            coins = [one.lot_coin for one in self.contracts.of_slot.values()]
            if coins:
                most = max(coins) * self.limits.quote_lots_max
                window = protection(self._policy, self.limits)
                params = mmp_config_params(self.underlying, window, most)
                yield self._prepare("private/set_mmp_config", params)
        elif self._needs_reset:
            yield self._prepare("private/reset_mmp", reset_mmp_params(self.underlying))
        elif self.report.surface_version >= SURFACE_VERSION_MIN:
            self._is_told_to_quote = True
            self._say(Start(self.number))

    def _prepare(self, method: str, params: dict[str, object]) -> VenueRequest:
        self.phase = Phase.PREPARING
        self._pending_id = self._new_id()
        return VenueRequest(self._pending_id, method, params)

    def _put_policy(self) -> None:
        assert self.limits is not None
        self._version += 1
        block = policy_block(
            self._policy,
            self.limits,
            self._version,
            self._quotes_per_s,
            self._quotes_burst,
            is_skewed=self._is_skewed,
            is_wider=self._is_wider,
        )
        self._say(PutPolicy(self.number, block))
