"""May a reader or writer of the old schema meet one of the new? Inside a version only add, at the
end, with a default. Compares two snapshots and says of each breach what to do instead.
"""

import json
from collections.abc import Iterator
from typing import Any

from infra.schema import components
from shared.messages.registry import KINDS

NEW_VERSION = "add a new class with the next version (FillV1 -> FillV2) and leave this one alone"
WORDS = frozenset({"title", "description"})  # of people, not of the wire


def snapshot() -> dict[str, Any]:
    """Returns what readers rely on today."""
    found = {
        "messages": {
            tag: {"class": kind.__name__, "delivery": kind.delivery.value}
            for tag, kind in sorted(KINDS.items())
        },
        "structs": {name: _without_words(schema) for name, schema in components().items()},
    }
    plain: dict[str, Any] = json.loads(json.dumps(found))  # a default may be a tuple
    return plain


def breaches(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Returns every way in which the new schema breaks the old one; empty if it does not."""
    found = []
    for tag, before in old["messages"].items():
        now = new["messages"].get(tag)
        if now is None:
            found.append(f"{tag} is gone: keep its class while any journal may hold it")
        elif now != before:
            found.append(f"{tag} was {before}, is {now}: {NEW_VERSION}")
    for name, before in old["structs"].items():
        now = new["structs"].get(name)
        if now is None:
            found.append(f"{name} is gone: {NEW_VERSION}")
        else:
            found += [f"{name}{breach}" for breach in _struct_breaches(before, now)]
    return found


def additions(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Returns the classes that are new or have grown."""
    return [name for name, now in new["structs"].items() if old["structs"].get(name) != now]


def _struct_breaches(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    if before.get("type") != now.get("type"):
        yield f" was an {before.get('type')}, is an {now.get('type')}: {NEW_VERSION}"
    elif "prefixItems" in before:
        yield from _positional_breaches(before, now)
    elif "properties" in before:
        yield from _named_breaches(before, now)
    elif before != now:
        yield f" has changed: {NEW_VERSION}"


def _named_breaches(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    old_fields, new_fields = before["properties"], now["properties"]
    kept = [name for name in new_fields if name in old_fields]
    for name, field in old_fields.items():
        if name not in new_fields:
            yield f".{name} was removed or renamed: put it back; {NEW_VERSION}"
        elif new_fields[name] != field:
            yield f".{name} was {field}, is {new_fields[name]}: put it back; {NEW_VERSION}"
    if not [name for name in old_fields if name not in new_fields]:
        if kept != list(old_fields):
            yield f" fields were reordered to {kept}: put them back in their order"
        elif list(new_fields)[: len(kept)] != kept:
            added = [name for name in new_fields if name not in old_fields]
            yield f" fields {added} stand before old ones: move them to the end"
    old_required = set(before.get("required", ()))
    for name in now.get("required", ()):
        if name not in old_fields:
            yield f".{name} is new and required: give it a default, at the end"
        elif name not in old_required:
            yield f".{name} has lost its default: put it back"


def _positional_breaches(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    old_items, new_items = before["prefixItems"], now["prefixItems"]
    if new_items[: len(old_items)] != old_items:
        yield f" is positional and its items have changed: only add at the end; {NEW_VERSION}"
    if now.get("minItems", 0) > before.get("minItems", 0):
        yield " is positional and has a new required item: give it a default"


def _without_words(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: {field: _without_words(value) for field, value in part.items()}
            if name == "properties"
            else _without_words(part)
            for name, part in schema.items()
            if name not in WORDS
        }
    if isinstance(schema, list):
        return [_without_words(part) for part in schema]
    return schema
