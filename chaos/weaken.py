"""Protections switched off, one at a time, to see that a fault then does harm.

`python -m chaos.weaken PROTECTION services.NAME` runs an agent without it. The product has no such
switches: what they change is changed from here, before the agent starts.
"""

import importlib
import runpy
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

NS_PER_S = 1_000_000_000
HOURS_MS = 3_600_000
AGENTS = frozenset(
    {"ledger", "risk", "gateway", "market_making", "pricing", "execution", "hedging"}
)


def _set(module: str, name: str, value: Any) -> None:
    found = importlib.import_module(module)
    assert hasattr(found, name), f"{module} has no {name} to weaken"
    setattr(found, name, value)


def lease() -> None:
    """Risk's lease, once given, does not lapse."""
    _set("services.risk.lease", "LEASE_MS", HOURS_MS)


def lease_margin() -> None:
    """A lease lives hardly longer than it takes to renew it."""
    _set("services.risk.lease", "LEASE_MS", 220)


def newest() -> None:
    """A lease counts whatever its age: the last that came, not the last that was given."""
    core = importlib.import_module("services.market_making.core").MarketMaking
    take = core.on_lease

    def on_lease(self: Any, message: Any) -> Any:
        for book in self.books.values():
            book.lease_ns = 0
        return take(self, message)

    core.on_lease = on_lease


def order() -> None:
    """No reader notes that messages come late, and a lease counts whatever its age."""
    newest()
    _set("shared.lossy_order", "BACK_MAX", -1)


def certificate() -> None:
    """Pricing takes any surface for free of arbitrage."""
    _set("native.surface", "certify", lambda _: SimpleNamespace(is_free=True))


def watch() -> None:
    """The venue does not notice that a client with cancel-on-disconnect has fallen silent."""
    _set("services.market_making.fix_line", "HEARTBEAT_S", 3600)


def feed_age() -> None:
    """Risk does not mind how long gateway has said nothing, whatever its breakers say."""
    _set("services.risk.core", "FEED_AGE_NS_MAX", HOURS_MS * 1_000_000)
    breakers = importlib.import_module("services.risk.breakers").Breakers
    breakers.refusal = lambda _: ""


def reconnect() -> None:
    """A WebSocket session that ended is not opened again."""
    _set("shared.venue_socket", "BACKOFF_S_MIN", 3600.0)


def fix_reconnect() -> None:
    """A FIX session that ended is not opened again."""
    _set("services.market_making.fast_edge", "RETRY_S_MIN", 3600.0)


def retry() -> None:
    """A quote that was refused is not tried again for a minute."""
    for name in ("REJECT_HOLD_NS", "FAILURE_HOLD_NS"):
        _set("services.market_making.fast_edge", name, 60 * NS_PER_S)


def burial() -> None:
    """What cannot be read ends the agent that reads it."""
    intake = importlib.import_module("shared.intake").Intake

    def bury(_: Any, subject: str, *__: Any) -> None:
        raise RuntimeError(f"unreadable on {subject}")

    intake.bury = bury


def shedding() -> None:
    """Lossy inputs wait without bound, and none is too old."""
    _set("shared.bus", "LOSSY_PENDING_MAX", 10**9)
    _set("shared.bus", "PENDING_BYTES_MAX", 10**12)
    _set("shared.inbox", "LOSSY_MAX", 10**9)
    _set("shared.worker", "LOSSY_AGE_NS_MAX", HOURS_MS * 1_000_000)


def own_thread() -> None:
    """Whoever appends to a journal waits until the disk has it."""
    journal = importlib.import_module("shared.journal").Journal
    append = journal.append

    def append_and_wait(self: Any, *args: Any) -> Any:
        entry = append(self, *args)
        while self.durable_sequence < entry.sequence:
            time.sleep(0.001)
        return entry

    journal.append = append_and_wait


def memory_bound() -> None:
    """Nobody measures how much memory an agent may still take."""
    _set("shared.vitals", "memory_used_ratio", lambda *_: 0.0)


# By protection: the services that run without it, and how. What is only configuration stands in
# the experiment itself.
WEAKENED: dict[str, tuple[frozenset[str], Callable[[], None]]] = {
    "lease": (frozenset({"risk"}), lease),
    "lease_margin": (frozenset({"risk"}), lease_margin),
    "order": (AGENTS, order),
    "certificate": (frozenset({"pricing"}), certificate),
    "watch": (frozenset({"market_making"}), watch),
    "feed_age": (frozenset({"risk"}), feed_age),
    "reconnect": (frozenset({"gateway", "market_making"}), reconnect),
    "fix_reconnect": (frozenset({"market_making"}), fix_reconnect),
    "retry": (frozenset({"market_making"}), retry),
    "burial": (AGENTS, burial),
    "shedding": (AGENTS, shedding),
    "memory_bound": (AGENTS, memory_bound),
    "own_thread": (frozenset({"market_making"}), own_thread),
}
# Not of one process: chaos.desk and chaos.containers see to them.
NO_RESTART = "restart"  # the supervisor's own, or the engine's
NO_SPARE = "spare"  # one server of three is dead before


def main() -> None:
    protection, module = sys.argv[1:3]
    WEAKENED[protection][1]()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
