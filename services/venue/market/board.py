"""The listed contracts as columns: what the market computes on, whole columns at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.messages.market import Instrument
from shared.units import E8

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.int32]
Bools = NDArray[np.bool_]


class Board:
    """`options` and `futures` (the perpetuals too) are positions in the instruments' order; columns
    named `option_…` and `future_…` run over these."""

    def __init__(self, instruments: Sequence[Instrument], underlyings: Sequence[str]) -> None:
        self.underlyings = tuple(underlyings)
        self.count = len(instruments)
        number = {underlying: at for at, underlying in enumerate(self.underlyings)}
        is_option = [instrument.kind == "option" for instrument in instruments]
        self.options: Ints = np.flatnonzero(np.array(is_option)).astype(np.int64)
        self.futures: Ints = np.flatnonzero(~np.array(is_option)).astype(np.int64)
        self.underlying: Ints = np.array([number[i.underlying] for i in instruments])
        self.expiry_ns: Ints = np.array([i.expiry_ns for i in instruments], dtype=np.int64)
        self.lot: Floats = np.array([i.lot_e8 / E8 for i in instruments])
        self.tick: Floats = np.array([i.tick_e8 / E8 for i in instruments])

        options = [instrument for instrument in instruments if instrument.kind == "option"]
        self.option_count = len(options)
        self.option_underlying = self.underlying[self.options]
        self.option_expiry_ns = self.expiry_ns[self.options]
        self.option_strike: Floats = np.array([o.strike_usd for o in options], dtype=np.float64)
        self.option_is_call: Flags = np.array([o.is_call for o in options], dtype=np.int32)
        self.option_lot = self.lot[self.options]
        assert all(o.tick_steps == options[0].tick_steps for o in options), "one grid for options"
        self.slices = tuple(
            _run(self.option_underlying, at) for at in range(len(self.underlyings))
        )  # of the option columns, per underlying

        # Expiries: one row per underlying and date.
        keys = sorted({(number[o.underlying], o.expiry_ns) for o in options})
        row = {key: at for at, key in enumerate(keys)}
        self.expiry_keys = keys
        self.expiry_underlying: Ints = np.array([key[0] for key in keys], dtype=np.int64)
        self.expiry_date_ns: Ints = np.array([key[1] for key in keys], dtype=np.int64)
        self.option_expiry: Ints = np.array(
            [row[number[o.underlying], o.expiry_ns] for o in options]
        )

        self.future_underlying = self.underlying[self.futures]
        self.future_expiry_ns = self.expiry_ns[self.futures]
        self.future_tick = self.tick[self.futures]
        self.future_lot = self.lot[self.futures]
        self.futures_row: Ints = np.full(self.count, -1, dtype=np.int64)  # (instrument,)
        self.futures_row[self.futures] = np.arange(len(self.futures))
        self.future_is_perpetual: Bools = self.future_expiry_ns == 0


def _run(column: Ints, value: int) -> slice:
    """Returns where `value` stands in a sorted column."""
    return slice(
        int(np.searchsorted(column, value, "left")), int(np.searchsorted(column, value, "right"))
    )
