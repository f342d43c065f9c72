"""The explain: terms sum to the change of cash and value, and leave next to nothing over."""

import math
import random

from services.risk.core import Config, Risk
from shared.clock import NS_PER_S
from shared.messages.desk import TimerV1
from tests.unit.risk.samples import CALL, NOW, PERPETUAL, PUT, fill, surface, ticks
from tests.unit.risk.test_core import give, ready


def random_day(seed, seconds, index_vol=0.6, jump=0.0):
    """Walks index, basis, level and skew of the surface, with fills on the way."""
    dice = random.Random(seed)
    risk = ready()
    book = risk.underlyings["BTC"].portfolio
    index, vol, skew = 100_000.0, 0.6, -0.1
    for second in range(1, seconds + 1):
        now = NOW + second * NS_PER_S
        index *= math.exp(index_vol / math.sqrt(365 * 86400) * dice.gauss(0, 1))
        if jump and second % 60 == 0:
            index *= 1.0 + dice.choice((-jump, jump))
        vol = max(0.2, vol + 0.0003 * dice.gauss(0, 1))
        skew = min(0.9, max(-0.9, skew + 0.001 * dice.gauss(0, 1)))
        give(risk, ticks(now, index, index * 1.0005), surface(now, second + 1, vol, skew))
        if second % 5 == 0:
            name = dice.choice((CALL, PUT))
            value = 0.07 if name == CALL else 0.03
            give(
                risk,
                fill(
                    second,
                    name,
                    dice.choice(("buy", "sell")),
                    dice.randint(1, 20),
                    round(value * 1e4) + dice.randint(-30, 30),
                    now,
                    fee=3 * 10**7,
                ),
            )
        if second % 11 == 0:
            give(
                risk,
                fill(
                    -second,
                    PERPETUAL,
                    dice.choice(("buy", "sell")),
                    5000,
                    round(index * 2),
                    now,
                    is_quote=False,
                    fee=10**6,
                ),
            )
        book.revalue(now)
    return book


def test_terms_sum_to_the_change_of_cash_and_value_in_coin_and_dollars():
    book = random_day(1, 600)
    pnl = book.pnl(NOW)
    assert abs(pnl.coin.total - book.total_coin()) < 1e-10
    assert abs(pnl.usd.total - book.total_coin() * book.explain.index_usd) < 1e-5
    for terms in (pnl.coin, pnl.usd):
        parts = [getattr(terms, name) for name in terms.__struct_fields__ if name != "total"]
        assert abs(math.fsum(parts) - terms.total) < 1e-9


def test_the_residual_is_below_a_hundredth_of_the_gross_terms():
    for seed in range(3):
        pnl = random_day(seed, 300).pnl(NOW)
        assert pnl.residual_gross_usd < 0.01 * pnl.gross_usd
        assert pnl.gross_usd > 1000.0


def test_the_residual_stays_small_through_jumps():
    pnl = random_day(7, 300, jump=0.03).pnl(NOW)
    assert pnl.residual_gross_usd < 0.01 * pnl.gross_usd


def test_edge_is_model_less_price_and_hedging_mark_less_price():
    risk = ready()
    book = risk.underlyings["BTC"].portfolio
    (portfolio,) = give(risk, fill(1, price_ticks=600))
    edge = portfolio.value_coin - 0.06
    assert abs(book.pnl(NOW).coin.edge - edge) < 1e-12
    give(risk, fill(2, PERPETUAL, "buy", 10_000, 200_200, is_quote=False, fee=5 * 10**8))
    pnl = book.pnl(NOW)
    assert abs(pnl.coin.hedging - (100_000 / 100_100 - 1.0)) < 1e-9
    assert pnl.coin.fees == -0.0005


def test_gamma_and_theta_of_a_held_option_have_their_signs():
    risk = Risk(Config(), ("BTC",))
    risk = ready()
    give(risk, fill(1))
    for step in range(1, 241):
        now = NOW + step * 60 * NS_PER_S
        index = 100_000.0 * (1.002 if step % 2 else 1.0)
        give(risk, ticks(now, index), surface(now, step + 1))
        list(risk.on_value_timer(TimerV1(created_ns=now)))
    pnl = risk.underlyings["BTC"].portfolio.pnl(NOW)
    assert pnl.usd.gamma > 0.0 > pnl.usd.theta
