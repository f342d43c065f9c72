"""The limits of one underlying, and where the book stands against them."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.messages.message import Count, NonNegative, Ns, Positive
from shared.messages.risk import LimitsV1, PortfolioV1

Standing = Literal["within", "soft", "hard"]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One underlying's limits.

    Above `soft_ratio` of a greek's limit quotes may only reduce; above `hard_ratio` of it, or
    beyond the loss, risk halts.
    """

    delta_coin_max: Positive
    vega_usd_max: Positive  # per volatility point
    gamma_coin_per_usd_max: Positive
    quote_lots_max: Annotated[int, Meta(ge=1, le=10**6)]
    position_lots_max: Annotated[int, Meta(ge=1, le=10**9)]
    loss_usd_max: Positive
    collar_vol: NonNegative = 0.15
    collar_coin: NonNegative = 0.002
    surface_age_ns_max: Ns = 5_000_000_000
    tick_age_ns_max: Ns = 3_000_000_000
    soft_ratio: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.8
    hard_ratio: Annotated[float, Meta(ge=1.0, le=100.0)] = 2.0


def limits_message(limits: Limits, underlying: str, version: Count, created_ns: int) -> LimitsV1:
    return LimitsV1(
        created_ns=created_ns,
        underlying=underlying,
        version=version,
        delta_coin_max=limits.delta_coin_max,
        vega_usd_max=limits.vega_usd_max,
        gamma_coin_per_usd_max=limits.gamma_coin_per_usd_max,
        quote_lots_max=limits.quote_lots_max,
        position_lots_max=limits.position_lots_max,
        collar_vol=limits.collar_vol,
        collar_coin=limits.collar_coin,
        surface_age_ns_max=limits.surface_age_ns_max,
        tick_age_ns_max=limits.tick_age_ns_max,
        author="configuration",
    )


def says_the_same(one: LimitsV1, other: LimitsV1) -> bool:
    """Returns whether two versions set the same limits."""
    return msgspec.structs.replace(one, created_ns=0, version=0) == msgspec.structs.replace(
        other, created_ns=0, version=0
    )


def standing(limits: Limits, portfolio: PortfolioV1) -> tuple[Standing, str]:
    """Returns how the book's worst greek stands, and which it is."""
    used = {
        "delta": abs(portfolio.delta_coin) / limits.delta_coin_max,
        "vega": abs(portfolio.vega_usd) / limits.vega_usd_max,
        "gamma": abs(portfolio.gamma_coin_per_usd) / limits.gamma_coin_per_usd_max,
    }
    name, ratio = max(used.items(), key=lambda item: item[1])
    if ratio > limits.hard_ratio:
        return "hard", f"{name} at {ratio:.2f} of its limit"
    if ratio > limits.soft_ratio:
        return "soft", f"{name} at {ratio:.2f} of its limit"
    return "within", ""
