"""The quoting engine of one underlying, from Python: blocks in, decisions out.

Structs cross whole and by name: a mapping of field names to numbers fills a block, so that a field
the header does not have is an error here and not a silent zero. Decisions come back as tuples.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from native.library import check, ffi, lib

ACTIVE = int(lib.HR_STATE_ACTIVE)
REDUCING = int(lib.HR_STATE_REDUCING)
GATE_OK = int(lib.HR_GATE_OK)
GATE_HALTED = int(lib.HR_GATE_HALTED)
GATE_FROZEN = int(lib.HR_GATE_FROZEN)
SLICES_MAX = int(lib.HR_ENGINE_SLICES_MAX)
SLOTS_MAX = int(lib.HR_ENGINE_INSTRUMENTS_MAX)
BID = int(lib.HR_SIDE_BID)
ASK = int(lib.HR_SIDE_ASK)
LATCH_ALL = int(lib.HR_LATCH_SLOT_ALL)
ALIGNMENT = 64
GATE_REASONS = tuple(
    ffi.string(lib.hr_gate_reason_name(reason)).decode() for reason in range(lib.HR_GATE_REASONS)
)

Fields = Mapping[str, float]


class Decision(NamedTuple):
    """A quote that should move; a side that is not moved stays as it rests, 0 lots cancel it."""

    slot: int
    bid_ticks: int
    bid_lots: int
    is_bid_moved: bool
    bid_reason: int
    ask_ticks: int
    ask_lots: int
    is_ask_moved: bool
    ask_reason: int
    theo_coin: float


class Pass(NamedTuple):
    """What one pass did; `blocked_reason` not 0: nothing may be quoted."""

    decisions: list[Decision]
    candidate_count: int
    quotable_count: int
    two_sided_count: int
    one_sided_count: int
    refused_count: int
    exposed_count: int
    blocked_reason: int


class Risk(NamedTuple):
    """Greeks of the book as the engine sees it."""

    delta_coin: float
    option_delta_coin: float
    vega_usd: float
    gamma_coin_per_usd: float
    realised_vol: float
    flow_delta_coin: float
    flow_vega_usd: float
    fill_count: int
    freeze_count: int
    frozen_until_ns: int


class LiveQuote(NamedTuple):
    """What the engine believes rests at the venue, the model value, and the position."""

    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    theo_coin: float
    call_delta: float
    delta_coin: float
    vega_usd: float
    position_lots: int


class Engine:
    """Owns the memory of one engine. Refusals are NativeError."""

    def __init__(self, slot_count: int) -> None:
        size = int(lib.hr_engine_size(slot_count))
        self._memory = ffi.new("char[]", size + ALIGNMENT)
        address = int(ffi.cast("uintptr_t", self._memory))
        aligned = self._memory + (-address % ALIGNMENT)
        engine_out = ffi.new("hr_engine **")
        check(lib.hr_engine_init(aligned, size, slot_count, engine_out))
        self._engine = engine_out[0]
        self._decisions = ffi.new("hr_engine_decision[]", slot_count)
        self._books = ffi.new("hr_engine_book[]", slot_count)
        self._pass = ffi.new("hr_engine_pass *")
        self._slot_count = slot_count

    def decide(self, now_ns: int, capacity: int) -> Pass:
        """Re-decides the whole underlying; what it returns counts as sent."""
        bounded = max(0, min(capacity, self._slot_count))
        check(lib.hr_engine_decide(self._engine, now_ns, bounded, self._decisions, self._pass))
        return self._passed()

    def decide_slot(self, slot: int, now_ns: int) -> Pass:
        """Re-decides one instrument, after a tick of its own book."""
        check(lib.hr_engine_decide_slot(self._engine, slot, now_ns, self._decisions, self._pass))
        return self._passed()

    def blocked(self, now_ns: int) -> int:
        """Returns the gate's reason why nothing may be quoted, or GATE_OK."""
        return int(lib.hr_engine_blocked(self._engine, now_ns))

    def set_instrument(self, slot: int, fields: Fields) -> None:
        block = _filled("hr_engine_instrument *", fields)
        check(lib.hr_engine_set_instrument(self._engine, slot, block))

    def set_surface(self, version: int, market_ns: int, slices: Sequence[Fields]) -> None:
        block = ffi.new("hr_engine_surface *")
        block.version = version
        block.market_ns = market_ns
        block.slice_count = len(slices)
        for index, fields in enumerate(slices[:SLICES_MAX]):
            _fill(block.slices[index], fields)
        check(lib.hr_engine_set_surface(self._engine, block))

    def set_policy(self, fields: Fields) -> None:
        check(lib.hr_engine_set_policy(self._engine, _filled("hr_engine_policy *", fields)))

    def set_limits(self, fields: Fields) -> None:
        check(lib.hr_engine_set_limits(self._engine, _filled("hr_gate_limits *", fields)))

    def set_lease(self, state: int, expires_ns: int) -> None:
        check(lib.hr_engine_set_lease(self._engine, state, expires_ns))

    def set_halted(self, is_halted: bool) -> None:
        check(lib.hr_engine_set_halted(self._engine, is_halted))

    def set_hedge(self, hedge_usd: float) -> None:
        """Signed amount of inverse futures held, USD."""
        check(lib.hr_engine_set_hedge(self._engine, hedge_usd))

    def rearm(self) -> None:
        """Opens the latches of executions: a person's word."""
        check(lib.hr_engine_rearm(self._engine))

    def latch(self, slot: int, side: int) -> None:
        """Closes a side's latch, or with slot LATCH_ALL that of executed beyond sent."""
        check(lib.hr_engine_latch(self._engine, slot, side))

    def is_latched(self, slot: int, side: int) -> bool:
        return bool(lib.hr_engine_is_latched(self._engine, slot, side))

    def set_live(self, slot: int, side: int, ticks: int, lots: int, hold_until_ns: int) -> None:
        check(lib.hr_engine_set_live(self._engine, slot, side, ticks, lots, hold_until_ns))

    def clear_live(self) -> None:
        check(lib.hr_engine_clear_live(self._engine))

    def on_index(self, index_usd: float, tick_ns: int) -> None:
        check(lib.hr_engine_on_index(self._engine, index_usd, tick_ns))

    def on_books(self, books: Sequence[tuple[int, int, int, int, int]]) -> None:
        """Takes (slot, bid_ticks, bid_lots, ask_ticks, ask_lots) of books that changed."""
        for index, book in enumerate(books):
            self._books[index] = book
        check(lib.hr_engine_on_books(self._engine, self._books, len(books)))

    def on_fill(
        self,
        slot: int,
        is_buy: bool,
        amount_lots: int,
        price_ticks: int,
        now_ns: int,
        *,
        is_replayed: bool,
    ) -> None:
        fill = ffi.new("hr_engine_fill *", (slot, amount_lots, price_ticks, is_buy, is_replayed))
        check(lib.hr_engine_on_fill(self._engine, fill, now_ns))

    def risk(self) -> Risk:
        out = ffi.new("hr_engine_risk *")
        check(lib.hr_engine_read_risk(self._engine, out))
        return Risk(*(getattr(out, name) for name in Risk._fields))

    def quote(self, slot: int) -> LiveQuote:
        live = ffi.new("hr_engine_book *")
        value = ffi.new("hr_engine_value *")
        position = ffi.new("int64_t *")
        check(lib.hr_engine_read_quote(self._engine, slot, live, value, position))
        return LiveQuote(
            live.bid_ticks,
            live.bid_lots,
            live.ask_ticks,
            live.ask_lots,
            value.theo_coin,
            value.call_delta,
            value.delta_coin,
            value.vega_usd,
            position[0],
        )

    def _passed(self) -> Pass:
        done = self._pass
        return Pass(
            [_decision(self._decisions[index]) for index in range(done.decision_count)],
            done.candidate_count,
            done.quotable_count,
            done.two_sided_count,
            done.one_sided_count,
            done.refused_count,
            done.exposed_count,
            done.blocked_reason,
        )


def gate_check(limits: Fields, state: Fields, order: Fields) -> int:
    """Returns the gate's verdict on one side of one quote; for tests against the oracle."""
    return int(
        lib.hr_gate_check(
            _filled("hr_gate_limits *", limits),
            _filled("hr_gate_state *", state),
            _filled("hr_gate_order *", order),
        )
    )


def bid_floor_ticks(price_coin: float, tick_coin: float, above: int, step: int) -> int:
    return int(lib.hr_bid_floor_ticks(price_coin, tick_coin, above, step))


def ask_ceil_ticks(price_coin: float, tick_coin: float, above: int, step: int) -> int:
    return int(lib.hr_ask_ceil_ticks(price_coin, tick_coin, above, step))


def field_names(struct: str) -> frozenset[str]:
    """Returns the fields of a struct, `hr_engine_policy`; reserved ones left out."""
    return frozenset(name for name, _ in ffi.typeof(struct).fields if name != "reserved")


def _decision(source: Any) -> Decision:
    ticks, lots, moved, reasons = source.ticks, source.lots, source.is_moved, source.reasons
    return Decision(
        source.slot,
        ticks[BID],
        lots[BID],
        moved[BID] != 0,
        reasons[BID],
        ticks[ASK],
        lots[ASK],
        moved[ASK] != 0,
        reasons[ASK],
        source.theo_coin,
    )


def _filled(kind: str, fields: Fields) -> Any:
    block = ffi.new(kind)
    _fill(block, fields)
    return block


def _fill(block: Any, fields: Fields) -> None:
    for name, value in fields.items():
        setattr(block, name, value)
