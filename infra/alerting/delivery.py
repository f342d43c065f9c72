"""Who is told beside the bus: a webhook, and Alertmanager by its own API (POST /api/v2/alerts).

Nothing is lost while a receiver is away: what is active is told again, and what has ended until it
was taken. Alertmanager forgets what it does not hear of again, so it does every half minute.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import aiohttp

from infra.alerting.words import Notify, Raised
from shared.service import Reading

REPEAT_S = 30.0
RETRY_S = 1.0
TIMEOUT = aiohttp.ClientTimeout(total=2.0)
WAITING_MAX = 1_000
LIFE_S = 180.0  # without a word from us Alertmanager holds an alert for over


class Delivery:
    def __init__(self, webhook_url: str, alertmanager_url: str) -> None:
        self._webhook_url = webhook_url
        self._alertmanager_url = alertmanager_url.rstrip("/")
        self._pages: asyncio.Queue[Notify] = asyncio.Queue(maxsize=WAITING_MAX)
        self._active: tuple[Raised, ...] = ()
        self._ended: list[Raised] = []  # that Alertmanager has not yet heard of
        self._changed = asyncio.Event()
        self.failed = {"webhook": 0, "alertmanager": 0}

    def put(self, notify: Notify) -> None:
        self._active = notify.active
        if self._alertmanager_url:
            self._ended = [*self._ended, *notify.ended][-WAITING_MAX:]
            self._changed.set()
        if self._webhook_url:
            if self._pages.full():
                self._pages.get_nowait()  # the newest counts
                self.failed["webhook"] += 1
            self._pages.put_nowait(notify)

    def readings(self) -> Iterator[Reading]:
        for receiver, count in self.failed.items():
            yield Reading("page_failed", count, (receiver,))

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Delivers until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._webhook_url:
                group.create_task(self._tell_webhook(http))
            if self._alertmanager_url:
                group.create_task(self._tell_alertmanager(http))

    async def _tell_webhook(self, http: aiohttp.ClientSession) -> None:
        while True:
            notify = await self._pages.get()
            body = {
                "raised": [asdict(one) for one in notify.raised],
                "ended": [asdict(one) for one in notify.ended],
                "active_count": len(notify.active),
            }
            url = self._webhook_url
            while not await self._post(http, url, body, "webhook"):  # noqa: ASYNC110
                await asyncio.sleep(RETRY_S)

    async def _tell_alertmanager(self, http: aiohttp.ClientSession) -> None:
        url = f"{self._alertmanager_url}/api/v2/alerts"
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), REPEAT_S)
            self._changed.clear()
            ended = list(self._ended)
            told = [as_alertmanager(one) for one in (*self._active, *ended)]
            if told and not await self._post(http, url, told, "alertmanager"):
                await asyncio.sleep(RETRY_S)
                self._changed.set()
                continue
            self._ended = [one for one in self._ended if one not in ended]

    async def _post(self, http: aiohttp.ClientSession, url: str, body: Any, receiver: str) -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with http.post(url, json=body, timeout=TIMEOUT) as answer:
                if answer.status < 300:
                    return True
        self.failed[receiver] += 1
        return False


def as_alertmanager(one: Raised) -> dict[str, Any]:
    """Returns an alert as Alertmanager's API takes it; the labels are what it is known by."""
    labels = {
        **one.labels,
        "alertname": one.name,
        "severity": one.severity,
        "owner": one.owner,
        "runbook": one.runbook,
    }
    ends_s = one.ended_unix_s or datetime.now(UTC).timestamp() + LIFE_S
    return {
        "labels": labels,
        "annotations": {"summary": one.text},
        "startsAt": datetime.fromtimestamp(one.since_unix_s, UTC).isoformat(),
        "endsAt": datetime.fromtimestamp(ends_s, UTC).isoformat(),
    }
