"""The ledger: every fact once, whatever comes twice, late, or before a restart."""

import random

import msgspec

from infra.rebuild import rebuild
from services.ledger.breakers import Breakers
from services.ledger.core import Config, Ledger, SurfaceNote
from services.ledger.entries import Append, Appended, Body, Opened, Row
from services.ledger.projection import read_table
from services.ledger.recorder import FILE_NAME, Recorder, read_opened
from shared.breaker import State
from shared.journal import Journal
from shared.journal_verifier import verify
from shared.messages.desk import RecordV1, TimerV1
from shared.messages.risk import HaltV1
from tests.integration.server import until
from tests.unit.risk.samples import CALL, NOW, PERPETUAL, PUT, fill, instruments, surface
from tests.unit.risk.test_core import give as give_risk
from tests.unit.risk.test_core import ready

EMPTY = Opened(NOW, frozenset(), ())


def opened(state=EMPTY):
    ledger = Ledger(Config())
    for batch in instruments():
        assert list(ledger.on_instruments(batch)) == []
    return ledger, list(ledger.on_opened(state))


def keys(outputs):
    return [out.key for out in outputs if isinstance(out, Append)]


def halt(number):
    return HaltV1(
        created_ns=NOW, halt_id=f"h{number}", underlying="all", action="halt", reason="",
        author="test",
    )  # fmt: skip


def test_a_fill_is_recorded_once_after_its_instrument():
    ledger, _ = opened()
    outputs = [*ledger.on_fill(fill(1)), *ledger.on_fill(fill(1)), *ledger.on_fill(fill(2))]
    assert keys(outputs) == [f"instrument-{CALL}", "fill-T1", "fill-T2"]


def test_a_fill_before_its_instrument_is_recorded_at_once_and_its_cash_later():
    ledger = Ledger(Config())
    list(ledger.on_opened(EMPTY))
    assert keys(ledger.on_fill(fill(1))) == ["fill-T1"]
    assert ledger.book.cash_coin_e12 == {}
    outputs = [out for batch in instruments() for out in ledger.on_instruments(batch)]
    assert keys(outputs) == [f"instrument-{CALL}"]
    assert ledger.book.cash_coin_e12 == {"BTC": -70_000_000_000}


def test_facts_wait_for_the_journal_and_are_not_written_twice():
    ledger = Ledger(Config())
    assert keys(ledger.on_fill(fill(1))) == []
    assert keys(ledger.on_fact(halt(1))) == []
    journal = Opened(NOW, frozenset({"fill-T1"}), ())
    assert keys(ledger.on_opened(journal)) == ["halt-h1"]
    assert keys(ledger.on_fill(fill(1))) == []
    assert not ledger.is_drained()


def test_an_entry_becomes_a_record_when_the_journal_has_it():
    ledger, _ = opened()
    (entry,) = [out for out in ledger.on_fact(halt(1)) if isinstance(out, Append)]
    record = RecordV1(
        created_ns=NOW, sequence=1, kind=entry.kind, payload=msgspec.Raw(entry.payload),
        previous_hash="0" * 64, entry_hash="1" * 64,
    )  # fmt: skip
    assert list(ledger.on_appended(Appended(record))) == [record]
    assert ledger.is_drained()


def test_surfaces_are_noted_with_hashes_and_now_and_then_in_full():
    ledger, _ = opened()
    notes = []
    for second in range(12):
        list(ledger.on_surface(surface(NOW + second, 2 * second)))
        list(ledger.on_surface(surface(NOW + second, 2 * second + 1)))
        timer = TimerV1(created_ns=NOW + second * 10**9)
        for entry in ledger.on_surface_timer(timer):
            fact = msgspec.json.decode(entry.payload, type=Body).fact
            notes.append(msgspec.json.decode(fact, type=SurfaceNote))
    assert len(notes) == 12
    assert [len(note.versions) for note in notes] == [2] * 12
    assert [bool(note.slices) for note in notes] == [True] + [False] * 9 + [True, False]
    hashes = {entry_hash for note in notes for _, _, entry_hash in note.versions}
    assert len(hashes) == 24


def test_the_newest_state_is_a_row():
    ledger, _ = opened()
    rows = [out for out in ledger.on_fill(fill(1)) if isinstance(out, Row)]
    assert ("positions", CALL, {"underlying": "BTC", "lots": 10}) in [
        (row.table, row.key, row.values) for row in rows
    ]


def random_fills(seed, count):
    dice = random.Random(seed)
    for number in range(count):
        name = dice.choice((CALL, PUT, PERPETUAL))
        price_ticks = dice.randint(199_000, 201_000) if name == PERPETUAL else dice.randint(1, 900)
        side = dice.choice(("buy", "sell"))
        fee = dice.randint(-(10**7), 10**8)
        yield fill(number, name, side, dice.randint(1, 500), price_ticks, NOW + number, fee=fee)


async def drive(directory, messages):
    """Runs the ledger with its real edge over a run's directory, as one life of it."""
    ledger, recorder = Ledger(Config()), Recorder(str(directory))
    records = []

    def route(outputs):
        for output in outputs:
            if isinstance(output, RecordV1):
                records.append(output)
            else:
                recorder.send(output)

    def deliver(message):
        handler = ledger.on_opened if isinstance(message, Opened) else ledger.on_appended
        route(handler(message))

    for batch in instruments():
        route(ledger.on_instruments(batch))
    await recorder.start(deliver)
    for message in messages:
        route(ledger.on_fill(message))
    await until(ledger.is_drained)
    await recorder.stop()
    return records


async def test_positions_from_the_record_alone_equal_risks(tmp_path):
    fills = list(random_fills(3, 200))
    await drive(tmp_path, [*fills, *fills[:20]])
    book = rebuild(tmp_path / FILE_NAME)
    risk = ready()
    give_risk(risk, *fills)
    positions = risk.underlyings["BTC"].portfolio.positions
    assert book.open_lots() == dict(sorted(positions.open_lots().items()))
    assert book.cash_coin_e12 == {"BTC": positions.cash_coin_e12}
    assert book.fees_coin_e12 == {"BTC": positions.fees_coin_e12}
    assert book.uncounted() == ()


async def test_a_restarted_ledger_goes_on_in_the_same_chain(tmp_path):
    fills = list(random_fills(4, 60))
    first = await drive(tmp_path, fills[:40])
    second = await drive(tmp_path, fills)
    sequences = [record.sequence for record in first]
    assert sequences == list(range(1, len(first) + 1))
    fresh = [record for record in second if record.sequence > sequences[-1]]
    assert second[: len(first)] == first, "what may not have left is shipped again, unchanged"
    assert len(fresh) == 20
    assert fresh[0].previous_hash == first[-1].entry_hash
    assert verify(tmp_path / FILE_NAME).is_whole
    assert rebuild(tmp_path / FILE_NAME).fill_count == 60


async def test_the_projection_holds_fills_and_positions(tmp_path):
    fills = list(random_fills(5, 30))
    await drive(tmp_path, fills)
    assert set(read_table(str(tmp_path), "fills")) == {one.trade_id for one in fills}
    held = read_table(str(tmp_path), "positions")
    assert {name: row["lots"] for name, row in held.items() if row["lots"]} == rebuild(
        tmp_path / FILE_NAME
    ).open_lots()


def test_a_projection_that_is_not_there_has_no_rows(tmp_path):
    assert read_table(str(tmp_path), "fills") == {}


def test_what_a_journal_holds_is_read_back(tmp_path):
    journal = Journal(tmp_path / "j")
    payload = msgspec.json.encode(Body("fill-T1", msgspec.Raw(b"{}")))
    entry = journal.append(NOW, "orders-fill-v1", payload)
    journal.close()
    state = read_opened(tmp_path / "j")
    assert state.keys == {"fill-T1"}
    assert state.tail[0].entry_hash == entry.entry_hash


def test_a_disk_that_is_not_trusted_is_spared_the_surfaces():
    breakers = Breakers()
    ledger = Ledger(Config(), breakers)
    list(ledger.on_opened(EMPTY))
    breakers.journal.transition(State.FORCED_OPEN, NOW)
    for _ in range(3):
        list(ledger.on_surface(surface()))
    assert list(ledger.on_surface_timer(TimerV1(created_ns=NOW))) == []
    assert keys(ledger.on_fact(halt(1))) == ["halt-h1"]
    breakers.journal.reset(NOW)
    (entry,) = ledger.on_surface_timer(TimerV1(created_ns=NOW))
    note = msgspec.json.decode(msgspec.json.decode(entry.payload, type=Body).fact)
    assert len(note["versions"]) == 1
