"""When contracts expire, by the venue's listing rules: 08:00 UTC, dailies, weeklies on Fridays,
monthlies and quarterlies on the last Friday of their month."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from shared.settlement import next_settlement_ns

Tenor = Literal["day", "week", "month", "quarter"]
EXPIRY_HOUR_UTC = 8
FRIDAY = 4
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

DAILY_COUNT = 4
WEEKLY_COUNT = 4
MONTHLY_COUNT = 3
QUARTERLY_COUNT = 4
# How long before its expiry a contract of each tenor was first listed.
LISTED_BEFORE_DAYS: dict[Tenor, int] = {"day": 4, "week": 28, "month": 91, "quarter": 364}


@dataclass(frozen=True, slots=True)
class Expiry:
    expiry_ns: int
    tenor: Tenor  # the longest that the date belongs to


def listed_expiries(now_ns: int) -> tuple[Expiry, ...]:
    """Returns the expiries that stand listed at a time, nearest first."""
    first = _moment(next_settlement_ns(now_ns))
    days: dict[datetime, Tenor] = {}
    for count in range(DAILY_COUNT):
        days[first + timedelta(days=count)] = "day"
    friday = first + timedelta(days=(FRIDAY - first.weekday()) % 7)
    for count in range(WEEKLY_COUNT):
        days[friday + timedelta(weeks=count)] = "week"
    ends = _month_ends(first)
    for end in ends[:MONTHLY_COUNT]:
        days[end] = "month"
    for end in [end for end in ends if end.month % 3 == 0][:QUARTERLY_COUNT]:
        days[end] = "quarter"
    return tuple(Expiry(to_ns(day), tenor_of(to_ns(day), days[day])) for day in sorted(days))


def tenor_of(expiry_ns: int, otherwise: Tenor = "day") -> Tenor:
    """Returns the tenor of a date: what its place in the calendar makes it."""
    day = _moment(expiry_ns)
    if day.weekday() != FRIDAY:
        return otherwise
    if (day + timedelta(weeks=1)).month != day.month:
        return "quarter" if day.month % 3 == 0 else "month"
    return "week"


def date_name(expiry_ns: int) -> str:
    """Returns a date as instruments are named by it: `5JUN20`, no leading zero."""
    day = _moment(expiry_ns)
    return f"{day.day}{MONTHS[day.month - 1]}{day.year % 100:02d}"


def to_ns(moment: datetime) -> int:
    """Returns UTC nanoseconds, exact: never through a float."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000


def _moment(now_ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_ns // 1000)


def _month_ends(first: datetime) -> list[datetime]:
    """Returns the last Fridays of the months from `first` on, for a little over a year."""
    ends = []
    for count in range(15):
        year, month = divmod(first.year * 12 + first.month - 1 + count + 1, 12)
        last = datetime(year, month + 1, 1, EXPIRY_HOUR_UTC, tzinfo=UTC) - timedelta(days=1)
        end = last - timedelta(days=(last.weekday() - FRIDAY) % 7)
        if end >= first:
            ends.append(end)
    return ends
