"""The arithmetic of `make observation-cost`, on runs that were never run."""

import numpy as np
import pytest

from infra.bench.observation_cost import (
    Bound,
    bound,
    cpu_ratio,
    interval,
    percentile_ratio,
    summary,
)
from infra.bench.observed_run import Look, Observed, RunError, of_batch, used_between
from infra.topology import SERVICES
from native.path_records import PULL, QUOTE, RECORD_DTYPE


def observed(side, took_us, **cpu):
    return Observed(side, cpu, np.array(took_us, dtype=float), 20.0, 0, 0, 0, 0, 0.0)


def pair(on, off):
    return {"on": on, "off": off}


def test_samples_are_pooled_and_percentiles_not_averaged():
    many = pair(observed("on", [10.0] * 98), observed("off", [10.0] * 98))
    few = pair(observed("on", [30.0, 30.0]), observed("off", [10.0, 10.0]))
    assert percentile_ratio(50.0)([many, few]) == 1.0
    assert percentile_ratio(99.0)([many, few]) == pytest.approx(3.0)


def test_cpu_is_summed_over_processes_and_pairs():
    pairs = [
        pair(observed("on", [1], risk=0.3, venue=0.2), observed("off", [1], risk=0.2, venue=0.2)),
        pair(observed("on", [1], risk=0.1, venue=0.4), observed("off", [1], risk=0.1, venue=0.3)),
    ]
    assert cpu_ratio(["risk", "venue"])(pairs) == pytest.approx(1.0 / 0.8)
    assert cpu_ratio(["risk"])(pairs) == pytest.approx(0.4 / 0.3)


def test_a_process_of_one_side_alone_counts_there():
    pairs = [pair(observed("on", [1], nats=0.1, alerting=0.1), observed("off", [1], nats=0.1))]
    assert cpu_ratio(["nats", "alerting"])(pairs) == pytest.approx(2.0)


def test_the_interval_holds_the_ratio_and_is_of_pairs():
    ratios = (1.05, 1.10, 1.15, 1.20)
    pairs = [pair(observed("on", [1], risk=one), observed("off", [1], risk=1.0)) for one in ratios]
    low, high = interval(pairs, cpu_ratio(["risk"]))
    assert 1.05 <= low < np.mean(ratios) < high <= 1.20
    assert interval(pairs, cpu_ratio(["risk"])) == (low, high)
    same = [pairs[0]] * 4
    assert interval(same, cpu_ratio(["risk"])) == pytest.approx((1.05, 1.05))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1.00, 1.15, "held"), (1.16, 1.30, "missed"), (1.10, 1.20, "undecided")],
)
def test_a_verdict_is_the_whole_interval(low, high, verdict):
    assert Bound("CPU", 1.12, low, high, 1.15).verdict == verdict
    assert Bound("CPU", 1.12, low, high).verdict == "no bound"


def test_what_is_asked_is_judged():
    cpu = dict.fromkeys(SERVICES, 0.1)
    dear = {name: 2 * share for name, share in cpu.items()}
    pairs = [pair(observed("on", [11, 12], **dear), observed("off", [10, 10], **cpu))] * 2
    verdicts = {one.name: one.verdict for one in summary(pairs)}
    assert verdicts["tick to quote p50"] == verdicts["tick to quote p99"] == "missed"
    assert verdicts["CPU of all agents"] == "missed"
    assert bound("CPU", pairs, cpu_ratio(["risk"]), 2.0).verdict == "held"


def test_a_tick_counts_once_and_only_where_quotes_answered_it():
    rows = [
        (QUOTE, 1_000, 41_000), (QUOTE, 1_000, 41_000),  # one mass quote
        (QUOTE, 2_000, 12_000),
        (QUOTE, 0, 50_000),  # a pass of the clock
        (QUOTE, 3_000, 0),  # never sent
        (PULL, 4_000, 9_000),
        (QUOTE, 9_000, 10_000),  # after the window
    ]  # fmt: skip
    batch = np.zeros(len(rows), dtype=RECORD_DTYPE)
    for name, values in zip(
        ("kind", "received_ns", "sent_ns"), zip(*rows, strict=True), strict=True
    ):
        batch[name] = values
    assert of_batch(batch, 1_000, 9_000).tolist() == [40.0, 10.0]


def test_cpu_is_of_the_time_between_two_looks():
    first = Look(0, 100.0, {"risk": (7, 5.0), "venue": (8, 1.0)}, 0.0)
    last = Look(0, 110.0, {"risk": (7, 6.0), "venue": (8, 4.0)}, 0.0)
    assert used_between(first, last) == pytest.approx({"risk": 0.1, "venue": 0.3})
    restarted = last._replace(used={"risk": (9, 0.5), "venue": (8, 4.0)})
    with pytest.raises(RunError, match="risk"):
        used_between(first, restarted)
    gone = last._replace(used={"risk": (7, 6.0)})
    with pytest.raises(RunError, match="venue"):
        used_between(first, gone)
