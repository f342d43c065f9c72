"""What comes to stand listed while the venue runs: each 08:00 UTC the calendar moves on.

A new expiry's forward and smile lie between its neighbours': the logarithm of the forward's ratio
to the index, and total variance at each log-moneyness, linear in time (which keeps what the
neighbours have of freedom from calendar arbitrage). Beyond the last expiry its smile is stretched
by the root of time.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.venue.market.board import Board
from services.venue.market.chain import FIRST_INSTRUMENT_ID
from services.venue.market.expiries import Expiry, listed_expiries
from services.venue.market.listing import future, list_expiry, strikes_around
from services.venue.market.smiles import Smiles
from shared.clock import NS_PER_YEAR
from shared.messages.market import Instrument

Floats = NDArray[np.float64]


class Listing(msgspec.Struct, frozen=True):
    """Contracts that were listed together; lists are by instrument."""

    at_ns: int
    instruments: list[Instrument]
    ratios: list[float]  # forward over index, before the factors of the paths
    forwards_usd: list[float]
    vols: list[float]  # 0 for futures


class Outlook:
    """What a market makes of expiries, listed or not. `ratios` are by instrument."""

    def __init__(
        self,
        board: Board,
        smiles: Smiles,
        ratios: Floats,
        index_usd: Sequence[float],
        carry: Sequence[float],
        at_ns: int,
    ) -> None:
        self._board = board
        self._smiles = smiles
        self._ratios = ratios
        self._index_usd = index_usd
        self._carry = carry
        self._at_ns = at_ns
        self._rows = [
            [row for row, (of, date) in enumerate(board.expiry_keys) if of == at and date > at_ns]
            for at in range(len(board.underlyings))
        ]

    def has_expiries(self, underlying: int) -> bool:
        return bool(self._rows[underlying])

    def ratio(self, underlying: int, expiry_ns: int) -> float:
        """Returns the forward of a date over the index, before the carry of the paths."""
        board = self._board
        first = np.searchsorted(board.option_expiry, self._rows[underlying])
        dates = board.option_expiry_ns[first] - self._at_ns
        logs = np.log(self._ratios[board.options[first]])
        left_ns = expiry_ns - self._at_ns
        if left_ns <= dates[0]:
            return math.exp(float(logs[0]) * left_ns / float(dates[0]))
        if left_ns >= dates[-1]:
            return math.exp(float(logs[-1]) * left_ns / float(dates[-1]))
        return math.exp(float(np.interp(left_ns, dates, logs)))

    def forward_usd(self, underlying: int, expiry_ns: int) -> float:
        carry = self._carry[underlying] * self._years(expiry_ns)
        return self._index_usd[underlying] * self.ratio(underlying, expiry_ns) * math.exp(carry)

    def vols(self, underlying: int, expiry_ns: int, log_moneyness: Floats) -> Floats:
        """Returns the volatilities of a date's strikes."""
        rows, years = self._rows[underlying], self._years(expiry_ns)
        dates = [self._board.expiry_keys[row][1] for row in rows]
        after = next((at for at, date in enumerate(dates) if date >= expiry_ns), len(rows))
        if after in (0, len(rows)):
            row = rows[0] if after == 0 else rows[-1]
            stretch = math.sqrt(self._years(self._board.expiry_keys[row][1]) / years)
            return self._smiles.of(row, log_moneyness * stretch)
        variances = [
            self._smiles.of(rows[at], log_moneyness) ** 2 * self._years(dates[at])
            for at in (after - 1, after)
        ]
        share = (expiry_ns - dates[after - 1]) / (dates[after] - dates[after - 1])
        vols: Floats = np.sqrt((variances[0] + share * (variances[1] - variances[0])) / years)
        return vols

    def _years(self, expiry_ns: int) -> float:
        return (expiry_ns - self._at_ns) / NS_PER_YEAR


def next_listing(
    outlook: Outlook,
    board: Board,
    instruments: Sequence[Instrument],
    since_ns: int,
    at_ns: int,
    strikes_max: int,
) -> Listing | None:
    """Returns what the calendar lists at a time and did not just before `since_ns`, the first time
    to list that is due; None for nothing."""
    before = {expiry.expiry_ns for expiry in listed_expiries(since_ns - 1)}
    listing = Listing(at_ns, [], [], [], [])
    for number, underlying in enumerate(board.underlyings):
        known = {i.expiry_ns for i in instruments if i.underlying == underlying}
        for expiry in listed_expiries(at_ns):
            if expiry.expiry_ns not in before | known and outlook.has_expiries(number):
                first_id = FIRST_INSTRUMENT_ID + len(instruments) + len(listing.instruments)
                _add_expiry(listing, outlook, number, underlying, expiry, first_id, strikes_max)
    return listing if listing.instruments else None


def log_moneyness(instruments: Sequence[Instrument], forwards_usd: Floats) -> Floats:
    """Returns the log of strike over forward (instrument,); 0 for futures."""
    result = np.zeros(len(instruments))
    at = np.array([n for n, i in enumerate(instruments) if i.kind == "option"], dtype=np.int64)
    result[at] = np.log(np.array([instruments[n].strike_usd for n in at]) / forwards_usd[at])
    return result


def _add_expiry(
    listing: Listing,
    outlook: Outlook,
    number: int,
    underlying: str,
    expiry: Expiry,
    first_id: int,
    strikes_max: int,
) -> None:
    """Adds an expiry's options, and its future where the tenor has one."""
    forward = outlook.forward_usd(number, expiry.expiry_ns)
    ratio = outlook.ratio(number, expiry.expiry_ns)
    added: list[Instrument] = []
    if expiry.tenor in ("month", "quarter"):
        added.append(future(underlying, expiry.expiry_ns, first_id))
    middle = outlook.vols(number, expiry.expiry_ns, np.zeros(1))
    deviation = float(middle[0]) * math.sqrt((expiry.expiry_ns - listing.at_ns) / NS_PER_YEAR)
    strikes = strikes_around(underlying, forward, deviation, strikes_max)
    at_strikes = outlook.vols(number, expiry.expiry_ns, np.log(np.array(strikes) / forward))
    vols = dict(zip(strikes, at_strikes.tolist(), strict=True))
    added.extend(list_expiry(underlying, expiry, strikes, first_id + len(added)))
    listing.instruments.extend(added)
    listing.ratios.extend([ratio] * len(added))
    listing.forwards_usd.extend([forward] * len(added))
    listing.vols.extend(vols.get(one.strike_usd, 0.0) for one in added)
