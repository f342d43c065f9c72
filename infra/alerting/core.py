"""The watcher: samples in, alerts out; deduplicated, worst first, one page for what came at once.

An alert is of a name and a set of labels. It is raised once when its condition has held for its
time, and ends once the condition has not held for a while. What is raised at the same look leaves
as one page that names the worst first.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from infra.alerting.conditions import History, Labels, all_hold
from infra.alerting.declared import SAFETY, Alert, rank, text_of
from infra.alerting.words import Notify, Raised, Scraped
from shared.clock import NS_PER_S
from shared.messages.desk import PagedAlert, PageV1, VitalsV1
from shared.messages.message import Message
from shared.messages.risk import AlertV1
from shared.service import Reading

RECENT_MAX = 500
PAGED_MAX = 64  # alerts told in one page; the worst
SEVERITIES = ("page", "ticket", "info")
Key = tuple[str, Labels]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[alerting]`. Empty addresses: nobody is told there."""

    interval_ms: Annotated[int, Meta(ge=200, le=5_000)] = 500  # between looks
    timeout_ms: Annotated[int, Meta(ge=100, le=5_000)] = 800  # for an agent's answer
    webhook_url: str = ""
    alertmanager_url: str = ""


class Alerting:
    def __init__(self, alerts: tuple[Alert, ...] = SAFETY) -> None:
        self._alerts = alerts
        self._history = History(one for alert in alerts for one in alert.when)
        self._pending: dict[Key, float] = {}  # since when the condition holds
        self._held: dict[Key, float] = {}  # when it last did
        self._active: dict[Key, Raised] = {}
        self._recent: deque[Raised] = deque(maxlen=RECENT_MAX)  # ended, newest last
        self._said: dict[str, str] = {}  # what an agent's own alert said, by its name
        self._looked_unix_s = 0.0
        self._sequence = 0

    @property
    def names(self) -> frozenset[str]:
        """Returns the names, on the wire, of the metrics that are judged."""
        return self._history.names

    def on_alert(self, alert: AlertV1) -> Iterator[Message]:
        """An agent's own words, for the text of the alert that its count will raise."""
        self._said[alert.name] = alert.text
        yield from ()

    def on_vitals(self, vitals: VitalsV1) -> Iterator[object]:
        """For the edge, which knows who has said nothing and must be asked."""
        yield vitals

    def on_scraped(self, scraped: Scraped) -> Iterator[object]:
        now_s = self._looked_unix_s = scraped.unix_s
        self._history.add(now_s, scraped.samples)
        raised: list[Raised] = []
        ended: list[Raised] = []
        for alert in self._alerts:
            found = all_hold(alert.when, self._history)
            raised += self._begin(alert, found, now_s)
            ended += self._end(alert, found, now_s)
        if raised or ended:
            yield Notify(tuple(raised), tuple(ended), tuple(self.active()))
            yield self._page(raised, ended, scraped)

    def active(self) -> list[Raised]:
        """Returns what is active, worst first."""
        return sorted(self._active.values(), key=_urgency)

    def report(self) -> dict[str, Any]:
        """Returns what `hedgerow alerts --json` prints."""
        return {
            "looked_unix_s": self._looked_unix_s,
            "active": [asdict(one) for one in self.active()],
            "ended": [asdict(one) for one in reversed(self._recent)],
        }

    def readings(self, _now_ns: int) -> Iterator[Reading]:
        counts: dict[tuple[str, str], int] = {(one.name, one.severity): 0 for one in self._alerts}
        for one in self._active.values():
            counts[one.name, one.severity] += 1
        for labels, count in counts.items():
            yield Reading("alert_active", count, labels)

    def _begin(self, alert: Alert, found: dict[Labels, float], now_s: float) -> Iterator[Raised]:
        for labels, value in found.items():
            key = (alert.name, labels)
            self._held[key] = now_s
            since_s = self._pending.setdefault(key, now_s)
            known = self._active.get(key)
            if known is not None:
                self._active[key] = replace(known, value=value)
            elif now_s - since_s >= alert.for_s:
                one = self._active[key] = self._raised(alert, dict(labels), value, since_s)
                yield one

    def _end(self, alert: Alert, found: dict[Labels, float], now_s: float) -> Iterator[Raised]:
        for key in [key for key in self._pending if key[0] == alert.name and key[1] not in found]:
            if key not in self._active:
                del self._pending[key]
            elif now_s - self._held[key] >= alert.keep_s:
                del self._pending[key]
                one = replace(self._active.pop(key), ended_unix_s=now_s)
                self._recent.append(one)
                yield one

    def _raised(self, alert: Alert, labels: dict[str, str], value: float, since_s: float) -> Raised:
        text = text_of(alert, labels, value)
        if said := self._said.get(labels.get("alert", "")):
            text = f"{text}: {said}"
        return Raised(
            name=alert.name,
            severity=alert.severity,
            owner=alert.owner,
            labels=labels,
            value=value,
            text=text,
            runbook=alert.runbook,
            since_unix_s=since_s,
            detected_unix_s=self._looked_unix_s,
        )

    def _page(self, raised: list[Raised], ended: list[Raised], scraped: Scraped) -> PageV1:
        self._sequence += 1
        worst = min(raised or ended, key=_urgency)
        others = len(raised or ended) - 1
        text = worst.text if raised else f"over: {worst.text}"
        offset_ns = scraped.created_ns - round(scraped.unix_s * NS_PER_S)
        return PageV1(
            created_ns=scraped.created_ns,
            page_id=f"{scraped.created_ns}-{self._sequence}",
            severity=worst.severity if raised else "info",
            text=(f"{text} (and {others} more)" if others else text)[:1024],
            raised=_paged(raised, offset_ns),
            ended=_paged(ended, offset_ns),
        )


def _paged(alerts: list[Raised], offset_ns: int) -> tuple[PagedAlert, ...]:
    return tuple(
        PagedAlert(
            name=one.name,
            severity=one.severity,
            owner=one.owner,
            text=one.text[:1024],
            runbook=one.runbook,
            since_ns=round(one.since_unix_s * NS_PER_S) + offset_ns,
        )
        for one in sorted(alerts, key=_urgency)[:PAGED_MAX]
    )


def _urgency(one: Raised) -> tuple[int, int, float]:
    return SEVERITIES.index(one.severity), rank(one.name), one.since_unix_s
