"""The crowd's makers of perpetuals and dated futures: tight, deep, and a little late."""

import math
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from native.book import BUY, Best
from native.requote import Quoter
from services.venue.market.board import Before, Board, carried
from services.venue.market.fair import FairSurface
from services.venue.market.index import Paths
from services.venue.market.market_access import MarketAccess
from shared.clock import NS_PER_MS, NS_PER_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Above = Annotated[float, Meta(gt=0.0, le=1e9)]

LAST_MINUTES_NS = 120 * NS_PER_S
RENEW_NS = 2 * NS_PER_S


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One maker: a quote on each side of every future."""

    turn_ms: Annotated[int, Meta(ge=50, le=10_000)]
    lag_ms: Annotated[int, Meta(ge=0, le=20_000)]
    half_spread_bps: Above  # of the perpetual
    size_usd: Above  # of the perpetual, on average


class FutureMakersConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    layers: Annotated[tuple[Layer, ...], Meta(min_length=1, max_length=16)] = (
        Layer(turn_ms=400, lag_ms=0, half_spread_bps=0.04, size_usd=60_000.0),
        Layer(turn_ms=400, lag_ms=100, half_spread_bps=0.15, size_usd=150_000.0),
        Layer(turn_ms=800, lag_ms=100, half_spread_bps=0.5, size_usd=300_000.0),
        Layer(turn_ms=800, lag_ms=200, half_spread_bps=1.2, size_usd=600_000.0),
        Layer(turn_ms=1600, lag_ms=300, half_spread_bps=2.5, size_usd=1_200_000.0),
        Layer(turn_ms=3200, lag_ms=500, half_spread_bps=6.0, size_usd=3_000_000.0),
    )
    # Dated futures are wider by this much, and thinner.
    dated_extra_bps: Above = 0.6
    dated_bps_per_root_year: Above = 2.5
    dated_turns: Annotated[int, Meta(ge=1, le=100)] = 3  # they move at every third turn only
    dated_size_share: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.25
    size_spread: Annotated[float, Meta(ge=0.0, le=3.0)] = 0.6
    # Flow pushes the price that makers quote around; the push fades.
    push_bps_per_million_usd: Annotated[float, Meta(ge=0.0, le=100.0)] = 0.8
    push_decay_s: Above = 15.0


class FutureMakers:
    """Their crowd owners are `first_owner` and on, in the order of the layers."""

    def __init__(
        self,
        config: FutureMakersConfig,
        random: np.random.Generator,
        board: Board,
        fair: FairSurface,
        paths: Paths,
        first_owner: int,
        opened_ns: int,
    ) -> None:
        self._config = config
        self._random = random
        self._board = board
        self._fair = fair
        self._paths = paths
        self._first_owner = first_owner
        self.count = len(config.layers)
        shape = (self.count, len(board.futures))
        self._quoters = [_quoter(board) for _ in config.layers]
        self._next_turn_ns = [opened_ns] * self.count
        self._turns = [0] * self.count
        self._push = np.zeros(len(board.underlyings))  # relative
        self._pushed_ns = opened_ns
        self._is_dated = ~board.future_is_perpetual
        self._layer_half = np.array([1e-4 * layer.half_spread_bps for layer in config.layers])
        self._extra_half = np.zeros(shape[1])
        self._lots: Ints = np.zeros(shape, dtype=np.int64)  # each maker's usual size
        self._renewed_ns = 0

    def relist(self, board: Board, before: Before) -> None:
        """Goes on with the board of now; sizes are renewed at the next turn."""
        rows = before.futures
        self._board = board
        self._is_dated = ~board.future_is_perpetual
        self._extra_half = carried(self._extra_half, rows, 0.0)
        self._lots = carried(self._lots, rows, 0)
        self._renewed_ns = 0
        quoters, self._quoters = self._quoters, [_quoter(board) for _ in self._quoters]
        for old, new in zip(quoters, self._quoters, strict=True):
            new.resume(old, rows)

    def step(self, now_ns: int, access: MarketAccess, best: Best) -> None:
        """Lets every maker whose turn it is move its quotes; `best` was read a moment ago."""
        elapsed_s = (now_ns - self._pushed_ns) / NS_PER_S
        self._pushed_ns = now_ns
        self._push *= math.exp(-elapsed_s / self._config.push_decay_s)
        due = [layer for layer, next_ns in enumerate(self._next_turn_ns) if now_ns >= next_ns]
        if not due:
            return
        for layer in due:
            self._next_turn_ns[layer] = now_ns + self._config.layers[layer].turn_ms * NS_PER_MS
        if now_ns >= self._renewed_ns:
            self._renew(now_ns)
        bids, asks = self._prices(due)
        for at, layer in enumerate(due):
            self._quote(layer, bids[at], asks[at], access, best)

    def on_trade(self, instrument: int, taker_side: int, lots: int) -> None:
        """Notes a trade of anyone's: it pushes the price of its underlying's futures."""
        row = int(self._board.futures_row[instrument])
        if row >= 0:
            usd = lots * float(self._board.future_lot[row])
            sign = 1.0 if taker_side == BUY else -1.0
            bps = sign * usd / 1e6 * self._config.push_bps_per_million_usd
            self._push[self._board.future_underlying[row]] += bps * 1e-4

    def on_fill(self, layer: int, instrument: int, taker_side: int, left_lots: int) -> None:
        """Notes what a fill left of a maker's quote."""
        row = int(self._board.futures_row[instrument])
        if row >= 0:
            quoter = self._quoters[layer]
            (quoter.ask_lots if taker_side == BUY else quoter.bid_lots)[row] = left_lots

    def _prices(self, due: list[int]) -> tuple[Floats, Floats]:
        """Returns exact bids and asks in ticks (layer due, future)."""
        board, paths = self._board, self._paths
        underlyings = range(len(board.underlyings))
        now = [paths.index_usd(at) for at in underlyings]
        known = np.array(
            [
                [paths.index_usd(at, -self._config.layers[layer].lag_ms) / now[at]
                 for at in underlyings]
                for layer in due
            ]
        )  # fmt: skip
        known *= 1.0 + self._push
        theo = (self._fair.forwards_usd()[board.futures] / board.future_tick) * known[
            :, board.future_underlying
        ]
        stress = min(max(paths.activity(), 0.8), 4.0)
        half = theo * (self._layer_half[due, None] * stress + self._extra_half)
        return theo - half, theo + half

    def _quote(
        self, layer: int, bid: Floats, ask: Floats, access: MarketAccess, best: Best
    ) -> None:
        quoter = self._quoters[layer]
        self._turns[layer] += 1
        if self._turns[layer] % self._config.dated_turns != 1 % self._config.dated_turns:
            bid = np.where(self._is_dated, quoter.bid_ticks, bid)
            ask = np.where(self._is_dated, quoter.ask_ticks, ask)
        quotes = quoter.moves(bid, ask, self._lots[layer], best)
        if len(quotes):
            quoter.refused(access.quote_batch(self._first_owner + layer, quotes))

    def _renew(self, now_ns: int) -> None:
        """Renews widths of dated futures and sizes, and leaves those about to expire."""
        config, board = self._config, self._board
        self._renewed_ns = now_ns + RENEW_NS
        to_expiry_s = (board.future_expiry_ns - now_ns) / NS_PER_S
        years = np.maximum(to_expiry_s, 0.0) / (365 * 86_400)
        extra_bps = config.dated_extra_bps + config.dated_bps_per_root_year * np.sqrt(years)
        self._extra_half = 1e-4 * np.where(self._is_dated, extra_bps, 0.0)
        draws = self._random.standard_normal(self._lots.shape)
        spread = config.size_spread
        usd = np.array([[layer.size_usd] for layer in config.layers])
        usd = usd * np.exp(spread * draws - 0.5 * spread**2)
        usd *= np.where(self._is_dated, config.dated_size_share, 1.0)
        lots = np.maximum(np.rint(usd / board.future_lot), 1.0).astype(np.int64)
        is_live = ~self._is_dated | (to_expiry_s > LAST_MINUTES_NS / NS_PER_S)
        self._lots = np.where(is_live, lots, 0)


def _quoter(board: Board) -> Quoter:
    return Quoter(board.futures, fine_ticks_max=0, coarse_step_ticks=1, lean_in=0.0, lean_out=1.0)
