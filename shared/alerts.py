"""Alerts of one agent, at most one of a name in a while."""

from typing import Literal

from shared.clock import NS_PER_S
from shared.messages.risk import AlertV1

QUIET_NS = 60 * NS_PER_S


class Alerts:
    """Counts everything; says it the first time, and again with the count once it was quiet."""

    def __init__(self, source: str, quiet_ns: int = QUIET_NS) -> None:
        self._source = source
        self._quiet_ns = quiet_ns
        self._counts: dict[str, int] = {}
        self._said_ns: dict[str, int] = {}

    def raised(
        self,
        name: str,
        severity: Literal["page", "ticket", "info"],
        text: str,
        now_ns: int,
        underlying: str = "",
    ) -> list[AlertV1]:
        """Returns the alert to publish, if one is due; each underlying has its own."""
        key = f"{name}-{underlying}" if underlying else name
        count = self._counts[key] = self._counts.get(key, 0) + 1
        said_ns = self._said_ns.get(key)
        if said_ns is not None and now_ns - said_ns < self._quiet_ns:
            return []
        self._said_ns[key] = now_ns
        subject = f"{underlying}: " if underlying else ""
        return [
            AlertV1(
                created_ns=now_ns,
                alert_id=f"{self._source}-{key}-{now_ns}",
                name=name,
                severity=severity,
                text=f"{subject}{text} (number {count})"[:1024],
                source=self._source,
            )
        ]
