"""The crowd: deterministic, calibrated, still at a recorded open, gone from what expires."""

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from infra import bare_market
from infra.bare_market import BareMarket
from infra.market_report import figures, main, observe, recorded_spreads, targets_of
from native.book import BUY, SELL
from services.venue.market.arrivals import Arrivals
from services.venue.market.chain import chain_from_record, generate_chain
from services.venue.market.market import MarketConfig, paced
from shared.recorded_chain import RecordedChain
from tests.unit.venue.test_listing import NOW_NS, recorded_row

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS


def run(seed: int, seconds: int) -> BareMarket:
    bare = BareMarket(MarketConfig(), generate_chain(NOW_NS, seed), seed)
    bare.run_until(NOW_NS + seconds * SECOND_NS)
    return bare


def digest(bare: BareMarket) -> str:
    levels, _ = bare.book.levels(np.arange(bare.market.board.count, dtype=np.int32), 4)
    text = repr(bare.trades).encode() + levels.tobytes() + bare.market.vols().tobytes()
    return hashlib.sha256(text).hexdigest()


def test_same_seed_same_trades_whatever_the_hash_seed():
    here = digest(run(5, 20))
    code = "from tests.unit.venue.test_market import *; print(digest(run(5, 20)))"
    for hash_seed in ("1", "77"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        other = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, env=environment, cwd=Path.cwd(),
        )  # fmt: skip
        assert other.stdout.strip() == here


def test_another_seed_is_another_market():
    assert digest(run(5, 5)) != digest(run(6, 5))


def test_books_fill_at_once_and_never_cross():
    bare = run(2, 3)
    for _ in range(10):
        bare.run_until(bare.now_ns + 3 * SECOND_NS)
        best = bare.best()
        both = (best.bid_lots > 0) & (best.ask_lots > 0)
        assert np.all(best.bid_ticks[both] < best.ask_ticks[both])
        delta = np.abs(bare.market.fair.delta)
        inside = (delta > 0.05) & (delta < 0.95)
        assert both[bare.market.board.options][inside].mean() > 0.97
        assert both[bare.market.board.futures].all()


def test_quotes_and_trades_lie_on_the_grid():
    bare = run(3, 30)
    board = bare.market.board
    is_option = np.isin(np.arange(board.count), board.options)
    best = bare.best()
    for ticks in (best.bid_ticks[is_option], best.ask_ticks[is_option]):
        assert np.all((ticks <= 50) | (ticks % 5 == 0))
    assert bare.trades
    for trade in bare.trades:
        assert (
            not is_option[trade.instrument]
            or trade.price_ticks <= 50
            or (trade.price_ticks % 5 == 0)
        )


def test_makers_renew_what_was_taken_from_them():
    bare = run(4, 5)
    instrument = int(bare.market.board.options[np.argmin(np.abs(bare.market.fair.delta - 0.3))])
    stranger = len(bare.market.owners)
    ask = int(bare.best().ask_ticks[instrument])
    taken = bare.take(stranger, instrument, BUY, 10**6, ask)
    assert taken > 0
    bare.run_until(bare.now_ns + 5 * SECOND_NS)
    best = bare.best()
    assert best.ask_lots[instrument] > 0
    assert best.ask_ticks[instrument] <= ask + 15
    bid = int(best.bid_ticks[instrument])
    assert bare.take(stranger, instrument, SELL, 10**6, bid) > 0


def test_a_recorded_market_opens_as_it_was_and_holds_still():
    rows = tuple(
        recorded_row(
            f"BTC-30JAN26-{strike}-{'C' if is_call else 'P'}", float(strike), is_call,
            bid_coin=None if strike == 60_000 else 0.0105, ask_coin=0.0125,
        )
        for strike in (60_000, 88_000, 120_000)
        for is_call in (True, False)
    )  # fmt: skip
    chain = chain_from_record(RecordedChain(timestamp_ns=NOW_NS, rows=rows), opening_s=5.0)
    bare = BareMarket(MarketConfig(), chain, 1)
    options = bare.market.board.options
    while bare.now_ns < NOW_NS + 4500 * 1_000_000:
        bare.run_until(bare.now_ns + 500 * 1_000_000)
        best = bare.best()
        assert np.array_equal(best.bid_ticks[options], chain.bid_ticks[options])
        assert np.array_equal(best.ask_ticks[options], chain.ask_ticks[options])
        assert bare.market.index_usd("BTC") == pytest.approx(chain.index_usd["BTC"], rel=1e-12)
        assert np.allclose(bare.market.vols(), chain.vols, atol=1e-9)
        assert np.allclose(bare.market.forwards_usd(), chain.forwards_usd, rtol=1e-12)
        assert np.array_equal(bare.market.mark_residuals_coin(), chain.mark_residuals_coin)
        assert not bare.trades
    bare.run_until(NOW_NS + 3 * MINUTE_NS)
    assert bare.trades
    assert bare.market.index_usd("BTC") != chain.index_usd["BTC"]
    assert np.all(np.abs(bare.market.mark_residuals_coin()) <= 1e-3 * np.abs(
        chain.mark_residuals_coin
    ))  # fmt: skip


def test_makers_leave_an_expiry_before_it_and_the_market_goes_on_after():
    eight_ns = (NOW_NS // (86_400 * SECOND_NS) + 1) * 86_400 * SECOND_NS + 8 * 3600 * SECOND_NS
    chain = generate_chain(eight_ns - 3 * MINUTE_NS, 1, ("BTC",))
    bare = BareMarket(MarketConfig(), chain, 1)
    bare.run_until(eight_ns + MINUTE_NS)
    board = bare.market.board
    best = bare.best()
    gone = board.expiry_ns[board.options] == eight_ns
    assert gone.any()
    assert not best.bid_lots[board.options][gone].any()
    assert not best.ask_lots[board.options][gone].any()
    assert best.bid_lots[board.options][~gone].astype(bool).mean() > 0.8
    assert not [
        t for t in bare.trades if t.time_ns > eight_ns and board.expiry_ns[t.instrument] == eight_ns
    ]


def test_time_never_goes_back():
    bare = run(1, 1)
    with pytest.raises(AssertionError):
        bare.market.step(bare.now_ns - 1)


def test_an_unknown_setting_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"takers": {"noise_per_second": 1.0}}, MarketConfig)


def test_a_few_minutes_of_market_look_as_they_should(monkeypatch):
    monkeypatch.setenv("HEDGEROW_DATA", "/nowhere")
    report = figures(observe(0.1, 3), recorded_spreads())
    takers = report["takers"]
    assert 0.1 < takers["informed_volume_share"] < 0.6
    assert takers["option_trades_per_minute"] > 100
    assert takers["markouts_bps"]["noise"]["10s"] < -1.0
    assert takers["markouts_bps"]["informed"]["60s"] > 0.0
    assert 0.8 < report["spreads"]["ratio_median"] < 1.25
    assert report["two_sided_share"] > 0.97
    assert report["index"]["BTC"]["kurtosis_1s"] > 3.5
    names = [target.name for target in targets_of(report)]
    assert len(names) == len(set(names))


def test_a_missed_target_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setenv("HEDGEROW_DATA", "/nowhere")
    monkeypatch.setattr(
        "infra.market_report.targets_of",
        lambda report: [
            type(targets_of(report)[0])("minutes", report["minutes"], 1e6, 2e6),
        ],
    )
    file = tmp_path / "report.json"
    assert main(["--hours", "0.05", "--json", str(file)]) == 1
    assert msgspec.json.decode(file.read_bytes())["targets"][0]["is_met"] is False


def test_a_seed_means_the_same_arrivals_however_the_market_is_stepped():
    """A machine under load steps late and unevenly: paths and arrivals must not notice."""
    even, uneven = (BareMarket(MarketConfig(), generate_chain(NOW_NS, 3), 3) for _ in range(2))
    end_ns = even.now_ns + 20 * SECOND_NS
    even.run_until(end_ns)
    steps_ms = itertools.cycle((70, 131, 104, 99, 260, 12))
    while uneven.now_ns < end_ns:
        uneven.now_ns = min(uneven.now_ns + next(steps_ms) * 1_000_000, end_ns)
        uneven.market.step(uneven.now_ns)
    for name in ("BTC", "ETH"):
        assert uneven.market.index_usd(name) == even.market.index_usd(name)
    counts = [len(bare.trades) for bare in (even, uneven)]
    assert counts[0] > 100
    assert abs(counts[0] - counts[1]) < 0.1 * counts[0]
    shared = {(t.instrument, t.side) for t in even.trades} & {
        (t.instrument, t.side) for t in uneven.trades
    }
    assert len(shared) > 0.8 * len({(t.instrument, t.side) for t in even.trades})


def test_arrivals_do_not_hang_on_when_they_are_asked_for():
    opened_ns, paths = NOW_NS, run(3, 0).market.paths

    def arrivals() -> Arrivals:
        return Arrivals(np.random.default_rng(1), paths, 50.0, 0.7, opened_ns)

    one, other = arrivals(), arrivals()
    at_once = one.until(opened_ns + 10 * SECOND_NS)
    by_and_by = [
        arrival
        for step in range(1, 143)
        for arrival in other.until(opened_ns + min(step * 70_700_000, 10 * SECOND_NS))
    ]
    assert at_once == by_and_by
    assert len(at_once) > 100
    assert all(opened_ns <= arrival.at_ns <= opened_ns + 10 * SECOND_NS for arrival in at_once)


def test_an_ordinary_market_is_its_own_configuration():
    config = MarketConfig()
    assert paced(config) is config
    assert paced(MarketConfig(activity_ratio=1.0)) == config


def test_a_busy_market_says_and_trades_as_many_times_as_much(monkeypatch):
    def counted(ratio):
        step_ms = round(100 / ratio)
        monkeypatch.setattr(bare_market, "STEP_MS", step_ms)
        bare = BareMarket(MarketConfig(activity_ratio=ratio), generate_chain(NOW_NS, 3), 3)
        changed = 0
        for _ in range(8_000 // step_ms):
            bare.run_until(bare.now_ns + step_ms * 1_000_000)
            changed += len(bare.book.drain_dirty())
        return changed, len(bare.trades)

    (changed, trades), (busy_changed, busy_trades) = counted(1.0), counted(4.0)
    assert 2.0 <= busy_changed / changed <= 6.0
    assert 2.0 <= busy_trades / trades <= 8.0
