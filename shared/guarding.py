"""Puts the breakers of what a service depends on around its wiring.

What the loop and the simulation run is the guarded service: the same breakers, in the same order.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from shared.breaker import Breaker
from shared.dependency import CHECK_INTERVAL_MS, BusHealth, Dependencies, Dependency, feed_breaker
from shared.messages.desk import BreakerV1, TimerV1
from shared.messages.message import Message
from shared.service import Consume, Every, Handler, Output, Service, every, on
from shared.venue_link import VenueReply

BUS_FALLBACK = "durable messages wait in the outbox, lossy ones are not sent"


def guarded(service: Service, *dependencies: Dependency) -> Service:
    """Returns the service with a breaker for each dependency; every agent's bus is one."""
    if not any(isinstance(one.on, BusHealth) for one in dependencies):
        dependencies = (*dependencies, bus(feed_breaker(), BUS_FALLBACK))
    known = Dependencies(service.name, dependencies)
    wrap = _Wrapping(known)
    consumes = tuple(
        replace(consume, handler=wrap.handler(consume.kind, consume.handler))
        for consume in service.consumes
    )
    unread = known.inputs() - {consume.kind for consume in service.consumes}
    replies = [consume.handler for consume in consumes if consume.kind is VenueReply]
    return replace(
        service,
        consumes=(
            *consumes,
            *(Consume(kind, wrap.handler(kind, _nothing)) for kind in sorted(unread, key=repr)),
            on(BreakerV1, known.on_command, replay=True),
        ),
        publishes=service.publishes | _latches(dependencies),
        timers=(
            every(CHECK_INTERVAL_MS, wrap.check(replies)),
            *(Every(one.interval_ms, wrap.outputs(one.handler)) for one in service.timers),
        ),
        start=wrap.start(service.start),
        drain=None if service.drain is None else wrap.outputs(service.drain),
        dependencies=known,
    )


def bus(breaker: Breaker, fallback: str) -> Dependency:
    """Returns the dependency on NATS."""
    return Dependency(name="bus", breaker=breaker, on=BusHealth(), fallback=fallback)


class _Wrapping:
    """Handlers with eyes on what goes in and out."""

    def __init__(self, known: Dependencies) -> None:
        self._known = known
        self._inputs = known.inputs()
        self._outputs = known.outputs()

    def handler(self, kind: type, handler: Handler) -> Handler:
        then = self.outputs(handler)
        if kind not in self._inputs:
            return then

        def handle(message: Any) -> Output:
            self._known.on_input(message)
            return then(message)

        return handle

    def outputs(self, handler: Handler) -> Handler:
        if not self._outputs:
            return handler

        def handle(message: Any) -> Output:
            outputs = handler(message)
            return self._passed(outputs) if outputs else outputs

        return handle

    def check(self, replies: list[Handler]) -> Callable[[TimerV1], Output]:
        def handle(timer: TimerV1) -> Output:
            yield from self._known.on_timer(timer)
            for refused in self._known.take_refused():
                for handler in replies:
                    yield from handler(refused)

        return handle

    def start(self, start: Callable[[TimerV1], Output] | None) -> Callable[[TimerV1], Output]:
        def handle(timer: TimerV1) -> Output:
            self._known.on_start(timer.created_ns)
            if start is not None:
                yield from self._passed(start(timer))

        return handle

    def _passed(self, outputs: Iterable[object]) -> Output:
        for output in outputs:
            if type(output) not in self._outputs or self._known.let_through(output):
                yield output


def _latches(dependencies: tuple[Dependency, ...]) -> frozenset[type[Message]]:
    """A latch is remembered in the record."""
    is_latched = any(one.breaker.settings.is_latched for one in dependencies)
    return frozenset({BreakerV1}) if is_latched else frozenset()


def _nothing(_message: Any) -> Output:
    return ()
