"""Desks for the simulation tests: eager quotes, so that much happens in little time."""

from infra import simulated_desk
from shared.faults import FaultRates

EAGER_POLICY = {"fee_coin": 0.0, "edge_coin": 0.0, "vol_half": 0.0005, "spot_sigmas": 0.0}
EAGER = {
    "market_making": {"BTC": EAGER_POLICY, "ETH": {**EAGER_POLICY, "amount_lots": 10}},
}
# A tight band, so that fills are hedged at once.
HEDGED = {
    **EAGER,
    "hedging": {
        "BTC": {"risk_aversion_per_usd": 1.0, "band_coin_min": 0.01, "band_coin_max": 0.05},
        "ETH": {"risk_aversion_per_usd": 1.0, "band_coin_min": 0.2, "band_coin_max": 1.0},
    },
}
HARSH = FaultRates(
    drop=0.03, duplicate=0.03, delay=0.05, crash_s=6.0, stall_s=6.0, disconnect_s=8.0,
    quiet_s=4.0,
)  # fmt: skip


def run(seed, seconds, tables=EAGER, faults=None, **settings):
    """Returns a desk that has run and drained."""
    known = simulated_desk.build(seed, tables, faults=faults, **settings)
    known.run(seconds)
    return known


def run_seed(seed):
    """Returns what one short desk under harsh faults broke, for a worker process."""
    known = run(seed, 15.0, faults=HARSH)
    checks = known.invariants.report()
    return {
        "seed": seed,
        "broken": [f"{one['name']}: {detail}" for one in checks for detail in one["details"]],
        "checks": {one["name"]: one["checks"] for one in checks},
        "events": [event.kind for event in known.simulation.events],
        "fills": len(known.fills),
    }
