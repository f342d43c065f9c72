"""What a service's __main__ calls: settings, log, loop, signals, exit code.

Exit codes: 0 drained; 1 failed (the supervisor starts it again); 2 wrong configuration.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

import msgspec
import uvloop

from shared.agent import Agent, AgentError
from shared.clock import SystemClock
from shared.configuration import (
    ConfigurationError,
    DeskConfig,
    Runtime,
    load_tables,
    read_runtime,
    section,
)
from shared.core_dumps import forbid_core_dumps
from shared.redaction import RedactedStream
from shared.service import Edge, Service
from shared.telemetry import open_log
from shared.venue_link import LinkSettings
from shared.venue_opening import open_venue_socket

C = TypeVar("C", bound=msgspec.Struct)

EXIT_DRAINED = 0
EXIT_FAILED = 1
EXIT_CONFIGURATION = 2


def main(build: Callable[[C, DeskConfig], Service], config_kind: type[C]) -> NoReturn:
    """Runs a service until a signal. Its table in desk.toml has the name of its package."""
    main_with_runtime(lambda config, desk, _: build(config, desk), config_kind)


def main_with_runtime(
    build: Callable[[C, DeskConfig, Runtime], Service], config_kind: type[C]
) -> NoReturn:
    """The same for a service whose wiring depends on the run (the venue: its port and chain)."""
    try:
        runtime = read_runtime()
        tables = load_tables(runtime.config_path)
        desk = section(tables, "desk", DeskConfig)
        config = section(tables, config_kind.__module__.split(".")[1], config_kind)
        if runtime.shard:
            desk = desk.of_shard(runtime.shard)
        service = _as_instance(build(config, desk, runtime), runtime)
    except ConfigurationError as error:
        sys.stderr.write(f"hedgerow: {error}\n")
        sys.exit(EXIT_CONFIGURATION)
    forbid_core_dumps()
    sys.stderr = RedactedStream(sys.stderr)
    sys.exit(uvloop.run(_run(service, desk, runtime)))


def _as_instance(service: Service, runtime: Runtime) -> Service:
    """Returns the service under the name of its process."""
    if not runtime.shard:
        return service
    if not service.is_per_underlying:
        raise ConfigurationError(f"{service.name} is for all underlyings together, not for a shard")
    name = runtime.instance(service.name)
    if service.dependencies is not None:
        service.dependencies.service = name
    return service.of_shard(name, runtime.shard)


async def _run(service: Service, desk: DeskConfig, runtime: Runtime) -> int:
    clock = SystemClock(runtime.clock_offset_ns)
    log = open_log(service.name, runtime.run_id, clock, level=desk.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def open_link(settings: LinkSettings) -> Edge:
        return open_venue_socket(settings, runtime, clock, log)

    tracing = None
    if desk.otlp_endpoint:
        from shared.tracing import open_tracing  # noqa: PLC0415  # protobuf is some MB

        tracing = open_tracing(service.name, desk, runtime, clock)
    try:
        agent = Agent(
            service,
            runtime,
            clock,
            log,
            open_link=open_link,
            tracing=tracing,
            tells_vitals=desk.tells_vitals,
        )
        keep_forever()
        await agent.run(stop)
    except AgentError:
        sys.stdout.flush()
        os._exit(EXIT_FAILED)  # a task or thread that hangs must not hold up the restart
    return EXIT_DRAINED


def keep_forever() -> None:
    """Takes what was imported and wired out of the garbage collector's sight: a full collection
    would walk it all, tens of milliseconds in the middle of a message, and find nothing."""
    gc.collect()
    gc.freeze()
