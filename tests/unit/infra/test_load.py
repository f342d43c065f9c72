"""What a load's rows, verdicts and planes are made of; no desk is started here."""

import dataclasses
import json
import os

import msgspec
import pytest

from infra.alerting.burn import SLOS
from infra.alerting.conditions import Sample
from infra.load import __main__ as load
from infra.load import cost, figures
from infra.load.watching import WATCHED, Look, Setting, Watched
from services.venue.core import Config as VenueConfig
from shared.configuration import DeskConfig
from shared.metric_names import ALL

REPORT = {
    "quotable_instruments_max": 400,
    "critical_dropped": 0,
    "tick_to_quote_us": {"p50": 80.0, "p99": 400.0},
    "fills": 12,
    "violations": 0,
    "reconciliation_breaks": 0,
}
LABELS = {
    "message_handled_total": {"service": "risk", "kind": "TicksV1"},
    "quote_live_count": {"service": "market_making", "underlying": "BTC", "sides": "two"},
    "tick_to_quote_seconds_bucket": {"service": "market_making", "le": "0.001"},
}


def looks(seconds=60.0, cpu=0.2, slope_mb=0.0, **series):
    """Seven looks; `series` are (first, last) values of what is told, in a straight line."""
    found = []
    for at in range(7):
        share = at / 6
        samples = tuple(
            sample(name, first + (last - first) * share) for name, (first, last) in series.items()
        )
        usage = {
            "risk": (60.0 + slope_mb * share * seconds / 60.0, cpu * share * seconds),
            "venue": (100.0, 0.1 * share * seconds),
        }
        found.append(Look(share * seconds, samples, usage, 0.9 * share * seconds))
    return tuple(found)


def sample(name, value, **labels):
    known = labels or LABELS.get(name, {"service": "risk"})
    return Sample(name, tuple(sorted(known.items())), value)


GOOD = {
    "message_handled_total": (1_000.0, 61_000.0),
    "quote_live_count": (400.0, 400.0),
    "quote_quotable_count": (400.0, 400.0),
    "tick_to_quote_seconds_count": (100.0, 1_100.0),
    "tick_to_quote_seconds_bucket": (100.0, 1_100.0),
    "multicast_message_total": (0.0, 240_000.0),
}


def row(report=None, times=1.0, **changes):
    options = {key: changes.pop(key) for key in ("seconds", "cpu", "slope_mb") if key in changes}
    seen = looks(**options, **(GOOD | changes))
    return figures.figures(Watched(Setting(times=times), seen, (), {**REPORT, **(report or {})}))


def test_a_calm_level_breaks_nothing_and_says_what_it_took():
    calm = row()
    assert calm["broken"] == []
    assert figures.is_safe(calm)
    assert calm["feed_per_s"] == pytest.approx(4_000.0)
    assert calm["bus_handled_per_s"] == pytest.approx(1_000.0)
    assert calm["cpu"] == pytest.approx({"risk": 0.2, "venue": 0.1})
    assert calm["cpu_others"] == pytest.approx(0.6)
    assert calm["two_sided_pct"] == pytest.approx(100.0)
    json.dumps(calm)
    assert load.line(calm).count("|") == len(load.COLUMNS) + 1


@pytest.mark.parametrize(
    ("changes", "report", "broken"),
    [
        ({"quote_live_count": (360.0, 360.0)}, {}, "QuotingUptime"),
        ({"tick_to_quote_seconds_bucket": (100.0, 1_080.0)}, {}, "TickToQuote"),
        ({"message_critical_dropped_total": (0.0, 1.0)}, {}, "critical messages lost"),
        ({"path_record_lost_total": (0.0, 1.0)}, {}, "critical messages lost"),
        ({}, {"critical_dropped": 1}, "critical messages lost"),
        ({}, {"violations": 1}, "invariants"),
        ({}, {"reconciliation_breaks": 1}, "invariants"),
        ({"limit_used_ratio": (0.5, 1.01)}, {}, "limits"),
        ({"seconds": 1_800.0, "slope_mb": 0.6}, {}, "memory"),
    ],
)
def test_each_thing_that_breaks_is_named(changes, report, broken):
    assert row(report, **changes)["broken"] == [broken]


@pytest.mark.parametrize(
    "changes",
    [
        {"quote_live_count": (384.0, 384.0)},
        {"tick_to_quote_seconds_bucket": (100.0, 1_095.0)},
        {"limit_used_ratio": (0.5, 1.0)},
        {"seconds": 1_800.0, "slope_mb": 0.4},
        {"seconds": 60.0, "slope_mb": 6.0},
    ],
)
def test_what_stays_within_its_budget_is_not(changes):
    assert row(**changes)["broken"] == []


def dropping(kind, reason, count):
    seen = looks(**GOOD)
    drops = [sample("message_dropped_total", n, kind=kind, reason=reason) for n in (0.0, count)]
    ends = [dataclasses.replace(seen[at], samples=(*seen[at].samples, drops[at])) for at in (0, -1)]
    return figures.figures(Watched(Setting(), (ends[0], *seen[1:-1], ends[1]), (), REPORT))


def test_conflatable_messages_may_be_shed_within_the_budget_of_delivery():
    few, many = dropping("TicksV1", "inbox_full", 50.0), dropping("TicksV1", "too_old", 70.0)
    assert few["shed"] == {"TicksV1": {"inbox_full": 50.0}}
    assert few["broken"] == []
    assert many["broken"] == ["Delivery"]
    assert figures.is_safe(many)
    assert load.shed_text(many["shed"]) == "TicksV1 70 too_old"


def test_shedding_anything_else_is_a_fault_however_little():
    wrong = dropping("FillV1", "inbox_full", 1.0)
    assert "shed what must not be" in wrong["broken"]
    assert not figures.is_safe(wrong)
    assert load.shed_text(wrong["shed"]) == "FillV1 NOT LOSSY 1 inbox_full"


def test_the_worst_is_told_first():
    bad = row(
        {"violations": 2},
        quote_live_count=(300.0, 300.0),
        tick_to_quote_seconds_bucket=(100.0, 600.0),
    )
    assert bad["broken"] == ["invariants", "TickToQuote", "QuotingUptime"]


def test_a_counter_that_begins_anew_counts_from_nothing():
    seen = [
        Look(float(at), (sample("message_handled_total", value),), {}, 0.0)
        for at, value in enumerate((5.0, 9.0, 2.0, 4.0))
    ]
    assert figures.Series(seen).grown("message_handled_total") == 8.0


def test_quotes_withheld_by_protection_and_a_load_that_fell_short_are_told_apart():
    quiet, tripped = row(), row(protection_tripped_total=(0.0, 3.0))
    assert quiet["protection_trips"] == 0.0
    assert tripped["protection_trips"] == 3.0
    assert any("tripped 3 times" in text for text in load.ends([tripped]))
    assert not any("tripped" in text for text in load.ends([quiet]))
    whole = {"venue_steps_pct": 100.0}
    assert any("made 0 % of its steps" in text for text in load.ends([quiet]))
    assert not any("of its steps" in text for text in load.ends([quiet | whole]))


def test_what_ran_out_is_named_and_else_what_is_fullest():
    assert figures.saturated(row(cpu=0.95)) == "core of risk"
    assert figures.saturated(row(venue_throttled_total=(0.0, 1.0))) == "venue's rate limit"
    assert figures.saturated(row(inbox_pending_messages=(0.0, 1_000.0))) == "inbox"
    calm = row(cpu=0.3)
    whole = 0.9 / (os.cpu_count() or 1)
    assert figures.saturated(calm).startswith("none (all cores" if whole > 0.3 else "none (core")


def test_the_slos_are_those_that_are_alerted_on_and_look_at_their_metrics():
    assert set(figures.ERRORS) == {slo.name for slo in SLOS}
    for name in WATCHED:
        assert name.removesuffix("_total") in ALL, name


def test_a_setting_is_a_configuration_that_the_desk_takes():
    for times in (0.5, *load.LEVELS, load.LEVEL_MAX):
        tables = Setting(times=times, underlyings=("ETH",), strikes_max=13).tables()
        venue = msgspec.convert(tables["venue"], VenueConfig)
        assert venue.market.activity_ratio == times
        assert venue.step_ms == max(round(100 / times), 2)
        assert msgspec.convert(tables["desk"], DeskConfig).underlyings == ("ETH",)


def test_levels_double_until_something_breaks_or_the_market_can_no_more():
    def climb(breaks_at):
        rows = [{"times": 0.0, "broken": []}]
        rows += (
            {"times": times, "broken": ["QuotingUptime"] * (times >= breaks_at)}
            for times in load.ladder(None, rows)
        )
        return [one["times"] for one in rows[1:]]

    assert climb(100.0) == [1.0, 2.0, 10.0, 20.0, 40.0]
    assert climb(20.0) == [1.0, 2.0, 10.0, 20.0]
    assert climb(2.0) == [1.0, 2.0, 10.0]
    assert list(load.ladder((2.0,), [])) == [2.0]


@pytest.mark.parametrize("text", ["0", "1,41", "fast", ""])
def test_a_level_that_no_market_can_have_is_refused(text):
    with pytest.raises(ValueError, match=text or "could not convert"):
        load.levels_of(text)


def test_twice_the_pace_has_to_hold_and_ten_times_only_to_be_safe():
    slow = {"quote_live_count": (300.0, 300.0)}
    assert load.is_good([row(), row(times=10.0, **slow)])
    assert not load.is_good([row(times=2.0, **slow)])
    assert not load.is_good([row({"violations": 1}, times=10.0)])


def cost_row(underlyings, instruments, *, is_sharded=False):
    base = {"risk": 0.05 + 2e-4 * instruments + 0.01 * underlyings, "gateway": 0.02, "venue": 0.3}
    pricing = 0.03 + 1e-4 * instruments
    if is_sharded:
        base |= {f"pricing-{name}": 0.6 * pricing for name in ("btc", "eth")}
    else:
        base["pricing"] = pricing
    return {
        "underlyings": ("BTC", "ETH")[:underlyings],
        "quotable_instruments": instruments,
        "cpu": base,
        "memory": {name: {"mb_max": 50.0 + 0.1 * instruments} for name in base},
    }


def test_cost_is_a_plane_and_says_how_far_a_shared_process_reaches():
    rows = [cost_row(1, 200), cost_row(1, 400), cost_row(2, 390), cost_row(2, 800)]
    found = cost.growth(rows, cost_row(2, 800, is_sharded=True))
    assert found["cpu"]["risk"] == pytest.approx(
        {"fixed": 0.05, "per_instrument": 2e-4, "per_underlying": 0.01, "residual": 0.0}, abs=1e-9
    )
    assert found["resident_mb"]["venue"]["per_instrument"] == pytest.approx(0.1)
    assert found["underlyings_max"]["risk"] == pytest.approx((0.8 - 0.05) / (400 * 2e-4 + 0.01))
    assert found["underlyings_max"]["gateway"] > 1e6
    assert not {"venue", "pricing"} & set(found["underlyings_max"])
    assert found["sharding_processes"] == 1
    assert found["sharding_cpu"] == pytest.approx(0.2 * 0.11)
    assert found["shard"]["cpu"] == pytest.approx(0.6 * 0.11)
    assert any("gateway" in line for line in cost.lines(found))
