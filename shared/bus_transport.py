"""nats-py's connection to a server, ended in time and trusted as of now; which server comes next.

A client that gives a server up closes its connection and waits for that. Under TLS a close is an
exchange: a host that hangs answers nothing, and the wait takes half a minute, in which the other
servers are not asked. And it keeps the TLS context that it was given first: an authority that
follows another under a running desk would be a stranger to it.
"""

import asyncio
import contextlib
import random
import ssl
from collections.abc import Sequence
from urllib.parse import ParseResult

from nats.aio.client import Client, Server
from nats.aio.transport import TcpTransport

from shared.bus_login import BusLogin
from shared.configuration import ConfigurationError

CLOSE_S_MAX = 0.5
RECONNECT_WAIT_S = 0.25
RECONNECT_JITTER_S = 0.5
BUFFER_BYTES = 512 * 1024  # what is read ahead: what floods has to come to the inbox to be shed


class PromptTransport(TcpTransport):
    """Closes within CLOSE_S_MAX: what the other end has not said by then it will not be asked."""

    def __init__(self, login: BusLogin | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._login = login

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        await super().connect(uri, max(buffer_size, BUFFER_BYTES), connect_timeout)

    async def connect_tls(
        self,
        uri: str | ParseResult,
        ssl_context: ssl.SSLContext,
        buffer_size: int,
        connect_timeout: int,
    ) -> None:
        """Trusts whom the authority's file names now; while it cannot be read, as it is for the
        moment in which it is written, whom it named at the start."""
        if self._login is not None:
            with contextlib.suppress(ConfigurationError):
                ssl_context = self._login.context()
        await super().connect_tls(uri, ssl_context, buffer_size, connect_timeout)

    def __bool__(self) -> bool:
        """The client makes a transport of its own where this is false."""
        return True

    async def wait_closed(self) -> None:
        writer = self._io_writer
        if writer is None:
            return
        closing = asyncio.ensure_future(super().wait_closed())  # type: ignore[no-untyped-call]
        done, _ = await asyncio.wait({closing}, timeout=CLOSE_S_MAX)
        if not done:
            writer.transport.abort()
            await asyncio.wait({closing}, timeout=CLOSE_S_MAX)
        if closing.done():
            closing.result()


def next_server(client: Client, servers: Sequence[Server]) -> tuple[Server, float]:
    """Returns another server than the last one tried, where there is one, and how long to wait
    before: with jitter, since all clients of a server lose it at once."""
    last = client._current_server  # noqa: SLF001
    others = [one for one in servers if last is None or one.uri.netloc != last.uri.netloc]
    wait_s = RECONNECT_WAIT_S + random.uniform(0.0, RECONNECT_JITTER_S)
    return random.choice(others or list(servers)), wait_s
