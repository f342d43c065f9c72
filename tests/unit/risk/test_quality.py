"""What risk measures of the desk's quotes: adverse selection, two-sidedness, spreads."""

import msgspec
import pytest

from services.risk.core import Config, Risk
from services.risk.markouts import Markouts
from services.risk.quote_quality import QuoteQuality, tenor_of
from shared.clock import NS_PER_S
from shared.messages.market import Tick
from shared.messages.quoting import Quote, QuotesV1
from tests.unit.risk.samples import (
    CALL,
    NOW,
    PUT,
    feed,
    fill,
    instruments,
    option,
    surface,
    ticks,
)

DAY_NS = 24 * 3600 * NS_PER_S


def marks(now, mark, index=100_000.0):
    tick = Tick(CALL, 0, 0, 0, 0, mark, 0.6, now)
    return msgspec.structs.replace(ticks(now, index), ticks=(tick,))


def told(readings):
    return {(one.name, one.labels): one.value for one in readings}


def test_a_markout_is_the_later_mark_less_that_of_the_fill_in_dollars():
    markouts = Markouts("BTC")
    call = option(CALL, 100_000.0, True)
    markouts.take(fill(1, side="buy", lots=10), call)  # one coin, marked 0.07
    markouts.take(fill(2, side="sell", lots=10), call)
    markouts.take(fill(3, side="sell", lots=20), call)
    markouts.on_ticks(marks(NOW + NS_PER_S, 0.08))
    markouts.on_ticks(marks(NOW + 10 * NS_PER_S, 0.06, index=90_000.0))
    found = told(markouts.readings())
    assert found["markout_usd", ("BTC", "1s")] == pytest.approx(-2 * 0.01 * 100_000.0)
    assert found["markout_usd", ("BTC", "10s")] == pytest.approx(2 * 0.01 * 90_000.0)
    assert found["markout_fill", ("BTC", "10s")] == 3
    assert found["markout_fill", ("BTC", "60s")] == 0


def test_hedges_and_fills_without_a_mark_have_no_markout():
    markouts = Markouts("BTC")
    call = option(CALL, 100_000.0, True)
    markouts.take(fill(1, is_quote=False), call)
    markouts.take(msgspec.structs.replace(fill(2), mark_price=0.0), call)
    markouts.take(fill(3), None)
    markouts.on_ticks(marks(NOW + 100 * NS_PER_S, 0.08))
    assert set(told(markouts.readings()).values()) == {0}


def risk_with(quotes, *, is_full=True):
    risk = Risk(Config(), ("BTC",))
    for batch in instruments():
        list(risk.on_instruments(batch))
    list(risk.on_ticks(ticks()))
    list(risk.on_surface(surface()))
    list(
        risk.on_quotes(
            QuotesV1(
                created_ns=NOW, underlying="BTC", sequence=1, surface_version=1, surface_age_ns=0,
                is_full=is_full, quotes=quotes,
            )
        )
    )  # fmt: skip
    return risk


TWO_SIDED = Quote(CALL, 690, 5, 710, 5, 0.07)
ONE_SIDED = Quote(PUT, 0, 0, 310, 5, 0.03)


def test_two_sidedness_is_of_the_options_that_makers_are_held_to():
    found = told(risk_with((TWO_SIDED, ONE_SIDED)).readings(NOW))
    assert found["quote_two_sided_ratio", ("BTC", "1m")] == 0.5


def test_a_spread_is_told_in_volatility():
    found = told(risk_with((TWO_SIDED,)).readings(NOW))
    spread_usd = 20 * 0.0001 * 101_000.0  # 20 ticks of 0.0001 coin, at the forward
    vega_usd = found["quote_spread_vol", ("BTC", "1m", "35-65")]
    assert spread_usd / vega_usd == pytest.approx(11_500, rel=0.05)  # a Black-76 vega at the money


def test_quotes_that_nobody_speaks_of_any_more_are_gone():
    risk = risk_with((TWO_SIDED,))
    later = NOW + 13 * NS_PER_S
    assert told(risk.readings(later))["quote_two_sided_ratio", ("BTC", "1m")] == 0.0


def test_before_a_quote_there_is_nothing_to_say():
    quality = QuoteQuality("BTC")
    assert (
        list(quality.readings(Risk(Config(), ("BTC",)).underlyings["BTC"].portfolio.market, 1))
        == []
    )


def test_tenors_are_bands_of_time_to_expiry():
    names = [tenor_of(days * DAY_NS) for days in (1, 7, 30, 90, 300)]
    assert names == ["1d", "1w", "1m", "1q", "1y"]


def test_a_lease_that_was_never_given_is_not_told_of():
    risk = Risk(Config(), ("BTC",))
    list(risk.on_feed(feed()))
    found = told(risk.readings(NOW))
    assert ("lease_refused", ("BTC",)) not in found
    assert found["feed_up", ()] is True
    assert found["halt_active", ("BTC",)] is False
