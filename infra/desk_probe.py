"""A desk of its own to break: `hedgerow up` in a process, faults put into it, and what the venue
and the agents say of it meanwhile."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import aiohttp

from infra import runs
from infra.last_check import VenueQuestions

POLL_S = 0.05
# Between two questions to the venue: half of what its account may ask, since the desk asks too.
QUESTION_S = 0.1
START_S_MAX = 90.0
END_S_MAX = 60.0
CURRENCIES = ("BTC", "ETH")
Quotes = dict[str, dict[str, float]]  # instrument -> direction -> price


class DeskError(RuntimeError):
    """The desk did not do what it must before anything can be measured."""


class DeskProbe:
    """Use as an async context; whatever happens, nothing of it is left behind."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self._report_path = home / "report.json"
        self._home = home
        argv = [sys.executable, "-m", "services", "up", "--headless", *arguments]
        self._argv = [*argv, "--report", str(self._report_path)]
        self._process: asyncio.subprocess.Process | None = None
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0))
        self._venue: VenueQuestions | None = None
        self._next_question_s = 0.0
        self.report: dict[str, Any] = {}

    @property
    def directory(self) -> Path:
        return (self._home / "current").resolve()

    async def __aenter__(self) -> Self:
        log = (self._home / "up.log").open("wb")
        environment = {**os.environ, runs.HOME_VARIABLE: str(self._home)}
        self._process = await asyncio.create_subprocess_exec(
            *self._argv, env=environment, stdout=log, stderr=log
        )
        log.close()
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), END_S_MAX)
            except TimeoutError:
                process.kill()
                await process.wait()
        await self._http.close()
        if self._report_path.exists():
            self.report = json.loads(self._report_path.read_text(encoding="utf-8"))

    # Faults

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self._entry(name).pid, number)

    def kill(self, name: str) -> None:
        """Kills a program, which the supervisor leaves dead until `release`."""
        runs.hold(self.directory, name)
        self.signal(name, signal.SIGKILL)

    def release(self, name: str) -> None:
        runs.release(self.directory, name)

    # What is to be seen

    async def quotes(self) -> Quotes:
        """Returns the desk's quotes that rest in the venue's books."""
        found: Quotes = {}
        for currency in CURRENCIES:
            for order in await self._ask("private/get_open_orders_by_currency", currency=currency):
                if order.get("quote"):
                    sides = found.setdefault(order["instrument_name"], {})
                    sides[order["direction"]] = order["price"]
        return found

    async def is_quoted(self, instrument: str) -> bool:
        """Returns whether a quote rests in one book: a quick question."""
        method = "private/get_open_orders_by_instrument"
        orders = await self._ask(method, instrument_name=instrument)
        return any(order.get("quote") for order in orders)

    async def quoted_count(self) -> int:
        """Returns how many instruments rest two-sided, by the venue's word."""
        return sum(len(sides) == 2 for sides in (await self.quotes()).values())

    async def breaker(self, service: str, dependency: str) -> str:
        """Returns a breaker's state as its agent's /health tells it; empty without an answer."""
        port = runs.read_runtime(self.directory).http_ports[service]
        try:
            async with self._http.get(f"http://127.0.0.1:{port}/health") as answer:
                body = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return ""
        return str(body["breakers"].get(dependency, ""))

    async def until(
        self, condition: Callable[[], Awaitable[bool]], limit_s: float, what: str
    ) -> float:
        """Returns how many seconds it took. Raises DeskError when it is not so in time."""
        began_s = time.monotonic()
        trouble = ""
        while time.monotonic() - began_s < limit_s:
            assert self._process is not None
            if self._process.returncode is not None:
                raise DeskError(f"the desk ended while waiting for {what}: see {self._home}")
            try:
                if await condition():
                    return time.monotonic() - began_s
                trouble = ""
            except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError, KeyError) as error:
                trouble = f": {error!r}"  # not there yet
            await asyncio.sleep(POLL_S)
        raise DeskError(f"no {what} within {limit_s:.0f} s{trouble}")

    async def quoting(self, least: int, limit_s: float = START_S_MAX) -> float:
        """Waits until so many instruments are quoted two-sided; returns how long it took."""

        async def is_quoting() -> bool:
            return await self.quoted_count() >= least

        return await self.until(is_quoting, limit_s, f"{least} quoted instruments")

    def _entry(self, name: str) -> runs.ProcessEntry:
        table = runs.read_processes(self.directory)
        entries = {} if table is None else {entry.name: entry for entry in table.processes}
        return entries[name]

    async def _ask(self, method: str, **params: str) -> Any:
        """Puts a question to the venue in the desk's name, at a pace that leaves it credits."""
        await asyncio.sleep(self._next_question_s - time.monotonic())
        self._next_question_s = time.monotonic() + QUESTION_S
        if self._venue is None:
            runtime = runs.read_runtime(self.directory)
            venue = VenueQuestions(self._http, runtime.venue_http_url)
            await venue.log_in(runtime.venue_client_id, runs.read_secret(self.directory))
            self._venue = venue
        return await self._venue.ask(method, **params)
