"""Who is told of alerts, in tests: a webhook of our own, and a real Alertmanager or Prometheus."""

import contextlib
import http.server
import json
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from infra.embedded_nats import free_port

START_S_MAX = 20.0


@contextlib.contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields an address, and what has been posted to it."""
    heard: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/page", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Server:
    """A program with an HTTP API on a port of its own."""

    def __init__(self, argv: list[str], port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        with log.open("wb") as output:
            self._process = subprocess.Popen(argv, stdout=output, stderr=output)
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.get("/-/ready", is_json=False)
                return
            time.sleep(0.1)
        self.end()
        raise AssertionError(f"{argv[0]} did not start; see {log}")

    def get(self, path: str, *, is_json: bool = True, **query: str) -> Any:
        url = f"{self.url}{path}?{urlencode(query)}"
        with urllib.request.urlopen(url, timeout=5.0) as answer:
            return json.load(answer) if is_json else answer.read()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def program(name: str) -> str:
    """Returns where a program is; skips the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def alertmanager(path: str, folder: Path) -> Server:
    port = free_port()
    config = Path(__file__).parents[2] / "infra" / "prometheus" / "alertmanager.yml"
    argv = [path, f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    return Server(argv, port, folder / "alertmanager.log")


def prometheus(path: str, folder: Path, targets: Path, rules: Path) -> Server:
    """Scrapes the targets every second, and evaluates the rules."""
    port = free_port()
    scrape = {"job_name": "hedgerow", "file_sd_configs": [{"files": [str(targets)]}]}
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules / "*.rules.yml")],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    argv = [path, f"--config.file={folder / 'prometheus.yml'}"]
    argv += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"]
    argv += [f"--storage.tsdb.path={folder / 'tsdb'}", "--log.level=warn"]
    return Server(argv, port, folder / "prometheus.log")
