"""What a path leaves behind: records as a numpy array, counters as tuples, names for codes."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from native.library import ffi as _ffi
from native.library import lib

NUMBERS = {
    "int64_t": "i8",
    "int32_t": "i4",
    "double": "f8",
    "int64_t[2]": ("i8", 2),
    "int32_t[2]": ("i4", 2),
}
GATE_REASONS = int(lib.HR_GATE_REASONS)

QUOTE = int(lib.HR_RECORD_QUOTE)
PULL = int(lib.HR_RECORD_PULL)
CLEAR = int(lib.HR_RECORD_CLEAR)
ANSWER = int(lib.HR_RECORD_ANSWER)
SIDE = int(lib.HR_RECORD_SIDE)
FILL = int(lib.HR_RECORD_FILL)
TRIP = int(lib.HR_RECORD_TRIP)
PHASE = int(lib.HR_RECORD_PHASE)
FEED = int(lib.HR_RECORD_FEED)
SESSION = int(lib.HR_RECORD_SESSION)
COMMAND = int(lib.HR_RECORD_COMMAND)
PASS = int(lib.HR_RECORD_PASS)
LATCH = int(lib.HR_RECORD_LATCH)

RECORD_NAMES = {
    QUOTE: "quote",
    PULL: "pull",
    CLEAR: "clear",
    ANSWER: "answer",
    SIDE: "side",
    FILL: "fill",
    TRIP: "trip",
    PHASE: "phase",
    FEED: "feed",
    SESSION: "session",
    COMMAND: "command",
    PASS: "pass",
    LATCH: "latch",
}

PHASE_DOWN = int(lib.HR_PHASE_DOWN)
PHASE_CLEARING = int(lib.HR_PHASE_CLEARING)
PHASE_CLEAR = int(lib.HR_PHASE_CLEAR)
PHASE_QUOTING = int(lib.HR_PHASE_QUOTING)

SESSION_CONNECTED = int(lib.HR_SESSION_CONNECTED)
SESSION_LOST = int(lib.HR_SESSION_LOST)
SESSION_GAP = int(lib.HR_SESSION_GAP)
SESSION_GAP_FILLED = int(lib.HR_SESSION_GAP_FILLED)
SESSION_GARBLED = int(lib.HR_SESSION_GARBLED)
SESSION_SEQUENCE_LOW = int(lib.HR_SESSION_SEQUENCE_LOW)
SESSION_REJECT = int(lib.HR_SESSION_REJECT)

PULL_ASKED = int(lib.HR_PULL_ASKED)
PULL_RECORDS = int(lib.HR_PULL_RECORDS)
PULL_NAMES = {
    PULL_ASKED: "asked",
    int(lib.HR_PULL_FEED): "market data silent",
    PULL_RECORDS: "records not drained",
    int(lib.HR_PULL_UNANSWERED): "request unanswered",
    int(lib.HR_PULL_SESSION): "FIX sequence broken",
    int(lib.HR_PULL_EXPOSED): "the market outran the quotes",
    int(lib.HR_PULL_TRIPPED): "mmp_trigger",
    int(lib.HR_PULL_FAILED): "mass quote refused",
    int(lib.HR_PULL_SEND): "socket did not take the bytes",
}

BUCKET_LEAST_NS: NDArray[np.int64] = np.array(  # (bucket) least time of each
    [lib.hr_histogram_least_ns(bucket) for bucket in range(int(lib.HR_HISTOGRAM_BUCKETS))],
    dtype=np.int64,
)


class PathPass(NamedTuple):
    decision_count: int
    candidate_count: int
    quotable_count: int
    two_sided_count: int
    one_sided_count: int
    refused_count: int
    exposed_count: int
    blocked_reason: int


class PathRisk(NamedTuple):
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


class UnderlyingStats(NamedTuple):
    phase: int
    blocked_reason: int
    pull_reason: int
    is_started: int
    quotes_sent: int
    quotes_refused: int
    sides_rejected: int
    pulls: int
    trips: int
    fills: int
    requests: int
    in_flight: int
    quoted_ns: int
    index_ns: int
    index_usd: float
    last_pass: PathPass
    risk: PathRisk


class Stats(NamedTuple):
    """Counters since the start; `tick_to_quote` counts times from datagram received to quote sent
    by bucket of BUCKET_LEAST_NS."""

    now_ns: int
    datagrams: int
    feed_messages: int
    feed_gaps: int
    feed_refused: int
    feed_unknown: int
    stale_instruments: int
    stream_bytes_in: int
    stream_bytes_out: int
    records: int
    records_lost: int
    messages_lost: int
    commands: int
    commands_refused: int
    blocks: int
    index_passes: int
    book_decisions: int
    trades_doubled: int
    next_out: int
    next_in: int
    event_ns: int
    underlyings: tuple[UnderlyingStats, ...]
    tick_to_quote: NDArray[np.int64]


def pull_name(code: int) -> str:
    """Returns why quotes were pulled, in words."""
    if 0 <= code < GATE_REASONS:
        return str(_ffi.string(lib.hr_gate_reason_name(code)).decode())
    return PULL_NAMES.get(code, "unknown")


def percentile_ns(counts: NDArray[np.int64], ratio: float) -> int:
    """Returns the time that so large a share of the counted ones does not exceed; 0 of none."""
    total = int(counts.sum())
    if total == 0:
        return 0
    bucket = int(np.searchsorted(np.cumsum(counts), ratio * total))
    return int(BUCKET_LEAST_NS[min(bucket + 1, len(BUCKET_LEAST_NS) - 1)])


def _record_dtype() -> np.dtype[np.void]:
    """Returns hr_record as numpy sees it, from the compiled struct itself."""
    names, formats, offsets = [], [], []
    for name, field in _ffi.typeof("hr_record").fields:
        kind = field.type.cname
        names.append(name)
        formats.append(NUMBERS.get(kind) or f"S{field.type.length}")
        offsets.append(field.offset)
    size = _ffi.sizeof("hr_record")
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


RECORD_DTYPE = _record_dtype()


def stats_of(ffi: Any, source: Any, underlying_count: int) -> Stats:
    """Copies the counters out of the struct."""
    shown = [source.underlyings[index] for index in range(underlying_count)]
    numbers = {name: getattr(source, name) for name in Stats._fields[:-2]}
    counts = np.frombuffer(ffi.buffer(source.tick_to_quote), dtype=np.int64).copy()
    underlyings = tuple(_underlying(one) for one in shown)
    return Stats(**numbers, underlyings=underlyings, tick_to_quote=counts)


def _underlying(source: Any) -> UnderlyingStats:
    done = PathPass(*(getattr(getattr(source, "pass"), name) for name in PathPass._fields))
    risk = PathRisk(*(getattr(source.risk, name) for name in PathRisk._fields))
    numbers = (getattr(source, name) for name in UnderlyingStats._fields[:-2])
    return UnderlyingStats._make([*numbers, done, risk])
