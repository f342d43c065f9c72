"""`hedgerow venue`: the simulated exchange without a desk or a bus, for anybody's client."""

import asyncio
import json
import secrets
import signal
import time
from typing import Any

from infra.desk_plan import check_tables
from services.venue.core import Config
from services.venue.edges import Edges
from services.venue.fix.server import FixServer
from services.venue.front import Front
from services.venue.market.opening import build_venue, open_chain
from services.venue.multicast.settings import described
from services.venue.rpc.server import Server
from services.venue.service import desk_and_guests, feed_door, service_of
from shared.clock import NS_PER_MS, SystemClock
from shared.configuration import load_tables, section
from shared.messages.desk import TimerV1
from shared.recorded_chain import read_chain
from shared.service import Edge, Every, Service

HOST = "127.0.0.1"


def run(config_path: str, chain_path: str, seed: int, port: int, *, as_json: bool) -> int:
    """Serves until interrupted; returns the exit code."""
    tables = load_tables(config_path)
    desk = check_tables(tables)
    config = section(tables, "venue", Config)
    offset_ns = read_chain(chain_path).timestamp_ns - time.time_ns() if chain_path else 0
    clock = SystemClock(offset_ns)
    now_ns = clock.wall_ns()
    chain = open_chain(chain_path, seed, now_ns, desk.underlyings, config.strikes_max)
    client_id, client_secret = "hedgerow-test", secrets.token_urlsafe(24)
    users = desk_and_guests(client_id, client_secret)
    front = Front(build_venue(config, chain, seed, users, now_ns))
    server = Server(HOST, port, clock)
    fix_server = FixServer(HOST, 0, clock)
    front.venue.open_fix(now_ns)
    edge = Edges((server, fix_server, *feed_door(front.venue, config, (), now_ns)))
    service = service_of(front, lambda: edge, config.step_ms)
    facts = {
        "client_id": client_id,
        "client_secret": client_secret,
        "multicast": described(config.multicast, desk.underlyings),
    }
    return asyncio.run(
        serve(front, service, server, fix_server, edge, clock, facts, as_json=as_json)
    )


async def serve(
    front: Front,
    service: Service,
    server: Server,
    fix_server: FixServer,
    edge: Edge,
    clock: SystemClock,
    facts: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    handlers = {consume.kind: consume.handler for consume in service.consumes}

    def deliver(message: object) -> None:
        for output in handlers[type(message)](message):
            edge.send(output)

    front.on_timer(TimerV1(created_ns=clock.wall_ns()))  # the books are there before the door opens
    await edge.start(deliver)
    announce(server.port, fix_server.port, facts, as_json=as_json)
    timers = [asyncio.create_task(tick(timer, edge, clock)) for timer in service.timers]
    ended = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([ended, *timers], return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, *timers):
        task.cancel()
    await edge.stop()
    for task in done:
        task.result()  # a timer ends only by an exception: let it be seen
    return 0


async def tick(timer: Every, edge: Edge, clock: SystemClock) -> None:
    """Hands the time to a handler each interval; beats that fell due meanwhile are left out."""
    interval_ns = timer.interval_ms * NS_PER_MS
    due_ns = clock.monotonic_ns() + interval_ns
    while True:
        await asyncio.sleep(max(0.0, (due_ns - clock.monotonic_ns()) / 1e9))
        for output in timer.handler(TimerV1(created_ns=clock.wall_ns())):
            if type(output) in edge.accepts:
                edge.send(output)  # its audit is for a bus, and here is none
        due_ns = max(due_ns + interval_ns, clock.monotonic_ns())


def announce(port: int, fix_port: int, facts: dict[str, Any], *, as_json: bool) -> None:
    """Prints where the venue listens and a test account's keys."""
    http_url, ws_url = f"http://{HOST}:{port}", f"ws://{HOST}:{port}/ws/api/v2"
    if as_json:
        urls = {"http_url": http_url, "ws_url": ws_url, "fix_host": HOST, "fix_port": fix_port}
        print(json.dumps({**urls, **facts}), flush=True)
        return
    print(f"HTTP       {http_url}/api/v2")
    print(f"WebSocket  {ws_url}")
    print(f"FIX        {HOST}:{fix_port}")
    print(f"client id  {facts['client_id']}")
    print(f"secret     {facts['client_secret']}", flush=True)
    if facts["multicast"] is not None:
        for channel in facts["multicast"]["channels"]:
            print(f"UDP        {channel}", flush=True)
