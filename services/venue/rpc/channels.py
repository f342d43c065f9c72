"""Subscription channels: their names, who may have them, and who does."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.venue.errors import VenueError
from services.venue.matching.candles import RESOLUTIONS

RAW, FAST, SLOW = "raw", "100ms", "agg2"
INTERVALS = (RAW, FAST, SLOW)
GROUPS = ("none", "1", "2", "5", "10", "25", "100", "250")
DEPTHS = ("1", "10", "20")
KINDS = ("any", "option", "future")
INDEX_TOPICS = (
    "deribit_price_index",
    "deribit_volatility_index",
    "estimated_expiration_price",
)
NOBODY = -1
CHANNELS_MAX = 5_000  # of a connection
# Channels of the real venue that are silent here: nothing of theirs ever happens.
PRIVATE = ("user.", "block_rfq.", "block_trade_confirmations.")  # how private channels begin
SILENT = frozenset(
    {"announcements", "platform_state.public_methods_state", "user.access_log", "user.lock",
     "block_trade_confirmations"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel. `topic` is its first words; what does not apply is empty or -1."""

    name: str
    topic: str
    index: int = -1  # instrument
    kind: str = ""
    currency: str = ""
    interval: str = ""
    group: str = ""
    depth: int = 0
    resolution: str = ""

    @property
    def is_private(self) -> bool:
        return self.topic.startswith("user.")


Key = tuple[str, int]  # channel name, and the account of a private channel or NOBODY
Feeds = dict[int, dict[Key, Channel]]  # by instrument


class Registry:
    """Who listens to what. Feeds look channels up by topic and instrument, never by scanning."""

    def __init__(self, parse: Callable[[str], Channel | None]) -> None:
        self._parse = parse
        self._channels: dict[str, Channel] = {}
        self._listeners: dict[Key, dict[int, None]] = {}  # ordered: the same run, the same bytes
        self._by_topic: dict[str, dict[Key, Channel]] = defaultdict(dict)
        self._feeds: dict[tuple[str, str], Feeds] = defaultdict(dict)
        self.on_ended: Callable[[Key], None] = lambda _key: None

    def subscribe(
        self, connection_id: int, account_id: int, names: Iterable[str]
    ) -> list[tuple[Channel, Key]]:
        """Returns the channels that were taken; names of no channel are left out silently."""
        taken: list[tuple[Channel, Key]] = []
        for name in names:
            channel = self._channels.get(name) or self._parse(name)
            if channel is None or (channel.is_private and account_id == NOBODY):
                continue
            if channel.interval == RAW and account_id == NOBODY:
                raise VenueError(13778)
            taken.append((channel, key_of(channel, account_id)))
        for channel, key in taken:
            self._channels[channel.name] = channel
            self._listeners.setdefault(key, {})[connection_id] = None
            self._by_topic[channel.topic][key] = channel
            if channel.index >= 0:
                feeds = self._feeds[channel.topic, channel.interval]
                feeds.setdefault(channel.index, {})[key] = channel
        return taken

    def unsubscribe(self, connection_id: int, account_id: int, names: Iterable[str]) -> list[str]:
        left: list[str] = []
        for name in names:
            channel = self._channels.get(name)
            if channel is None:
                continue
            key = key_of(channel, account_id)
            listeners = self._listeners.get(key)
            if listeners is None or connection_id not in listeners:
                continue
            left.append(name)
            del listeners[connection_id]
            if not listeners:
                self._forget(key, channel)
        return left

    def listeners(self, key: Key) -> Iterable[int]:
        return self._listeners.get(key, ())

    def has(self, key: Key) -> bool:
        return key in self._listeners

    def of_topic(self, topic: str) -> dict[Key, Channel]:
        return self._by_topic[topic]

    def feeds(self, topic: str, interval: str) -> Feeds:
        """Returns the channels of a topic and interval by instrument."""
        return self._feeds[topic, interval]

    def _forget(self, key: Key, channel: Channel) -> None:
        del self._listeners[key]
        del self._by_topic[channel.topic][key]
        if channel.index >= 0:
            feeds = self._feeds[channel.topic, channel.interval]
            feeds[channel.index].pop(key, None)
            if not feeds[channel.index]:
                del feeds[channel.index]
        self.on_ended(key)


def key_of(channel: Channel, account_id: int) -> Key:
    return channel.name, account_id if channel.is_private else NOBODY


class Parser:
    """Reads channel names against the listing."""

    def __init__(self, index_of: dict[str, int], currencies: tuple[str, ...]) -> None:
        self._index_of = index_of
        self._currencies = currencies
        self._index_names = tuple(f"{currency.lower()}_usd" for currency in currencies)

    def __call__(self, name: str) -> Channel | None:
        """Returns the channel of a name, or None if there is none."""
        if len(name) > 128:
            return None
        if name == "platform_state" or name in SILENT:
            return Channel(name, name)
        parts = name.split(".")
        if self._is_silent(parts):
            return Channel(name, "user.nothing")
        if parts[0] == "user" and len(parts) > 2:
            return self._user(name, parts)
        if parts[0] in ("markprice", "chart", "instrument") and len(parts) == 4 - (
            parts[0] == "markprice"
        ):
            return self._two_word(name, parts)
        if len(parts) == 2 and parts[0] in INDEX_TOPICS:
            if parts[1] not in self._index_names:
                return None
            return Channel(name, parts[0], currency=_currency(parts[1]))
        return self._instrument(name, parts)

    def _is_silent(self, parts: list[str]) -> bool:
        """Says whether a name is of block trades or combos, of which there are none here."""
        known = {"any", *(currency.lower() for currency in self._currencies)}
        if parts[0] == "block_trade_confirmations" and len(parts) == 2:
            return parts[1].lower() in known
        if parts[0] == "block_rfq":
            kind = ".".join(parts[1:-1])
            is_kind = kind in ("maker", "taker", "maker.quotes", "trades")
            return is_kind and parts[-1].lower() in known
        return parts[:2] == ["user", "combo_trades"] and (
            self._user(".".join(parts), ["user", "trades", *parts[2:]]) is not None
        )

    def _instrument(self, name: str, parts: list[str]) -> Channel | None:
        index = self._index_of.get(parts[1], -1) if len(parts) > 1 else -1
        topic = parts[0]
        match len(parts):
            case 2 if topic in ("quote", "incremental_ticker") and index >= 0:
                return Channel(name, topic, index=index)
            case 3 if parts[2] in INTERVALS and index >= 0:
                if topic in ("book", "ticker", "trades"):
                    return Channel(name, topic, index=index, interval=parts[2])
                if topic == "perpetual" and parts[1].endswith("-PERPETUAL"):
                    return Channel(name, topic, index=index, interval=parts[2])
            case 4 if topic == "trades":
                return self._by_kind(name, topic, parts[1:])
            case 5 if topic == "book" and index >= 0:
                _, _, group, depth, interval = parts
                if group in GROUPS and depth in DEPTHS and interval in INTERVALS:
                    return Channel(
                        name, "grouped_book", index=index, group=group, depth=int(depth),
                        interval=interval,
                    )  # fmt: skip
        return None

    def _two_word(self, name: str, parts: list[str]) -> Channel | None:
        if parts[0] == "markprice":
            if parts[1] != "options" or parts[2] not in self._index_names:
                return None
            return Channel(name, "markprice.options", currency=_currency(parts[2]))
        if parts[0] == "chart":
            index = self._index_of.get(parts[2], -1)
            if parts[1] != "trades" or index < 0 or parts[3] not in RESOLUTIONS:
                return None
            return Channel(name, "chart.trades", index=index, resolution=parts[3])
        _, state, kind, currency = parts
        if state != "state" or kind not in KINDS or currency not in (*self._currencies, "any"):
            return None
        return Channel(name, "instrument.state", kind=kind, currency=currency)

    def _user(self, name: str, parts: list[str]) -> Channel | None:
        topic = f"user.{parts[1]}"
        rest = parts[2:]
        if topic == "user.portfolio" and len(rest) == 1:
            currency = rest[0].upper() if rest[0] != "any" else "any"
            known = currency in (*self._currencies, "any")
            return Channel(name, topic, currency=currency) if known else None
        if topic == "user.mmp_trigger" and len(rest) == 1:
            known = rest[0] in self._index_names
            return Channel(name, topic, currency=_currency(rest[0])) if known else None
        if topic not in ("user.orders", "user.trades", "user.changes"):
            return None
        if len(rest) == 2 and rest[1] in INTERVALS:
            index = self._index_of.get(rest[0], -1)
            return Channel(name, topic, index=index, interval=rest[1]) if index >= 0 else None
        return self._by_kind(name, topic, rest) if len(rest) == 3 else None

    def _by_kind(self, name: str, topic: str, parts: list[str]) -> Channel | None:
        kind, currency, interval = parts
        if kind not in KINDS or currency not in (*self._currencies, "any"):
            return None
        if interval not in INTERVALS:
            return None
        return Channel(name, topic, kind=kind, currency=currency, interval=interval)


def _currency(index_name: str) -> str:
    return index_name.split("_", maxsplit=1)[0].upper()
