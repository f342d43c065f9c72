"""`make fallbacks`: takes away what the desk depends on, one thing at a time, and times the rest.

One desk on the simulated venue. Each fault is a program killed and held dead, or stopped; each row
says what served instead, how soon it had to (`bound_s`), how soon it did (`seen_s`), and how long
after the fault's end the desk was as before (`back_s`). Quotes are seen in the venue's books;
hedges in the record, which the day's last check compares with the venue.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from infra.desk_probe import DeskError, DeskProbe, Quotes
from infra.hedge_record import HedgeRecord, doubles

QUOTED_MIN = 400  # instruments two-sided count as quoting
BACK_S_MAX = 30.0
WIDER_RATIO_MIN = 1.3  # of the median spread, to be called wider
# The age bound of 2 s counts from the last surface, which may have been a second old.
PLAIN_S_MIN = 1.0
SETTLE_S = 3.0  # between two faults
# A narrow band, so that there is something to hedge at any time.
CONFIGURATION = "[execution.backup]\ndelta_ratio = 0.004\n"


@dataclass(frozen=True)
class Row:
    dependency: str
    fault: str
    fallback: str
    bound_s: float
    seen_s: float
    back_s: float
    result: str  # "ok", or what is wrong


def judged(
    dependency: str, fault: str, fallback: str, bound_s: float, seen_s: float, back_s: float,
    wrong: str = "",
) -> Row:  # fmt: skip
    """Returns a row; late is wrong."""
    if not wrong and seen_s > bound_s:
        wrong = "late"
    if not wrong and back_s > BACK_S_MAX:
        wrong = "not back"
    rounded = (round(bound_s, 2), round(seen_s, 2), round(back_s, 2))
    return Row(dependency, fault, fallback, *rounded, wrong or "ok")


async def pricing(desk: DeskProbe) -> list[Row]:
    """The last good surface until its age bound, then wider, then no quotes; and back."""
    before = await desk.quotes()
    killed_s = time.monotonic()
    desk.kill("pricing")
    plain_s = wider_s = none_s = ratio = 0.0
    while not none_s and time.monotonic() - killed_s < 15.0:
        quotes = await desk.quotes()
        now_s = time.monotonic() - killed_s
        is_open = await desk.breaker("market_making", "surface") == "open"
        if not quotes:
            none_s = now_s
        elif not is_open and not wider_s:
            plain_s = now_s
        elif widening(before, quotes) >= WIDER_RATIO_MIN and not wider_s:
            wider_s = now_s
        ratio = max(ratio, widening(before, quotes))
        await asyncio.sleep(0.05)
    desk.release("pricing")
    back_s = await desk.quoting(QUOTED_MIN, BACK_S_MAX)
    back_s += await closed(desk, "market_making", "surface")
    fault = "pricing killed, held"
    too_soon = "" if plain_s >= PLAIN_S_MIN else "the surface was given up too soon"
    return [
        judged("surface", fault, "the last good surface, as it is", 3.0, plain_s, back_s, too_soon),
        judged(
            "surface", fault, f"the same, spread x {ratio:.1f}", 4.5, wider_s, back_s,
            "" if wider_s else "never wider",
        ),
        judged(
            "surface", fault, "no quotes", 6.5, none_s, back_s,
            "" if none_s else "still quoted",
        ),
    ]  # fmt: skip


async def hedging(desk: DeskProbe) -> list[Row]:
    """Execution's own band hedges; nothing is hedged twice, also when hedging comes back."""
    record = HedgeRecord(desk.directory)
    killed_ns = time.time_ns()
    desk.kill("hedging")

    async def has_hedged() -> bool:
        return record.first_backup_order_ns(killed_ns) > 0

    await desk.until(has_hedged, 30.0, "hedge by the backup")
    seen_s = (record.first_backup_order_ns(killed_ns) - killed_ns) / 1e9
    await asyncio.sleep(SETTLE_S)
    desk.release("hedging")
    released_s = time.monotonic()
    released_ns = time.time_ns()
    await closed(desk, "execution", "hedging")
    back_s = time.monotonic() - released_s

    async def hedges_itself() -> bool:
        return record.first_own_intent_ns(released_ns) > 0

    await desk.until(hedges_itself, 30.0, "hedge by hedging itself")
    await asyncio.sleep(SETTLE_S)
    wrong = "; ".join(doubles(record.hedges(), killed_ns))
    fault = "hedging killed, held"
    fallback = "a plain delta band by execution, no hedge twice"
    return [judged("hedging", fault, fallback, 5.0, seen_s, back_s, wrong)]


async def lease(desk: DeskProbe) -> list[Row]:
    return [await quotes_go(desk, "lease", "risk", 1.5)]


async def ticks(desk: DeskProbe) -> list[Row]:
    return [await quotes_go(desk, "gateway", "gateway", 4.5)]


async def bus(desk: DeskProbe) -> list[Row]:
    killed = await quotes_go(desk, "bus", "nats", 1.5)
    await calm(desk)
    seen_s = await gone(desk, lambda: desk.signal("nats", signal.SIGSTOP))
    desk.signal("nats", signal.SIGCONT)
    back_s = await desk.quoting(QUOTED_MIN, BACK_S_MAX)
    return [killed, judged("bus", "nats stopped", "no quotes", 1.5, seen_s, back_s)]


async def quotes_go(desk: DeskProbe, dependency: str, program: str, bound_s: float) -> Row:
    """A program killed and held, after which no quote may be left; then its return."""
    seen_s = await gone(desk, lambda: desk.kill(program))
    left = await desk.quoted_count()
    desk.release(program)
    back_s = await desk.quoting(QUOTED_MIN, BACK_S_MAX)
    wrong = f"{left} quotes were left" if left else ""
    fault = f"{program} killed, held"
    return judged(dependency, fault, "no quotes", bound_s, seen_s, back_s, wrong)


async def gone(desk: DeskProbe, fault: Callable[[], None]) -> float:
    """Returns how long after a fault the last of a few quotes went from the books."""
    names = sorted(await desk.quotes())
    samples = [*names[:: max(1, len(names) // 3)]][:3]
    began_s = time.monotonic()
    fault()

    async def is_gone() -> bool:
        for name in samples:
            if await desk.is_quoted(name):
                return False
        return True

    await desk.until(is_gone, 15.0, "empty books")
    return time.monotonic() - began_s


async def closed(desk: DeskProbe, service: str, dependency: str) -> float:
    """Waits until a breaker is closed; returns how long that took."""

    async def is_closed() -> bool:
        return await desk.breaker(service, dependency) == "closed"

    return await desk.until(is_closed, BACK_S_MAX, f"closed breaker {service} {dependency}")


def widening(before: Quotes, now: Quotes) -> float:
    """Returns the median over instruments of the spread now over the spread before."""
    ratios = [
        spread(now[name]) / spread(sides)
        for name, sides in before.items()
        if len(sides) == 2 and len(now.get(name, {})) == 2 and spread(sides) > 0.0
    ]
    return median(ratios) if ratios else 0.0


def spread(sides: dict[str, float]) -> float:
    return sides["sell"] - sides["buy"]


async def calm(desk: DeskProbe) -> None:
    """Waits until the desk quotes as usual and has done so for a while."""
    await desk.quoting(QUOTED_MIN)
    await asyncio.sleep(SETTLE_S)
    await desk.quoting(QUOTED_MIN)


CASES: dict[str, Callable[[DeskProbe], Awaitable[list[Row]]]] = {
    "lease": lease,
    "bus": bus,
    "gateway": ticks,
    "pricing": pricing,
    "hedging": hedging,
}


async def run(names: list[str], seed: int) -> tuple[list[Row], list[str]]:
    """Returns the rows, and what was wrong with the day as a whole."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "desk.toml").write_text(CONFIGURATION, encoding="utf-8")
        arguments = ("--seed", str(seed), "--config", str(home / "desk.toml"))
        async with DeskProbe(home, *arguments) as desk:
            for name in names:
                await calm(desk)
                try:
                    rows += await CASES[name](desk)
                except DeskError as error:
                    rows.append(Row(name, "", "", 0.0, 0.0, 0.0, str(error)))
                    break
        report = desk.report
    if not report:
        return rows, ["the day ended without a report"]
    faults = []
    if report["violations"]:
        broken = [one["name"] for one in report["invariants"] if one["violations"]]
        faults.append(f"{report['violations']} violations of {', '.join(broken)}")
    if report["positions_equal_venue"] is not True or report["fills"] != report["venue_fills"]:
        faults.append("the record and the venue differ")
    return rows, faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    rows, faults = asyncio.run(run(arguments.only.split(","), arguments.seed))
    print("| dependency | fault | fallback | bound_s | seen_s | back_s | result |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(str(value) for value in asdict(row).values())} |")
    for fault in faults:
        print(f"the day: {fault}")
    if arguments.json:
        document = {"rows": [asdict(row) for row in rows], "day": faults}
        Path(arguments.json).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if faults or any(row.result != "ok" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
