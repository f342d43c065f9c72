"""Times prices with greeks and implied vols: ours beside QuantLib, vollib and NumPy, in one run.

Contenders take turns, round by round, on the same listed-like options, so a busy machine is
unfair to all alike. Accuracy is the vol's trip through the contender's own price and back, over
the options whose price carries the vol (one rounding of it moves the vol by less than 2e-13).
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import QuantLib
from scipy.special import ndtr
from vollib.black import black as vollib_price
from vollib.black.greeks import analytical as vollib_greeks
from vollib.black.implied_volatility import implied_volatility as vollib_implied_vol

from native import pricing
from native.build_ffi import CFLAGS
from native.pricing import Flags, Floats

OPTIONS_COUNT = 8192
ROUNDS_COUNT = 15


class Options(NamedTuple):
    """Out-of-the-money options like those listed: |ln(K/F)| <= 0.7, within 4 deviations."""

    forwards: Floats  # (option,), USD
    strikes: Floats  # (option,), USD
    years: Floats  # (option,)
    vols: Floats  # (option,), annualised
    is_call: Flags  # (option,)
    prices: Floats  # (option,), USD

    def head(self, count: int) -> "Options":
        """Returns the first `count` options."""
        return Options(
            self.forwards[:count],
            self.strikes[:count],
            self.years[:count],
            self.vols[:count],
            self.is_call[:count],
            self.prices[:count],
        )


class Contender(NamedTuple):
    """One implementation; returns (prices or vols), over as many options as it can stand."""

    name: str
    options_count: int
    price: Callable[[Options], Floats]
    implied_vol: Callable[[Options], Floats]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    parser.add_argument("--rounds", type=int, default=ROUNDS_COUNT, help="timed rounds of each")
    arguments = parser.parse_args()
    report = measure(listed_options(OPTIONS_COUNT), max(arguments.rounds, 3))
    print_report(report)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def listed_options(count: int) -> Options:
    """Returns `count` random options, the same on every run."""
    rng = np.random.default_rng(76)
    years = np.exp(rng.uniform(math.log(1 / 365), 0.0, count))
    vols = rng.uniform(0.3, 1.2, count)
    forwards = rng.uniform(1_000.0, 100_000.0, count)
    reach = np.minimum(4.0 * vols * np.sqrt(years), 0.7)
    strikes = forwards * np.exp(rng.uniform(-1.0, 1.0, count) * reach)
    is_call = (strikes > forwards).astype(np.int32)
    prices = pricing.black76_batch(forwards, strikes, years, vols, is_call).price
    return Options(forwards, strikes, years, vols, is_call, np.ascontiguousarray(prices))


def measure(options: Options, rounds: int) -> dict[str, object]:
    """Runs every contender once per round; returns figures and conditions."""
    samples: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds + 1):  # the first round warms up and is dropped
        for contender in CONTENDERS:
            mine = options.head(contender.options_count)
            for task, function in (("price", contender.price), ("vol", contender.implied_vol)):
                start_ns = time.perf_counter_ns()
                function(mine)
                spent_ns = time.perf_counter_ns() - start_ns
                samples.setdefault((contender.name, task), []).append(
                    spent_ns / contender.options_count
                )
    rows = [
        {
            "name": contender.name,
            "options": contender.options_count,
            "price_with_greeks_ns": quantiles(samples[contender.name, "price"][1:]),
            "implied_vol_ns": quantiles(samples[contender.name, "vol"][1:]),
            "round_trip_error_max": round_trip_error(
                contender, options.head(contender.options_count)
            ),
        }
        for contender in CONTENDERS
    ]
    return {"rounds": rounds, "conditions": conditions(), "contenders": rows}


def quantiles(values: list[float]) -> dict[str, float]:
    """Returns the 10th, 50th and 90th percentile."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {"p10": round(low, 1), "p50": round(middle, 1), "p90": round(high, 1)}


def round_trip_error(contender: Contender, options: Options) -> float:
    """Returns the greatest relative error of vol -> price -> vol."""
    prices = np.ascontiguousarray(contender.price(options))
    vols = contender.implied_vol(options._replace(prices=prices))
    vegas = pricing.black76_batch(*options[:5]).vega
    carried = 2.0**-52 * options.prices / (vegas * options.vols) < 2e-13
    error = np.abs(vols / options.vols - 1.0)[carried]
    return float(np.max(np.where(np.isnan(error), np.inf, error)))


def conditions() -> dict[str, str]:
    """Returns what a reader needs to compare the figures with others."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    return {
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "compiler": first_line("cc", "--version"),
        "flags": " ".join(CFLAGS),
        "commit": first_line("git", "rev-parse", "--short", "HEAD"),
        "python": sys.version.split()[0],
        "libraries": ", ".join(
            f"{name} {version(name)}" for name in ("numpy", "scipy", "QuantLib", "vollib")
        ),
    }


def first_line(*command: str) -> str:
    """Returns the first line a command prints, or "unknown"."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0]


def print_report(report: dict[str, object]) -> None:
    """Prints the table."""
    rows = report["contenders"]
    assert isinstance(rows, list)
    print("ns per option: median (p10-p90) over", report["rounds"], "interleaved rounds")
    print(f"{'':<26}{'price with greeks':>32}{'implied vol':>32}{'round trip':>12}")
    for row in rows:
        cells = [
            f"{spread['p50']:,.1f} ({spread['p10']:,.1f}-{spread['p90']:,.1f})"
            for spread in (row["price_with_greeks_ns"], row["implied_vol_ns"])
        ]
        error = row["round_trip_error_max"]
        print(f"{row['name']:<26}{cells[0]:>32}{cells[1]:>32}{error:>12.1e}")
    facts = report["conditions"]
    assert isinstance(facts, dict)
    for name, value in facts.items():
        print(f"{name}: {value}")


# ---- contenders ----------------------------------------------------------------------------------


def batch_price(options: Options) -> Floats:
    return pricing.black76_batch(*options[:5]).price


def batch_implied_vol(options: Options) -> Floats:
    return pricing.implied_vol_batch(
        options.prices, options.forwards, options.strikes, options.years, options.is_call
    ).vols


def rows_of(options: Options) -> list[tuple[float, float, float, float, bool, float]]:
    """Returns the options as Python tuples, for those who take one at a time."""
    columns = (column.tolist() for column in options)
    return list(zip(*columns, strict=True))


def single_price(options: Options) -> Floats:
    return np.array([pricing.black76(*row[:4], row[4]).price for row in rows_of(options)])


def single_implied_vol(options: Options) -> Floats:
    return np.array(
        [
            pricing.implied_vol(price, forward, strike, years, is_call)
            for forward, strike, years, _, is_call, price in rows_of(options)
        ]
    )


def quantlib_price(options: Options) -> Floats:
    prices = []
    for forward, strike, years, vol, is_call, _ in rows_of(options):
        kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
        payoff = QuantLib.PlainVanillaPayoff(kind, strike)
        calculator = QuantLib.BlackCalculator(payoff, forward, vol * math.sqrt(years))
        prices.append(calculator.value())
        calculator.deltaForward()
        calculator.gammaForward()
        calculator.vega(years)
        calculator.theta(forward, years)
        calculator.vanna(forward, years)
        calculator.volga(years)
    return np.array(prices)


def quantlib_implied_vol(options: Options) -> Floats:
    vols = []
    for forward, strike, years, _, is_call, price in rows_of(options):
        kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
        guess = 0.4 * math.sqrt(years)
        deviation = QuantLib.blackFormulaImpliedStdDev(
            kind, strike, forward, price, 1.0, 0.0, guess, 1e-14, 100
        )
        vols.append(deviation / math.sqrt(years))
    return np.array(vols)


def vollib_price_with_greeks(options: Options) -> Floats:
    prices = []
    for forward, strike, years, vol, is_call, _ in rows_of(options):
        kind = "c" if is_call else "p"
        prices.append(vollib_price(kind, forward, strike, years, 0.0, vol))
        for greek in (
            vollib_greeks.delta,
            vollib_greeks.gamma,
            vollib_greeks.vega,
            vollib_greeks.theta,
        ):
            greek(kind, forward, strike, years, 0.0, vol)
    return np.array(prices)


def vollib_vol(options: Options) -> Floats:
    return np.array(
        [
            vollib_implied_vol(price, forward, strike, 0.0, years, "c" if is_call else "p")
            for forward, strike, years, _, is_call, price in rows_of(options)
        ]
    )


def numpy_price(options: Options) -> Floats:
    forwards, strikes, years, vols, is_call, _ = options
    root = np.sqrt(years)
    s = vols * root
    d1 = np.log(forwards / strikes) / s + 0.5 * s
    d2 = d1 - s
    sign = np.where(is_call, 1.0, -1.0)
    delta = sign * ndtr(sign * d1)
    density = np.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    vega = forwards * density * root
    greeks = np.empty((6, len(forwards)))
    greeks[0] = delta
    greeks[1] = density / (forwards * s)
    greeks[2] = vega
    greeks[3] = -0.5 * vega * vols / years
    greeks[4] = -density * d2 / vols
    greeks[5] = vega * d1 * d2 / vols
    price: Floats = forwards * delta - sign * strikes * ndtr(sign * d2)
    return price


def numpy_implied_vol(options: Options) -> Floats:
    """Newton from the inflection point (Manaster and Koehler 1982), all options in step."""
    forwards, strikes, years, _, is_call, prices = options
    x = np.log(forwards / strikes)
    sign = np.where(is_call, 1.0, -1.0)
    s = np.maximum(np.sqrt(2.0 * np.abs(x)), 1e-3)
    for _ in range(50):
        d1 = x / s + 0.5 * s
        model = sign * (forwards * ndtr(sign * d1) - strikes * ndtr(sign * (d1 - s)))
        slope = forwards * np.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
        step = (model - prices) / slope
        s = s - step
        if np.max(np.abs(step)) < 1e-12:
            break
    vols: Floats = s / np.sqrt(years)
    return vols


CONTENDERS = (
    Contender("hedgerow, batch", OPTIONS_COUNT, batch_price, batch_implied_vol),
    Contender("hedgerow, one from Python", 1024, single_price, single_implied_vol),
    Contender("QuantLib, one from Python", 512, quantlib_price, quantlib_implied_vol),
    Contender("vollib, one from Python", 256, vollib_price_with_greeks, vollib_vol),
    Contender("NumPy and scipy.special", OPTIONS_COUNT, numpy_price, numpy_implied_vol),
)

if __name__ == "__main__":
    sys.exit(main())
