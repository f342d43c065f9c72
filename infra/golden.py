"""`make golden`: writes golden bytes for new messages, and takes additions into the snapshot.

Golden bytes are never rewritten: they are what a journal of that day holds. A breach of the rules
of change is refused, with what to do instead.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from infra.compatibility import additions, breaches, snapshot
from shared.messages.message import Message, decode, encode
from shared.messages.registry import KINDS

CONTRACT = Path(__file__).parent.parent / "tests" / "contract"
GOLDEN = CONTRACT / "golden"
SNAPSHOT = CONTRACT / "schema.json"
BY_PATTERN = {
    r"^[A-Z0-9]+$": "BTC",
    r"^([A-Z0-9]+|all)$": "all",
    r"^[A-Za-z0-9_\-:]+$": "BTC-PERPETUAL",
    r"^[A-Za-z0-9_\-:]*$": "a-1",
}
HASH_LENGTH = 64


def sample(kind: type[Message]) -> Message:
    """Returns a message with every field filled, the same at every call."""
    return decode(kind, msgspec.json.encode(_value(msgspec.inspect.type_info(kind))))


def main() -> int:
    """Writes what is missing; returns the exit code: 0, or 1 for a breach."""
    new = snapshot()
    old = json.loads(SNAPSHOT.read_text()) if SNAPSHOT.exists() else {"messages": {}, "structs": {}}
    if found := breaches(old, new):
        print("\n".join(found))
        return 1
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for tag, kind in KINDS.items():
        path = GOLDEN / f"{tag}.json"
        if not path.exists():
            path.write_bytes(encode(sample(kind)))
            print(f"wrote {path.name}")
    for name in additions(old, new):
        print(f"took {name} into {SNAPSHOT.name}")
    SNAPSHOT.write_text(json.dumps(new, indent=1) + "\n")
    return 0


def _value(info: msgspec.inspect.Type) -> Any:
    inspect = msgspec.inspect
    if isinstance(info, inspect.Metadata):
        return _value(info.type)
    if isinstance(info, inspect.StructType):
        fields = {field.encode_name: _value(field.type) for field in info.fields}
        if info.array_like:
            return list(fields.values())
        return {str(info.tag_field): info.tag, **fields} if info.tag_field else fields
    if isinstance(info, inspect.UnionType):
        return _value(next(one for one in info.types if not isinstance(one, inspect.NoneType)))
    if isinstance(info, inspect.BoolType):
        return True
    if isinstance(info, inspect.IntType):
        return max(info.ge if info.ge is not None else 7, 7)
    if isinstance(info, inspect.FloatType):
        return min(info.le if info.le is not None else 1.25, 0.625)
    if isinstance(info, inspect.StrType):
        if info.min_length == HASH_LENGTH and info.max_length == HASH_LENGTH:
            return "0a" * (HASH_LENGTH // 2)
        return BY_PATTERN[info.pattern] if info.pattern else "a text"
    if isinstance(info, inspect.LiteralType):
        return info.values[0]
    if isinstance(info, inspect.VarTupleType):
        return [_value(info.item_type)] * 2
    if isinstance(info, inspect.RawType):
        return {"kind": "raw"}
    raise TypeError(f"no sample of {info}")


if __name__ == "__main__":
    sys.exit(main())
