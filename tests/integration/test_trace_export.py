"""Spans leave an agent over OTLP/HTTP, and join what two agents did."""

from infra.traces.receiver import OtlpReceiver
from shared.configuration import DeskConfig
from shared.messages.market import TicksV1
from shared.messages.orders import FillV1
from shared.service import Service, on
from shared.tracing import open_tracing
from tests.integration.running import fill, publisher, run_agent, ticks
from tests.integration.server import CLOCK, runtime_for, until


async def test_a_fill_and_what_it_led_to_are_one_exported_trace(server, tmp_path):
    with OtlpReceiver() as receiver:
        desk = DeskConfig(otlp_endpoint=receiver.endpoint, trace_ratio=1.0)

        def tracing(name):
            return open_tracing(name, desk, runtime_for(server, tmp_path), CLOCK)

        say = [ticks(1), fill(1)]
        reader = Service(
            name="reader",
            consumes=(on(TicksV1, lambda _: ()), on(FillV1, lambda got: (fill_of(got),))),
            publishes=frozenset({FillV1}),
        )
        speaker = publisher(frozenset({TicksV1, FillV1}), say)
        async with (
            run_agent(reader, server, tmp_path, tracing=tracing("reader")),
            run_agent(speaker, server, tmp_path, tracing=tracing("publisher")),
        ):
            await until(lambda: len(receiver.spans()) >= 5, 8_000)
        traces = {}
        for span in receiver.spans():
            traces.setdefault(span.place.trace_id, []).append((span.service, span.name))
        assert ("publisher", "publish market.ticks.v1.{key}") in traces_with(traces, "ticks")
        found = traces_with(traces, "fill")
        assert {
            ("publisher", "publish orders.fill.v1.{key}"),
            ("reader", "process orders.fill.v1.{key}"),
            ("reader", "publish orders.fill.v1.{key}"),
        } <= set(found)


def fill_of(got: FillV1) -> FillV1:
    """Another fill, once: the first leads to the second."""
    return fill(int(got.trade_id[2:]) + 1) if got.trade_id == "T-1" else fill(2)


def traces_with(traces: dict, word: str) -> list:
    return next(spans for spans in traces.values() if any(word in name for _, name in spans))


async def test_an_absent_collector_holds_up_nobody(server, tmp_path):
    desk = DeskConfig(otlp_endpoint="http://127.0.0.1:9", trace_ratio=1.0)
    exporting = open_tracing("publisher", desk, runtime_for(server, tmp_path), CLOCK)
    say = [fill(number) for number in range(50)]
    speaker = publisher(frozenset({FillV1}), say)
    async with run_agent(speaker, server, tmp_path, tracing=exporting) as running:
        await until(lambda: not say and not len(running.agent.bus.outbox))
        await running.stop()
        assert running.task.exception() is None
