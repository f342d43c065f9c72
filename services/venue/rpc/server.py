"""The venue's edge: one port with WebSocket, HTTP GET and HTTP POST."""

import asyncio
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMsgType, web

from services.venue.core import CONNECTIONS_PER_PEER_MAX, Close, Send
from services.venue.front import EDGE_OUTPUTS, Answered, Asked, Gone, Opened, Received
from services.venue.rpc.envelope import FRAME_BYTES_MAX
from services.venue.rpc.http_requests import PREFIX, HttpRequest, HttpResponse
from shared.clock import Clock, SystemClock

BACKLOG_MAX = 50_000  # frames that may wait for a slow reader; beyond, it is cut off
WS_PATHS = ("/ws/api/v2", "/ws/api/v2/", "/den/ws")
JSON_HEADERS = {"Content-Type": "application/json"}


class Server:
    """Carries bytes between sockets and the core; decides nothing."""

    accepts = EDGE_OUTPUTS

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._real = SystemClock()
        self.port = port
        self._deliver: Callable[[object], None] = lambda _message: None
        self._connection_count = 0
        self._request_count = 0
        self._queues: dict[int, asyncio.Queue[bytes | None]] = {}
        self._transports: dict[int, asyncio.Transport] = {}
        self._answers: dict[int, asyncio.Future[HttpResponse]] = {}
        self._peers: dict[str, int] = {}
        self._runner: web.AppRunner | None = None

    async def start(self, deliver: Callable[[object], None]) -> None:
        self._deliver = deliver
        app = web.Application(client_max_size=FRAME_BYTES_MAX)
        for path in WS_PATHS:
            app.router.add_get(path, self._websocket)
        app.router.add_route("*", PREFIX + "{tail:.*}", self._http)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]  # asyncio's servers and uvloop's alike

    def send(self, message: object) -> None:
        match message:
            case Send(connection_id, data):
                self._enqueue(connection_id, data)
            case Close(connection_id, _):
                self._enqueue(connection_id, None)
            case Answered(request_id, response):
                future = self._answers.pop(request_id, None)
                if future is not None and not future.done():
                    future.set_result(response)
            case _:
                raise AssertionError(f"the server takes no {type(message).__name__}")

    async def stop(self) -> None:
        for queue in self._queues.values():
            queue.put_nowait(None)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _enqueue(self, connection_id: int, data: bytes | None) -> None:
        queue = self._queues.get(connection_id)
        if queue is None:
            return
        if queue.qsize() < BACKLOG_MAX:
            queue.put_nowait(data)
        elif connection_id in self._transports:
            self._transports.pop(connection_id).abort()  # its reader ends, and tells the core

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        peer = request.remote or ""
        if self._peers.get(peer, 0) >= CONNECTIONS_PER_PEER_MAX:
            raise web.HTTPTooManyRequests
        self._peers[peer] = self._peers.get(peer, 0) + 1
        try:
            return await self._serve(request)
        finally:
            self._peers[peer] -= 1
            if not self._peers[peer]:
                del self._peers[peer]

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=FRAME_BYTES_MAX, compress=False)
        await socket.prepare(request)
        self._connection_count += 1
        connection_id = self._connection_count
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues[connection_id] = queue
        if isinstance(request.transport, asyncio.Transport):
            self._transports[connection_id] = request.transport
        self._deliver(Opened(connection_id, self._clock.wall_ns()))
        writer = asyncio.create_task(_write(socket, queue))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    data = message.data.encode("utf-8", "surrogatepass")
                elif message.type is WSMsgType.BINARY:
                    data = message.data
                else:
                    break
                now_ns, real_ns = self._clock.wall_ns(), self._real.wall_ns()
                self._deliver(Received(connection_id, data, now_ns, real_ns))
        finally:
            del self._queues[connection_id]
            self._transports.pop(connection_id, None)
            self._deliver(Gone(connection_id, self._clock.wall_ns()))
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    async def _http(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._request_count += 1
        request_id = self._request_count
        asked = HttpRequest(
            method=request.method,
            uri=request.raw_path,
            body=body,
            authorization=request.headers.get("Authorization", ""),
            peer=request.remote or "",
        )
        future = asyncio.get_running_loop().create_future()
        self._answers[request_id] = future
        now_ns, real_ns = self._clock.wall_ns(), self._real.wall_ns()
        self._deliver(Asked(request_id, asked, now_ns, real_ns))
        try:
            response: HttpResponse = await future
        finally:
            self._answers.pop(request_id, None)
        return web.Response(body=response.body, status=response.status, headers=JSON_HEADERS)


async def _write(socket: web.WebSocketResponse, queue: asyncio.Queue[bytes | None]) -> None:
    """Sends a connection's frames in order; None closes it."""
    while True:
        data = await queue.get()
        if data is None:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION)
            return
        try:
            await socket.send_frame(data, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            return  # the reader sees the end of the socket too
