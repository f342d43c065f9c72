"""The whole desk in one process, in simulated time: `hedgerow simulate`.

`python -m infra.simulated_desk --seed S --hours H [--faults] [--json]` prints the final state hash,
the ratio of simulated to wall time, P&L, and what the invariants found. Same seed, same hash.
"""

import argparse
import importlib
import json
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from infra.desk_plan import check_tables
from infra.simulated_edges import MemoryJournal
from infra.simulated_venue import SimulatedVenue
from services.venue.core import Config as VenueConfig
from services.venue.market.opening import open_chain
from shared.clock import NS_PER_S
from shared.configuration import DeskConfig, load_tables, section
from shared.faults import FaultRates
from shared.invariants import Invariants
from shared.messages.message import Message
from shared.messages.orders import FillV1
from shared.messages.risk import PnlV1
from shared.service import Service
from shared.simulation import Settings, Simulation

# Noon of a quiet day, UTC: an hour of it meets no expiry and no settlement.
START_NS = 1_770_811_200 * NS_PER_S
AGENTS = ("ledger", "risk", "gateway", "pricing", "execution", "hedging", "market_making")
DRAIN_ORDER = ("market_making", "hedging", "execution", "gateway", "pricing", "risk", "ledger")
DRAIN_S_MAX = 5.0
EXIT_VIOLATED = 1

Tables = dict[str, dict[str, Any]]


@dataclass
class SimulatedDesk:
    """A desk ready to run, and what is known of it while it runs."""

    simulation: Simulation
    venue: SimulatedVenue
    invariants: Invariants
    journal: MemoryJournal
    pnls: dict[str, PnlV1]
    fills: dict[str, FillV1]
    wall_s: float = 0.0

    def run(self, seconds: float) -> None:
        """Runs and drains."""
        began_s = time.perf_counter()
        simulation = self.simulation
        end_ns = simulation.clock.now_ns + round(seconds * NS_PER_S)
        simulation.start(end_ns)
        simulation.run_until(end_ns)
        simulation.drain(list(DRAIN_ORDER), DRAIN_S_MAX)
        simulation.run_until(simulation.clock.now_ns + NS_PER_S)  # what is under way lands
        self.wall_s += time.perf_counter() - began_s


def build(
    seed: int,
    tables: Tables,
    *,
    faults: FaultRates | None = None,
    is_encoded: bool = False,
    start_ns: int = START_NS,
    wrap: dict[str, Any] | None = None,
) -> SimulatedDesk:
    """Returns a desk. `wrap` replaces the builder of a service by one made from it (for tests)."""
    desk = check_tables(tables)
    config = section(tables, "venue", VenueConfig)
    chain = open_chain("", seed, start_ns, desk.underlyings, config.strikes_max)
    venue = SimulatedVenue(config, chain, seed)
    builders = []
    for name in AGENTS:
        builder = partial(build_service, name, tables, desk)
        builders.append((wrap or {}).get(name, lambda plain: plain)(builder))
    settings = Settings(seed=seed, start_ns=start_ns, faults=faults, is_encoded=is_encoded)
    simulation = Simulation(settings, builders, venue)
    journal = MemoryJournal()
    simulation.agents["ledger"].sink = journal
    venue.start(simulation)
    invariants = Invariants()
    known = SimulatedDesk(simulation, venue, invariants, journal, {}, {})

    def observe(now_ns: int, sender: str, message: Message) -> None:
        del now_ns, sender
        invariants.observe(message)
        if isinstance(message, PnlV1):
            known.pnls[message.underlying] = message
        elif isinstance(message, FillV1):
            known.fills[message.trade_id] = message

    simulation.observers.append(observe)
    return known


def build_service(name: str, tables: Tables, desk: DeskConfig) -> Service:
    """Returns one agent, wired as its own process would wire it."""
    module = importlib.import_module(f"services.{name}.service")
    config = section(tables, name, importlib.import_module(f"services.{name}.core").Config)
    service: Service = module.build(config, desk)
    return service


def summary(known: SimulatedDesk, seconds: float) -> dict[str, Any]:
    """Returns what a run came to."""
    checks = known.invariants.report()
    simulation = known.simulation
    gross = sum(pnl.gross_usd for pnl in known.pnls.values())
    residual = sum(pnl.residual_gross_usd for pnl in known.pnls.values())
    terms = list(msgspec.structs.fields(type(next(iter(known.pnls.values())).usd)))
    return {
        "seed": simulation.settings.seed,
        "simulated_s": seconds,
        "wall_s": known.wall_s,
        "ratio": seconds / known.wall_s,
        "hash": simulation.bus.state_hash(),
        "messages": simulation.bus.published_count,
        "deliveries": simulation.bus.delivered_count,
        "fills": len(known.fills),
        "faults": [f"{event.kind} {event.service}" for event in simulation.events],
        "restarts": {name: agent.restart_count for name, agent in simulation.agents.items()},
        "pnl_usd": {
            term.name: sum(getattr(pnl.usd, term.name) for pnl in known.pnls.values())
            for term in terms
        },
        "residual_share": residual / gross if gross else 0.0,
        "violations": known.invariants.violation_count(),
        "invariants": checks,
    }


def run(*, seed: int, hours: float, faults: bool, config_path: str, as_json: bool) -> int:
    """Runs one simulated desk and prints what it came to; the exit code says if all held."""
    tables = load_tables(config_path)
    known = build(seed, tables, faults=FaultRates() if faults else None)
    known.run(hours * 3600.0)
    result = summary(known, hours * 3600.0)
    if as_json:
        print(json.dumps(result))
    else:
        print_summary(result)
    return EXIT_VIOLATED if result["violations"] else 0


def print_summary(result: dict[str, Any]) -> None:
    print(f"state hash  {result['hash']}")
    print(
        f"{result['simulated_s']:,.0f} simulated seconds in {result['wall_s']:.1f} s: "
        f"{result['ratio']:.1f} times real time; {result['messages']:,} messages, "
        f"{result['fills']:,} fills"
    )
    terms = ", ".join(f"{name} {value:+,.0f}" for name, value in result["pnl_usd"].items())
    print(f"P&L in USD: {terms}; residual {100 * result['residual_share']:.2f} % of gross")
    if result["faults"]:
        print(f"{len(result['faults'])} faults: {', '.join(result['faults'])}")
    total = sum(check["checks"] for check in result["invariants"])
    print(f"{total:,} invariant checks, {result['violations']} violations")
    for check in result["invariants"]:
        for detail in check["details"]:
            print(f"  {check['name']}: {detail}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--config", default="")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    return run(
        seed=arguments.seed,
        hours=arguments.hours,
        faults=arguments.faults,
        config_path=arguments.config,
        as_json=arguments.json,
    )


if __name__ == "__main__":
    sys.exit(main())
