"""`python -m infra.rebuild JOURNAL`: positions and cash from nothing but the record."""

import argparse
import json
import sys
from pathlib import Path

import msgspec

from services.ledger.book import Book
from services.ledger.entries import Body, entry_kind
from shared.journal import JournalError, read_entries
from shared.messages.market import InstrumentsV1
from shared.messages.orders import FillV1, SettlementV1


def rebuild(path: Path) -> Book:
    """Returns the book of a journal. Raises JournalError on a damaged one."""
    book = Book()
    fills, instruments = entry_kind(FillV1), entry_kind(InstrumentsV1)
    settlements = entry_kind(SettlementV1)
    for entry in read_entries(path):
        if entry.kind == fills:
            fact = msgspec.json.decode(entry.payload, type=Body).fact
            book.add_fill(msgspec.json.decode(fact, type=FillV1))
        elif entry.kind == settlements:
            fact = msgspec.json.decode(entry.payload, type=Body).fact
            book.add_settlement(msgspec.json.decode(fact, type=SettlementV1))
        elif entry.kind == instruments:
            fact = msgspec.json.decode(entry.payload, type=Body).fact
            for instrument in msgspec.json.decode(fact, type=InstrumentsV1).instruments:
                book.add_instrument(instrument)
    return book


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("journal", type=Path, help="a run's ledger.journal")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    try:
        book = rebuild(arguments.journal)
    except JournalError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.json:
        print(
            json.dumps(
                {
                    "fills": book.fill_count,
                    "positions_lots": book.open_lots(),
                    "cash_coin_e12": dict(sorted(book.cash_coin_e12.items())),
                    "fees_coin_e12": dict(sorted(book.fees_coin_e12.items())),
                }
            )
        )
        return 0
    print(f"{book.fill_count} fills")
    for name, lots in book.open_lots().items():
        print(f"{name:<28} {lots:>12,} lots")
    for name, cash in sorted(book.cash_coin_e12.items()):
        fees = book.fees_coin_e12[name]
        print(f"{name:<28} {cash / 1e12:>+18.12f} coin of cash, {fees / 1e12:.12f} of it fees")
    return 0


if __name__ == "__main__":
    sys.exit(main())
