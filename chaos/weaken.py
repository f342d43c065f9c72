"""Protections switched off, one at a time, to see that a fault then does harm.

`python -m chaos.weaken PROTECTION services.NAME` runs an agent without it. The product has no such
switches: what they change is changed from here, before the agent starts.
"""

import importlib
import runpy
import sys
from collections.abc import Callable
from typing import Any

HOURS_MS = 3_600_000


def _set(module: str, name: str, value: Any) -> None:
    found = importlib.import_module(module)
    assert hasattr(found, name), f"{module} has no {name} to weaken"
    setattr(found, name, value)


def lease() -> None:
    """Risk's lease, once given, does not lapse."""
    _set("services.risk.lease", "LEASE_MS", HOURS_MS)


def watch() -> None:
    """The venue does not notice that a client with cancel-on-disconnect has fallen silent."""
    _set("services.market_making.fix_line", "HEARTBEAT_S", 3600)


# By protection: the services that run without it, and how. What is only configuration stands in
# the experiment itself.
WEAKENED: dict[str, tuple[frozenset[str], Callable[[], None]]] = {
    "lease": (frozenset({"risk"}), lease),
    "watch": (frozenset({"market_making"}), watch),
}
NO_RESTART = "restart"  # the supervisor's own; chaos.desk sees to it


def main() -> None:
    protection, module = sys.argv[1:3]
    WEAKENED[protection][1]()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
