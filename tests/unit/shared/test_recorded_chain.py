import gzip
from pathlib import Path

import pytest

from shared.recorded_chain import COLUMNS, ChainError, read_chain

GOOD = {
    "timestamp": "2026-01-01T09:18:35.173006+00:00",
    "instrument_name": "BTC-3JAN26-88000-C",
    "underlying": "87834.3",
    "option_type": "call",
    "strike": "88000.0",
    "expiry_datetime": "2026-01-03T08:00:00+00:00",
    "bid_price": "0.0085",
    "ask_price": "",
    "mark_price": "0.00882175",
    "futures_price": "87834.3",
    "futures_instrument_name": "SYN.BTC-3JAN26",
    "implied_volatility": "0.3337",
    "currency": "BTC",
    "index_price": "87799.1",
}


def text(*rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> str:
    lines = [",".join(columns)] + [",".join(row[column] for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


def write(folder: Path, content: str, name: str = "chain.csv") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_a_row_is_read_exactly(tmp_path):
    chain = read_chain(write(tmp_path, text(GOOD)))
    row = chain.rows[0]
    assert chain.timestamp_ns == 1_767_259_115_173_006_000
    assert row.expiry_ns == 1_767_427_200_000_000_000
    assert (row.bid_coin, row.ask_coin, row.mark_vol, row.is_call) == (0.0085, None, 0.3337, True)
    assert chain.currencies() == ("BTC",)


def test_a_zero_price_is_a_missing_one(tmp_path):
    chain = read_chain(write(tmp_path, text(GOOD | {"bid_price": "0.0"})))
    assert chain.rows[0].bid_coin is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"strike": "nan"}, "strike was nan"),
        ({"bid_price": "inf"}, "bid_price was inf"),
        ({"ask_price": "-0.1"}, "below 0"),
        ({"underlying": "0"}, "not above 0"),
        ({"option_type": "straddle"}, "not call or put"),
        ({"expiry_datetime": "soon"}, "expiry_datetime was 'soon'"),
        ({"expiry_datetime": "2026-01-03T08:00:00"}, "no time zone"),
        ({"timestamp": "1960-01-03T08:00:00+00:00"}, "before 1970"),
        ({"currency": " "}, "currency was empty"),
        ({"mark_price": "dear"}, "mark_price was 'dear'"),
    ],
)
def test_a_bad_field_refuses_the_file_and_says_where(tmp_path, change, reason):
    with pytest.raises(ChainError, match=f"chain.csv line 2: .*{reason}"):
        read_chain(write(tmp_path, text(GOOD | change)))


def test_a_missing_column_is_named(tmp_path):
    columns = tuple(column for column in COLUMNS if column != "strike")
    with pytest.raises(ChainError, match="no column strike"):
        read_chain(write(tmp_path, text(GOOD, columns=columns)))


def test_doubled_short_and_empty_files_are_refused(tmp_path):
    with pytest.raises(ChainError, match="a second time"):
        read_chain(write(tmp_path, text(GOOD, GOOD)))
    with pytest.raises(ChainError, match="as many fields"):
        read_chain(write(tmp_path, text(GOOD) + "2026,BTC\n"))
    with pytest.raises(ChainError, match="no rows"):
        read_chain(write(tmp_path, text()))
    with pytest.raises(ChainError, match="no column"):
        read_chain(write(tmp_path, ""))


def test_unreadable_files_are_chain_errors(tmp_path):
    whole = gzip.compress(text(GOOD).encode() * 50)
    truncated = tmp_path / "chain.csv.gz"
    truncated.write_bytes(whole[: len(whole) - 12])
    for path in (truncated, tmp_path / "absent.csv", write(tmp_path, text(GOOD), "plain.csv.gz")):
        with pytest.raises(ChainError, match=path.name):
            read_chain(path)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00" * 40)
    with pytest.raises(ChainError, match=r"binary\.csv"):
        read_chain(binary)
