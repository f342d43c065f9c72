"""Every message there is, by tag: for the streams, the schema and the contract tests."""

from shared.messages import desk, hedging, market, orders, pricing, quoting, risk
from shared.messages.message import Delivery, Message, tag_of

MODULES = (desk, hedging, market, orders, pricing, quoting, risk)


def kinds_of(delivery: Delivery) -> tuple[type[Message], ...]:
    """Returns all messages that travel so, in the order of their files."""
    return tuple(kind for kind in KINDS.values() if kind.delivery is delivery)


def stem_of(kind: type[Message]) -> str:
    """Returns the tag without its version: `orders.fill`. All versions lie under it."""
    return tag_of(kind).rpartition(".")[0]


def is_keyed(kind: type[Message]) -> bool:
    """Returns whether the subject goes on after the tag."""
    return kind.key is not Message.key


def _kinds() -> dict[str, type[Message]]:
    found: dict[str, type[Message]] = {}
    for module in MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Message) and value is not Message:
                assert value.__module__ == module.__name__, f"{value} is listed twice"
                found[tag_of(value)] = value
    return found


KINDS: dict[str, type[Message]] = _kinds()
