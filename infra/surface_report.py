"""Fits the surface to recorded chains and says how well: `python -m infra.surface_report FILE...`.

Counted are two-sided options with |delta| in 0.05-0.95 and more than six hours to live; inside
means that the model's coin price, on the forward recorded with the option, lies in its recorded
bid-ask. Exit code 1 where a bar is missed, 2 where a file is no chain.
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native import surface
from native.pricing import black76_batch
from shared.clock import NS_PER_S, NS_PER_YEAR, SystemClock
from shared.recorded_chain import ChainError, ChainRow, RecordedChain, read_chain

SHARE_MIN_ALL = 0.98
SHARE_MIN_EACH = 0.96
REFIT_US_MAX = (
    2_000.0  # of the BTC surface, median; shown, but no reason to fail: clocks are shared
)
DELTA_RANGE = (0.05, 0.95)
COUNTED_LIFE_NS = 6 * 3600 * NS_PER_S
FITTED_LIFE_NS = 600 * NS_PER_S
REFITS = 6
REFIT_MOVE = 2e-4  # of the index between refits, to and fro, under quotes that stay
EDGE_COIN = 1e-12  # rounding of a price that lies on the bid or the ask


@dataclass(frozen=True, slots=True)
class ExpiryReport:
    expiry_ns: int
    days: float
    option_count: int  # counted ones
    inside_count: int
    rmse_vol_points: float
    is_butterfly_free: bool
    is_calendar_free: bool
    slice: surface.Svi


@dataclass(frozen=True, slots=True)
class UnderlyingReport:
    underlying: str
    expiries: tuple[ExpiryReport, ...]
    fit_us: float  # from nothing
    refit_us: float  # from the last slices, median
    outside: tuple[str, ...]  # instruments

    @property
    def option_count(self) -> int:
        return sum(e.option_count for e in self.expiries)

    @property
    def inside_count(self) -> int:
        return sum(e.inside_count for e in self.expiries)

    @property
    def is_certified(self) -> bool:
        return all(e.is_butterfly_free and e.is_calendar_free for e in self.expiries)


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    file: str
    underlyings: tuple[UnderlyingReport, ...]

    @property
    def share(self) -> float:
        return share_of(self.underlyings)

    @property
    def is_certified(self) -> bool:
        return all(u.is_certified for u in self.underlyings)


def share_of(reports: Sequence[UnderlyingReport]) -> float:
    """Returns the share inside bid-ask; 1 where nothing was counted."""
    total = sum(u.option_count for u in reports)
    return sum(u.inside_count for u in reports) / total if total else 1.0


def report_on(chain: RecordedChain, file: str) -> SnapshotReport:
    """Fits every underlying of a chain. Raises surface.FitError."""
    found = []
    for underlying in chain.currencies():
        rows = sorted(
            (
                row
                for row in chain.rows
                if row.currency == underlying
                and row.expiry_ns - chain.timestamp_ns > FITTED_LIFE_NS
            ),
            key=lambda row: (row.expiry_ns, row.strike_usd, row.is_call),
        )
        if rows:
            found.append(_underlying(underlying, rows, chain.timestamp_ns))
    return SnapshotReport(file, tuple(found))


def quotes_of(rows: Sequence[ChainRow]) -> NDArray[np.void]:
    """Returns rows, in the order of expiries, as surface.QUOTE."""
    place = {expiry: i for i, expiry in enumerate(sorted({row.expiry_ns for row in rows}))}
    return np.array(
        [
            (
                math.log(row.strike_usd / row.forward_usd), row.bid_coin or 0.0,
                row.ask_coin or 0.0, row.mark_vol or 0.0, place[row.expiry_ns], row.is_call,
            )
            for row in rows
        ],
        dtype=surface.QUOTE,
    )  # fmt: skip


def _underlying(underlying: str, rows: Sequence[ChainRow], now_ns: int) -> UnderlyingReport:
    clock = SystemClock().monotonic_ns
    quotes = quotes_of(rows)
    expiries_ns = sorted({row.expiry_ns for row in rows})
    years = [(expiry_ns - now_ns) / NS_PER_YEAR for expiry_ns in expiries_ns]
    result = surface.fit(quotes, years, None, clock)
    slices = [fit.svi for fit in result.slices]
    refits: list[float] = []
    previous = slices
    for i in range(REFITS):
        moved = quotes.copy()
        moved["log_moneyness"] += REFIT_MOVE if i % 2 else -REFIT_MOVE
        refit = surface.fit(moved, years, previous, clock)
        previous = [fit.svi for fit in refit.slices]
        refits.append(refit.fit_us)
    certificate = surface.certify(slices)
    is_counted, is_inside = _verdicts(rows, quotes, years, slices, now_ns)
    expiries = tuple(
        ExpiryReport(
            expiry_ns=expiry_ns,
            days=years[i] * 365,
            option_count=int(is_counted[quotes["expiry"] == i].sum()),
            inside_count=int((is_counted & is_inside)[quotes["expiry"] == i].sum()),
            rmse_vol_points=100.0 * result.slices[i].rmse_vol,
            is_butterfly_free=certificate.butterfly[i],
            is_calendar_free=certificate.calendar[i],
            slice=slices[i],
        )
        for i, expiry_ns in enumerate(expiries_ns)
    )
    outside = tuple(
        rows[i].instrument_name for i in np.flatnonzero(is_counted & ~is_inside).tolist()
    )
    return UnderlyingReport(underlying, expiries, result.fit_us, statistics.median(refits), outside)


def _verdicts(
    rows: Sequence[ChainRow],
    quotes: NDArray[np.void],
    years: Sequence[float],
    slices: Sequence[surface.Svi],
    now_ns: int,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns, per row, whether it counts, and whether the model is inside its bid-ask."""
    vols = np.empty(len(rows))
    for i, svi in enumerate(slices):
        own = quotes["expiry"] == i
        vols[own] = surface.vols(svi, years[i], quotes["log_moneyness"][own])
    forwards = np.array([row.forward_usd for row in rows])
    greeks = black76_batch(
        forwards,
        np.array([row.strike_usd for row in rows]),
        np.array(years)[quotes["expiry"]],
        vols,
        np.ascontiguousarray(quotes["is_call"]),
    )
    deltas = np.array(
        [
            abs(row.delta if row.delta is not None else model)
            for row, model in zip(rows, greeks.delta.tolist(), strict=True)
        ]
    )
    lives_ns = np.array([row.expiry_ns - now_ns for row in rows])
    is_counted = (
        (quotes["bid"] > 0.0)
        & (quotes["ask"] > 0.0)
        & (deltas >= DELTA_RANGE[0])
        & (deltas <= DELTA_RANGE[1])
        & (lives_ns > COUNTED_LIFE_NS)
    )
    coins = greeks.price / forwards
    is_inside = (coins >= quotes["bid"] - EDGE_COIN) & (coins <= quotes["ask"] + EDGE_COIN)
    return is_counted, is_inside


def passes(reports: Sequence[SnapshotReport]) -> bool:
    """Returns whether every bar is met: shares over all and on each, and certificates; never where
    nothing was counted."""
    every = [u for report in reports for u in report.underlyings]
    return (
        any(u.option_count for u in every)
        and share_of(every) >= SHARE_MIN_ALL
        and all(report.share >= SHARE_MIN_EACH for report in reports)
        and all(report.is_certified for report in reports)
    )


def lines_of(report: SnapshotReport) -> list[str]:
    lines = [report.file]
    for u in report.underlyings:
        lines.append(f"  {u.underlying}   days  options  inside   share  rmse vol pts  arbitrage")
        for e in u.expiries:
            share = f"{e.inside_count / e.option_count:7.2%}" if e.option_count else "      -"
            free = _arbitrage(e.is_butterfly_free, e.is_calendar_free)
            lines.append(
                f"  {e.days:10.3f} {e.option_count:8d} {e.inside_count:7d} {share} "
                f"{e.rmse_vol_points:13.3f}  {free}"
            )
        lines.append(
            f"  {u.underlying}: {u.inside_count}/{u.option_count} inside = {share_of([u]):.2%}; "
            f"{'certified' if u.is_certified else 'NOT CERTIFIED'}; "
            f"fit {u.fit_us:.0f} us, refit {u.refit_us:.0f} us"
        )
    lines.append(f"  snapshot: {report.share:.2%} inside")
    return lines


def _arbitrage(is_butterfly_free: bool, is_calendar_free: bool) -> str:
    found = [
        name
        for name, is_free in (("BUTTERFLY", is_butterfly_free), ("CALENDAR", is_calendar_free))
        if not is_free
    ]
    return " ".join(found) or "none: proved"


def totals_of(reports: Sequence[SnapshotReport]) -> dict[str, Any]:
    every = [u for report in reports for u in report.underlyings]
    totals: dict[str, Any] = {
        "snapshots": len(reports),
        "options": sum(u.option_count for u in every),
        "inside": sum(u.inside_count for u in every),
        "share": share_of(every),
        "worst_share": min((report.share for report in reports), default=1.0),
        "worst_file": min(reports, key=lambda r: r.share).file if reports else "",
        "is_certified": all(report.is_certified for report in reports),
        "passed": passes(reports),
    }
    for name in sorted({u.underlying for u in every}):
        own = [u for u in every if u.underlying == name]
        totals[f"fit_us_median_{name}"] = statistics.median(u.fit_us for u in own)
        totals[f"refit_us_median_{name}"] = statistics.median(u.refit_us for u in own)
    return totals


def json_of(reports: Sequence[SnapshotReport]) -> dict[str, Any]:
    return {
        "bars": {"share_all": SHARE_MIN_ALL, "share_each": SHARE_MIN_EACH},
        "totals": totals_of(reports),
        "snapshots": [
            {
                "file": report.file,
                "share": report.share,
                "is_certified": report.is_certified,
                "underlyings": [
                    {
                        "underlying": u.underlying, "options": u.option_count,
                        "inside": u.inside_count, "share": share_of([u]),
                        "is_certified": u.is_certified, "fit_us": u.fit_us,
                        "refit_us": u.refit_us, "outside": u.outside,
                        "expiries": [
                            {
                                "expiry_ns": e.expiry_ns, "days": e.days,
                                "options": e.option_count, "inside": e.inside_count,
                                "rmse_vol_points": e.rmse_vol_points,
                                "is_butterfly_free": e.is_butterfly_free,
                                "is_calendar_free": e.is_calendar_free,
                                "svi": e.slice._asdict(),
                            }
                            for e in u.expiries
                        ],
                    }
                    for u in report.underlyings
                ],
            }
            for report in reports
        ],
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="surface_report", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recorded chains")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything here too")
    options = parser.parse_args(arguments)
    reports: list[SnapshotReport] = []
    for path in options.files:
        try:
            reports.append(report_on(read_chain(path), path.name))
        except ChainError as error:
            print(f"surface_report: {error}", file=sys.stderr)
            return 2
        except surface.FitError as error:
            print(f"surface_report: {path.name}: no certified surface: {error}", file=sys.stderr)
            return 1
        print("\n".join(lines_of(reports[-1])))
    totals = totals_of(reports)
    print(
        f"all {totals['snapshots']}: {totals['inside']}/{totals['options']} inside = "
        f"{totals['share']:.2%} (bar {SHARE_MIN_ALL:.0%}), worst {totals['worst_share']:.2%} in "
        f"{totals['worst_file']} (bar {SHARE_MIN_EACH:.0%}), "
        f"{'all certified' if totals['is_certified'] else 'NOT ALL CERTIFIED'}"
    )
    for name, value in totals.items():
        if name.startswith("refit_us_median_"):
            print(f"{name.removeprefix('refit_us_median_')} refit, median: {value:.0f} us "
                  f"(aim {REFIT_US_MAX:.0f} us)")  # fmt: skip
    if options.json is not None:
        options.json.write_text(json.dumps(json_of(reports), indent=1), encoding="utf-8")
    return 0 if totals["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
