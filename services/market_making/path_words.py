"""What the core and the fast path say to each other. Not for the bus.

The core yields commands and blocks; the service's edge (fast_edge.py) puts them into the rings of
the C path, and delivers what it took out of them: records, counters, and whether FIX is up.
`number` is the place of an underlying in the desk's configuration, from 0.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from native.path_records import FILL, PULL, QUOTE
from shared.causes import Cause, fill_cause
from shared.journeys import Journey

Block = Mapping[str, float]
STAGES = ("decoded", "valued", "decided", "sent")  # gated is decided: one moment
BOUNDS_NS = tuple(
    step * 10**power for power in range(3, 9) for step in (1, 2, 5)
)  # of the histogram that is exported: 1 us to 0.5 s


class Word(msgspec.Struct, frozen=True):
    """A command or a block, for one underlying."""

    number: int


class Register(Word, frozen=True):
    """The first word: what the venue calls it."""

    currency: str
    index_name: str
    group: str


class ListOption(Word, frozen=True):
    slot: int
    instrument_id: int
    name: str
    block: Block
    is_tradable: bool


class ReleaseSlot(Word, frozen=True):
    slot: int


class TakeFill(Word, frozen=True):
    """A fill that did not come, or may also come, over FIX: the path counts each id once."""

    slot: int
    lots: int  # signed
    price_ticks: int
    trade_id: str  # empty: a position, not a trade
    is_old: bool


class SetHedge(Word, frozen=True):
    hedge_usd: float


class SetHalted(Word, frozen=True):
    is_halted: bool


class Rearm(Word, frozen=True):
    pass


class CloseLatch(Word, frozen=True):
    """One that closed in a former life."""

    slot: int  # or LATCH_ALL
    side: int


class SetRates(msgspec.Struct, frozen=True):
    """The process's part of the account's, for all its underlyings together."""

    requests_per_s: float
    requests_burst: float
    quotes_per_s: float
    quotes_burst: float


class Start(Word, frozen=True):
    """The venue's protection is set: quote."""


class Stop(Word, frozen=True):
    """Pull, and stay clear until the next start."""


class PutSurface(Word, frozen=True):
    version: int
    market_ns: int
    slices: list[dict[str, float]]


class PutPolicy(Word, frozen=True):
    block: Block


class PutLimits(Word, frozen=True):
    block: Block


class PutLease(Word, frozen=True):
    is_active: bool
    expires_ns: int


WORDS: frozenset[type] = frozenset(
    {
        Register, ListOption, ReleaseSlot, TakeFill, SetHedge, SetHalted, Rearm, CloseLatch,
        SetRates, Start, Stop, PutSurface, PutPolicy, PutLimits, PutLease,
    }
)  # fmt: skip


class FixUp(msgspec.Struct, frozen=True):
    """Logged on over FIX, with cancel-on-disconnect: the path clears, then may quote."""

    created_ns: int


class FixDown(msgspec.Struct, frozen=True):
    """The FIX connection is gone, and every quote of it."""

    created_ns: int
    reason: str


class Record(NamedTuple):
    """What of a record the core reads; native/include/hr_path.h says what each kind fills."""

    kind: int
    number: int
    slot: int
    code: int
    counted: int
    other: int  # `number` in C
    bid_ticks: int
    ask_ticks: int
    bid_lots: int
    ask_lots: int
    is_bid_moved: int
    is_ask_moved: int
    theo_coin: float
    request: int
    received_ns: int
    decoded_ns: int
    valued_ns: int
    decided_ns: int
    gated_ns: int
    sent_ns: int
    surface_version: int
    text: bytes


class PathRecords(msgspec.Struct, frozen=True):
    """What the path did since the last time, oldest first. `requests` are the first quotes of the
    requests that ticks caused, a Record's fields each. `quoted` holds the newest quote of each slot
    over all batches, so that a fill can tell of the quote that it took."""

    created_ns: int
    records: list[Record]
    requests: NDArray[np.void]
    quoted: dict[tuple[int, int], Record]

    def journeys(self, draw: Callable[[], bool]) -> Iterator[Journey]:
        """Returns the way of requests that a tick caused, as drawn, of each fill, and each pull."""
        for place in range(len(self.requests)):
            if draw():
                yield _of_request(Record._make(self.requests[place].item()))
        for record in self.records:
            if record.kind == QUOTE:
                self.quoted[record.number, record.slot] = record
            elif record.kind == FILL:
                yield from self._of_fill(record)
            elif record.kind == PULL:
                yield self._of_moment("quotes_pulled", record, None)

    def _of_fill(self, record: Record) -> Iterator[Journey]:
        """Returns the fill and, in the same trace, the way of the quote that it took."""
        cause = fill_cause(record.text.decode()) if record.text else None
        yield self._of_moment("quote_filled", record, cause)
        quoted = self.quoted.get((record.number, record.slot))
        if cause is not None and quoted is not None and quoted.sent_ns:
            yield _of_request(quoted)._replace(is_rare=True, cause=cause)

    def _of_moment(self, name: str, record: Record, cause: Cause | None) -> Journey:
        at_ns = record.received_ns or self.created_ns
        attributes: dict[str, int | str] = {"underlying": record.number, "code": record.code}
        return Journey(name, at_ns, (), attributes, is_rare=True, cause=cause)


def _of_request(record: Record) -> Journey:
    """Returns the stages that one request passed, by its first quote. What no tick caused begins
    with its first stamp."""
    stamps = [(name, stamp) for name in STAGES if (stamp := getattr(record, f"{name}_ns"))]
    began_ns = at_ns = record.received_ns or stamps[0][1]
    stages: list[tuple[str, int]] = []
    for name, stamp in stamps:
        at_ns = max(at_ns, stamp)
        stages.append((name, at_ns))
    attributes: dict[str, int | str] = {
        "underlying": record.number,
        "request": record.request,
        "surface_version": record.surface_version,
    }
    name = "tick_to_quote" if record.received_ns else "pass_to_quote"
    return Journey(name, began_ns, tuple(stages), attributes)


class PathCounts(msgspec.Struct, frozen=True):
    """Where one underlying stands, by the path's own counting."""

    phase: int
    blocked_reason: int
    sent_count: int
    refused_count: int
    rejected_count: int
    quotable_count: int
    two_sided_count: int
    one_sided_count: int


class TickToQuote(msgspec.Struct, frozen=True):
    """Time from a datagram's arrival to its quotes' sending, since the start."""

    samples: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    sum_ns: int = 0
    counts: tuple[int, ...] = ()  # between the bounds BOUNDS_NS, and beyond the last


class PathStatus(msgspec.Struct, frozen=True):
    """Counters, a few times a second."""

    created_ns: int
    lost_count: int  # records that found no room
    counts: list[PathCounts]
    tick_to_quote: TickToQuote
