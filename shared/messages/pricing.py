"""The volatility surface and a trader's word on it."""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from shared.messages.message import (
    Count,
    Delivery,
    Finite,
    Message,
    Name,
    NonNegative,
    Ns,
    Positive,
    Ratio,
    Text,
    Underlying,
)


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One expiry in raw SVI (Gatheral): w(k) = a + b(rho(k-m) + sqrt((k-m)^2 + sigma^2)), with w
    total variance to expiry and k = ln(strike/forward). Volatility = sqrt(w/years)."""

    expiry_ns: Ns
    years: Positive  # to expiry at the time of the fit, ACT/365
    forward_ratio: Positive  # forward / index at the time of the fit
    a: Finite
    b: NonNegative
    rho: Annotated[float, Meta(ge=-1.0, le=1.0)]
    m: Finite
    sigma: Positive
    rmse_vol: NonNegative
    inside_ratio: Ratio  # share of two-sided options with the model inside bid-ask


class SurfaceV1(Message, frozen=True, kw_only=True, tag="pricing.surface.v1"):
    """The whole surface of an underlying. Readers take it whole; `version` grows by one."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    underlying: Underlying
    version: Count
    market_ns: Ns  # venue time of the newest tick in the fit
    index_usd: Positive
    slices: Annotated[tuple[Slice, ...], Meta(max_length=64)]
    is_butterfly_free: bool
    is_calendar_free: bool
    fit_us: NonNegative
    is_fallback: bool = False  # True: the last good surface again, a newer fit failed

    def key(self) -> str:
        return self.underlying


class OverrideV1(Message, frozen=True, kw_only=True, tag="pricing.override.v1"):
    """A trader moves one expiry: `shift_vol` up in volatility points (0.01 = 1 point) at the
    forward, `skew_vol` more volatility per unit of log-moneyness. Lapses at `expires_ns`."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    override_id: Name
    underlying: Underlying
    expiry_ns: Ns
    shift_vol: Annotated[float, Meta(ge=-0.5, le=0.5)]
    skew_vol: Annotated[float, Meta(ge=-1.0, le=1.0)]
    author: Text
    expires_ns: Ns

    def key(self) -> str:
        return self.underlying

    def message_id(self) -> str:
        return f"override-{self.override_id}"
