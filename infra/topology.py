"""Who publishes what to whom: the service graph and the message table, from the wiring itself."""

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.configuration import DeskConfig, FeedAddress, Runtime, section
from shared.messages.desk import DeadLetterV1, HeartbeatV1, PageV1, RecordV1, VitalsV1
from shared.messages.message import Message, tag_of
from shared.messages.risk import AlertV1
from shared.service import Service

SERVICES = (
    "venue", "gateway", "pricing", "market_making", "hedging", "execution", "risk", "ledger",
)  # fmt: skip
# One process for all underlyings, or one for each.
PER_UNDERLYING = ("pricing", "market_making", "hedging")
OF_A_RUN = {"venue", "market_making"}  # their wiring depends on it
FROM_THE_SHELL = {HeartbeatV1, VitalsV1, DeadLetterV1, RecordV1}  # every agent sends these


@dataclass(frozen=True)
class Instance:
    """One process of a service, for one underlying or, with none, for all."""

    service: str
    shard: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}-{self.shard.lower()}" if self.shard else self.service


def services(tables: dict[str, dict[str, Any]] | None = None) -> dict[str, Service]:
    """Returns every service's wiring, built with these tables of configuration or the defaults."""
    tables = tables or {}
    desk = section(tables, "desk", DeskConfig)
    built = {}
    for name in SERVICES:
        module = importlib.import_module(f"services.{name}.service")
        config = importlib.import_module(f"services.{name}.core").Config
        facts = (paper_run(desk),) if name in OF_A_RUN else ()
        built[name] = module.build(section(tables, name, config), desk, *facts)
    return built


def instances(shards: Sequence[str] = ()) -> dict[str, Instance]:
    """Returns the processes of a desk by name: with shards, one for each where that can be."""
    found = [
        Instance(service, shard)
        for service in SERVICES
        for shard in ((shards or ("",)) if service in PER_UNDERLYING else ("",))
    ]
    return {one.name: one for one in found}


def named(wirings: Mapping[str, Service], processes: Iterable[Instance]) -> dict[str, Service]:
    """Returns the wiring of every process, under its own name."""
    return {
        one.name: wirings[one.service].of_shard(one.name, one.shard)
        if one.shard
        else wirings[one.service]
        for one in processes
    }


def paper_run(desk: DeskConfig) -> Runtime:
    """Returns the facts of a run that nobody starts: the real venue sends no datagrams."""
    return Runtime(
        run_id="paper",
        directory=os.devnull,
        config_path="",
        nats_url="",
        clock_offset_ns=0,
        seed=1,
        chain_path="",
        venue_ws_url="",
        venue_http_url="",
        venue_client_id="paper",
        venue_client_secret_path=os.devnull,
        http_ports={},
        feeds={"market_making": FeedAddress(host="127.0.0.1", event_port=1, snapshot_port=2)}
        if desk.venue == "simulated"
        else {},
        venue_fix_url="tcp://127.0.0.1:3",
    )


def edges(wirings: dict[str, Service]) -> Iterator[tuple[str, str, type[Message]]]:
    """Yields (producer, consumer, message) for everything on the bus."""
    for producer, wiring in wirings.items():
        for kind in sorted(wiring.publishes - FROM_THE_SHELL, key=tag_of):
            for consumer, other in wirings.items():
                if any(consume.kind is kind for consume in other.consumes):
                    yield producer, consumer, kind


def mermaid(wirings: dict[str, Service]) -> str:
    """Returns the service graph as a mermaid flowchart; parallel edges share one arrow."""
    labels: dict[tuple[str, str], list[str]] = {}
    for producer, consumer, kind in edges(wirings):
        if consumer in {"ledger", producer} or kind is AlertV1:
            continue  # the ledger takes everything, one arrow says it; alerts are for people
        name = tag_of(kind).rsplit(".", 1)[0].split(".", 1)[1]
        labels.setdefault((producer, consumer), []).append(name)
    lines = ["```mermaid", "flowchart LR"]
    lines += [f"    {name}" for name in wirings]
    for name, wiring in wirings.items():
        if wiring.link is not None:
            lines.append(f"    {name} <==>|JSON-RPC| venue")
    lines += [f"    {a} -->|{', '.join(names)}| {b}" for (a, b), names in labels.items()]
    lines.append("    bus([everything DURABLE]) -.-> ledger")
    return "\n".join([*lines, "```"])


def message_table(wirings: dict[str, Service]) -> str:
    """Returns the messages, their delivery, producers and consumers as a Markdown table."""
    producers: dict[type[Message], set[str]] = {}
    consumers: dict[type[Message], set[str]] = {}
    for name, wiring in wirings.items():
        for kind in wiring.publishes:
            producers.setdefault(kind, set()).add(name)
        for consume in wiring.consumes:
            if issubclass(consume.kind, Message):
                consumers.setdefault(consume.kind, set()).add(name)
    rows = ["| message | delivery | from | to |", "|---|---|---|---|"]
    for kind in sorted(set(producers) | set(consumers), key=tag_of):
        source = ", ".join(sorted(producers.get(kind, set())))
        if kind in FROM_THE_SHELL:
            source = source or "every agent's shell"
        if kind is PageV1:
            source = "alerting"  # the watcher, no service
        target = ", ".join(sorted(consumers.get(kind, set()))) or "people and tests"
        delivery = kind.delivery.value
        rows.append(f"| `{tag_of(kind)}` | {delivery} | {source or 'a person'} | {target} |")
    return "\n".join(rows)
