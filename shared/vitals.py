"""What the shell measures of its own agent, with each heartbeat: bus, queues, clock, memory."""

import os
import resource
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from shared.breaker import State
from shared.bus import Bus
from shared.clock import NS_PER_S, Clock
from shared.dependency import Dependencies
from shared.inbox import Inbox
from shared.lossy_order import LossyOrder
from shared.messages.desk import HeartbeatV1, Vital, VitalsV1
from shared.messages.message import Delivery
from shared.messages.registry import KINDS, stem_of
from shared.service import Measured, Reading, Service
from shared.telemetry import Telemetry

STEPS_KEPT = 30  # heartbeats
ACKS_KEPT = 2
MEMORY_BOUND_BYTES = 1024**3  # of an agent without a cgroup of its own
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
# What agents subscribe to -> the newest kind that comes there.
KIND_OF = {f"{stem_of(kind)}.>": kind.__name__ for kind in KINDS.values()}


class Vitals:
    def __init__(self, telemetry: Telemetry, bus: Bus, inbox: Inbox, clock: Clock) -> None:
        self._telemetry = telemetry
        self._bus = bus
        self._inbox = inbox
        self._clock = clock
        self._bound_bytes = memory_bound_bytes()
        self._acks_ns: deque[int] = deque(maxlen=ACKS_KEPT)
        self._steps_ns: deque[int] = deque(maxlen=STEPS_KEPT)
        self._apart_ns: int | None = None  # time of day less time since the machine's start

    def measure(self, beat: HeartbeatV1, *, rebind_count: int, order: LossyOrder) -> None:
        gauges, reach, counts = self._telemetry.gauges, self._telemetry.reach, self._bus.counts
        gauges["agent_ready"].set(beat.is_ready)
        gauges["bus_up"].set(self._bus.is_connected)
        gauges["bus_ack_seconds"].set(self._slowest_ack_ns() / NS_PER_S)
        gauges["outbox_pending_messages"].set(len(self._bus.outbox))
        gauges["outbox_age_seconds"].set(self._outbox_age_ns() / NS_PER_S)
        gauges["inbox_pending_messages"].set(len(self._inbox))
        gauges["clock_step_seconds"].set(self._step_ns() / NS_PER_S)
        gauges["memory_used_ratio"].set(memory_used_ratio(beat.rss_bytes, self._bound_bytes))
        reach("message_critical_dropped", beat.critical_dropped_count)
        reach("message_missed", order.missed_count)
        reach("message_disordered", order.disordered_count)
        reach("message_resent", counts.resent_count)
        reach("bus_connected", counts.connected_count)
        reach("follower_rebound", rebind_count)
        for kind, count in self._inbox.dropped.items():
            reach("message_dropped", count, "inbox_full", kind.__name__)
        for subject, count in counts.lossy_dropped.items():
            reach("message_dropped", count, "slow_loop", KIND_OF.get(subject, "unknown"))

    def _slowest_ack_ns(self) -> int:
        self._acks_ns.append(self._bus.outbox.take_slowest_ns())
        return max(self._acks_ns)

    def _outbox_age_ns(self) -> int:
        now_ns = self._clock.monotonic_ns()
        return now_ns - (self._bus.outbox.oldest_put_ns() or now_ns)

    def _step_ns(self) -> int:
        """Returns how far the time of day has jumped against a clock that cannot."""
        apart_ns = self._clock.wall_ns() - self._clock.monotonic_ns()
        before_ns = apart_ns if self._apart_ns is None else self._apart_ns
        self._apart_ns = apart_ns
        self._steps_ns.append(abs(apart_ns - before_ns))
        return max(self._steps_ns)


def vitals_of(service: str, now_ns: int, telemetry: Telemetry) -> VitalsV1:
    """Returns what is judged of an agent, as it stands."""
    return VitalsV1(
        created_ns=now_ns, service=service, vitals=tuple(map(_vital, telemetry.judged()))
    )


def _vital(reading: Reading) -> Vital:
    assert not isinstance(reading.value, Measured), f"{reading.name}: no histogram is judged"
    return Vital(reading.name, float(reading.value), reading.labels)


def sheddable(service: Service) -> Iterator[tuple[str, str]]:
    """Yields reason and kind of what an agent may lose: told as 0 until it does, for a series that
    begins with its first loss has no increase."""
    for consume in service.consumes:
        if getattr(consume.kind, "delivery", None) is Delivery.LOSSY:
            yield "inbox_full", consume.kind.__name__
    for kind in service.publishes:
        if kind.delivery is Delivery.LOSSY:
            yield "bus_away", kind.__name__


def memory_used_ratio(rss_bytes: int, bound_bytes: int) -> float:
    """Returns how much of the memory that it may have a process has: resident, of the cgroup's
    limit; or addresses, of the process's own limit, where somebody has set one."""
    used = rss_bytes / bound_bytes
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return used
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return max(used, pages * resource.getpagesize() / limit)


def memory_bound_bytes() -> int:
    """Returns the limit of the cgroup, where it is less than the machine has."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in CGROUP_LIMITS:
        try:
            bound = int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if 0 < bound < machine:
            return bound
    return MEMORY_BOUND_BYTES


def breaker_readings(dependencies: Dependencies) -> Iterator[Reading]:
    """The circuit breakers of an agent, by state and by outcome."""
    for one in dependencies.all:
        breaker = one.breaker
        for state in State:
            yield Reading("breaker_state", breaker.state is state, (one.name, state.value))
        for outcome, count in (
            ("ok", breaker.ok_count),
            ("failed", breaker.failed_count),
            ("slow", breaker.slow_count),
            ("not_permitted", breaker.not_permitted_count),
        ):
            yield Reading("breaker_calls", count, (one.name, outcome))
