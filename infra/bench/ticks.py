"""Tick to quote, measured: in the core, wire to wire, the cost of being observed, peers, the hop.

Each part is a module with `measure(seconds) -> (samples, skipped)`: microseconds by the name of a
figure, and reasons by the name of what did not run; with `conditions()`, it says what else its
figures hang on. A name `core.book_tick` is a figure with
percentiles, `core.book_tick.by_rate.1000` one below it, `core.index_tick.ns_per_option` a number.
Sources are paced and times count from when a tick was due, so a stall is seen by all it delayed.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.build_ffi import CFLAGS

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "core": "infra.bench.core",
    "wire": "infra.bench.wire",
    "cost": "infra.bench.cost",
    "peers": "infra.bench.peers",
    "hop": "infra.bench.hop",
}
PERCENTILES = {"p50_us": 50.0, "p90_us": 90.0, "p99_us": 99.0, "p999_us": 99.9, "max_us": 100.0}
HALVINGS = 24  # of the distance to 100 % in a histogram file
NUMBERS = (
    "ns_per_option", "instructions", "ghz", "moved_mean_pct", "moved_p99_pct", "alone_pct",
    "ratio_p50", "ratio_p99", "seconds", "ticks", "quotes", "records", "records_lost",
    "feed_gaps", "pulls",
)  # fmt: skip

SMALL_US = 10.0
Samples = NDArray[np.float64]  # microseconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured, of each figure")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    parser.add_argument("--samples", metavar="FOLDER", default="build/bench/samples")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    report: dict[str, Any] = {"conditions": conditions(arguments.seconds), "skipped": {}}
    print_conditions(report["conditions"])
    print(f"{'us':<36}{'p50':>10}{'p90':>10}{'p99':>10}{'p99.9':>10}{'max':>12}{'samples':>10}")
    folder = Path(arguments.samples)
    folder.mkdir(parents=True, exist_ok=True)
    for part in chosen:
        samples, skipped, under = measured(part, arguments.seconds)
        report["skipped"].update(skipped)
        report["conditions"][part] = under
        print_part(part, under)
        for name, values in samples.items():
            place(report, name, values)
            if name.rpartition(".")[2] not in NUMBERS:
                write_histogram(folder / f"{name}.hgrm", values)
                print_figure(name, values)
            else:
                print(f"{name:<36}{float(np.median(values)):>12.1f}")
        for name, reason in skipped.items():
            print(f"{name:<36}skipped: {reason}")
    print_table(report)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def measured(
    part: str, seconds: float
) -> tuple[dict[str, Samples], dict[str, str], dict[str, Any]]:
    """Runs a part; what it cannot run on this machine is skipped with the reason. Returns also what
    the part says of its conditions, and how busy the machine was with what is not ours."""
    try:
        module = importlib.import_module(PARTS[part])
    except ModuleNotFoundError as error:
        return {}, {part: f"{error.name} is not installed"}, {}
    before = processor_s()
    samples, skipped = module.measure(seconds)
    passed, ours = (after - at for after, at in zip(processor_s(), before, strict=True))
    said = module.conditions() if hasattr(module, "conditions") else {}
    others = max(0.0, passed - ours) / max(passed, 1e-9) if passed else 0.0
    return samples, skipped, {**said, "load": os.getloadavg()[0], "others_of_busy": others}


def processor_s() -> tuple[float, float]:
    """Returns the seconds that all cores were busy, and of them those of ours that have ended."""
    path = Path("/proc/stat")
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    busy = 0.0
    if path.exists():
        counts = path.read_text(encoding="ascii").partition("\n")[0].split()[1:]
        spent = dict(zip(names, map(int, counts), strict=False))
        busy = sum(spent.values()) - spent["idle"] - spent["iowait"]
    times = os.times()
    ours = times.user + times.system + times.children_user + times.children_system
    return busy / os.sysconf("SC_CLK_TCK"), ours


def place(report: dict[str, Any], name: str, values: Samples) -> None:
    """Puts a figure where its name says."""
    *path, last = name.split(".")
    node = report
    for step in path:
        node = node.setdefault(step, {})
    if last in NUMBERS:
        node[last] = float(np.median(values))
    else:
        node.setdefault(last, {}).update(figures(values))


def figures(values: Samples) -> dict[str, float]:
    """Returns the percentiles of samples, and how many there were."""
    found = {name: float(np.percentile(values, rank)) for name, rank in PERCENTILES.items()}
    return {**found, "samples": len(values)}


def write_histogram(path: Path, values: Samples) -> None:
    """Writes a percentile distribution as HdrHistogram does; values in microseconds."""
    ordered = np.sort(values)
    lines = ["       Value     Percentile TotalCount 1/(1-Percentile)", ""]
    for half in range(2 * HALVINGS):
        rank = 1.0 - 0.5 ** (half / 2)
        count = min(len(ordered), max(1, int(np.ceil(rank * len(ordered)))))
        line = f"{ordered[count - 1]:12.3f} {rank:14.12f} {count:10d} {1 / (1 - rank):14.2f}"
        lines.append(line)
        if count == len(ordered):
            break
    lines.append(f"{ordered[-1]:12.3f} {1.0:14.12f} {len(ordered):10d}")
    mean, deviation = float(ordered.mean()), float(ordered.std())
    lines.append(f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]")
    lines.append(f"#[Max     = {ordered[-1]:12.3f}, Total count    = {len(ordered):12d}]")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def conditions(seconds: float) -> dict[str, Any]:
    """Returns what the figures depend on."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "machine": machine(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "flags": " ".join(CFLAGS),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "commit": commit.stdout.strip() or "unknown",
        "seconds": seconds,
    }


def machine() -> str:
    """Returns the processor's name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def print_conditions(found: dict[str, Any]) -> None:
    print(f"{found['machine']}, {found['cores']} cores, load {found['load_before']:.1f}", end="; ")
    print(f"Linux {found['kernel']}, Python {found['python']}, commit {found['commit']}")
    print(f"flags {found['flags']}")


def print_part(part: str, under: dict[str, Any]) -> None:
    """What a part's figures were made under."""
    said = [f"{name} {value}" for name, value in under.items() if isinstance(value, str)]
    busy = f"load {under.get('load', 0.0):.1f}, {under.get('others_of_busy', 0.0):.0%} of the work"
    print(f"-- {part}: {'; '.join([*said, f'{busy} not ours'])}")


def print_table(report: dict[str, Any]) -> None:
    """The figures as README shows them: those with percentiles, microseconds."""
    print("\n| us | p50 | p90 | p99 | p99.9 | max | samples |\n|---|---|---|---|---|---|---|")
    for part in (*PARTS, "stages"):
        for name, figure in report.get(part, {}).items():
            if isinstance(figure, dict) and "p50_us" in figure:
                print_row(f"{part}.{name}", figure)
                if "alone" in figure:
                    print_row(f"{part}.{name}.alone", figure["alone"])


def print_row(name: str, figure: dict[str, Any]) -> None:
    cells = " | ".join(map(shown, (figure[rank] for rank in PERCENTILES)))
    print(f"| `{name}` | {cells} | {figure['samples']:,} |")


def shown(us: float) -> str:
    """Returns microseconds as a reader wants them: of a few, also the hundredths."""
    return f"{us:,.2f}" if us < SMALL_US else f"{us:,.1f}"


def print_figure(name: str, values: Samples) -> None:
    found = figures(values)
    cells = "".join(f"{found[rank]:>10.2f}" for rank in list(PERCENTILES)[:-1])
    print(f"{name:<36}{cells}{found['max_us']:>12.2f}{len(values):>10}")


if __name__ == "__main__":
    sys.exit(main())
