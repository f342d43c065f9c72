"""How cost grows: with instruments, with underlyings, and with a process for each underlying.

Desks of one and two underlyings, each with a thin and with the whole chain, give for every process
a plane through four points: CPU = fixed + per_instrument * instruments + per_underlying *
underlyings, and the same of memory. What serves all underlyings in one process runs out of its
core first; the plane says at how many.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from infra.load.watching import Setting
from infra.topology import PER_UNDERLYING

THIN, WHOLE = 13, 27  # strikes of an expiry
GRID = tuple(
    Setting(underlyings=underlyings, strikes_max=strikes)
    for underlyings in (("BTC",), ("BTC", "ETH"))
    for strikes in (THIN, WHOLE)
)
SHARDED = Setting(is_sharded=True)
CORE_SHARE = 0.8  # of a core that a process may use before it needs another
NOT_OF_THE_DESK = ("venue", "supervisor")  # the exchange is somebody else's
Plane = dict[str, float]


def measure(run: Callable[[Setting], dict[str, Any]]) -> dict[str, Any]:
    """Runs the desks; returns their rows and what they say together."""
    rows = [run(setting) for setting in GRID]
    sharded = run(SHARDED)
    return {"rows": rows, "sharded": sharded, **growth(rows, sharded)}


def growth(rows: list[dict[str, Any]], sharded: dict[str, Any]) -> dict[str, Any]:
    """Returns the planes of every process, what sharding costs, and how far the shared reach."""
    names = sorted(set.intersection(*(set(row["cpu"]) for row in rows)))
    cpu = {name: plane(rows, [row["cpu"][name] for row in rows]) for name in names}
    resident = {
        name: plane(rows, [row["memory"][name]["mb_max"] for row in rows]) for name in names
    }
    whole = rows[-1]
    per_underlying = whole["quotable_instruments"] / len(whole["underlyings"])
    shared = [name for name in names if name not in (*PER_UNDERLYING, *NOT_OF_THE_DESK)]
    reach = {name: underlyings_max(cpu[name], per_underlying) for name in shared}
    return {
        "cpu": cpu,
        "resident_mb": resident,
        "instruments_per_underlying": per_underlying,
        "underlyings_max": reach,
        "shard": shard(sharded),
        "sharding_cpu": _desk(sharded) - _desk(whole),
        "sharding_mb": _resident(sharded) - _resident(whole),
        "sharding_processes": len(sharded["cpu"]) - len(whole["cpu"]),
    }


def plane(rows: list[dict[str, Any]], values: list[float]) -> Plane:
    """Returns the least-squares plane over instruments and underlyings; `residual` is the root of
    its mean squared error."""
    known = [(1.0, row["quotable_instruments"], len(row["underlyings"])) for row in rows]
    matrix = np.array(known, dtype=np.float64)
    fit, *_ = np.linalg.lstsq(matrix, np.array(values), rcond=None)
    error = matrix @ fit - np.array(values)
    fixed, per_instrument, per_underlying = fit.tolist()
    return {
        "fixed": fixed,
        "per_instrument": per_instrument,
        "per_underlying": per_underlying,
        "residual": float(np.sqrt(np.mean(error**2))),
    }


def underlyings_max(cpu: Plane, instruments: float) -> float:
    """Returns how many underlyings of so many instruments a process serves within its core."""
    each = cpu["per_instrument"] * instruments + cpu["per_underlying"]
    return (CORE_SHARE - cpu["fixed"]) / each if each > 0.0 else float("inf")


def shard(row: dict[str, Any]) -> dict[str, float]:
    """Returns what the processes of one underlying take together, on average."""
    mine = [name for name in row["cpu"] if name.rpartition("-")[0] in PER_UNDERLYING]
    count = len(row["underlyings"])
    return {
        "cpu": sum(row["cpu"][name] for name in mine) / count,
        "mb": sum(row["memory"][name]["mb_max"] for name in mine) / count,
    }


def _desk(row: dict[str, Any]) -> float:
    mine = [share for name, share in row["cpu"].items() if name not in NOT_OF_THE_DESK]
    return float(sum(mine))


def _resident(row: dict[str, Any]) -> float:
    held = row["memory"].items()
    return float(sum(one["mb_max"] for name, one in held if name not in NOT_OF_THE_DESK))


def lines(found: dict[str, Any]) -> list[str]:
    """Returns the findings as people read them."""
    text = ["", "| process | core, fixed | per 100 instruments | per underlying | MB, fixed |"]
    text[1] += " per 100 instruments | per underlying |"
    text.append("|---" * 7 + "|")
    for name, cpu in found["cpu"].items():
        held = found["resident_mb"][name]
        cells = [f"{cpu['fixed']:.3f}", f"{100 * cpu['per_instrument']:.3f}"]
        cells += [f"{cpu['per_underlying']:.3f}", f"{held['fixed']:.0f}"]
        cells += [f"{100 * held['per_instrument']:.1f}", f"{held['per_underlying']:.1f}"]
        text.append(f"| {name} | {' | '.join(cells)} |")
    one = found["shard"]
    reach = sorted(found["underlyings_max"].items(), key=lambda pair: pair[1])
    alone = (
        f"a process for each underlying: {found['sharding_processes']:+d} processes, "
        f"{found['sharding_cpu']:+.2f} cores, {found['sharding_mb']:+.0f} MB; one underlying's "
        f"three take {one['cpu']:.2f} cores and {one['mb']:.0f} MB, on whatever machine"
    )
    shared = (
        f"what serves all underlyings fills {CORE_SHARE:.0%} of a core (projected, at "
        f"{found['instruments_per_underlying']:.0f} quotable instruments each) at "
    )
    return [*text, "", alone, shared + ", ".join(f"{name} {count:,.0f}" for name, count in reach)]
