"""Logs and metrics, set up; names of metrics are declared in shared/metric_names.py, of spans here.

A log line is an event with values, as JSON. Nothing is logged per message.
"""

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from shared.clock import NS_PER_S, Clock
from shared.exposition import Page, Sampled
from shared.metric_names import COUNTERS, GAUGES, HISTOGRAMS, JUDGED, READINGS
from shared.metrics import Counter, Gauge, Histogram, Kept
from shared.process import Process
from shared.redaction import redact
from shared.service import Reading

Log = structlog.stdlib.BoundLogger

# Span names are `<operation> <destination>`, after OpenTelemetry's messaging conventions; the
# destination is a subject's template (`orders.fill.v1.{key}`), a venue method, or an input.
SPAN_PUBLISH = "publish"
SPAN_PROCESS = "process"
SPAN_SEND = "send"


class Telemetry:
    """One agent's metrics."""

    def __init__(self) -> None:
        self._reached: dict[tuple[str, ...], int] = {}
        self._process = Process()
        self.counters = {metric.name: Counter(metric) for metric in COUNTERS}
        self.histograms = {metric.name: Histogram(metric) for metric in HISTOGRAMS}
        self.gauges = {metric.name: Gauge(metric) for metric in GAUGES}
        self._kept: list[Kept] = []
        self._judged: tuple[Counter | Gauge, ...] = (
            *(one for name, one in self.counters.items() if name in JUDGED),
            *(one for name, one in self.gauges.items() if name in JUDGED),
        )

    def reach(self, name: str, count: int, *labels: str) -> None:
        """Brings a counter up to a count that is kept elsewhere."""
        counter = self.counters[name].labels(*labels) if labels else self.counters[name]
        key = (name, *labels)
        counter.inc(max(0, count - self._reached.get(key, 0)))
        self._reached[key] = count

    def keep(
        self,
        source: Callable[[], Iterable[Reading]],
        exemplars: Callable[[str], Iterable[Sampled]] = lambda _name: (),
    ) -> None:
        """Shows what is kept elsewhere, as it stands when somebody looks."""
        self._kept.append(Kept(READINGS, source, exemplars))

    def judged(self) -> Iterator[Reading]:
        """Yields, of the metrics that alerts are raised on, each series as it stands."""
        yield from self._process.readings(JUDGED)
        for metric in self._judged:
            yield from metric.readings()
        for kept in self._kept:
            yield from kept.readings(JUDGED)

    def exposition(self, accept: str = "", names: Collection[str] = ()) -> tuple[bytes, str]:
        """Returns the metrics, of some names or all, and their content type: OpenMetrics for
        those who accept it, with exemplars."""
        page = Page(accept, names)
        self._process.write(page)
        for known in (self.counters, self.histograms, self.gauges):
            for name, metric in known.items():
                if page.wants(name):
                    metric.write(page)
        for kept in self._kept:
            kept.write(page)
        return page.body(), page.content_type


def open_log(
    service: str, run_id: str, clock: Clock, path: Path | None = None, *, level: str = "info"
) -> Log:
    """Sends this process's logs of a level and above to standard output, or a file, as JSON;
    returns the agent's log."""

    def stamp(_logger: Any, _name: str, event: structlog.types.EventDict) -> Any:
        now_ns = clock.wall_ns()
        event["time"] = datetime.fromtimestamp(now_ns / NS_PER_S, UTC).isoformat()
        event["created_ns"] = now_ns
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            structlog.processors.JSONRenderer(),
            lambda _logger, _name, line: redact(str(line)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(
            path.open("a", encoding="utf-8") if path else sys.stdout
        ),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # told to our own callbacks instead
    log: Log = structlog.get_logger(service=service, run=run_id)
    return log
