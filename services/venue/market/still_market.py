"""A market that stands still: the opening chain's index and volatilities, and no crowd. For
scripted sessions, where nothing may happen but what the script does."""

import numpy as np
from numpy.typing import NDArray

from services.venue.market.board import Board
from services.venue.market.chain import Chain
from services.venue.market.new_expiries import Listing, Outlook, log_moneyness, next_listing
from services.venue.market.smiles import Smiles
from shared.messages.market import Instrument

Floats = NDArray[np.float64]


class StillMarket:
    owners: tuple[str, ...] = ()

    def __init__(self, chain: Chain) -> None:
        self.instruments: tuple[Instrument, ...] = chain.instruments
        self.listings: list[Listing] = []
        self._index_usd = dict(chain.index_usd)
        self._forwards = chain.forwards_usd.copy()
        self._vols = chain.vols
        self._residuals = chain.mark_residuals_coin
        self._underlyings = np.array([i.underlying for i in chain.instruments])

    def index_usd(self, currency: str) -> float:
        return self._index_usd[currency]

    def move_index(self, currency: str, usd: float) -> None:
        """Moves the index, and every forward by the same ratio."""
        mine = self._underlyings == currency
        self._forwards[mine] *= usd / self._index_usd[currency]
        self._index_usd[currency] = usd

    def forwards_usd(self) -> Floats:
        return self._forwards

    def vols(self) -> Floats:
        return self._vols

    def mark_residuals_coin(self) -> Floats:
        return self._residuals

    def premiums(self) -> list[float]:
        return []

    def next_listing(self, since_ns: int, at_ns: int, strikes_max: int) -> Listing | None:
        names = tuple(self._index_usd)
        board = Board(self.instruments, names)
        at = board.options
        smiles = Smiles(board, log_moneyness(self.instruments, self._forwards)[at], self._vols[at])
        usd = [self._index_usd[name] for name in names]
        ratios = self._forwards / np.array([self._index_usd[u] for u in self._underlyings])
        outlook = Outlook(board, smiles, ratios, usd, [0.0] * len(usd), at_ns)
        return next_listing(outlook, board, self.instruments, since_ns, at_ns, strikes_max)

    def take_listing(self, listing: Listing) -> None:
        self.listings.append(listing)
        self.instruments = (*self.instruments, *listing.instruments)
        self._forwards = np.append(self._forwards, listing.forwards_usd)
        self._vols = np.append(self._vols, listing.vols)
        self._residuals = np.append(self._residuals, np.zeros(len(listing.instruments)))
        self._underlyings = np.array([i.underlying for i in self.instruments])

    def step(self, now_ns: int) -> None:
        """Nobody trades."""

    def on_trade(
        self, instrument: int, taker_side: int, lots: int, maker: int, maker_left_lots: int
    ) -> None:
        """Nobody minds."""
