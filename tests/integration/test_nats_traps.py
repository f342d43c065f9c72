"""Each trap of nats-py, sprung on the bare client and shown harmless behind shared/bus.py."""

import asyncio
import contextlib
import time

import nats
import pytest
from nats.errors import (
    ConnectionReconnectingError,
    OutboundBufferLimitError,
    SlowConsumerError,
)

from shared import bus as bus_module
from shared.bus import Bus, BusError
from shared.streams import RECORD, api
from tests.integration.clients import bare, ours, parcel, record_of
from tests.integration.server import CLOCK, NatsServer, until


async def test_trap_lost_acks_leave_bare_futures_open_for_ever(server):
    async with bare(server, reconnect_time_wait=0.1) as client:
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s"])
        server.pause()
        future = await stream.publish_async("s", b"1")
        await client._flush_pending()
        server.kill()
        server.start()
        await until(lambda: client.stats["reconnects"] and client.is_connected)
        await client.flush()
        await stream.publish("s", b"2")  # the server is well again
        assert not future.done()
        assert stream.publish_async_pending() == 1


async def test_lost_acks_are_answered_by_the_same_ids_in_order(server):
    async with ours(server) as bus:
        for number in range(100):
            await bus.post(parcel(number))
        server.pause()
        for number in range(100, 200):
            await bus.post(parcel(number))
        server.kill()
        for number in range(200, 250):
            await bus.post(parcel(number))
        assert len(bus.outbox) >= 50
        server.start()
        await until(lambda: not len(bus.outbox), 10_000)
        assert bus.counts.resent_count > 0
        assert await record_of(server) == list(range(250))
        assert not bus.failures


async def test_trap_permission_violation_is_silent_on_the_bare_client(tmp_path):
    server = NatsServer(tmp_path, NARROW)
    try:
        async with bare(server, user="agent", password="pw") as client:
            await client.publish("forbidden", b"x")  # no exception
            await until(lambda: client.seen_errors)
            assert "permissions violation" in str(client.seen_errors[0])
    finally:
        server.kill()


async def test_self_test_names_the_forbidden_subject_and_stores_nothing(tmp_path):
    server = NatsServer(tmp_path, NARROW)
    url = server.url.replace("nats://", "nats://agent:pw@")
    bus = Bus(url=url, name="test", clock=CLOCK, on_failure=lambda _: None)
    try:
        await bus.connect()
        await bus.self_test(["orders.fill.v1.probe"])
        with pytest.raises(BusError, match=r"risk\.halt\.v1"):
            await bus.self_test(["risk.halt.v1"])
        info = await api(bus.call, f"STREAM.INFO.{RECORD}", {})
        assert info["state"]["messages"] == 0
    finally:
        await bus.close(0.5)
        server.kill()


async def test_a_violation_while_running_is_a_latched_alarm(tmp_path):
    server = NatsServer(tmp_path, NARROW)
    url = server.url.replace("nats://", "nats://agent:pw@")
    bus = Bus(url=url, name="test", clock=CLOCK, on_failure=lambda _: None)
    try:
        await bus.connect()
        await bus.publish("risk.halt.v1", b"{}")
        await until(lambda: "risk.halt.v1" in bus.alarm)
    finally:
        await bus.close(0.5)
        server.kill()


async def test_trap_the_ping_of_a_flush_overtakes_what_it_should_flush(server):
    async with bare(server) as client:
        written = []
        client._transport.write = written.append
        client._transport.writelines = written.extend
        await client.publish("s", b"x")
        with contextlib.suppress(nats.errors.Error):
            await client.flush(timeout=0.05)
        assert written[0] == b"PING\r\n"
        assert written[1].startswith(b"PUB s")


async def test_trap_drain_refuses_while_reconnecting(server):
    async with bare(server, reconnect_time_wait=0.1) as client:
        server.kill()
        await until(lambda: client.is_reconnecting)
        with pytest.raises(ConnectionReconnectingError):
            await client.drain()


async def test_close_ends_in_time_without_a_server(server):
    async with ours(server) as bus:
        server.kill()
        await until(lambda: not bus.is_connected)
        began = time.monotonic()
        await bus.close(1.0)
        assert time.monotonic() - began < 4.0


async def test_trap_bare_client_buffers_and_sends_late(server):
    async with bare(server, reconnect_time_wait=0.1, pending_size=4_096) as client:
        server.kill()
        await until(lambda: client.is_reconnecting)
        await client.publish("quote", b"stale" * 100)  # accepted, to be sent who knows when
        for _ in range(6):
            await client.publish("quote", b"stale" * 100)
        with pytest.raises(OutboundBufferLimitError):
            await client.publish("quote", b"stale" * 100)


async def test_lossy_messages_are_refused_while_the_server_is_away(server):
    async with ours(server) as bus:
        server.kill()
        await until(lambda: not bus.is_connected)
        assert not await bus.publish("market.ticks.v1.BTC", b"{}")
        assert bus.counts.lossy_refused_count == 1


async def test_a_push_writes_what_nats_py_would_write_later(server):
    async with ours(server) as bus:
        await bus.publish("market.ticks.v1.BTC", b"{}")
        assert bus.client._pending
        bus.push()
        assert not bus.client._pending
        assert not bus.client._pending_data_size


async def test_trap_half_open_link_is_not_noticed_by_default(server):
    async with bare(server) as client:
        server.pause()
        await asyncio.sleep(4.0)  # the trap is that nothing happens in this time
        assert client.is_connected
        server.resume()


async def test_half_open_link_is_noticed_within_five_seconds(server):
    async with ours(server) as bus:
        server.pause()
        await until(lambda: not bus.is_connected, 5_000)
        server.resume()
        await until(lambda: bus.is_connected, 6_000)


async def test_trap_slow_consumer_only_whispers(server):
    async with bare(server) as client, bare(server) as speaker:
        got = []

        async def slow(message):
            got.append(message)
            await asyncio.sleep(0.01)

        await client.subscribe("burst", cb=slow, pending_msgs_limit=10)
        await client.flush()
        for _ in range(1_000):
            await speaker.publish("burst", b"x")
        await speaker.flush()
        await until(lambda: client.seen_errors)
        assert isinstance(client.seen_errors[0], SlowConsumerError)


@pytest.mark.parametrize("is_critical", [True, False])
async def test_slow_consumer_fails_the_agent_only_where_loss_matters(
    server, monkeypatch, is_critical
):
    monkeypatch.setattr(bus_module, "LOSSY_PENDING_MAX", 10)
    monkeypatch.setattr(bus_module, "CRITICAL_PENDING_MAX", 10)
    async with ours(server) as bus, bare(server) as speaker:
        await bus.subscribe("burst", lambda _: None, is_critical=is_critical)
        await bus.client.flush()
        for _ in range(1_000):
            await speaker.publish("burst", b"x")
        await speaker.flush()
        await until(lambda: bus.counts.critical_dropped_count + bus.counts.lossy_dropped.total())
        assert bool(bus.failures) == is_critical
        assert bool(bus.counts.critical_dropped_count) == is_critical


async def test_trap_bare_client_gives_up_for_good(server):
    async with bare(server, max_reconnect_attempts=2, reconnect_time_wait=0.02) as client:
        server.kill()
        await until(lambda: client.is_closed, 8_000)
        server.start()
        assert client.is_closed


async def test_the_bus_never_gives_up(server):
    async with ours(server) as bus:
        server.kill()
        attempts = bus.counts.error_count
        await until(lambda: bus.counts.error_count > attempts + 4, 8_000)
        server.start()
        await until(lambda: bus.is_connected, 8_000)
        assert not bus.failures


async def test_trap_an_exception_in_a_callback_is_swallowed(server):
    async with bare(server) as client:

        async def broken(_):
            raise ZeroDivisionError

        await client.subscribe("s", cb=broken)
        await client.publish("s", b"")
        await until(lambda: client.seen_errors)
        assert client.is_connected


async def test_an_exception_in_a_callback_fails_the_agent(server):
    def broken(_):
        raise ZeroDivisionError

    async with ours(server) as bus:
        await bus.subscribe("s", broken, is_critical=False)
        await bus.publish("s", b"")
        await until(lambda: bus.failures)


NARROW = """
authorization {
  users: [{
    user: agent, password: pw
    permissions: {
      publish: ["$JS.>", "_INBOX.>", "orders.fill.>", "forbidden-not"]
      subscribe: ["_INBOX.>"]
    }
  }]
}
"""
