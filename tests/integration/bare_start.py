"""How slow this machine is now: bounds in seconds that are made of starts give way to it."""

import subprocess
import sys
import time

from infra.trial_desk import ROOT


def bare_start_s() -> float:
    """Returns how long the venue's process takes here, now, to come up to its first line."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import services.venue.service"], cwd=ROOT, check=True)
    return time.monotonic() - started
