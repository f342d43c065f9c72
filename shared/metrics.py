"""Counters, gauges and histograms as plain numbers of one thread.

They are written at every message and read once in a while: prometheus_client's own take a lock and
some microseconds each time, and only its exposition is used here.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from shared.metric_names import BUCKETS_S, SERIES_MAX, Declared
from shared.service import Measured, Reading

Sampled = tuple[str, float, float]  # trace id, value in seconds, when (unix seconds)


class Count:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, count: int = 1) -> None:
        assert count >= 0
        self.value += count


class Durations:
    """One series of a histogram, in seconds."""

    __slots__ = ("counts", "exemplars", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.total_s = 0.0
        self.exemplars: dict[int, Sampled] = {}  # the newest sampled trace of a bucket

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total_s += seconds

    def exemplify(self, seconds: float, trace_id: str, unix_s: float) -> None:
        """Remembers which trace shows a duration that was observed."""
        self.exemplars[bisect_left(BUCKETS_S, seconds)] = (trace_id, seconds, unix_s)


class Counter(Collector):
    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._series: dict[tuple[str, ...], Count] = {}
        if not declared.labels:
            self.labels()

    def labels(self, *values: str) -> Count:
        """Returns one series; whoever writes it often keeps it."""
        return self._series.setdefault(values, Count())

    def inc(self, count: int = 1) -> None:
        self.labels().inc(count)

    def collect(self) -> Iterator[Metric]:
        name, text, labels = self._declared[:3]
        family = CounterMetricFamily(name, text, labels=labels)
        for values, series in self._series.items():
            family.add_metric(values, series.value)
        yield family


class Histogram(Collector):
    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._series: dict[tuple[str, ...], Durations] = {}

    def labels(self, *values: str) -> Durations:
        """Returns one series; whoever writes it often keeps it."""
        return self._series.setdefault(values, Durations())

    def collect(self) -> Iterator[Metric]:
        family = _histogram(self._declared)
        for values, series in self._series.items():
            measured = Measured(BUCKETS_S, tuple(series.counts), series.total_s)
            _add(family, values, measured, series.exemplars)
        yield family


class Kept(Collector):
    """What cores and edges keep themselves, read as it stands when somebody looks."""

    def __init__(
        self,
        declared: Mapping[str, Declared],
        source: Callable[[], Iterable[Reading]],
        exemplars: Callable[[str], Iterable[Sampled]],
    ) -> None:
        self._declared = declared
        self._source = source
        self._exemplars = exemplars

    def describe(self) -> Iterator[Metric]:
        """Nothing: the core need not be asked before it has started."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        counts: dict[str, int] = {}
        for name, value, labels in self._source():
            declared = self._declared.get(name)
            assert declared is not None, f"{name} is no declared metric"
            assert len(labels) == len(declared.labels), f"{name} has labels {declared.labels}"
            family = families.get(name)
            if family is None:
                family = families[name] = _family(declared)
            counts[name] = counts.get(name, 0) + 1
            assert counts[name] <= SERIES_MAX, f"{name} has more than {SERIES_MAX} series"
            if isinstance(value, Measured):
                assert isinstance(family, HistogramMetricFamily)
                found = _by_bucket(self._exemplars(name), value.bounds)
                _add(family, labels, value, found)
            else:
                assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
                family.add_metric(labels, value)
        yield from families.values()


def _family(declared: Declared) -> Metric:
    kind: Literal["counter", "gauge", "histogram"] = declared.kind
    if kind == "histogram":
        return _histogram(declared)
    family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    return family(declared.name, declared.help, labels=declared.labels)


def _histogram(declared: Declared) -> HistogramMetricFamily:
    return HistogramMetricFamily(declared.name, declared.help, labels=declared.labels)


def _by_bucket(sampled: Iterable[Sampled], bounds: Sequence[float]) -> dict[int, Sampled]:
    return {bisect_left(bounds, one[1]): one for one in sampled}


def _add(
    family: HistogramMetricFamily,
    labels: Sequence[str],
    measured: Measured,
    exemplars: Mapping[int, Sampled],
) -> None:
    """Adds one series; a bucket with a sampled trace names it."""
    bounds = [*map(str, measured.bounds), "+Inf"]
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for place, (bound, reached) in enumerate(zip(bounds, accumulate(measured.counts), strict=True)):
        exemplar = exemplars.get(place)
        if exemplar is None:
            buckets.append((bound, reached))
        else:
            buckets.append((bound, reached, Exemplar({"trace_id": exemplar[0]}, *exemplar[1:])))
    family.add_metric(labels, buckets, measured.total)
