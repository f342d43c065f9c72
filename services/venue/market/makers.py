"""The crowd's option makers: each quotes its own late and noisy view of the fair surface.

A maker looks at its turn, some tenths of a second apart, at an index and a volatility that are
older than the truth, adds its own error per expiry and option, takes its half-spread, rounds
outward, and sends only the quotes that should move.
"""

import math
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from native.book import BUY, Best
from native.requote import Quoter
from services.venue.market.board import Before, Board, carried
from services.venue.market.chain import Chain
from services.venue.market.fair import FairSurface
from services.venue.market.index import Paths
from services.venue.market.market_access import MarketAccess
from services.venue.market.recorded import median_spreads
from shared.clock import NS_PER_MS, NS_PER_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Above = Annotated[float, Meta(gt=0.0, le=1e6)]

TICKS_PER_COIN = 10_000.0
FINE_TICKS_MAX = 50  # above it prices move in steps of COARSE_STEP
COARSE_STEP = 5
NO_ASK_TICKS = 2e11  # beyond native.requote's highest ask: a recorded book without one
LAST_MINUTES_NS = 120 * NS_PER_S  # before an expiry makers leave it
ERROR_FALLS_DAYS = 15.0  # vols of longer tenors move less, and are known better
# A quote stays while its exact price is within this much of its own step, in steps.
LEAN_IN = 0.2
LEAN_OUT = 1.35


class Temper(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One maker's character."""

    turn_ms: Annotated[int, Meta(ge=50, le=10_000)]
    lag_ms: Annotated[int, Meta(ge=0, le=20_000)]  # age of the index it knows
    vol_lag_s: Above
    width: Above  # of its spread, relative to the recorded median
    error: Above  # of its volatilities, relative
    size: Above  # of its quotes, relative
    delta_min: Annotated[float, Meta(ge=0.0, le=0.5)]


class MakersConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    makers: Annotated[tuple[Temper, ...], Meta(min_length=1, max_length=16)] = (
        Temper(turn_ms=400, lag_ms=150, vol_lag_s=2.0, width=1.0, error=0.004, size=1.0,
               delta_min=0.01),
        Temper(turn_ms=500, lag_ms=250, vol_lag_s=3.0, width=1.1, error=0.005, size=1.5,
               delta_min=0.02),
        Temper(turn_ms=700, lag_ms=400, vol_lag_s=5.0, width=1.25, error=0.006, size=2.5,
               delta_min=0.01),
        Temper(turn_ms=1000, lag_ms=600, vol_lag_s=6.0, width=2.0, error=0.005, size=5.0,
               delta_min=0.005),
    )  # fmt: skip
    # Between a maker's looks at volatilities, widths and its own errors.
    think_ms: Annotated[int, Meta(ge=50, le=60_000)] = 3_000
    error_decay_s: Above = 180.0
    # Rounding outward adds half a step a side on average; this much of a step comes off first.
    rounding_share: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.8
    width_min_share: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.35
    median_size_coin: Above = 1.0  # of a BTC quote
    size_spread: Annotated[float, Meta(ge=0.0, le=3.0)] = 0.8  # standard deviation of its log
    size_per_usd: Above = 90_000.0  # sizes of other underlyings are worth as much
    # A trade moves its expiry's vols by this much for each USD of vega a point; it fades.
    pressure_per_vega_usd: Annotated[float, Meta(ge=0.0, le=1.0)] = 2e-6
    pressure_decay_s: Above = 120.0


class OptionMakers:
    """Crowd owners 0, 1, … in the order of the configuration."""

    def __init__(
        self,
        config: MakersConfig,
        random: np.random.Generator,
        board: Board,
        chain: Chain,
        fair: FairSurface,
        paths: Paths,
    ) -> None:
        self._config = config
        # One for each maker: the order of their turns must not change what they think.
        self._random, *self._randoms = random.spawn(1 + len(config.makers))
        self._board = board
        self._fair = fair
        self._paths = paths
        self._opening_until_ns = chain.opened_ns + round(chain.opening_s * NS_PER_S)
        self._recorded = (
            (chain.bid_ticks[board.options], chain.ask_ticks[board.options])
            if chain.is_recorded
            else None
        )
        makers, options = len(config.makers), board.option_count
        self.count = makers
        shape = (makers, options)
        self._quoters = [_quoter(board) for _ in config.makers]
        self._vols: Floats = np.repeat(fair.vol[None, :], makers, axis=0)  # as the maker knows them
        self._view: Floats = self._vols.copy()  # with its errors
        self._off: Floats = np.zeros(shape)  # the view's price less the fair one, coin
        self._priced_ns = [0] * makers  # the fair surface that `_off` was taken from
        self._half: Floats = np.ones(shape)  # ticks
        self._lots = self._draw_lots(index_usd=fair.reference_usd)
        self._lots_now = self._lots.copy()  # 0 where the maker does not quote
        self._expiry_error = self._random.standard_normal((makers, len(board.expiry_keys)))
        self._own_error = self._random.standard_normal(shape)
        self._pressure = np.zeros(len(board.expiry_keys))  # relative vol, all makers alike
        self._next_turn_ns = [chain.opened_ns + at * 50 * NS_PER_MS for at in range(makers)]
        self._next_think_ns = [0] * makers
        self._thought_ns = [chain.opened_ns] * makers
        self._row_of = _rows_of(board)

    def relist(self, board: Board, before: Before) -> None:
        """Goes on with the board of now. Of what is new a maker shows nothing until it has thought,
        which is at its next turn."""
        fair, rows = self._fair, before.options
        self._board = board
        self._row_of = _rows_of(board)
        self._vols = carried(self._vols, rows, fair.vol)
        self._view = carried(self._view, rows, fair.vol)
        self._off = carried(self._off, rows, 0.0)
        self._half = carried(self._half, rows, 1.0)
        self._lots = carried(self._lots, rows, self._draw_lots(index_usd=fair.reference_usd))
        self._lots_now = carried(self._lots_now, rows, 0)
        fresh = self._random.standard_normal((self.count, len(rows)))
        self._own_error = carried(self._own_error, rows, fresh)
        fresh = self._random.standard_normal((self.count, len(before.expiries)))
        self._expiry_error = carried(self._expiry_error, before.expiries, fresh)
        self._pressure = carried(self._pressure, before.expiries, 0.0)
        if self._recorded is not None:
            bids, asks = self._recorded
            self._recorded = (carried(bids, rows, 0), carried(asks, rows, 0))
        quoters, self._quoters = self._quoters, [_quoter(board) for _ in self._quoters]
        for old, new in zip(quoters, self._quoters, strict=True):
            new.resume(old, rows)
        self._next_think_ns = [0] * self.count

    def step(self, now_ns: int, access: MarketAccess, best: Best) -> None:
        """Lets every maker whose turn it is move its quotes; `best` was read a moment ago."""
        for maker, temper in enumerate(self._config.makers):
            if now_ns < self._next_turn_ns[maker]:
                continue
            self._next_turn_ns[maker] = now_ns + temper.turn_ms * NS_PER_MS
            if now_ns >= self._next_think_ns[maker]:
                self._next_think_ns[maker] = now_ns + self._config.think_ms * NS_PER_MS
                self._think(maker, now_ns)
            if self._recorded is not None and now_ns < self._opening_until_ns:
                self._quote_recorded(maker, access, best)
            else:
                self._requote(maker, access, best)

    def on_trade(self, instrument: int, taker_side: int, lots: int) -> None:
        """Notes a trade of anyone's: its expiry's vols give way a little."""
        row = int(self._row_of[instrument])
        if row < 0:
            return
        coins = lots * float(self._board.option_lot[row])
        vega_usd = coins * float(self._fair.vega[row] * self._fair.forward[row]) / 100.0
        sign = 1.0 if taker_side == BUY else -1.0
        expiry = self._board.option_expiry[row]
        self._pressure[expiry] += sign * vega_usd * self._config.pressure_per_vega_usd

    def on_fill(self, maker: int, instrument: int, taker_side: int, left_lots: int) -> None:
        """Notes what a fill left of a maker's quote."""
        row = int(self._row_of[instrument])
        if row >= 0:
            quoter = self._quoters[maker]
            (quoter.ask_lots if taker_side == BUY else quoter.bid_lots)[row] = left_lots

    def _think(self, maker: int, now_ns: int) -> None:
        config, temper, board, fair = (
            self._config,
            self._config.makers[maker],
            self._board,
            self._fair,
        )
        elapsed_s = (now_ns - self._thought_ns[maker]) / NS_PER_S
        self._thought_ns[maker] = now_ns
        late = math.exp(-elapsed_s / temper.vol_lag_s)
        self._vols[maker] = fair.vol + late * (self._vols[maker] - fair.vol)
        keep = math.exp(-elapsed_s / config.error_decay_s)
        fresh = math.sqrt(1.0 - keep * keep)
        for errors in (self._expiry_error, self._own_error):
            draws: Floats = self._randoms[maker].standard_normal((errors.shape[1],))
            errors[maker] = keep * errors[maker] + fresh * draws
        if maker == 0:
            self._pressure *= math.exp(-elapsed_s / config.pressure_decay_s)
        days = (board.option_expiry_ns - now_ns) / (86_400 * NS_PER_S)
        error = self._expiry_error[maker][board.option_expiry] + 0.7 * self._own_error[maker]
        error *= temper.error * np.sqrt(np.minimum(1.0, ERROR_FALLS_DAYS / np.maximum(days, 1.0)))
        error += self._pressure[board.option_expiry]
        self._view[maker] = self._vols[maker] * (1.0 + error)
        self._priced_ns[maker] = 0
        stress = min(max(self._paths.activity(), 0.7), 4.0) ** 0.5
        for at, part in enumerate(board.slices):
            spread = median_spreads(board.underlyings[at], days[part], fair.delta[part])
            step = np.where(fair.coin[part] * TICKS_PER_COIN > FINE_TICKS_MAX, COARSE_STEP, 1)
            width = np.maximum(
                spread * temper.width - config.rounding_share * step,
                config.width_min_share * spread,
            )
            self._half[maker, part] = 0.5 * width * stress
        far = np.abs(fair.delta)
        far = np.minimum(far, 1.0 - far)
        is_quoted = (far >= temper.delta_min) & (board.option_expiry_ns - now_ns > LAST_MINUTES_NS)
        self._lots_now[maker] = np.where(is_quoted, self._lots[maker], 0)

    def _requote(self, maker: int, access: MarketAccess, best: Best) -> None:
        fair = self._fair
        if self._priced_ns[maker] != fair.refreshed_ns:
            self._priced_ns[maker] = fair.refreshed_ns
            self._off[maker] = fair.vega * (self._view[maker] - fair.vol)
        theo = fair.coin_at(-self._config.makers[maker].lag_ms)
        theo += self._off[maker]
        np.maximum(theo, 0.0, out=theo)
        theo *= TICKS_PER_COIN
        half = self._half[maker]
        self._send(maker, theo - half, theo + half, self._lots_now[maker], access, best)

    def _quote_recorded(self, maker: int, access: MarketAccess, best: Best) -> None:
        """Shows the recorded best prices, the first maker at them and the others a step behind."""
        assert self._recorded is not None
        bids, asks = self._recorded
        bid = bids - maker * np.where(bids > FINE_TICKS_MAX, COARSE_STEP, 1.0)
        ask = asks + maker * np.where(asks >= FINE_TICKS_MAX, COARSE_STEP, 1.0)
        ask[asks == 0] = NO_ASK_TICKS
        self._send(maker, bid, ask, self._lots[maker], access, best)

    def _send(
        self,
        maker: int,
        bid: Floats,
        ask: Floats,
        lots: Ints,
        access: MarketAccess,
        best: Best,
    ) -> None:
        quoter = self._quoters[maker]
        quotes = quoter.moves(bid, ask, lots, best)
        if len(quotes):
            quoter.refused(access.quote_batch(maker, quotes))

    def _draw_lots(self, index_usd: Floats) -> Ints:
        """Returns each maker's usual size of each option (maker, option)."""
        config, board = self._config, self._board
        draws = self._random.standard_normal((self.count, board.option_count))
        sizes = np.array([temper.size for temper in config.makers])[:, None]
        coins = config.median_size_coin * sizes * np.exp(config.size_spread * draws)
        coins *= config.size_per_usd / index_usd[board.option_underlying]
        return np.maximum(np.rint(coins / board.option_lot), 1.0).astype(np.int64)


def _quoter(board: Board) -> Quoter:
    return Quoter(
        board.options,
        fine_ticks_max=FINE_TICKS_MAX,
        coarse_step_ticks=COARSE_STEP,
        lean_in=LEAN_IN,
        lean_out=LEAN_OUT,
    )


def _rows_of(board: Board) -> Ints:
    """Returns each instrument's row among the options; -1: none."""
    rows = np.full(board.count, -1, dtype=np.int64)
    rows[board.options] = np.arange(board.option_count)
    return rows
