import asyncio
import json

import aiohttp
import msgspec
import pytest
from aiohttp import web

from infra.alerting import delivery as delivery_module
from infra.alerting import scraper as scraper_module
from infra.alerting import targets
from infra.alerting.delivery import Delivery, as_alertmanager
from infra.alerting.scraper import Scraper, of_consumers, of_stream, parsed
from infra.alerting.words import Notify, Raised
from infra.topology import paper_run
from shared.bus import BusError
from shared.configuration import ConfigurationError, DeskConfig
from shared.messages.desk import Vital, VitalsV1
from tests.integration.server import until

ALERT = Raised(
    name="FeedStale", severity="page", owner="trading", labels={"underlying": "BTC"}, value=9.0,
    text="BTC: no tick for 9 s", runbook="infra/runbooks/FeedStale.md",
    since_unix_s=1_800_000_000.0, detected_unix_s=1_800_000_001.0,
)  # fmt: skip


class Receiver:
    """A server that refuses at first, then takes."""

    def __init__(self, refusals):
        self.refusals, self.taken = refusals, []

    async def handle(self, request):
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        self.taken.append((request.path, await request.json()))
        return web.Response()


@pytest.fixture
async def receiver():
    known = Receiver(refusals=2)
    application = web.Application()
    application.router.add_post("/{tail:.*}", known.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    known.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield known
    await runner.cleanup()


async def delivered(delivery, is_over):
    async with aiohttp.ClientSession() as http:
        running = asyncio.create_task(delivery.run(http))
        async with asyncio.timeout(10):
            while not is_over():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        running.cancel()


async def test_a_webhook_that_refuses_is_told_again(receiver, monkeypatch):
    monkeypatch.setattr(delivery_module, "RETRY_S", 0.01)
    delivery = Delivery(f"{receiver.url}/page", "")
    delivery.put(Notify((ALERT,), (), (ALERT,)))
    await delivered(delivery, lambda: receiver.taken)
    [(path, body)] = receiver.taken
    assert path == "/page"
    assert body["raised"][0]["name"] == "FeedStale"
    failed = {one.labels: one.value for one in delivery.readings()}
    assert failed == {("webhook",): 2, ("alertmanager",): 0}


async def test_alertmanager_hears_what_is_active_and_of_each_end(receiver, monkeypatch):
    monkeypatch.setattr(delivery_module, "RETRY_S", 0.01)
    delivery = Delivery("", receiver.url)
    ended = Raised(**{**vars(ALERT), "name": "BusAway", "ended_unix_s": 1_800_000_009.0})
    delivery.put(Notify((ALERT,), (ended,), (ALERT,)))
    await delivered(delivery, lambda: receiver.taken)
    [(path, alerts)] = receiver.taken
    assert path == "/api/v2/alerts"
    assert [one["labels"]["alertname"] for one in alerts] == ["FeedStale", "BusAway"]
    assert alerts[1]["endsAt"].startswith("2027-01-15T08:00:09")


def test_alertmanager_knows_an_alert_by_its_labels():
    found = as_alertmanager(ALERT)
    assert found["labels"]["underlying"] == "BTC"
    assert found["labels"]["runbook"] == ALERT.runbook
    assert found["annotations"] == {"summary": ALERT.text}
    assert found["startsAt"] == "2027-01-15T08:00:00+00:00"


def test_targets_are_what_prometheus_discovers(tmp_path):
    runtime = msgspec.structs.replace(paper_run(DeskConfig()), http_ports={"risk": 7})
    path = targets.write(tmp_path, runtime)
    assert isinstance(json.loads(path.read_text()), list)
    assert dict(targets.read(path)) == {
        name: f"127.0.0.1:{port}" for name, port in runtime.http_ports.items()
    }
    path.write_text('[{"targets": ["a:1"], "labels": {}}]')
    with pytest.raises(ConfigurationError):
        targets.read(path)


async def test_who_was_never_heard_is_given_time_and_then_is_down():
    scraper = Scraper([("risk", "127.0.0.1:1")], frozenset({"up"}), 0.5, "/")
    async with aiohttp.ClientSession() as http:
        early = await scraper.look(http, 100.0)
        late = await scraper.look(http, 131.0)
    assert [one.value for one in early if one.name == "up"] == []
    assert [one.value for one in late if one.name == "up"] == [0.0]


def vitals(created_ns=1, **changed):
    told = {"name": "tick_age_seconds", "value": 9.0, "labels": ("BTC",), **changed}
    return VitalsV1(created_ns=created_ns, service="risk", vitals=(Vital(**told),))


async def ages_seen(*told, waits_s=0.0):
    """Returns the ages, and whether risk is up, for a watcher to whom risk does not answer."""
    scraper = Scraper([("risk", "127.0.0.1:1")], frozenset({"tick_age_seconds"}), 0.5, "/")
    async with aiohttp.ClientSession() as http:
        await scraper.look(http, 100.0)  # it is given time
        for one in told:
            scraper.hear(one)
        await asyncio.sleep(waits_s)
        found = await scraper.look(http, 131.0)
    labels = (("service", "risk"), ("underlying", "BTC"))
    ages = [one.value for one in found if one.labels == labels]
    return ages, [one.value for one in found if one.name == "up"]


async def test_who_tells_is_not_asked():
    assert await ages_seen(vitals()) == ([9.0], [1.0])
    assert await ages_seen() == ([], [0.0])


async def test_who_has_told_nothing_for_long_is_asked(monkeypatch):
    assert await ages_seen(vitals(), waits_s=0.3) == ([9.0], [1.0])
    monkeypatch.setattr(scraper_module, "TOLD_S_MAX", 0.2)
    assert await ages_seen(vitals(), waits_s=0.3) == ([], [0.0])


async def test_what_is_no_newer_is_left():
    older, newer = vitals(7, value=1.0), vitals(8, value=2.0)
    assert await ages_seen(newer, older, newer) == ([2.0], [1.0])


@pytest.mark.parametrize("unknown", [{"name": "of_a_later_version"}, {"labels": ("BTC", "x")}])
async def test_who_tells_what_nobody_declared_is_asked(unknown):
    assert await ages_seen(vitals(**unknown)) == ([], [0.0])


async def names_seen(scraper):
    async with aiohttp.ClientSession() as http:
        return {one.name for one in await scraper.look(http, 100.0)}


async def test_a_look_waits_for_no_answer_of_jetstream():
    asked, is_answered = [], asyncio.Event()

    async def slow(subject, body):
        asked.append(subject)
        await is_answered.wait()
        if "CONSUMER" in subject:
            return b"{}"
        return json.dumps({"config": {"name": "RECORD"}, "state": {"bytes": 7}}).encode()

    scraper = Scraper([], frozenset(), 0.5, "/")
    scraper.ask = slow
    watching = asyncio.create_task(scraper.watch_streams())
    await until(lambda: asked)
    assert await asyncio.wait_for(names_seen(scraper), 1.0) == {"disk_free_bytes"}
    is_answered.set()
    await until(lambda: len(list(scraper.readings())) > 1)
    assert "stream_bytes" in await names_seen(scraper)
    watching.cancel()


async def test_while_jetstream_is_away_the_rest_is_still_told():
    asked = []

    async def away(subject, body):
        asked.append(subject)
        raise BusError(subject)

    scraper = Scraper([], frozenset(), 0.5, "/")
    scraper.ask = away
    watching = asyncio.create_task(scraper.watch_streams())
    await until(lambda: asked)
    assert await names_seen(scraper) == {"disk_free_bytes"}
    watching.cancel()


def test_a_peer_that_has_not_caught_up_is_away():
    peers = [
        {"current": True, "active": 400_000_000},
        {"current": False},
        {"current": True, "offline": True},
        {"current": True, "active": 3_000_000_000},
    ]
    stream = {"config": {"name": "RECORD"}, "state": {"bytes": 7}, "cluster": {"replicas": peers}}
    assert {one.name: one.value for one in of_stream(stream)} == {
        "stream_bytes": 7,
        "stream_peer_away_count": 3,
    }


def test_consumers_of_one_service_are_counted_together():
    plain = {"num_pending": 3, "num_ack_pending": 90, "config": {"ack_policy": "none"}}
    acked = {"num_pending": 1, "num_ack_pending": 2, "config": {"ack_policy": "explicit"}}
    consumers = [
        {"name": "risk-record-0a1b", **plain},
        {"name": "gateway-commands", **acked},
        {"name": "risk-record-ffff", **plain},
    ]
    found = {one.labels: one.value for one in of_consumers("RECORD", consumers)}
    assert found == {("RECORD", "risk"): 6, ("RECORD", "gateway"): 3}


def test_samples_carry_the_service():
    text = '# TYPE bus_up gauge\nbus_up 1.0\n# TYPE a_b counter\na_b_total{x="y"} 2.0\n'
    found = {(one.name, one.labels): one.value for one in parsed(text, "risk")}
    assert found["bus_up", (("service", "risk"),)] == 1.0
    assert found["a_b_total", (("service", "risk"), ("x", "y"))] == 2.0
