"""Volatility by log-moneyness, one smile for each expiry of the board."""

import numpy as np
from numpy.typing import NDArray

from services.venue.market.board import Board

Floats = NDArray[np.float64]

APART = 1e3  # between the smiles of two expiries on one line


class Smiles:
    """Cubic through each expiry's strikes, flat beyond them. `log_moneyness` and `vols` (option,)
    are the nodes."""

    def __init__(self, board: Board, log_moneyness: Floats, vols: Floats) -> None:
        self._shift = board.option_expiry * APART
        nodes: list[Floats] = []
        values: list[Floats] = []
        slopes: list[Floats] = []
        self._low = np.empty(board.option_count)
        self._high = np.empty(board.option_count)
        for expiry in range(len(board.expiry_keys)):
            of = board.option_expiry == expiry
            x, first = np.unique(log_moneyness[of], return_index=True)
            y = vols[of][first]
            nodes.append(x + expiry * APART)
            values.append(y)
            slopes.append(np.gradient(y, x) if len(x) > 1 else np.zeros(1))
            self._low[of] = x[0]
            self._high[of] = x[-1]
        self._ends = [(float(x[0]), float(x[-1])) for x in nodes]
        self._nodes = np.concatenate(nodes)
        self._values = np.concatenate(values)
        self._slopes = np.concatenate(slopes)

    def at(self, log_moneyness: Floats) -> Floats:
        """Returns the vols of the board's options (option,)."""
        return self._on_line(np.clip(log_moneyness, self._low, self._high) + self._shift)

    def of(self, expiry: int, log_moneyness: Floats) -> Floats:
        """Returns the vols of one expiry, a row of the board, at any strikes."""
        return self._on_line(np.clip(log_moneyness + expiry * APART, *self._ends[expiry]))

    def _on_line(self, x: Floats) -> Floats:
        left = np.searchsorted(self._nodes, x + 1e-12, "right") - 1
        right = np.minimum(left + 1, len(self._nodes) - 1)
        width = self._nodes[right] - self._nodes[left]
        inside = (width > 0.0) & (width < APART / 2)
        width = np.where(inside, width, 1.0)
        t = np.where(inside, (x - self._nodes[left]) / width, 0.0)
        rest = 1.0 - t
        vols: Floats = (
            self._values[left] * (1.0 + 2.0 * t) * rest**2
            + self._values[right] * t**2 * (3.0 - 2.0 * t)
            + width * t * rest * (self._slopes[left] * rest - self._slopes[right] * t)
        )
        return vols
