"""Every message's schema, from the classes themselves: JSON Schema and an AsyncAPI 3 document."""

from collections.abc import Iterator
from typing import Any

import msgspec

from shared.messages.message import Delivery, Message, tag_of
from shared.messages.registry import KINDS, is_keyed
from shared.service import Service
from shared.streams import stream_of

VERSION = "0.1.0"
HOW_IT_TRAVELS = {
    Delivery.LOSSY: "core NATS: the newest wins, any may be lost",
    Delivery.STATE: "JetStream, the newest of each subject kept",
    Delivery.DURABLE: "JetStream, every one kept, at least once and in order, with Nats-Msg-Id",
}
DURABLE_HEADERS = {
    "type": "object",
    "properties": {
        "Nats-Msg-Id": {"type": "string", "description": "deterministic id of the message"},
        "traceparent": {"type": "string", "description": "W3C trace context"},
    },
}


def components() -> dict[str, Any]:
    """Returns the JSON Schema of every message and of what messages hold, by class name."""
    _, found = msgspec.json.schema_components(
        tuple(KINDS.values()), ref_template="#/components/schemas/{name}"
    )
    return dict(found)


def schemas() -> dict[str, Any]:
    """Returns what `hedgerow schema` prints: tag -> subject, delivery and JSON Schema."""
    return {
        "messages": {
            tag: {
                "subject": subject_template(kind),
                "delivery": kind.delivery.value,
                "schema": {"$ref": f"#/components/schemas/{kind.__name__}"},
            }
            for tag, kind in sorted(KINDS.items())
        },
        "components": {"schemas": components()},
    }


def schema(tag: str) -> dict[str, Any]:
    """Returns one message's JSON Schema, whole. Raises KeyError for an unknown tag."""
    return msgspec.json.schema(KINDS[tag])


def subject_template(kind: type[Message]) -> str:
    return f"{tag_of(kind)}.{{key}}" if is_keyed(kind) else tag_of(kind)


def asyncapi(services: dict[str, Service]) -> dict[str, Any]:
    """Returns the AsyncAPI 3 document of the bus: channels, who sends and who receives."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Hedgerow's bus",
            "version": VERSION,
            "description": "Messages between the agents of the desk, JSON over NATS.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "desk": {
                "host": "127.0.0.1:{port}",
                "protocol": "nats",
                "variables": {"port": {"description": "chosen by `hedgerow up` for each run"}},
            }
        },
        "channels": {_channel_name(kind): _channel(kind) for kind in KINDS.values()},
        "operations": dict(sorted(_operations(services))),
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in KINDS.values()},
            "schemas": components(),
        },
    }


def _channel_name(kind: type[Message]) -> str:
    return tag_of(kind).replace(".", "_")


def _channel(kind: type[Message]) -> dict[str, Any]:
    stream = "" if kind.delivery is Delivery.LOSSY else f"; stream {stream_of(kind)}"
    channel: dict[str, Any] = {
        "address": subject_template(kind),
        "description": HOW_IT_TRAVELS[kind.delivery] + stream,
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"}},
    }
    if is_keyed(kind):
        channel["parameters"] = {"key": {"description": "what the message is about"}}
    return channel


def _message(kind: type[Message]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": tag_of(kind),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }
    if summary := (kind.__doc__ or "").partition("\n\n")[0]:
        message["summary"] = " ".join(summary.split())
    if kind.delivery is Delivery.DURABLE:
        message["headers"] = DURABLE_HEADERS
    return message


def _operations(services: dict[str, Service]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, service in services.items():
        for kind in service.publishes:
            yield f"{name}_sends_{_channel_name(kind)}", _operation("send", kind)
        for consume in service.consumes:
            if issubclass(consume.kind, Message):
                yield (
                    f"{name}_receives_{_channel_name(consume.kind)}",
                    _operation("receive", consume.kind),
                )


def _operation(action: str, kind: type[Message]) -> dict[str, Any]:
    channel = f"#/channels/{_channel_name(kind)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{kind.__name__}"}],
    }
