"""The traps of streams and consumers: restarts, holes, redelivery, and what a timeout means."""

import asyncio

import nats
import pytest
from nats.js.api import ConsumerConfig

from shared import bus as bus_module
from shared.follow import CommandQueue, Follower
from shared.outbox import Parcel
from shared.streams import RECORD, api
from tests.integration.clients import bare, ours, parcel, record_of
from tests.integration.server import NatsServer, until


async def test_trap_bare_consumer_in_memory_is_gone_after_a_server_restart(server):
    async with bare(server, reconnect_time_wait=0.1) as client:
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s"])
        got = []

        async def take(message):
            got.append(message)

        await stream.subscribe("s", cb=take, config=ConsumerConfig(mem_storage=True))
        await stream.publish("s", b"1")
        await until(lambda: got)
        server.kill()
        server.start()
        await until(lambda: client.stats["reconnects"] and client.is_connected)
        await client.flush()
        await stream.publish("s", b"2")
        await asyncio.sleep(1.0)  # the trap is that it never comes
        assert len(got) == 1


async def follow(bus, got):
    def defer(call):
        answer = call()
        if answer is not None:
            bus._spawn(lambda: answer)

    follower = Follower(
        bus, "test", RECORD, ["orders.fill.>"], lambda d: got.append(int(d.message.data)), defer
    )
    await follower.start()
    return follower


async def test_a_follower_goes_on_after_a_server_restart_without_a_gap(server):
    async with ours(server) as bus, ours(server) as speaker:
        got = []
        follower = await follow(bus, got)
        for number in range(50):
            await speaker.post(parcel(number))
        await until(lambda: len(got) == 50)
        server.kill()
        for number in range(50, 80):
            await speaker.post(parcel(number))
        server.start()
        await until(lambda: len(got) >= 80, 10_000)
        assert got == list(range(80))
        assert follower.rebind_count >= 1


async def test_a_follower_mends_a_hole_in_its_sequence(server):
    async with ours(server) as bus, ours(server) as speaker:
        got = []
        follower = await follow(bus, got)
        await speaker.post(parcel(0))
        await until(lambda: got == [0])
        follower._consumer_sequence -= 1  # as if a message had been lost on the way
        await speaker.post(parcel(1))
        await speaker.post(parcel(2))
        await until(lambda: len(got) == 3)
        assert got == [0, 1, 2]
        assert follower.rebind_count == 1


async def test_a_stream_that_lost_its_past_fails_the_reader(server, tmp_path):
    async with ours(server) as bus, ours(server) as speaker:
        got = []
        await follow(bus, got)
        await speaker.post(parcel(0))
        await until(lambda: got)
        server.kill()
        (tmp_path / "js").rename(tmp_path / "js-lost")
        server.start()
        await until(lambda: bus.failures, 10_000)
        assert "ends at 0" in str(bus.failures[0])


async def test_trap_consumer_defaults_redeliver_without_end(server):
    async with bare(server) as client:
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s"])
        subscription = await stream.pull_subscribe("s", durable="d")
        configuration = (await subscription.consumer_info()).config
        assert configuration.max_deliver == -1
        assert configuration.ack_wait == 30


async def test_command_consumers_state_every_setting(server):
    async with ours(server) as bus:
        await CommandQueue(bus, "gateway", ["orders.place.>"], lambda _: None).start()
        info = await api(bus.call, f"CONSUMER.INFO.{RECORD}.gateway-commands", {})
        wanted = {"max_deliver": 20, "ack_wait": 5_000_000_000, "max_ack_pending": 256}
        assert wanted.items() <= info["config"].items()


async def test_a_command_that_is_never_acknowledged_is_given_up_at_last(server, monkeypatch):
    monkeypatch.setattr("shared.follow.COMMAND_ACK_WAIT_NS", 50_000_000)
    async with ours(server) as bus:
        counts, exhausted = [], []
        queue = CommandQueue(
            bus,
            "gateway",
            ["orders.fill.>"],
            lambda d: counts.append(d.delivery_count),
            lambda *what: exhausted.append(what),
        )
        await queue.start()
        await bus.post(parcel(1))
        await until(lambda: exhausted)
        assert counts == [*range(1, 21)]
        assert exhausted == [("orders.fill.v1.BTC", b"1", 1)]


async def test_trap_a_timeout_does_not_mean_that_nothing_was_stored(server):
    async with bare(server) as client:
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s"])
        server.pause()
        with pytest.raises(nats.errors.TimeoutError):
            await stream.publish("s", b"1", timeout=0.2)
        server.resume()
        info = None
        while info is None or not info.state.messages:
            info = await stream._jsm.stream_info("S")
        assert info.state.messages == 1


async def test_a_late_ack_is_followed_by_one_stored_copy(server, monkeypatch):
    monkeypatch.setattr(bus_module, "ACK_TIMEOUT_NS", 200_000_000)
    async with ours(server) as bus:
        server.pause()
        await bus.post(parcel(1))
        await asyncio.sleep(0.5)  # past the ack's time, before the ping's
        server.resume()
        await until(lambda: not len(bus.outbox), 8_000)
        assert bus.counts.resent_count >= 1
        assert await record_of(server) == [1]


async def test_states_come_back_after_a_restart_that_lost_them(server):
    async with ours(server) as bus:
        for data in (b"old", b"new"):
            await bus.post(Parcel("market.feed.v1", data, None, {}))
        await until(lambda: not len(bus.outbox))
        server.kill()
        server.start()
        await until(lambda: bus.is_connected and bus.counts.connected_count == 2, 8_000)
        await until(lambda: not len(bus.outbox) and bus._is_flowing, 8_000)
        info = await api(bus.call, "STREAM.MSG.GET.STATE", {"last_by_subj": "market.feed.v1"})
        assert info["message"]["data"] == "bmV3"


async def test_streams_are_ensured_again_where_their_space_is_all_there_is(tmp_path):
    server = NatsServer(tmp_path, "", store="max_memory_store: 70MB, max_file_store: 1800MB")
    try:
        async with ours(server), ours(server) as bus:
            info = await api(bus.call, f"STREAM.INFO.{RECORD}", {})
            assert info["config"]["discard"] == "new"
    finally:
        server.kill()


async def test_a_reader_that_waits_for_an_answer_keeps_no_other_waiting(server):
    """Two servers of three are dead: the first reader's calls take seconds to fail."""
    looks = []

    async def wait_for_an_answer():
        await asyncio.sleep(60)

    async def look():
        looks.append(None)

    async with ours(server) as bus:
        bus.on_tick += [wait_for_an_answer, look]
        await until(lambda: len(looks) >= 3)
