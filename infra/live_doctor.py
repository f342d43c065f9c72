"""`hedgerow doctor --live`: walks the tree that an on-call would, against the running desk.

It asks the agents itself, and does not need the watcher: conditions that one look can judge are
judged here; what the watcher holds (it looks back) is added. Worst first, each with its runbook.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from infra import desk_reach
from infra.alerting import asking
from infra.alerting.conditions import NOW, History, Sample, all_hold
from infra.alerting.declared import BY_NAME, RANKS, SAFETY, text_of
from infra.alerting.scraper import parsed
from infra.desk_reach import WATCHER, Desk, NoAnswerError

WATCHER_SILENT = "WatcherSilent"

# Every alert stands on one branch; the first is looked at first.
TREE: Mapping[str, tuple[str, ...]] = {
    "agents": (
        "AgentSilent", "AgentRestarted", "MemorySqueezed", "InboxFilling", "MessageLost",
        "MessageStorm", "MessagesShed", "PoisonMessages", "ClockStepped",
    ),
    "breakers": ("BreakerOpen",),
    "bus": (
        "CertificateRefused", "CertificateEnds", "CertificateEndNear",
        "BusAway", "OutboxStuck", "BusReconnected", "BusSlow", "BusLossy", "BusDisordered",
        "StreamPeerAway", "ConsumerBehind",
    ),
    "venue": (
        "VenueDisconnected", "VenueThrottled", "VenueClockOff", "VenueRejects", "OrdersRejected",
        "ListingRoomLow",
    ),
    "feed": ("FeedStale", "MulticastSilent", "GapStorm", "BookGaps"),
    "surface": ("SurfaceStale", "SurfaceRefused"),
    "limits": ("KillEngaged", "LimitBreached", "LimitNear", "ReconciliationBreak"),
    "lease": ("LeaseRefused",),
    "quotes": ("QuotesWithoutLease", "QuotesUnattended", "QuotingStopped", "RingFilling"),
    "orders": ("OrphanOrder", "OrderDoubtful", "HedgeOverdue"),
    "journal": ("JournalBehind", "DiskFull", "RecordLost"),
    "alerts": ("AgentAlarm", "PageUndelivered"),
}  # fmt: skip
# What a branch shows when it is well: names of metrics, and what to show of their series.
FACTS: Mapping[str, tuple[str, ...]] = {
    "bus": ("bus_ack_seconds",),
    "venue": ("venue_session_up",),
    "feed": ("tick_age_seconds", "multicast_age_seconds"),
    "surface": ("surface_age_seconds",),
    "limits": ("limit_used_ratio",),
    "lease": ("lease_left_seconds",),
    "quotes": ("quote_live_count",),
    "orders": ("order_live_count", "intent_open_count"),
    "journal": ("journal_age_seconds", "journal_pending_count"),
}


@dataclass(frozen=True)
class Branch:
    """One step of the walk. `wrong`: (alert, what, runbook), worst first; empty: it is well."""

    name: str
    found: str
    wrong: tuple[tuple[str, str, str], ...] = ()


def examine() -> list[Branch]:
    """Returns the branches, in the order of the walk. Raises NoAnswerError where no desk runs."""
    samples, silent = look(desk_reach.running())
    if len(silent) == sum(sample.name == "up" for sample in samples):
        raise NoAnswerError(f"no agent answers: {', '.join(silent)}")
    wrong = judge(samples)
    watcher = ""
    try:
        for one in asking.ask()["active"]:
            wrong.setdefault(one["name"], set()).add(one["text"])
    except NoAnswerError as error:
        watcher = str(error)
    branches = [
        Branch(name, found(name, samples, silent), ranked(wrong, alerts))
        for name, alerts in TREE.items()
    ]
    if watcher:
        runbook = f"infra/runbooks/{WATCHER_SILENT}.md"
        branches.append(Branch("watcher", watcher, ((WATCHER_SILENT, watcher, runbook),)))
    return branches


def look(desk: Desk) -> tuple[list[Sample], list[str]]:
    """Returns what all agents tell now, and who does not answer."""

    def ask(service: str) -> list[Sample] | None:
        try:
            text = asking.get_text(desk.address_of(service), "/metrics")
        except NoAnswerError:
            return None
        return list(parsed(text, service))

    services = [name for name in desk.addresses if name != WATCHER]
    with ThreadPoolExecutor(len(services)) as pool:
        answers = dict(zip(services, pool.map(ask, services), strict=True))
    samples = [sample for told in answers.values() for sample in told or ()]
    samples += [
        Sample("up", (("service", name),), float(told is not None))
        for name, told in answers.items()
    ]
    return samples, [name for name, told in answers.items() if told is None]


def judge(samples: list[Sample]) -> dict[str, set[str]]:
    """Returns what one look shows to be wrong, by alert."""
    alerts = [alert for alert in SAFETY if all(one.over in NOW for one in alert.when)]
    history = History(one for alert in alerts for one in alert.when)
    history.add(time.time(), samples)
    wrong: dict[str, set[str]] = {}
    for alert in alerts:
        for labels, value in all_hold(alert.when, history).items():
            wrong.setdefault(alert.name, set()).add(text_of(alert, dict(labels), value))
    return wrong


def ranked(
    wrong: Mapping[str, set[str]], alerts: tuple[str, ...]
) -> tuple[tuple[str, str, str], ...]:
    names = sorted((name for name in alerts if name in wrong), key=RANKS.__getitem__)
    return tuple(
        (name, text, BY_NAME[name].runbook) for name in names for text in sorted(wrong[name])
    )


def found(branch: str, samples: list[Sample], silent: list[str]) -> str:
    """Returns the facts of a branch in a line."""
    if branch == "agents":
        count = sum(1 for sample in samples if sample.name == "up")
        return f"{count - len(silent)} of {count} answer"
    if branch == "breakers":
        states = [
            dict(sample.labels)["state"]
            for sample in samples
            if sample.name == "breaker_state" and sample.value
        ]
        return f"{states.count('closed')} of {len(states)} are closed"
    if branch == "alerts":
        raised = sum(sample.value for sample in samples if sample.name == "alert_raised_total")
        return f"{raised:.0f} raised by agents since their start"
    wanted = FACTS.get(branch, ())
    shown: dict[str, float] = {}
    for sample in samples:
        if sample.name in wanted:
            labels = dict(sample.labels)
            place = labels.get("underlying") or labels.get("session") or labels["service"]
            key = f"{place} {sample.name}" if len(wanted) > 1 else place
            shown[key] = max(shown.get(key, sample.value), sample.value)
    return ", ".join(f"{key} {value:.4g}" for key, value in sorted(shown.items())) or "nothing told"


def as_json(branches: list[Branch]) -> list[dict[str, Any]]:
    return [
        {
            "check": branch.name,
            "is_ok": not branch.wrong,
            "found": branch.found,
            "wrong": [
                {"alert": alert, "text": text, "runbook": runbook}
                for alert, text, runbook in branch.wrong
            ],
        }
        for branch in branches
    ]


def show(console: Console, branches: list[Branch]) -> None:
    """Prints the walk, then what is wrong, worst first."""
    for branch in branches:
        mark = "[red]bad [/red]" if branch.wrong else "[green]ok  [/green]"
        console.print(f"{mark} {branch.name:9} {branch.found}", highlight=False)
    wrong = [one for branch in branches for one in branch.wrong]
    for alert, text, runbook in sorted(wrong, key=lambda one: RANKS.get(one[0], 0)):
        console.print(f"[red]{alert}[/red]: {text}\n     → {runbook}", highlight=False)
