"""What experiments ask of a desk: the steady state, and how long things took.

Times are seconds since the last action that broke something (chaos.actions notes when that was);
a probe that waits in vain answers NEVER_S, which no tolerance takes.
"""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaos.faults import home
from infra import runs
from infra.alerting import asking
from infra.alerting.scraper import parsed
from infra.desk_reach import NoAnswerError
from infra.venue_account import VenueAccount
from shared.messages.message import Delivery
from shared.messages.registry import KINDS
from shared.metric_names import BUCKETS_S

LOOK_S = 0.1
NEVER_S = 1e6
STEADY_LOOKS = 10
DEAR_COIN = 0.003
CONFLATED = {kind.__name__ for kind in KINDS.values() if kind.delivery is Delivery.LOSSY}
LATE_LE = f"{BUCKETS_S[-1]}"  # seconds: what is older is dropped
QUOTED_MIN = 400  # sides at the venue: the desk quotes


def is_quoting() -> bool:
    """Says whether the desk's quotes rest at the venue, as the venue tells it."""
    return live_quotes() >= QUOTED_MIN


def are_there() -> bool:
    """Says whether every process that ran when the experiment began runs, but those that nobody
    may start, and every agent whose port is known says that it is ready."""
    directory = runs.current()
    assert directory is not None, "no desk is running"
    wanted = {name for name in began()["running"] if not runs.is_held(directory, name)}
    if not wanted <= running(directory):
        return False
    agents = wanted & set(runs.read_runtime(directory).http_ports)
    return all(is_ready(agent) for agent in agents)


def running(directory: Path) -> set[str]:
    table = runs.read_processes(directory)
    return {one.name for one in table.processes if one.is_running} if table is not None else set()


def is_ready(agent: str) -> bool:
    found = {one.name: one.value for one in parsed(asking.metrics(agent, ["agent_ready"]), agent)}
    return found.get("agent_ready", 0.0) == 1.0


def is_steady(limit_s: float = 15.0) -> bool:
    """Says whether the desk comes to quote for some looks in a row."""
    deadline = time.monotonic() + limit_s
    looks = 0
    while time.monotonic() < deadline and looks < STEADY_LOOKS:
        looks = looks + 1 if is_quoting() else 0
        time.sleep(LOOK_S)
    return looks >= STEADY_LOOKS


def wait_for_quotes(
    has_ended: Callable[[], bool], last_words: Callable[[], str], limit_s: float
) -> None:
    """Waits until a desk quotes and is observed. Raises SystemExit, with the desk's last words."""
    deadline = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(OSError, KeyError, ValueError, AssertionError):
            if is_quoting() and observed() and is_steady():
                return
        if has_ended() or time.monotonic() > deadline:
            raise SystemExit(f"the desk did not come to quote:\n{last_words()}")
        time.sleep(0.2)


def live_quotes() -> int:
    try:
        return VenueAccount.of_run(home()).live_quotes()
    except (OSError, ValueError, KeyError):
        return 0


def violations() -> int:
    """Returns how often the observer has seen an invariant broken since the experiment began."""
    return int(observed()["violations"]) - int(began()["violations"])


def reconciliation_breaks() -> int:
    return int(observed()["reconciliation_breaks"]) - int(began()["reconciliation_breaks"])


def lost_for_good() -> float:
    """Returns how many messages were lost, since the agents began, that nothing may cost: durable
    ones and states. What is conflated may be shed."""
    directory = runs.current()
    assert directory is not None, "no desk is running"
    lost = 0.0
    for agent in runs.read_runtime(directory).http_ports:
        text = asking.metrics(agent, ["message_critical_dropped", "message_dropped"])
        for one in parsed(text, agent):
            kind = dict(one.labels).get("kind")
            if one.name == "message_critical_dropped_total" or (
                one.name == "message_dropped_total" and kind not in CONFLATED
            ):
                lost += one.value
    return lost


def taken_late() -> float:
    """Returns how many conflatable messages older than two seconds agents took, since they began:
    beyond the last bound of their histogram."""
    directory = runs.current()
    assert directory is not None, "no desk is running"
    late = 0.0
    for agent in runs.read_runtime(directory).http_ports:
        for one in parsed(asking.metrics(agent, ["message_age_seconds"]), agent):
            if one.name == "message_age_seconds_count":
                late += one.value
            elif (one.name, dict(one.labels).get("le")) == ("message_age_seconds_bucket", LATE_LE):
                late -= one.value
    return late


def begin() -> None:
    """An experiment begins: what was broken before is not its own, what ran has to run again."""
    directory = runs.current()
    assert directory is not None, "no desk is running"
    found = {**observed(), "running": sorted(running(directory))}
    (home() / "began.json").write_text(json.dumps(found), encoding="utf-8")


def began() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home() / "began.json").read_text(encoding="utf-8"))
    return found


def observed() -> dict[str, Any]:
    """Returns what the observer of the desk has counted so far."""
    directory = runs.current()
    assert directory is not None, "no desk is running"
    return runs.read_observed(directory)


def dear_bids(watch_s: float = 2.0) -> int:
    """Returns how many of the desk's bids are further above the venue's mark than DEAR_COIN, the
    most seen in some seconds."""
    deadline = time.monotonic() + watch_s
    most = 0
    while time.monotonic() < deadline:
        bids = VenueAccount.of_run(home()).bids()
        most = max(most, sum(1 for price, mark in bids if price - mark > DEAR_COIN))
        time.sleep(LOOK_S)
    return most


def alert_after(alerts: list[str], limit_s: float = 8.0) -> float:
    """Returns when, since the fault, the first of some alerts was raised; any of them is its own
    alert of the fault."""
    broken = broken_unix_s()

    def first() -> float | None:
        report = asking.ask()
        raised = [
            one["detected_unix_s"]
            for one in (*report["active"], *report["ended"])
            if one["name"] in alerts and one["detected_unix_s"] >= broken
        ]
        return min(raised) - broken if raised else None

    return _waited(first, limit_s)


def wait_until_over(alert: str, services: set[str], limit_s: float = 75.0) -> None:
    """Waits until an alert of an earlier fault is over: one that is active is not raised again.
    Of another service than those that are about to be hurt it is another alert. That somebody was
    started again is told for a minute."""

    def is_in_the_way(one: dict[str, Any]) -> bool:
        service = one["labels"].get("service")
        return one["name"] == alert and (service is None or not services or service in services)

    def over() -> float | None:
        return None if any(is_in_the_way(one) for one in asking.ask()["active"]) else 0.0

    _waited(over, limit_s)


def quotes_gone_after(limit_s: float = 3.0) -> float:
    """Returns when, since the fault, no quote of the desk rested any more."""

    def gone() -> float | None:
        return time.time() - broken_unix_s() if live_quotes() == 0 else None

    return _waited(gone, limit_s)


def quoting_after(limit_s: float = 20.0, quotes_min: int = QUOTED_MIN) -> float:
    """Returns when, since the fault ended, so many quotes rested again, and all agents were
    there."""
    mended = mended_unix_s()

    def back() -> float | None:
        return time.time() - mended if live_quotes() >= quotes_min and are_there() else None

    return max(0.0, _waited(back, limit_s))


def _waited(ask: Callable[[], float | None], limit_s: float) -> float:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            found = ask()
        except (OSError, NoAnswerError):
            found = None
        if found is not None:
            return round(found, 2)
        time.sleep(LOOK_S)
    return NEVER_S


def note(event: str) -> None:
    """Notes that something was broken or mended just now."""
    (home() / f"{event}.unix_s").write_text(repr(time.time()), encoding="utf-8")


def broken_unix_s() -> float:
    return float((home() / "broken.unix_s").read_text(encoding="utf-8"))


def mended_unix_s() -> float:
    return float((home() / "mended.unix_s").read_text(encoding="utf-8"))
