"""Ten minutes of desk, headless: every process's memory should be flat and nothing be lost.

`python -m infra.soak [--seconds 600] [--json FILE]` runs `hedgerow up` and samples resident memory
from /proc every two seconds; the slope is a least-squares line over the second half, when caches
have filled.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from infra import runs
from infra.status import usages

SAMPLE_PAUSE_S = 2.0
SLOPE_MB_PER_MINUTE_MAX = 0.5
RESIDENT_MB_MAX = 1200.0


def slope_mb_per_minute(times_s: list[float], values_mb: list[float]) -> float:
    """Returns the least-squares slope over the second half of the samples."""
    half = len(times_s) // 2
    if len(times_s) - half < 3:
        return 0.0
    line = np.polyfit(np.array(times_s[half:]) / 60.0, np.array(values_mb[half:]), 1)
    return float(line[0])


def soak(seconds: float, seed: int) -> dict[str, Any]:
    """Runs the desk and returns the figures."""
    with tempfile.TemporaryDirectory() as folder:
        report_path = Path(folder) / "report.json"
        argv = [sys.executable, "-m", "services", "up", "--headless", "--seed", str(seed)]
        argv += ["--seconds", str(seconds), "--report", str(report_path)]
        os.environ[runs.HOME_VARIABLE] = folder  # whatever other desks run beside it
        desk = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        times: list[float] = []
        series: dict[str, list[tuple[float, float]]] = {}
        started = time.monotonic()
        while desk.poll() is None:
            directory = runs.current()
            if directory is not None:
                now = time.monotonic() - started
                times.append(now)
                for name, (value, _) in usages(directory).items():
                    series.setdefault(name, []).append((now, value))
            time.sleep(SAMPLE_PAUSE_S)
        if desk.returncode != 0:
            raise SystemExit(f"hedgerow up ended with {desk.returncode}")
        report = json.loads(report_path.read_text(encoding="utf-8"))
    processes = {
        name: {
            "slope_mb_per_minute": slope_mb_per_minute(*map(list, zip(*points, strict=True))),
            "resident_mb_max": max(value for _, value in points),
            "samples": points,  # (seconds, MB)
        }
        for name, points in series.items()
    }
    return {
        "seconds": seconds,
        "processes": processes,
        "resident_mb_max": sum(one["resident_mb_max"] for one in processes.values()),
        "fills": report["fills"],
        "violations": report["violations"],
        "reconciliation_breaks": report["reconciliation_breaks"],
        "critical_dropped": report["critical_dropped"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    figures = soak(arguments.seconds, arguments.seed)
    for name, one in figures["processes"].items():
        print(
            f"{name:14} {one['resident_mb_max']:8.1f} MB  "
            f"slope {one['slope_mb_per_minute']:+.3f} MB/min"
        )
    print(
        f"all together {figures['resident_mb_max']:.0f} MB (at most {RESIDENT_MB_MAX:.0f}) · "
        f"{figures['fills']} fills · {figures['critical_dropped']} lost · "
        f"{figures['violations']} violations · {figures['reconciliation_breaks']} breaks"
    )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2), encoding="utf-8")
    flat = all(
        one["slope_mb_per_minute"] <= SLOPE_MB_PER_MINUTE_MAX
        for one in figures["processes"].values()
    )
    lost = figures["critical_dropped"] or figures["violations"] or figures["reconciliation_breaks"]
    return 0 if flat and not lost and figures["resident_mb_max"] <= RESIDENT_MB_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
