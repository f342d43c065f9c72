"""A person's word on a real bus: taken when market making says so, and from nobody else."""

import asyncio
import contextlib
import json
import sys

import msgspec
import pytest

from infra import bus_keys, deployment_files, desk_reach, topology
from infra.operator_bus import operator
from infra.permission_trial import connect, make_streams, server
from infra.permissions import all_grants, roles
from shared.clock import SystemClock
from shared.configuration import DeskConfig
from shared.messages.message import encode, subject_of
from shared.messages.quoting import QuotingStatusV1
from shared.messages.risk import HaltV1
from shared.streams import STATE

NAMES = ("operator", "market_making", "risk", "provisioner")


@pytest.fixture
def granted():
    everybody = roles(topology.services(), DeskConfig())
    return {name: one for name, one in all_grants(everybody).items() if name in NAMES}


@contextlib.contextmanager
def bus(folder, granted, monkeypatch):
    """A server with the desk's streams, and the environment of an operator's container."""
    with server(folder, granted) as url:
        facts = deployment_files.runtime("a test", (), ())
        path = folder / "targets.json"
        path.write_text(json.dumps([{"targets": ["127.0.0.1:1"], "labels": {"service": "risk"}}]))
        runtime = msgspec.structs.replace(facts, nats_url=url, targets_path=str(path))
        (folder / "runtime.json").write_bytes(msgspec.json.encode(runtime))
        monkeypatch.setenv("HEDGEROW_RUNTIME", str(folder / "runtime.json"))
        monkeypatch.setenv("HEDGEROW_BUS_CA_FILE", str(folder / "ca.pem"))
        monkeypatch.setenv("HEDGEROW_BUS_NKEY_FILE", str(folder / "keys" / "operator.nk"))
        yield url


def status(underlying, state, live):
    return QuotingStatusV1(
        created_ns=SystemClock().wall_ns(), underlying=underlying, state=state, quoted_count=live,
        one_sided_count=0, quotable_count=9, quotes_sent_count=0, quotes_refused_count=0,
        mmp_trigger_count=0, uptime_ratio=1.0,
    )  # fmt: skip


async def say(client, message):
    await client.jetstream().publish(subject_of(message), encode(message), stream=STATE)


@contextlib.asynccontextmanager
async def maker(url, folder):
    """Market making as the bus hears it: two underlyings are quoted. Yields its connection."""
    provisioner, speaker = [await connect(url, folder, name) for name in ("provisioner", NAMES[1])]
    await make_streams(provisioner.client)
    for name in ("BTC", "ETH"):
        await say(speaker.client, status(name, "active", 9))
    try:
        yield speaker.client
    finally:
        await provisioner.client.close()
        await speaker.client.close()


async def halts():
    async with operator(desk_reach.of_environment()) as there:
        return [one for one in await there.held(HaltV1) if isinstance(one, HaltV1)]


async def run(*argv):
    """Runs a command as a process of its own; returns its exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.command", *argv, stdout=-1, stderr=-1
    )
    out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


async def test_a_halt_is_taken_once_market_making_says_so(granted, tmp_path, monkeypatch):
    with bus(tmp_path, granted, monkeypatch) as url:
        async with maker(url, tmp_path) as client:
            halting = asyncio.create_task(run("halt", "BTC", "--reason", "a test", "--json"))
            while not (said := await halts()):
                assert not halting.done()
            assert (said[0].underlying, said[0].action, said[0].reason) == ("BTC", "halt", "a test")
            await say(client, status("BTC", "halted: halted", 2))  # two still rest
            await asyncio.sleep(0.3)
            assert not halting.done()
            await say(client, status("BTC", "halted: halted", 0))
            code, out, _ = await halting
            assert code == 0
            assert json.loads(out) == {"is_taken": True, "quoting": {"BTC": "halted: halted"}}


async def test_a_halt_that_nobody_takes_is_in_the_record_all_the_same(
    granted, tmp_path, monkeypatch
):
    """The off leg: a market maker that is dead, whose last word is still there."""
    with bus(tmp_path, granted, monkeypatch) as url:
        async with maker(url, tmp_path):
            code, out, errors = await run("halt", "--reason", "a test")
            assert code == 1
            assert "BTC active, 9 instruments quoted, as last heard of before" in out
            assert "it is in the record" in errors
            assert [one.underlying for one in await halts()] == ["all"]
            assert (await run("halt", "DOGE", "--reason", "a test"))[0] == 2
            assert len(await halts()) == 1


async def test_without_the_operators_key_nobody_halts(granted, tmp_path, monkeypatch):
    with bus(tmp_path, granted, monkeypatch) as url:
        async with maker(url, tmp_path):
            bus_keys.write_seeds(tmp_path / "elsewhere", ("operator",))
            stranger = str(tmp_path / "elsewhere" / "operator.nk")
            monkeypatch.setenv("HEDGEROW_BUS_NKEY_FILE", stranger)
            code, _, errors = await run("halt", "--reason", "a test")
            assert (code, "refuses this login" in errors) == (1, True)
            monkeypatch.setenv(
                "HEDGEROW_BUS_NKEY_FILE", str(tmp_path / "keys" / "market_making.nk")
            )
            code, _, errors = await run("halt", "--reason", "a test")
            assert (code, "ermission" in errors) == (1, True)
            assert "Traceback" not in errors
            monkeypatch.setenv("HEDGEROW_BUS_NKEY_FILE", str(tmp_path / "keys" / "operator.nk"))
            assert await halts() == []


async def test_a_bus_that_has_another_authority_is_refused(granted, tmp_path, monkeypatch):
    with bus(tmp_path, granted, monkeypatch):
        bus_keys.write_certificates(tmp_path / "impostor", ())
        monkeypatch.setenv("HEDGEROW_BUS_CA_FILE", str(tmp_path / "impostor" / "ca.pem"))
        code, _, errors = await run("halt", "--reason", "a test")
        assert (code, "refuses this login" in errors) == (1, True)
