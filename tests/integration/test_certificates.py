"""Certificates on a real server: what it shows is watched, renewed and replaced under clients."""

import asyncio
import contextlib
import datetime as dt
import os
import signal
import ssl
import time

import pytest
from nats.aio.transport import TcpTransport

from infra import bus_authority, bus_keys
from infra.alerting import certificates
from infra.alerting.certificates import Certificates
from infra.alerting.core import Alerting
from infra.alerting.scraper import as_sample
from infra.alerting.words import Scraped
from shared import bus as bus_module
from shared.bus import Bus
from shared.bus_login import BusLogin
from tests.integration.server import CLOCK, NatsServer, until

NAMES = {"CertificateRefused", "CertificateEnds", "CertificateEndNear"}
BOTH = ("server", "authority")
RELOADED = "Reloaded server configuration"
AWAY_MS = 3_000


class Site:
    """A server, its files, and who may connect."""

    def __init__(self, folder):
        self.folder, self.kept_in = folder / "nats", folder / "authority"
        key = bus_keys.write_seeds(folder / "keys", ("test",))["test"]
        bus_keys.write_certificates(self.folder, ("127.0.0.1",), kept_in=self.kept_in)
        lines = (("cert", "server.pem"), ("key", "server.key"), ("ca", "ca.pem"))
        tls = "\n".join(f'{what}_file: "{self.folder}/{name}"' for what, name in lines)
        extra = f"tls {{ {tls} }}\nauthorization {{ users = [{{ nkey: {key} }}] }}\n"
        self.server = NatsServer(folder, extra)
        self._log = folder / "nats.log"
        self.trusted = folder / "ca.pem"
        self.give_out()
        seed = str(folder / "keys" / "test.nk")
        self.login = BusLogin("test", seed, str(self.trusted), keeps_streams=True)

    def give_out(self):
        """Agents have a file of their own."""
        self.trusted.write_bytes((self.folder / "ca.pem").read_bytes())

    async def reload(self):
        """As `docker-compose kill -s HUP` and `nats-server --signal reload` do."""
        count = self._log.read_text().count(RELOADED)
        os.kill(self.server.process.pid, signal.SIGHUP)
        await until(lambda: self._log.read_text().count(RELOADED) > count)

    @contextlib.asynccontextmanager
    async def connected(self):
        bus = Bus(self.server.url, "test", CLOCK, lambda _: None, self.login)
        await bus.connect()
        try:
            yield bus
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await bus.close(0.5)

    async def shown(self):
        """Returns what a client that comes now is shown."""
        address = self.server.url.removeprefix("nats://")
        return (await certificates.shown(address, self.login.context()))["serialNumber"]

    async def active(self):
        """Returns the alerts that the watcher's look at the server raises."""
        watch = Certificates(self.server.url, self.login)
        await watch.look(self.login)
        core = Alerting()
        samples = tuple(map(as_sample, watch.readings()))
        assert samples
        list(core.on_scraped(Scraped(time.time_ns(), time.time(), samples)))
        assert {one.name for one in core.active()} <= NAMES
        return {(one.name, one.labels.get("certificate", "")) for one in core.active()}


@pytest.fixture
def site(tmp_path):
    found = Site(tmp_path)
    yield found
    found.server.kill()


def peer(bus):
    """Returns which certificate a connection began with."""
    writer = bus.client._transport._io_writer
    return writer.get_extra_info("peercert")["serialNumber"]


async def test_an_end_that_is_near_is_told_until_the_server_shows_another(site):
    assert await site.active() == set()
    for days, expected in (
        (15, set()),
        (13, {("CertificateEndNear", "server")}),
        (1, {("CertificateEndNear", "server"), ("CertificateEnds", "server")}),
    ):
        bus_keys.renew(site.folder, site.kept_in, lifetime=dt.timedelta(days=days))
        await site.reload()
        assert await site.active() == expected
    bus_keys.renew(site.folder, site.kept_in)
    assert await site.active() == expected, "the server shows the old one, whatever the file says"
    await site.reload()
    assert await site.active() == set()


async def test_an_authority_that_ends_is_told_and_so_is_one_that_has_ended(site):
    for days, expected in (
        (1, {(name, what) for name in NAMES - {"CertificateRefused"} for what in BOTH}),
        (-1, {("CertificateRefused", "")}),
    ):
        ending = bus_authority.fresh(dt.timedelta(days=days))
        ending.keep(site.kept_in / bus_authority.NEXT)
        bus_keys.trust_next(site.folder, site.kept_in)
        site.give_out()
        bus_keys.sign_by_next(site.folder, site.kept_in)
        await site.reload()
        assert await site.active() == expected


async def test_a_stranger_s_certificate_is_told(site):
    stranger = bus_authority.fresh().certificate
    site.trusted.write_bytes(stranger.public_bytes(bus_keys.Encoding.PEM))
    assert await site.active() == {("CertificateRefused", "")}


async def test_nothing_is_told_of_an_open_bus_of_nobody_and_of_a_torn_file(site):
    await Certificates(site.server.url, None).watch()
    watch = Certificates(site.server.url, site.login)
    await watch.look(site.login)
    before = list(watch.readings())
    assert len(before) == 3
    site.trusted.write_bytes(b"")
    await watch.look(site.login)
    assert watch.readings() == before
    site.give_out()
    site.server.kill()
    await watch.look(site.login)
    assert watch.readings() == []


async def test_a_certificate_is_renewed_under_its_clients(site):
    async with site.connected() as bus:
        old = peer(bus)
        bus_keys.renew(site.folder, site.kept_in)
        await site.reload()
        assert await site.shown() != old
        assert await answers(bus)
        assert peer(bus) == old
        assert bus.counts.connected_count == 1
        async with site.connected() as other:
            assert peer(other) == await site.shown()


async def answers(bus):
    return b'"config"' in await bus.call("$JS.API.STREAM.INFO.RECORD", b"{}")


async def take_steps(site):
    """Has another authority follow; the server reads its files after each step."""
    for step in (bus_keys.trust_next, bus_keys.sign_by_next, bus_keys.forget_last):
        step(site.folder, site.kept_in)
        site.give_out()
        await site.reload()
        assert await site.active() == set()


async def test_an_authority_follows_another_and_no_client_is_started_again(site):
    async with site.connected() as bus:
        await take_steps(site)
        assert await answers(bus)
        assert bus.counts.connected_count == 1
        site.server.kill()
        await until(lambda: not bus.is_connected)
        site.server.start()
        await until(lambda: bus.is_connected)
        assert peer(bus) == await site.shown()


async def test_trap_a_client_that_trusts_as_it_did_at_its_start_stays_away(site, monkeypatch):
    monkeypatch.setattr(bus_module, "PromptTransport", lambda _login: TcpTransport())
    async with site.connected() as bus:
        await take_steps(site)
        site.server.kill()
        await until(lambda: not bus.is_connected)
        site.server.start()
        with pytest.raises(AssertionError):
            await until(lambda: bus.is_connected, AWAY_MS)


async def test_a_client_outlives_the_moment_in_which_the_file_is_written(site):
    async with site.connected() as bus:
        site.trusted.write_bytes(b"")
        site.server.kill()
        await until(lambda: not bus.is_connected)
        site.server.start()
        await until(lambda: bus.is_connected)


async def test_whoever_skips_a_step_is_noticed_before_anybody_is_away(site):
    """A change in one go: the servers show another authority's certificate to agents' old file."""
    bus_keys.trust_next(site.folder, site.kept_in)
    bus_keys.sign_by_next(site.folder, site.kept_in)
    await site.reload()
    assert await site.active() == {("CertificateRefused", "")}
    with pytest.raises(ssl.SSLCertVerificationError):
        await site.shown()


INFO = b'INFO {"tls_required":true}\r\n'


@pytest.mark.parametrize("said", [b"", INFO, INFO + b"no TLS", b"x" * 200_000])
async def test_what_is_no_server_of_nats_tells_nothing_and_ends_nothing(said, site):
    async def speak(reader, writer):
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            await reader.read(1)
        writer.close()

    speaking = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = speaking.sockets[0].getsockname()[1]
    watch = Certificates(f"nats://127.0.0.1:{port}", site.login)
    async with asyncio.timeout(certificates.ANSWER_S_MAX + 1):
        await watch.look(site.login)
    assert watch.readings() == []
    speaking.close()
