"""`hedgerow up`: starts a plan, watches it, shows it, and ends it in the right order."""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.live import Live

from infra import live_view, observer, report, runs
from infra.desk_plan import STOP_ORDER, Plan
from infra.last_check import LastCheck, VenueQuestions, compare
from infra.observer import Observer
from infra.permissions import PROVISIONER
from infra.provision import keep_streams
from infra.status import process_usage
from infra.supervisor import Supervisor
from shared.agent import Agent
from shared.bus import Bus, BusError
from shared.clock import NS_PER_MS, NS_PER_S, SystemClock
from shared.core_dumps import forbid_core_dumps
from shared.telemetry import open_log

EXIT_OK, EXIT_FAILED, EXIT_CRASH_LOOP = 0, 1, 4
START_LIMIT_S = 20.0
LAST_WORDS_S = 1.5  # the record's last messages reach the observer
SCREEN_PAUSE_S = 0.5
TELL_PAUSE_S = 1.0


class StartError(RuntimeError):
    """Something the desk stands on did not come up."""


def run(plan: Plan, *, seconds: float | None, report_path: str | None, is_headless: bool) -> int:
    """Runs the desk to its end; returns the command's exit code."""
    forbid_core_dumps()
    console = Console(stderr=is_headless and report_path is None)
    return asyncio.run(DeskRun(plan, console, is_headless).run(seconds, report_path))


class DeskRun:
    def __init__(self, plan: Plan, console: Console, is_headless: bool) -> None:
        self._plan = plan
        self._console = console
        self._is_headless = is_headless
        self._clock = SystemClock(plan.runtime.clock_offset_ns)
        self._started_ns = self._clock.wall_ns()
        self._streams: Bus | None = None
        self._usage: dict[str, tuple[float, float]] = {}

    async def run(self, seconds: float | None, report_path: str | None) -> int:
        supervisor = Supervisor(self._plan.directory, self._say)
        asked_to_stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked_to_stop.set)
        service, watcher = observer.build(self._plan.desk)
        observer_stop = asyncio.Event()
        observing: asyncio.Task[None] | None = None
        check: LastCheck | None = None
        try:
            observing = await self._start(supervisor, service, observer_stop)
            reason = await self._watch(supervisor, watcher, asked_to_stop, observing, seconds)
            elapsed_s = self._age_s()
            check = await self._end(supervisor, watcher, observer_stop, observing)
        except StartError as error:
            reason, elapsed_s = str(error), 0.0
        finally:
            observer_stop.set()
            if self._streams is not None:
                await self._streams.close()
            await supervisor.close()
            if observing is not None:
                await asyncio.gather(observing, return_exceptions=True)
        if reason:
            self._say(reason)
            return EXIT_CRASH_LOOP if supervisor.failed.done() else EXIT_FAILED
        day = self._report(watcher, supervisor, elapsed_s, check)
        if report_path:
            await asyncio.to_thread(write_json, report_path, day)
        report.print_day(self._console, day)
        is_clean = day["violations"] == 0 and day["positions_equal_venue"]
        return EXIT_OK if is_clean else EXIT_FAILED

    async def _start(
        self, supervisor: Supervisor, service: Any, observer_stop: asyncio.Event
    ) -> "asyncio.Task[None]":
        plan = self._plan
        await supervisor.start(plan.nats)
        await self._until(self._nats_answers, supervisor, "nats-server")
        self._streams = await self._keep_streams(supervisor)
        if plan.venue is not None:
            await supervisor.start(plan.venue)
        path = plan.log_path("observer")
        log = open_log(
            "observer", plan.runtime.run_id, self._clock, path, level=plan.desk.log_level
        )
        agent = Agent(service, runs.as_role(plan.runtime, "observer"), self._clock, log)
        observing = asyncio.create_task(agent.run(observer_stop))
        for program in plan.agents[:2]:  # ledger and risk need no venue
            await supervisor.start(program)
        if plan.venue is not None:
            await self._until(self._venue_answers, supervisor, "the venue")
        for program in (*plan.agents[2:], plan.alerting):
            await supervisor.start(program)
        self._say(f"run {plan.runtime.run_id} in {plan.directory}, seed {plan.runtime.seed}")
        return observing

    async def _keep_streams(self, supervisor: Supervisor) -> Bus:
        """Makes the streams before anybody looks for them."""

        def fail(error: BaseException) -> None:
            if not supervisor.failed.done():
                supervisor.failed.set_result(f"the streams cannot be kept: {error}")

        try:
            return await keep_streams(runs.as_role(self._plan.runtime, PROVISIONER), fail)
        except BusError as error:
            raise StartError(str(error)) from error

    async def _until(
        self, answers: Callable[[], Awaitable[bool]], supervisor: Supervisor, what: str
    ) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not await answers():
            if supervisor.failed.done():
                raise StartError(supervisor.failed.result())
            if time.monotonic() > deadline:
                raise StartError(f"{what} did not answer within {START_LIMIT_S:.0f} s")
            await asyncio.sleep(0.02)

    async def _nats_answers(self) -> bool:
        address = self._plan.runtime.nats_url.removeprefix("nats://")
        host, _, port = address.partition(":")
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
            greeting = await asyncio.wait_for(reader.readline(), 1.0)
            writer.close()
        except (OSError, TimeoutError):
            return False
        return greeting.startswith(b"INFO")

    async def _venue_answers(self) -> bool:
        url = f"{self._plan.runtime.venue_http_url}/api/v2/public/test"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _watch(
        self,
        supervisor: Supervisor,
        watcher: Observer,
        asked_to_stop: asyncio.Event,
        observing: "asyncio.Task[None]",
        seconds: float | None,
    ) -> str:
        """Runs until something ends the day; returns what went wrong, or nothing."""
        stopping = asyncio.create_task(asked_to_stop.wait())
        screen = asyncio.create_task(self._show(watcher))
        telling = asyncio.create_task(self._tell(watcher))
        ends: set[asyncio.Future[Any]] = {stopping, observing, supervisor.failed}
        left = None if seconds is None else seconds - self._age_s()
        try:
            await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sample(supervisor)
            for task in (screen, telling, stopping):
                task.cancel()
            await asyncio.gather(screen, telling, stopping, return_exceptions=True)
        if supervisor.failed.done():
            return supervisor.failed.result()
        if observing.done():
            return f"the observer failed: {observing.exception()}"
        return ""

    async def _show(self, watcher: Observer) -> None:
        if self._is_headless:
            await asyncio.Event().wait()
        with Live(console=self._console, auto_refresh=False, screen=False) as live:
            while True:
                screen = live_view.render(
                    watcher, self._plan.runtime, self._clock.wall_ns(), self._started_ns
                )
                live.update(screen, refresh=True)
                await asyncio.sleep(SCREEN_PAUSE_S)

    async def _tell(self, watcher: Observer) -> None:
        """Writes down for other processes what the observer has seen so far."""
        while True:
            runs.write_observed(self._plan.directory, report.told(watcher))
            await asyncio.sleep(TELL_PAUSE_S)

    async def _end(
        self,
        supervisor: Supervisor,
        watcher: Observer,
        observer_stop: asyncio.Event,
        observing: "asyncio.Task[None]",
    ) -> LastCheck | None:
        """Quotes go first; the record, the venue and the bus last."""
        self._say("stopping: pulling quotes, draining")
        watcher.seen.is_closing = True
        names_of = self._plan.names_of
        codes: dict[str, int] = {}
        for stopped in await asyncio.gather(  # the watcher too: what ends now is no fault
            supervisor.stop(names_of("market_making")), supervisor.stop(["alerting"])
        ):
            codes |= stopped
        await asyncio.sleep(LAST_WORDS_S)
        codes |= await supervisor.stop(names_of("hedging", "execution"))
        await asyncio.sleep(LAST_WORDS_S)
        check = await self._last_check(watcher)
        codes |= await supervisor.stop(names_of(*STOP_ORDER))
        observer_stop.set()
        await asyncio.gather(observing, return_exceptions=True)
        codes |= await supervisor.stop(["venue", "nats"])
        for name, code in codes.items():
            if code != 0 and name != "nats":
                self._say(f"{name} ended with exit code {code}")
        return check

    async def _last_check(self, watcher: Observer) -> LastCheck | None:
        runtime = self._plan.runtime
        secret = await asyncio.to_thread(runs.read_secret, self._plan.directory)
        try:
            async with aiohttp.ClientSession() as http:
                questions = VenueQuestions(http, runtime.venue_http_url)
                await questions.log_in(runtime.venue_client_id, secret)
                since_ms = self._started_ns // NS_PER_MS
                return await compare(questions, watcher.seen, self._plan.desk.underlyings, since_ms)
        except (aiohttp.ClientError, RuntimeError, TimeoutError) as error:
            self._say(f"the venue could not be asked at the end: {error}")
            return None

    def _report(
        self,
        watcher: Observer,
        supervisor: Supervisor,
        elapsed_s: float,
        check: LastCheck | None,
    ) -> dict[str, Any]:
        day = report.day_report(watcher, self._started_ns, elapsed_s)
        beats = watcher.seen.heartbeats
        day["run_id"] = self._plan.runtime.run_id
        day["seed"] = self._plan.runtime.seed
        day["chain"] = self._plan.runtime.chain_path
        day["critical_dropped"] = sum(beat.critical_dropped_count for beat in beats.values())
        day["dead_letters"] = sum(beat.dead_letter_count for beat in beats.values())
        day["venue_fills"] = check.venue_fills if check else None
        day["positions_equal_venue"] = check is not None and not check.differences
        day["venue_differences"] = list(check.differences) if check else ["the venue was not there"]
        day["services"] = {
            name: {
                "restarts": entry.restarts,
                "rss_mb": self._usage.get(name, (0.0, 0.0))[0],
                "cpu_s": self._usage.get(name, (0.0, 0.0))[1],
            }
            for name, entry in supervisor.supervised.items()
        }
        return day

    def _sample(self, supervisor: Supervisor) -> None:
        for name, entry in supervisor.supervised.items():
            if usage := process_usage(entry.pid):
                self._usage[name] = usage

    def _age_s(self) -> float:
        return (self._clock.wall_ns() - self._started_ns) / NS_PER_S

    def _say(self, text: str) -> None:
        self._console.print(f"hedgerow: {text}", highlight=False, markup=False)


def write_json(path: str, document: dict[str, Any]) -> None:
    Path(path).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
