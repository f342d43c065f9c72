"""alerting: desk.vitals.v1, risk.alert.v1, the agents' metrics -> desk.page.v1, a webhook,
Alertmanager."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp

from infra.alerting import targets
from infra.alerting.certificates import Certificates
from infra.alerting.core import Alerting, Config
from infra.alerting.delivery import Delivery
from infra.alerting.scraper import OWN_SERVICE, Scraper, as_sample
from infra.alerting.words import Notify, Scraped
from shared.bus_login import login_of
from shared.clock import NS_PER_S, Clock, SystemClock
from shared.configuration import Runtime
from shared.messages.desk import PageV1, VitalsV1
from shared.messages.risk import AlertV1
from shared.service import Edge, Reading, Service, on


class Watch:
    """The edge: looks at an even pace, and delivers. Implements shared.service.Edge."""

    accepts: frozenset[type] = frozenset({Notify, VitalsV1})

    def __init__(
        self,
        config: Config,
        runtime: Runtime,
        scraper: Scraper,
        certificates: Certificates,
        delivery: Delivery,
        clock: Clock,
    ) -> None:
        self._interval_s = config.interval_ms / 1_000
        self._offset_ns = runtime.clock_offset_ns
        self._clock = clock
        self._scraper = scraper
        self._certificates = certificates
        self._delivery = delivery
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, deliver: Callable[[object], None]) -> None:
        def on_done(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                deliver(error)

        works = (
            self._look(deliver),
            self._tell(),
            self._scraper.watch_streams(),
            self._certificates.watch(),
        )
        self._tasks = [asyncio.create_task(work) for work in works]
        for task in self._tasks:
            task.add_done_callback(on_done)

    def send(self, message: object) -> None:
        if isinstance(message, VitalsV1):
            self._scraper.hear(message)
        else:
            assert isinstance(message, Notify)
            self._delivery.put(message)

    def readings(self, _now_ns: int) -> Iterator[Reading]:
        yield from self._scraper.readings()
        yield from self._certificates.readings()
        yield from self._delivery.readings()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _look(self, deliver: Callable[[object], None]) -> None:
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as http:
            due_s = loop.time()
            while True:
                samples = await self._scraper.look(http, self._unix_s())
                samples += map(as_sample, self._certificates.readings())
                deliver(Scraped(self._clock.wall_ns(), self._unix_s(), tuple(samples)))
                due_s = max(due_s + self._interval_s, loop.time())
                await asyncio.sleep(due_s - loop.time())

    async def _tell(self) -> None:
        async with aiohttp.ClientSession() as http:
            await self._delivery.run(http)

    def _unix_s(self) -> float:
        return (self._clock.wall_ns() - self._offset_ns) / NS_PER_S


def build(config: Config, runtime: Runtime) -> tuple[Service, Scraper]:
    """Returns the wiring, and the scraper, which wants somebody to ask JetStream of."""
    core = Alerting()
    path = Path(runtime.targets_path or f"{runtime.directory}/{targets.FILE_NAME}")
    timeout_s = config.timeout_ms / 1_000
    scraper = Scraper(targets.read(path), core.names, timeout_s, runtime.directory)
    certificates = Certificates(runtime.nats_url, login_of(OWN_SERVICE, runtime))
    delivery = Delivery(config.webhook_url, config.alertmanager_url)
    clock = SystemClock(runtime.clock_offset_ns)

    def edge() -> Edge:
        return Watch(config, runtime, scraper, certificates, delivery, clock)

    return replace(wiring(core), edge=edge), scraper


def wiring(core: Alerting | None = None) -> Service:
    """Returns the wiring without its edge: what it hears and says on the bus."""
    core = core or Alerting()
    return Service(
        name="alerting",
        consumes=(
            on(AlertV1, core.on_alert),
            on(VitalsV1, core.on_vitals),
            on(Scraped, core.on_scraped),
        ),
        publishes=frozenset({PageV1}),
        readings=core.readings,
        answers={"alerts": core.report},
        core=core,
    )
