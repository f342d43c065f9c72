"""P&L explain: every change of (cash + value) falls into one term, in coin and in dollars.

Between two looks at the market the book is moved along the straight line between them in steps
small enough for a second-order Taylor expansion with vanna and volga; what a step's expansion does
not reach is the residual. A fill first moves the old book to now, then enters at the model:
`edge` = model less price for quotes, `hedging` = mark less price for all other fills, less fees.
Dollars: the P&L in coin times the index. Each coin increment counts at the index of its step's
end, and what was earned before moves with the index, which is `delta`.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from services.risk.greeks import Book, Floats, Inputs, Values
from shared.messages.risk import PnlTerms, PnlV1

TERMS = ("edge", "delta", "gamma", "vega", "theta", "cross", "hedging", "fees")
STEP_MAX = 0.05  # a step's move of the forward, in standard deviations to expiry
VOL_STEP_MAX = 0.02  # and of the volatility, relative
STEPS_MAX = 64


@dataclass
class Explain:
    """Running sums of the terms of one underlying."""

    coin: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*TERMS, "residual"), 0.0))
    usd: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*TERMS, "residual"), 0.0))
    gross_usd: float = 0.0
    residual_gross_usd: float = 0.0
    index_usd: float = 0.0

    def book(self, increments: dict[str, float]) -> None:
        """Adds coin increments at the present index."""
        assert self.index_usd > 0.0, "P&L before the first index"
        for name, coin in increments.items():
            usd = coin * self.index_usd
            self.coin[name] += coin
            self.usd[name] += usd
            if name == "residual":
                self.residual_gross_usd += abs(usd)
            else:
                self.gross_usd += abs(usd)

    def move_index(self, index_usd: float) -> None:
        """What was earned so far, in coin, is worth more or less in dollars."""
        if self.index_usd > 0.0:
            usd = sum(self.coin.values()) * (index_usd - self.index_usd)
            self.usd["delta"] += usd
            self.gross_usd += abs(usd)
        self.index_usd = index_usd

    def terms(self, unit: dict[str, float]) -> PnlTerms:
        return PnlTerms(**unit, total=math.fsum(unit.values()))

    def restore(self, published: PnlV1) -> None:
        """Goes on from the terms published before a restart."""
        for name in (*TERMS, "residual"):
            self.coin[name] = getattr(published.coin, name)
            self.usd[name] = getattr(published.usd, name)
        self.gross_usd = published.gross_usd
        self.residual_gross_usd = published.residual_gross_usd

    def resume(self, total_coin: float, fees_coin: float, index_usd: float) -> None:
        """Meets the book at its first valuation.

        What happened while nobody looked, fees apart, is residual.
        """
        self.index_usd = index_usd
        fees = fees_coin - self.coin["fees"]
        self.coin["fees"] += fees
        self.usd["fees"] += fees * index_usd
        self.coin["residual"] += total_coin - math.fsum(self.coin.values())
        residual_usd = total_coin * index_usd - math.fsum(self.usd.values())
        self.usd["residual"] += residual_usd
        self.residual_gross_usd += abs(residual_usd)


def explain_move(
    explain: Explain, book: Book, amounts: Floats, old: Values, new_inputs: Inputs
) -> Values:
    """Moves a book from `old` to new inputs, books the terms, and returns the new values."""
    start, count = old.inputs, _step_count(old.inputs, new_inputs, amounts)
    values = old
    for step in range(1, count + 1):
        inputs = new_inputs if step == count else _between(start, new_inputs, step / count)
        values_new = book.values(inputs)
        explain.move_index(inputs.index_usd)
        explain.book(_taylor(amounts, values, values_new))
        values = values_new
    return values


def _taylor(amounts: Floats, old: Values, new: Values) -> dict[str, float]:
    """Returns the coin increments of one small step; they sum to the change of value exactly."""
    d_forward = new.inputs.forwards - old.inputs.forwards
    d_vol = new.inputs.vols - old.inputs.vols
    d_years = old.inputs.years - new.inputs.years  # calendar time that passed
    terms = {
        "delta": float(amounts @ (old.d_forward * d_forward)),
        "gamma": float(amounts @ (old.d2_forward * d_forward * d_forward)) / 2.0,
        "vega": float(amounts @ (old.d_vol * d_vol)),
        "theta": float(amounts @ (old.d_years * d_years)),
        "cross": float(
            amounts @ (old.d2_vol * d_vol * d_vol / 2.0 + old.d_forward_vol * d_forward * d_vol)
        ),
    }
    change = float(amounts @ (new.coin - old.coin))
    terms["residual"] = change - math.fsum(terms.values())
    return terms


def _step_count(old: Inputs, new: Inputs, amounts: Floats) -> int:
    """Returns how many steps keep each option that is held within a small move."""
    held = (amounts != 0.0) & (old.vols > 0.0)
    if not held.any():
        return 1
    deviation = old.vols[held] * np.sqrt(np.minimum(old.years[held], new.years[held]))
    move = np.abs(np.log(new.forwards[held] / old.forwards[held])) / deviation
    vol_move = np.abs(new.vols[held] / old.vols[held] - 1.0)
    time_move = 1.0 - new.years[held] / old.years[held]
    steps = max(
        float(move.max()) / STEP_MAX,
        float(vol_move.max()) / VOL_STEP_MAX,
        float(time_move.max()) / VOL_STEP_MAX,
    )
    return min(STEPS_MAX, max(1, math.ceil(steps)))


def _between(old: Inputs, new: Inputs, share: float) -> Inputs:
    def mix(a: Floats, b: Floats) -> Floats:
        return a + (b - a) * share

    index = old.index_usd + (new.index_usd - old.index_usd) * share
    return Inputs(
        index, mix(old.forwards, new.forwards), mix(old.vols, new.vols), mix(old.years, new.years)
    )
