"""The simulated venue's market: index, fair surface, makers and takers, stepped as time goes on.

Deterministic: the same chain, configuration, generator and step times give the same orders. The
market trades through MarketAccess; whoever implements it does the accounts and tells the market of
every trade.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from services.venue.market.board import Board
from services.venue.market.chain import Chain
from services.venue.market.fair import FairConfig, FairSurface
from services.venue.market.future_makers import FutureMakers, FutureMakersConfig
from services.venue.market.future_takers import OWNERS as FUTURE_TAKERS
from services.venue.market.future_takers import FutureTakers, FutureTakersConfig
from services.venue.market.index import IndexConfig, Paths
from services.venue.market.makers import MakersConfig, OptionMakers
from services.venue.market.market_access import MarketAccess
from services.venue.market.new_expiries import Listing, next_listing
from services.venue.market.takers import OWNERS as OPTION_TAKERS
from services.venue.market.takers import OptionTakers, TakersConfig
from shared.clock import NS_PER_S, NS_PER_YEAR
from shared.messages.market import Instrument

__all__ = ["Market", "MarketAccess", "MarketConfig"]

Floats = NDArray[np.float64]
RESUME_STRIDE_NS = 60 * NS_PER_S  # paths drop their past as they advance
REALISED_DAYS = 3.0  # the index is as volatile as options of this tenor say


class MarketConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    # How busy: arrivals, turns and the variance of what drives prices, all as many times as usual.
    # The venue's `step_ms` has to be as much shorter, or a step takes several turns at once.
    activity_ratio: Annotated[float, Meta(ge=0.1, le=40.0)] = 1.0
    index: IndexConfig = IndexConfig()
    fair: FairConfig = FairConfig()
    makers: MakersConfig = MakersConfig()
    future_makers: FutureMakersConfig = FutureMakersConfig()
    takers: TakersConfig = TakersConfig()
    future_takers: FutureTakersConfig = FutureTakersConfig()


class Market:
    """`owners` names the crowd's accounts; their numbers are their places in it."""

    def __init__(
        self,
        config: MarketConfig,
        chain: Chain,
        random: np.random.Generator,
        access: MarketAccess,
    ) -> None:
        config = paced(config)
        self._access = access
        self._opening_until_ns = chain.opened_ns + round(chain.opening_s * NS_PER_S)
        self.instruments: tuple[Instrument, ...] = chain.instruments
        self.listings: list[Listing] = []
        self.board = Board(chain.instruments, chain.underlyings())
        of = random.spawn(6)
        index_usd = [chain.index_usd[name] for name in self.board.underlyings]
        self.paths = Paths(
            config.index, of[0], self.board, chain.opened_ns, index_usd,
            [vol * config.activity_ratio**0.5 for vol in _front_vols(chain, self.board)],
            chain.opening_s,
        )  # fmt: skip
        self.fair = FairSurface(config.fair, of[1], self.board, chain, self.paths)
        self._makers = OptionMakers(config.makers, of[2], self.board, chain, self.fair, self.paths)
        makers = self._makers.count
        self._future_makers = FutureMakers(
            config.future_makers, of[3], self.board, self.fair, self.paths, makers, chain.opened_ns
        )
        layers = self._future_makers.count
        self._takers = OptionTakers(
            config.takers, of[4], self.board, self.fair, self.paths, makers + layers,
            self._opening_until_ns,
        )  # fmt: skip
        self._future_takers = FutureTakers(
            config.future_takers, of[5], self.board, self.fair, self.paths,
            makers + layers + self._takers.count, self._opening_until_ns,
        )  # fmt: skip
        self.owners: tuple[str, ...] = (
            *(f"maker-{number + 1}" for number in range(makers)),
            *(f"future-maker-{number + 1}" for number in range(layers)),
            *OPTION_TAKERS,
            *FUTURE_TAKERS,
        )
        self._now_ns = chain.opened_ns

    def premiums(self) -> list[float]:
        """Returns what must be remembered of the market: the paths follow from the seed."""
        return self.fair.premiums

    def resume(
        self, seen_ns: int, now_ns: int, premiums: list[float], listings: Sequence[Listing] = ()
    ) -> None:
        """Goes on after a restart: nobody traded meanwhile, while the index went its way."""
        assert self._now_ns <= seen_ns <= now_ns
        for listing in listings:
            self._advance(listing.at_ns)
            self.take_listing(listing)
        self._advance(seen_ns)
        self.fair.restore(seen_ns, premiums)
        self.paths.advance(now_ns)
        self.fair.refresh(now_ns)
        self._now_ns = now_ns
        arriving_ns = max(now_ns, self._opening_until_ns)
        self._takers.resume(arriving_ns)
        self._future_takers.resume(arriving_ns)

    def next_listing(self, since_ns: int, at_ns: int, strikes_max: int) -> Listing | None:
        outlook = self.fair.outlook(at_ns, self._now_ns)
        return next_listing(outlook, self.board, self.instruments, since_ns, at_ns, strikes_max)

    def take_listing(self, listing: Listing) -> None:
        """Goes on with new contracts, and without those that expired before."""
        self.listings.append(listing)
        self.instruments = (*self.instruments, *listing.instruments)
        before, self.board = self.board, Board(
            self.instruments, self.board.underlyings, listing.at_ns
        )  # fmt: skip
        rows = self.board.since(before)
        self.paths.relist(self.board, rows, listing.at_ns)
        self.fair.relist(self.board, listing, self._now_ns)
        self._makers.relist(self.board, rows)
        self._future_makers.relist(self.board, rows)
        self._takers.relist(self.board, rows)
        self._future_takers.relist(self.board)

    def _advance(self, now_ns: int) -> None:
        """Follows the paths to a time, in strides: they drop their past."""
        for at_ns in range(self._now_ns, now_ns, RESUME_STRIDE_NS):
            self.paths.advance(at_ns)
        self.paths.advance(now_ns)
        self._now_ns = now_ns

    def step(self, now_ns: int) -> None:
        """Moves the market on to `now_ns`; steps of 50 to 100 ms are meant."""
        assert now_ns >= self._now_ns, "market time went back"
        self._now_ns = now_ns
        self.paths.advance(now_ns)
        self.fair.refresh_if_due(now_ns)
        best = self._access.best()
        self._future_makers.step(now_ns, self._access, best)
        self._makers.step(now_ns, self._access, best)
        if now_ns >= self._opening_until_ns:
            self._takers.step(now_ns, self._access)
            self._future_takers.step(now_ns, self._access)

    def on_trade(
        self, instrument: int, taker_side: int, lots: int, maker: int, maker_left_lots: int
    ) -> None:
        """Takes note of any trade. `maker` is the crowd's number, -1 for one not of the crowd."""
        self._makers.on_trade(instrument, taker_side, lots)
        self._future_makers.on_trade(instrument, taker_side, lots)
        if 0 <= maker < self._makers.count:
            self._makers.on_fill(maker, instrument, taker_side, maker_left_lots)
        elif 0 <= maker - self._makers.count < self._future_makers.count:
            layer = maker - self._makers.count
            self._future_makers.on_fill(layer, instrument, taker_side, maker_left_lots)

    def index_usd(self, currency: str) -> float:
        return self.paths.index_usd(self.board.underlyings.index(currency))

    def forwards_usd(self) -> Floats:
        """Returns the forward of every instrument's expiry; the fair price of a future."""
        return self.fair.forwards_usd()

    def vols(self) -> Floats:
        """Returns the venue's mark volatility of every instrument; 0 for futures."""
        return self.fair.mark_vols

    def mark_residuals_coin(self) -> Floats:
        """Returns what to add to every instrument's model mark: what a recorded mark had beyond."""
        return self.fair.mark_residuals_coin(self._now_ns)


def paced(config: MarketConfig) -> MarketConfig:
    """Returns the configuration of a market so many times as busy: with a ratio of 1, its own.

    Trades, quotes and variance go together: a busy market is an ordinary one whose clock runs
    faster (Clark 1973; Ane, Geman 2000). Time to expiry is the calendar's."""
    ratio = config.activity_ratio
    if ratio == 1.0:
        return config
    root = ratio**0.5
    index, takers, others = config.index, config.takers, config.future_takers
    makers, layers = config.makers, config.future_makers
    replace = msgspec.structs.replace

    def sooner(ms: int) -> int:
        return max(round(ms / ratio), 1 if ms else 0)

    return replace(
        config,
        index=replace(
            index,
            level_sd_per_root_hour=index.level_sd_per_root_hour * root,
            skew_sd_per_root_hour=index.skew_sd_per_root_hour * root,
            term_sd_per_root_hour=index.term_sd_per_root_hour * root,
            carry_sd_per_root_hour=index.carry_sd_per_root_hour * root,
            expiry_shocks_per_hour=index.expiry_shocks_per_hour * ratio,
        ),
        makers=replace(
            makers,
            makers=tuple(
                replace(
                    one,
                    turn_ms=sooner(one.turn_ms),
                    lag_ms=sooner(one.lag_ms),
                    vol_lag_s=one.vol_lag_s / ratio,
                )
                for one in makers.makers
            ),
            think_ms=sooner(makers.think_ms),
            error_decay_s=makers.error_decay_s / ratio,
            pressure_decay_s=makers.pressure_decay_s / ratio,
        ),
        future_makers=replace(
            layers,
            layers=tuple(
                replace(one, turn_ms=sooner(one.turn_ms), lag_ms=sooner(one.lag_ms))
                for one in layers.layers
            ),
            push_decay_s=layers.push_decay_s / ratio,
        ),
        takers=replace(
            takers,
            noise_per_s=takers.noise_per_s * ratio,
            informed_per_s=takers.informed_per_s * ratio,
            surface_per_s=takers.surface_per_s * ratio,
        ),
        future_takers=replace(
            others,
            noise_per_s=others.noise_per_s * ratio,
            informed_per_s=others.informed_per_s * ratio,
        ),
    )


def _front_vols(chain: Chain, board: Board) -> list[float]:
    """Returns the at-the-money vol of each underlying's expiry nearest to REALISED_DAYS."""
    vols = []
    for part in board.slices:
        years = (board.option_expiry_ns[part] - chain.opened_ns) / NS_PER_YEAR
        off_tenor = np.abs(np.log(years * 365.0 / REALISED_DAYS))
        at = board.options[part]
        off_money = np.abs(np.log(board.option_strike[part] / chain.forwards_usd[at]))
        nearest = np.lexsort((off_money, off_tenor))[0]
        vols.append(float(chain.vols[at][nearest]))
    return vols
