"""Counters and histograms as plain numbers of one thread.

They are written at every message and read once in a while: prometheus_client's own take a lock and
some microseconds each time, and only its exposition is used here.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS_S = (0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0)


class Declared(NamedTuple):
    """A metric's declaration."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


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

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.total_s = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total_s += seconds


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
        name, text, labels = self._declared
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
        name, text, labels = self._declared
        family = HistogramMetricFamily(name, text, labels=labels)
        bounds = [*map(str, BUCKETS_S), "+Inf"]
        for values, series in self._series.items():
            buckets = list(zip(bounds, accumulate(series.counts), strict=True))
            family.add_metric(values, buckets, series.total_s)
        yield family
