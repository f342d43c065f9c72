"""`make desk-report [SEEDS=1-20] [JSON=FILE]`: what simulated hours earn, and where it comes from.

Each seed is run twice: the desk, and the same desk with skew and hedging switched off (plain). P&L
is the change of cash and positions at the desk's model, after fees and hedging; beside it the
change of the account at the venue's marks. Adverse selection is what marks did in the minute after
quotes were hit; the explain's delta, gamma and vega contain it.
"""

import argparse
import json
import math
import multiprocessing
import statistics
import sys
from pathlib import Path
from typing import Any

from infra import simulated_desk
from infra.markouts import Markouts
from infra.simulate_many import PROCESSES_MAX, seeds_of
from shared.messages.message import Message
from shared.messages.orders import AccountV1
from shared.messages.risk import PortfolioV1
from shared.units import E12

PLAIN: simulated_desk.Tables = {
    "market_making": {"skew_enabled": False},
    "hedging": {"hedging_enabled": False},
}
COLUMNS = (
    "pnl", "plain", "at_marks", "edge", "adverse", "moves", "hedging", "fees",
)  # fmt: skip


def run_seed(task: tuple[int, float]) -> dict[str, Any]:
    """Returns one row: the desk's P&L and its parts, and the plain desk's P&L, in USD."""
    seed, seconds = task
    row = run_desk(seed, seconds, {})
    plain = run_desk(seed, seconds, PLAIN)
    return {**row, "plain": plain["pnl"], "plain_violations": plain["violations"]}


def run_desk(seed: int, seconds: float, tables: simulated_desk.Tables) -> dict[str, Any]:
    known = simulated_desk.build(seed, tables)
    markouts = Markouts()
    first: dict[str, AccountV1] = {}
    last: dict[str, AccountV1] = {}
    index: dict[str, float] = {}

    def observe(now_ns: int, sender: str, message: Message) -> None:
        del now_ns, sender
        markouts.observe(message)
        if isinstance(message, AccountV1):
            first.setdefault(message.currency, message)
            last[message.currency] = message
        elif isinstance(message, PortfolioV1):
            index[message.underlying] = message.index_usd

    known.simulation.observers.append(observe)
    known.run(seconds)
    markouts.finish()
    result = simulated_desk.summary(known, seconds)
    pnl = result["pnl_usd"]
    at_marks = sum(
        (last[name].equity_coin_e12 - first[name].equity_coin_e12) / E12 * index[name]
        for name in sorted(first)
    )
    return {
        "seed": seed,
        "pnl": pnl["total"],
        "at_marks": at_marks,
        "edge": pnl["edge"],
        "adverse": markouts.usd,
        "moves": sum(
            pnl[term] for term in ("delta", "gamma", "vega", "theta", "cross", "residual")
        ),
        "hedging": pnl["hedging"],
        "fees": pnl["fees"],
        "fills": result["fills"],
        "violations": result["violations"],
        "residual_share": result["residual_share"],
        "ratio": result["ratio"],
    }


def report(rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Returns rows and what they say together."""
    pnls, plains = [row["pnl"] for row in rows], [row["plain"] for row in rows]
    return {
        "seconds": seconds,
        "seeds": len(rows),
        "mean_pnl_usd": statistics.fmean(pnls),
        "standard_error_usd": statistics.stdev(pnls) / math.sqrt(len(pnls)),
        "sharpe": sharpe(pnls),
        "sharpe_plain": sharpe(plains),
        "mean_plain_usd": statistics.fmean(plains),
        "violations": sum(row["violations"] for row in rows),
        "rows": rows,
    }


def sharpe(pnls: list[float]) -> float:
    """Returns mean P&L per unit of standard deviation between seeds."""
    deviation = statistics.stdev(pnls)
    return statistics.fmean(pnls) / deviation if deviation else 0.0


def print_report(result: dict[str, Any]) -> None:
    """Prints the table as markdown, in USD."""
    print(f"| seed | {' | '.join(COLUMNS)} | fills |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for row in result["rows"]:
        cells = " | ".join(f"{row[name]:+,.0f}" for name in COLUMNS)
        print(f"| {row['seed']} | {cells} | {row['fills']:,} |")
    means = {name: statistics.fmean(row[name] for row in result["rows"]) for name in COLUMNS}
    print(f"| mean | {' | '.join(f'{means[name]:+,.0f}' for name in COLUMNS)} | |")
    print(
        f"\nmean P&L {result['mean_pnl_usd']:+,.0f} USD in {result['seconds']:,.0f} s, "
        f"standard error {result['standard_error_usd']:,.0f}; P&L per standard deviation "
        f"{result['sharpe']:.2f}, plain {result['sharpe_plain']:.2f}; "
        f"{result['violations']} violations"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", default="1-20")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--json", default="", metavar="FILE")
    arguments = parser.parse_args()
    seeds = seeds_of(arguments.seeds)
    if len(seeds) < 2:
        parser.error("a standard error needs at least two seeds")
    rows = []
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES_MAX) as pool:
        for row in pool.imap(run_seed, [(seed, arguments.seconds) for seed in seeds]):
            rows.append(row)
            print(f"seed {row['seed']}: {row['pnl']:+,.0f} USD", file=sys.stderr, flush=True)
    result = report(rows, arguments.seconds)
    print_report(result)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
