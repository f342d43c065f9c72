"""Who may say what on the bus: the services' own wiring, written as NATS configuration.

    python -m infra.permissions render DIR [--server NAME]... [--mounted-at PATH]
                                           [--owner UID] [--shards] [--authority FOLDER]

writes what a private bus stands on. What is there already stays: rendering again after a service
was added keeps every key; delete a file to have a new one in its place.

    DIR/ca.pem               who signed the servers' certificate; every client needs it
    DIR/keys/ROLE.nk         one nkey seed a role: the services, observer, alerting, operator,
                             provisioner
    DIR/nats/security.conf   include this at the top of a server's configuration: accounts, TLS
    DIR/nats/tls.conf        the TLS lines alone, for a `cluster { tls { include ... } }` block
    DIR/nats/ca.pem, server.pem, server.key

`--server` names (repeated) are what clients and other servers call the servers; localhost and
127.0.0.1 are always among them. `--mounted-at` is where the server will see DIR/nats, if
elsewhere. `--owner` gives the seeds and the server's key to a user id, for containers that run
under one. `--shards` gives each process of a sharded desk a key of its own. `--authority` keeps the
authority, with its key, in a folder away from all this; without it its key is written nowhere, and
nobody can sign a server later.

A process is told of its key by HEDGEROW_BUS_NKEY_FILE and of the authority by
HEDGEROW_BUS_CA_FILE (shared/configuration.py). The streams must be there before agents start:
`python -m infra.provision` makes them as the role `provisioner`; agents may not.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from infra import bus_keys, observer, topology
from infra.alerting import service as alerting
from infra.bus_authority import AuthorityError
from shared.bus_login import inbox_of
from shared.configuration import DeskConfig, load_tables, section
from shared.follow import command_consumer_of, command_inbox_of
from shared.messages.desk import ABOUT_AN_AGENT, BreakerV1, DeadLetterV1, HeartbeatV1, VitalsV1
from shared.messages.message import Delivery, Message, tag_of
from shared.messages.pricing import OverrideV1
from shared.messages.registry import KINDS, is_keyed, stem_of
from shared.messages.risk import HaltV1
from shared.service import Service, on
from shared.streams import DEAD, LEDGER, RECORD, STATE, stream_of

STREAMS = (RECORD, STATE, DEAD, LEDGER)
OPERATOR = "operator"
PROVISIONER = "provisioner"
BY_A_PERSON = frozenset[type[Message]]({OverrideV1, HaltV1, BreakerV1})
SRV_VERBS = ("PING", "INFO", "STATS")
STREAM_VERBS = ("INFO", "CREATE", "UPDATE")


@dataclass(frozen=True)
class Role:
    """One key. `has_shell`: it runs the agents' shell. `asks`: it may ask agents for their
    health. `keeps_streams`: it makes the streams and widens them. `counts_readers`: it may list
    the streams' consumers."""

    wiring: Service
    has_shell: bool = True
    asks: bool = False
    keeps_streams: bool = False
    counts_readers: bool = False

    @property
    def name(self) -> str:
        return self.wiring.name


@dataclass(frozen=True)
class Grants:
    """Subjects in NATS' own patterns. What is not listed is refused; what is denied, always."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    publish_never: tuple[str, ...] = ()


def roles(wirings: Mapping[str, Service], desk: DeskConfig) -> dict[str, Role]:
    """Returns everybody who has a key: the services, and what stands around them."""
    everything = tuple(on(kind, lambda _: ()) for kind in KINDS.values())
    person = Service(name=OPERATOR, consumes=everything, publishes=BY_A_PERSON)
    found = (
        *(Role(wiring) for wiring in wirings.values()),
        Role(observer.build(desk)[0]),
        Role(alerting.wiring(), counts_readers=True),
        Role(person, has_shell=False, asks=True),
        Role(Service(name=PROVISIONER), has_shell=False, keeps_streams=True),
    )
    return {role.name: role for role in found}


def grants(role: Role, everybody: Mapping[str, Role]) -> Grants:
    """Returns what a role may do, by its wiring and by what its shell needs."""
    followed = followed_streams(role.wiring)
    hijacks = [
        f"$JS.API.CONSUMER.CREATE.{RECORD}.{command_consumer_of(other.name)}"
        for other in everybody.values()
        if has_commands(other.wiring) and RECORD in followed
    ]
    return Grants(
        publish=(
            *_said(role),
            *_asked_of_streams(role, followed),
            *(_asked_of_agents(everybody) if role.asks else ()),
        ),
        subscribe=tuple(_heard(role)),
        publish_never=tuple(hijacks),
    )


def all_grants(everybody: Mapping[str, Role]) -> dict[str, Grants]:
    return {name: grants(role, everybody) for name, role in everybody.items()}


def followed_streams(wiring: Service) -> tuple[str, ...]:
    """Returns the streams that a service reads in order, commands aside."""
    return tuple(
        sorted(
            {
                stream_of(consume.kind)
                for consume in wiring.consumes
                if is_message(consume.kind)
                and consume.kind.delivery is not Delivery.LOSSY
                and not consume.command
            }
        )
    )


def has_commands(wiring: Service) -> bool:
    return any(consume.command for consume in wiring.consumes)


def is_message(kind: type) -> TypeGuard[type[Message]]:
    return issubclass(kind, Message)


def _said(role: Role) -> Iterator[str]:
    """What the core publishes, and the shell about its own agent only."""
    from_the_shell: set[type[Message]] = set()
    if role.has_shell:
        from_the_shell = {HeartbeatV1, VitalsV1, DeadLetterV1}
    for kind in sorted(role.wiring.publishes | from_the_shell, key=tag_of):
        if role.has_shell and kind in ABOUT_AN_AGENT:
            yield f"{tag_of(kind)}.{role.name}"
        else:
            yield f"{tag_of(kind)}.>" if is_keyed(kind) else tag_of(kind)
    if role.has_shell:
        yield f"{inbox_of(OPERATOR)}.>"  # answers to who may ask


def _asked_of_streams(role: Role, followed: tuple[str, ...]) -> Iterator[str]:
    for stream in STREAMS:
        if role.keeps_streams:
            yield from (f"$JS.API.STREAM.{verb}.{stream}" for verb in STREAM_VERBS)
        elif role.has_shell or stream in followed:
            yield f"$JS.API.STREAM.INFO.{stream}"
        if role.counts_readers:
            yield f"$JS.API.CONSUMER.LIST.{stream}"
    for stream in followed:
        yield f"$JS.API.CONSUMER.CREATE.{stream}.*"
        # Flow control and acks have two forms, the second with domain and account in front.
        yield f"$JS.FC.{stream}.>"
        yield f"$JS.FC.*.*.{stream}.>"
    if has_commands(role.wiring):
        name = command_consumer_of(role.name)
        yield f"$JS.API.CONSUMER.DURABLE.CREATE.{RECORD}.{name}"
        yield f"$JS.API.STREAM.MSG.GET.{RECORD}"
        yield f"$JS.ACK.{RECORD}.{name}.>"
        yield f"$JS.ACK.*.*.{RECORD}.{name}.>"


def _asked_of_agents(everybody: Mapping[str, Role]) -> Iterator[str]:
    agents = [role.name for role in everybody.values() if role.has_shell]
    yield from (f"desk.ask.{name}" for name in agents)
    yield from _health_subjects(*agents)


def _heard(role: Role) -> Iterator[str]:
    yield f"{inbox_of(role.name)}.>"
    heard = {
        stem_of(consume.kind)
        for consume in role.wiring.consumes
        if is_message(consume.kind) and consume.kind.delivery is Delivery.LOSSY
    }
    # The shell hears its own states as they are spoken (shared/state_keeper.py).
    heard |= {stem_of(kind) for kind in role.wiring.publishes if kind.delivery is Delivery.STATE}
    yield from (f"{stem}.>" for stem in sorted(heard))
    if has_commands(role.wiring):
        name = command_consumer_of(role.name)
        yield command_inbox_of(role.name)
        yield f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{RECORD}.{name}"
    if role.has_shell:
        yield f"desk.ask.{role.name}"
        yield from _health_subjects(role.name)


def _health_subjects(*agents: str) -> Iterator[str]:
    """NATS' own service protocol: everybody at once, the agents of a name, one process."""
    for verb in SRV_VERBS:
        yield f"$SRV.{verb}"
        for name in agents:
            yield from (f"$SRV.{verb}.{name}", f"$SRV.{verb}.{name}.*")


def accounts(granted: Mapping[str, Grants], public_keys: Mapping[str, str]) -> str:
    """Returns the accounts of the server's configuration. Nobody has a key to SYS."""
    users = [user(public_keys[name], name, given) for name, given in granted.items()]
    return "\n".join(
        [
            "# Written by infra/permissions.py from the services' wiring; do not edit.",
            "system_account: SYS",
            "accounts {",
            "  SYS {}",
            "  DESK {",
            "    jetstream: enabled",
            "    users: [",
            *users,
            "    ]",
            "  }",
            "}",
            "",
        ]
    )


def user(public_key: str, name: str, granted: Grants) -> str:
    """Returns one user of an account; an empty list would allow nothing, as is meant."""
    never = f", deny: {_listed(granted.publish_never)}" if granted.publish_never else ""
    return (
        f"      # {name}\n"
        f"      {{ nkey: {public_key}, permissions {{\n"
        f"        publish: {{ allow: {_listed(granted.publish)}{never} }}\n"
        f"        subscribe: {{ allow: {_listed(granted.subscribe)} }}\n"
        f"      }} }}"
    )


def _listed(subjects: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in subjects) + "]"


def render(
    directory: Path,
    granted: Mapping[str, Grants],
    servers: tuple[str, ...] = (),
    mounted_at: str = "",
    owner: int = -1,
    kept_in: Path | None = None,
) -> Path:
    """Writes keys, certificates and configuration; returns the file that a server includes. Raises
    AuthorityError (bus_keys.write_certificates)."""
    public_keys = bus_keys.write_seeds(directory / "keys", tuple(granted), owner)
    nats = directory / "nats"
    bus_keys.write_certificates(nats, servers, owner, kept_in)
    trusted = (nats / bus_keys.BUNDLE).read_bytes()
    bundle = directory / bus_keys.BUNDLE
    if not bundle.exists() or bundle.read_bytes() != trusted:
        bundle.write_bytes(trusted)  # in place: agents' containers see this very file
    seen_at = mounted_at or str(nats.resolve())
    lines = (("cert", "server.pem"), ("key", "server.key"), ("ca", "ca.pem"))
    tls = "".join(f'{what}_file: "{seen_at}/{name}"\n' for what, name in lines)
    (nats / "tls.conf").write_text(tls, encoding="utf-8")
    path = nats / "security.conf"
    text = f"{accounts(granted, public_keys)}tls {{\n{tls}}}\n"
    path.write_text(text, encoding="utf-8")
    return path


def roles_of(config_path: str, *, is_sharded: bool) -> dict[str, Role]:
    """Returns everybody on the bus of a desk with this configuration."""
    tables = load_tables(config_path)
    desk = section(tables, "desk", DeskConfig)
    processes = topology.instances(desk.underlyings if is_sharded else ())
    return roles(topology.named(topology.services(tables), processes.values()), desk)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="infra.permissions", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="command")
    command = commands.add_parser("render", help="write keys, certificates and configuration")
    command.add_argument("directory", type=Path, metavar="DIR")
    command.add_argument("--server", action="append", default=[], metavar="NAME")
    command.add_argument("--mounted-at", default="", metavar="PATH")
    command.add_argument("--owner", type=int, default=-1, metavar="UID")
    command.add_argument("--config", default="", metavar="desk.toml")
    command.add_argument("--shards", action="store_true")
    command.add_argument("--authority", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    everybody = roles_of(given.config, is_sharded=given.shards)
    os.umask(0o077)
    granted = all_grants(everybody)
    try:
        path = render(
            given.directory,
            granted,
            tuple(given.server),
            given.mounted_at,
            given.owner,
            given.authority,
        )
    except AuthorityError as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        return 1
    print(f"{len(everybody)} roles: {', '.join(everybody)}\ninclude {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
