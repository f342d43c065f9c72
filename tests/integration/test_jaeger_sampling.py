"""The collector's configuration, in a real Jaeger (JAEGER_BIN): orders' traces are kept, most of
the rest is not, and all of it is counted first."""

import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from infra import embedded_nats
from infra.traces.jaeger import Jaeger, JaegerError
from infra.traces.jaeger_server import binary
from shared.spans import KEPT

CONFIGURATION = Path(__file__).parents[2] / "infra" / "jaeger" / "jaeger.yaml"
PORTS = ("13133", "16686", "16685", "4318", "8889")
TICKS = 200
ORDERS = 20


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[dict[str, int]]:
    """Runs Jaeger with the deployed configuration on free ports, deciding after a second."""
    path = binary()
    if not path:
        pytest.skip("needs a Jaeger v2: JAEGER_BIN names its binary")
    text = CONFIGURATION.read_text(encoding="utf-8")
    text = re.sub(r"decision_wait: \d+s", "decision_wait: 1s", text)
    ports = {port: embedded_nats.free_port() for port in PORTS}
    for port, other in ports.items():
        assert f":{port}" in text
        text = text.replace(f":{port}", f":{other}")
    configuration = tmp_path / "jaeger.yaml"
    configuration.write_text(text, encoding="utf-8")
    with (tmp_path / "jaeger.log").open("wb") as log:
        process = subprocess.Popen([path, "--config", str(configuration)], stdout=log, stderr=log)
    try:
        until(lambda: Jaeger(f"http://127.0.0.1:{ports['16686']}").services() is not None)
        yield ports
    finally:
        process.terminate()
        process.wait(10)


def until(condition, limit_s=20.0):
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (JaegerError, OSError):
            pass
        time.sleep(0.2)
    raise AssertionError("it did not come to be")


def test_orders_are_kept_and_everything_is_counted(jaeger: dict[str, int]) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "desk"}))
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{jaeger['4318']}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for _ in range(TICKS):
        tracer.start_span("tick").end()
    for number in range(ORDERS):
        with tracer.start_as_current_span(f"order {number}"):
            tracer.start_span("filled", attributes={KEPT: True}).end()
    provider.shutdown()
    store = Jaeger(f"http://127.0.0.1:{jaeger['16686']}", since_s=time.time() - 60)

    def kept(name: str) -> int:
        return sum(1 for span in store.spans() if span.name.startswith(name))

    until(lambda: kept("order") == ORDERS)
    assert kept("filled") == ORDERS
    assert kept("tick") < TICKS / 2

    def counted() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{jaeger['8889']}/metrics") as answer:
            text = answer.read().decode()
        calls = re.search(r'calls_total\{[^}]*span_name="tick"[^}]*\} (\d+)', text)
        return calls is not None and int(calls[1]) == TICKS

    until(counted)
