"""Words of the core as commands and blocks of the C path; its counters as the core reads them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from native import path_records as records
from native.engine import ACTIVE, REDUCING
from native.fast_path import FastPath
from native.path_records import BUCKET_LEAST_NS, Stats, UnderlyingStats
from services.market_making import path_words as words

SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)
FIELDS = {
    "counted": ("count", 0),
    "number": ("underlying", 0),
    "other": ("number", 0),
    "bid_ticks": ("ticks", 0),
    "ask_ticks": ("ticks", 1),
    "bid_lots": ("lots", 0),
    "ask_lots": ("lots", 1),
    "is_bid_moved": ("is_moved", 0),
    "is_ask_moved": ("is_moved", 1),
}
UNREAD = (records.ANSWER, records.FEED, records.PASS)  # nothing in Python acts on them
_IS_READ = ~np.isin(np.arange(max(records.RECORD_NAMES) + 1), UNREAD)
QUOTES_FEW = 16  # are read all: to look for those that were replaced would cost more
RATE_MAX = 100  # messages in any second, of our own accord
RATE_RESERVED = 10  # of these for cancels
REQUESTS_RESERVED = 2.0


def put(path: FastPath, word: Any) -> None:
    """Puts one word; commands that find no room wait in the path's own backlog."""
    match word:
        case words.PutSurface(number, version, market_ns, slices):
            path.put_surface(number, version, market_ns, slices)
        case words.PutPolicy(number, block):
            path.put_policy(number, block)
        case words.PutLimits(number, block):
            path.put_limits(number, block)
        case words.PutLease(number, is_active, expires_ns):
            path.put_lease(number, ACTIVE if is_active else REDUCING, expires_ns)
        case _:
            put_command(path, word)


def put_command(path: FastPath, word: Any) -> None:
    match word:
        case words.Register(number, currency, index_name, group):
            path.set_underlying(number, currency, index_name, group)
        case words.ListOption(number, slot, instrument_id, name, block, is_tradable):
            path.set_instrument(number, slot, instrument_id, name, block, is_tradable=is_tradable)
        case words.ReleaseSlot(number, slot):
            path.release(number, slot)
        case words.TakeFill(number, slot, lots, ticks, trade_id, is_old):
            path.fill(number, slot, lots, ticks, trade_id, is_old=is_old)
        case words.SetHedge(number, hedge_usd):
            path.set_hedge(number, hedge_usd)
        case words.SetHalted(number, is_halted):
            path.set_halted(number, is_halted=is_halted)
        case words.Rearm(number):
            path.rearm(number)
        case words.CloseLatch(number, slot, side):
            path.latch(number, slot, side)
        case words.SetRates(per_s, burst, quotes_per_s, quotes_burst):
            budget = {
                "requests_per_s": per_s,
                "requests_burst": burst,
                "requests_reserved": min(REQUESTS_RESERVED, burst / 2),
                "quotes_per_s": quotes_per_s,
                "quotes_burst": quotes_burst,
            }
            path.set_rates(budget, RATE_MAX, RATE_RESERVED)
        case words.Start(number):
            path.start_quoting(number)
        case words.Stop(number):
            path.stop_quoting(number)
        case _:
            raise AssertionError(f"no word for the path: {word}")


def status_of(stats: Stats, now_ns: int) -> words.PathStatus:
    return words.PathStatus(
        now_ns,
        stats.records_lost,
        [counts_of(one) for one in stats.underlyings],
        tick_to_quote(stats.tick_to_quote),
    )


def counts_of(one: UnderlyingStats) -> words.PathCounts:
    return words.PathCounts(
        one.phase,
        one.blocked_reason,
        one.quotes_sent,
        one.quotes_refused,
        one.sides_rejected,
        one.last_pass.quotable_count,
        one.last_pass.two_sided_count,
        one.last_pass.one_sided_count,
    )


def tick_to_quote(counts: NDArray[np.int64]) -> words.TickToQuote:
    """Returns percentiles of a histogram of the path's."""
    samples = int(counts.sum())
    if samples == 0:
        return words.TickToQuote(0, 0, 0, 0, 0, 0)
    p50, p90, p99, p999, most = (records.percentile_ns(counts, one) for one in SHARES)
    places = np.searchsorted(BUCKET_LEAST_NS, words.BOUNDS_NS)
    reached = np.concatenate(([0], np.cumsum(counts)))[places]
    between = np.diff(reached, prepend=0, append=samples)
    total_ns = int((counts * BUCKET_LEAST_NS).sum())
    return words.TickToQuote(samples, p50, p90, p99, p999, most, total_ns, tuple(between.tolist()))


def read(
    now_ns: int, batch: NDArray[np.void], quoted: dict[tuple[int, int], words.Record]
) -> words.PathRecords:
    """Returns what the core reads of records, oldest first. The journal has the others too: what
    nothing acts on, and quotes that a later one replaced before anything else was told."""
    kinds = batch["kind"]
    is_read = _IS_READ[kinds]
    quotes = np.flatnonzero(kinds == records.QUOTE)
    if len(quotes) > QUOTES_FEW:
        is_read[_replaced(batch, quotes)] = False
    asked = quotes[batch["received_ns"][quotes] > 0]
    request = batch["request"][asked]
    is_first = np.ones(len(asked), dtype=np.bool_)
    is_first[1:] = request[1:] != request[:-1]  # those of one stand together
    taken = [words.Record._make(row) for row in _rows(batch, np.flatnonzero(is_read)).tolist()]
    return words.PathRecords(now_ns, taken, _rows(batch, asked[is_first]), quoted)


def _replaced(batch: NDArray[np.void], quotes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns the quotes of which the next of the same option, with only quotes and what is not
    read between, moves as many sides and more."""
    kinds = batch["kind"]
    runs = np.cumsum(_IS_READ[kinds] & (kinds != records.QUOTE))
    option = [one[quotes] for one in (runs, batch["underlying"], batch["slot"])]
    order = np.lexsort((quotes, *option))
    before, after = quotes[order[:-1]], quotes[order[1:]]
    moved = batch["is_moved"]
    is_replaced = ((moved[before] == 0) | (moved[after] != 0)).all(axis=1)
    for key in option:
        is_replaced &= key[order[:-1]] == key[order[1:]]
    return np.asarray(before[is_replaced], dtype=np.intp)


def _rows(batch: NDArray[np.void], places: NDArray[np.intp]) -> NDArray[np.void]:
    """Returns some of a batch with a Record's fields; records are copied whole, not by field."""
    return batch.view(_WHOLE)[places].view(_FLAT)


def _flat() -> np.dtype[np.void]:
    """Returns a record's bytes with a Record's fields, the two places of an array apart."""
    formats: list[np.dtype[Any]] = []
    offsets = []
    for name in words.Record._fields:
        found = FIELDS.get(name, (name, 0))
        kind, offset = records.RECORD_DTYPE.fields[found[0]][:2]  # type: ignore[index]  # it has
        formats.append(kind.base)
        offsets.append(offset + found[1] * kind.base.itemsize)
    return np.dtype(
        {
            "names": list(words.Record._fields),
            "formats": formats,
            "offsets": offsets,
            "itemsize": records.RECORD_DTYPE.itemsize,
        }
    )


_FLAT = _flat()
_WHOLE = np.dtype((np.void, records.RECORD_DTYPE.itemsize))
