"""Positions, greeks, P&L, limits, the quoting lease, halts and alerts: risk's own word."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from shared.messages.message import (
    CoinE12,
    Count,
    Delivery,
    Finite,
    Message,
    Name,
    NameOrEmpty,
    NonNegative,
    Ns,
    SignedLots,
    Text,
    Underlying,
)


class Position(msgspec.Struct, frozen=True, array_like=True):
    instrument: Name
    position_lots: SignedLots


class PortfolioV1(Message, frozen=True, kw_only=True, tag="risk.portfolio.v1"):
    """Positions and greeks of one underlying, from fills alone. Deltas are in coin: net
    transaction delta (N(d1) less the coin price) for options, amount/price for inverse futures."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    underlying: Underlying
    positions: Annotated[tuple[Position, ...], Meta(max_length=4096)]
    fill_count: Count
    last_trade_id: NameOrEmpty
    delta_coin: Finite
    option_delta_coin: Finite
    gamma_coin_per_usd: Finite  # d(delta_coin)/d(index_usd)
    vega_usd: Finite  # per volatility point (0.01)
    theta_usd_per_day: Finite
    value_coin: Finite  # open positions at model value
    cash_coin_e12: CoinE12
    index_usd: NonNegative
    surface_version: Count

    def key(self) -> str:
        return self.underlying


class ScenariosV1(Message, frozen=True, kw_only=True, tag="risk.scenarios.v1"):
    """P&L in USD over spot x vol x time; `pnl_usd` is (spot, vol, time) in C order."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    underlying: Underlying
    spot_moves_ratio: Annotated[tuple[Finite, ...], Meta(max_length=64)]
    vol_moves: Annotated[tuple[Finite, ...], Meta(max_length=64)]
    horizons_ns: Annotated[tuple[Ns, ...], Meta(max_length=16)]
    pnl_usd: Annotated[tuple[Finite, ...], Meta(max_length=4096)]
    worst_pnl_usd: Finite

    def key(self) -> str:
        return self.underlying


class PnlTerms(msgspec.Struct, frozen=True, kw_only=True):
    """P&L explain since start, one unit throughout. Sum of terms = total."""

    edge: Finite
    delta: Finite
    gamma: Finite
    vega: Finite
    theta: Finite
    cross: Finite
    hedging: Finite
    fees: Finite
    residual: Finite
    total: Finite


class PnlV1(Message, frozen=True, kw_only=True, tag="risk.pnl.v1"):
    delivery: ClassVar[Delivery] = Delivery.STATE

    underlying: Underlying
    coin: PnlTerms
    usd: PnlTerms
    gross_usd: NonNegative  # sum of absolute increments of the terms, residual left out
    residual_gross_usd: NonNegative  # sum of absolute residual increments
    is_final: bool = False
    worth_coin: Finite | None = None  # cash and value, of the valuation that the terms explain

    def key(self) -> str:
        return self.underlying


class LimitsV1(Message, frozen=True, kw_only=True, tag="risk.limits.v1"):
    """What quoting and hedging must stay within for one underlying."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    underlying: Underlying
    version: Count
    delta_coin_max: NonNegative
    vega_usd_max: NonNegative
    gamma_coin_per_usd_max: NonNegative
    quote_lots_max: Count
    position_lots_max: Count  # per instrument
    collar_vol: NonNegative  # furthest a quote may be from the model, volatility points (0.01 = 1)
    collar_coin: NonNegative  # and never less than this many coins
    surface_age_ns_max: Ns
    tick_age_ns_max: Ns
    author: Text

    def key(self) -> str:
        return self.underlying


class LeaseV1(Message, frozen=True, kw_only=True, tag="risk.lease.v1"):
    """Leave to quote until `expires_ns` of desk time. Without a live lease there are no quotes."""

    delivery: ClassVar[Delivery] = Delivery.LOSSY

    underlying: Underlying
    sequence: Count
    state: Literal["active", "reducing"]
    expires_ns: Ns

    def key(self) -> str:
        return self.underlying


class HaltV1(Message, frozen=True, kw_only=True, tag="risk.halt.v1"):
    """Stop (or, by a person's word, go on). Latched: the newest one counts, over restarts."""

    delivery: ClassVar[Delivery] = Delivery.DURABLE

    halt_id: Name
    underlying: Annotated[str, Meta(max_length=12, pattern=r"^([A-Z0-9]+|all)$")]
    action: Literal["halt", "resume"]
    reason: Text
    author: Text

    def message_id(self) -> str:
        return f"halt-{self.halt_id}"


class AlertV1(Message, frozen=True, kw_only=True, tag="risk.alert.v1"):
    delivery: ClassVar[Delivery] = Delivery.DURABLE

    alert_id: Name
    name: Name
    severity: Literal["page", "ticket", "info"]
    text: Text
    source: Name

    def message_id(self) -> str:
        return f"alert-{self.alert_id}"


class ReconciliationV1(Message, frozen=True, kw_only=True, tag="risk.reconciliation.v1"):
    """Risk's positions and cash against the venue's account, every time both are quiet."""

    delivery: ClassVar[Delivery] = Delivery.STATE

    currency: Underlying
    check_count: Count
    break_count: Count
    is_equal: bool
    detail: Text
    cash_difference_coin_e12: CoinE12

    def key(self) -> str:
        return self.currency
