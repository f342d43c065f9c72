import asyncio
import base64
import contextlib

import aiohttp
import msgspec
import nats
import pytest

from shared import follow
from shared.agent import AgentError
from shared.messages.market import FeedV1, TicksV1
from shared.messages.message import Message, decode, encode, subject_of
from shared.messages.orders import AccountV1, CancelOrderV1, FillV1
from shared.messages.risk import HaltV1
from shared.service import Service, every, on
from shared.streams import RECORD, api
from tests.integration.running import Sink, account, cancel, feed, fill, publisher, run_agent, ticks
from tests.integration.server import until


async def test_messages_of_each_delivery_kind_reach_a_reader(server, tmp_path):
    sink, say = Sink(), []
    reader = Service(
        name="reader", consumes=tuple(on(kind, sink.take) for kind in (FillV1, FeedV1, TicksV1))
    )
    speaker = publisher(frozenset({FillV1, FeedV1, TicksV1}), say)
    async with run_agent(reader, server, tmp_path), run_agent(speaker, server, tmp_path):
        say += [fill(1), feed(1), ticks(1), fill(2)]
        await until(lambda: len(sink.got) == 4)
        assert [message.trade_id for message in sink.of(FillV1)] == ["T-1", "T-2"]


async def test_a_late_reader_starts_from_state_then_record_then_start(server, tmp_path):
    order: list[str] = []
    say: list[Message] = [feed(1), feed(2), fill(1), fill(2)]
    speaker = publisher(frozenset({FillV1, FeedV1}), say)

    def took(name):
        def handler(message):
            order.append(f"{name} {getattr(message, 'trade_id', '')}".strip())
            return ()

        return handler

    reader = Service(
        name="reader",
        consumes=(on(FeedV1, took("feed")), on(FillV1, took("fill"), replay=True)),
        start=took("start"),
    )
    async with run_agent(speaker, server, tmp_path) as running:
        await until(lambda: not say and not len(running.agent.bus.outbox))
        async with run_agent(reader, server, tmp_path):
            assert order == ["feed", "fill T-1", "fill T-2", "start"]
            say.append(fill(3))
            await until(lambda: order[-1] == "fill T-3")


@contextlib.asynccontextmanager
async def account_reader(server, tmp_path):
    """An agent that reads fills and accounts, what it got, and what another is to say."""
    sink, say = Sink(), []
    reader = Service(name="reader", consumes=(on(FillV1, sink.take), on(AccountV1, sink.take)))
    speaker = publisher(frozenset({FillV1, AccountV1}), say)
    async with (
        run_agent(reader, server, tmp_path) as running,
        run_agent(speaker, server, tmp_path),
    ):
        yield running, sink, say


@pytest.mark.parametrize("is_held", [True, False])
async def test_an_account_waits_for_the_fills_it_speaks_of(server, tmp_path, monkeypatch, is_held):
    """The reader's consumer of the record falls silent: what it lacks is not known to it yet."""
    if not is_held:
        monkeypatch.setattr(follow, "WHOLE_NS_MAX", 10**18)
    async with account_reader(server, tmp_path) as (running, sink, say):
        say.append(fill(1))
        await until(lambda: len(sink.got) == 1)
        [record] = [one for one in running.agent.intake._followers if one._stream == RECORD]
        await until(lambda: record.is_whole)
        record._generation += 1  # it hears no more, until it looks after itself
        await until(lambda: not record.is_whole or not is_held, 5_000)
        say += [fill(2), account(2)]
        await until(lambda: len(sink.got) == 3)
        kinds = [type(message) for message in sink.got[1:]]
        assert kinds == ([FillV1, AccountV1] if is_held else [AccountV1, FillV1])


async def test_an_account_that_waited_is_not_handed_on_after_a_newer_one(server, tmp_path):
    async with account_reader(server, tmp_path) as (running, sink, say):
        intake = running.agent.intake
        running.agent.bus.on_tick.remove(intake._take_late)  # the test says when
        [record] = [one for one in intake._followers if one._stream == RECORD]
        record._generation += 1
        await until(lambda: not record.is_whole, 5_000)
        say.append(account(1))
        await until(lambda: intake._late)
        await until(lambda: record.is_whole, 10_000)
        say.append(account(2))
        await until(lambda: sink.got)
        await intake._take_late()
        running.agent.bus.on_tick.append(intake._take_late)
        say.append(account(3))
        await until(lambda: sink.got[-1].last_trade_id == "T-3")
        assert [message.last_trade_id for message in sink.got] == ["T-2", "T-3"]


async def test_what_a_replay_yields_is_not_said_again(server, tmp_path):
    say: list[Message] = [fill(1)]
    halt = HaltV1(
        created_ns=1, halt_id="h", underlying="all", action="halt", reason="r", author="a"
    )
    sink = Sink()
    reader = Service(
        name="reader",
        consumes=(on(FillV1, lambda _: (halt,), replay=True),),
        publishes=frozenset({HaltV1}),
    )
    watcher = Service(name="watcher", consumes=(on(HaltV1, sink.take),))
    async with (
        run_agent(watcher, server, tmp_path),
        run_agent(publisher(frozenset({FillV1}), say), server, tmp_path) as speaker,
    ):
        await until(lambda: not say and not len(speaker.agent.bus.outbox))
        async with run_agent(reader, server, tmp_path):
            assert not sink.got
            say.append(fill(2))
            await until(lambda: sink.got)


async def test_a_command_is_executed_once_over_a_crash(server, tmp_path):
    first, second = Sink(), Sink()
    say: list[Message] = [cancel(1), cancel(2)]

    def gateway(sink: Sink) -> Service:
        return Service(name="gateway", consumes=(on(CancelOrderV1, sink.take, command=True),))

    async with run_agent(publisher(frozenset({CancelOrderV1}), say), server, tmp_path):
        async with run_agent(gateway(first), server, tmp_path) as running:
            await until(lambda: len(first.got) == 2)
            await running.agent.bus.client.flush()
            await running.crash()
        say.append(cancel(3))
        async with run_agent(gateway(second), server, tmp_path):
            await until(lambda: second.got)
            assert [message.order_id for message in second.got] == ["o3"]


async def test_an_exception_in_a_handler_ends_the_agent(server, tmp_path):
    def broken(_):
        raise ZeroDivisionError

    say: list[Message] = []
    reader = Service(name="reader", consumes=(on(FeedV1, broken),))
    async with (
        run_agent(publisher(frozenset({FeedV1}), say), server, tmp_path),
        run_agent(reader, server, tmp_path) as running,
    ):
        say.append(feed(1))
        with pytest.raises(AgentError):
            await running.task


async def test_an_undeclared_output_ends_the_agent(server, tmp_path):
    speaker = publisher(frozenset(), [feed(1)])
    async with run_agent(speaker, server, tmp_path, ready=False) as running:
        with pytest.raises(AgentError, match="never declared FeedV1"):
            await running.task


async def test_bad_bytes_are_dead_lettered_and_life_goes_on(server, tmp_path):
    sink = Sink()
    reader = Service(
        name="reader",
        consumes=(
            on(TicksV1, sink.take),
            on(FeedV1, sink.take),
            on(FillV1, sink.take, replay=True),
            on(CancelOrderV1, sink.take, command=True),
        ),
    )
    bad = [
        ("market.ticks.v1.BTC", b"{"),
        ("market.ticks.v9.BTC", b"{}"),
        ("market.feed.v1", b'{"type":"market.feed.v1"}'),
        ("orders.fill.v1.BTC", b"\xff\xfe"),
        ("orders.fill.v1.ETH", encode(fill(9))),
        ("orders.cancel.v1", b"[" * 100_000),
    ]
    async with run_agent(reader, server, tmp_path) as running:
        client = await nats.connect(server.url)
        for subject, data in bad:
            await client.publish(subject, data)
        await client.publish(subject_of(fill(1)), encode(fill(1)))
        await until(lambda: sink.of(FillV1))
        await until(lambda: running.agent.intake.dead_letter_count == len(bad))
        await until(lambda: not len(running.agent.bus.outbox))
        letters = await client.jetstream().pull_subscribe("desk.dead_letter.>", stream="DEAD")
        found = {
            msgspec.json.decode(message.data)["subject"] for message in await letters.fetch(10)
        }
        assert found == {subject for subject, _ in bad}
        assert not running.agent.not_ready()
        await client.close()


async def state_of(bus) -> list:
    """What FeedV1 in STATE says; None for what cannot be read."""
    body = {"subjects_filter": ">"}
    info = await api(bus.call, "STREAM.INFO.STATE", body)
    found = []
    for subject in info["state"].get("subjects", {}):
        stored = await api(bus.call, "STREAM.MSG.GET.STATE", {"last_by_subj": subject})
        data = base64.b64decode(stored["message"]["data"])
        found.append(decode(FeedV1, data).reconnect_count if data[:1] == b"{" else None)
    return found


async def test_garbage_in_place_of_a_state_is_replaced_by_its_publisher(server, tmp_path):
    sink = Sink()
    reader = Service(name="reader", consumes=(on(FeedV1, sink.take),))
    say: list[Message] = [feed(7)]
    async with run_agent(publisher(frozenset({FeedV1}), say), server, tmp_path) as speaker:
        await until(lambda: not say and not len(speaker.agent.bus.outbox))
        client = await nats.connect(server.url)
        await client.publish("market.feed.v1", b"garbage")
        await client.publish("market.feed.v1.nobody", b"garbage")
        await until(lambda: speaker.agent._keeper.mended_count == 2)
        await client.close()
        async with asyncio.timeout(5):
            while await state_of(speaker.agent.bus) != [7]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with run_agent(reader, server, tmp_path) as running:
            assert [message.reconnect_count for message in sink.got] == [7]
            assert running.agent.intake.dead_letter_count == 0


async def test_drain_waits_for_the_core_then_flushes(server, tmp_path):
    said = []
    speaker = Service(
        name="speaker",
        publishes=frozenset({HaltV1}),
        drain=lambda timer: (
            HaltV1(
                created_ns=timer.created_ns,
                halt_id="drain",
                underlying="all",
                action="halt",
                reason="r",
                author="a",
            ),
        ),
        timers=(every(20, lambda _: said.append(1) or ()),),
        is_drained=lambda: len(said) > 5,
    )
    sink = Sink()
    watcher = Service(name="watcher", consumes=(on(HaltV1, sink.take),))
    async with (
        run_agent(watcher, server, tmp_path),
        run_agent(speaker, server, tmp_path) as running,
    ):
        await running.stop()
        assert len(said) > 5
        await until(lambda: sink.got)


async def test_health_readiness_metrics_and_service_protocol_answer(server, tmp_path):
    reader = Service(name="reader", consumes=(on(FeedV1, lambda _: ()),))
    async with run_agent(reader, server, tmp_path) as running:
        base = f"http://127.0.0.1:{running.agent.http.port}"
        async with aiohttp.ClientSession() as http:
            for path, part in (
                ("/health", "is_alive"),
                ("/ready", "reader"),
                ("/metrics", "message_handled_total"),
            ):
                async with http.get(base + path) as answer:
                    assert answer.status == 200
                    assert part in await answer.text()
        client = await nats.connect(server.url)
        for verb in ("PING", "INFO", "STATS"):
            answer = await client.request(f"$SRV.{verb}.reader", b"")
            assert msgspec.json.decode(answer.data)["name"] == "reader"
        await client.close()
        server.pause()
        await until(lambda: running.agent.not_ready() == "NATS is away", 8_000)
        server.resume()
        await until(lambda: not running.agent.not_ready(), 8_000)
