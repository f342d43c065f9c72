"""`make permissions`: the permission matrix, tried cell by cell on a real nats-server.

    python -m infra.permission_trial [--json FILE]

A server with nkeys and TLS is started with what infra/permissions.py writes, and one witness who
may do everything. Everybody publishes on every subject: did the witness hear it, and did the server
say that it is not allowed? Everybody listens to every subject, the witness speaks: who heard it?
What should be comes from infra/permission_matrix.py. Exit code 0 if no cell differs.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import nats
from nats.aio.client import Client
from rich.console import Console
from rich.table import Table

from infra import embedded_nats
from infra.permission_matrix import Row, rows
from infra.permissions import PROVISIONER, Grants, Role, all_grants, render, roles_of
from shared import streams
from shared.bus_login import BusLogin

WITNESS = "witness"
EVERYTHING = Grants(publish=(">",), subscribe=(">",))
START_S_MAX = 10.0
SERVER = """\
listen: "127.0.0.1:{port}"
pid_file: "{directory}/nats.pid"
include "nats/security.conf"
jetstream {{ store_dir: "{directory}/store" }}
"""

Action = Literal["publish", "subscribe"]


@dataclass(frozen=True)
class Cell:
    """One attempt. `seen` is `silent` where nothing arrived and the server said nothing."""

    service: str
    subject: str
    action: Action
    expected: Literal["allowed", "refused"]
    seen: Literal["allowed", "refused", "silent"]


@dataclass
class Speaker:
    """One role's connection, and what the server forbade it; nats-py tells in lower case."""

    client: Client
    forbidden: set[tuple[Action, str]]

    def is_forbidden(self, action: Action, subject: str) -> bool:
        return (action, subject.lower()) in self.forbidden


@contextmanager
def server(directory: Path, granted: Mapping[str, Grants]) -> Iterator[str]:
    """Runs a server that everybody in `granted` has a key to; yields its address."""
    render(directory, granted)
    port = embedded_nats.free_port()
    path = directory / "server.conf"
    path.write_text(SERVER.format(port=port, directory=directory), encoding="utf-8")
    with (directory / "server.log").open("wb") as log:
        argv = [embedded_nats.server_path(), "-c", str(path)]
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S_MAX
        while embedded_nats.is_free(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((directory / "server.log").read_text(encoding="utf-8"))
            time.sleep(0.02)
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def connect(url: str, directory: Path, role: str) -> Speaker:
    """Returns a connection with a role's own key."""
    forbidden: set[tuple[Action, str]] = set()

    async def on_error(error: Exception) -> None:
        text = str(error)
        subject = text.partition('"')[2].partition('"')[0]
        if "violation for publish" in text:
            forbidden.add(("publish", subject))
        elif "violation for subscription" in text:
            forbidden.add(("subscribe", subject))

    login = BusLogin(role, str(directory / "keys" / f"{role}.nk"), str(directory / "ca.pem"))
    client = await nats.connect(
        url, name=role, error_cb=on_error, allow_reconnect=False, **login.options()
    )
    return Speaker(client, forbidden)


async def try_all(url: str, directory: Path, everybody: Mapping[str, Role]) -> list[Cell]:
    """Returns every cell, tried."""
    tried = rows(everybody)
    async with AsyncExitStack() as stack:
        speakers = {}
        for name in (*everybody, WITNESS):
            speakers[name] = await connect(url, directory, name)
            stack.push_async_callback(speakers[name].client.close)
        await make_streams(speakers[PROVISIONER].client)
        said = await try_publishing(speakers, tried, tuple(everybody))
        return said + await try_listening(speakers, tried, tuple(everybody))


async def make_streams(client: Client) -> None:
    async def call(subject: str, body: bytes) -> bytes:
        answer: bytes = (await client.request(subject, body, timeout=5.0)).data
        return answer

    await streams.ensure(call, 1)


async def try_publishing(
    speakers: Mapping[str, Speaker], tried: tuple[Row, ...], names: tuple[str, ...]
) -> list[Cell]:
    witness = speakers[WITNESS].client
    everything = await witness.subscribe(">", pending_msgs_limit=0, pending_bytes_limit=0)
    await witness.flush()
    said = [row for row in tried if row.speakers is not None]
    for name in names:
        for row in said:
            await speakers[name].client.publish(row.subject, name.encode())
        await settle(speakers[name].client)
    await settle(witness)
    arrived = set()
    while everything.pending_msgs:
        message = await everything.next_msg()
        arrived.add((message.subject, message.data.decode(errors="replace")))
    await everything.unsubscribe()
    return [
        cell(
            name,
            row.subject,
            "publish",
            is_expected=name in (row.speakers or ()),
            has_arrived=(row.subject, name) in arrived,
            is_forbidden=speakers[name].is_forbidden("publish", row.subject),
        )
        for name in names
        for row in said
    ]


async def try_listening(
    speakers: Mapping[str, Speaker], tried: tuple[Row, ...], names: tuple[str, ...]
) -> list[Cell]:
    listened = {}
    for name in names:
        for row in tried:
            listened[name, row.subject] = await speakers[name].client.subscribe(row.subject)
        await settle(speakers[name].client)
    witness = speakers[WITNESS].client
    for subject in {row.arrives_as for row in tried}:
        await witness.publish(subject, b"heard")
    await settle(witness)
    for name in names:
        await settle(speakers[name].client)
    return [
        cell(
            name,
            row.subject,
            "subscribe",
            is_expected=name in row.listeners,
            has_arrived=listened[name, row.subject].pending_msgs > 0,
            is_forbidden=speakers[name].is_forbidden("subscribe", row.subject),
        )
        for name in names
        for row in tried
    ]


async def settle(client: Client) -> None:
    """Waits until the server has taken all and said what it forbids: nats-py's first ping may
    overtake what is not yet written."""
    await client.flush()
    await client.flush()


def cell(
    service: str,
    subject: str,
    action: Action,
    *,
    is_expected: bool,
    has_arrived: bool,
    is_forbidden: bool,
) -> Cell:
    expected: Literal["allowed", "refused"] = "allowed" if is_expected else "refused"
    if has_arrived:
        return Cell(service, subject, action, expected, "allowed")
    return Cell(service, subject, action, expected, "refused" if is_forbidden else "silent")


def totals(cells: list[Cell]) -> dict[str, Any]:
    """Returns the report: what was possible and should not be, and the other way round."""
    over = [one for one in cells if one.expected == "refused" and one.seen != "refused"]
    missing = [one for one in cells if one.expected == "allowed" and one.seen != "allowed"]
    return {
        "cells": len(cells),
        "allowed": sum(one.seen == "allowed" for one in cells),
        "refused": sum(one.seen == "refused" for one in cells),
        "over_grants": len(over),
        "missing_grants": len(missing),
        "differing": [asdict(one) for one in (*over, *missing)],
    }


def trial(directory: Path, everybody: Mapping[str, Role], granted: Mapping[str, Grants]) -> Any:
    """Returns the cells of a trial in a folder of its own."""
    with server(directory, {**granted, WITNESS: EVERYTHING}) as url:
        return asyncio.run(try_all(url, directory, everybody))


def show(console: Console, cells: list[Cell], found: Mapping[str, Any]) -> None:
    table = Table(title="Who may say and hear what", title_justify="left")
    columns = ("key of", "subjects", "may publish", "may hear", "refused", "over", "missing")
    for column in columns:
        table.add_column(column, justify="left" if column == "key of" else "right")
    differing = Counter((one["service"], one["expected"]) for one in found["differing"])
    for name in dict.fromkeys(one.service for one in cells):
        own = [one for one in cells if one.service == name]
        seen = Counter((one.action, one.seen) for one in own)
        table.add_row(
            name,
            str(len({one.subject for one in own})),
            str(seen["publish", "allowed"]),
            str(seen["subscribe", "allowed"]),
            str(seen["publish", "refused"] + seen["subscribe", "refused"]),
            str(differing[name, "refused"]),
            str(differing[name, "allowed"]),
        )
    console.print(table)
    for one in found["differing"]:
        console.print(
            f"{one['service']} {one['action']} {one['subject']}: "
            f"should be {one['expected']}, was {one['seen']}",
            highlight=False,
            markup=False,
        )
    console.print(
        f"{found['cells']:,} cells: {found['allowed']:,} allowed, {found['refused']:,} refused, "
        f"{found['over_grants']} over-grants, {found['missing_grants']} missing grants",
        highlight=False,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="infra.permission_trial",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", default="", metavar="desk.toml")
    parser.add_argument("--shards", action="store_true", help="a key for each underlying's agents")
    parser.add_argument("--json", metavar="FILE", help="also write cells and totals here")
    given = parser.parse_args()
    everybody = roles_of(given.config, is_sharded=given.shards)
    with tempfile.TemporaryDirectory(prefix="hedgerow-permissions-") as folder:
        cells = trial(Path(folder), everybody, all_grants(everybody))
    found = totals(cells)
    show(Console(), cells, found)
    if given.json:
        document = {**found, "matrix": [asdict(one) for one in cells]}
        Path(given.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0 if found["over_grants"] == found["missing_grants"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
