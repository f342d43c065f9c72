"""One of two servers hangs, under TLS: its clients go to the other in seconds."""

import asyncio
import contextlib
import time

import pytest
from nats.aio.transport import TcpTransport

from infra.bus_keys import write_certificates, write_seeds
from shared import bus as bus_module
from shared.bus import Bus
from shared.bus_login import BusLogin
from tests.integration.server import CLOCK, NatsServer, until

NOTICED_MS_MAX = 5_000  # three pings a second apart, the last two without an answer
MOVED_MS_MAX = 4_000


@pytest.fixture
def pair(tmp_path):
    write_certificates(tmp_path, ("127.0.0.1",))
    key = write_seeds(tmp_path, ("test",))["test"]
    extra = (
        f'tls {{ cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.key" }}\n'
        f"authorization {{ users = [{{ nkey: {key} }}] }}\n"
    )
    servers = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        servers.append(NatsServer(tmp_path / name, extra))
    yield servers
    for one in servers:
        one.kill()


@contextlib.asynccontextmanager
async def connected(servers, folder):
    login = BusLogin("test", str(folder / "test.nk"), str(folder / "ca.pem"), keeps_streams=True)
    url = ",".join(one.url for one in servers)
    bus = Bus(url=url, name="test", clock=CLOCK, on_failure=lambda _: None, login=login)
    await bus.connect()
    try:
        yield bus
    finally:
        for one in servers:
            one.resume()
        with contextlib.suppress(asyncio.CancelledError):  # the bare transport's, given up twice
            await bus.close(0.5)


def of(bus, servers):
    """Returns the server that a bus is connected to."""
    return next(one for one in servers if one.url.endswith(bus.server_address))


async def test_trap_a_tls_close_waits_for_a_server_that_hangs(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(bus_module, "PromptTransport", lambda _login: TcpTransport())
    async with connected(pair, tmp_path) as bus:
        of(bus, pair).pause()
        await until(lambda: not bus.is_connected, NOTICED_MS_MAX)
        with pytest.raises(AssertionError):
            await until(lambda: bus.is_connected, MOVED_MS_MAX)


async def test_clients_of_a_server_that_hangs_go_to_another(pair, tmp_path):
    async with connected(pair, tmp_path) as bus:
        hung = of(bus, pair)
        hung.pause()
        await until(lambda: not bus.is_connected, NOTICED_MS_MAX)
        began_s = time.monotonic()
        await until(lambda: bus.is_connected, MOVED_MS_MAX)
        assert of(bus, pair) is not hung
        assert time.monotonic() - began_s < MOVED_MS_MAX / 1000
