"""Counters, gauges and histograms as plain numbers of one thread.

They are written at every message and read once in a while: prometheus_client's own take a lock and
some microseconds each time.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from shared.exposition import Page, Sampled
from shared.metric_names import BUCKETS_S, SERIES_MAX, Declared
from shared.service import Measured, Reading


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

    __slots__ = ("counts", "exemplars", "shown", "shown_of", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.total_s = 0.0
        self.exemplars: dict[int, Sampled] = {}  # the newest sampled trace of a bucket
        self.shown_of = (-1.0, False)  # what `shown` was written of: the sum, in which format
        self.shown = ""

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total_s += seconds

    def exemplify(self, seconds: float, trace_id: str, unix_s: float) -> None:
        """Remembers which trace shows a duration that was observed."""
        self.exemplars[bisect_left(BUCKETS_S, seconds)] = (trace_id, seconds, unix_s)


class Counter:
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

    def readings(self) -> Iterator[Reading]:
        for key, one in self._series.items():
            yield Reading(self._declared.name, one.value, key)

    def write(self, page: Page) -> None:
        page.numbers(self._declared, ((key, one.value) for key, one in self._series.items()))


class Gauge:
    """Without labels: those of the shell have none."""

    def __init__(self, declared: Declared) -> None:
        assert not declared.labels
        self._declared = declared
        self._value = 0.0

    def set(self, value: float) -> None:
        self._value = value

    def readings(self) -> Iterator[Reading]:
        yield Reading(self._declared.name, self._value)

    def write(self, page: Page) -> None:
        page.numbers(self._declared, [((), self._value)])


class Histogram:
    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._series: dict[tuple[str, ...], Durations] = {}

    def labels(self, *values: str) -> Durations:
        """Returns one series; whoever writes it often keeps it."""
        return self._series.setdefault(values, Durations())

    def write(self, page: Page) -> None:
        """Most series stand still between two looks, and are not written anew."""
        page.heading(self._declared)
        for key, one in self._series.items():
            now = (one.total_s, page.is_open)
            if one.shown_of != now:
                measured = Measured(BUCKETS_S, tuple(one.counts), one.total_s)
                one.shown = page.histogram(self._declared, key, measured, one.exemplars)
                one.shown_of = now
            page.add(one.shown)


class Kept:
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

    def readings(self, names: Collection[str]) -> Iterator[Reading]:
        """Yields what the source tells of some."""
        for reading in self._source():
            if reading.name in names:
                yield reading

    def write(self, page: Page) -> None:
        """Asks the source only if somebody wants something of it."""
        if not any(map(page.wants, self._declared)):
            return
        families: dict[str, list[Reading]] = {}
        for reading in self._source():
            families.setdefault(reading.name, []).append(reading)
        for name, readings in families.items():
            declared = self._declared.get(name)
            assert declared is not None, f"{name} is no declared metric"
            assert len(readings) <= SERIES_MAX, f"{name} has more than {SERIES_MAX} series"
            count = len(declared.labels)
            has_labels = all(len(one.labels) == count for one in readings)
            assert has_labels, f"{name} has labels {declared.labels}"
            if page.wants(name):
                self._write(page, declared, readings)

    def _write(self, page: Page, declared: Declared, readings: list[Reading]) -> None:
        if declared.kind != "histogram":
            page.numbers(declared, ((one.labels, _number(one)) for one in readings))
            return
        told = list(self._exemplars(declared.name))
        page.heading(declared)
        for one in readings:
            measured = _measured(one)
            exemplars = _by_bucket(told, measured.bounds)
            page.add(page.histogram(declared, one.labels, measured, exemplars))


def _number(reading: Reading) -> float:
    assert not isinstance(reading.value, Measured), f"{reading.name} is no histogram"
    return reading.value


def _measured(reading: Reading) -> Measured:
    assert isinstance(reading.value, Measured), f"{reading.name} is a histogram"
    return reading.value


def _by_bucket(sampled: Iterable[Sampled], bounds: tuple[float, ...]) -> dict[int, Sampled]:
    return {bisect_left(bounds, one[1]): one for one in sampled}
