"""The quotes of one underlying: when they may stand, go out, are pulled, and come back."""

from collections.abc import Callable, Sequence

from native.engine import (
    ACTIVE,
    ASK,
    BID,
    GATE_FROZEN,
    GATE_OK,
    GATE_REASONS,
    LATCH_ALL,
    REDUCING,
    Engine,
    Pass,
)
from services.market_making.contracts import Contracts, EngineSlots
from services.market_making.mass_quote import (
    MMP_TRIGGERED,
    QUOTES_PER_REQUEST_MAX,
    cancel_quotes_params,
    mass_quote_params,
    mmp_config_params,
    reset_mmp_params,
    side_errors,
)
from services.market_making.policy import (
    Policy,
    limits_block,
    policy_block,
    protection,
    slice_blocks,
)
from services.market_making.quotes import InFlight
from services.market_making.quoting import Outputs, Phase
from services.market_making.report import Report
from services.market_making.trips import Trips
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.pricing import SurfaceV1
from shared.messages.risk import LimitsV1
from shared.venue_budget import Bucket
from shared.venue_link import VenueReply, VenueRequest

RETRY_NS = 250 * NS_PER_MS  # between attempts at what must succeed
REJECT_HOLD_NS = 500 * NS_PER_MS  # before a refused side is tried again
FAILURE_HOLD_NS = NS_PER_S  # before quoting after a request that failed whole


class Quoter:
    """Owns an engine. `new_id` gives request ids; outputs are VenueRequest and bus messages."""

    def __init__(
        self,
        underlying: str,
        policy: Policy,
        new_id: Callable[[], int],
        *,
        slot_count: int,
        in_flight_max: int,
        is_skewed: bool,
    ) -> None:
        self.underlying = underlying
        self.engine = Engine(slot_count)
        self.contracts = Contracts(EngineSlots(self.engine), slot_count)
        self.report = Report(underlying, self.engine.quote, self.contracts)
        self.limits: LimitsV1 | None = None
        self.phase = Phase.DOWN
        self.is_started = False  # positions have been replayed
        self.is_draining = False
        self.held = ""
        self._policy = policy
        self._new_id = new_id
        self._in_flight_max = in_flight_max
        self._is_skewed = is_skewed
        self._is_wider = False
        self._in_flight = InFlight()
        self._requests = Bucket(burst=5, per_s=5)
        self._quotes_per_s, self._quotes_burst = 225.0, 225.0
        self._version = 0
        self._pending_id = 0  # the cancel, configuration or reset we wait for
        self._pull_reason = ""
        self._retry_ns = 0
        self._hold_ns = 0  # no quoting before
        self._is_configured = False
        self._needs_reset = False
        self._trips = Trips()
        self._has_more = False

    @property
    def is_clear(self) -> bool:
        """Nothing of ours can rest at the venue."""
        return self.phase in (Phase.DOWN, Phase.CLEAR) and not self._in_flight

    def set_limits(self, limits: LimitsV1) -> None:
        is_new = self.limits is None or protection(self._policy, limits) != protection(
            self._policy, self.limits
        )
        self.limits = limits
        self._is_configured = self._is_configured and not is_new
        self.engine.set_limits(limits_block(self._policy, limits))
        self._set_policy()

    def set_rates(self, rates: tuple[float, float, float, float], share: float) -> None:
        """Takes this account's limits: requests per s, burst, quotes per s, burst."""
        self._requests.resize(burst=rates[1] * share, per_s=rates[0] * share)
        self._quotes_per_s, self._quotes_burst = rates[2] * share * 0.9, rates[3] * share * 0.9
        if self.limits is not None:
            self._set_policy()

    def blocked(self, now_ns: int) -> int:
        return self.engine.blocked(now_ns)

    def set_surface(self, surface: SurfaceV1) -> None:
        self.engine.set_surface(surface.version, surface.market_ns, slice_blocks(surface))
        self.report.on_surface(surface)

    def set_lease(self, state: str, expires_ns: int) -> None:
        self.engine.set_lease(ACTIVE if state == "active" else REDUCING, expires_ns)

    def set_wider(self, *, is_wider: bool) -> None:
        if is_wider is not self._is_wider:
            self._is_wider = is_wider
            if self.limits is not None:
                self._set_policy()

    def hold(self, now_ns: int, reason: str) -> Outputs:
        self.held = reason
        if reason and self.phase is Phase.QUOTING:
            yield from self.pull(now_ns, reason)

    def set_halted(self, *, is_halted: bool) -> None:
        self.engine.set_halted(is_halted)

    def rearm(self) -> None:
        self.engine.rearm()

    def latch(self, slot: int, side: int) -> None:
        self.engine.latch(slot, side)

    def set_hedge(self, hedge_usd: float) -> None:
        self.engine.set_hedge(hedge_usd)

    def on_books(self, books: Sequence[tuple[int, int, int, int, int]]) -> None:
        self.engine.on_books(books)

    def on_index(self, index_usd: float, tick_ns: int) -> None:
        self.engine.on_index(index_usd, tick_ns)

    def on_fill(
        self, slot: int, lots: int, price_ticks: int, now_ns: int, trade_id: str, *, is_old: bool
    ) -> Outputs:
        del trade_id  # the core has seen to it that each comes once
        side = BID if lots > 0 else ASK
        open_before = [one for one in (slot, LATCH_ALL) if not self.engine.is_latched(one, side)]
        self.engine.on_fill(slot, lots > 0, abs(lots), price_ticks, now_ns, is_replayed=is_old)
        for one in open_before:
            if self.engine.is_latched(one, side):
                yield from self.report.latched(now_ns, one, side)

    def on_up(self, now_ns: int) -> Outputs:
        """A new session: whatever an older one left is cancelled before anything else."""
        self._is_configured = False
        self._needs_reset = True
        self.phase = Phase.CLEARING
        self._pull_reason = ""
        yield self._cancel(now_ns)

    def on_down(self, now_ns: int) -> Outputs:
        """Cancel-on-disconnect has taken every quote."""
        was_clear = self.is_clear
        self._in_flight.forget()
        self.phase = Phase.DOWN
        self.engine.clear_live()
        if not was_clear:
            yield from self.report.pulled(now_ns, "venue session lost")

    def on_trip(self, now_ns: int) -> Outputs:
        """The venue's protection has cancelled our quotes; it stays so until we reset it."""
        if self._needs_reset or self.phase is Phase.DOWN:
            return
        self._trips.on_trip(now_ns)
        self._needs_reset = True
        self.report.trip_count += 1
        yield self.report.alert(now_ns, "mmp_trigger", "ticket", "the venue's protection tripped")
        yield from self.pull(now_ns, "mmp_trigger")

    def pull(self, now_ns: int, reason: str) -> Outputs:
        """Cancels every quote; quoting goes on when the venue has confirmed and nothing blocks."""
        if self.phase in (Phase.DOWN, Phase.CLEARING) or self.is_clear:
            return
        self.phase = Phase.CLEARING
        self._pull_reason = reason
        yield self._cancel(now_ns)

    def on_timer(self, now_ns: int) -> Outputs:
        """Looks at age, lease and halts against desk time, and takes the next step."""
        self.contracts.release_expired(now_ns)
        blocked = self.engine.blocked(now_ns)
        if self.phase is Phase.QUOTING and blocked != GATE_OK:
            yield from self._pull_blocked(now_ns, blocked)
        elif self.phase is Phase.CLEARING and now_ns >= self._retry_ns and not self._pending_id:
            yield self._cancel(now_ns)
        elif self.phase is Phase.CLEAR:
            yield from self._advance(now_ns)
        elif self.phase is Phase.QUOTING and self._has_more:
            yield from self.decide(now_ns)

    def decide(self, now_ns: int) -> Outputs:
        """Sends the quotes that should move, as many as budget and answers outstanding allow."""
        if self.phase is not Phase.QUOTING:
            return
        blocked = self.engine.blocked(now_ns)
        if blocked != GATE_OK:
            yield from self._pull_blocked(now_ns, blocked)
            return
        room = self._request_room(now_ns)
        if room == 0:
            self._has_more = True
            return
        done = self.engine.decide(now_ns, room * QUOTES_PER_REQUEST_MAX)
        self.report.passed(done)
        self._has_more = done.candidate_count > len(done.decisions)
        if done.exposed_count > self._policy.exposed_max:
            yield from self.pull(now_ns, "the market outran the quotes")
            return
        yield from self._send(done)

    def on_reply(self, reply: VenueReply) -> Outputs:
        now_ns = reply.created_ns
        if self._in_flight.has(reply.request_id):
            yield from self._on_quotes_answered(reply, now_ns)
        elif reply.request_id == self._pending_id:
            self._pending_id = 0
            if self.phase is Phase.CLEARING:
                yield from self._on_cancel_answered(reply, now_ns)
            elif self.phase is Phase.PREPARING:
                yield from self._on_prepared(reply, now_ns)

    def _pull_blocked(self, now_ns: int, blocked: int) -> Outputs:
        if blocked == GATE_FROZEN:
            yield self.report.alert(now_ns, "own_window", "ticket", "our own window tripped first")
        yield from self.pull(now_ns, GATE_REASONS[blocked])

    def _send(self, done: Pass) -> Outputs:
        for start in range(0, len(done.decisions), QUOTES_PER_REQUEST_MAX):
            decisions = done.decisions[start : start + QUOTES_PER_REQUEST_MAX]
            request_id = self._new_id()
            self._requests.pay(1)
            self._in_flight.sent(request_id, decisions)
            self.report.sent(decisions)
            quotes = [(self.contracts.of_slot[one.slot], one) for one in decisions]
            params = mass_quote_params(self.underlying, request_id, quotes)
            yield VenueRequest(request_id, "private/mass_quote", params)

    def _on_quotes_answered(self, reply: VenueReply, now_ns: int) -> Outputs:
        slots = self._in_flight.answered(reply.request_id)
        if reply.error_code == MMP_TRIGGERED:
            yield from self.on_trip(now_ns)
        elif reply.error_code:
            self._hold_ns = max(self._hold_ns, now_ns + FAILURE_HOLD_NS)
            yield from self.pull(now_ns, f"mass_quote failed: {reply.error_code}")
        else:
            yield from self._on_sides_refused(reply, now_ns)
        if self.phase is Phase.QUOTING:
            yield self.report.changed(now_ns, slots)
            if self._has_more:
                yield from self.decide(now_ns)
        elif self.phase is Phase.CLEARING and not self._pending_id and not self._in_flight:
            # The cancel's answer overtook this one: what it left may rest after all.
            yield self._cancel(now_ns)

    def _on_sides_refused(self, reply: VenueReply, now_ns: int) -> Outputs:
        is_tripped = False
        for error in side_errors(reply.result):
            is_tripped = is_tripped or error.code == MMP_TRIGGERED
            slot = self.contracts.slots.get(error.instrument)
            self.report.rejected_count += 1
            if slot is not None and self._in_flight.is_newest(reply.request_id, slot, error.side):
                self.engine.set_live(slot, error.side, 0, 0, now_ns + REJECT_HOLD_NS)
        if is_tripped:
            yield from self.on_trip(now_ns)

    def _on_cancel_answered(self, reply: VenueReply, now_ns: int) -> Outputs:
        if reply.error_code:
            self._retry_ns = now_ns + RETRY_NS
        elif not self._in_flight:
            self.phase = Phase.CLEAR
            self.engine.clear_live()
            self._has_more = False
            if self._pull_reason:
                yield from self.report.pulled(now_ns, self._pull_reason)
            yield from self._advance(now_ns)

    def _advance(self, now_ns: int) -> Outputs:
        """From nothing resting towards quoting: protection first, then the first decision."""
        if self.is_draining or not self.is_started or self.limits is None or self.held:
            return
        if now_ns < max(self._hold_ns, self._trips.hold_ns, self._retry_ns):
            return
        if not self._is_configured:
            coins = [one.lot_coin for one in self.contracts.of_slot.values()]
            if not coins:
                return
            most = max(coins) * self.limits.quote_lots_max
            window = protection(self._policy, self.limits)
            params = mmp_config_params(self.underlying, window, most)
            yield self._prepare("private/set_mmp_config", params)
        elif self._needs_reset:
            yield self._prepare("private/reset_mmp", reset_mmp_params(self.underlying))
        elif self.engine.blocked(now_ns) == GATE_OK:
            self.phase = Phase.QUOTING
            yield from self.decide(now_ns)

    def _on_prepared(self, reply: VenueReply, now_ns: int) -> Outputs:
        self.phase = Phase.CLEAR
        if reply.error_code:
            self._retry_ns = now_ns + RETRY_NS
            return
        if self._is_configured:
            self._needs_reset = False
        self._is_configured = True
        yield from self._advance(now_ns)

    def _prepare(self, method: str, params: dict[str, object]) -> VenueRequest:
        self.phase = Phase.PREPARING
        self._pending_id = self._new_id()
        return VenueRequest(self._pending_id, method, params)

    def _cancel(self, now_ns: int) -> VenueRequest:
        self._pending_id = self._new_id()
        self._retry_ns = now_ns + RETRY_NS
        params = cancel_quotes_params(self.underlying)
        return VenueRequest(self._pending_id, "private/cancel_quotes", params)

    def _request_room(self, now_ns: int) -> int:
        room = self._in_flight_max - len(self._in_flight)
        return next((n for n in range(room, 0, -1) if self._requests.has(n, now_ns)), 0)

    def _set_policy(self) -> None:
        assert self.limits is not None
        self._version += 1
        self.engine.set_policy(
            policy_block(
                self._policy,
                self.limits,
                self._version,
                self._quotes_per_s,
                self._quotes_burst,
                is_skewed=self._is_skewed,
                is_wider=self._is_wider,
            )
        )
