"""A calm run: a desk to which nothing happens, and the pages that it raised all the same.

    make calm [SECONDS=1800] [JSON=FILE]

A page that comes without a cause teaches people to ignore pages. Exit 1 if there was one.
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

from infra import runs
from infra.alerting import asking
from infra.desk_reach import NoAnswerError

LOOK_S = 5.0
START_S_MAX = 90.0
LAST_S = 4.0  # the last look is before the end
Key = tuple[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ[runs.HOME_VARIABLE] = home
        found, looks = watch(Path(home), arguments.seconds)
    pages = [one for one in found if one["severity"] == "page"]
    for one in found:
        kept_s = max(0.0, one["ended_unix_s"] - one["detected_unix_s"])
        print(f"{one['severity']:6} {one['name']}: {one['text']} ({kept_s:.0f} s)")
    print(
        f"{len(pages)} pages, {len(found) - len(pages)} others in {arguments.seconds:.0f} s"
        f" ({looks} looks; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
    )
    if arguments.json:
        figures = {"seconds": arguments.seconds, "pages": len(pages), "alerts": found}
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if pages or not looks else 0


def watch(home: Path, seconds: float) -> tuple[list[dict[str, Any]], int]:
    """Runs a desk; returns every alert that it raised, in order, and how often it was asked."""
    argv = [sys.executable, "-m", "services", "up", "--headless", "--seconds", f"{seconds:.0f}"]
    found: dict[Key, dict[str, Any]] = {}
    looks = 0
    with (home / "up.log").open("wb") as log:
        desk = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            until = time.monotonic() + seconds - LAST_S
            while desk.poll() is None and time.monotonic() < until:
                time.sleep(LOOK_S)
                try:
                    report = asking.ask()
                except NoAnswerError:
                    continue
                looks += 1
                for one in (*report["active"], *report["ended"]):
                    found[str(one["name"]) + str(one["labels"]), one["since_unix_s"]] = one
            desk.wait(START_S_MAX)
        finally:
            if desk.poll() is None:
                desk.terminate()
                desk.wait(START_S_MAX)
    return sorted(found.values(), key=lambda one: one["since_unix_s"]), looks


if __name__ == "__main__":
    sys.exit(main())
