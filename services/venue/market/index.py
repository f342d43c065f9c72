"""The latent paths that drive the market, drawn ahead of time so that the informed can know them.

Index: diffusion with two mean-reverting log-volatility factors (seconds and an hour: returns come
in clusters) and self-exciting jumps (Hawkes), correlated over underlyings. Volatility surface:
level (correlated with the index), skew and term, per underlying, and one factor per expiry that
moves in ramps, as a large order works its way in. Everything but the index lies on a one-second
grid.
"""

import math
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from services.venue.market.board import Before, Board, carried
from shared.clock import NS_PER_MS, NS_PER_S

Floats = NDArray[np.float64]
Part = Annotated[float, Meta(ge=0.0, le=1.0)]
Above = Annotated[float, Meta(gt=0.0, le=1e6)]

GRID_MS = 100
POINTS_PER_S = 1000 // GRID_MS
BLOCK_S = 60
BLOCKS_KEPT = 3  # of the past and present; one more lies ahead
SECONDS_PER_YEAR = 365 * 86_400
PAST_S = 30  # how far back a path can be read


class IndexConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Standard deviations (`_sd`) are stationary, and of logarithms."""

    correlation: Part = 0.8
    fast_vol_sd: Above = 0.5
    fast_vol_decay_s: Above = 100.0
    slow_vol_sd: Above = 0.25
    slow_vol_decay_s: Above = 3600.0
    jumps_per_hour: Above = 18.0  # without those that jumps set off
    jump_branching: Part = 0.6
    jump_decay_s: Above = 20.0
    jump_scale: Above = 0.045  # mean size, in standard deviations of one hour
    jump_alone_share: Part = 0.2  # jumps of one underlying only
    level_per_return: Annotated[float, Meta(ge=-50.0, le=50.0)] = -1.0  # vol follows the index
    level_per_jump: Above = 1.5
    level_sd_per_root_hour: Above = 0.012
    level_decay_s: Above = 5400.0
    skew_sd_per_root_hour: Above = 0.002
    term_sd_per_root_hour: Above = 0.004
    carry_sd_per_root_hour: Above = 0.0006  # of the annual forward premium
    shape_decay_s: Above = 7200.0
    expiry_shocks_per_hour: Above = 90.0  # of each underlying
    expiry_shock_scale: Above = 0.012  # mean size, relative to the volatility, at 30 days
    expiry_shock_ramp_s: Above = 25.0
    expiry_shock_decay_s: Above = 1500.0


class Paths:
    """All paths from the open to at least `BLOCK_S` past the last `advance`."""

    def __init__(
        self,
        config: IndexConfig,
        random: np.random.Generator,
        board: Board,
        opened_ns: int,
        index_usd: list[float],
        annual_vols: list[float],
        opening_s: float,
    ) -> None:
        self._config = config
        # Expiries draw from their own: what stands listed must not change the index.
        self._random, self._expiry_random = random.spawn(2)
        self._count = len(index_usd)
        self._expiry_underlying = board.expiry_underlying
        self._expiry_scale = _expiry_scale(board.expiry_date_ns, opened_ns)
        self._start_index: list[float] = [math.log(usd) for usd in index_usd]
        self._vol_per_root_s = [vol / math.sqrt(SECONDS_PER_YEAR) for vol in annual_vols]
        self._still_points = round(opening_s * POINTS_PER_S)
        self._fast = 0.0
        self._slow = 0.0
        self._excitement = 0.0  # jumps per second above the base rate
        self._factors = np.zeros((self._count, 4))  # level, skew, term, carry
        self._expiries = np.zeros(len(board.expiry_keys))
        self._ramps: list[tuple[int, float, float]] = []  # expiry, per second, seconds left
        self._first_ns = opened_ns  # time of column 0
        log_index = np.repeat(np.array(self._start_index)[:, None], PAST_S * POINTS_PER_S, axis=1)
        self._log_index = log_index  # (underlying, 100 ms)
        self._activity = np.ones(PAST_S * POINTS_PER_S)  # (100 ms,): volatility over its mean
        self._factor_path = np.zeros((PAST_S, self._count, 4))  # (second, underlying, factor)
        self._expiry_path = np.zeros((PAST_S, len(board.expiry_keys)))  # (second, expiry)
        self._first_ns -= PAST_S * NS_PER_S
        self._extend()
        self._extend()
        self.advance(opened_ns)

    def advance(self, now_ns: int) -> None:
        """Makes `now_ns` the present; time never goes back."""
        while (now_ns - self._first_ns) // NS_PER_S + BLOCK_S + 1 >= len(self._factor_path):
            self._extend()
        self._now_ns = now_ns
        excess_s = len(self._factor_path) - (BLOCKS_KEPT + 2) * BLOCK_S
        past_s = (now_ns - self._first_ns) // NS_PER_S - PAST_S
        if excess_s > 0 and past_s > 0:
            drop_s = min(excess_s, past_s)
            self._log_index = self._log_index[:, drop_s * POINTS_PER_S :]
            self._activity = self._activity[drop_s * POINTS_PER_S :]
            self._factor_path = self._factor_path[drop_s:]
            self._expiry_path = self._expiry_path[drop_s:]
            self._first_ns += drop_s * NS_PER_S

    def relist(self, board: Board, before: Before, now_ns: int) -> None:
        """Goes on with the expiries that stand listed now; a new one starts unmoved."""
        rows = before.expiries
        place = {row: at for at, row in enumerate(rows.tolist()) if row >= 0}
        self._ramps = [(place[e], per_s, left) for e, per_s, left in self._ramps if e in place]
        self._expiries = carried(self._expiries, rows, 0.0)
        self._expiry_path = carried(self._expiry_path, rows, 0.0)
        self._expiry_underlying = board.expiry_underlying
        self._expiry_scale = _expiry_scale(board.expiry_date_ns, now_ns)

    def index_usd(self, underlying: int, offset_ms: int = 0) -> float:
        """Returns the index at the present plus an offset, within -30 s and +60 s."""
        at = (self._now_ns - self._first_ns) // NS_PER_MS + offset_ms
        return math.exp(self._log_index[underlying, max(at // GRID_MS, 0)])

    def activity(self) -> float:
        """Returns how volatile the market is now, relative to its mean."""
        at = (self._now_ns - self._first_ns) // NS_PER_MS
        return float(self._activity[at // GRID_MS])

    def activity_from(self, at_ns: int, points: int) -> Floats:
        """Returns the activity at so many points of the grid (100 ms,), at most 60 s ahead."""
        first = max((at_ns - self._first_ns) // (GRID_MS * NS_PER_MS), 0)
        activity: Floats = self._activity[first : first + points]
        return activity

    def mean_activity(self, power: float) -> float:
        """Returns the mean of a power of the activity: that of a lognormal of unit mean square."""
        variance = self._config.fast_vol_sd**2 + self._config.slow_vol_sd**2
        return math.exp(variance * (0.5 * power**2 - power))

    def factors(self, offset_s: float = 0.0) -> Floats:
        """Returns level, skew, term and carry (underlying, factor)."""
        factors: Floats = self._factor_path[self._second(offset_s)]
        return factors

    def expiry_factors(self, offset_s: float = 0.0) -> Floats:
        """Returns the relative volatility move of each expiry (expiry,)."""
        factors: Floats = self._expiry_path[self._second(offset_s)]
        return factors

    def _second(self, offset_s: float) -> int:
        at_ns = self._now_ns - self._first_ns + int(offset_s * NS_PER_S)
        return max(at_ns // NS_PER_S, 0)

    def _extend(self) -> None:
        """Draws another block of all paths."""
        returns, jumps = self._draw_returns()
        start = self._log_index[:, -1:]
        self._log_index = np.concatenate(
            [self._log_index, start + np.cumsum(returns, axis=1)], axis=1
        )
        per_second = returns.reshape(self._count, BLOCK_S, POINTS_PER_S).sum(axis=2)
        jumps_per_second = jumps.reshape(self._count, BLOCK_S, POINTS_PER_S).sum(axis=2)
        self._draw_factors(per_second, jumps_per_second)
        self._draw_expiries(max(self._still_points, 0) // POINTS_PER_S)
        self._still_points -= BLOCK_S * POINTS_PER_S

    def _draw_returns(self) -> tuple[Floats, Floats]:
        """Returns log returns and the absolute jumps in them (underlying, 100 ms)."""
        config = self._config
        points = BLOCK_S * POINTS_PER_S
        dt_s = GRID_MS / 1000.0
        scale = self._volatility_path(points, dt_s)
        common = self._random.standard_normal(points)
        own = self._random.standard_normal((self._count, points))
        mixed = math.sqrt(config.correlation) * common + math.sqrt(1 - config.correlation) * own
        jump_units = self._jump_path(points, dt_s)
        share = self._jump_variance_share()
        returns = np.empty((self._count, points))
        for at, vol in enumerate(self._vol_per_root_s):
            hour_sd = vol * 60.0
            diffusion = vol * math.sqrt(dt_s * (1.0 - share)) * scale * mixed[at]
            jump_units[at] *= hour_sd * config.jump_scale
            returns[at] = diffusion + jump_units[at]
        still = min(max(self._still_points, 0), points)
        returns[:, :still] = 0.0
        jump_units[:, :still] = 0.0
        return returns, np.abs(jump_units)

    def _jump_variance_share(self) -> float:
        config = self._config
        per_hour = config.jumps_per_hour / (1.0 - config.jump_branching)
        share = per_hour * 2.0 * config.jump_scale**2
        assert share < 1.0, "jumps alone are more than the whole variance"
        return share

    def _volatility_path(self, points: int, dt_s: float) -> Floats:
        """Returns the volatility over its root mean square (100 ms)."""
        config = self._config
        keep_fast = math.exp(-dt_s / config.fast_vol_decay_s)
        keep_slow = math.exp(-dt_s / config.slow_vol_decay_s)
        noise_fast = config.fast_vol_sd * math.sqrt(1.0 - keep_fast**2)
        noise_slow = config.slow_vol_sd * math.sqrt(1.0 - keep_slow**2)
        draws = self._random.standard_normal((points, 2)).tolist()
        fast, slow = self._fast, self._slow
        logs = []
        for one, other in draws:
            fast = keep_fast * fast + noise_fast * one
            slow = keep_slow * slow + noise_slow * other
            logs.append(fast + slow)
        self._fast, self._slow = fast, slow
        path: Floats = np.exp(np.array(logs) - config.fast_vol_sd**2 - config.slow_vol_sd**2)
        self._activity = np.concatenate([self._activity, path])
        return path

    def _jump_path(self, points: int, dt_s: float) -> Floats:
        """Returns jumps in units of their scale (underlying, 100 ms)."""
        config = self._config
        base = config.jumps_per_hour / 3600.0
        keep = math.exp(-dt_s / config.jump_decay_s)
        jumps = np.zeros((self._count, points))
        excitement = self._excitement
        for at, draw in enumerate(self._random.random(points).tolist()):
            excitement *= keep
            if draw < (base + excitement) * dt_s:
                excitement += config.jump_branching / config.jump_decay_s
                size = self._random.exponential() * (1.0 if self._random.random() < 0.5 else -1.0)
                if self._random.random() < config.jump_alone_share:
                    jumps[self._random.integers(self._count), at] = size
                else:
                    jumps[:, at] = size
        self._excitement = excitement
        return jumps

    def _draw_factors(self, returns: Floats, jumps: Floats) -> None:
        config = self._config
        sds = np.array(
            [
                config.level_sd_per_root_hour,
                config.skew_sd_per_root_hour,
                config.term_sd_per_root_hour,
                config.carry_sd_per_root_hour,
            ]
        ) / math.sqrt(3600.0)
        keep = np.exp(-1.0 / np.array([config.level_decay_s, *(3 * [config.shape_decay_s])]))
        noise = self._random.standard_normal((BLOCK_S, self._count, 4)) * sds
        noise[:, :, 0] += config.level_per_return * returns.T + config.level_per_jump * jumps.T
        noise[: max(self._still_points, 0) // POINTS_PER_S] = 0.0
        path = np.empty((BLOCK_S, self._count, 4))
        now = self._factors
        for second in range(BLOCK_S):
            now = now * keep + noise[second]
            path[second] = now
        self._factors = now
        self._factor_path = np.concatenate([self._factor_path, path])

    def _draw_expiries(self, still_s: int) -> None:
        config = self._config
        rate = config.expiry_shocks_per_hour / 3600.0
        keep = math.exp(-1.0 / config.expiry_shock_decay_s)
        path = np.empty((BLOCK_S, len(self._expiries)))
        draws = self._expiry_random.random((BLOCK_S, self._count))
        now = self._expiries
        for second in range(BLOCK_S):
            if second >= still_s:
                for underlying in np.flatnonzero(draws[second] < rate):
                    self._start_ramp(int(underlying))
            now = now * keep
            for expiry, per_s, _left in self._ramps:
                now[expiry] += per_s
            self._ramps = [(e, per_s, left - 1.0) for e, per_s, left in self._ramps if left > 1.0]
            path[second] = now
        self._expiries = now
        self._expiry_path = np.concatenate([self._expiry_path, path])

    def _start_ramp(self, underlying: int) -> None:
        config = self._config
        rows = np.flatnonzero(self._expiry_underlying == underlying)
        if not len(rows):
            return
        where, way, far, long = self._expiry_random.random(4).tolist()
        at = int(where * len(rows))
        sign = 1.0 if way < 0.5 else -1.0
        size = -sign * math.log1p(-far) * config.expiry_shock_scale
        seconds = config.expiry_shock_ramp_s * (0.5 + long)
        for row, part in ((at - 1, 0.4), (at, 1.0), (at + 1, 0.4)):
            if 0 <= row < len(rows):
                expiry = int(rows[row])
                per_s = part * size * float(self._expiry_scale[expiry]) / seconds
                self._ramps.append((expiry, per_s, seconds))


def _expiry_scale(expiry_ns: NDArray[np.int64], opened_ns: int) -> Floats:
    """Returns how much more a near expiry's volatility moves than a 30-day one's."""
    days = np.maximum((expiry_ns - opened_ns) / (86_400 * NS_PER_S), 0.5)
    scale: Floats = np.clip((30.0 / days) ** 0.4, 0.45, 2.0)
    return scale
