"""Logs and metrics: set up here, and every metric and span name declared here, once.

A log line is an event with values, as JSON. A metric is `<subject>_<action>_<unit>` with bounded
labels; prometheus_client adds `_total` to counters. Nothing is logged per message.
"""

import itertools
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from shared.breaker import State
from shared.clock import NS_PER_S, Clock
from shared.dependency import Dependencies
from shared.metrics import Counter, Declared, Histogram
from shared.redaction import redact
from shared.service import Measured

Log = structlog.stdlib.BoundLogger

COUNTERS = (
    Declared("message_handled", "Inputs the core has taken.", ("kind",)),
    Declared("message_published", "Messages the core has given to the bus.", ("kind",)),
    Declared("message_dropped", "Lossy messages lost: full queue, too old, bus away.", ("reason",)),
    Declared("message_critical_dropped", "Durable or state messages lost. Must stay 0."),
    Declared("message_doubled", "Durable messages that had been handled before.", ("kind",)),
    Declared("message_dead_lettered", "Inputs that could not be read."),
    Declared("message_resent", "Publications repeated under the same id."),
    Declared("timer_skipped", "Timer ticks that fell due while the one before still waited."),
    Declared("bus_connected", "Connections to NATS, the first included."),
    Declared(
        "follower_rebound", "Stream readers bound anew after a hole, silence or reconnection."
    ),
)
GAUGES = (
    Declared("agent_ready", "1 when the agent is ready."),
    Declared("outbox_pending_messages", "Messages that JetStream has not confirmed."),
    Declared("inbox_pending_messages", "Inputs that wait for the core."),
    Declared("loop_delay_seconds", "How late the last heartbeat was."),
)
HISTOGRAMS = (
    Declared("handler_duration_seconds", "Time a handler took, its outputs routed.", ("kind",)),
    Declared("message_age_seconds", "Age of a lossy message when it reached the core.", ("kind",)),
)
KEPT_ELSEWHERE = {
    "tick_to_quote_seconds": Declared(
        "tick_to_quote_seconds", "A datagram's arrival to its quotes' sending, in the C loop."
    ),
}
BREAKER_STATE = Declared(
    "breaker_state", "1 for the state a circuit breaker is in, 0 for the others.",
    ("dependency", "state"),
)  # fmt: skip
BREAKER_CALLS = Declared(
    "breaker_calls", "Calls to a dependency: ok, failed, slow, or not_permitted by its breaker.",
    ("dependency", "outcome"),
)  # fmt: skip

# Span names are `<operation> <destination>`, after OpenTelemetry's messaging conventions; the
# destination is a subject's template (`orders.fill.v1.{key}`), a venue method, or an input.
SPAN_PUBLISH = "publish"
SPAN_PROCESS = "process"
SPAN_SEND = "send"


class Telemetry:
    """One agent's metrics, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._reached: dict[tuple[str, ...], int] = {}
        ProcessCollector(registry=self.registry)
        self.counters = {metric.name: Counter(metric) for metric in COUNTERS}
        self.histograms = {metric.name: Histogram(metric) for metric in HISTOGRAMS}
        for collector in (*self.counters.values(), *self.histograms.values()):
            self.registry.register(collector)
        self.gauges = {
            metric.name: Gauge(metric.name, metric.help, metric.labels, registry=self.registry)
            for metric in GAUGES
        }

    def reach(self, name: str, count: int, *labels: str) -> None:
        """Brings a counter up to a count that is kept elsewhere."""
        counter = self.counters[name].labels(*labels) if labels else self.counters[name]
        key = (name, *labels)
        counter.inc(max(0, count - self._reached.get(key, 0)))
        self._reached[key] = count

    def keep(self, source: Callable[[], Mapping[str, Measured]]) -> None:
        """Shows histograms that are kept elsewhere, as they stand when somebody looks."""
        self.registry.register(_Kept(source))

    def keep_breakers(self, dependencies: Dependencies) -> None:
        """Shows the circuit breakers of an agent, as they stand when somebody looks."""
        self.registry.register(_Breakers(dependencies))

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


class _Breakers(Collector):
    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    def collect(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(*BREAKER_STATE[:2], labels=BREAKER_STATE.labels)
        calls = CounterMetricFamily(*BREAKER_CALLS[:2], labels=BREAKER_CALLS.labels)
        for one in self._dependencies.all:
            breaker = one.breaker
            for state in State:
                states.add_metric([one.name, state.value], breaker.state is state)
            for outcome, count in (
                ("ok", breaker.ok_count),
                ("failed", breaker.failed_count),
                ("slow", breaker.slow_count),
                ("not_permitted", breaker.not_permitted_count),
            ):
                calls.add_metric([one.name, outcome], count)
        yield states
        yield calls


class _Kept(Collector):
    def __init__(self, source: Callable[[], Mapping[str, Measured]]) -> None:
        self._source = source

    def collect(self) -> Iterator[HistogramMetricFamily]:
        for name, measured in self._source().items():
            bounds = [*(str(bound) for bound in measured.bounds), "+Inf"]
            reached = itertools.accumulate(measured.counts)
            family = HistogramMetricFamily(name, KEPT_ELSEWHERE[name].help)
            family.add_metric([], list(zip(bounds, reached, strict=True)), measured.total)
            yield family


def open_log(service: str, run_id: str, clock: Clock, path: Path | None = None) -> Log:
    """Sends this process's logs to standard output, or a file, as JSON; returns the agent's log."""

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
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(
            path.open("a", encoding="utf-8") if path else sys.stdout
        ),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # told to our own callbacks instead
    log: Log = structlog.get_logger(service=service, run=run_id)
    return log
