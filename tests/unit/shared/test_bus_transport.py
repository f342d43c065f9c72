from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from nats.aio.client import Server

from shared.bus_transport import RECONNECT_JITTER_S, RECONNECT_WAIT_S, next_server

SERVERS: list[Any] = [Server(uri=urlsplit(f"nats://{name}:4222")) for name in "abc"]


def client_of(last: Any) -> Any:
    return SimpleNamespace(_current_server=last)


def test_the_next_server_is_any_but_the_last():
    for last in SERVERS:
        found = [next_server(client_of(last), SERVERS) for _ in range(200)]
        chosen = {server.uri.netloc for server, _ in found}
        assert chosen == {one.uri.netloc for one in SERVERS if one is not last}
        waits = [wait_s for _, wait_s in found]
        assert min(waits) >= RECONNECT_WAIT_S
        assert max(waits) <= RECONNECT_WAIT_S + RECONNECT_JITTER_S
        assert len(set(waits)) > 100


def test_the_only_server_is_tried_again():
    assert next_server(client_of(SERVERS[0]), SERVERS[:1])[0] is SERVERS[0]
    assert next_server(client_of(None), SERVERS[:1])[0] is SERVERS[0]
