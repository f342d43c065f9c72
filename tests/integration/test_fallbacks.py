"""A running desk loses what it depends on; `make fallbacks` times more of it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from infra.desk_probe import DeskProbe
from infra.fallbacks import BACK_S_MAX, calm, closed, lease, ticks
from infra.trial_desk import ROOT, environment

EMPTY_S_MAX = 3.0  # after the command has ended


def hedgerow(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command, as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "services", *arguments],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_the_desk_serves_its_fallbacks_and_obeys_the_operator(tmp_path):
    async with DeskProbe(tmp_path, "--seed", "11") as desk:
        await calm(desk)
        for taken_away in (lease, ticks):
            (row,) = await taken_away(desk)
            assert row.result == "ok", row
            await calm(desk)

        forced = ("market_making", "lease", "--force-open", "--reason", "a test")
        done = hedgerow(tmp_path, "breaker", *forced)
        assert done.returncode == 0, done.stderr
        assert "forced_open: no quotes" in done.stdout

        async def is_empty() -> bool:
            return await desk.quoted_count() == 0

        await desk.until(is_empty, EMPTY_S_MAX, "empty books")
        desk.signal("market_making", signal.SIGKILL)  # a person's word outlives it

        async def is_forced() -> bool:
            return await desk.breaker("market_making", "lease") == "forced_open"

        async def is_restarted() -> bool:
            return not await desk.breaker("market_making", "lease")

        await desk.until(is_restarted, 10.0, "market_making gone")
        await desk.until(is_forced, 20.0, "forced breaker after a restart")
        assert await is_empty()
        assert hedgerow(tmp_path, "breaker", "market_making", "lease", "--reset").returncode == 0
        await closed(desk, "market_making", "lease")
        await desk.quoting(400, BACK_S_MAX)
        assert hedgerow(tmp_path, "breaker", "market_making", "nonsense", "--reset").returncode == 2
        assert hedgerow(tmp_path, "breaker", "nobody").returncode == 2
        await halted_and_resumed(desk, tmp_path)
    assert desk.report["violations"] == 0, desk.report["invariants"]
    assert desk.report["positions_equal_venue"] is True


async def halted_and_resumed(desk: DeskProbe, home: Path) -> None:
    """A person stops one underlying, and lets it go on."""
    done = hedgerow(home, "halt", "BTC", "--reason", "a test")
    assert done.returncode == 0, done.stderr
    assert "BTC halted: halted, 0 instruments quoted" in done.stdout
    assert await desk.quoted_count() > 0  # of ETH
    assert hedgerow(home, "halt", "BTC").returncode == 2  # no reason
    assert hedgerow(home, "halt", "DOGE", "--reason", "a test").returncode == 2
    done = hedgerow(home, "resume", "--reason", "a test", "--json")
    assert json.loads(done.stdout)["is_taken"], done.stderr
    await desk.quoting(400, BACK_S_MAX)
