import copy
import json
import re
from pathlib import Path

import msgspec
import pytest

from infra.compatibility import breaches, snapshot
from infra.golden import GOLDEN, SNAPSHOT, sample
from infra.schema import asyncapi, schema, schemas
from shared.messages.message import (
    BadMessageError,
    Delivery,
    Message,
    decode,
    encode,
    subject_of,
    tag_of,
)
from shared.messages.registry import KINDS, MODULES, is_keyed, stem_of
from shared.service import Service, on
from shared.streams import configurations, stream_of

ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.__name__)
UNITS = ("_ns", "_us", "_ms", "_s", "_ticks", "_lots", "_e8", "_e12", "_count", "_bytes", "_max")
NUMBERS = {"sequence", "version", "surface_version", "pid", "http_port", "attempt", "instrument_id"}


@ALL
def test_class_tag_and_version_agree(kind):
    found = re.fullmatch(r"([a-z]+)\.([a-z_]+)\.v(\d+)", tag_of(kind))
    assert found, tag_of(kind)
    _, noun, version = found.groups()
    name = "".join(part.capitalize() for part in noun.split("_"))
    assert kind.__name__.endswith(f"V{version}")
    conversation = kind.__module__.rpartition(".")[2]
    plain = {name, f"{name}Order", f"{conversation[:-1].capitalize()}{name}"}
    said = kind.__name__.removesuffix(f"V{version}")
    assert said in plain or said.endswith(name), f"{kind.__name__} is tagged {tag_of(kind)}"


@ALL
def test_a_message_lies_in_its_conversations_file(kind):
    assert kind.__module__ == f"shared.messages.{tag_of(kind).partition('.')[0]}"


@ALL
def test_integers_say_their_unit(kind):
    for info in integers(msgspec.inspect.type_info(kind), set()):
        assert info.endswith(UNITS) or info in NUMBERS, f"{kind.__name__}.{info} has no unit"


def integers(info, seen):
    """Names of all int fields of a message and of what it holds."""
    if isinstance(info, msgspec.inspect.Metadata):
        yield from integers(info.type, seen)
    elif isinstance(info, msgspec.inspect.VarTupleType):
        yield from integers(info.item_type, seen)
    elif isinstance(info, msgspec.inspect.StructType) and info.cls not in seen:
        seen.add(info.cls)
        for field in info.fields:
            inner = field.type
            while isinstance(inner, msgspec.inspect.Metadata):
                inner = inner.type
            while isinstance(inner, msgspec.inspect.VarTupleType):
                inner = inner.item_type
            if isinstance(inner, msgspec.inspect.IntType):
                yield field.name
            yield from integers(inner, seen)


@ALL
def test_durable_messages_and_only_they_have_an_id(kind):
    message_id = sample(kind).message_id()
    assert (message_id is not None) == (kind.delivery is Delivery.DURABLE)


@ALL
def test_a_key_makes_a_subject_that_nats_takes(kind):
    subject = subject_of(sample(kind))
    assert subject.startswith(tag_of(kind))
    assert is_keyed(kind) == (subject != tag_of(kind))
    assert re.fullmatch(r"[A-Za-z0-9_\-:]+(\.[A-Za-z0-9_\-:]+)*", subject)


@ALL
def test_golden_bytes_still_mean_the_same(kind):
    path = GOLDEN / f"{tag_of(kind)}.json"
    assert path.exists(), f"{path.name} is missing: run `make golden`"
    golden = path.read_bytes()
    again = encode(decode(kind, golden))
    new, old = json.loads(again), json.loads(golden)
    assert begins_with(new, old), f"{path.name} reads differently"
    assert new != old or again == golden


def begins_with(new, old):
    """Is `new` the same, but for fields added at the end?"""
    if isinstance(old, dict):
        first = list(new)[: len(old)]
        return first == list(old) and all(begins_with(new[name], old[name]) for name in old)
    if isinstance(old, list):
        return len(new) >= len(old) and all(map(begins_with, new, old))
    return new == old


def test_there_is_no_golden_file_without_a_class():
    assert {path.stem for path in GOLDEN.iterdir()} <= set(KINDS)


@ALL
def test_an_old_reader_ignores_what_a_new_writer_adds(kind):
    message = sample(kind)
    grown = {**json.loads(encode(message)), "a_field_of_tomorrow": {"deep": [1]}}
    assert encode(decode(kind, json.dumps(grown, separators=(",", ":")).encode())) == encode(
        message
    )


@ALL
def test_another_kinds_bytes_are_refused(kind):
    other = next(other for other in KINDS.values() if other is not kind)
    with pytest.raises(BadMessageError):
        decode(kind, encode(sample(other)))


def test_the_schema_breaks_no_reader_and_is_in_the_snapshot():
    old = json.loads(SNAPSHOT.read_text())
    new = snapshot()
    assert not breaches(old, new), "\n".join(breaches(old, new))
    assert new == old, "the schema has grown: run `make golden`"


def changed(change):
    old = snapshot()
    new = copy.deepcopy(old)
    change(new["structs"]["FillV1"]["properties"], new["structs"]["FillV1"])
    return breaches(old, new)


def test_adding_a_field_with_a_default_at_the_end_is_allowed():
    assert not changed(lambda fields, _: fields.update(venue={"type": "string", "default": ""}))


def rename(fields, struct):
    names = ["trade" if name == "trade_id" else name for name in fields]
    values = list(fields.values())
    fields.clear()
    fields.update(zip(names, values, strict=True))


def reorder(fields, struct):
    fields["created_ns"] = fields.pop("created_ns")


def add_in_front(fields, struct):
    old = dict(fields)
    fields.clear()
    fields.update(extra={"type": "string", "default": ""}, **old)


def add_required(fields, struct):
    fields["extra"] = {"type": "string"}
    struct["required"].append("extra")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (add_required, "is new and required: give it a default"),
        (rename, "FillV1.trade_id was removed or renamed: put it back"),
        (lambda fields, _: fields.pop("trade_id"), "add a new class with the next version"),
        (lambda fields, _: fields["side"].update(enum=["b", "s"]), "FillV1.side was"),
        (reorder, "put them back in their order"),
        (add_in_front, "move them to the end"),
        (lambda _, struct: struct.update(type="array"), "is an array"),
    ],
)
def test_a_breaking_change_fails_and_says_what_to_do(change, words):
    assert any(words in breach for breach in changed(change)), changed(change)


def test_positional_structs_may_only_grow_at_the_end():
    old = snapshot()
    new = copy.deepcopy(old)
    new["structs"]["Tick"]["prefixItems"].append({"type": "string"})
    assert not breaches(old, new)
    new["structs"]["Tick"]["minItems"] += 1
    assert "has a new required item" in breaches(old, new)[0]
    new["structs"]["Tick"]["prefixItems"].reverse()
    assert "only add at the end" in breaches(old, new)[0]


def test_a_removed_message_and_a_changed_delivery_are_breaches():
    old = snapshot()
    new = copy.deepcopy(old)
    del new["messages"]["orders.fill.v1"]
    new["messages"]["risk.halt.v1"]["delivery"] = "lossy"
    found = "\n".join(breaches(old, new))
    assert "orders.fill.v1 is gone" in found
    assert "risk.halt.v1 was" in found


def test_every_message_class_is_registered_once():
    defined = {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Message) and value is not Message
    }
    assert defined == set(KINDS.values())
    folder = Path(MODULES[0].__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "message", "registry"}
    assert files == {module.__name__.rpartition(".")[2] for module in MODULES}


def test_streams_hold_every_kept_message_and_do_not_overlap():
    subjects = {one["name"]: one["subjects"] for one in configurations()}
    flat = [subject for some in subjects.values() for subject in some]
    assert len(flat) == len(set(flat))
    for kind in KINDS.values():
        if kind.delivery is not Delivery.LOSSY:
            assert f"{stem_of(kind)}.>" in subjects[stream_of(kind)]


def test_schemas_and_asyncapi_name_every_message():
    printed = schemas()
    service = Service(
        name="one",
        consumes=(on(KINDS["orders.fill.v1"], lambda _: ()),),
        publishes=frozenset({KINDS["risk.halt.v1"]}),
    )
    document = asyncapi({"one": service})
    assert set(printed["messages"]) == set(KINDS)
    assert set(document["channels"]) == {tag.replace(".", "_") for tag in KINDS}
    assert set(document["operations"]) == {
        "one_receives_orders_fill_v1",
        "one_sends_risk_halt_v1",
    }
    for reference in references(document):
        place = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


@ALL
def test_one_schema_is_complete_and_the_golden_bytes_fit_its_fields(kind):
    printed = schema(tag_of(kind))
    for reference in references(printed):
        assert reference.rpartition("/")[2] in printed["$defs"]
    fields = printed["$defs"][kind.__name__]["properties"]
    golden = list(json.loads((GOLDEN / f"{tag_of(kind)}.json").read_bytes()))
    assert golden == list(fields)[: len(golden)]


def references(part):
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)
