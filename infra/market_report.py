"""The simulated market's stylised facts beside their targets: `python -m infra.market_report`.

Runs the market alone (no desk) on a generated chain, or on a recorded one with --chain, and exits 1
when a target is missed. Spreads stand beside the medians of the recorded chains, read from
HEDGEROW_DATA or ../shared/data where they are, else from the table the makers are calibrated on.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.bare_market import BareMarket, BareTrade
from native.book import BUY
from services.venue.market.chain import chain_from_record, generate_chain
from services.venue.market.market import MarketConfig
from services.venue.market.recorded import (
    DELTA_COUNT,
    SPREADS_TICKS,
    delta_columns,
    tenor_rows,
)
from shared.clock import NS_PER_S
from shared.recorded_chain import read_chain

Floats = NDArray[np.float64]
Cells = dict[tuple[str, int, int], float]  # underlying, tenor row, delta column -> ticks

OPENED_NS = 1_768_200_000 * NS_PER_S  # of a generated chain: 2026-01-12 06:40 UTC
MARKOUTS_S = (1, 10, 60)
SPREAD_EVERY_S = 20
SPREAD_CELL_MIN = 30  # quotes in a cell that counts
TENORS = ("< 1 d", "1-3 d", "3-10 d", "10-45 d", "45-120 d", "> 120 d")
NS_PER_DAY = 86_400 * NS_PER_S
SIX_HOURS_NS = 6 * 3600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    value: float
    low: float
    high: float

    def is_met(self) -> bool:
        return self.low <= self.value <= self.high


@dataclass(slots=True)
class Observed:
    """What a run left behind."""

    bare: BareMarket
    opened_ns: int
    index: list[list[float]] = field(default_factory=list)  # (second, underlying), USD
    mids: list[Floats] = field(default_factory=list)  # (second, instrument), price units or NaN
    spreads: list[tuple[str, int, int, float]] = field(default_factory=list)
    two_sided: list[float] = field(default_factory=list)  # share, |delta| 0.05-0.95
    cpu_s: float = 0.0


def main(arguments: list[str] | None = None) -> int:
    """Prints the report; returns 0 when all targets are met."""
    parser = argparse.ArgumentParser(prog="market_report", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="of market time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chain", default="", help="a recorded chain, CSV or CSV.gz")
    parser.add_argument("--json", default="", metavar="FILE", help="write the figures here too")
    options = parser.parse_args(arguments)
    if options.hours * 3600 < 3 * MARKOUTS_S[-1]:
        parser.error("--hours: at least three minutes are needed")
    observed = observe(options.hours, options.seed, options.chain)
    report = figures(observed, recorded_spreads())
    targets = targets_of(report)
    _print(report, targets, options.hours)
    if options.json:
        report["targets"] = [
            {"name": t.name, "value": t.value, "low": t.low, "high": t.high, "is_met": t.is_met()}
            for t in targets
        ]
        Path(options.json).write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0 if all(target.is_met() for target in targets) else 1


def observe(hours: float, seed: int, chain_path: str = "") -> Observed:
    """Runs the market and returns what it showed."""
    if chain_path:
        chain = chain_from_record(read_chain(chain_path))
    else:
        chain = generate_chain(OPENED_NS, seed)
    started_s = time.process_time()
    bare = BareMarket(MarketConfig(), chain, seed)
    observed = Observed(bare, chain.opened_ns)
    for second in range(1, round(hours * 3600) + 1):
        bare.run_until(chain.opened_ns + second * NS_PER_S)
        best = bare.best()
        is_two_sided = (best.bid_lots > 0) & (best.ask_lots > 0)
        middle = 0.5 * (best.bid_ticks + best.ask_ticks) * bare.market.board.tick
        observed.mids.append(np.where(is_two_sided, middle, np.nan).astype(np.float32))
        observed.index.append([bare.market.index_usd(name) for name in chain.underlyings()])
        if second % SPREAD_EVERY_S == 0:
            _observe_spreads(observed, best.ask_ticks - best.bid_ticks, is_two_sided)
    observed.cpu_s = time.process_time() - started_s
    return observed


def figures(observed: Observed, recorded: Cells) -> dict[str, Any]:
    """Returns all figures of a run, ready for JSON."""
    index = np.log(np.array(observed.index))
    names = observed.bare.market.board.underlyings
    minutes = len(observed.index) / 60.0
    return {
        "minutes": minutes,
        "cpu_s_per_hour": observed.cpu_s * 60.0 / minutes,
        "index": {name: _return_facts(index[:, at]) for at, name in enumerate(names)},
        "index_correlation": float(np.corrcoef(np.diff(index, axis=0).T)[0, 1])
        if len(names) > 1
        else 1.0,
        "two_sided_share": float(np.mean(observed.two_sided)),
        "spreads": _spread_facts(observed, recorded),
        "takers": _taker_facts(observed, minutes),
    }


def targets_of(report: dict[str, Any]) -> list[Target]:
    """Returns the targets with the figures they are for."""
    targets = []
    for name, facts in report["index"].items():
        targets += [
            Target(f"{name} kurtosis of 1 s returns", facts["kurtosis_1s"], 5.0, 2000.0),
            Target(f"{name} autocorrelation of returns, 1 s", facts["return_lag_1s"], -0.1, 0.1),
            Target(f"{name} autocorrelation of |returns|, 1 s", facts["size_lag_1s"], 0.05, 0.6),
            Target(f"{name} autocorrelation of |returns|, 10 s", facts["size_lag_10s"], 0.04, 0.6),
            Target(f"{name} autocorrelation of |returns|, 30 s", facts["size_lag_30s"], 0.02, 0.6),
        ]
    takers = report["takers"]
    spreads = report["spreads"]
    targets += [
        Target("correlation of the indices", report["index_correlation"], 0.5, 0.95),
        Target("options two-sided, |delta| 0.05-0.95", report["two_sided_share"], 0.95, 1.0),
        Target("spread over recorded, median cell", spreads["ratio_median"], 0.8, 1.25),
        Target("spread cells within a factor of 1.6", spreads["share_near"], 0.85, 1.0),
        Target("option trades a minute", takers["option_trades_per_minute"], 120.0, 1200.0),
        Target("informed share of option volume", takers["informed_volume_share"], 0.15, 0.6),
        Target("informed share of option trades", takers["informed_trade_share"], 0.15, 0.6),
    ]
    markouts = takers["markouts_bps"]
    for seconds in MARKOUTS_S:
        noise = markouts["noise"][f"{seconds}s"]
        targets.append(Target(f"noise markout after {seconds} s, bps", noise, -50.0, -0.1))
    informed, surface = markouts["informed"]["60s"], markouts["surface"]["10s"]
    targets.append(Target("informed markout after 60 s, bps", informed, 0.5, 100.0))
    targets.append(Target("surface markout after 10 s, bps", surface, 0.1, 100.0))
    return targets


def recorded_spreads() -> Cells:
    """Returns the median spread of each cell: of the recorded chains, else of the table."""
    folder = Path(os.environ.get("HEDGEROW_DATA", "../shared/data")) / "deribit_option_chains"
    seen: dict[tuple[str, int, int], list[float]] = {}
    for path in sorted(folder.glob("*.csv.gz")):
        chain = read_chain(path)
        for row in chain.rows:
            left_ns = row.expiry_ns - chain.timestamp_ns
            if row.bid_coin is None or row.ask_coin is None or row.delta is None:
                continue
            if left_ns > SIX_HOURS_NS and row.currency in SPREADS_TICKS:
                tenor = int(tenor_rows(np.array([left_ns / NS_PER_DAY]))[0])
                cell = (row.currency, tenor, int(delta_columns(np.array([row.delta]))[0]))
                seen.setdefault(cell, []).append((row.ask_coin - row.bid_coin) * 1e4)
    if seen:
        return {cell: float(np.median(ticks)) for cell, ticks in seen.items()}
    return {
        (name, tenor, column): float(table[tenor][column])
        for name, table in SPREADS_TICKS.items()
        for tenor in range(len(table))
        for column in range(DELTA_COUNT)
    }


def _observe_spreads(
    observed: Observed, spreads: NDArray[np.int64], is_two_sided: NDArray[np.bool_]
) -> None:
    market = observed.bare.market
    board, delta = market.board, market.fair.delta
    left_ns = board.option_expiry_ns - observed.bare.now_ns
    far = np.minimum(np.abs(delta), 1.0 - np.abs(delta))
    both = is_two_sided[board.options]
    observed.two_sided.append(float(both[(far >= 0.05) & (left_ns > SIX_HOURS_NS)].mean()))
    rows = np.flatnonzero(both & (left_ns > SIX_HOURS_NS))
    tenors = tenor_rows(left_ns[rows] / NS_PER_DAY)
    columns = delta_columns(delta[rows])
    ticks = spreads[board.options][rows]
    for row, tenor, column, tick in zip(rows, tenors, columns, ticks, strict=True):
        name = board.underlyings[board.option_underlying[row]]
        observed.spreads.append((name, int(tenor), int(column), float(tick)))


def _return_facts(log_index: Floats) -> dict[str, float]:
    returns = np.diff(log_index)
    sizes = np.abs(returns)
    return {
        "kurtosis_1s": float(np.mean(returns**4) / np.mean(returns**2) ** 2),
        "kurtosis_60s": _kurtosis(np.diff(log_index[::60])),
        "annual_vol": float(returns.std() * np.sqrt(365 * 86_400)),
        "return_lag_1s": _autocorrelation(returns, 1),
        "size_lag_1s": _autocorrelation(sizes, 1),
        "size_lag_10s": _autocorrelation(sizes, 10),
        "size_lag_30s": _autocorrelation(sizes, 30),
        "size_lag_60s": _autocorrelation(sizes, 60),
    }


def _kurtosis(returns: Floats) -> float:
    return float(np.mean(returns**4) / np.mean(returns**2) ** 2)


def _autocorrelation(values: Floats, lag: int) -> float:
    centred = values - values.mean()
    return float(np.mean(centred[:-lag] * centred[lag:]) / np.mean(centred**2))


def _spread_facts(observed: Observed, recorded: Cells) -> dict[str, Any]:
    seen: dict[tuple[str, int, int], list[float]] = {}
    for name, tenor, column, ticks in observed.spreads:
        seen.setdefault((name, tenor, column), []).append(ticks)
    cells: dict[str, Any] = {}
    ratios = []
    for cell, values in sorted(seen.items()):
        if cell not in recorded or len(values) < SPREAD_CELL_MIN:
            continue
        shown = float(np.median(values))
        ratios.append(shown / recorded[cell])
        cells[f"{cell[0]} {TENORS[cell[1]]} {cell[2] / DELTA_COUNT:.1f}"] = [shown, recorded[cell]]
    near = [1 / 1.6 <= ratio <= 1.6 for ratio in ratios]
    return {
        "cells_ticks": cells,
        "ratio_median": float(np.median(ratios)),
        "share_near": float(np.mean(near)),
    }


def _taker_facts(observed: Observed, minutes: float) -> dict[str, Any]:
    mids = np.array(observed.mids)
    types: dict[str, dict[str, Any]] = {}
    option_count = 0
    for name, trades in _by_taker(observed):
        is_option = not name.startswith("future")
        option_count += len(trades) if is_option else 0
        usd = np.array([_notional_usd(observed, trade) for trade in trades])
        types[name] = {
            "trades_per_minute": len(trades) / minutes,
            "notional_usd_per_minute": float(usd.sum()) / minutes,
            "is_option": is_option,
            "markout_bps": {
                f"{seconds}s": _markout_bps(observed, mids, trades, usd, seconds)
                for seconds in MARKOUTS_S
            },
        }
    options = {name: facts for name, facts in types.items() if facts["is_option"]}
    volume = sum(facts["notional_usd_per_minute"] for facts in options.values())
    informed = options["informed"]
    return {
        "option_trades_per_minute": option_count / minutes,
        "informed_volume_share": informed["notional_usd_per_minute"] / max(volume, 1e-9),
        "informed_trade_share": informed["trades_per_minute"] * minutes / max(option_count, 1),
        "types": types,
        "markouts_bps": {name: facts["markout_bps"] for name, facts in types.items()},
        "makers": dict(_maker_facts(observed, mids)),
    }


def _maker_facts(observed: Observed, mids: Floats) -> Iterator[tuple[str, dict[str, float]]]:
    """Yields each maker's fills and what it kept after a minute, in 1e-4 of the underlying."""
    for number, name in enumerate(observed.bare.market.owners):
        trades = [trade for trade in observed.bare.trades if trade.maker == number]
        if trades:
            usd = np.array([_notional_usd(observed, trade) for trade in trades])
            kept = -_markout_bps(observed, mids, trades, usd, MARKOUTS_S[-1])
            yield name, {"fills": len(trades), "usd": float(usd.sum()), "kept_bps_60s": kept}


def _by_taker(observed: Observed) -> Iterator[tuple[str, list[BareTrade]]]:
    for number, name in enumerate(observed.bare.market.owners):
        if "maker" not in name:
            yield name, [trade for trade in observed.bare.trades if trade.taker == number]


def _notional_usd(observed: Observed, trade: BareTrade) -> float:
    """Returns a trade's size in USD: of the underlying for options."""
    board = observed.bare.market.board
    amount = trade.lots * float(board.lot[trade.instrument])
    if board.futures_row[trade.instrument] >= 0:
        return amount
    return amount * observed.index[0][int(board.underlying[trade.instrument])]


def _markout_bps(
    observed: Observed, mids: Floats, trades: list[BareTrade], usd: Floats, seconds: int
) -> float:
    """Returns what takers gained on the mid some seconds later, in 1e-4 of the underlying."""
    board = observed.bare.market.board
    gains, weights = [], []
    for trade, size in zip(trades, usd, strict=True):
        at = -(-(trade.time_ns - observed.opened_ns) // NS_PER_S) - 1 + seconds
        if at >= len(mids) or not np.isfinite(mids[at, trade.instrument]):
            continue
        price = trade.price_ticks * float(board.tick[trade.instrument])
        gain = float(mids[at, trade.instrument]) - price
        if board.futures_row[trade.instrument] >= 0:
            gain /= price
        gains.append(gain * (1.0 if trade.side == BUY else -1.0) * 1e4)
        weights.append(size)
    return float(np.average(gains, weights=weights)) if gains else 0.0


def _print(report: dict[str, Any], targets: list[Target], hours: float) -> None:
    print(f"Market alone, {hours:g} h, {report['cpu_s_per_hour']:.1f} s of CPU an hour\n")
    for name, facts in report["index"].items():
        print(
            f"{name}: vol {facts['annual_vol']:.1%} a year, kurtosis "
            f"{facts['kurtosis_1s']:.0f} (1 s) {facts['kurtosis_60s']:.1f} (60 s)"
        )
    print("\nTakers            trades/min  USD m/min   markout bps 1 s    10 s    60 s")
    for name, facts in report["takers"]["types"].items():
        after = "".join(f"{facts['markout_bps'][f'{s}s']:8.2f}" for s in MARKOUTS_S)
        usd = facts["notional_usd_per_minute"] / 1e6
        print(f"{name:16s} {facts['trades_per_minute']:11.1f} {usd:10.2f}       {after}")
    print("\nMakers               fills      USD m    kept bps after 60 s")
    for name, facts in report["takers"]["makers"].items():
        usd = facts["usd"] / 1e6
        print(f"{name:16s} {facts['fills']:9d} {usd:10.1f} {facts['kept_bps_60s']:12.2f}")
    print("\nMedian spread in ticks, market/recorded, by tenor and |delta|")
    cells = report["spreads"]["cells_ticks"]
    for name in report["index"]:
        print(f"{name:9s}" + "".join(f"{column / 10:9.1f}" for column in range(DELTA_COUNT)))
        for tenor in TENORS:
            shown = [cells.get(f"{name} {tenor} {c / DELTA_COUNT:.1f}") for c in range(DELTA_COUNT)]
            line = "".join(f"{f'{s[0]:.0f}/{s[1]:.0f}' if s else '-':>9s}" for s in shown)
            print(f"{tenor:9s}{line}")
    print()
    for target in targets:
        verdict = "met   " if target.is_met() else "MISSED"
        print(f"{verdict} {target.name}: {target.value:.3g} in [{target.low:g}, {target.high:g}]")


if __name__ == "__main__":
    sys.exit(main())
