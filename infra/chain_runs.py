"""A short run of the desk from each recorded chain, and what it quoted.

`make chains CHAIN="FILE..." [SECONDS=25]` runs `hedgerow up --chain FILE --headless` one after
another, prints a row each, and exits 1 if one of them fails or was two-sided for too little of the
time after its first quote.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

UPTIME_PCT_MIN = 95.0
COLUMNS = (
    "two_sided_uptime_pct", "quoted_instruments_max", "time_to_first_quote_s", "fills",
    "quotes_refused", "violations", "reconciliation_breaks",
)  # fmt: skip


def run_chain(chain: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Returns the day's report with its exit code; of a run that wrote none, the code alone."""
    with tempfile.TemporaryDirectory() as folder:
        report_path = Path(folder) / "report.json"
        argv = [sys.executable, "-m", "services", "up", "--headless", "--chain", str(chain)]
        argv += ["--seed", str(seed), "--seconds", str(seconds), "--report", str(report_path)]
        code = subprocess.run(argv, stdout=subprocess.DEVNULL, check=False).returncode
        day: dict[str, Any] = {}
        if report_path.exists():
            day = json.loads(report_path.read_text(encoding="utf-8"))
    return {"exit_code": code, **day}


def is_good(day: dict[str, Any]) -> bool:
    return day["exit_code"] == 0 and float(day["two_sided_uptime_pct"]) >= UPTIME_PCT_MIN


def row(chain: Path, day: dict[str, Any]) -> str:
    values = [day.get(name) for name in COLUMNS]
    texts = [f"{value:.1f}" if isinstance(value, float) else str(value) for value in values]
    verdict = "ok " if is_good(day) else "BAD"
    return f"{verdict} {chain.name} exit {day['exit_code']} " + " ".join(
        f"{name}={text}" for name, text in zip(COLUMNS, texts, strict=True)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chains", nargs="+", type=Path, metavar="FILE.csv.gz")
    parser.add_argument("--seconds", type=float, default=25.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="append a line for each chain")
    arguments = parser.parse_args()
    good = 0
    for chain in arguments.chains:
        day = run_chain(chain, arguments.seconds, arguments.seed)
        good += is_good(day)
        print(row(chain, day), flush=True)
        if arguments.json:
            with arguments.json.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"chain": chain.name, **day}) + "\n")
    print(f"{good} of {len(arguments.chains)} chains well")
    return 0 if good == len(arguments.chains) else 1


if __name__ == "__main__":
    sys.exit(main())
