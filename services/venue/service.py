"""venue: bytes of clients over WebSocket, HTTP and FIX -> bytes to them, market data over UDP,
market.audit.v1."""

from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import urlsplit

from services.venue.core import Config, UserAccount, Venue
from services.venue.edges import Edges
from services.venue.fix.server import FixServer
from services.venue.front import Asked, Front, Gone, Opened, Received
from services.venue.market.opening import build_venue, open_chain
from services.venue.multicast.sender import Sender
from services.venue.multicast.settings import destinations, is_wanted
from services.venue.persistence.memory import Memory
from services.venue.persistence.recall import read_log
from services.venue.persistence.state_file import StateFile
from services.venue.rpc.server import Server
from shared.clock import Clock, SystemClock
from shared.configuration import DeskConfig, FeedAddress, Runtime
from shared.messages.market import VenueAuditV1
from shared.redaction import read_secret
from shared.service import Edge, Service, every, on


def build(config: Config, desk: DeskConfig, runtime: Runtime) -> Service:
    clock = SystemClock(runtime.clock_offset_ns)
    file = StateFile(Path(runtime.directory) / "venue.state")
    recalled = read_log(file.read())
    now_ns = max(clock.wall_ns(), recalled.last_ns if recalled else 0)
    opened_ns = recalled.opened_ns if recalled else now_ns
    chain = open_chain(
        runtime.chain_path, runtime.seed, opened_ns, desk.underlyings, config.strikes_max
    )
    venue = build_venue(config, chain, runtime.seed, user_accounts(runtime), now_ns, recalled)
    memory = Memory(venue, opened_ns)

    def keep(at_ns: int) -> None:
        record = memory.take(at_ns)
        if record is not None:
            file.write(record)

    url = urlsplit(runtime.venue_ws_url)
    port = url.port or 0

    def doors() -> Edge:
        server = Server(runtime.listen_host, port, clock)
        feed = feed_door(venue, config, runtime.feeds.values(), now_ns)
        return Edges((server, *fix_door(venue, runtime, clock, now_ns), *feed))

    return service_of(Front(venue, keep), doors, config.step_ms)


def feed_door(
    venue: Venue, config: Config, feeds: Collection[FeedAddress], now_ns: int
) -> tuple[Edge, ...]:
    """Returns the door for market data over UDP, where anybody listens; else nothing is made."""
    multicast = config.multicast
    if not is_wanted(multicast, feeds):
        return ()
    venue.broadcast(now_ns)
    to = destinations(multicast, feeds) if multicast.mode == "unicast" else ()
    return (Sender(multicast, to),)


def fix_door(venue: Venue, runtime: Runtime, clock: Clock, now_ns: int) -> tuple[Edge, ...]:
    """Returns the FIX port, where the run has one."""
    if not runtime.venue_fix_url:
        return ()
    url = urlsplit(runtime.venue_fix_url)
    venue.open_fix(now_ns)
    return (FixServer(runtime.listen_host, url.port or 0, clock),)


def service_of(front: Front, edge: Callable[[], Edge], step_ms: int) -> Service:
    """Returns the wiring of a venue around its core."""
    return Service(
        name="venue",
        consumes=(
            on(Opened, front.on_opened),
            on(Received, front.on_received),
            on(Gone, front.on_gone),
            on(Asked, front.on_asked),
        ),
        publishes=frozenset({VenueAuditV1}),
        timers=(every(step_ms, front.on_timer), every(1000, front.on_second)),
        edge=edge,
        readings=front.venue.readings,
        core=front.venue,
    )


def user_accounts(runtime: Runtime) -> tuple[UserAccount, ...]:
    """Returns the desk's account, and two more with the same secret for other clients."""
    secret = read_secret(runtime.venue_client_secret_path)
    return desk_and_guests(runtime.venue_client_id, secret)


def desk_and_guests(client_id: str, client_secret: str) -> tuple[UserAccount, ...]:
    names = ("desk", "guest_1", "guest_2")
    ids = (client_id, f"{client_id}-guest-1", f"{client_id}-guest-2")
    return tuple(
        UserAccount(name, key, client_secret) for name, key in zip(names, ids, strict=True)
    )
