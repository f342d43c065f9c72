"""A Jaeger v2 of our own for as long as it is needed: in memory, on free ports of loopback."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra import embedded_nats
from infra.traces.jaeger import Jaeger, JaegerError

BINARY_VARIABLE = "JAEGER_BIN"
START_LIMIT_S = 20.0
STOP_LIMIT_S = 5.0
TRACES_MAX = 500_000
CONFIGURATION = """\
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter]}}
  telemetry:
    metrics: {{level: none}}
    logs: {{level: warn}}
extensions:
  jaeger_query:
    storage: {{traces: memory}}
    http: {{endpoint: "127.0.0.1:{query_port}"}}
    grpc: {{endpoint: "127.0.0.1:{grpc_port}"}}
  jaeger_storage:
    backends:
      memory:
        memory: {{max_traces: {traces_max}}}
receivers:
  otlp:
    protocols:
      http: {{endpoint: "127.0.0.1:{otlp_port}"}}
processors:
  batch: {{timeout: 200ms}}
exporters:
  jaeger_storage_exporter: {{trace_storage: memory}}
"""


@dataclass(frozen=True)
class RunningJaeger:
    store: Jaeger
    endpoint: str  # what `[desk] otlp_endpoint` takes


def binary() -> str:
    """Returns the path of a Jaeger v2, or the empty string: JAEGER_BIN, else `jaeger` on PATH."""
    return os.environ.get(BINARY_VARIABLE) or shutil.which("jaeger") or ""


@contextmanager
def running_jaeger(path: str) -> Iterator[RunningJaeger]:
    """Starts Jaeger and waits until it answers. Raises JaegerError if it does not."""
    ports = [embedded_nats.free_port() for _ in range(3)]
    text = CONFIGURATION.format(
        query_port=ports[0], grpc_port=ports[1], otlp_port=ports[2], traces_max=TRACES_MAX
    )
    with tempfile.TemporaryDirectory(prefix="hedgerow-jaeger-") as folder:
        configuration = Path(folder) / "jaeger.yaml"
        configuration.write_text(text, encoding="utf-8")
        log_path = Path(folder) / "jaeger.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [path, "--config", str(configuration)], stdout=log, stderr=log
            )
        try:
            store = Jaeger(f"http://127.0.0.1:{ports[0]}", since_s=time.time())
            _wait(process, store, log_path)
            yield RunningJaeger(store, f"http://127.0.0.1:{ports[2]}")
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", store: Jaeger, log_path: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            store.services()
        except JaegerError:
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log_path.read_text(encoding="utf-8", errors="replace")[-1500:]
                raise JaegerError(f"Jaeger did not start: {tail}") from None
            time.sleep(0.1)
        else:
            return
