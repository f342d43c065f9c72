"""The day's last check: the desk's fills and positions against the venue's own word, over HTTP.

It shares no code with gateway or risk: what they agree on between them is compared here with what
the venue says when asked afresh.
"""

from dataclasses import dataclass
from typing import Any

import aiohttp

from infra.observer import Observed
from shared.messages.market import Instrument
from shared.units import lots_nearest

PAGE_MAX = 1000


@dataclass(frozen=True)
class LastCheck:
    """`differences` is empty when everything agrees."""

    venue_fills: int
    differences: tuple[str, ...]


class VenueQuestions:
    """A client of the venue's public interface, as small as it can be."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = f"{url}/api/v2"
        self._token = ""

    async def log_in(self, client_id: str, client_secret: str) -> None:
        answer = await self.ask(
            "public/auth",
            grant_type="client_credentials",
            client_id=client_id,
            client_secret=client_secret,
        )
        self._token = answer["access_token"]

    async def ask(self, method: str, **params: Any) -> Any:
        """Returns a method's result. Raises RuntimeError with the venue's error."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self._http.post(self._url, json=body, headers=headers) as reply:
            answer = await reply.json()
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    async def trade_ids(self, currency: str, since_ms: int) -> set[str]:
        """Returns the ids of all the account's trades of a currency since a time."""
        found: set[str] = set()
        while True:
            page = await self.ask(
                "private/get_user_trades_by_currency_and_time",
                currency=currency,
                start_timestamp=since_ms,
                end_timestamp=2**53,
                count=PAGE_MAX,
                sorting="asc",
            )
            fresh = [trade for trade in page["trades"] if trade["trade_id"] not in found]
            found.update(trade["trade_id"] for trade in fresh)
            if not fresh or not page["has_more"]:
                return found
            since_ms = fresh[-1]["timestamp"]

    async def positions(self, currency: str) -> dict[str, float]:
        """Returns the signed size of every position that is not flat."""
        answer = await self.ask("private/get_positions", currency=currency)
        return {one["instrument_name"]: one["size"] for one in answer if one["size"]}


async def compare(
    questions: VenueQuestions, seen: Observed, underlyings: tuple[str, ...], since_ms: int
) -> LastCheck:
    """Returns how the desk's fills and positions differ from the venue's."""
    venue_ids: set[str] = set()
    differences: list[str] = []
    for currency in underlyings:
        venue_ids |= await questions.trade_ids(currency, since_ms)
        differences += position_differences(
            await questions.positions(currency), desk_positions(seen, currency), seen.instruments
        )
    if missing := sorted(venue_ids - seen.fill_ids):
        differences.append(f"{len(missing)} trades never became fills: {missing[:5]}")
    if invented := sorted(seen.fill_ids - venue_ids):
        differences.append(f"{len(invented)} fills the venue knows nothing of: {invented[:5]}")
    return LastCheck(len(venue_ids), tuple(differences))


def desk_positions(seen: Observed, currency: str) -> dict[str, int]:
    book = seen.portfolios.get(currency)
    positions = book.positions if book else ()
    return {one.instrument: one.position_lots for one in positions if one.position_lots}


def position_differences(
    venue: dict[str, float], desk: dict[str, int], instruments: dict[str, Instrument]
) -> list[str]:
    lots = {
        name: lots_nearest(instruments[name], size)
        for name, size in venue.items()
        if name in instruments
    }
    unknown = [f"{name} is held but was never listed" for name in venue if name not in instruments]
    return unknown + [
        f"{name}: desk {desk.get(name, 0)}, venue {lots.get(name, 0)} lots"
        for name in sorted(set(lots) | set(desk))
        if desk.get(name, 0) != lots.get(name, 0)
    ]
