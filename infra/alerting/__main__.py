"""The watcher's process; `hedgerow up` starts it beside the agents."""

import asyncio
import signal
import sys

import uvloop

from infra.alerting.core import Config
from infra.alerting.service import build
from shared.agent import Agent, AgentError
from shared.clock import SystemClock
from shared.configuration import (
    ConfigurationError,
    DeskConfig,
    load_tables,
    read_runtime,
    section,
)
from shared.main import EXIT_CONFIGURATION, EXIT_DRAINED, EXIT_FAILED
from shared.telemetry import open_log


async def run() -> int:
    runtime = read_runtime()
    tables = load_tables(runtime.config_path)
    config = section(tables, "alerting", Config)
    desk = section(tables, "desk", DeskConfig)
    service, scraper = build(config, runtime)
    clock = SystemClock(runtime.clock_offset_ns)
    log = open_log(service.name, runtime.run_id, clock, level=desk.log_level)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    agent = Agent(service, runtime, clock, log)
    scraper.ask = agent.bus.call
    try:
        await agent.run(stop)
    except AgentError:
        return EXIT_FAILED
    return EXIT_DRAINED


if __name__ == "__main__":
    try:
        sys.exit(uvloop.run(run()))
    except ConfigurationError as error:
        sys.stderr.write(f"hedgerow: {error}\n")
        sys.exit(EXIT_CONFIGURATION)
