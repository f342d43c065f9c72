"""The ledger: every order, fill, limit, surface, halt and alert, once, in one chain."""

import hashlib
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from services.ledger.book import Book
from services.ledger.breakers import Breakers
from services.ledger.entries import Append, Appended, Body, Flush, Opened, Row, entry_kind
from services.ledger.projection_rows import fill_row, order_row, plain_row
from shared.clock import NS_PER_MS
from shared.dedupe import Ids
from shared.messages.desk import RecordV1, TimerV1
from shared.messages.market import InstrumentsV1
from shared.messages.message import Message, encode
from shared.messages.orders import FillV1, OrderV1, SettlementV1
from shared.messages.pricing import Slice, SurfaceV1
from shared.messages.risk import LimitsV1

Output = Append | Row | Flush | RecordV1


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[ledger]`."""

    surface_interval_ms: Annotated[int, Meta(ge=100, le=60_000)] = 1000
    parameters_interval_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 10_000


class SurfaceNote(msgspec.Struct, frozen=True, kw_only=True):
    """Surfaces since the last note: each version with the hash of its message, and now and then
    the newest one's parameters in full."""

    type: str = "ledger-surfaces"
    underlying: str
    versions: list[tuple[int, int, str]]  # version, created_ns, SHA-256 of the message's bytes
    slices: tuple[Slice, ...]  # of the last version; empty between two full notes


class Ledger:
    """`is_open` once the journal has told what it holds; until then facts wait."""

    def __init__(self, config: Config, breakers: Breakers | None = None) -> None:
        self._config = config
        self._breakers = breakers or Breakers()
        self.book = Book()
        self.is_open = False
        self.appended_count = 0
        self._keys = Ids()
        self._waiting: list[Append] = []
        self._waiting_rows: list[Row] = []
        self._under_way = 0
        self._instruments: dict[str, InstrumentsV1] = {}
        self._surfaces: dict[str, list[SurfaceV1]] = {}
        self._parameters_ns: dict[str, int] = {}

    def on_opened(self, opened: Opened) -> Iterator[Output]:
        """Writes what waited and is not in the journal; ships again what may not have left."""
        self.is_open = True
        yield from opened.tail
        waiting, self._waiting = self._waiting, []
        for key in opened.keys:
            self._keys.add(key)
        for entry in waiting:
            if entry.key not in opened.keys:
                self._under_way += 1
                yield entry
        rows, self._waiting_rows = self._waiting_rows, []
        yield from rows

    def on_appended(self, appended: Appended) -> Iterator[Output]:
        self._under_way -= 1
        self.appended_count += 1
        yield appended.record

    def on_fact(self, message: Message) -> Iterator[Output]:
        """Any DURABLE message that needs no more than to be kept."""
        yield from self._keep(message)
        yield from self._show(*plain_row(message))

    def on_order(self, order: OrderV1) -> Iterator[Output]:
        yield from self._keep(order)
        yield from self._show(order_row(order))

    def on_fill(self, fill: FillV1) -> Iterator[Output]:
        yield from self._keep_instrument(fill.instrument, fill.created_ns)
        yield from self._keep(fill)
        if self.book.add_fill(fill):
            yield from self._show(fill_row(fill))
            yield from self._position_rows(fill.instrument, fill.underlying)

    def on_settlement(self, settlement: SettlementV1) -> Iterator[Output]:
        yield from self._keep(settlement)
        self.book.add_settlement(settlement)
        if settlement.instrument in self.book.lots:
            yield from self._position_rows(settlement.instrument, settlement.underlying)

    def on_instruments(self, batch: InstrumentsV1) -> Iterator[Output]:
        """Instruments are recorded once they trade; a fill may have come before its instrument."""
        late = set(self.book.uncounted())
        for instrument in batch.instruments:
            if instrument.name not in self._instruments:
                self._instruments[instrument.name] = batch
            if instrument.name in late:
                yield from self._keep_instrument(instrument.name, batch.created_ns)
                yield from self._position_rows(instrument.name, batch.underlying)

    def on_limits(self, limits: LimitsV1) -> Iterator[Output]:
        key = f"limits-{limits.underlying}-{limits.version}"
        yield from self._append(entry_kind(LimitsV1), key, encode(limits), limits.created_ns)
        yield from self._show(*plain_row(limits))

    def on_surface(self, surface: SurfaceV1) -> Iterator[Output]:
        self._surfaces.setdefault(surface.underlying, []).append(surface)
        yield from ()

    def on_surface_timer(self, timer: TimerV1) -> Iterator[Output]:
        for underlying, surfaces in self._surfaces.items():
            if not self._breakers.journal.is_trusted:
                del surfaces[:-1]  # the disk is for what happened, not for what was thought
            if not surfaces or not self._breakers.journal.is_trusted:
                continue
            last = surfaces[-1]
            age_ns = timer.created_ns - self._parameters_ns.get(underlying, 0)
            is_full = age_ns >= self._config.parameters_interval_ms * NS_PER_MS
            if is_full:
                self._parameters_ns[underlying] = timer.created_ns
            note = SurfaceNote(
                underlying=underlying,
                versions=[(s.version, s.created_ns, _sha256(s)) for s in surfaces],
                slices=last.slices if is_full else (),
            )
            surfaces.clear()
            key = f"surface-{underlying}-{last.version}-{last.created_ns}"
            data = msgspec.json.encode(note)
            yield from self._append("ledger-surfaces", key, data, timer.created_ns)

    def on_state(self, message: Message) -> Iterator[Output]:
        """What the projection shows and the journal does not keep."""
        yield from self._show(*plain_row(message))

    def on_flush_timer(self, timer: TimerV1) -> Iterator[Output]:
        del timer
        if self.is_open:
            yield Flush()

    def on_drain(self, timer: TimerV1) -> Iterator[Output]:
        yield from self.on_surface_timer(timer)
        yield from self.on_flush_timer(timer)

    def is_drained(self) -> bool:
        return self._under_way == 0

    def not_ready(self) -> str:
        return "" if self.is_open else "the journal is not open yet"

    def _keep(self, message: Message) -> Iterator[Append]:
        key = message.message_id()
        assert key is not None, f"{type(message).__name__} has no id"
        if key not in self._keys:
            data = encode(message)
            yield from self._append(entry_kind(type(message)), key, data, message.created_ns)

    def _keep_instrument(self, name: str, created_ns: int) -> Iterator[Append]:
        """Records what an instrument is, before its first fill where that can be."""
        batch = self._instruments.get(name)
        if batch is None or self.book.knows(name):
            return
        instrument = next(one for one in batch.instruments if one.name == name)
        self.book.add_instrument(instrument)
        single = msgspec.structs.replace(batch, instruments=(instrument,))
        data = encode(single)
        yield from self._append(entry_kind(InstrumentsV1), f"instrument-{name}", data, created_ns)

    def _append(self, kind: str, key: str, fact: bytes, created_ns: int) -> Iterator[Append]:
        if not self._keys.add(key):
            return
        payload = msgspec.json.encode(Body(key, msgspec.Raw(fact)))
        entry = Append(created_ns, kind, key, payload)
        if self.is_open:
            self._under_way += 1
            yield entry
        else:
            self._waiting.append(entry)

    def _position_rows(self, instrument: str, underlying: str) -> Iterator[Row]:
        lots = self.book.lots[instrument]
        cash = self.book.cash_coin_e12.get(underlying, 0)
        fees = self.book.fees_coin_e12.get(underlying, 0)
        yield from self._show(
            Row("positions", instrument, {"underlying": underlying, "lots": lots}),
            Row("cash", underlying, {"cash_coin_e12": cash, "fees_coin_e12": fees}),
        )

    def _show(self, *rows: Row) -> Iterator[Row]:
        """Rows of a start's replay wait for the journal as its facts do."""
        if self.is_open:
            yield from rows
        else:
            self._waiting_rows.extend(rows)


def _sha256(message: Message) -> str:
    return hashlib.sha256(encode(message)).hexdigest()
