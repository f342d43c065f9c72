"""A maker's many quotes, moved only where they should (hr_requote.h)."""

import numpy as np
from numpy.typing import NDArray

from native.book import QUOTE, QUOTE_RESULT, Best, Int32s, Int64s, Records
from native.library import check, ffi, lib

Floats = NDArray[np.float64]


class Quoter:
    """What one maker has resting: two sides of each of its instruments.

    Prices move in steps of one tick up to `fine_ticks_max`, and of `coarse_step_ticks` above it. A
    quote stays while its exact price is past it by at most `lean_in` steps and short of it by less
    than `lean_out`.
    """

    def __init__(
        self,
        instruments: Int64s,
        *,
        fine_ticks_max: int,
        coarse_step_ticks: int,
        lean_in: float,
        lean_out: float,
    ) -> None:
        count = len(instruments)
        self._instruments: Int32s = instruments.astype(np.int32)
        self.bid_ticks: Int64s = np.zeros(count, dtype=np.int64)  # as last sent
        self.bid_lots: Int64s = np.zeros(count, dtype=np.int64)  # 0: out of the book
        self.ask_ticks: Int64s = np.zeros(count, dtype=np.int64)
        self.ask_lots: Int64s = np.zeros(count, dtype=np.int64)
        self._quotes = np.zeros(count, dtype=QUOTE)
        self._rows: Int64s = np.zeros(count, dtype=np.int64)
        self._grid = ffi.new("hr_requote_grid *")
        self._grid.fine_ticks_max = fine_ticks_max
        self._grid.coarse_step_ticks = coarse_step_ticks
        self._grid.lean_in = lean_in
        self._grid.lean_out = lean_out
        self._best = ffi.new("hr_requote_best *")
        self._moved = ffi.new("int64_t *")
        self._maker = ffi.new("hr_requote_maker *")
        self._maker.instruments = ffi.from_buffer("int32_t[]", self._instruments)
        self._maker.bid_ticks = ffi.from_buffer("int64_t[]", self.bid_ticks)
        self._maker.bid_lots = ffi.from_buffer("int64_t[]", self.bid_lots)
        self._maker.ask_ticks = ffi.from_buffer("int64_t[]", self.ask_ticks)
        self._maker.ask_lots = ffi.from_buffer("int64_t[]", self.ask_lots)
        self._quotes_out = ffi.from_buffer("hr_book_quote[]", self._quotes)
        self._rows_out = ffi.from_buffer("int64_t[]", self._rows)

    def resume(self, before: "Quoter", rows: Int64s) -> None:
        """Takes over what another has resting; `rows` says where each instrument stood there,
        -1: nowhere."""
        for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots"):
            getattr(self, name)[:] = np.where(rows >= 0, getattr(before, name)[rows], 0)

    def moves(self, bid: Floats, ask: Floats, lots: Int64s, best: Best) -> Records:
        """Returns the QUOTE rows to send, for exact prices in ticks and usual sizes.

        They are valid until the next call; `refused` must hear what became of them.
        """
        count = len(self._instruments)
        assert bid.shape == ask.shape == lots.shape == (count,)
        assert bid.dtype == ask.dtype == np.float64
        assert lots.dtype == np.int64
        maker, seen = self._maker, self._best
        maker.bid = ffi.from_buffer("double[]", bid)
        maker.ask = ffi.from_buffer("double[]", ask)
        maker.lots = ffi.from_buffer("int64_t[]", lots)
        seen.bid_ticks = ffi.from_buffer("int64_t[]", best.bid_ticks)
        seen.bid_lots = ffi.from_buffer("int64_t[]", best.bid_lots)
        seen.ask_ticks = ffi.from_buffer("int64_t[]", best.ask_ticks)
        seen.ask_lots = ffi.from_buffer("int64_t[]", best.ask_lots)
        seen.count = len(best.bid_ticks)
        check(
            lib.hr_requote(
                self._grid, maker, count, seen, self._quotes_out, self._rows_out, self._moved
            )
        )
        return self._quotes[: self._moved[0]]

    def refused(self, results: Records) -> None:
        """Takes note of the sides of the last moves that the book refused (QUOTE_RESULT rows)."""
        assert results.dtype == QUOTE_RESULT
        rows = self._rows[: len(results)]
        bad = results["bid_status"] != 0
        if bad.any():
            self.bid_lots[rows[bad]] = 0
        bad = results["ask_status"] != 0
        if bad.any():
            self.ask_lots[rows[bad]] = 0
