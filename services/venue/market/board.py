"""The listed contracts as columns: what the market computes on, whole columns at a time."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.messages.market import Instrument
from shared.units import E8

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.int32]
Bools = NDArray[np.bool_]


class Before(NamedTuple):
    """Where the rows of a board stood in the one before; -1: nowhere."""

    options: Ints
    expiries: Ints
    futures: Ints


class Board:
    """`options` and `futures` (the perpetuals too) are positions in the instruments' order; columns
    named `option_…` and `future_…` run over these. What expired by `gone_ns` is left out."""

    def __init__(
        self, instruments: Sequence[Instrument], underlyings: Sequence[str], gone_ns: int = 0
    ) -> None:
        self.underlyings = tuple(underlyings)
        self.count = len(instruments)
        number = {underlying: at for at, underlying in enumerate(self.underlyings)}
        options_at = [
            at for at, i in enumerate(instruments) if i.kind == "option" and i.expiry_ns > gone_ns
        ]
        # What was listed later stands at the end, and belongs between what was there.
        options_at.sort(
            key=lambda at: (number[instruments[at].underlying], instruments[at].expiry_ns)
        )
        self.options: Ints = np.array(options_at, dtype=np.int64)
        self.futures: Ints = np.array(
            [
                at
                for at, i in enumerate(instruments)
                if i.kind == "perpetual" or (i.kind == "future" and i.expiry_ns > gone_ns)
            ],
            dtype=np.int64,
        )
        self.underlying: Ints = np.array([number[i.underlying] for i in instruments])
        self.expiry_ns: Ints = np.array([i.expiry_ns for i in instruments], dtype=np.int64)
        self.lot: Floats = np.array([i.lot_e8 / E8 for i in instruments])
        self.tick: Floats = np.array([i.tick_e8 / E8 for i in instruments])

        options = [instruments[at] for at in options_at]
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

    def since(self, before: "Board") -> Before:
        """Returns where this board's rows stood in `before`."""
        keys = {key: row for row, key in enumerate(before.expiry_keys)}
        return Before(
            options=_rows(before.options, self.options),
            expiries=np.array([keys.get(key, -1) for key in self.expiry_keys], dtype=np.int64),
            futures=_rows(before.futures, self.futures),
        )


def carried(column: NDArray[Any], rows: Ints, fresh: Any) -> NDArray[Any]:
    """Returns a column as of the board before (its last axis) for the board of now; `fresh`, one
    for all or one each, where there was no row."""
    return np.where(rows >= 0, column[..., rows], fresh).astype(column.dtype, order="C")


def _rows(before: Ints, now: Ints) -> Ints:
    places = {position: row for row, position in enumerate(before.tolist())}
    return np.array([places.get(position, -1) for position in now.tolist()], dtype=np.int64)


def _run(column: Ints, value: int) -> slice:
    """Returns where `value` stands in a sorted column."""
    return slice(
        int(np.searchsorted(column, value, "left")), int(np.searchsorted(column, value, "right"))
    )
