"""Each agent is killed without warning while the desk trades; nothing may be lost by it."""

import http.client
import os
import signal
import time
from pathlib import Path

import pytest

from infra.trial_desk import Desk, over, running_desk
from infra.venue_account import VenueAccount
from tests.integration.bare_start import bare_start_s

QUOTES_GONE_S = 1.0
QUOTING_AGAIN_S = 5.0
STARTS_MAX = 4.0  # or so many bare starts of the slowest agent, where the machine is a slow one
QUOTED_MIN = 400  # instruments with both sides live count as quoting
KILLED = (
    "venue", "market_making", "gateway", "pricing", "risk", "hedging", "execution", "ledger",
)  # fmt: skip


def quoted(desk: Desk) -> int:
    return sum(quotes["quoted_count"] for quotes in desk.status()["quotes"].values())


def quotes_at_venue(home: Path) -> int:
    """Returns the desk's live quotes; none while the venue is away."""
    try:
        return VenueAccount.of_run(home).live_quotes()
    except (OSError, http.client.HTTPException):
        return 0


def kill(desk: Desk, service: str) -> int:
    pid = desk.pid(service)
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("transport", ["fix", pytest.param("websocket", marks=pytest.mark.long)])
def test_killing_any_agent_loses_nothing(tmp_path: Path, transport: str) -> None:
    with running_desk(tmp_path, "--seed", "11", *over(transport, tmp_path)) as desk:
        desk.until(lambda: quoted(desk) >= QUOTED_MIN, 30, "quoting")
        assert quotes_at_venue(tmp_path) > QUOTED_MIN
        desk.until(lambda: VenueAccount.of_run(tmp_path).positions() != {}, 30, "a position")
        for service in KILLED:
            again_s = max(QUOTING_AGAIN_S, STARTS_MAX * bare_start_s())
            killed_pid = kill(desk, service)
            killed_at = time.monotonic()
            if service == "market_making":
                account = VenueAccount.of_run(tmp_path)
                desk.until(lambda a=account: a.live_quotes() == 0, QUOTES_GONE_S, "empty books")
            back = f"{service} back and the desk quoting"
            left_s = again_s - (time.monotonic() - killed_at)
            desk.until(lambda: quotes_at_venue(tmp_path) > QUOTED_MIN, left_s, back)
            desk.until(lambda service=service, pid=killed_pid: desk.pid(service) != pid, 5, back)
        report = desk.end()
        for service in KILLED:
            assert report["services"][service]["restarts"] == 1
    assert report["violations"] == 0, report["invariants"]
    assert report["reconciliation_breaks"] == 0
    assert report["reconciliation_checks"] > 0
    assert report["positions_equal_venue"] is True
    assert report["fills"] == report["venue_fills"] > 0
