"""Where a running desk's secrets are, and where they are not."""

import contextlib
import http.server
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.topology import SERVICES
from infra.trial_desk import Desk, running_desk
from infra.venue_account import VenueAccount

KEY_HOLDERS = {"venue", "gateway", "market_making"}
KEPT_IN = {".nk", ".secret", ".key"}
LOGON_PASSWORD = re.compile(rb"554=[A-Za-z0-9+/]{43}=")


@contextlib.contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP receiver that keeps what it is sent as it came."""
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def quoting(desk: Desk) -> bool:
    quotes = desk.status()["quotes"]
    return len(quotes) == 2 and all(one["quoted_count"] > 100 for one in quotes.values())


def told(pid: int) -> tuple[dict[str, str], str]:
    """Returns a process's environment and command line."""
    try:
        pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    except PermissionError:
        pytest.skip("not even this user may read an agent's environment: nothing to look at")
    variables = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    return variables, Path(f"/proc/{pid}/cmdline").read_text()


def secrets_of(directory: Path) -> dict[str, bytes]:
    kept = [path for path in directory.rglob("*") if path.suffix in KEPT_IN]
    found = {path.name: path.read_bytes().strip() for path in kept}
    pem = found.pop("server.key").splitlines()
    return {**found, "server.key": pem[1]}


def test_secrets_are_with_who_needs_them_and_in_nothing_that_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("DERIBIT_TEST_CLIENT_ID", "somebody")
    monkeypatch.setenv("DERIBIT_TEST_CLIENT_SECRET", "not-for-the-agents")
    with collector() as (endpoint, bodies):
        config = tmp_path / "desk.toml"
        config.write_text(f'[desk]\notlp_endpoint = "{endpoint}"\ntrace_ratio = 1.0\n')
        with running_desk(tmp_path, "--seed", "5", "--config", str(config)) as desk:
            desk.until(lambda: quoting(desk), 40, "quotes")
            directory = (tmp_path / "current").resolve()
            secrets = secrets_of(directory)
            assert len(secrets) >= len(SERVICES) + 5
            look_at_processes(desk, secrets)
            for service in ("gateway", "market_making", "pricing"):
                os.kill(desk.pid(service), signal.SIGKILL)
            account = VenueAccount.of_run(tmp_path)
            desk.until(lambda: quoting(desk) and account.live_quotes() > 0, 40, "quotes again")
            desk.end()
    written = {
        str(path): path.read_bytes()
        for path in (*directory.rglob("*"), tmp_path / "up.log", tmp_path / "report.json")
        if path.is_file() and path.suffix not in KEPT_IN
    }
    for name in ("logs/gateway.log", "runtime.json", "nats.conf"):
        assert written[str(directory / name)]
    traced = b"".join(bodies)
    assert b"private/mass_quote" in traced or b"publish orders." in traced
    for place, data in {**written, "traces": traced}.items():
        found = [name for name, secret in secrets.items() if secret in data]
        assert not found, f"{place} holds {found}"
        assert not LOGON_PASSWORD.search(data), place


def look_at_processes(desk: Desk, secrets: dict[str, bytes]) -> None:
    values = [secret.decode() for secret in secrets.values()]
    holders = set()
    for agent in desk.status()["agents"]:
        variables, command_line = told(agent["pid"])
        name = agent["service"]
        if "HEDGEROW_VENUE_SECRET_FILE" in variables:
            holders.add(name)
        own_key = variables.get("HEDGEROW_BUS_NKEY_FILE", "")
        assert own_key.endswith(f"/{name}.nk") or (name == "nats" and not own_key)
        assert not [one for one in variables if one.startswith("DERIBIT")], name
        spoken = "\n".join((*variables.values(), command_line))
        assert not [value for value in values if value in spoken], name
        limits = Path(f"/proc/{agent['pid']}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), name
    assert holders == KEY_HOLDERS
    runtime = (desk.home / "current" / "runtime.json").read_text()
    assert "venue.secret" not in runtime
    assert not [value for value in values if value in runtime]
