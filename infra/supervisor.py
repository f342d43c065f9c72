"""Starts the desk's processes, restarts what dies, and gives up loudly on a crash loop.

Children die with the supervisor (a parent-death signal), so that nothing is left behind even when
the supervisor itself is killed.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.runs import ProcessEntry, ProcessTable, is_held, write_processes

RESTARTS_MAX = 5  # within CRASH_WINDOW_S
CRASH_WINDOW_S = 30.0
RESTART_PAUSE_S = 0.1
HOLD_LOOK_S = 0.1  # how soon the end of a hold (runs.hold) is seen
STOP_GRACE_S = 6.0
PR_SET_PDEATHSIG = 1
WITHHELD = frozenset(
    {"DERIBIT_TEST_CLIENT_ID", "DERIBIT_TEST_CLIENT_SECRET", "DERIBIT_TEST_CLIENT_SECRET_FILE"}
)


class CrashLoopError(RuntimeError):
    """A process kept dying; carries its name and where its log is."""


@dataclass(frozen=True)
class Program:
    """What to run: environment is added to the supervisor's own."""

    name: str
    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)


class Supervised:
    """One program and its current process."""

    def __init__(self, program: Program, log_path: Path) -> None:
        self.program = program
        self.log_path = log_path
        self.process: asyncio.subprocess.Process | None = None
        self.restarts = 0
        self.started_unix_s = 0.0
        self.exits: list[float] = []
        self.is_stopping = False

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def spawn(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.program.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(self.program),
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self.started_unix_s = time.time()


class Supervisor:
    """Runs programs until told to stop. `failed` is set, with the reason, on a crash loop."""

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        self._directory = directory
        self._say = say
        self._started_unix_s = time.time()
        self._watchers: list[asyncio.Task[None]] = []
        self.supervised: dict[str, Supervised] = {}
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def start(self, program: Program) -> None:
        """Starts a program and watches it from now on."""
        entry = Supervised(program, self._directory / "logs" / f"{program.name}.log")
        self.supervised[program.name] = entry
        await entry.spawn()
        self._watchers.append(asyncio.create_task(self._watch(entry)))
        self._write_table()

    async def stop(self, names: list[str]) -> dict[str, int]:
        """Ends programs one after another, SIGTERM first; returns their exit codes."""
        codes = {}
        for name in names:
            if entry := self.supervised.get(name):
                codes[name] = await self._stop_one(entry)
        self._write_table()
        return codes

    async def close(self) -> None:
        """Ends whatever still runs, all at once."""
        await asyncio.gather(*(self._stop_one(entry) for entry in self.supervised.values()))
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        self._write_table()

    async def _watch(self, entry: Supervised) -> None:
        while not entry.is_stopping:
            assert entry.process is not None
            code = await entry.process.wait()
            if entry.is_stopping:
                return
            now = time.monotonic()
            entry.exits = [at for at in entry.exits if now - at < CRASH_WINDOW_S] + [now]
            self._say(f"{entry.program.name} (pid {entry.pid}) ended with {code}; restarting")
            if len(entry.exits) > RESTARTS_MAX:
                if not self.failed.done():
                    self.failed.set_result(crash_text(entry, code))
                return
            await asyncio.sleep(RESTART_PAUSE_S * (2 ** (len(entry.exits) - 1) - 1))
            await self._unheld(entry)
            if not entry.is_stopping:
                await entry.spawn()
                entry.restarts += 1
                self._write_table()

    async def _unheld(self, entry: Supervised) -> None:
        """Waits while somebody holds the program (runs.hold); a file is all they have to say."""
        name = entry.program.name
        while not entry.is_stopping and is_held(self._directory, name):  # noqa: ASYNC110
            await asyncio.sleep(HOLD_LOOK_S)

    async def _stop_one(self, entry: Supervised) -> int:
        entry.is_stopping = True
        if entry.process is None or not entry.is_running:
            return entry.process.returncode or 0 if entry.process else 0
        with contextlib.suppress(ProcessLookupError):
            entry.process.send_signal(signal.SIGCONT)  # a stopped process cannot hear SIGTERM
            entry.process.terminate()
        try:
            return await asyncio.wait_for(entry.process.wait(), STOP_GRACE_S)
        except TimeoutError:
            self._say(f"{entry.program.name} did not stop in {STOP_GRACE_S:.0f} s; killing it")
            with contextlib.suppress(ProcessLookupError):
                entry.process.kill()
            return await entry.process.wait()

    def _write_table(self) -> None:
        entries = [
            ProcessEntry(
                name=name,
                pid=entry.pid,
                restarts=entry.restarts,
                started_unix_s=entry.started_unix_s,
                is_running=entry.is_running,
            )
            for name, entry in self.supervised.items()
        ]
        table = ProcessTable(
            supervisor_pid=os.getpid(), started_unix_s=self._started_unix_s, processes=entries
        )
        write_processes(self._directory, table)


def environment(program: Program) -> dict[str, str]:
    """Returns what a process is told: keys in the supervisor's own environment are not for it."""
    own = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    return {**own, **program.environment}


def crash_text(entry: Supervised, code: int) -> str:
    """Says what died, how often, and shows the last lines of its log that are no calm events."""
    lines = entry.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
    tail = [loud for line in lines[-40:] if (loud := loud_part(line))][-12:]
    head = (
        f"{entry.program.name} died {len(entry.exits)} times in {CRASH_WINDOW_S:.0f} s "
        f"(last exit code {code}); giving up. Log: {entry.log_path}"
    )
    return "\n".join([head, *tail])


def loud_part(line: str) -> str:
    """Returns what a person should read of a log line: an error's reason and its last line."""
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or event.get("level") not in {"error", "critical"}:
        return ""
    last = str(event.get("exception", "")).rstrip().rpartition("\n")[2]
    return f"  {event.get('time')} {event.get('event')}: {event.get('reason', '')} {last}".rstrip()


def die_with_parent() -> None:
    """Asks Linux to send SIGTERM to this child when the supervisor dies, and to keep no image."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # none of them leaves a core dump


_libc = ctypes.CDLL(None, use_errno=True)
