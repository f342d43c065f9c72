"""What a run consists of, decided before anything starts: folder, ports, keys, programs."""

import contextlib
import importlib
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import embedded_nats, permissions, runs, topology
from infra.alerting import targets
from infra.alerting.core import Config as AlertingConfig
from infra.supervisor import Program
from infra.topology import SERVICES, Instance
from services.market_making.core import Config as MarketMakingConfig
from services.venue.core import Config as VenueConfig
from services.venue.multicast.settings import feed_address
from shared.configuration import (
    RUNTIME_VARIABLE,
    SHARD_VARIABLE,
    ConfigurationError,
    DeskConfig,
    FeedAddress,
    Runtime,
    load_tables,
    section,
)
from shared.recorded_chain import read_chain
from shared.redaction import read_secret
from shared.service import Service

# nats-server's heap fills to its limit in the first minutes and is collected there: flat from then
# on, where pacing by live data would follow its block caches (up to 8 MB a stream) up for hours.
GO_ENVIRONMENT = {"GOGC": "off", "GOMEMLIMIT": "48MiB"}
DERIBIT_TEST_HOST = "test.deribit.com"
KEY_VARIABLE = "DERIBIT_TEST_CLIENT_SECRET"
DERIBIT_FIX_HOST = "fix-test.deribit.com"
# Started in this order, what the first quote waits for before the rest, and ended so that quotes go
# first and the record last.
START_ORDER = (
    "ledger", "risk", "gateway", "market_making", "pricing", "execution", "hedging",
)  # fmt: skip
STOP_ORDER = (
    "market_making", "hedging", "execution", "risk", "pricing", "gateway", "ledger",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    runtime: Runtime
    desk: DeskConfig
    directory: Path
    nats: Program
    venue: Program | None  # None: the venue is somebody else's
    agents: tuple[Program, ...]
    alerting: Program  # the watcher
    processes: dict[str, Instance]  # by name

    def names_of(self, *services: str) -> list[str]:
        """Returns the names of the processes of services, in the order of the services."""
        every = self.processes.values()
        return [one.name for service in services for one in every if one.service == service]

    def log_path(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"


def check_tables(tables: dict[str, dict[str, Any]]) -> DeskConfig:
    """Returns the desk's table; raises ConfigurationError on the first thing that is wrong."""
    for name in tables:
        if name not in {"desk", "alerting", *SERVICES}:
            known = ", ".join(("desk", *SERVICES, "alerting"))
            raise ConfigurationError(f"[{name}] is no table of the desk: known are {known}")
    for name in SERVICES:
        config = importlib.import_module(f"services.{name}.core").Config
        section(tables, name, config)
    section(tables, "alerting", AlertingConfig)
    return section(tables, "desk", DeskConfig)


def clock_offset_ns(chain_path: str, at_ns: int | None, venue: str) -> int:
    """Returns by how much the desk's time is ahead of UTC."""
    if at_ns is not None and (chain_path or venue != "simulated"):
        raise ConfigurationError("a time at the start is for a simulated venue without a chain")
    began_ns = read_chain(chain_path).timestamp_ns if chain_path else at_ns
    return 0 if began_ns is None else began_ns - time.time_ns()


def make(
    config_path: str,
    chain_path: str,
    seed: int,
    venue: str | None,
    *,
    at_ns: int | None = None,
    is_sharded: bool = False,
) -> Plan:
    """Returns the plan of a run, its folder made and its files written. A sharded desk has a
    process for each underlying of whatever keeps nothing across them. `at_ns` is the desk's time
    at the start; without it that of the chain, or today's."""
    tables = load_tables(config_path)
    desk = check_tables(tables)
    venue = venue or desk.venue
    tables = {**tables, "desk": {**tables.get("desk", {}), "venue": venue}}
    offset_ns = clock_offset_ns(chain_path, at_ns, venue)
    client_id, client_secret = venue_keys(venue)
    run_id = time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(2)
    directory = runs.create(run_id)
    secret_path = runs.secret_path(directory)
    runs.write_private(secret_path, client_secret.encode())
    wirings = topology.services(tables)
    nats_port = embedded_nats.free_port()
    ws_url, http_url = venue_urls(venue)
    instances = topology.instances(desk.underlyings if is_sharded else ())
    runtime = Runtime(
        run_id=run_id,
        directory=str(directory),
        config_path=str(Path(config_path).resolve()) if config_path else "",
        nats_url=f"nats://127.0.0.1:{nats_port}",
        clock_offset_ns=offset_ns,
        seed=seed,
        chain_path=str(Path(chain_path).resolve()) if chain_path else "",
        venue_ws_url=ws_url,
        venue_fix_url=fix_url(venue),
        venue_http_url=http_url,
        venue_client_id=client_id,
        venue_client_secret_path="",
        http_ports={name: embedded_nats.free_port() for name in (*instances, "alerting")},
        feeds=feeds(tables, desk, instances.values()) if venue == "simulated" else {},
        bus_authority_path=str(runs.authority_path(directory)) if desk.bus_security else "",
    )
    named = topology.named(wirings, instances.values())
    security = bus_security(directory, named, desk) if desk.bus_security else None
    environment = write_facts(directory, runtime)
    holders = {name for name, wiring in wirings.items() if wiring.link} | {"venue"}

    def program(instance: Instance, room: str = "services") -> Program:
        own = {SHARD_VARIABLE: instance.shard} if instance.shard else {}
        if desk.bus_security:
            own["HEDGEROW_BUS_NKEY_FILE"] = str(runs.seed_path(directory, instance.name))
        if instance.service in holders:
            own["HEDGEROW_VENUE_SECRET_FILE"] = str(secret_path)
        return agent_program(instance, {**environment, **own}, room)

    return Plan(
        runtime=runtime,
        desk=desk,
        directory=directory,
        nats=Program(
            "nats",
            embedded_nats.write_config(directory, run_id, nats_port, security),
            GO_ENVIRONMENT,
        ),
        venue=program(instances["venue"]) if venue == "simulated" else None,
        agents=tuple(program(one) for one in in_order(instances)),
        alerting=program(Instance("alerting"), "infra"),
        processes=instances,
    )


def bus_security(directory: Path, wirings: Mapping[str, Service], desk: DeskConfig) -> Path:
    """Writes a key for everybody on the bus; returns the file that the server includes."""
    granted = permissions.all_grants(permissions.roles(wirings, desk))
    return permissions.render(runs.bus_folder(directory), granted)


def in_order(instances: dict[str, Instance]) -> Iterator[Instance]:
    """Yields the agents as they are started."""
    for service in START_ORDER:
        yield from (one for one in instances.values() if one.service == service)


def write_facts(directory: Path, runtime: Runtime) -> dict[str, str]:
    """Writes the run's facts and its scrape targets; returns where the agents find them."""
    targets.write(directory, runtime)
    return {RUNTIME_VARIABLE: str(runs.write_runtime(directory, runtime))}


def agent_program(instance: Instance, environment: dict[str, str], room: str) -> Program:
    # One thread for each numeric library: the agents are many and the cores few.
    quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    argv = [sys.executable, "-m", f"{room}.{instance.service}"]
    return Program(instance.name, argv, {**environment, **quiet})


def venue_keys(venue: str) -> tuple[str, str]:
    """Returns client id and secret: fresh ones for the simulated venue, else the environment's."""
    if venue == "simulated":
        return "hedgerow-desk", secrets.token_urlsafe(24)
    client_id = os.environ.get("DERIBIT_TEST_CLIENT_ID", "")
    secret_file = os.environ.get(f"{KEY_VARIABLE}_FILE", "")
    secret = read_secret(secret_file) if secret_file else os.environ.get(KEY_VARIABLE, "")
    if not client_id or not secret:
        raise ConfigurationError(
            f"deribit-test needs keys: set DERIBIT_TEST_CLIENT_ID and {KEY_VARIABLE}_FILE, "
            f"the path of a file with the secret (or {KEY_VARIABLE}, the secret itself)"
        )
    return client_id, secret


def fix_url(venue: str) -> str:
    if venue == "simulated":
        return f"tcp://127.0.0.1:{embedded_nats.free_port()}"
    return f"tcp://{DERIBIT_FIX_HOST}:9881"


def feeds(
    tables: dict[str, dict[str, Any]], desk: DeskConfig, instances: Iterable[Instance]
) -> dict[str, FeedAddress]:
    """Returns where the venue's datagrams shall come; empty where quoting does not read them."""
    if section(tables, "market_making", MarketMakingConfig).transport != "fix":
        return {}
    multicast = section(tables, "venue", VenueConfig).multicast
    quoters = [one for one in instances if one.service == "market_making"]
    ports = iter(free_udp_ports(2 * len(quoters)))
    return {
        one.name: feed_address(
            multicast,
            [one.shard] if one.shard else desk.underlyings,
            event_port=next(ports),
            snapshot_port=next(ports),
        )
        for one in quoters
    }


def free_udp_ports(count: int) -> list[int]:
    """Returns UDP ports of loopback that were free a moment ago."""
    with contextlib.ExitStack() as held:
        ports = []
        for _ in range(count):
            probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            probe.bind(("127.0.0.1", 0))
            ports.append(int(probe.getsockname()[1]))
        return ports


def venue_urls(venue: str) -> tuple[str, str]:
    """Returns WebSocket and HTTP URL. Raises ConfigurationError where the test net is not there."""
    if venue == "simulated":
        port = embedded_nats.free_port()
        return f"ws://127.0.0.1:{port}/ws/api/v2", f"http://127.0.0.1:{port}"
    try:
        socket.create_connection((DERIBIT_TEST_HOST, 443), timeout=5.0).close()
    except OSError as error:
        raise ConfigurationError(
            f"{DERIBIT_TEST_HOST} cannot be reached from here ({error}); "
            "without --venue the desk runs on the simulated venue"
        ) from error
    return f"wss://{DERIBIT_TEST_HOST}/ws/api/v2", f"https://{DERIBIT_TEST_HOST}"
