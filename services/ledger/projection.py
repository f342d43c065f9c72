"""The read model: SQLite in the run's directory, one table a kind, a row a key.

It can be dropped and rebuilt at any time: nothing is decided from it. Each row is a JSON document
with the time of its last change; readers open it read-only while the ledger writes (WAL).
"""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

TABLES = (
    "agents", "quoting", "portfolios", "pnl", "limits", "reconciliations", "accounts", "feed",
    "alerts", "halts", "intents", "orders", "fills", "positions", "cash",
)  # fmt: skip
FILE_NAME = "projection.sqlite"


class Projection:
    """Rows are kept back and written in one transaction by `flush`."""

    def __init__(self, directory: str) -> None:
        self._connection = sqlite3.connect(Path(directory) / FILE_NAME)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        for table in TABLES:
            self._connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, document TEXT NOT NULL)"
            )
        self._connection.commit()
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}

    def put(self, table: str, key: str, values: dict[str, Any]) -> None:
        assert table in TABLES, table
        self._rows[table, key] = values

    def flush(self) -> None:
        """Writes all rows that changed, at once or not at all."""
        rows, self._rows = self._rows, {}
        with self._connection:
            for (table, key), values in rows.items():
                self._connection.execute(
                    f"INSERT INTO {table} (key, document) VALUES (?, ?)"  # noqa: S608  # a constant
                    " ON CONFLICT (key) DO UPDATE SET document = excluded.document",
                    (key, msgspec.json.encode(values).decode()),
                )

    def close(self) -> None:
        self.flush()
        self._connection.close()


def read_table(directory: str, table: str) -> dict[str, dict[str, Any]]:
    """Returns all rows of one table of a run by key; none if there is no projection yet."""
    assert table in TABLES, table
    path = Path(directory) / FILE_NAME
    if not path.exists():
        return {}
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = connection.execute(f"SELECT key, document FROM {table} ORDER BY key")  # noqa: S608
        return {key: msgspec.json.decode(document) for key, document in rows}
    except sqlite3.OperationalError:  # the ledger is making its tables
        return {}
    finally:
        connection.close()
