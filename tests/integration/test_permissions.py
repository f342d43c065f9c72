"""The private bus on a real server: the matrix, its trial's own eyes, and what strangers get."""

import asyncio
import dataclasses
import json
import os
import signal
import ssl

import msgspec
import nats
import pytest
import structlog

from infra import bus_keys, topology
from infra.permission_trial import (
    EVERYTHING,
    WITNESS,
    connect,
    make_streams,
    server,
    settle,
    totals,
    trial,
)
from infra.permissions import Role, all_grants, render, roles
from infra.provision import keep_streams
from shared.agent import Agent, AgentError
from shared.bus import Bus, BusError
from shared.bus_login import BusLogin
from shared.configuration import DeskConfig, Runtime
from shared.messages.market import FeedV1
from shared.messages.orders import FillV1, PlaceOrderV1
from shared.messages.risk import LeaseV1
from shared.service import Service, on
from shared.streams import StreamError, api
from tests.integration.server import CLOCK, until


@pytest.fixture(scope="module")
def everybody():
    return roles(topology.services(), DeskConfig())


@pytest.fixture(scope="module")
def granted(everybody):
    return all_grants(everybody)


def test_every_cell_is_as_the_wiring_says(everybody, granted, tmp_path):
    cells = trial(tmp_path, everybody, granted)
    found = totals(cells)
    assert found["cells"] >= 500
    assert found["differing"] == []
    assert found["allowed"] > 200
    assert {one.service for one in cells} == {*everybody}
    assert {one.action for one in cells} == {"publish", "subscribe"}


def test_one_grant_too_many_and_one_too_few_are_seen(everybody, granted, tmp_path):
    few = {name: everybody[name] for name in ("hedging", "risk", "gateway", "provisioner")}
    altered = {name: granted[name] for name in few}
    hedging, risk = altered["hedging"], altered["risk"]
    altered["hedging"] = dataclasses.replace(
        hedging, publish=(*hedging.publish, "orders.place.v1"), publish_never=()
    )
    altered["risk"] = dataclasses.replace(
        risk, subscribe=tuple(one for one in risk.subscribe if one != "market.ticks.>")
    )
    found = totals(trial(tmp_path, few, altered))
    over = [one for one in found["differing"] if one["expected"] == "refused"]
    assert {(one["service"], one["subject"]) for one in over} == {
        ("hedging", "orders.place.v1"),
        ("hedging", "$JS.API.CONSUMER.CREATE.RECORD.gateway-commands"),
    }
    missing = [one for one in found["differing"] if one["expected"] == "allowed"]
    assert {one["service"] for one in missing} == {"risk"}
    assert all(one["subject"].startswith("market.ticks.") for one in missing)
    assert (found["over_grants"], found["missing_grants"]) == (len(over), len(missing))


async def test_strangers_and_open_lines_are_refused(granted, tmp_path):
    with server(tmp_path, {"risk": granted["risk"]}) as url:
        bus_keys.write_seeds(tmp_path / "elsewhere", ("risk",))
        authority = str(tmp_path / "ca.pem")
        stranger = BusLogin("risk", str(tmp_path / "elsewhere" / "risk.nk"), authority)
        keyless = {"tls": ssl.create_default_context(cafile=authority)}
        for options in ({}, keyless, stranger.options()):
            with pytest.raises((nats.errors.Error, OSError, ssl.SSLError)):
                await nats.connect(url, allow_reconnect=False, connect_timeout=2, **options)
        bus_keys.write_certificates(tmp_path / "impostor", ())
        seed = str(tmp_path / "keys" / "risk.nk")
        misled = BusLogin("risk", seed, str(tmp_path / "impostor" / "ca.pem"))
        with pytest.raises(ssl.SSLCertVerificationError):
            await nats.connect(url, allow_reconnect=False, **misled.options())
        speaker = await connect(url, tmp_path, "risk")
        assert speaker.client.is_connected
        await speaker.client.close()


async def test_a_new_service_has_its_row_after_a_reload(granted, tmp_path):
    few = {"risk": granted["risk"]}
    with server(tmp_path, few) as url:
        there = await connect(url, tmp_path, "risk")
        render(tmp_path, {**few, "hedging": granted["hedging"]})
        with pytest.raises((nats.errors.Error, OSError)):
            await connect(url, tmp_path, "hedging")
        os.kill(int((tmp_path / "nats.pid").read_text()), signal.SIGHUP)
        # A connection made while the server still reloads may be cut by it.
        log = tmp_path / "server.log"
        await until(lambda: "Reloaded server configuration" in log.read_text(encoding="utf-8"))
        new = await connect(url, tmp_path, "hedging")
        await new.client.publish("hedging.intent.v1.BTC", b"")
        await new.client.publish("risk.lease.v1.BTC", b"")
        await settle(new.client)
        assert new.forbidden == {("publish", "risk.lease.v1.btc")}
        assert there.client.is_connected
        for speaker in (there, new):
            await speaker.client.close()


async def test_nobody_takes_over_another_ones_commands(everybody, granted, tmp_path):
    with server(tmp_path, {**granted, WITNESS: EVERYTHING}) as url:
        names = ("provisioner", "hedging", WITNESS)
        provisioner, hedging, witness = [await connect(url, tmp_path, name) for name in names]
        await make_streams(provisioner.client)
        config = {"durable_name": "gateway-commands", "name": "gateway-commands",
                  "deliver_subject": "_INBOX_hedging.stolen", "ack_policy": "none"}  # fmt: skip
        body = json.dumps({"stream_name": "RECORD", "config": config}).encode()
        for subject in ("CREATE.RECORD.gateway-commands", "DURABLE.CREATE.RECORD.gateway-commands"):
            with pytest.raises(nats.errors.TimeoutError):
                await hedging.client.request(f"$JS.API.CONSUMER.{subject}", body, timeout=0.5)
        # A follower's consumer cannot be made to speak as a stream's own subject.
        config = {"name": "x", "deliver_subject": "orders.place.v1", "ack_policy": "none"}
        body = json.dumps({"stream_name": "RECORD", "config": config}).encode()
        answer = await hedging.client.request("$JS.API.CONSUMER.CREATE.RECORD.x", body, timeout=2)
        assert "cycle" in json.loads(answer.data)["error"]["description"]
        listed = await witness.client.request("$JS.API.CONSUMER.NAMES.RECORD", b"", timeout=2)
        assert json.loads(listed.data)["total"] == 0
        for speaker in (provisioner, hedging, witness):
            await speaker.client.close()


def agent(name, publishes, url, tmp_path, consumes=()):
    runtime = Runtime(
        run_id="test", directory=str(tmp_path), config_path="", nats_url=url, clock_offset_ns=0,
        seed=1, chain_path="", venue_ws_url="", venue_http_url="", venue_client_id="",
        venue_client_secret_path="", http_ports={}, bus_authority_path=str(tmp_path / "ca.pem"),
        bus_seed_path=str(tmp_path / "keys" / f"{name}.nk"),
    )  # fmt: skip
    service = Service(name=name, publishes=frozenset(publishes), consumes=consumes)
    return Agent(service, runtime, CLOCK, structlog.get_logger())


async def test_an_agent_that_may_not_say_what_it_will_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.bus.CONNECT_S_MAX", 0.5)
    monkeypatch.setattr("shared.bus.API_TIMEOUT_S", 0.5)
    wired = {
        "one": Role(Service(name="one", publishes=frozenset({FeedV1}))),
        "provisioner": Role(Service(name="provisioner"), has_shell=False, keeps_streams=True),
    }
    never = asyncio.Event()
    with server(tmp_path, all_grants(wired)) as url:
        with pytest.raises(AgentError, match="the provisioner has not made RECORD"):
            await agent("one", {FeedV1}, url, tmp_path).run(never)
        provisioner = await connect(url, tmp_path, "provisioner")
        await make_streams(provisioner.client)
        await provisioner.client.close()
        with pytest.raises(AgentError, match=r'violation for publish to "orders\.place\.v1"'):
            await agent("one", {PlaceOrderV1}, url, tmp_path).run(never)
        with pytest.raises(AgentError, match=r"CONSUMER\.CREATE\.RECORD"):
            await agent("one", (), url, tmp_path, (on(FillV1, lambda _: ()),)).run(never)
        await says_when_deaf(agent("one", (), url, tmp_path, (on(LeaseV1, lambda _: ()),)))
        stop = asyncio.Event()
        good = agent("one", {FeedV1}, url, tmp_path)
        running = asyncio.create_task(good.run(stop))
        await until(lambda: running.done() or not good.not_ready())
        stop.set()
        await running


async def says_when_deaf(deaf: Agent) -> None:
    """What an agent may not hear makes it unready, by the subject's name."""
    stop = asyncio.Event()
    running = asyncio.create_task(deaf.run(stop))
    await until(lambda: running.done() or "risk.lease" in deaf.not_ready())
    stop.set()
    await running


async def test_the_provisioner_brings_back_a_lost_stream_and_an_agent_does_not(tmp_path):
    """STATE is in memory: it is gone when the server comes back."""
    wired = {
        "one": Role(Service(name="one", publishes=frozenset({FeedV1}))),
        "provisioner": Role(Service(name="provisioner"), has_shell=False, keeps_streams=True),
    }
    with server(tmp_path, {**all_grants(wired), WITNESS: EVERYTHING}) as url:
        one = agent("one", {FeedV1}, url, tmp_path)
        seed = str(tmp_path / "keys" / "provisioner.nk")
        facts = msgspec.structs.replace(one.runtime, bus_seed_path=seed)
        failures: list[BaseException] = []
        keeper = await keep_streams(facts, failures.append)
        stop = asyncio.Event()
        running = asyncio.create_task(one.run(stop))
        await until(lambda: running.done() or not one.not_ready())
        witness = await connect(url, tmp_path, WITNESS)
        await witness.client.request("$JS.API.STREAM.DELETE.STATE", b"", timeout=2)
        await one.bus.client.force_reconnect()
        await asyncio.sleep(1.0)
        assert not await is_there(keeper, "STATE")
        await keeper.client.force_reconnect()
        await until(lambda: keeper.counts.connected_count > 1)
        for _ in range(100):
            if await is_there(keeper, "STATE"):
                break
            await asyncio.sleep(0.05)
        assert await is_there(keeper, "STATE")
        await until(lambda: running.done() or not one.not_ready())
        stop.set()
        await running
        for bus in (keeper, witness.client):
            await bus.close()
        assert failures == []


async def is_there(bus: Bus, stream: str) -> bool:
    try:
        await api(bus.call, f"STREAM.INFO.{stream}", {})
    except (StreamError, BusError):
        return False
    return True
