"""What an agent tells the watcher over a real bus, and what the watcher does without."""

import aiohttp
import pytest

from infra.alerting.scraper import Scraper
from shared.messages.desk import VitalsV1
from shared.service import Service, on
from tests.integration.running import run_agent
from tests.integration.server import until

NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("tells", "answers", "sees"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
async def test_an_agent_is_seen_by_what_it_tells_or_answers(tells, answers, sees, server, tmp_path):
    heard = []

    def hear(vitals):
        heard.append(vitals)
        return ()

    watcher = Service(name="watcher", consumes=(on(VitalsV1, hear),))
    agent = Service(name="agent")
    async with (
        run_agent(watcher, server, tmp_path, tells_vitals=False) as watching,
        run_agent(agent, server, tmp_path, tells_vitals=tells) as running,
    ):
        address = f"127.0.0.1:{running.agent.http.port}" if answers else NOBODY
        scraper = Scraper([("agent", address)], frozenset({"bus_up"}), 0.5, str(tmp_path))
        beats = watching.agent.telemetry.counters["message_handled"].labels("VitalsV1")
        if tells:
            await until(lambda: heard and beats.value)
            scraper.hear(heard[-1])
        async with aiohttp.ClientSession() as http:
            await scraper.look(http, 100.0)
            found = {one.name: one.value for one in await scraper.look(http, 131.0)}
    assert found["up"] == float(sees)
    assert found.get("bus_up") == (1.0 if sees else None)
    assert bool(heard) == tells
