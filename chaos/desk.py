"""`hedgerow up` with what can fail in it: some agents have a shim in front of the C library, and
with --wired every agent talks to the bus and the venue through proxies of its own.

`python -m chaos.desk --config desk.toml --report r.json [--weaken PROTECTION] [--wired]`; the
folder in HEDGEROW_HOME holds the run and `faults.json`, which says what is wrong.
"""

import argparse
import asyncio
import dataclasses
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from rich.console import Console

from chaos import faults
from chaos.faults import SHIM, Faults
from chaos.proxy import TcpWire, UdpWire
from chaos.weaken import NO_RESTART, WEAKENED
from infra import desk_plan, embedded_nats, runs
from infra.desk_plan import Plan
from infra.desk_run import DeskRun
from infra.supervisor import Program, Supervised
from shared.configuration import RUNTIME_VARIABLE, Runtime

SHIMMED = ("ledger", "risk", "market_making", "gateway", "pricing")
VENUE_CLIENTS = ("gateway", "market_making")


class Wires:
    """All proxies of a desk, and what is wrong with them."""

    def __init__(self) -> None:
        self._faults = Faults()
        self._starting: list[tuple[TcpWire | UdpWire, int]] = []

    def tcp(self, wire: str, url: str, *, knows_nats: bool = False) -> str:
        """Returns the URL of a proxy in front of `url`."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        port = embedded_nats.free_port()
        target = (parts.hostname, parts.port)
        proxy = TcpWire(target, lambda: self._faults.of(wire), knows_nats=knows_nats)
        self._starting.append((proxy, port))
        return parts._replace(netloc=f"127.0.0.1:{port}").geturl()

    def udp(self, wire: str, from_port: int) -> int:
        """Returns the port behind a proxy that takes datagrams on `from_port`."""
        (port,) = desk_plan.free_udp_ports(1)
        proxy = UdpWire(("127.0.0.1", port), lambda: self._faults.of(wire))
        self._starting.append((proxy, from_port))
        return port

    async def run(self, is_over: asyncio.Event) -> None:
        for proxy, port in self._starting:
            await proxy.start(port)
        try:
            while not is_over.is_set():
                self._faults = faults.read()
                await asyncio.sleep(0.05)
        finally:
            for proxy, _ in self._starting:
                await proxy.stop()


def build_shim(folder: Path) -> Path:
    """Compiles the shim; returns its path."""
    path = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O2", "-o", str(path), str(source), "-ldl"], check=True
    )
    return path


def spoilt(plan: Plan, wires: Wires | None, shim: Path, weakened: str) -> Plan:
    """Returns the plan with the shim, and proxies before every agent's wires."""
    knows_nats = not plan.desk.bus_security

    def changed(program: Program) -> Program:
        runtime = plan.runtime
        if wires is not None:
            runtime = through(runtime, program.name, wires, knows_nats=knows_nats)
        path = plan.directory / f"runtime-{program.name}.json"
        runs.write_private(path, msgspec.json.encode(runtime))
        environment = {**program.environment, RUNTIME_VARIABLE: str(path)}
        if program.name in SHIMMED:
            faults.shim_path(program.name).write_bytes(SHIM.pack(0, 0, 0))
            environment["LD_PRELOAD"] = str(shim)
            environment["HEDGEROW_SHIM"] = str(faults.shim_path(program.name))
        argv = program.argv
        if weakened in WEAKENED and program.name in WEAKENED[weakened][0]:
            argv = [sys.executable, "-m", "chaos.weaken", weakened, argv[-1]]
        return Program(program.name, argv, environment)

    return dataclasses.replace(plan, agents=tuple(changed(one) for one in plan.agents))


def through(runtime: Runtime, name: str, wires: Wires, *, knows_nats: bool) -> Runtime:
    """Returns the run's facts as one agent shall believe them."""
    changes: dict[str, object] = {
        "nats_url": wires.tcp(f"bus.{name}", runtime.nats_url, knows_nats=knows_nats)
    }
    if name in VENUE_CLIENTS:
        changes["venue_ws_url"] = wires.tcp(f"venue_ws.{name}", runtime.venue_ws_url)
        if runtime.venue_fix_url:
            changes["venue_fix_url"] = wires.tcp(f"venue_fix.{name}", runtime.venue_fix_url)
    feed = runtime.feeds.get(name)
    if feed is not None:
        behind = msgspec.structs.replace(
            feed,
            event_port=wires.udp("feed", feed.event_port),
            snapshot_port=wires.udp("feed", feed.snapshot_port),
        )
        changes["feeds"] = {**runtime.feeds, name: behind}
    return msgspec.structs.replace(runtime, **changes)


def start_once_only() -> None:
    """Has the supervisor start nothing a second time."""
    start = Supervised.spawn

    async def once(self: Supervised) -> None:
        if self.process is not None:
            await asyncio.Event().wait()
        await start(self)

    Supervised.spawn = once  # type: ignore[method-assign]


async def run(plan: Plan, wires: Wires | None, report_path: str) -> int:
    is_over = asyncio.Event()
    wiring = asyncio.create_task(wires.run(is_over)) if wires is not None else None
    try:
        return await DeskRun(plan, Console(stderr=True), is_headless=True).run(None, report_path)
    finally:
        is_over.set()
        if wiring is not None:
            await wiring


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--config", default="")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--report", required=True)
    parser.add_argument("--weaken", default="", choices=["", NO_RESTART, *WEAKENED])
    parser.add_argument("--wired", action="store_true")
    arguments = parser.parse_args()
    if arguments.weaken == NO_RESTART:
        start_once_only()
    faults.write(Faults())
    wires = Wires() if arguments.wired else None
    plan = desk_plan.make(arguments.config, "", arguments.seed, "simulated")
    plan = spoilt(plan, wires, build_shim(faults.home()), arguments.weaken)
    return asyncio.run(run(plan, wires, arguments.report))


if __name__ == "__main__":
    sys.exit(main())
