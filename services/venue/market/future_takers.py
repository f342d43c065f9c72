"""The crowd's flow in perpetuals and dated futures: runs of noise, and a few who know more."""

import math
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from native.book import BUY, SELL
from services.venue.market.arrivals import Arrival, Arrivals
from services.venue.market.board import Board
from services.venue.market.fair import FairSurface
from services.venue.market.index import Paths
from services.venue.market.market_access import MarketAccess
from shared.clock import NS_PER_S

Floats = NDArray[np.float64]
Above = Annotated[float, Meta(gt=0.0, le=1e9)]
Part = Annotated[float, Meta(ge=0.0, le=1.0)]

OWNERS = ("future-noise", "future-informed")
LAST_MINUTES_NS = 120 * NS_PER_S


class FutureTakersConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    noise_per_s: Above = 3.0
    informed_per_s: Above = 1.2
    activity_power: Annotated[float, Meta(ge=0.0, le=4.0)] = 1.5
    run_share: Part = 0.7  # orders that go the way of the one before
    dated_share: Part = 0.15
    noise_size_usd: Above = 6_000.0  # median
    informed_size_usd: Above = 25_000.0
    size_spread: Annotated[float, Meta(ge=0.0, le=3.0)] = 1.3
    slippage_bps: Above = 3.0  # noise goes as far as this
    horizon_min_s: Above = 1.0
    horizon_max_s: Above = 60.0
    edge_min_bps: Above = 2.5  # beyond the price; the best customers pay less than the table's fee


class FutureTakers:
    """Crowd owners `first_owner` and on: OWNERS."""

    def __init__(
        self,
        config: FutureTakersConfig,
        random: np.random.Generator,
        board: Board,
        fair: FairSurface,
        paths: Paths,
        first_owner: int,
        opened_ns: int,
    ) -> None:
        self._config = config
        rate = config.noise_per_s + config.informed_per_s
        self._arrivals = Arrivals(random, paths, rate, config.activity_power, opened_ns)
        self._fair = fair
        self._paths = paths
        self._first_owner = first_owner
        self.count = len(OWNERS)
        self._side = BUY
        self.relist(board)

    def relist(self, board: Board) -> None:
        """Trades what stands on a board, from now on."""
        self._board = board
        self._perpetuals = np.flatnonzero(board.future_is_perpetual)
        self._dated = np.flatnonzero(~board.future_is_perpetual)

    def resume(self, now_ns: int) -> None:
        """Nobody arrived before this."""
        self._arrivals.resume(now_ns)

    def step(self, now_ns: int, access: MarketAccess) -> None:
        """Lets those who have arrived since the last step trade."""
        rate = self._config.noise_per_s + self._config.informed_per_s
        for arrival in self._arrivals.until(now_ns):
            if arrival.chances[0] * rate < self._config.noise_per_s:
                self._noise(arrival, now_ns, access)
            else:
                self._informed(arrival, access)

    def _noise(self, arrival: Arrival, now_ns: int, access: MarketAccess) -> None:
        config, board = self._config, self._board
        _, which, run, way, dated, _ = arrival.chances
        if run >= config.run_share:
            self._side = BUY if way < 0.5 else SELL
        rows = self._perpetuals
        if len(self._dated) and dated < config.dated_share:
            rows = self._dated
        row = int(rows[int(which * len(rows))])
        expiry_ns = int(board.future_expiry_ns[row])
        if expiry_ns and expiry_ns - now_ns < LAST_MINUTES_NS:
            return
        usd = self._usd(config.noise_size_usd, arrival.size)
        self._take(access, 0, row, self._side, config.slippage_bps, usd)

    def _informed(self, arrival: Arrival, access: MarketAccess) -> None:
        config, board = self._config, self._board
        _, which, how_far, *_ = arrival.chances
        row = int(self._perpetuals[int(which * len(self._perpetuals))])
        underlying = int(board.future_underlying[row])
        horizon_s = config.horizon_min_s * math.exp(
            how_far * math.log(config.horizon_max_s / config.horizon_min_s)
        )
        now = self._paths.index_usd(underlying)
        move = self._paths.index_usd(underlying, round(horizon_s * 1000)) / now - 1.0
        reach_bps = abs(move) * 1e4 - config.edge_min_bps
        if reach_bps > 0.0:
            side = BUY if move > 0.0 else SELL
            usd = self._usd(config.informed_size_usd, arrival.size)
            self._take(access, 1, row, side, reach_bps, usd)

    def _usd(self, median_usd: float, size: float) -> float:
        return median_usd * math.exp(self._config.size_spread * size)

    def _take(
        self,
        access: MarketAccess,
        taker: int,
        row: int,
        side: int,
        reach_bps: float,
        size_usd: float,
    ) -> None:
        board = self._board
        at = int(board.futures[row])
        fair_usd = float(self._fair.forwards_usd()[at])
        reach = 1.0 + (reach_bps if side == BUY else -reach_bps) * 1e-4
        exact = fair_usd * reach / float(board.future_tick[row])
        ticks = math.floor(exact) if side == BUY else math.ceil(exact)
        lots = max(round(size_usd / float(board.future_lot[row])), 1)
        access.take(self._first_owner + taker, at, side, lots, ticks)
