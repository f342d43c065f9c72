"""The fair surface: what every option is truly worth now, and what the venue's marks know of it.

Smiles move with the forward (an option has the volatility of its log-moneyness), and by the level,
skew, term and expiry factors of the latent paths. The venue's mark volatilities follow the fair
ones with a short lag.
"""

import math
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from native.pricing import black76_batch
from services.venue.market.board import Board
from services.venue.market.chain import Chain
from services.venue.market.index import Paths
from services.venue.market.new_expiries import Listing, Outlook, log_moneyness
from services.venue.market.smiles import Smiles
from shared.clock import NS_PER_S, NS_PER_YEAR

Floats = NDArray[np.float64]

VOL_MIN = 0.05
VOL_MAX = 5.0
YEARS_MIN = 1e-6  # half a minute
DAY_YEARS = 1.0 / 365.0
ALL = slice(None)


class FairConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    refresh_ms: Annotated[int, Meta(ge=50, le=10_000)] = 1000
    mark_lag_s: Annotated[float, Meta(ge=0.0, le=60.0)] = 1.5
    residual_decay_s: Annotated[float, Meta(gt=0.0, le=3600.0)] = 20.0
    premium_sd_bps: Annotated[float, Meta(ge=0.0, le=100.0)] = 1.2  # of the perpetual
    premium_decay_s: Annotated[float, Meta(gt=0.0, le=1e5)] = 600.0


class FairSurface:
    """Columns run over options; `coin` and `net_delta` hold at `reference_usd`."""

    def __init__(
        self,
        config: FairConfig,
        random: np.random.Generator,
        board: Board,
        chain: Chain,
        paths: Paths,
    ) -> None:
        self._config = config
        self._random = random
        self._board = board
        self._paths = paths
        self._opened_ns = chain.opened_ns
        self._opening_ns = round(chain.opening_s * NS_PER_S)
        index = np.array([chain.index_usd[name] for name in board.underlyings])
        self._ratios = chain.forwards_usd / index[board.underlying]  # (instrument,) at the open
        self._residuals = chain.mark_residuals_coin
        self._premiums = np.zeros(len(board.underlyings))  # of the perpetuals
        self._log_moneyness = log_moneyness(chain.instruments, chain.forwards_usd)
        self._base_vols = chain.vols  # (instrument,), of the smiles
        self._smile()
        self.vol: Floats = chain.vols[board.options].copy()
        self.mark_vols: Floats = chain.vols.copy()  # (instrument,)
        self.reference_usd = index.copy()  # (underlying,): the index that the columns hold at
        self.refreshed_ns = 0
        self.refresh(chain.opened_ns)

    def outlook(self, at_ns: int, now_ns: int) -> Outlook:
        """Returns what the market makes of dates that are not listed yet."""
        board, paths = self._board, self._paths
        offset_s = (at_ns - now_ns) / NS_PER_S
        usd = [paths.index_usd(at, round(offset_s * 1000)) for at in range(len(board.underlyings))]
        carry = paths.factors(offset_s)[:, 3].tolist()
        return Outlook(board, self._smiles, self._ratios, usd, carry, at_ns)

    def relist(self, board: Board, listing: Listing, now_ns: int) -> None:
        """Goes on with the board of now; the paths have done so."""
        self._board = board
        self._ratios = np.append(self._ratios, listing.ratios)
        self._residuals = np.append(self._residuals, np.zeros(len(listing.instruments)))
        places = log_moneyness(listing.instruments, np.array(listing.forwards_usd))
        self._log_moneyness = np.append(self._log_moneyness, places)
        self._base_vols = np.append(self._base_vols, listing.vols)
        self.mark_vols = np.append(self.mark_vols, listing.vols)
        self._smile()
        self.refresh(now_ns)

    @property
    def premiums(self) -> list[float]:
        """The perpetuals' premiums over the index; all else follows from paths and time."""
        premiums: list[float] = self._premiums.tolist()
        return premiums

    def restore(self, now_ns: int, premiums: list[float]) -> None:
        """Goes on from where a market stood when it was seen last; the paths are there too."""
        self.refresh(now_ns)
        self._premiums = np.array(premiums)

    def refresh_if_due(self, now_ns: int) -> bool:
        """Reprices all options when it is time, or when the index has jumped."""
        late = now_ns - self.refreshed_ns >= self._config.refresh_ms * 1_000_000
        moved = any(
            abs(self._paths.index_usd(at) / usd - 1.0) > 5e-4
            for at, usd in enumerate(self.reference_usd)
        )
        if late or moved:
            self.refresh(now_ns)
        return late or moved

    def refresh(self, now_ns: int) -> None:
        """Reprices all options at this moment's index and factors."""
        board = self._board
        elapsed_s = (now_ns - self.refreshed_ns) / NS_PER_S if self.refreshed_ns else 0.0
        self.refreshed_ns = now_ns
        self.reference_usd = np.array(
            [self._paths.index_usd(at) for at in range(len(board.underlyings))]
        )
        self._move_premiums(now_ns, elapsed_s)
        carry = self._paths.factors()[:, 3]
        to_expiry = np.maximum((board.expiry_ns - now_ns) / NS_PER_YEAR, 0.0)
        self._forward_ratios = self._ratios * np.exp(carry[board.underlying] * to_expiry)
        perpetuals = board.futures[board.future_is_perpetual]
        self._forward_ratios[perpetuals] = 1.0 + self._premiums[board.underlying[perpetuals]]

        self.forward = (
            self.reference_usd[board.option_underlying] * self._forward_ratios[board.options]
        )
        self.years = np.maximum((board.option_expiry_ns - now_ns) / NS_PER_YEAR, YEARS_MIN)
        log_moneyness = np.log(board.option_strike / self.forward)
        lean = log_moneyness / np.sqrt(np.maximum(self.years, DAY_YEARS))
        self._lean = np.clip(lean / 0.5, -3.0, 3.0)  # how far the skew factor moves an option
        days = np.maximum((board.expiry_date_ns - now_ns) / (86_400 * NS_PER_S), 0.5)
        self._near = np.clip((30.0 / days) ** 0.35, 0.4, 2.0)  # and the level factor an expiry
        self._tilt = np.clip(np.log(days / 30.0) / 3.0, -1.2, 1.0)  # and the term factor
        self._base_vol = self._smiles.at(log_moneyness)
        self.vol = self.vol_after(0.0)
        greeks = black76_batch(
            self.forward, board.option_strike, self.years, self.vol, board.option_is_call
        )
        self.coin = greeks.price / self.forward
        self.delta = greeks.delta.copy()
        self.net_delta = self.delta - self.coin  # coin of P&L per relative move of the index
        self.vega = greeks.vega / self.forward  # coin per 1.0 of vol
        keep = math.exp(-elapsed_s / self._config.mark_lag_s) if self._config.mark_lag_s else 0.0
        marks = self.mark_vols[board.options]
        self.mark_vols[board.options] = self.vol + keep * (marks - self.vol)

    def vol_after(self, offset_s: float, part: slice = ALL) -> Floats:
        """Returns fair vols at the present forwards, with the factors of `offset_s` from now."""
        board = self._board
        level, skew, term = self._paths.factors(offset_s).T[:3]
        of = board.expiry_underlying
        by_expiry = level[of] * self._near + term[of] * self._tilt
        by_expiry += self._paths.expiry_factors(offset_s)
        move = by_expiry[board.option_expiry[part]]
        move += skew[board.option_underlying[part]] * self._lean[part]
        vols: Floats = np.clip(self._base_vol[part] * np.exp(move), VOL_MIN, VOL_MAX)
        return vols

    def coin_at(self, offset_ms: int = 0) -> Floats:
        """Returns fair coin prices (option,) with the index of `offset_ms` from now, by delta."""
        parts = [self.coin_of(at, part, offset_ms) for at, part in enumerate(self._board.slices)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def coin_of(self, underlying: int, part: slice, offset_ms: int = 0) -> Floats:
        """Returns the fair coin prices of some options of one underlying."""
        usd = self._paths.index_usd(underlying, offset_ms)
        prices: Floats = self.net_delta[part] * (usd / self.reference_usd[underlying] - 1.0)
        prices += self.coin[part]
        return prices

    def forwards_usd(self) -> Floats:
        """Returns each instrument's forward (instrument,); the fair price of futures."""
        board = self._board
        now = np.array([self._paths.index_usd(at) for at in range(len(board.underlyings))])
        forwards: Floats = now[board.underlying] * self._forward_ratios
        return forwards

    def mark_residuals_coin(self, now_ns: int) -> Floats:
        """Returns what a recorded mark had beyond the model (instrument,); it fades."""
        since_ns = now_ns - self._opened_ns - self._opening_ns
        fade_s = max(since_ns, 0) / NS_PER_S / self._config.residual_decay_s
        residuals: Floats = self._residuals * (math.exp(-fade_s) if fade_s < 20.0 else 0.0)
        return residuals

    def _smile(self) -> None:
        at = self._board.options
        self._smiles = Smiles(self._board, self._log_moneyness[at], self._base_vols[at])

    def _move_premiums(self, now_ns: int, elapsed_s: float) -> None:
        draws = self._random.standard_normal(len(self._premiums))
        if now_ns - self._opened_ns < self._opening_ns:
            return
        keep = math.exp(-elapsed_s / self._config.premium_decay_s)
        sd = self._config.premium_sd_bps * 1e-4 * math.sqrt(1.0 - keep**2)
        self._premiums = keep * self._premiums + sd * draws
