"""The watcher's eyes: what the agents tell of themselves, what JetStream says of its streams and
consumers, and the disk of its room. An agent that has said nothing is asked over HTTP; it may be
cut off from the bus, or the bus away. One that does not answer in time either is down."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from infra.alerting.conditions import Labels, Sample
from shared.bus import BusError
from shared.messages.desk import VitalsV1
from shared.metric_names import ALL, PROCESS
from shared.service import Reading
from shared.streams import DEAD, LEDGER, RECORD, STATE

PEER_SILENCE_NS_MAX = 2_500_000_000  # its leader asks it every second
TOLD_S_MAX = 1.25  # an agent tells every second
STREAMS_S = 1.0  # between questions to JetStream
GRACE_S = 30.0  # an agent that was never heard is not yet down
OWN_SERVICE = "alerting"
CONSUMERS_MAX = 256
SERIES_KEPT = 16_384
STREAMS = (RECORD, STATE, DEAD, LEDGER)
DECLARED = {**ALL, **{one.name: one for one in PROCESS}}

Ask = Callable[[str, bytes], Awaitable[bytes]]


class Told(NamedTuple):
    """The newest that an agent has said of itself."""

    heard_s: float  # by the loop's clock
    created_ns: int
    samples: list[Sample]


class Scraper:
    """`ask` puts a question to JetStream's API and raises BusError without an answer."""

    def __init__(
        self, targets: list[tuple[str, str]], names: frozenset[str], timeout_s: float, folder: str
    ) -> None:
        self._targets = targets
        families = {name.removesuffix("_total") for name in names}
        self._query = [("name[]", one) for one in sorted(families - {"up"})]
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._folder = folder
        self._began_s = 0.0
        self._heard: set[str] = set()
        self._told: dict[str, Told] = {}  # by service
        self._streams: list[Reading] = []
        self.ask: Ask | None = None

    def hear(self, vitals: VitalsV1) -> None:
        """Takes what an agent says of itself. What is no newer is left, and what this version does
        not know: that agent is asked."""
        known = self._told.get(vitals.service)
        if known is not None and vitals.created_ns <= known.created_ns:
            return
        try:
            samples = [
                sample_of(one.name, one.labels, one.value, vitals.service) for one in vitals.vitals
            ]
        except (KeyError, ValueError):
            return
        heard_s = asyncio.get_running_loop().time()
        self._told[vitals.service] = Told(heard_s, vitals.created_ns, samples)

    async def look(self, http: aiohttp.ClientSession, now_s: float) -> list[Sample]:
        """Returns what everybody tells now."""
        self._began_s = self._began_s or now_s
        found = await asyncio.gather(
            *(self._look(http, service, address, now_s) for service, address in self._targets)
        )
        samples = [sample for one in found for sample in one]
        samples += [as_sample(reading) for reading in self.readings()]
        return samples

    async def _look(
        self, http: aiohttp.ClientSession, service: str, address: str, now_s: float
    ) -> list[Sample]:
        told = self._told.get(service)
        if told is None or asyncio.get_running_loop().time() - told.heard_s > TOLD_S_MAX:
            return await self._scrape(http, service, address, now_s)
        self._heard.add(address)
        return [*told.samples, Sample("up", (("service", service),), 1.0)]

    async def watch_streams(self) -> None:
        """Asks JetStream over and over. No look waits for it: where it does not answer, that takes
        seconds, just when looks are wanted."""
        while True:
            if self.ask is not None:
                self._streams = await self._ask_streams(self.ask)
            await asyncio.sleep(STREAMS_S)

    def readings(self) -> Iterator[Reading]:
        """What nobody else could tell."""
        yield Reading("disk_free_bytes", shutil.disk_usage(self._folder).free)
        yield from self._streams

    async def _scrape(
        self, http: aiohttp.ClientSession, service: str, address: str, now_s: float
    ) -> list[Sample]:
        url = f"http://{address}/metrics"
        try:
            async with http.get(url, params=self._query, timeout=self._timeout) as answer:
                answer.raise_for_status()
                text = await answer.text()
            samples = list(parsed(text, service))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            if address not in self._heard and now_s - self._began_s < GRACE_S:
                return []
            return [Sample("up", (("service", service),), 0.0)]
        self._heard.add(address)
        return [*samples, Sample("up", (("service", service),), 1.0)]

    async def _ask_streams(self, ask: Ask) -> list[Reading]:
        """Asks JetStream of every stream at once. Of one that has no leader now there is nothing
        to tell; BusAway and OutboxStuck tell that."""

        async def of(name: str) -> list[Reading]:
            try:
                told = json.loads(await ask(f"$JS.API.STREAM.INFO.{name}", b"{}"))
                found = list(of_stream(told))
                answer = json.loads(await ask(f"$JS.API.CONSUMER.LIST.{name}", b"{}"))
                return [*found, *of_consumers(name, answer.get("consumers") or [])]
            except (BusError, ValueError, KeyError, TypeError):
                return []

        found = await asyncio.gather(*map(of, STREAMS))
        return [reading for one in found for reading in one]


def parsed(text: str, service: str) -> Iterator[Sample]:
    """Yields the samples of an exposition that are plain numbers."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {**sample.labels, "service": service}
            yield Sample(sample.name, tuple(sorted(labels.items())), sample.value)


def as_sample(reading: Reading) -> Sample:
    """Returns a reading of our own as it would be scraped."""
    assert isinstance(reading.value, int | float)
    return sample_of(reading.name, reading.labels, float(reading.value), OWN_SERVICE)


def sample_of(name: str, labels: tuple[str, ...], value: float, service: str) -> Sample:
    """Returns a value as it would be scraped of a service. Raises KeyError for a metric, and
    ValueError for labels, that nobody declared."""
    return Sample(*_series(name, labels, service), value)


@lru_cache(maxsize=SERIES_KEPT)
def _series(name: str, labels: tuple[str, ...], service: str) -> tuple[str, Labels]:
    declared = DECLARED[name]
    known = {**dict(zip(declared.labels, labels, strict=True)), "service": service}
    shown = f"{name}_total" if declared.kind == "counter" else name
    return shown, tuple(sorted(known.items()))


def of_stream(stream: dict[str, Any]) -> Iterator[Reading]:
    """A peer is away when it is offline, has not caught up, or says nothing: one that hangs is
    called current for long."""
    here = (stream["config"]["name"],)
    peers = (stream.get("cluster") or {}).get("replicas") or ()
    away = sum(
        1
        for peer in peers
        if peer.get("offline")
        or not peer.get("current")
        or peer.get("active", 0) > PEER_SILENCE_NS_MAX
    )
    yield Reading("stream_bytes", stream["state"]["bytes"], here)
    yield Reading("stream_peer_away_count", away, here)


def of_consumers(stream: str, consumers: list[dict[str, Any]]) -> Iterator[Reading]:
    """What each service has before it, its consumers of a stream together. A follower's name ends
    in chance, and what is sent to it need not be acknowledged."""
    waiting: dict[str, int] = {}
    for one in consumers[:CONSUMERS_MAX]:
        service = one["name"].split("-", maxsplit=1)[0]
        is_acked = one["config"].get("ack_policy", "none") != "none"
        count = one["num_pending"] + (one["num_ack_pending"] if is_acked else 0)
        waiting[service] = waiting.get(service, 0) + count
    for service, count in waiting.items():
        yield Reading("stream_pending_messages", count, (stream, service))
