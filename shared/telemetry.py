"""Logs and metrics: set up here, and every metric and span name declared here, once.

A log line is an event with values, as JSON. A metric is `<subject>_<action>_<unit>` with bounded
labels; prometheus_client adds `_total` to counters. Nothing is logged per message.
"""

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

from shared.clock import NS_PER_S, Clock

Log = structlog.stdlib.BoundLogger

BUCKETS_S = (0.00005, 0.0002, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0)


class Metric(NamedTuple):
    """A metric's declaration."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


COUNTERS = (
    Metric("message_handled", "Inputs the core has taken.", ("kind",)),
    Metric("message_published", "Messages the core has given to the bus.", ("kind",)),
    Metric("message_dropped", "Lossy messages lost: full queue, too old, bus away.", ("reason",)),
    Metric("message_critical_dropped", "Durable or state messages lost. Must stay 0."),
    Metric("message_doubled", "Durable messages that had been handled before.", ("kind",)),
    Metric("message_dead_lettered", "Inputs that could not be read."),
    Metric("message_resent", "Publications repeated under the same id."),
    Metric("timer_skipped", "Timer ticks that fell due while the one before still waited."),
    Metric("bus_connected", "Connections to NATS, the first included."),
    Metric("follower_rebound", "Stream readers bound anew after a hole, silence or reconnection."),
)
GAUGES = (
    Metric("agent_ready", "1 when the agent is ready."),
    Metric("outbox_pending_messages", "Messages that JetStream has not confirmed."),
    Metric("inbox_pending_messages", "Inputs that wait for the core."),
    Metric("loop_delay_seconds", "How late the last heartbeat was."),
)
HISTOGRAMS = (
    Metric("handler_duration_seconds", "Time a handler took, its outputs routed.", ("kind",)),
    Metric("message_age_seconds", "Age of a lossy message when it reached the core.", ("kind",)),
)

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
        self.counters = {
            metric.name: Counter(metric.name, metric.help, metric.labels, registry=self.registry)
            for metric in COUNTERS
        }
        self.gauges = {
            metric.name: Gauge(metric.name, metric.help, metric.labels, registry=self.registry)
            for metric in GAUGES
        }
        self.histograms = {
            metric.name: Histogram(
                metric.name,
                metric.help,
                metric.labels,
                registry=self.registry,
                buckets=BUCKETS_S,
            )
            for metric in HISTOGRAMS
        }

    def reach(self, name: str, count: int, *labels: str) -> None:
        """Brings a counter up to a count that is kept elsewhere."""
        counter = self.counters[name].labels(*labels) if labels else self.counters[name]
        key = (name, *labels)
        counter.inc(max(0, count - self._reached.get(key, 0)))
        self._reached[key] = count

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


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
