"""What goes wrong in a simulated run, all of it from the run's seed."""

import random
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.clock import NS_PER_MS, NS_PER_S

Rate = Annotated[float, Meta(ge=0.0, le=1.0)]


class FaultRates(msgspec.Struct, frozen=True, kw_only=True):
    """How often. Message faults are per delivery, the others mean seconds between two."""

    drop: Rate = 0.02  # lossy only
    duplicate: Rate = 0.02  # lossy, and redelivery of durable ones
    delay: Rate = 0.05  # lossy ones are overtaken, ordered ones hold up what follows
    delay_ms_max: int = 400
    crash_s: float = 120.0
    stall_s: float = 120.0
    stall_ms_max: int = 2500
    disconnect_s: float = 180.0
    quiet_s: float = 15.0  # at the start, before the first crash, stall or disconnection
    restart_ms: int = 600  # how long a supervisor takes to bring an agent back


@dataclass(frozen=True)
class Event:
    """One crash, stall or lost venue connection."""

    at_ns: int
    kind: Literal["crash", "stall", "disconnect"]
    service: str
    duration_ns: int


class Faults:
    """The dice for messages, and the plan of events."""

    def __init__(self, rates: FaultRates, seed: int) -> None:
        self.rates = rates
        self._dice = random.Random(f"{seed}/faults/messages")
        self._plan = random.Random(f"{seed}/faults/events")

    def lossy(self) -> tuple[int, ...]:
        """Returns the extra delays, in ns, of each copy that arrives."""
        roll = self._dice.random()
        if roll < self.rates.drop:
            return ()
        if roll < self.rates.drop + self.rates.duplicate:
            return (0, self._delay_ns())
        if roll < self.rates.drop + self.rates.duplicate + self.rates.delay:
            return (self._delay_ns(),)
        return (0,)

    def ordered(self) -> tuple[int, bool]:
        """Returns the extra delay of an ordered delivery, and whether it comes twice."""
        roll = self._dice.random()
        if roll < self.rates.duplicate:
            return 0, True
        if roll < self.rates.duplicate + self.rates.delay:
            return self._delay_ns(), False
        return 0, False

    def plan(self, start_ns: int, end_ns: int, agents: list[str], linked: list[str]) -> list[Event]:
        """Returns the events of a run in order of time."""
        rates = self.rates
        crash_ns = rates.restart_ms * NS_PER_MS
        events = [
            Event(at_ns, "crash", self._plan.choice(agents), crash_ns)
            for at_ns in self._times(start_ns, end_ns, rates.crash_s)
        ]
        for at_ns in self._times(start_ns, end_ns, rates.stall_s):
            stall_ns = self._plan.randint(50, rates.stall_ms_max) * NS_PER_MS
            events.append(Event(at_ns, "stall", self._plan.choice(agents), stall_ns))
        for at_ns in self._times(start_ns, end_ns, rates.disconnect_s) if linked else ():
            away_ns = self._plan.randint(100, 3000) * NS_PER_MS
            events.append(Event(at_ns, "disconnect", self._plan.choice(linked), away_ns))
        return sorted(events, key=lambda event: (event.at_ns, event.kind, event.service))

    def _times(self, start_ns: int, end_ns: int, mean_s: float) -> list[int]:
        times: list[int] = []
        now_ns = start_ns + round(self.rates.quiet_s * NS_PER_S)
        while True:
            now_ns += round(self._plan.expovariate(1.0 / mean_s) * NS_PER_S)
            if now_ns >= end_ns:
                return times
            times.append(now_ns)

    def _delay_ns(self) -> int:
        return self._dice.randint(1, self.rates.delay_ms_max) * NS_PER_MS
