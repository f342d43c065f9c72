"""What only the fast path has: rings, records, one trade by two ways, the FIX session's talk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from native.fast_path import FastPath
from services.market_making import fast_edge
from services.market_making.core import Config
from services.market_making.path_core import PathMarketMaking
from services.market_making.path_words import SetRates
from services.market_making.path_writer import read
from services.market_making.quoting import Phase
from shared.messages.desk import TimerV1
from shared.messages.quoting import QuotesPulledV1, TickToQuoteV1
from shared.messages.risk import AlertV1
from shared.telemetry import Telemetry
from shared.venue_link import VenueReply, VenueUp
from tests.unit.market_making.path_desk import SUMMARY, PathDesk
from tests.unit.market_making.toy_desk import INDEX_USD, quoting_desk

NAME = "BTC-44D-95000-C"


def churn(desk: PathDesk, count: int) -> None:
    """Moves the index to and fro, so that every quote moves each time."""
    for step in range(count):
        desk.run(250, INDEX_USD * (1.0 + 0.004 * (step % 2)))


@pytest.fixture
def small_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_edge, "RECORDS", 4096)


@pytest.mark.usefixtures("small_ring")
def test_records_that_nobody_drains_take_every_quote_away():
    desk = quoting_desk(PathDesk)
    desk.is_draining_records = False
    churn(desk, 40)
    assert desk.rests == {}
    requests = desk.quote_requests()
    churn(desk, 4)
    assert desk.quote_requests() == requests
    desk.is_draining_records = True
    desk.look()
    assert any(one.name == "records_full" for one in desk.published if isinstance(one, AlertV1))
    desk.run(2000)
    assert len(desk.two_sided()) > 80
    assert desk.stats.records_lost == 0


def test_without_the_bound_nothing_says_that_nobody_drains_them():
    """The off leg: in a ring that such a churn cannot fill, quotes rest on."""
    desk = quoting_desk(PathDesk)
    desk.is_draining_records = False
    churn(desk, 40)
    assert len(desk.two_sided()) > 80
    requests = desk.quote_requests()
    churn(desk, 4)
    assert desk.quote_requests() > requests


@pytest.mark.usefixtures("small_ring")
def test_records_that_are_drained_take_no_quote_away():
    desk = quoting_desk(PathDesk)
    churn(desk, 44)
    assert len(desk.two_sided()) > 80
    assert not [one for one in desk.published if isinstance(one, QuotesPulledV1)]


def test_a_replayed_position_is_the_paths_before_it_quotes():
    desk = PathDesk(is_quoting=False)
    desk.fill(NAME, "buy", 7, "t1")
    desk.fill(NAME, "buy", 7, "t1")
    desk.fill("BTC-PERPETUAL", "sell", 100, "t2")
    desk.start_quoting()
    desk.run(500)
    risk = desk.stats.underlyings[0].risk
    assert risk.flow_delta_coin == 0.0
    assert 0.1 < risk.option_delta_coin < 0.7
    assert risk.delta_coin == pytest.approx(risk.option_delta_coin - 1000 / INDEX_USD, abs=1e-3)


def test_a_trade_by_fix_and_by_the_bus_is_one():
    desk = quoting_desk(PathDesk)
    desk.trade(NAME, "bid", 0.5, "t1")
    desk.fill(NAME, "buy", 5, "t1")
    desk.run(100)
    assert desk.stats.underlyings[0].fills == 1
    assert desk.stats.trades_doubled == 1


def test_a_trade_that_only_the_bus_brings_counts():
    desk = quoting_desk(PathDesk)
    desk.fill(NAME, "buy", 5, "t1")
    desk.run(100)
    assert desk.stats.underlyings[0].fills == 1
    assert desk.stats.underlyings[0].risk.flow_delta_coin != 0.0


def test_the_desk_believes_what_rests_at_the_venue():
    desk = quoting_desk(PathDesk)
    desk.trade(NAME, "bid", 0.3, "t1")
    desk.run(1000, INDEX_USD * 1.002)
    for slot, contract in desk.quoter.contracts.of_slot.items():
        live = desk.quoter.mirror.quote(slot)
        price, amount = desk.rests.get((contract.name, "bid"), (0.0, 0.0))
        assert round(amount * 10) == live.bid_lots
        assert not live.bid_lots or round(price * 10_000) == live.bid_ticks


def test_missing_messages_pull_until_they_have_come_again():
    desk = quoting_desk(PathDesk)
    session = desk.fix.session
    session.send_application("h", b"336=x\x01", desk.now_ns)
    session.take()  # lost on the way
    session.send_application("h", b"336=x\x01", desk.now_ns)
    desk.carry(desk.path.on_stream(session.take(), desk.now_ns))
    desk.run(100)
    assert desk.last(QuotesPulledV1).reason == "FIX sequence broken"
    desk.run(2000)
    assert len(desk.two_sided()) > 80


def test_a_resend_request_is_answered_with_a_gap_fill_and_no_quote_again():
    desk = quoting_desk(PathDesk)
    rests = dict(desk.rests)
    desk.fix.session.store.next_in = 2  # the venue has lost the rest
    desk.carry(desk.path.on_time(desk.now_ns))
    desk.line.send("0", ())  # comes too early: the venue asks
    desk.run(100)
    assert desk.fix.session.store.next_in == desk.stats.next_out > 4
    assert desk.fix.session.is_up
    assert desk.rests == rests
    desk.run(1000, INDEX_USD * 1.01)
    assert desk.rests != rests


def test_the_venues_test_request_is_answered_and_silence_is_broken():
    desk = quoting_desk(PathDesk)
    before = desk.fix.session.store.next_in
    for _ in range(20):
        desk.later(100)
        desk.look()
        desk.line.on_timer(desk.now_ns, desk.stats.next_in, desk.now_ns, 0)
        desk.carry(b"")
    assert desk.fix.session.store.next_in >= before + 10


def test_the_venues_logout_is_the_end_of_every_quote():
    desk = quoting_desk(PathDesk)
    desk.fix.session.log_out("maintenance", desk.now_ns)
    desk.carry(desk.path.on_stream(desk.fix.session.take(), desk.now_ns))
    desk.run(100)
    assert desk.quoter.phase is Phase.DOWN
    assert desk.last(QuotesPulledV1).reason == "venue session lost"


def test_the_desk_is_told_how_fast_it_was():
    desk = quoting_desk(PathDesk)
    desk.tick(INDEX_USD * 1.004)
    desk.run(300, INDEX_USD * 1.004)
    desk.take(desk.core.on_second_timer(TimerV1(created_ns=desk.now_ns)))
    measured = desk.last(TickToQuoteV1)
    assert measured.sample_count > 0
    assert measured.p50_us <= measured.p99_us <= measured.max_us


def test_the_way_of_a_tick_is_told_stage_by_stage():
    desk = quoting_desk(PathDesk)
    desk.is_draining_records = False
    desk.tick(INDEX_USD * 1.004)
    batch = read(desk.now_ns, desk.path.records(), {})
    journeys = {journey.name: journey for journey in batch.journeys(lambda: True)}
    way = journeys["tick_to_quote"]
    assert [name for name, _ in way.stages] == ["decoded", "valued", "decided", "sent"]
    stamps = [way.began_ns, *(at_ns for _, at_ns in way.stages)]
    assert stamps == sorted(stamps)
    assert way.attributes["surface_version"] == 2


def test_the_metrics_hold_as_many_samples_as_the_path_counts():
    desk = quoting_desk(PathDesk)
    desk.run(1000, INDEX_USD * 1.004)
    readings = {one.name: one.value for one in desk.core.readings(desk.now_ns)}
    shown = readings["tick_to_quote_seconds"]
    assert sum(shown.counts) == int(desk.stats.tick_to_quote.sum()) > 0
    telemetry = Telemetry()
    telemetry.keep(lambda: desk.core.readings(desk.now_ns))
    body, _content_type = telemetry.exposition()
    assert b'tick_to_quote_seconds_bucket{le="+Inf"}' in body


def test_a_shard_takes_only_its_share_of_the_accounts_credits():
    core = PathMarketMaking(Config(), ("BTC",), venue_share=0.5)
    [*core.on_start(TimerV1(created_ns=1))]
    asked = [*core.on_up(VenueUp(created_ns=1, connection_count=1))]
    [summary] = [one for one in asked if getattr(one, "method", "").endswith("account_summary")]
    core.words()
    [*core.on_reply(VenueReply(created_ns=2, request_id=summary.request_id, result=SUMMARY))]
    [rates] = [word for word in core.words() if isinstance(word, SetRates)]
    assert rates == SetRates(250.0, 250.0, 2_500.0, 2_500.0)


def test_the_thread_spins_only_where_cores_are_many():
    assert fast_edge.waiting_of(Config(), 2) == "blocking"
    assert fast_edge.waiting_of(Config(), 8) == "adaptive"
    assert fast_edge.waiting_of(Config(waiting="busy"), 1) == "busy"


def test_the_loop_is_urgent_unless_it_would_leave_a_core_to_nobody():
    assert fast_edge.priority_of(Config(), "blocking") == Config().priority > 0
    assert fast_edge.priority_of(Config(priority=0), "blocking") == 0
    assert fast_edge.priority_of(Config(), "busy") == 0
    assert fast_edge.priority_of(Config(cpu=1), "busy") == Config().priority


@pytest.mark.parametrize("priority", [0, 10])
def test_the_thread_has_its_priority_where_the_system_permits_it(priority: int):
    threads = Path("/proc/self/task")
    before = set(threads.iterdir())
    path = FastPath("DESK", "VENUE", {}, {"priority": priority})
    path.run()
    (thread,) = set(threads.iterdir()) - before
    is_real_time = os.sched_getscheduler(int(thread.name)) == os.SCHED_FIFO
    is_urgent = path.is_urgent
    path.close()
    assert is_urgent == is_real_time
    if priority == 0 or may_be_urgent():
        assert is_urgent == (priority > 0)


def may_be_urgent() -> bool:
    argv = [sys.executable, "-c", "import os; os.sched_setscheduler(0, 1, os.sched_param(10))"]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("refusal", "alerts"),
    [
        ([(300, 99), (368, 13030)], ["mmp_trigger"]),
        ([(300, 13030)], ["mmp_trigger"]),
        ([(300, 99), (368, 11029)], []),
        ([(300, 99)], []),
    ],
)
def test_a_mass_quote_is_refused_for_the_venues_own_reason(refusal, alerts):
    desk = quoting_desk(PathDesk)
    desk.fix.refusal = refusal
    desk.errors["private/mass_quote"] = 1
    desk.run(300, INDEX_USD * 1.01)
    assert [one.name for one in desk.published if isinstance(one, AlertV1)] == alerts
    assert desk.rests == {}
