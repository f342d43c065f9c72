"""A desk over 08:00 UTC: what is delivered is quoted no more, what is listed in its place is."""

import time
from collections import Counter
from pathlib import Path

from infra.topology import SERVICES
from infra.trial_desk import over, running_desk
from infra.venue_account import VenueAccount

AT = "2026-02-12T07:59:38"  # a Thursday: time enough to quote before the hour
DELIVERED, NEW = "12FEB26", "16FEB26"
QUOTED_MIN = 10  # options of the new expiry, of each underlying
ASK_S = 1.0


def two_sided(account: VenueAccount) -> Counter[tuple[str, str]]:
    """Returns how many options of each underlying and date have both sides of the desk."""
    sides = Counter(account.quoted())
    return Counter(tuple(name.split("-")[:2]) for name, count in sides.items() if count == 2)


def test_the_expiry_listed_at_eight_is_quoted_over_fix(tmp_path: Path) -> None:
    with running_desk(tmp_path, "--seed", "7", "--at", AT, *over("fix", tmp_path)) as desk:
        desk.until(lambda: desk.status()["quotes"] != {}, 30, "quotes in the status")
        account = VenueAccount.of_run(tmp_path)

        def is_new_quoted() -> bool:
            time.sleep(ASK_S)
            quoted = two_sided(account)
            return all(quoted[underlying, NEW] >= QUOTED_MIN for underlying in ("BTC", "ETH"))

        desk.until(is_new_quoted, 60, "two-sided quotes of the new expiry")
        question = {"currency": "BTC", "kind": "option", "expired": True}
        expired = account._call("public/get_instruments", question)
        assert {row["instrument_name"].split("-")[1] for row in expired} == {DELIVERED}
        dates = {date for _, date in two_sided(account)}
        assert DELIVERED not in dates
        assert len(dates) >= 10
        report = desk.end()
    assert report["violations"] == 0, report["invariants"]
    assert report["reconciliation_breaks"] == 0
    assert report["residual_share"] <= 0.01
    assert report["critical_dropped"] == 0
    assert all(report["services"][name]["restarts"] == 0 for name in SERVICES)
