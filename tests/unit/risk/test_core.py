"""Risk's rules, messages in and messages out."""

from services.risk.breakers import Breakers
from services.risk.core import Config, Risk
from services.risk.limits import Limits
from shared.breaker import State
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.risk import AlertV1, HaltV1, LeaseV1, LimitsV1, PnlV1, PortfolioV1
from tests.unit.risk.samples import (
    CALL,
    EXPIRY,
    NOW,
    PERPETUAL,
    PUT,
    account,
    feed,
    fill,
    instruments,
    surface,
    ticks,
)  # fmt: skip

HANDLERS = {
    "InstrumentsV1": "on_instruments", "FillV1": "on_fill", "TicksV1": "on_ticks",
    "SurfaceV1": "on_surface", "AccountV1": "on_account", "FeedV1": "on_feed",
    "HaltV1": "on_halt", "LimitsV1": "on_limits", "PnlV1": "on_pnl", "QuotesV1": "on_quotes",
}  # fmt: skip


def give(risk, *messages):
    return [
        out for message in messages
        for out in getattr(risk, HANDLERS[type(message).__name__])(message)
    ]  # fmt: skip


def ready(config=None):
    risk = Risk(config or Config(), ("BTC",))
    give(risk, *instruments(), ticks(), surface(), feed())
    value(risk, NOW)
    return risk


def value(risk, now):
    return list(risk.on_value_timer(TimerV1(created_ns=now)))


def lease_of(risk, now):
    return list(risk.on_lease_timer(TimerV1(created_ns=now)))


def of(kind, outputs):
    return [out for out in outputs if isinstance(out, kind)]


def limits(**changes):
    base = {
        "delta_coin_max": 10.0, "vega_usd_max": 1e6, "gamma_coin_per_usd_max": 1.0,
        "quote_lots_max": 50, "position_lots_max": 1000, "loss_usd_max": 1e6,
    }  # fmt: skip
    return Config(BTC=Limits(**{**base, **changes}))


def test_a_fill_changes_the_position_at_once():
    (portfolio,) = give(ready(), fill(1))
    assert portfolio.positions[0].instrument == CALL
    assert portfolio.positions[0].position_lots == 10
    assert portfolio.fill_count == 1
    assert portfolio.cash_coin_e12 == -70_000_000_000


def test_a_doubled_fill_counts_once():
    risk = ready()
    assert len(give(risk, fill(1), fill(1))) == 1


def test_fills_in_any_order_give_the_same_book():
    fills = [
        fill(1, now=NOW + 1), fill(2, PUT, "sell", 5, 100, NOW + 2),
        fill(3, PERPETUAL, "sell", 1000, 200_000, NOW + 3, False),
        fill(4, PERPETUAL, "buy", 400, 200_100, NOW + 4, False),
    ]  # fmt: skip
    one, other = ready(), ready()
    give(one, *fills)
    give(other, *reversed(fills))
    first, second = (risk.underlyings["BTC"].portfolio.positions for risk in (one, other))
    assert first.open_lots() == second.open_lots()
    assert first.cash_coin_e12 == second.cash_coin_e12
    assert first.venue_cash_coin() == second.venue_cash_coin()
    assert first.last_trade_id == second.last_trade_id == "T4"


def test_a_fill_before_its_instrument_waits_for_it():
    risk = Risk(Config(), ("BTC",))
    give(risk, fill(1))
    give(risk, *instruments())
    assert risk.underlyings["BTC"].portfolio.positions.open_lots() == {CALL: 10}


def test_delta_is_the_venues_net_transaction_delta():
    (portfolio,) = give(ready(), fill(1))
    later = ready()
    give(later, ticks(NOW, 100_100.0, 100_000.0))
    give(later, fill(1))
    up = later.underlyings["BTC"].portfolio.message(NOW)
    slope = (up.value_coin - portfolio.value_coin) / 100.0 * 100_000.0
    assert abs(slope - portfolio.delta_coin) < 5e-3  # convexity, and the vol moves along the smile
    gamma = (up.delta_coin - portfolio.delta_coin) / 100.0
    assert abs(gamma - portfolio.gamma_coin_per_usd) < 0.2 * abs(gamma)


def test_a_lease_needs_fresh_ticks_a_fresh_surface_and_the_venue():
    risk = ready()
    (lease,) = lease_of(risk, NOW + 100 * NS_PER_MS)
    assert lease.state == "active"
    assert 600 * NS_PER_MS <= lease.expires_ns - lease.created_ns <= 1000 * NS_PER_MS
    assert not of(LeaseV1, lease_of(risk, NOW + 4 * NS_PER_S))
    give(risk, ticks(NOW + 4 * NS_PER_S), surface(NOW + 4 * NS_PER_S, 2), feed(NOW + 4 * NS_PER_S))
    assert of(LeaseV1, lease_of(risk, NOW + 4 * NS_PER_S))
    give(risk, feed(NOW + 4 * NS_PER_S, is_connected=False))
    (alert,) = lease_of(risk, NOW + 4 * NS_PER_S)
    assert isinstance(alert, AlertV1)


def test_a_soft_limit_makes_the_lease_reducing():
    risk = ready(limits(delta_coin_max=0.6))
    give(risk, fill(1))
    value(risk, NOW + 1)
    (lease,) = lease_of(risk, NOW + 1)
    assert lease.state == "reducing"


def test_a_hard_limit_halts_and_only_a_resume_lifts_it():
    risk = ready(limits(delta_coin_max=0.1))
    give(risk, fill(1))
    (halt,) = of(HaltV1, value(risk, NOW + 1))
    assert halt.reason.startswith("hard_limit")
    assert not of(LeaseV1, lease_of(risk, NOW + 1))
    give(risk, fill(2, side="sell", now=NOW + 2))
    assert not of(HaltV1, value(risk, NOW + 3))
    assert not of(LeaseV1, lease_of(risk, NOW + 3)), "flat again, still halted"
    give(risk, HaltV1(created_ns=NOW + 4, halt_id="p1", underlying="all", action="resume",
                      reason="looked at it", author="trader"))  # fmt: skip
    assert of(LeaseV1, lease_of(risk, NOW + 5))


def test_a_halt_latches_over_a_restart():
    risk = ready(limits(delta_coin_max=0.1))
    give(risk, fill(1))
    (halt,) = of(HaltV1, value(risk, NOW + 1))
    again = Risk(limits(delta_coin_max=0.1), ("BTC",))
    give(again, fill(1), halt, *instruments(), ticks(), surface(), feed())
    value(again, NOW)
    assert not of(LeaseV1, lease_of(again, NOW + 1))


def test_a_loss_beyond_the_limit_halts():
    risk = ready(limits(loss_usd_max=1000.0, delta_coin_max=100.0))
    give(risk, fill(1, price_ticks=2000))
    (halt,) = of(HaltV1, value(risk, NOW + 1))
    assert halt.reason.startswith("loss_limit")


def test_a_position_difference_is_a_break_only_when_it_stands():
    risk = ready()
    give(risk, account({}, 0))
    give(risk, fill(1))
    wrong = {CALL: 9}
    balance = -70_000_000_000
    assert give(risk, account(wrong, balance, NOW + 1)) == []
    verdict, alert = give(risk, account(wrong, balance, NOW + 2))
    assert not verdict.is_equal
    assert verdict.break_count == 1
    assert alert.name == "reconciliation_break"
    assert not of(LeaseV1, lease_of(risk, NOW + 3))
    (verdict,) = give(risk, account({CALL: 10}, balance, NOW + 4))
    assert verdict.is_equal
    assert of(LeaseV1, lease_of(risk, NOW + 5))


def test_a_trade_the_venue_knows_and_we_never_hear_of_is_found():
    risk = ready()
    give(risk, account({}, 0))
    messages = [account({CALL: 10}, -70_000_000_000, NOW + n, "T1") for n in range(3)]
    outputs = give(risk, *messages)
    assert outputs[0].break_count == 1


def test_missing_cash_is_a_break():
    risk = ready()
    give(risk, account({}, 10**13), fill(1))
    balance = 10**13 - 70_000_000_000
    assert give(risk, account({CALL: 10}, balance, NOW + 1))[0].is_equal
    stolen = [account({CALL: 10}, balance - 10**8, NOW + n) for n in (2, 3)]
    assert not give(risk, *stolen)[0].is_equal


def test_a_standing_break_halts():
    risk = ready()
    give(risk, account({}, 0), *(account({CALL: 1}, 0, NOW + n) for n in (1, 2)))
    assert not of(HaltV1, value(risk, NOW + NS_PER_S))
    assert of(HaltV1, value(risk, NOW + 20 * NS_PER_S))


def test_realised_futures_pnl_is_in_the_venues_balance():
    risk = ready()
    give(risk, account({}, 0))
    give(risk, fill(1, PERPETUAL, "buy", 1000, 200_000, NOW + 1, False))
    give(risk, fill(2, PERPETUAL, "sell", 1000, 201_000, NOW + 2, False))
    realised = round((10_000 / 100_000 - 10_000 / 100_500) * 1e12)
    (verdict,) = give(risk, account({}, realised, NOW + 3))
    assert verdict.is_equal


def test_limits_go_on_from_the_version_before_a_restart():
    risk = Risk(limits(), ("BTC",))
    (first,) = risk.on_start(TimerV1(created_ns=NOW))
    assert first.version == 1
    changed = Risk(limits(delta_coin_max=3.0), ("BTC",))
    (second,) = give(changed, first)
    assert (second.version, second.delta_coin_max) == (2, 3.0)
    assert of(LimitsV1, give(Risk(limits(), ("BTC",)), first)) == []


def test_pnl_goes_on_after_a_restart():
    risk = ready()
    give(risk, fill(1, price_ticks=600))
    (before,) = risk.on_second_timer(TimerV1(created_ns=NOW + 1))
    again = Risk(Config(), ("BTC",))
    give(again, *instruments(), before, fill(1, price_ticks=600), surface(), ticks(), feed())
    value(again, NOW)
    (after,) = of(PnlV1, again.on_second_timer(TimerV1(created_ns=NOW + 1)))
    assert abs(after.coin.edge - before.coin.edge) < 1e-12
    assert abs(after.coin.total - before.coin.total) < 1e-9
    assert after.residual_gross_usd < 0.01 * after.gross_usd


def test_the_worst_scenario_of_a_short_straddle_is_a_large_move():
    risk = ready()
    give(risk, fill(1, side="sell"), fill(2, PUT, "sell", 10, 300))
    (scenarios,) = risk.on_scenario_timer(TimerV1(created_ns=NOW))
    shape = (len(scenarios.spot_moves_ratio), len(scenarios.vol_moves), len(scenarios.horizons_ns))
    assert len(scenarios.pnl_usd) == shape[0] * shape[1] * shape[2]
    assert scenarios.worst_pnl_usd == min(scenarios.pnl_usd) < 0.0
    still = (3 * shape[1] + 1) * shape[2]
    assert scenarios.pnl_usd[still] == 0.0


def test_an_option_past_its_expiry_is_worth_its_payoff():
    risk = ready()
    give(risk, fill(1), ticks(EXPIRY + NS_PER_S, 120_000.0))
    value(risk, EXPIRY + NS_PER_S)
    portfolio = risk.underlyings["BTC"].portfolio.message(EXPIRY)
    assert abs(portfolio.value_coin - (1.0 - 100_000 / (120_000 * 1.01))) < 1e-6


def test_drain_says_the_final_pnl():
    outputs = list(ready().on_drain(TimerV1(created_ns=NOW)))
    assert of(PortfolioV1, outputs)
    assert of(PnlV1, outputs)[0].is_final


def test_an_input_that_is_not_trusted_takes_the_lease():
    for name in ("ticks", "surface", "account", "reconciliation"):
        breakers = Breakers()
        risk = Risk(Config(), ("BTC",), breakers)
        give(risk, *instruments(), ticks(), surface(), feed())
        value(risk, NOW)
        assert of(LeaseV1, lease_of(risk, NOW))
        getattr(breakers, name).transition(State.FORCED_OPEN, NOW)
        said = lease_of(risk, NOW)
        assert not of(LeaseV1, said)
        assert [alert.name for alert in of(AlertV1, said)] == [f"{name}_breaker"]


def test_a_difference_that_stays_opens_a_breaker_that_only_a_person_closes():
    breakers = Breakers()
    risk = Risk(Config(), ("BTC",), breakers)
    give(risk, *instruments(), ticks(), surface(), feed())
    value(risk, NOW)
    for second in range(7):
        give(risk, account({CALL: 3}, 10**12, NOW + second * NS_PER_S))
    assert breakers.reconciliation.state is State.OPEN
    for second in range(7, 60):
        give(risk, account({}, 10**12, NOW + second * NS_PER_S))
    breakers.reconciliation.advance(NOW + 3600 * NS_PER_S)
    assert breakers.reconciliation.state is State.OPEN
    assert breakers.refusal() == "reconciliation_breaker"
