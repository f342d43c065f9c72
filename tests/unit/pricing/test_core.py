import math

import msgspec
import pytest

from native.surface import Svi, certify, total_variance
from services.pricing.core import Config, Pricer
from services.pricing.service import build
from shared.breaker import State
from shared.configuration import DeskConfig
from shared.messages.desk import TimerV1
from shared.messages.market import Tick
from shared.messages.message import decode, encode
from shared.messages.pricing import OverrideV1, SurfaceV1
from shared.messages.quoting import Quote, QuotesV1
from shared.messages.risk import AlertV1
from tests.unit.pricing.market import (
    DAY_NS,
    INDEX_USD,
    NOW_NS,
    TRUTH,
    instruments,
    name_of,
    strikes_of,
    ticks,
    vol_at,
)

S = 1_000_000_000


def pricer_of(given, config=None) -> Pricer:
    pricer = Pricer(config or Config(), ("BTC",), lambda: 0)
    for message in given:
        assert feed(pricer, message) == []
    return pricer


def feed(pricer, message):
    handler = {
        "InstrumentsV1": pricer.on_instruments, "TicksV1": pricer.on_ticks,
        "QuotesV1": pricer.on_quotes, "OverrideV1": pricer.on_override,
        "AlertV1": pricer.on_alert, "SurfaceV1": pricer.on_surface, "TimerV1": pricer.on_timer,
    }[type(message).__name__]  # fmt: skip
    return list(handler(message))


def timer(pricer, now_ns):
    return feed(pricer, TimerV1(created_ns=now_ns))


def listing(with_futures=True):
    return [instruments(days, with_future=with_futures) for days in TRUTH]


def vols_of(surface: SurfaceV1, days: int, log_moneyness: float) -> float:
    found = next(s for s in surface.slices if s.expiry_ns == NOW_NS + days * DAY_NS)
    svi = Svi(found.a, found.b, found.rho, found.m, found.sigma)
    return math.sqrt(total_variance(svi, log_moneyness) / found.years)


def override(**changes) -> OverrideV1:
    fields = {
        "created_ns": NOW_NS, "override_id": "o1", "underlying": "BTC",
        "expiry_ns": NOW_NS + 30 * DAY_NS, "shift_vol": 0.01, "skew_vol": 0.0, "author": "ann",
        "expires_ns": NOW_NS + DAY_NS,
    }  # fmt: skip
    return OverrideV1(**(fields | changes))


def test_the_surface_behind_the_quotes_is_found():
    pricer = pricer_of([*listing(), ticks()])
    assert pricer.not_ready() == "no surface of BTC yet"
    (surface,) = timer(pricer, NOW_NS)
    assert pricer.not_ready() == ""
    assert (surface.version, surface.market_ns, surface.is_fallback) == (1, NOW_NS, False)
    assert surface.is_butterfly_free
    assert surface.is_calendar_free
    for days, (_, ratio) in TRUTH.items():
        found = surface.slices[list(TRUTH).index(days)]
        assert found.forward_ratio == pytest.approx(ratio, rel=1e-5)
        assert found.inside_ratio == 1.0
        for strike in strikes_of(days)[2:7]:
            k = math.log(strike / INDEX_USD / ratio)
            assert vols_of(surface, days, k) == pytest.approx(vol_at(days, k), abs=0.01)
    assert decode(SurfaceV1, encode(surface)) == surface


def test_it_refits_no_oftener_than_it_may_and_only_when_ticks_came():
    pricer = pricer_of([*listing(), ticks()])
    assert len(timer(pricer, NOW_NS)) == 1
    assert timer(pricer, NOW_NS + 2 * S) == []
    feed(pricer, ticks(NOW_NS + 2 * S, sequence=2))
    assert [m.version for m in timer(pricer, NOW_NS + 2 * S)] == [2]
    feed(pricer, ticks(NOW_NS + 2 * S + S // 2, sequence=3))
    assert timer(pricer, NOW_NS + 2 * S + S // 2) == []
    moved = msgspec.structs.replace(
        ticks(NOW_NS + 2 * S + S // 2, sequence=4), index_usd=INDEX_USD * 1.0005
    )
    feed(pricer, moved)
    assert [m.version for m in timer(pricer, NOW_NS + 2 * S + S // 2)] == [3]


def test_stale_data_show_the_last_good_surface_with_its_age_and_alert_once():
    pricer = pricer_of([*listing(), ticks()])
    (good,) = timer(pricer, NOW_NS)
    alert, again = timer(pricer, NOW_NS + 6 * S)
    assert (alert.name, alert.severity) == ("surface_stale", "ticket")
    assert again.is_fallback
    assert (again.market_ns, again.version) == (NOW_NS, 2)
    assert again.slices == good.slices
    assert timer(pricer, NOW_NS + 6 * S + S // 2) == []
    (third,) = timer(pricer, NOW_NS + 8 * S)
    assert (third.is_fallback, third.version) == (True, 3)
    feed(pricer, ticks(NOW_NS + 9 * S, sequence=2))
    (fresh,) = timer(pricer, NOW_NS + 9 * S)
    assert not fresh.is_fallback
    assert [type(m) for m in timer(pricer, NOW_NS + 15 * S)] == [AlertV1, SurfaceV1]


def test_live_books_do_not_hide_a_dead_index():
    pricer = pricer_of([*listing(), ticks()])
    timer(pricer, NOW_NS)
    for second, count in ((10, 1), (16, 2)):
        books = msgspec.structs.replace(ticks(NOW_NS + second * S), index_ns=NOW_NS)
        feed(pricer, books)
        shown = timer(pricer, NOW_NS + second * S)
        assert [m.name for m in shown if isinstance(m, AlertV1)] == ["surface_stale"][: count - 1]
        assert shown[-1].is_fallback == (count == 2)


def test_an_unbelievable_jump_is_refused_until_the_market_insists():
    pricer = pricer_of([*listing(), ticks()])
    timer(pricer, NOW_NS)
    seen = []
    for second in range(2, 6):
        feed(pricer, ticks(NOW_NS + second * S, vol_shift=0.5, sequence=second))
        seen.append(timer(pricer, NOW_NS + second * S))
    assert [m.name for m in seen[0] if isinstance(m, AlertV1)] == ["surface_refused"]
    assert [[m.is_fallback for m in turn if isinstance(m, SurfaceV1)] for turn in seen] == [
        [True], [True], [True], [False],
    ]  # fmt: skip
    assert [m for turn in seen[1:] for m in turn if isinstance(m, AlertV1)] == []


def test_volatilities_out_of_this_world_are_never_shown():
    pricer = pricer_of([*listing(), ticks()])
    timer(pricer, NOW_NS)
    for second in range(2, 12):
        feed(pricer, ticks(NOW_NS + second * S, vol_shift=6.0, sequence=second))
        shown = [m for m in timer(pricer, NOW_NS + second * S) if isinstance(m, SurfaceV1)]
        assert all(m.is_fallback for m in shown)


def test_an_override_moves_one_expiry_and_lapses():
    pricer = pricer_of([*listing(), ticks()])
    (plain,) = timer(pricer, NOW_NS)
    assert feed(pricer, override(skew_vol=-0.02, expires_ns=NOW_NS + 3 * S)) == []
    (moved,) = timer(pricer, NOW_NS + S)
    assert vols_of(moved, 30, 0.0) - vols_of(plain, 30, 0.0) == pytest.approx(0.01, abs=2e-4)
    slope = [(vols_of(s, 30, 1e-4) - vols_of(s, 30, -1e-4)) / 2e-4 for s in (plain, moved)]
    assert slope[1] - slope[0] == pytest.approx(-0.02, abs=0.01)
    assert vols_of(moved, 7, 0.0) == pytest.approx(vols_of(plain, 7, 0.0), abs=2e-4)
    assert certify([Svi(s.a, s.b, s.rho, s.m, s.sigma) for s in moved.slices]).is_free
    feed(pricer, ticks(NOW_NS + 3 * S, sequence=2))
    (back,) = timer(pricer, NOW_NS + 3 * S)
    assert vols_of(back, 30, 0.0) == pytest.approx(vols_of(plain, 30, 0.0), abs=2e-4)


def test_an_override_that_makes_arbitrage_is_refused_for_good():
    pricer = pricer_of([*listing(), ticks()])
    timer(pricer, NOW_NS)
    bad = override(shift_vol=0.5, override_id="o" * 64)
    feed(pricer, bad)
    alert, surface = timer(pricer, NOW_NS + S)
    assert alert.name == "override_refused"
    assert decode(AlertV1, encode(alert)) == alert
    assert surface.is_calendar_free
    assert vols_of(surface, 30, 0.0) == pytest.approx(vol_at(30, 0.0), abs=0.01)
    reborn = pricer_of([bad, alert, *listing(), ticks()])
    assert [type(m) for m in timer(reborn, NOW_NS + S)] == [SurfaceV1]
    reborn = pricer_of([alert, bad, *listing(), ticks()])
    assert [type(m) for m in timer(reborn, NOW_NS + S)] == [SurfaceV1]


@pytest.mark.parametrize("late", [{"expires_ns": NOW_NS}, {"expiry_ns": NOW_NS - 1}])
def test_an_override_past_its_end_is_refused_at_once(late):
    (alert,) = feed(pricer_of(listing()), override(**late))
    assert alert.name == "override_refused"
    assert alert.text == "override o1 of ann was refused: it was past its end when it was given"


def test_the_desks_own_quotes_do_not_teach_it_its_own_price():
    def surface_with(own_lots):
        honest = ticks()
        mine, shown = [], []
        for tick in honest.ticks:
            if "-30D-" not in tick.instrument:
                shown.append(tick)
                continue
            bid, ask = tick.ask_ticks + 20, tick.ask_ticks + 24  # the desk, far too high
            mine.append(Quote(tick.instrument, bid, own_lots, ask, own_lots, 0.01))
            shown.append(msgspec.structs.replace(tick, bid_ticks=bid, ask_ticks=ask))
        pricer = pricer_of([*listing(), msgspec.structs.replace(honest, ticks=tuple(shown))])
        feed(
            pricer,
            QuotesV1(
                created_ns=NOW_NS, underlying="BTC", sequence=1, surface_version=1,
                surface_age_ns=0, is_full=True, quotes=tuple(mine),
            ),
        )  # fmt: skip
        return timer(pricer, NOW_NS)[-1]

    assert vols_of(surface_with(10), 30, 0.0) == pytest.approx(vol_at(30, 0.0), abs=0.01)
    assert vols_of(surface_with(5), 30, 0.0) > vol_at(30, 0.0) + 0.015  # others rest there too


def test_without_futures_forwards_come_from_parity():
    pricer = pricer_of([*listing(with_futures=False), ticks(half_ticks=1)])
    (surface,) = timer(pricer, NOW_NS)
    for found, (_, ratio) in zip(surface.slices, TRUTH.values(), strict=True):
        assert found.forward_ratio == pytest.approx(ratio, abs=3e-4)


def test_a_new_chain_waits_for_its_futures_and_not_for_ever():
    whole = ticks()
    futures = {f"BTC-{days}D" for days in TRUTH}
    rest = tuple(tick for tick in whole.ticks if tick.instrument not in futures)
    partial = msgspec.structs.replace(whole, ticks=rest)
    pricer = pricer_of([*listing(), partial])
    assert [m for m in timer(pricer, NOW_NS) if isinstance(m, SurfaceV1)] == []
    feed(pricer, msgspec.structs.replace(whole, index_ns=NOW_NS + S))
    (surface,) = timer(pricer, NOW_NS + S)
    assert surface.slices[-1].forward_ratio == pytest.approx(1.02, abs=1e-4)
    pricer = pricer_of([*listing(), partial])
    feed(pricer, msgspec.structs.replace(partial, index_ns=NOW_NS + 5 * S))
    assert [m for m in timer(pricer, NOW_NS + 5 * S) if isinstance(m, SurfaceV1)]


def test_a_new_chain_waits_for_most_of_its_options_and_not_for_ever():
    whole = ticks()
    futures = {f"BTC-{days}D" for days in TRUTH}
    options = [tick for tick in whole.ticks if tick.instrument not in futures]
    left = {tick.instrument for tick in options[: len(options) // 5]}
    rest = tuple(tick for tick in whole.ticks if tick.instrument not in left)
    partial = msgspec.structs.replace(whole, ticks=rest)
    pricer = pricer_of([*listing(), partial])
    assert [m for m in timer(pricer, NOW_NS) if isinstance(m, SurfaceV1)] == []
    feed(pricer, msgspec.structs.replace(whole, index_ns=NOW_NS + S))
    assert [m for m in timer(pricer, NOW_NS + S) if isinstance(m, SurfaceV1)]
    pricer = pricer_of([*listing(), partial])
    for passed_ns, is_told in ((S, False), (2 * S, True)):
        feed(pricer, msgspec.structs.replace(partial, index_ns=NOW_NS + passed_ns))
        told = [m for m in timer(pricer, NOW_NS + passed_ns) if isinstance(m, SurfaceV1)]
        assert bool(told) == is_told


def test_expiries_about_to_end_are_dropped_and_ended_ones_forgotten():
    pricer = pricer_of([*listing(), ticks()])
    assert len(timer(pricer, NOW_NS)[0].slices) == 4
    for now_ns, count in ((NOW_NS + DAY_NS - 500 * S, 3), (NOW_NS + DAY_NS + S, 3)):
        last = ticks()
        late = msgspec.structs.replace(last, created_ns=now_ns, index_ns=now_ns)
        feed(pricer, late)
        shown = [m for m in timer(pricer, now_ns) if isinstance(m, SurfaceV1)]
        assert len(shown[-1].slices) == count


def test_marks_alone_carry_a_surface_when_the_books_are_broken():
    pricer = pricer_of([*listing(), ticks(is_live=False)])
    (surface,) = timer(pricer, NOW_NS)
    assert vols_of(surface, 30, 0.0) == pytest.approx(vol_at(30, 0.0), abs=0.01)


def test_nothing_at_all_is_an_alert_and_no_surface():
    pricer = pricer_of([*listing(), ticks(is_live=False, with_marks=False)])
    (alert,) = timer(pricer, NOW_NS)
    assert alert.name == "surface_empty"
    assert timer(pricer_of([]), NOW_NS) == []


def test_absurd_quotes_neither_kill_nor_bend_it():
    honest = ticks()
    broken = {
        name_of(30, strikes_of(30)[3], True): (90_000, 1, 100_000, 1),  # beyond the forward
        name_of(30, strikes_of(30)[4], False): (500, 1, 400, 1),  # crossed
        name_of(30, strikes_of(30)[5], True): (1, 1, 9_000, 1),  # as wide as a barn
    }
    shown = tuple(
        Tick(t.instrument, *broken[t.instrument], t.mark_price, t.mark_vol, t.venue_ns)
        if t.instrument in broken
        else t
        for t in honest.ticks
    )
    pricer = pricer_of([*listing(), msgspec.structs.replace(honest, ticks=shown)])
    (surface,) = timer(pricer, NOW_NS)
    assert vols_of(surface, 30, 0.0) == pytest.approx(vol_at(30, 0.0), abs=0.01)


def test_a_reborn_agent_goes_on_from_its_last_surface():
    first = pricer_of([*listing(), ticks()])
    (last,) = timer(first, NOW_NS)
    reborn = pricer_of([msgspec.structs.replace(last, version=41), *listing()])
    assert reborn.not_ready() == ""
    feed(reborn, ticks(NOW_NS + S))
    (surface,) = timer(reborn, NOW_NS + S)
    assert surface.version == 42


def test_other_underlyings_are_not_its_business():
    pricer = pricer_of(listing())
    assert feed(pricer, override(underlying="SOL")) == []
    assert feed(pricer, msgspec.structs.replace(ticks(), underlying="SOL")) == []
    assert timer(pricer, NOW_NS) == []


def test_the_wiring_is_whole():
    service = build(Config(), DeskConfig())
    assert service.name == "pricing"
    assert service.publishes == {SurfaceV1, AlertV1}
    assert service.not_ready() == "no surface of BTC, ETH yet"


def test_ticks_that_are_not_trusted_leave_the_last_good_surface():
    pricer = pricer_of([*listing(), ticks()])
    (first,) = timer(pricer, NOW_NS)
    pricer._breakers.ticks.transition(State.FORCED_OPEN, NOW_NS)
    outputs = timer(pricer, NOW_NS + 2 * S)
    (again,) = [one for one in outputs if isinstance(one, SurfaceV1)]
    assert again.is_fallback
    assert again.market_ns == first.market_ns
