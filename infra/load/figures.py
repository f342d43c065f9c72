"""What a desk did under a level of load: rates, cost, what was shed, which SLO broke, what ran out.

The SLOs are those that are alerted on (infra/alerting/burn.py); over a whole level their share of
errors is worked out here from what every agent tells.
"""

import itertools
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from infra.alerting.burn import SLOS
from infra.load.watching import Look, Setting, Watched
from infra.soak import SLOPE_MB_PER_MINUTE_MAX, slope_mb_per_minute
from shared.inbox import LOSSY_MAX
from shared.messages.message import Delivery
from shared.messages.registry import KINDS

STEPS_PCT_MIN = 90.0  # of the venue's steps: fewer, and the load was not what was asked for
FULL = 0.85  # of a resource: beyond it, it has run out
TREND_S_MIN = 600.0  # a slope of a shorter run says little
DELIVERY = {kind.__name__: kind.delivery for kind in KINDS.values()}


class Series:
    """What was told at every look, by name and labels."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._points: dict[str, dict[tuple[tuple[str, str], ...], list[float]]] = {}
        for look in looks:
            for one in look.samples:
                of = self._points.setdefault(one.name, {})
                of.setdefault(one.labels, []).append(one.value)

    def grown(self, name: str, **where: str) -> float:
        """Returns how much counters grew, together; one that began anew counts from nothing."""
        return sum(_growth(points) for _, points in self._of(name, where))

    def grown_by(self, name: str, *by: str) -> dict[tuple[str, ...], float]:
        """Returns the same for each group of labels that grew at all."""
        found: dict[tuple[str, ...], float] = defaultdict(float)
        for labels, points in self._of(name, {}):
            growth = _growth(points)
            if growth:
                found[tuple(labels.get(one, "") for one in by)] += growth
        return dict(found)

    def mean(self, name: str, **where: str) -> float:
        """Returns the mean over time of gauges, summed."""
        return sum(sum(points) / len(points) for _, points in self._of(name, where))

    def peak(self, name: str, **where: str) -> float:
        """Returns the greatest value of any of the gauges; 0 without one."""
        return max((max(points) for _, points in self._of(name, where)), default=0.0)

    def _of(self, name: str, where: dict[str, str]) -> Iterator[tuple[dict[str, str], list[float]]]:
        for pairs, points in self._points.get(name, {}).items():
            labels = dict(pairs)
            if all(labels.get(key) == value for key, value in where.items()):
                yield labels, points


def _growth(points: list[float]) -> float:
    steps = itertools.pairwise(points)
    return sum(now - before if now >= before else now for before, now in steps)


def _uptime_errors(series: Series) -> float:
    quotable = series.mean("quote_quotable_count")
    return 1.0 - series.mean("quote_live_count", sides="two") / quotable if quotable else 1.0


def _latency_errors(series: Series) -> float:
    ticks = series.grown("tick_to_quote_seconds_count")
    return 1.0 - series.grown("tick_to_quote_seconds_bucket", le="0.001") / ticks if ticks else 0.0


def _delivery_errors(series: Series) -> float:
    handled = series.grown("message_handled_total")
    return series.grown("message_dropped_total") / handled if handled else 1.0


# The share of what went wrong, of each SLO: what its PromQL says, over one run.
ERRORS: dict[str, Callable[[Series], float]] = {
    "QuotingUptime": _uptime_errors,
    "TickToQuote": _latency_errors,
    "Delivery": _delivery_errors,
}


def figures(watched: Watched) -> dict[str, Any]:
    """Returns a level's row, as JSON has it. CPU is in cores, memory in MB."""
    looks, report = watched.looks, watched.report
    series = Series(looks)
    seconds = looks[-1].at_s - looks[0].at_s
    cpu = {
        name: (looks[-1].usage[name][1] - before[1]) / seconds
        for name, before in looks[0].usage.items()
        if name in looks[-1].usage
    }
    busy = (looks[-1].busy_s - looks[0].busy_s) / seconds
    row: dict[str, Any] = {
        **asdict(watched.setting),
        "seconds": round(seconds, 1),
        "quotable_instruments": report["quotable_instruments_max"],
        "feed_per_s": series.grown("multicast_message_total") / seconds,
        "datagrams_per_s": series.grown("multicast_datagram_total") / seconds,
        "bus_handled_per_s": series.grown("message_handled_total") / seconds,
        "bus_published_per_s": series.grown("message_published_total") / seconds,
        "cpu": cpu,
        "cpu_desk": sum(cpu.values()),
        "cpu_others": max(busy - sum(cpu.values()), 0.0),
        "cores": os.cpu_count() or 1,
        "memory": memory(looks),
        "shed": shed(series),
        "critical_lost": series.grown("message_critical_dropped_total")
        + series.grown("path_record_lost_total")
        + report["critical_dropped"],
        "venue_steps_pct": steps_pct(series, watched.setting, seconds),
        "tick_to_quote_us": report["tick_to_quote_us"],
        "two_sided_pct": 100.0 * (1.0 - _uptime_errors(series)),
        "protection_trips": series.grown("protection_tripped_total")
        + series.grown("alert_raised_total", alert="own_window"),
        "limit_used_max": series.peak("limit_used_ratio"),
        "fills": report["fills"],
        "violations": report["violations"] + report["reconciliation_breaks"],
        "pages": sorted({one["name"] for one in watched.alerts if one["severity"] == "page"}),
        "slos": slos(series),
    }
    row["used"] = used(row, series)
    row["broken"] = broken(row)
    return row


def steps_pct(series: Series, setting: Setting, seconds: float) -> float:
    """Returns how many of its steps the simulated venue has made: below 100, the load itself was
    less than was asked for."""
    made = series.grown("message_handled_total", service="venue", kind="TimerV1")
    return 100.0 * made / (seconds * (1000.0 / setting.step_ms + 1.0))


def memory(looks: Sequence[Look]) -> dict[str, dict[str, float]]:
    """Returns the most that each process had resident, and how fast that grew in the end."""
    found = {}
    for name in looks[-1].usage:
        points = [(look.at_s, look.usage[name][0]) for look in looks if name in look.usage]
        times, values = map(list, zip(*points, strict=True))
        slope = slope_mb_per_minute(times, values)
        found[name] = {"mb_max": max(values), "mb_per_minute": slope}
    return found


def shed(series: Series) -> dict[str, dict[str, float]]:
    """Returns the messages that were dropped, by kind and reason."""
    found: dict[str, dict[str, float]] = {}
    for (kind, reason), count in series.grown_by("message_dropped_total", "kind", "reason").items():
        found.setdefault(kind, {})[reason] = count
    return found


def slos(series: Series) -> dict[str, dict[str, float]]:
    """Returns for each SLO its share of errors and the share that its objective leaves."""
    return {
        slo.name: {"errors": max(ERRORS[slo.name](series), 0.0), "budget": 1.0 - slo.objective}
        for slo in SLOS
    }


def used(row: dict[str, Any], series: Series) -> dict[str, float]:
    """Returns how much of each resource was in use, the fullest first; 1.0 is all of it."""
    found = {f"core of {name}": share for name, share in row["cpu"].items()}
    found["all cores"] = (row["cpu_desk"] + row["cpu_others"]) / row["cores"]
    found["venue's rate limit"] = max(
        series.peak("venue_budget_used_ratio"),
        1.0 if series.grown("venue_throttled_total") else 0.0,
    )
    found["inbox"] = series.peak("inbox_pending_messages") / LOSSY_MAX
    found["record ring"] = series.peak("ring_used_ratio")
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def saturated(row: dict[str, Any]) -> str:
    """Returns the resource that ran out, else the fullest one with its share."""
    (name, share), *_ = row["used"].items()
    return name if share >= FULL else f"none ({name} {share:.2f})"


def broken(row: dict[str, Any]) -> list[str]:
    """Returns what did not hold, worst first: money and the record, then SLOs by how much of
    their budget was spent."""
    found = []
    if row["critical_lost"]:
        found.append("critical messages lost")
    if row["violations"]:
        found.append("invariants")
    if row["limit_used_max"] > 1.0:
        found.append("limits")
    if any(DELIVERY.get(kind) is not Delivery.LOSSY for kind in row["shed"]):
        found.append("shed what must not be")
    spent = {name: one["errors"] / one["budget"] for name, one in row["slos"].items()}
    found += [name for name in sorted(spent, key=lambda one: -spent[one]) if spent[name] > 1.0]
    if row["seconds"] >= TREND_S_MIN and growing(row):
        found.append("memory")
    return found


def growing(row: dict[str, Any]) -> list[str]:
    """Returns the processes whose memory is not flat."""
    slopes = {name: one["mb_per_minute"] for name, one in row["memory"].items()}
    return [name for name, slope in slopes.items() if slope > SLOPE_MB_PER_MINUTE_MAX]


def is_safe(row: dict[str, Any]) -> bool:
    """Says whether all that no load may break has held."""
    return not set(row["broken"]) & {
        "critical messages lost", "invariants", "limits", "shed what must not be",
    }  # fmt: skip
