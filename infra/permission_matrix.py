"""What everybody should be able to say and hear, subject by subject: the other side of the trial.

It is worked out from the services' wiring once more and names concrete subjects, where
infra/permissions.py writes patterns: a mistake in either shows as a difference on a real server.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from infra.golden import sample
from infra.permissions import Role
from shared.messages.desk import BreakerV1, DeadLetterV1, HeartbeatV1, VitalsV1
from shared.messages.message import Delivery, Message, subject_of
from shared.messages.registry import KINDS

NOBODY: frozenset[str] = frozenset()
ABOUT_ONESELF = (HeartbeatV1, VitalsV1, DeadLetterV1, BreakerV1)
STREAMS = ("RECORD", "STATE", "DEAD", "LEDGER")
STREAM_NEVER = ("DELETE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.DELETE", "LEADER.STEPDOWN")
CONSUMER_NEVER = ("DELETE.{}.any", "INFO.{}.any", "NAMES.{}", "MSG.NEXT.{}.any",
                  "PAUSE.{}.any", "RESET.{}.any", "UNPIN.{}.any", "CREATE.{}")  # fmt: skip
FOREIGN = (
    "anything.at.all", "orders", "orders.place", "risk.lease.v1", "_INBOX.a.b", "$KV.any.key",
    "$O.any.C.a", "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.CREATE.OTHER", "$JS.API.ACCOUNT.PURGE.DESK", "$JS.API.META.LEADER.STEPDOWN",
    "$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.DESK.CONNZ", "$SYS.ACCOUNT.DESK.CONNECT",
    "$SRV.OTHER", "$SRV.PING.nobody", "desk.ask.nobody", "_COMMANDS.nobody-commands",
    "desk.heartbeat.v1.nobody", "desk.vitals.v1.nobody", "desk.dead_letter.v1.nobody",
    "desk.breaker.v2.risk",
)  # fmt: skip
# What somebody would listen to who wants to hear more than is theirs, and what would then arrive.
EAVESDROPPED = {
    ">": "orders.fill.v1.BTC", "*.>": "orders.fill.v1.BTC", "*": "orders",
    "orders.>": "orders.place.v1", "orders.*.v1": "orders.place.v1", "risk.>": "risk.halt.v1",
    "*.*.v1.BTC": "orders.fill.v1.BTC", "hedging.>": "hedging.intent.v1.BTC",
    "market.>": "market.feed.v1", "desk.>": "desk.record.v1", "desk.ask.>": "desk.ask.risk",
    "_INBOX.>": "_INBOX.a.b", "_INBOX_risk.>": "_INBOX_risk.a", "_COMMANDS.>": "_COMMANDS.a",
    "$JS.>": "$JS.API.INFO", "$JS.API.>": "$JS.API.INFO", "$JS.ACK.>": "$JS.ACK.RECORD.a.1",
    "$JS.EVENT.>": "$JS.EVENT.ADVISORY.any", "$SRV.>": "$SRV.PING", "$SYS.>": "$SYS.any",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One subject: who may publish on it (None: a pattern, nobody can) and who may listen."""

    subject: str
    speakers: AbstractSet[str] | None
    listeners: AbstractSet[str]
    heard_as: str = ""  # for a pattern: a subject that it covers

    @property
    def arrives_as(self) -> str:
        return self.heard_as or self.subject


def rows(everybody: Mapping[str, Role]) -> tuple[Row, ...]:
    """Returns every subject that is tried, with who may."""
    found = (
        *_messages(everybody),
        *_about_oneself(everybody),
        *_streams(everybody),
        *_commands(everybody),
        *_inboxes(everybody),
        *_health(everybody),
        *(Row(subject, NOBODY, _listeners_of(subject, everybody)) for subject in FOREIGN),
        *(
            Row(pattern, None, {"risk"} if pattern == "_INBOX_risk.>" else NOBODY, subject)
            for pattern, subject in EAVESDROPPED.items()
        ),
    )
    assert len({row.subject for row in found}) == len(found)
    return found


def _listeners_of(subject: str, everybody: Mapping[str, Role]) -> AbstractSet[str]:
    """A reader of lossy messages hears all versions and keys below a stem."""
    return {
        name
        for name, role in everybody.items()
        for kind in _heard_by(role)
        if subject.startswith(f"{_stem(kind)}.")
    }


def _messages(everybody: Mapping[str, Role]) -> Iterator[Row]:
    for kind in KINDS.values():
        if kind in ABOUT_ONESELF:
            continue
        speakers = {name for name, role in everybody.items() if kind in role.wiring.publishes}
        listeners = {name for name, role in everybody.items() if kind in _heard_by(role)}
        subject = subject_of(sample(kind))
        yield Row(subject, speakers, listeners)
        yield Row(subject.replace(".v1", ".v99", 1), NOBODY, listeners)
        yield Row(f"{_stem(kind)}.>", None, listeners, subject)


def _heard_by(role: Role) -> AbstractSet[type[Message]]:
    """What a role is told as it is spoken, and not by a stream."""
    taken = {one.kind for one in role.wiring.consumes if issubclass(one.kind, Message)}
    lossy = {kind for kind in taken if kind.delivery is Delivery.LOSSY}
    return lossy | {kind for kind in role.wiring.publishes if kind.delivery is Delivery.STATE}


def _about_oneself(everybody: Mapping[str, Role]) -> Iterator[Row]:
    """An agent speaks of itself, and nobody in its name; a person of anybody's breakers."""
    people = {name for name, role in everybody.items() if role.asks}
    beats = {name for name, role in everybody.items() if HeartbeatV1 in _heard_by(role)}
    watchers = {name for name, role in everybody.items() if VitalsV1 in _heard_by(role)}
    for name, role in everybody.items():
        yield Row(f"desk.heartbeat.v1.{name}", {name} if role.has_shell else NOBODY, beats)
        yield Row(f"desk.vitals.v1.{name}", {name} if role.has_shell else NOBODY, watchers)
        yield Row(f"desk.dead_letter.v1.{name}", {name} if role.has_shell else NOBODY, NOBODY)
        own = {name} if BreakerV1 in role.wiring.publishes else NOBODY
        yield Row(f"desk.breaker.v1.{name}", people | own, NOBODY)
    yield Row("desk.heartbeat.>", None, beats, "desk.heartbeat.v1.risk")
    yield Row("desk.vitals.>", None, watchers, "desk.vitals.v1.risk")
    yield Row("desk.breaker.>", None, NOBODY, "desk.breaker.v1.risk")
    yield Row("desk.dead_letter.>", None, NOBODY, "desk.dead_letter.v1.risk")


def _streams(everybody: Mapping[str, Role]) -> Iterator[Row]:
    keepers = {name for name, role in everybody.items() if role.keeps_streams}
    counters = {name for name, role in everybody.items() if role.counts_readers}
    for stream in STREAMS:
        yield Row(f"$JS.API.STREAM.INFO.{stream}", {*everybody}, NOBODY)
        yield Row(f"$JS.API.STREAM.CREATE.{stream}", keepers, NOBODY)
        yield Row(f"$JS.API.STREAM.UPDATE.{stream}", keepers, NOBODY)
        for verb in STREAM_NEVER:
            yield Row(f"$JS.API.STREAM.{verb}.{stream}", NOBODY, NOBODY)
        yield Row(f"$JS.API.DIRECT.GET.{stream}", NOBODY, NOBODY)
        readers = {name for name, role in everybody.items() if stream in _read_by(role)}
        yield Row(f"$JS.API.CONSUMER.CREATE.{stream}.any", readers, NOBODY)
        yield Row(f"$JS.API.CONSUMER.CREATE.{stream}.any.orders.fill", NOBODY, NOBODY)
        yield Row(f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.any", NOBODY, NOBODY)
        yield Row(f"$JS.API.CONSUMER.LIST.{stream}", counters, NOBODY)
        for verb in CONSUMER_NEVER:
            yield Row(f"$JS.API.CONSUMER.{verb.format(stream)}", NOBODY, NOBODY)
        yield Row(f"$JS.FC.{stream}.any.token", readers, NOBODY)
        yield Row(f"$JS.FC._.hash.{stream}.any.token", readers, NOBODY)
        yield Row(f"$JS.ACK.{stream}.any.1.2.3.4.5", NOBODY, NOBODY)


def _read_by(role: Role) -> AbstractSet[str]:
    """The streams of what a role follows in order."""
    own = {"DeadLetterV1": "DEAD", "RecordV1": "LEDGER"}
    by_delivery = {Delivery.STATE: "STATE", Delivery.DURABLE: "RECORD"}
    return {
        own.get(one.kind.__name__, by_delivery[one.kind.delivery])
        for one in role.wiring.consumes
        if issubclass(one.kind, Message)
        and not one.command
        and one.kind.delivery is not Delivery.LOSSY
    }


def _commands(everybody: Mapping[str, Role]) -> Iterator[Row]:
    """Whoever executes commands has them to itself, under its own name."""
    for name, role in everybody.items():
        own = {name} if any(one.command for one in role.wiring.consumes) else NOBODY
        queue = f"{name}-commands"
        # A name that no command queue has is a follower's to take.
        others = (
            NOBODY
            if own
            else {one for one, each in everybody.items() if "RECORD" in _read_by(each)}
        )
        yield Row(f"$JS.API.CONSUMER.CREATE.RECORD.{queue}", others, NOBODY)
        yield Row(f"$JS.API.CONSUMER.DURABLE.CREATE.RECORD.{queue}", own, NOBODY)
        yield Row(f"$JS.ACK.RECORD.{queue}.1.2.3.4.5", own, NOBODY)
        yield Row(f"$JS.ACK._.hash.RECORD.{queue}.1.2.3.4.5", own, NOBODY)
        yield Row(f"_COMMANDS.{queue}", NOBODY, own)
        advisory = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"
        yield Row(f"{advisory}.RECORD.{queue}", NOBODY, own)
    executors = {
        name for name, role in everybody.items() if any(one.command for one in role.wiring.consumes)
    }
    for stream in STREAMS:
        readers = executors if stream == "RECORD" else NOBODY
        yield Row(f"$JS.API.STREAM.MSG.GET.{stream}", readers, NOBODY)


def _inboxes(everybody: Mapping[str, Role]) -> Iterator[Row]:
    """Nobody reads another's answers; who may ask is answered by the agents."""
    agents = {name for name, role in everybody.items() if role.has_shell}
    for name, role in everybody.items():
        yield Row(f"_INBOX_{name}.a.b", agents if role.asks else NOBODY, {name})


def _health(everybody: Mapping[str, Role]) -> Iterator[Row]:
    askers = {name for name, role in everybody.items() if role.asks}
    agents = {name for name, role in everybody.items() if role.has_shell}
    for verb in ("PING", "INFO", "STATS"):
        yield Row(f"$SRV.{verb}", askers, agents)
        for name in agents:
            yield Row(f"$SRV.{verb}.{name}", askers, {name})
            yield Row(f"$SRV.{verb}.{name}.id", askers, {name})
    for name in agents:
        yield Row(f"desk.ask.{name}", askers, {name})


def _stem(kind: type[Message]) -> str:
    conversation, noun, _version = str(kind.__struct_config__.tag).split(".")
    return f"{conversation}.{noun}"
