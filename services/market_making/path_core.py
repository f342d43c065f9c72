"""Market making on the fast path: what the desk says goes to the C loop, what the loop does to
the desk. The rules are those of the core; the quotes themselves are the loop's."""

from collections.abc import Iterator

from services.market_making.breakers import Breakers
from services.market_making.core import Config, MarketMaking
from services.market_making.mass_quote import trip_channels
from services.market_making.path_quoter import PathQuoter
from services.market_making.path_words import (
    BOUNDS_NS,
    FixDown,
    FixUp,
    PathRecords,
    PathStatus,
    SetRates,
    TickToQuote,
)
from services.market_making.policy import Policy
from services.market_making.quoting import Outputs, Quoting
from shared.clock import NS_PER_S, NS_PER_US
from shared.messages.desk import TimerV1
from shared.messages.quoting import TickToQuoteV1
from shared.messages.risk import AlertV1
from shared.service import Measured, Reading


class PathMarketMaking(MarketMaking):
    """Owns a PathQuoter for each underlying, and the words that wait for the edge."""

    def __init__(
        self,
        config: Config,
        underlyings: tuple[str, ...],
        venue_share: float = 1.0,
        breakers: Breakers | None = None,
    ) -> None:
        self._words: list[object] = []
        self._numbers = {name: number for number, name in enumerate(underlyings)}
        self._path_quoters: list[PathQuoter] = []
        self._tick_to_quote: TickToQuote | None = None
        self._lost_count = 0
        super().__init__(config, underlyings, venue_share, breakers)

    def words(self) -> list[object]:
        """Returns what the path must be told; before the start it waits."""
        if not self._is_started:
            return []
        words, self._words = self._words, []
        return words

    def on_start(self, timer: TimerV1) -> Outputs:
        yield from super().on_start(timer)
        for quoter in self._path_quoters:
            quoter.open()

    def on_fix_up(self, up: FixUp) -> Outputs:
        self._at(up.created_ns)
        for quoter in self._path_quoters:
            quoter.on_fix_up()
        yield from ()

    def on_fix_down(self, down: FixDown) -> Outputs:
        now_ns = self._at(down.created_ns)
        for quoter in self._path_quoters:
            yield from quoter.on_fix_down(now_ns)

    def on_records(self, batch: PathRecords) -> Outputs:
        now_ns = self._at(batch.created_ns)
        for record in batch.records:
            if 0 <= record.number < len(self._path_quoters):
                quoter = self._path_quoters[record.number]
                yield from self._asked(quoter, quoter.on_record(record, now_ns))
        for quoter in self._path_quoters:
            yield from quoter.changed(now_ns)

    def on_path_status(self, status: PathStatus) -> Outputs:
        now_ns = self._at(status.created_ns)
        self._tick_to_quote = status.tick_to_quote
        for quoter, counts in zip(self._path_quoters, status.counts, strict=True):
            quoter.on_counts(counts)
        if status.lost_count > self._lost_count:
            yield AlertV1(
                created_ns=now_ns,
                alert_id=f"market_making-records-{now_ns}",
                name="records_lost",
                severity="page",
                text=f"{status.lost_count - self._lost_count} records found no room",
                source="market_making",
            )
            self._lost_count = status.lost_count

    def on_second_timer(self, timer: TimerV1) -> Outputs:
        yield from super().on_second_timer(timer)
        measured = self._tick_to_quote
        if measured is not None:
            yield TickToQuoteV1(
                path="-".join(self.books),
                created_ns=self._now_ns,
                sample_count=measured.samples,
                p50_us=measured.p50_ns / NS_PER_US,
                p90_us=measured.p90_ns / NS_PER_US,
                p99_us=measured.p99_ns / NS_PER_US,
                p999_us=measured.p999_ns / NS_PER_US,
                max_us=measured.max_ns / NS_PER_US,
            )

    def readings(self, now_ns: int) -> Iterator[Reading]:
        """Adds what is measured in the path."""
        yield from super().readings(now_ns)
        measured = self._tick_to_quote
        if measured is not None and measured.samples:
            bounds = tuple(bound / NS_PER_S for bound in BOUNDS_NS)
            shown = Measured(bounds, measured.counts, measured.sum_ns / NS_PER_S)
            yield Reading("tick_to_quote_seconds", shown)

    def _say(self, word: object) -> None:
        self._words.append(word)

    def _channels(self) -> list[str]:
        return trip_channels(list(self.books))  # fills come over FIX

    def _set_rates(self, rates: tuple[float, float, float, float]) -> None:
        super()._set_rates(rates)
        self._say(SetRates(*(figure * self._venue_share for figure in rates)))

    def _quoter(self, name: str, policy: Policy) -> Quoting:
        quoter = PathQuoter(
            self._numbers[name],
            name,
            policy,
            self._new_id,
            self._say,
            slot_count=self._config.instruments_max,
            is_skewed=self._config.skew_enabled,
        )
        self._path_quoters.append(quoter)
        return quoter
