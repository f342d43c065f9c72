"""The crowd's option takers: noise, the informed, and those who trade against the fair surface.

Noise has no view: an option, a side, a size and how much beyond the fair price it would pay. The
informed know the index or the volatilities up to a minute ahead and take what is worth their while.
Surface traders know the fair surface of now and take what is rich or cheap against it.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from native.book import BUY, SELL, Best
from services.venue.market.arrivals import Arrival, Arrivals
from services.venue.market.board import Before, Board, carried
from services.venue.market.fair import FairSurface
from services.venue.market.index import Paths
from services.venue.market.makers import COARSE_STEP, FINE_TICKS_MAX, TICKS_PER_COIN
from services.venue.market.market_access import MarketAccess
from services.venue.market.recorded import median_spreads, volume_shares
from shared.clock import NS_PER_S

Floats = NDArray[np.float64]
Above = Annotated[float, Meta(gt=0.0, le=1e6)]
Part = Annotated[float, Meta(ge=0.0, le=1.0)]

FEE_COIN = 0.0003  # of an option, capped at FEE_CAP_RATIO of its price
FEE_CAP_RATIO = 0.125
TASTE_NS = 20 * NS_PER_S  # between renewals of what noise likes to trade
LAST_MINUTES_NS = 120 * NS_PER_S
DELTA_MIN = 0.005  # nobody asks for less
# Strikes that are multiples of these draw more trade each; scaled down for low-priced coins.
ROUND_STEPS_USD = (1000.0, 5000.0, 10_000.0)
ROUND_FACTOR = 1.5
ROUND_ABOVE_USD = 20_000.0
ROUND_BELOW = 20.0
OWNERS = ("noise", "informed", "surface")


class TakersConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates are looks per second on average; not every look ends in a trade."""

    noise_per_s: Above = 25.0
    informed_per_s: Above = 62.0
    surface_per_s: Above = 6.0
    # How arrivals follow volatility: their rate goes with this power of it.
    activity_power: Annotated[float, Meta(ge=0.0, le=4.0)] = 0.7
    underlying_shares: Annotated[tuple[float, ...], Meta(min_length=1, max_length=4)] = (0.6, 0.4)
    # Noise pays up to the fair price and this many usual half-spreads, exponentially distributed.
    patience_half_spreads: Above = 1.6
    noise_size_coin: Above = 0.15  # median, BTC; others are worth as much
    informed_size_coin: Above = 0.22
    surface_size_coin: Above = 0.22
    size_spread: Annotated[float, Meta(ge=0.0, le=3.0)] = 1.1
    size_per_usd: Above = 90_000.0
    horizon_min_s: Above = 1.0
    horizon_max_s: Above = 60.0
    index_informed_share: Part = 0.5  # the others know volatilities
    # What must be left after spread and fee, in coin, and as a share of the price.
    edge_min_coin: Above = 0.00005
    edge_min_ratio: Above = 0.006
    fee_minded: Part = 0.2  # share of the fee that the informed and surface traders count
    clip_chance: Part = 0.5  # that an order comes from one that is being worked in pieces


class OptionTakers:
    """Crowd owners `first_owner` and on: OWNERS."""

    def __init__(
        self,
        config: TakersConfig,
        random: np.random.Generator,
        board: Board,
        fair: FairSurface,
        paths: Paths,
        first_owner: int,
        opened_ns: int,
    ) -> None:
        self._config = config
        rate = config.noise_per_s + config.informed_per_s + config.surface_per_s
        self._arrivals = Arrivals(random, paths, rate, config.activity_power, opened_ns)
        self._board = board
        self._fair = fair
        self._paths = paths
        self._first_owner = first_owner
        self.count = len(OWNERS)
        shares = list(config.underlying_shares[: len(board.underlyings)])
        total = sum(shares)
        self._shares = [share / total for share in shares]
        self._taste_ns = 0
        self._tastes: list[Floats] = []  # per underlying: cumulative weights of its options
        self._half = np.ones(board.option_count)  # usual half-spreads, ticks
        self._worked: tuple[int, int] | None = None  # option row and side
        self._best: Best  # as it was at the beginning of a step

    def relist(self, board: Board, before: Before) -> None:
        """Goes on with the board of now; tastes are renewed at the next step."""
        self._board = board
        self._half = carried(self._half, before.options, 1.0)
        self._taste_ns = 0
        self._worked = None

    def resume(self, now_ns: int) -> None:
        """Nobody arrived before this."""
        self._arrivals.resume(now_ns)

    def step(self, now_ns: int, access: MarketAccess) -> None:
        """Lets those who have arrived since the last step trade."""
        config = self._config
        if now_ns >= self._taste_ns:
            self._taste_ns = now_ns + TASTE_NS
            self._renew_tastes(now_ns)
        arrivals = self._arrivals.until(now_ns)
        if arrivals:
            self._best = access.best()
        rate = config.noise_per_s + config.informed_per_s + config.surface_per_s
        for arrival in arrivals:
            draw = arrival.chances[0] * rate
            if draw < config.noise_per_s:
                self._noise(arrival, access)
            elif draw < config.noise_per_s + config.informed_per_s:
                self._informed(arrival, access)
            else:
                self._surface(arrival, access)

    def _noise(self, arrival: Arrival, access: MarketAccess) -> None:
        config = self._config
        _, which, where, way, clip, patience = arrival.chances
        if self._worked is not None and clip < config.clip_chance:
            row, side = self._worked
        else:
            underlying = self._pick_underlying(which)
            part = self._board.slices[underlying]
            weights = self._tastes[underlying]
            if not len(weights) or weights[-1] <= 0.0:
                return
            row = part.start + int(np.searchsorted(weights, where * weights[-1]))
            side = BUY if way < 0.5 else SELL
            self._worked = (row, side)
        fair = float(self._fair_now(row)) * TICKS_PER_COIN
        pays = float(self._half[row]) * config.patience_half_spreads * -math.log1p(-patience)
        limit = fair + pays if side == BUY else fair - pays
        lots = self._lots(row, config.noise_size_coin, arrival.size)
        self._take(access, 0, row, side, lots, limit)

    def _informed(self, arrival: Arrival, access: MarketAccess) -> None:
        config, fair = self._config, self._fair
        _, which, half, how_far, what, _ = arrival.chances
        underlying, part = self._pick_half(which, half)
        horizon_s = config.horizon_min_s * math.exp(
            how_far * math.log(config.horizon_max_s / config.horizon_min_s)
        )
        if what < config.index_informed_share:
            worth = fair.coin_of(underlying, part, round(horizon_s * 1000))
        else:
            later = fair.vol_after(horizon_s, part)
            worth = fair.coin_of(underlying, part)
            worth += fair.vega[part] * (later - fair.vol[part])
        lots_of = partial(self._lots, size_coin=config.informed_size_coin, size=arrival.size)
        self._take_best(access, 1, part, worth, lots_of)

    def _surface(self, arrival: Arrival, access: MarketAccess) -> None:
        underlying, part = self._pick_half(arrival.chances[1], arrival.chances[2])
        worth = self._fair.coin_of(underlying, part)
        size_coin = self._config.surface_size_coin
        lots_of = partial(self._lots, size_coin=size_coin, size=arrival.size)
        self._take_best(access, 2, part, worth, lots_of)

    def _take_best(
        self,
        access: MarketAccess,
        taker: int,
        part: slice,
        worth: Floats,
        lots_of: Callable[[int], int],
    ) -> None:
        """Takes the quote that is furthest wrong, if it is wrong by enough."""
        config = self._config
        best = self._best
        at = self._board.options[part]
        bid_ticks, ask_ticks = best.bid_ticks[at], best.ask_ticks[at]
        worth = np.maximum(worth, 0.0)
        needs = config.edge_min_coin + config.edge_min_ratio * worth
        needs += config.fee_minded * np.minimum(FEE_COIN, FEE_CAP_RATIO * worth)
        gain_buy = worth - needs - ask_ticks / TICKS_PER_COIN
        gain_buy[ask_ticks == 0] = -1.0
        gain_sell = bid_ticks / TICKS_PER_COIN - worth - needs
        buy, sell = int(np.argmax(gain_buy)), int(np.argmax(gain_sell))
        side = BUY if gain_buy[buy] >= gain_sell[sell] else SELL
        at_best = buy if side == BUY else sell
        if (gain_buy if side == BUY else gain_sell)[at_best] <= 0.0:
            return
        limit = float((ask_ticks if side == BUY else bid_ticks)[at_best])
        row = part.start + at_best * part.step
        self._take(access, taker, row, side, lots_of(row), limit)

    def _pick_half(self, which: float, half: float) -> tuple[int, slice]:
        """Returns an underlying and every other of its options: nobody looks at all at once."""
        underlying = self._pick_underlying(which)
        part = self._board.slices[underlying]
        first = part.start + (half < 0.5)
        return underlying, slice(first, part.stop, 2)

    def _take(
        self, access: MarketAccess, taker: int, row: int, side: int, lots: int, limit: float
    ) -> None:
        ticks = _limit_on_grid(limit, side)
        instrument = int(self._board.options[row])
        if side == BUY:
            is_in_reach = 0 < self._best.ask_ticks[instrument] <= ticks
        else:
            is_in_reach = 1 <= ticks <= self._best.bid_ticks[instrument]
        if is_in_reach:
            access.take(self._first_owner + taker, instrument, side, lots, ticks)

    def _fair_now(self, row: int) -> float:
        fair = self._fair
        underlying = int(self._board.option_underlying[row])
        move = self._paths.index_usd(underlying) / fair.reference_usd[underlying] - 1.0
        return float(fair.coin[row] + fair.net_delta[row] * move)

    def _lots(self, row: int, size_coin: float, size: float) -> int:
        config = self._config
        underlying = int(self._board.option_underlying[row])
        coins = size_coin * math.exp(config.size_spread * size)
        coins *= config.size_per_usd / float(self._fair.reference_usd[underlying])
        return max(round(coins / float(self._board.option_lot[row])), 1)

    def _pick_underlying(self, draw: float) -> int:
        for at, share in enumerate(self._shares[:-1]):
            if draw < share:
                return at
            draw -= share
        return len(self._shares) - 1

    def _renew_tastes(self, now_ns: int) -> None:
        """Renews where noise trades: as recorded by tenor and delta, more at round strikes."""
        board, fair = self._board, self._fair
        left_ns = board.option_expiry_ns - now_ns
        days = left_ns / (86_400 * NS_PER_S)
        weights = np.ones(board.option_count)
        for step in ROUND_STEPS_USD:
            scale = np.where(fair.forward > ROUND_ABOVE_USD, step, step / ROUND_BELOW)
            weights *= np.where(np.mod(board.option_strike, scale) == 0.0, ROUND_FACTOR, 1.0)
        weights[(np.abs(fair.delta) < DELTA_MIN) | (left_ns < LAST_MINUTES_NS)] = 0.0
        self._tastes = []
        for at, part in enumerate(board.slices):
            name = board.underlyings[at]
            of = (name, days[part], fair.delta[part])
            self._tastes.append(np.cumsum(volume_shares(*of, weights[part])))
            self._half[part] = 0.5 * median_spreads(*of)


def _limit_on_grid(ticks: float, side: int) -> int:
    """Returns the last price of the grid that a limit allows."""
    whole = math.floor(ticks + 1e-9) if side == BUY else math.ceil(ticks - 1e-9)
    if whole > FINE_TICKS_MAX:
        whole = whole - whole % COARSE_STEP if side == BUY else whole + -whole % COARSE_STEP
    return whole
