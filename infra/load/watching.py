"""A desk under a level of load, looked at every two seconds from outside."""

import asyncio
import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from infra import runs
from infra.alerting import asking, targets
from infra.alerting.conditions import Sample
from infra.alerting.scraper import Scraper
from infra.desk_config import toml_lines
from infra.desk_reach import NoAnswerError
from infra.status import usages
from infra.trial_desk import Desk, running_desk

LOOK_S = 2.0
ANSWER_S_MAX = 2.0
START_S_MAX = 90.0
WARM_S = 10.0  # of quoting, before it counts
STEP_MS = 100  # of the venue, as busy as usual
STEP_MS_MIN = 2
WATCHED = frozenset(
    {
        "alert_raised_total",
        "inbox_pending_messages",
        "limit_used_ratio",
        "message_critical_dropped_total",
        "message_dropped_total",
        "message_handled_total",
        "message_published_total",
        "multicast_datagram_total",
        "multicast_gap_total",
        "multicast_message_total",
        "path_record_lost_total",
        "protection_tripped_total",
        "quote_live_count",
        "quote_quotable_count",
        "quote_rejected_total",
        "ring_used_ratio",
        "tick_to_quote_seconds",
        "venue_budget_used_ratio",
        "venue_throttled_total",
        "venue_waiting_count",
    }
)


@dataclass(frozen=True)
class Setting:
    """What one desk is put to. `times`: how busy the market is; `strikes_max` of an expiry."""

    times: float = 1.0
    underlyings: tuple[str, ...] = ("BTC", "ETH")
    strikes_max: int = 27
    is_sharded: bool = False

    @property
    def step_ms(self) -> int:
        """The venue's steps are as much shorter as its market is busier."""
        return max(round(STEP_MS / self.times), STEP_MS_MIN)

    def tables(self) -> dict[str, dict[str, Any]]:
        """Returns the desk.toml."""
        return {
            "desk": {"underlyings": list(self.underlyings)},
            "venue": {
                "step_ms": self.step_ms,
                "strikes_max": self.strikes_max,
                "market": {"activity_ratio": self.times},
            },
        }


@dataclass(frozen=True)
class Look:
    """One moment: what everybody tells, and (resident MB, CPU seconds) of every process. `busy_s`
    is of all cores and of everybody on the machine."""

    at_s: float
    samples: tuple[Sample, ...]
    usage: dict[str, tuple[float, float]]
    busy_s: float


@dataclass(frozen=True)
class Watched:
    """A desk's life under a setting. `alerts` were raised while it was looked at."""

    setting: Setting
    looks: tuple[Look, ...]
    alerts: tuple[dict[str, Any], ...]
    report: dict[str, Any]


def watch(setting: Setting, seconds: float, seed: int) -> Watched:
    """Runs a desk and looks at it for so long, once it quotes; raises AssertionError if it never
    does, or ends by itself."""
    with tempfile.TemporaryDirectory(prefix="hedgerow-load-") as folder:
        home = Path(folder)
        os.environ[runs.HOME_VARIABLE] = folder
        config = home / "desk.toml"
        config.write_text("\n".join(toml_lines(setting.tables())) + "\n", encoding="utf-8")
        shards = ("--shards",) if setting.is_sharded else ()
        arguments = ("--config", str(config), "--seed", str(seed), *shards)
        with running_desk(home, *arguments) as desk:
            desk.until(lambda: _is_quoting(len(setting.underlyings)), START_S_MAX, "quotes")
            time.sleep(WARM_S)
            looks, alerts = asyncio.run(_look(desk, seconds))
            report = desk.end()
    return Watched(setting, tuple(looks), tuple(alerts), report)


def _is_quoting(underlyings: int) -> bool:
    """Says whether every underlying is quoted, as the makers themselves tell."""
    directory = runs.current()
    if directory is None or not runs.is_alive(directory):
        return False
    quoted = 0
    for name in runs.read_runtime(directory).http_ports:
        if name.startswith("market_making"):
            with contextlib.suppress(NoAnswerError):
                text = asking.metrics(name, ["quote_live_count"])
                two = [line for line in text.splitlines() if 'sides="two"' in line]
                quoted += sum(float(line.split()[-1]) > 0 for line in two)
    return quoted == underlyings


async def _look(desk: Desk, seconds: float) -> tuple[list[Look], list[dict[str, Any]]]:
    directory = runs.current()
    assert directory is not None
    found = targets.read(directory / targets.FILE_NAME)
    scraper = Scraper(found, WATCHED, ANSWER_S_MAX, str(directory))
    looks: list[Look] = []
    began_s = due_s = time.monotonic()
    began_unix_s = time.time()
    async with aiohttp.ClientSession() as http:
        while due_s <= began_s + seconds:
            assert desk.process.poll() is None, "the desk ended under the load"
            await asyncio.sleep(max(due_s - time.monotonic(), 0.0))
            samples = await scraper.look(http, time.time())
            at_s = time.monotonic()
            looks.append(Look(at_s, tuple(samples), usages(directory), machine_busy_s()))
            due_s = max(due_s + LOOK_S, at_s)
    alerts: list[dict[str, Any]] = []
    with contextlib.suppress(NoAnswerError):
        report = asking.ask()
        alerts = [
            one
            for one in (*report["active"], *report["ended"])
            if one["detected_unix_s"] >= began_unix_s
        ]
    return looks, alerts


def machine_busy_s() -> float:
    """Returns the seconds that all cores together have been busy, for anybody."""
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    user, nice, system, _idle, _wait, irq, soft, steal, *_ = map(int, line.split()[1:])
    return float(user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
