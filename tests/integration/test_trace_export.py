"""Spans leave an agent over OTLP/HTTP, and join what two agents did."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shared.configuration import DeskConfig
from shared.messages.market import TicksV1
from shared.messages.orders import FillV1
from shared.service import Service, on
from shared.tracing import open_tracing
from tests.integration.running import fill, publisher, run_agent, ticks
from tests.integration.server import CLOCK, runtime_for, until


@contextlib.asynccontextmanager
async def collector() -> AsyncIterator[tuple[str, list]]:
    """An OTLP receiver; yields its endpoint and the (service, span) pairs that it got."""
    spans: list = []

    async def take(request: web.Request) -> web.Response:
        message = ExportTraceServiceRequest.FromString(await request.read())
        for resource in message.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                spans.extend((names["service.name"], span) for span in scope.spans)
        return web.Response()

    application = web.Application()
    application.router.add_post("/v1/traces", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", spans
    finally:
        await runner.cleanup()


async def test_a_fill_and_what_it_led_to_are_one_exported_trace(server, tmp_path):
    async with collector() as (endpoint, spans):
        desk = DeskConfig(otlp_endpoint=endpoint, trace_ratio=1.0)

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
            await until(lambda: len(spans) >= 5, 8_000)
        traces = {}
        for service, span in spans:
            traces.setdefault(span.trace_id, []).append((service, span.name))
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
