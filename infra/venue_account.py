"""The desk's account as the venue tells it, over plain HTTP with the desk's own keys."""

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from infra import runs

CURRENCIES = ("BTC", "ETH")


class VenueAccount:
    """Asks one simulated venue."""

    def __init__(self, http_url: str, client_id: str, secret: str) -> None:
        self._url = f"{http_url}/api/v2"
        answer = self._call(
            "public/auth",
            {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": secret,
            },
        )
        self._token = answer["access_token"]

    @classmethod
    def of_run(cls, home: Path) -> "VenueAccount":
        directory = (home / "current").resolve()
        runtime = json.loads((directory / "runtime.json").read_text(encoding="utf-8"))
        secret = runs.read_secret(directory)
        return cls(runtime["venue_http_url"], runtime["venue_client_id"], secret)

    def live_quotes(self) -> int:
        """Returns how many quote sides of the desk rest in the books."""
        return len(self.quoted())

    def quoted(self) -> list[str]:
        """Returns the instrument of every quote side of the desk that rests in the books."""
        return [
            order["instrument_name"]
            for currency in CURRENCIES
            for order in self._call("private/get_open_orders_by_currency", {"currency": currency})
            if order.get("quote")
        ]

    def bids(self) -> list[tuple[float, float]]:
        """Returns price and mark of every option bid of the desk."""
        marks = {
            row["instrument_name"]: row["mark_price"]
            for currency in CURRENCIES
            for row in self._call(
                "public/get_book_summary_by_currency", {"currency": currency, "kind": "option"}
            )
        }
        return [
            (order["price"], marks[order["instrument_name"]])
            for currency in CURRENCIES
            for order in self._call("private/get_open_orders_by_currency", {"currency": currency})
            if order["direction"] == "buy" and order["instrument_name"] in marks
        ]

    def is_quoted(self, name: str) -> bool:
        """Returns whether a quote rests in one book: a quick question."""
        orders = self._call("private/get_open_orders_by_instrument", {"instrument_name": name})
        return any(order.get("quote") for order in orders)

    def freeze_quotes(self) -> None:
        """Cancels every quote of the account, and has the venue refuse new ones for a second."""
        self._call("private/cancel_quotes", {"cancel_type": "all", "freeze_quotes": True})

    def positions(self) -> dict[str, float]:
        """Returns the signed size of every position that is not flat."""
        return {
            position["instrument_name"]: position["size"]
            for currency in CURRENCIES
            for position in self._call("private/get_positions", {"currency": currency})
            if position["size"]
        }

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = {"Content-Type": "application/json"}
        if method.startswith("private/"):
            headers["Authorization"] = f"Bearer {self._token}"
        request = Request(self._url, body.encode(), headers)  # noqa: S310  # the run's own venue
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)["result"]
