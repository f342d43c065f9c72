"""How one underlying is quoted: half-spread, skew, sizes, range, and the protection window.

Half-spread of an option, coin per coin (native/include/hr_engine.h has the sources):
    fee + edge + vega * vol_half * tenor * wing * widening + |delta| * index uncertainty
with fee and edge capped as shares of the price, vol_half in volatility (0.003 = 0.3 points) at a
tenor of `vol_years`, growing as the square root towards shorter ones, and index uncertainty =
spot_sigmas standard deviations over spot_horizon_s. The reservation price is shifted by
    -(delta * a * D + vega * (b * V + c * V_expiry + d * V_region))
for book delta D and book vegas V, and by the same form for what was filled moments ago.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.message import NonNegative, Positive, Ratio
from shared.messages.pricing import SurfaceV1
from shared.messages.risk import LimitsV1

SPREAD_TERMS = ("edge_coin", "vol_half", "spot_sigmas")  # of the half-spread, beside the fee
HOUR_NS = 3600 * NS_PER_S
DAY_NS = 24 * HOUR_NS
WINDOW_SHARE_MAX = 0.25  # of a limit that one window may fill
PREEMPTION_RATIO = 0.8  # our own window trips at this share of the venue's
DIRECT = (
    "fee_coin",
    "fee_price_ratio",
    "edge_coin",
    "edge_price_ratio",
    "vol_half",
    "vol_years",
    "vol_wing_ratio",
    "vol_age_ratio_per_s",
    "spot_sigmas",
    "spot_horizon_s",
    "spot_vol_floor",
    "realised_half_life_s",
    "widen_ratio",
    "widen_max",
    "half_spread_coin_max",
    "away_ratio",
    "rounding_ratio",
    "patience_ratio",
    "improve_delta_max",
    "improve_years_max",
    "rival_relax_s",
    "skew_delta_ratio",
    "skew_vega_vol",
    "skew_term_vol",
    "skew_region_vol",
    "skew_half_spreads_max",
    "flow_delta_ratio",
    "flow_vega_vol",
    "flow_half_life_s",
    "taper_ratio",
    "move_urgent_ratio",
    "move_passive_ratio",
    "delta_min",
    "delta_max",
    "range_hysteresis",
    "theo_ticks_min",
    "gamma_window_ratio",
    "window_count",
    "amount_lots",
    "quoted_max",
)
SLICE = ("expiry_ns", "years", "forward_ratio", "a", "b", "rho", "m", "sigma")


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[market_making.BTC]`; amounts are coins of the underlying."""

    fee_coin: NonNegative = 0.0003
    fee_price_ratio: Ratio = 0.125
    edge_coin: NonNegative = 0.00003
    edge_price_ratio: Ratio = 0.1
    vol_half: NonNegative = 0.0002
    vol_years: Positive = 30 / 365
    vol_wing_ratio: NonNegative = 1.0
    vol_age_ratio_per_s: NonNegative = 0.05
    spot_sigmas: NonNegative = 0.6
    spot_horizon_s: NonNegative = 2.0
    spot_vol_floor: Positive = 0.2
    realised_half_life_s: Positive = 30.0
    widen_ratio: NonNegative = 4.0
    widen_max: Annotated[float, Meta(ge=1.0, le=100.0)] = 12.0
    fallback_wider_ratio: Annotated[float, Meta(ge=1.0, le=100.0)] = 3.0  # surface not trusted
    half_spread_coin_max: Positive = 0.02
    away_ratio: Annotated[float, Meta(ge=1.0, le=1000.0)] = 20.0
    rounding_ratio: Ratio = 1.0
    patience_ratio: Annotated[float, Meta(ge=1.0, le=100.0)] = 6.0
    improve_delta_max: Ratio = 0.55
    improve_years_max: NonNegative = 60 / 365
    rival_relax_s: Positive = 60.0
    skew_delta_ratio: NonNegative = 2e-5  # per coin
    skew_vega_vol: NonNegative = 3e-6  # per USD of vega
    skew_term_vol: NonNegative = 6e-6
    skew_region_vol: NonNegative = 3e-6
    skew_half_spreads_max: NonNegative = 6.0
    flow_delta_ratio: NonNegative = 5e-5
    flow_vega_vol: NonNegative = 2e-6
    flow_half_life_s: Positive = 5.0
    taper_ratio: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.5
    move_urgent_ratio: Ratio = 0.1
    move_passive_ratio: NonNegative = 0.02
    delta_min: Ratio = 0.05
    delta_max: Ratio = 0.95
    range_hysteresis: Ratio = 0.015
    theo_ticks_min: NonNegative = 4.0
    # Not quoted: options whose gamma, for all that one window lets through, is more of the limit.
    gamma_window_ratio: Positive = 0.5
    tenor_h_min: NonNegative = 1.0
    tenor_days_max: Positive = 400.0
    amount_lots: Annotated[int, Meta(ge=1, le=10**6)] = 8
    quoted_max: Annotated[int, Meta(ge=1, le=4096)] = 1000
    exposed_max: Annotated[int, Meta(ge=1, le=4096)] = 60  # beyond: one cancel beats many moves
    mmp_interval_s: Annotated[int, Meta(ge=1, le=60)] = 3
    mmp_quantity_coin: Positive = 15.0
    mmp_delta_coin: Positive = 2.5
    mmp_vega_usd: Positive = 2_500.0
    window_count: Annotated[int, Meta(ge=1, le=10_000)] = 60
    freeze_ms: Annotated[int, Meta(ge=0, le=60_000)] = 500
    value_usd_max: Positive = 2_000_000.0
    drift_coin_max: Positive = 0.05
    drift_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 60_000
    executions_max: Annotated[int, Meta(ge=1, le=10**6)] = 100
    executions_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 60_000


class Protection(msgspec.Struct, frozen=True):
    """The venue's protection window of one underlying, never wider than our limits allow."""

    interval_s: int
    quantity_coin: float
    delta_coin: float
    vega_usd: float


def protection(policy: Policy, limits: LimitsV1) -> Protection:
    """Returns the venue's window: delta and vega that one window may fill are a share of limits."""
    delta = min(policy.mmp_delta_coin, WINDOW_SHARE_MAX * limits.delta_coin_max)
    return Protection(
        interval_s=policy.mmp_interval_s,
        quantity_coin=policy.mmp_quantity_coin,
        delta_coin=min(delta, 0.9 * policy.mmp_quantity_coin),  # the venue's rule: below quantity
        vega_usd=min(policy.mmp_vega_usd, WINDOW_SHARE_MAX * limits.vega_usd_max),
    )


def policy_block(
    policy: Policy,
    limits: LimitsV1,
    version: int,
    quotes_per_s: float,
    quotes_burst: float,
    *,
    is_skewed: bool,
    is_wider: bool,
) -> dict[str, float]:
    """Returns the engine's policy block; its window trips before the venue's does."""
    window = protection(policy, limits)
    block: dict[str, float] = {name: getattr(policy, name) for name in DIRECT}
    block["amount_lots"] = min(policy.amount_lots, limits.quote_lots_max)
    if is_wider:
        block |= {term: block[term] * policy.fallback_wider_ratio for term in SPREAD_TERMS}
    return block | {
        "version": version,
        "quotes_per_s": quotes_per_s,
        "quotes_burst": quotes_burst,
        "window_quantity_coin": window.quantity_coin * PREEMPTION_RATIO,
        "window_delta_coin": window.delta_coin * PREEMPTION_RATIO,
        "window_vega_usd": window.vega_usd * PREEMPTION_RATIO,
        "window_ns": policy.mmp_interval_s * NS_PER_S,
        "freeze_ns": policy.freeze_ms * NS_PER_MS,
        "tenor_ns_min": int(policy.tenor_h_min * HOUR_NS),
        "tenor_ns_max": int(policy.tenor_days_max * DAY_NS),
        "is_skewed": is_skewed,
    }


def limits_block(policy: Policy, limits: LimitsV1) -> dict[str, float]:
    """Returns the gate's limits: risk's, and the hard ones of this service's own configuration."""
    return {
        "version": limits.version,
        "delta_coin_max": limits.delta_coin_max,
        "vega_usd_max": limits.vega_usd_max,
        "gamma_coin_per_usd_max": limits.gamma_coin_per_usd_max,
        "collar_vol": limits.collar_vol,
        "collar_coin": limits.collar_coin,
        "value_usd_max": policy.value_usd_max,
        "drift_coin_max": policy.drift_coin_max,
        "quote_lots_max": limits.quote_lots_max,
        "position_lots_max": limits.position_lots_max,
        "surface_age_ns_max": limits.surface_age_ns_max,
        "tick_age_ns_max": limits.tick_age_ns_max,
        "executions_max": policy.executions_max,
        "executions_ns": policy.executions_ms * NS_PER_MS,
        "drift_ns": policy.drift_ms * NS_PER_MS,
    }


def slice_blocks(surface: SurfaceV1) -> list[dict[str, float]]:
    """Returns the engine's block of each expiry."""
    return [{name: getattr(one, name) for name in SLICE} for one in surface.slices]
