"""A condition on a metric, as data: judged here over samples, and written as PromQL for Prometheus.

Both mean the same; a test puts every alert's cases to promtool and to this file, and they must
agree. Where a condition looks back, counters that start anew count from there, as `increase` does.
"""

import itertools
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.metric_names import ALL

Labels = tuple[tuple[str, str], ...]  # sorted by name
Points = deque[tuple[float, float]]  # unix seconds and value, oldest first

# What every scrape has beside the desk's own metrics: of Prometheus itself and the client library.
OF_EVERY_SCRAPE = frozenset({"up", "process_start_time_seconds", "process_resident_memory_bytes"})

NOW = ("value", "days_left")  # what one look can judge
DAY_S = 86_400

PICKS: dict[str, Callable[[list[float]], float]] = {"max": max, "min": min, "sum": sum}


@dataclass(frozen=True)
class Sample:
    """One series at one time; labels include the service."""

    name: str
    labels: Labels
    value: float


@dataclass(frozen=True)
class Condition:
    """Holds for each group of `by` whose greatest (least, summed) series is beyond the bound.

    `over` the last `window_s`: how much a counter grew (`increase`), as that but counting from
    nothing the series that are new (`birth`), or how often a gauge changed (`changes`). `days_left`
    until the time of day that a gauge tells. `where` holds patterns of whole label values.
    """

    metric: str
    op: Literal[">", "<"]
    bound: float
    by: tuple[str, ...] = ("service",)
    pick: Literal["max", "min", "sum"] = "max"
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    over: Literal["value", "days_left", "increase", "birth", "changes"] = "value"
    window_s: int = 0

    def __post_init__(self) -> None:
        assert self.metric in ALL or self.metric in OF_EVERY_SCRAPE, self.metric
        assert (self.window_s > 0) == (self.over not in NOW), self.metric

    @property
    def series(self) -> str:
        """Returns the name on the wire."""
        declared = ALL.get(self.metric)
        is_counter = declared is not None and declared.kind == "counter"
        return f"{self.metric}_total" if is_counter else self.metric

    def promql(self) -> str:
        matchers = ",".join(f'{name}=~"{"|".join(some)}"' for name, some in self.where.items())
        series = f"{self.series}{{{matchers}}}" if matchers else self.series
        group = f"{self.pick} by ({', '.join(self.by)})"
        if self.over in ("increase", "changes"):
            series = f"{self.over}({series}[{self.window_s}s])"
        elif self.over == "days_left":
            series = f"({series} - time()) / {DAY_S}"
        elif self.over == "birth":
            before = f"{group} ({series} offset {self.window_s}s)"
            return f"{group} ({series}) - ({before} or {group} ({series}) * 0) > {self.bound:g}"
        return f"{group} ({series}) {self.op} {self.bound:g}"

    def holds(self, history: "History") -> dict[Labels, float]:
        """Returns the groups for which it holds now, each with its value."""
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in history.values(self):
            known = dict(labels)
            if all(_is_one(known.get(name, ""), some) for name, some in self.where.items()):
                groups[_only(labels, self.by)].append(value)
        pick = PICKS[self.pick]
        picked = {group: pick(values) for group, values in groups.items()}
        return {
            group: value
            for group, value in picked.items()
            if (value > self.bound if self.op == ">" else value < self.bound)
        }


def all_hold(conditions: tuple[Condition, ...], history: "History") -> dict[Labels, float]:
    """Returns the groups of the first condition for which all hold, joined on common labels."""
    first, *others = conditions
    found = first.holds(history)
    for other in others:
        common = tuple(name for name in first.by if name in other.by)
        there = {_only(group, common) for group in other.holds(history)}
        found = {group: value for group, value in found.items() if _only(group, common) in there}
    return found


def promql(conditions: tuple[Condition, ...]) -> str:
    """Returns the same as one expression."""
    first, *others = conditions
    text = first.promql()
    for other in others:
        common = ", ".join(name for name in first.by if name in other.by)
        text = f"{text} and on ({common}) {other.promql()}"
    return text


class History:
    """Samples as far back as the conditions look. A target that is not heard has no values now,
    but what it said before still counts where a condition looks back."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self._windows: dict[str, int] = {}
        for one in conditions:
            self._windows[one.series] = max(self._windows.get(one.series, 0), one.window_s)
        self._points: dict[str, dict[Labels, Points]] = {name: {} for name in self._windows}
        self._heard_s: dict[str, float] = {}  # service -> when it first was
        self._born_s: dict[tuple[str, Labels], float] = {}
        self._now_s = 0.0

    @property
    def names(self) -> frozenset[str]:
        """Returns the names, on the wire, that are kept."""
        return frozenset(self._windows)

    def add(self, now_s: float, samples: Iterable[Sample]) -> None:
        self._now_s = now_s
        for sample in samples:
            if sample.name in self._points:
                series = self._points[sample.name].setdefault(sample.labels, deque())
                series.append((now_s, sample.value))
                self._born_s.setdefault((sample.name, sample.labels), now_s)
                self._heard_s.setdefault(dict(sample.labels).get("service", ""), now_s)
        for name, window_s in self._windows.items():
            for labels, series in list(self._points[name].items()):
                while series and series[0][0] < now_s - window_s:
                    series.popleft()
                if not series:
                    del self._points[name][labels], self._born_s[name, labels]

    def values(self, condition: Condition) -> Iterable[tuple[Labels, float]]:
        """Yields each series' value as the condition wants it."""
        for labels, series in self._points[condition.series].items():
            if condition.over in NOW:
                at_s, value = series[-1]
                if at_s == self._now_s:
                    is_date = condition.over == "days_left"
                    yield labels, (value - at_s) / DAY_S if is_date else value
                continue
            inside = [point for point in series if point[0] >= self._now_s - condition.window_s]
            if not inside:
                continue
            if condition.over == "changes":
                changes = sum(a[1] != b[1] for a, b in itertools.pairwise(inside))
                yield labels, float(changes)
            elif condition.over == "birth":
                yield labels, inside[-1][1] - self._base(condition.series, labels, inside[0])
            else:
                yield labels, _grown(inside)

    def _base(self, name: str, labels: Labels, first: tuple[float, float]) -> float:
        """Returns what a counter stood at when the window began: nothing, if it came later."""
        heard_s = self._heard_s.get(dict(labels).get("service", ""), first[0])
        is_new = self._born_s[name, labels] == first[0] > heard_s
        return 0.0 if is_new else first[1]


def _grown(points: list[tuple[float, float]]) -> float:
    """Returns by how much a counter grew; what it has after a fall, it has since then."""
    values = [value for _, value in points]
    return sum(
        after - before if after >= before else after for before, after in itertools.pairwise(values)
    )


def _is_one(value: str, patterns: tuple[str, ...]) -> bool:
    return any(re.fullmatch(pattern, value) for pattern in patterns)


def _only(labels: Labels, names: tuple[str, ...]) -> Labels:
    return tuple((name, value) for name, value in labels if name in names)
