"""`make load`: the market at 1, 2 and 10 times its usual pace until the first SLO breaks.

    make load [LEVELS=1,2,10] [SECONDS=60] [UNDERLYINGS=BTC,ETH] [PART=levels|cost] [JSON=FILE]

Each level is a desk of its own (`hedgerow up`) on a market whose clock runs so many times faster.
Without LEVELS it goes on doubling, and then tells how cost grows (infra/load/cost.py). Exit 1: up
to twice the usual pace something broke, or anywhere something that no load may break.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.load import cost
from infra.load.figures import DELIVERY, STEPS_PCT_MIN, figures, growing, is_safe, saturated
from infra.load.watching import Setting, watch

LEVELS = (1.0, 2.0, 10.0)
LEVEL_MAX = 40.0  # the most that [venue.market] activity_ratio takes
HOLDS_TO = 2.0  # up to this level every SLO has to hold
COLUMNS = (
    "times", "venue kept %", "feed/s", "bus/s", "desk cores", "others", "busiest", "MB", "MB/min",
    "shed", "lost", "tick-to-quote us p50 / p99", "two-sided %", "violations", "broke",
    "saturated",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of a level")
    parser.add_argument("--levels", type=levels_of, metavar="A,B,...", help="these alone")
    parser.add_argument("--underlyings", default="BTC,ETH", metavar="A,B")
    parser.add_argument("--part", choices=("all", "levels", "cost"), default="all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    underlyings = tuple(arguments.underlyings.split(","))
    found: dict[str, Any] = {"cores": os.cpu_count(), "levels": [], "cost": None}

    def run(setting: Setting) -> dict[str, Any]:
        row = figures(watch(setting, arguments.seconds, arguments.seed))
        print(line(row), flush=True)
        return row

    def keep() -> None:
        if arguments.json:
            arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|", flush=True)
    if arguments.part != "cost":
        for times in ladder(arguments.levels, found["levels"]):
            found["levels"].append(run(Setting(times=times, underlyings=underlyings)))
            keep()
        print(*ends(found["levels"]), sep="\n", flush=True)
    if arguments.part == "cost" or (arguments.part == "all" and arguments.levels is None):
        found["cost"] = cost.measure(run)
        print(*cost.lines(found["cost"]), sep="\n")
        keep()
    return 0 if is_good([*found["levels"], *rows_of(found["cost"])]) else 1


def levels_of(text: str) -> tuple[float, ...]:
    """Returns the levels of `1,2,10`. Raises ValueError on one that the market cannot be put to."""
    levels = tuple(float(one) for one in text.split(","))
    if not all(0.1 <= one <= LEVEL_MAX for one in levels):
        raise ValueError(text)
    return levels


def ladder(chosen: tuple[float, ...] | None, rows: list[dict[str, Any]]) -> Iterator[float]:
    """Yields levels: those chosen, or the usual ones and their doubles until something breaks.
    `rows` holds, by then, what the levels before were like."""
    if chosen is not None:
        yield from chosen
        return
    yield from LEVELS
    while not rows[-1]["broken"] and 2 * rows[-1]["times"] <= LEVEL_MAX:
        yield 2 * rows[-1]["times"]


def line(row: dict[str, Any]) -> str:
    """Returns a level as a row of the table."""
    share, busiest = max((share, name) for name, share in row["cpu"].items())
    held = row["memory"].values()
    ours = row["tick_to_quote_us"] or {"p50": 0.0, "p99": 0.0}
    where = "" if len(row["underlyings"]) > 1 else f" {row['underlyings'][0]}"
    where += f" {row['quotable_instruments']}" + (" sharded" if row["is_sharded"] else "")
    cells = (
        f"{row['times']:g}{where}",
        f"{row['venue_steps_pct']:.0f}",
        f"{row['feed_per_s']:,.0f}",
        f"{row['bus_handled_per_s']:,.0f}",
        f"{row['cpu_desk']:.2f}",
        f"{row['cpu_others']:.2f}",
        f"{busiest} {share:.2f}",
        f"{sum(one['mb_max'] for one in held):,.0f}",
        f"{sum(one['mb_per_minute'] for one in held):+.1f}",
        shed_text(row["shed"]),
        f"{row['critical_lost']:.0f}",
        f"{ours['p50']:,.0f} / {ours['p99']:,.0f}",
        f"{row['two_sided_pct']:.1f}",
        str(row["violations"]),
        ", ".join(row["broken"]) or "nothing",
        saturated(row),
    )
    return f"| {' | '.join(cells)} |"


def shed_text(shed: dict[str, dict[str, float]]) -> str:
    """Returns what was shed, by kind, with why."""
    parts = []
    for kind, reasons in sorted(shed.items()):
        why = ", ".join(f"{count:.0f} {reason}" for reason, count in sorted(reasons.items()))
        lossy = "" if kind in DELIVERY and DELIVERY[kind].value == "lossy" else " NOT LOSSY"
        parts.append(f"{kind}{lossy} {why}")
    return "; ".join(parts) or "0"


def ends(rows: list[dict[str, Any]]) -> list[str]:
    """Returns where it broke first, each core's share by level, and pages and slopes."""
    broke = next((row for row in rows if row["broken"]), None)
    text = ["", f"no SLO broke up to {rows[-1]['times']:g} times"]
    if broke is not None:
        text[1] = (
            f"first to break: {broke['broken'][0]}, at {broke['times']:g} times; "
            f"saturated: {saturated(broke)}"
        )
    names = sorted({name for row in rows for name in row["cpu"]})
    text += ["", "| times | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        shares = " | ".join(f"{row['cpu'].get(name, 0.0):.2f}" for name in names)
        text.append(f"| {row['times']:g} | {shares} |")
    text.append("")
    for row in rows:
        errors = ", ".join(
            f"{name} {one['errors']:.3%} of {one['budget']:.1%}"
            for name, one in row["slos"].items()
        )
        pages = ", ".join(row["pages"]) or "none"
        rising = ", ".join(growing(row)) or "none"
        text.append(f"{row['times']:g}: errors {errors}; pages {pages}; growing {rising}")
        if row["protection_trips"]:
            text.append(
                f"{row['times']:g}: market-maker protection, ours or the venue's, tripped "
                f"{row['protection_trips']:.0f} times: so many fills in a window, and quotes are "
                "withheld on purpose"
            )
        if row["venue_steps_pct"] < STEPS_PCT_MIN:
            text.append(
                f"{row['times']:g}: the simulated venue made {row['venue_steps_pct']:.0f} % of its "
                f"steps, with {row['cpu_others']:.2f} of {row['cores']} cores taken by others: "
                "the load was less than asked for, and the feed fell silent in between"
            )
    return text


def rows_of(found: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [*found["rows"], found["sharded"]] if found else []


def is_good(rows: list[dict[str, Any]]) -> bool:
    """Says whether what may never break held, and up to twice the pace everything else."""
    return all(is_safe(row) and not (row["times"] <= HOLDS_TO and row["broken"]) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
