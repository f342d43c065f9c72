"""How others ask an agent for its health: HTTP (/health, /ready, /metrics, and answers of the
service's own) and NATS' service protocol ($SRV.PING, INFO and STATS), whose one endpoint answers
with the heartbeat.

/health says that the loop turns, and nothing about others: an absent bus fails /ready only.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import web
from nats import micro
from nats.micro.request import Request
from nats.micro.service import EndpointConfig, Service, ServiceConfig

from shared.bus import Bus
from shared.messages.message import encode

if TYPE_CHECKING:
    from shared.agent import Agent

VERSION = "0.1.0"
QUERIES_KEPT = 16


class AgentHttp:
    def __init__(self, agent: "Agent", port: int) -> None:
        self._agent = agent
        self._wanted_port = port
        self._runner: web.AppRunner | None = None
        self._service: Service | None = None
        self.port = 0

    async def start(self) -> None:
        """Listens; port 0 takes any free one. Raises OSError if the port is taken."""
        application = web.Application()
        application.router.add_get("/health", self._health)
        application.router.add_get("/ready", self._ready)
        application.router.add_get("/metrics", self._metrics)
        for name, answer in self._agent.service.answers.items():
            application.router.add_get(f"/{name}", _answering(answer))
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        host = self._agent.runtime.listen_host
        site = web.TCPSite(self._runner, host, self._wanted_port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def join(self, bus: Bus) -> None:
        """Answers the service protocol on the bus."""
        name = self._agent.service.name
        configuration = ServiceConfig(
            name=name,
            version=VERSION,
            description=f"Hedgerow agent {name}",
            metadata={"run": self._agent.runtime.run_id, "http_port": str(self.port)},
        )
        self._service = await micro.add_service(bus.client, configuration)
        subject = f"desk.ask.{name}"
        await self._service.add_endpoint(
            EndpointConfig(name="heartbeat", subject=subject, handler=self._answer)
        )

    async def stop(self) -> None:
        if self._service is not None and self._agent.bus.is_connected:
            await self._service.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: Request) -> None:
        await request.respond(encode(self._agent.heartbeat()))

    async def _health(self, _: web.Request) -> web.Response:
        body = {"service": self._agent.service.name, "is_alive": True}
        return web.json_response(body | self._breakers())

    def _breakers(self) -> dict[str, dict[str, str]]:
        """An agent on a fallback is alive and does its work: these are told, not judged."""
        return {"breakers": {one.dependency: one.state for one in self._agent.breakers()}}

    async def _ready(self, _: web.Request) -> web.Response:
        reason = self._agent.not_ready()
        body = {"service": self._agent.service.name, "is_ready": not reason, "reason": reason}
        return web.json_response(body | self._breakers(), status=503 if reason else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        names = _names(request.rel_url.raw_query_string)
        accept = request.headers.get("Accept", "")
        body, content_type = self._agent.telemetry.exposition(accept, names)
        return web.Response(body=body, headers={"Content-Type": content_type})


@lru_cache(maxsize=QUERIES_KEPT)
def _names(query: str) -> tuple[str, ...]:
    """Returns which metrics a query asks for; the watcher's is long, and always the same."""
    return tuple(value for key, value in parse_qsl(query) if key == "name[]")


def _answering(answer: Callable[[], object]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        return web.json_response(answer())

    return handle
