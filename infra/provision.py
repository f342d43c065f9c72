"""Makes the streams of a desk, and makes them again when NATS comes back without them.

`python -m infra.provision` keeps at it until it is ended; with --once it ends when all are there,
and --ready-file makes a file then, for whoever waits for it.
It reads the run's facts as an agent does, and on a bus with logins it is the role `provisioner`:
agents may not make streams, and wait for these.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.permissions import PROVISIONER
from shared.bus import Bus, BusError
from shared.bus_login import login_of
from shared.clock import SystemClock
from shared.configuration import ConfigurationError, Runtime, read_runtime


async def keep_streams(runtime: Runtime, on_failure: Callable[[BaseException], None]) -> Bus:
    """Returns a connection that has made the streams and sees to them after each reconnection.

    Raises BusError if it cannot."""
    login = login_of(PROVISIONER, runtime)
    if login is not None:
        login = replace(login, keeps_streams=True)
    clock = SystemClock(runtime.clock_offset_ns)
    bus = Bus(
        runtime.nats_url, PROVISIONER, clock, on_failure, login, replicas=runtime.stream_replicas
    )
    await bus.connect()
    return bus


async def run(runtime: Runtime, *, is_once: bool, ready_path: str = "") -> None:
    """Keeps the streams until a signal. Raises BusError when it cannot."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def fail(error: BaseException) -> None:
        if not ended.done():
            ended.set_exception(error)

    def stop() -> None:
        if not ended.done():
            ended.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    bus = await keep_streams(runtime, fail)
    print("the streams are there", flush=True)
    if ready_path:
        await asyncio.to_thread(Path(ready_path).touch)
    try:
        if not is_once:
            await ended
    finally:
        await bus.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="infra.provision", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when all streams are there")
    parser.add_argument("--ready-file", default="", metavar="PATH")
    given = parser.parse_args()
    try:
        asyncio.run(run(read_runtime(), is_once=given.once, ready_path=given.ready_file))
    except (BusError, ConfigurationError) as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
