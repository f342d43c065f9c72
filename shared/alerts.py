"""Alerts of one agent, at most one of a name in a while."""

from typing import Literal

from shared.clock import NS_PER_S
from shared.messages.risk import AlertV1

QUIET_NS = 60 * NS_PER_S


class Alerts:
    """Counts everything; says it the first time and then once a minute with the count."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._counts: dict[str, int] = {}
        self._said_ns: dict[str, int] = {}

    def raised(
        self, name: str, severity: Literal["page", "ticket", "info"], text: str, now_ns: int
    ) -> list[AlertV1]:
        """Returns the alert to publish, if one is due."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        said_ns = self._said_ns.get(name)
        if said_ns is not None and now_ns - said_ns < QUIET_NS:
            return []
        self._said_ns[name] = now_ns
        return [
            AlertV1(
                created_ns=now_ns,
                alert_id=f"{self._source}-{name}-{now_ns}",
                name=name,
                severity=severity,
                text=f"{text} (number {count})"[:1024],
                source=self._source,
            )
        ]

    def count(self, name: str) -> int:
        return self._counts.get(name, 0)
