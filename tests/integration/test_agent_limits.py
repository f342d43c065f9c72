"""What an agent does when something around it fails, is late, or is too much."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import msgspec
import nats
import pytest
import structlog

from shared import inbox as inbox_module
from shared.agent import Agent, AgentError
from shared.clock import NS_PER_S
from shared.messages.market import FeedV1, TicksV1
from shared.messages.message import encode, subject_of
from shared.messages.orders import CancelOrderV1, FillV1
from shared.service import Service, every, on
from tests.integration.running import Sink, cancel, feed, fill, publisher, run_agent, ticks
from tests.integration.server import CLOCK, NatsServer, runtime_for, until


class Outside:
    """An edge that does as the test says."""

    accepts = frozenset({int})

    def __init__(self):
        self.sent, self.deliver, self.is_open = [], None, False

    async def start(self, deliver):
        self.deliver, self.is_open = deliver, True

    def send(self, message):
        self.sent.append(message)

    async def stop(self):
        self.is_open = False


async def test_an_edge_delivers_to_the_core_and_takes_what_it_accepts(server, tmp_path):
    outside = Outside()
    service = Service(
        name="edged", consumes=(on(str, lambda text: (len(text),)),), edge=lambda: outside
    )
    async with run_agent(service, server, tmp_path) as running:
        outside.deliver("four")
        await until(lambda: outside.sent == [4])
        await running.stop()
    assert not outside.is_open


@pytest.mark.parametrize("delivered", [RuntimeError("the disk is full"), 7.5])
async def test_a_failed_edge_and_an_unknown_input_end_the_agent(server, tmp_path, delivered):
    outside = Outside()
    service = Service(name="edged", edge=lambda: outside)
    async with run_agent(service, server, tmp_path) as running:
        outside.deliver(delivered)
        with pytest.raises(AgentError):
            await running.task


async def test_old_and_future_lossy_messages_never_reach_the_core(server, tmp_path):
    sink = Sink()
    judge = Sink()
    reader = Service(
        name="reader", consumes=(on(TicksV1, sink.take), on(FeedV1, judge.take, late=True))
    )
    async with run_agent(reader, server, tmp_path) as running:
        client = await nats.connect(server.url)
        now_ns = CLOCK.wall_ns()
        for shift_s in (-3, 3_600, 0):
            stamped = msgspec.structs.replace(ticks(1), created_ns=now_ns + shift_s * NS_PER_S)
            await client.publish(subject_of(stamped), encode(stamped))
        late = msgspec.structs.replace(feed(1), created_ns=now_ns - 3 * NS_PER_S)
        await client.publish(subject_of(late), encode(late))
        await until(lambda: sink.got and judge.got)
        assert judge.got == [late]
        assert [message.created_ns for message in sink.got] == [now_ns]
        assert running.agent.worker.dropped_count == 1
        assert running.agent.intake.dead_letter_count == 1
        await client.close()


def slowed(sink):
    """Returns a handler that takes its time before the sink has the message."""

    def slow(message):
        time.sleep(0.01)
        return sink.take(message)

    return slow


async def test_a_slow_core_gets_the_newest_ticks_and_every_fill(server, tmp_path, monkeypatch):
    monkeypatch.setattr(inbox_module, "LOSSY_MAX", 4)
    sink = Sink()
    slow = slowed(sink)
    reader = Service(name="reader", consumes=(on(TicksV1, slow), on(FillV1, slow)))
    async with run_agent(reader, server, tmp_path) as running:
        client = await nats.connect(server.url)
        for number in range(100):
            for message in (ticks(number), fill(number)):
                await client.publish(subject_of(message), encode(message))
        await until(lambda: len(sink.of(FillV1)) == 100)
        await until(lambda: sink.of(TicksV1) and sink.of(TicksV1)[-1].sequence == 99)
        dropped = running.agent.inbox.dropped_count
        assert dropped > 0
        assert len(sink.of(TicksV1)) + dropped == 100
        assert running.agent.heartbeat().critical_dropped_count == 0
        await client.close()


async def test_what_was_shed_is_not_told_as_lost_by_the_bus(server, tmp_path, monkeypatch):
    monkeypatch.setattr(inbox_module, "LOSSY_MAX", 4)
    sink = Sink()
    slow = slowed(sink)
    reader = Service(name="reader", consumes=(on(TicksV1, slow),))
    async with run_agent(reader, server, tmp_path) as running:
        client = await nats.connect(server.url)
        await client.publish(subject_of(ticks(0)), encode(ticks(0)))
        await until(lambda: len(sink.of(TicksV1)) == 1)
        for number in range(1, 50):
            await client.publish(subject_of(ticks(number)), encode(ticks(number)))
        await until(lambda: sink.of(TicksV1)[-1].sequence == 49)
        assert running.agent.inbox.dropped_count > 0
        assert running.agent.intake.order.missed_count == 0
        await client.close()


async def test_timers_do_not_pile_up_behind_a_slow_core(server, tmp_path):
    times = []

    def slow(timer):
        times.append(timer.created_ns)
        time.sleep(0.05)
        return ()

    service = Service(name="ticking", timers=(every(5, slow),))
    async with run_agent(service, server, tmp_path) as running:
        await until(lambda: len(times) >= 6)
        assert len(running.agent.inbox) <= 2
        assert running.agent.telemetry.counters["timer_skipped"].labels().value > 0
        assert times == sorted(times)


async def test_durable_outputs_wait_out_a_dead_server_and_then_come_in_order(server, tmp_path):
    say, sink = [], Sink()
    reader = Service(name="reader", consumes=(on(FillV1, sink.take, replay=True),))
    speaker = publisher(frozenset({FillV1, TicksV1}), say)
    async with (
        run_agent(speaker, server, tmp_path) as speaking,
        run_agent(reader, server, tmp_path) as reading,
    ):
        say += [fill(number) for number in range(10)]
        await until(lambda: len(sink.got) == 10)
        server.kill()
        await until(lambda: speaking.agent.not_ready() == "NATS is away")
        say += [fill(number) for number in range(10, 30)] + [ticks(1)]
        await until(lambda: len(speaking.agent.bus.outbox) >= 20)
        assert speaking.agent.bus.counts.lossy_refused_count >= 1
        server.start()
        await until(lambda: len(sink.got) == 30, 10_000)
        assert [message.trade_id for message in sink.got] == [f"T-{n}" for n in range(30)]
        assert not reading.agent.not_ready()


async def test_what_could_not_be_sent_before_the_end_is_sent_by_the_next_life(server, tmp_path):
    say, sink = [], Sink()
    speaker = publisher(frozenset({FillV1}), say)
    async with run_agent(speaker, server, tmp_path) as running:
        server.kill()
        await until(lambda: not running.agent.bus.is_connected)
        say.append(fill(1))
        await until(lambda: len(running.agent.bus.outbox) == 1)
        await running.stop()
    assert (tmp_path / "publisher.outbox.json").exists()
    server.start()
    reader = Service(name="reader", consumes=(on(FillV1, sink.take, replay=True),))
    async with run_agent(reader, server, tmp_path), run_agent(speaker, server, tmp_path):
        await until(lambda: len(sink.got) == 1)
    assert not (tmp_path / "publisher.outbox.json").exists()


async def test_a_doubled_fill_reaches_the_core_once(server, tmp_path):
    sink = Sink()
    reader = Service(name="reader", consumes=(on(FillV1, sink.take, replay=True),))
    async with run_agent(reader, server, tmp_path):
        client = await nats.connect(server.url)
        for number in (1, 1, 2):  # without Nats-Msg-Id the stream keeps both
            await client.publish(subject_of(fill(number)), encode(fill(number)))
        await until(lambda: len(sink.got) == 2)
        assert [message.trade_id for message in sink.got] == ["T-1", "T-2"]
        await client.close()


async def test_a_command_that_kills_its_reader_is_dead_lettered_at_the_fifth_try(
    server, tmp_path, monkeypatch
):
    monkeypatch.setattr("shared.follow.COMMAND_ACK_WAIT_NS", NS_PER_S)
    tries, sink, letters = [], Sink(), 0

    def poison(message):
        tries.append(message)
        raise ZeroDivisionError

    def gateway(handler):
        return Service(name="gateway", consumes=(on(CancelOrderV1, handler, command=True),))

    say = [cancel(1)]
    async with run_agent(publisher(frozenset({CancelOrderV1}), say), server, tmp_path):
        for _ in range(4):
            async with run_agent(gateway(poison), server, tmp_path, ready=False) as running:
                done, _ = await asyncio.wait({running.task}, timeout=5)
                if not done:  # readers that were just ending were given a try each: this one buries
                    letters = running.agent.intake.dead_letter_count
                    break
                assert isinstance(running.task.exception(), AgentError)
        say.append(cancel(2))
        async with run_agent(gateway(sink.take), server, tmp_path) as running:
            intake = running.agent.intake
            await until(lambda: sink.got and letters + intake.dead_letter_count == 1)
            assert [message.order_id for message in sink.got] == ["o2"]
    assert 2 <= len(tries) <= 4


async def test_an_agent_told_to_stop_while_it_starts_ends_at_once(tmp_path, server):
    server.pause()
    service = Service(name="early", consumes=(on(FeedV1, lambda _: ()),))
    agent = Agent(service, runtime_for(server, tmp_path), CLOCK, structlog.get_logger())
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    await until(lambda: agent.http.port)
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_without_a_server_the_start_fails_in_time(tmp_path, server, monkeypatch):
    monkeypatch.setattr("shared.bus.CONNECT_S_MAX", 0.5)
    server.kill()
    agent = Agent(
        Service(name="alone"), runtime_for(server, tmp_path), CLOCK, structlog.get_logger()
    )
    with pytest.raises(AgentError, match="no NATS at"):
        await agent.run(asyncio.Event())


async def test_a_forbidden_subject_fails_the_start_by_its_name(tmp_path):
    server = NatsServer(
        tmp_path,
        "authorization { users: [{ user: a, password: b, permissions: { publish: { deny:"
        ' ["market.feed.>", "market.feed.v1"] } } }] }',
    )
    try:
        runtime = msgspec.structs.replace(
            runtime_for(server, tmp_path), nats_url=server.url.replace("//", "//a:b@")
        )
        service = Service(name="mute", publishes=frozenset({FeedV1}))
        agent = Agent(service, runtime, CLOCK, structlog.get_logger())
        with pytest.raises(AgentError, match=r"market\.feed\.v1"):
            await agent.run(asyncio.Event())
    finally:
        server.kill()


async def start_process(server, tmp_path, config="", **environment):
    path = tmp_path / "runtime.json"
    (tmp_path / "desk.toml").write_text(config)
    runtime = msgspec.structs.replace(
        runtime_for(server, tmp_path), config_path=str(tmp_path / "desk.toml")
    )
    path.write_bytes(msgspec.json.encode(runtime))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.hedging",
        env={**os.environ, "HEDGEROW_RUNTIME": str(path), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


async def test_a_process_drains_on_a_signal_and_exits_with_0(server, tmp_path):
    process = await start_process(server, tmp_path)
    while b"agent_started" not in (line := await asyncio.wait_for(process.stdout.readline(), 10)):
        assert line, await process.stderr.read()
    process.send_signal(signal.SIGTERM)
    output, _ = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    events = [msgspec.json.decode(line)["event"] for line in output.splitlines()]
    assert events == ["agent_draining", "agent_stopped"]


async def test_a_process_that_fails_exits_with_1_and_says_why_once(server, tmp_path):
    server.kill()
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", server.port)
    process = await start_process(server, tmp_path)
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    listener.close()
    assert process.returncode == 1
    lines = [msgspec.json.decode(line) for line in output.splitlines()]
    assert [line["event"] for line in lines] == ["agent_failed"]
    assert "no NATS" in lines[0]["reason"]


@pytest.mark.parametrize(
    ("config", "environment", "words"),
    [
        ("[hedging]\nno_such_key = 1\n", {}, b"[hedging]"),
        ("[desk]\ntrace_ratio = 2.0\n", {}, b"trace_ratio"),
        ("", {"HEDGEROW_RUNTIME": "/nowhere"}, b"/nowhere"),
        ("", {"HEDGEROW_RUNTIME": ""}, b"start agents with `hedgerow up`"),
    ],
)
async def test_a_wrong_configuration_exits_with_2_and_names_the_key(
    server, tmp_path, config, environment, words
):
    process = await start_process(server, tmp_path, config, **environment)
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert words in errors
