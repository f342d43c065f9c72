"""What risk shows of one underlying: the book against its limits, P&L, lease, market, venue."""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from services.risk.limits import Limits
from services.risk.markouts import Markouts
from services.risk.portfolio import Portfolio
from services.risk.quote_quality import QuoteQuality
from services.risk.reconciliation import Reconciliation
from shared.clock import NS_PER_S
from shared.messages.risk import PortfolioV1
from shared.service import Reading


class Known(Protocol):
    """What is read of an underlying."""

    name: str
    limits: Limits
    portfolio: Portfolio
    reconciliation: Reconciliation
    markouts: Markouts
    quality: QuoteQuality
    refusal: str
    lease_expires_ns: int
    loss_floor_usd: float

    @property
    def is_halted(self) -> bool: ...


def readings(known: Known, now_ns: int) -> Iterator[Reading]:
    here = (known.name,)
    market = known.portfolio.market
    yield Reading("halt_active", known.is_halted, here)
    yield Reading("reconciliation_broken", known.reconciliation.is_broken, here)
    yield Reading("reconciliation_checked", known.reconciliation.check_count, here)
    yield Reading("fill_booked", known.portfolio.positions.fill_count, here)
    if known.lease_expires_ns:
        yield Reading("lease_refused", bool(known.refusal), here)
        left_s = (known.lease_expires_ns - now_ns) / NS_PER_S
        yield Reading("lease_left_seconds", left_s, here)
    if market.ticks_ns:
        yield Reading("tick_age_seconds", (now_ns - market.ticks_ns) / NS_PER_S, here)
    if market.surface_ns:
        yield Reading("surface_age_seconds", (now_ns - market.surface_ns) / NS_PER_S, here)
    if known.portfolio.told is not None:
        yield from _book(known, known.portfolio.told)
    yield from known.markouts.readings()
    yield from known.quality.readings(market, now_ns)


def _book(known: Known, held: PortfolioV1) -> Iterator[Reading]:
    """Of what was published last, some milliseconds ago: nothing is valued for who looks."""
    name, limits = known.name, known.limits
    yield Reading("greek_coin", held.delta_coin, (name, "delta"))
    yield Reading("greek_coin", held.gamma_coin_per_usd, (name, "gamma"))
    yield Reading("greek_usd", held.vega_usd, (name, "vega"))
    yield Reading("greek_usd", held.theta_usd_per_day, (name, "theta"))
    loss_usd = max(0.0, known.loss_floor_usd - known.portfolio.total_usd())
    used = {
        "delta": abs(held.delta_coin) / limits.delta_coin_max,
        "gamma": abs(held.gamma_coin_per_usd) / limits.gamma_coin_per_usd_max,
        "vega": abs(held.vega_usd) / limits.vega_usd_max,
        "loss": loss_usd / limits.loss_usd_max,
    }
    for limit, ratio in used.items():
        yield Reading("limit_used_ratio", ratio, (name, limit))
    terms = known.portfolio.explain.terms(known.portfolio.explain.usd)
    for term, usd in msgspec.structs.asdict(terms).items():
        yield Reading("pnl_usd", usd, (name, term))
