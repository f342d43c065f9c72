"""Everything that goes out: what a handler yields, to the bus, the venue link or the edge.

What was not declared is an assertion: the drawn topology cannot lie.
"""

from collections.abc import Callable
from typing import Any

from shared.bus import Bus, Parcel
from shared.messages.message import Delivery, Message, encode, subject_of
from shared.messages.risk import AlertV1
from shared.service import Edge, Service
from shared.telemetry import Telemetry


class Countdown:
    """Calls `done` when all that was expected has come, and nothing more will be expected."""

    def __init__(self, done: Callable[[], None]) -> None:
        self._done = done
        self._count = 1

    def expect(self) -> Callable[[], None]:
        """Returns what to call when one more thing is over."""
        self._count += 1
        return self.close

    def close(self) -> None:
        self._count -= 1
        if self._count == 0:
            self._done()


class Outlet:
    def __init__(
        self, service: Service, bus: Bus, telemetry: Telemetry, edges: tuple[Edge, ...]
    ) -> None:
        self._service = service
        self._bus = bus
        self._telemetry = telemetry
        self._counters = {
            kind: telemetry.counters["message_published"].labels(kind.__name__)
            for kind in service.publishes
        }
        self._alerts = telemetry.counters["alert_raised"]
        self._edges: dict[type, Edge] = {}
        for edge in edges:
            for accepted in edge.accepts:
                assert accepted not in self._edges, f"{accepted.__name__} has two ways out"
                self._edges[accepted] = edge
        self.published_count = 0

    def check(self, output: object) -> None:
        """Asserts that the service declared this output."""
        kind = type(output)
        is_declared = kind in self._counters or kind in self._edges
        assert is_declared, f"{self._service.name} never declared {kind.__name__}"

    async def route(
        self, output: Any, countdown: Countdown | None, headers: dict[str, str]
    ) -> None:
        """Sends one output on its way; the countdown, if any, counts what must be stored."""
        counter = self._counters.get(type(output))
        if counter is None:
            self.check(output)
            self._edges[type(output)].send(output)
            return
        self.published_count += 1
        counter.inc()
        if output.delivery is Delivery.LOSSY:
            await self.publish(output, headers)
        elif output.delivery is Delivery.STATE:
            parcel = Parcel(subject_of(output), encode(output), None, headers)
            parcel.follows_record = output.follows_record
            await self._bus.post(parcel)
        else:
            if isinstance(output, AlertV1):
                self._alerts.labels(output.name, output.severity).inc()
            on_stored = countdown.expect() if countdown is not None else None
            await self.post(output, on_stored, headers)

    def push(self) -> None:
        """Has written what was published: a turn's outputs leave together, and at its end."""
        self._bus.push()

    async def publish(self, message: Message, headers: dict[str, str]) -> None:
        """Sends a lossy message, now or never."""
        if not await self._bus.publish(subject_of(message), encode(message), headers or None):
            kind = type(message).__name__
            self._telemetry.counters["message_dropped"].labels("bus_away", kind).inc()

    async def post(
        self, message: Message, on_stored: Callable[[], None] | None, headers: dict[str, str]
    ) -> None:
        """Sends a durable message; it is repeated until it is stored."""
        message_id = message.message_id()
        assert message_id is not None, f"{type(message).__name__} is durable and has no id"
        parcel = Parcel(subject_of(message), encode(message), message_id, headers, on_stored)
        await self._bus.post(parcel)
