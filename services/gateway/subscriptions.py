"""The channels the gateway wants, and those the venue has confirmed."""

from collections.abc import Iterable, Iterator
from functools import partial

from services.gateway.calls import Calls
from shared.clock import NS_PER_S
from shared.venue_link import VenueReply, VenueRequest

CHANNELS_A_CALL_MAX = 500  # the venue's most; some 15 KiB, it takes 32
RETRY_NS = 3 * NS_PER_S
GAP_RETRY_NS = NS_PER_S


class Subscriptions:
    """Asks until it has them; asks again for all after a reconnect."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._wanted: dict[str, None] = {}  # in the order they were asked for
        self._confirmed: set[str] = set()
        self._retry: dict[str, int] = {}  # channel -> when to ask again
        self._is_up = False
        self._now_ns = 0
        self.refused_count = 0

    def missing_count(self) -> int:
        return len(self._wanted) - len(self._confirmed)

    def want(self, channels: Iterable[str]) -> Iterator[VenueRequest]:
        new = [channel for channel in channels if channel not in self._wanted]
        self._wanted.update(dict.fromkeys(new))
        if self._is_up:
            yield from self._subscribe(new)

    def forget(self, channels: Iterable[str]) -> Iterator[VenueRequest]:
        gone = [channel for channel in channels if channel in self._wanted]
        for channel in gone:
            del self._wanted[channel]
            self._confirmed.discard(channel)
            self._retry.pop(channel, None)
        if self._is_up and gone:
            yield from self._unsubscribe(gone)

    def renew(self, channel: str, now_ns: int) -> Iterator[VenueRequest]:
        """Leaves and joins one channel for a fresh snapshot; again in a second if none comes."""
        if not self._is_up or channel in self._retry:
            return
        self._confirmed.discard(channel)
        self._retry[channel] = now_ns + GAP_RETRY_NS
        yield from self._unsubscribe([channel])
        yield from self._subscribe([channel])

    def settled(self, channel: str) -> None:
        """The snapshot has come."""
        self._retry.pop(channel, None)

    def on_up(self, now_ns: int) -> Iterator[VenueRequest]:
        self._is_up = True
        self._now_ns = now_ns
        self._confirmed.clear()
        self._retry.clear()
        yield from self._subscribe(list(self._wanted))

    def on_down(self) -> None:
        self._is_up = False
        self._confirmed.clear()
        self._retry.clear()

    def on_timer(self, now_ns: int) -> Iterator[VenueRequest]:
        self._now_ns = now_ns
        if not self._retry or not self._is_up:
            return
        due = [channel for channel, at_ns in self._retry.items() if now_ns >= at_ns]
        if not due:
            return
        again = [channel for channel in due if channel in self._confirmed]
        for channel in due:
            self._retry[channel] = now_ns + RETRY_NS
            self._confirmed.discard(channel)
        if again:  # confirmed, yet the snapshot never came
            yield from self._unsubscribe(again)
        yield from self._subscribe(due)

    def _subscribe(self, channels: list[str]) -> Iterator[VenueRequest]:
        """Asks by the private method, which takes public channels too: fewer, fuller calls."""
        for start in range(0, len(channels), CHANNELS_A_CALL_MAX):
            chunk = channels[start : start + CHANNELS_A_CALL_MAX]
            handler = partial(self._confirm, chunk)
            yield self._calls.request("private/subscribe", {"channels": chunk}, handler)

    def _unsubscribe(self, channels: list[str]) -> Iterator[VenueRequest]:
        for start in range(0, len(channels), CHANNELS_A_CALL_MAX):
            chunk = channels[start : start + CHANNELS_A_CALL_MAX]
            yield self._calls.request("private/unsubscribe", {"channels": chunk}, lambda _reply: ())

    def _confirm(self, asked: list[str], reply: VenueReply) -> tuple[()]:
        """Takes the answer: channels that were refused are silently missing from it."""
        result = reply.result if isinstance(reply.result, list) else []
        given = {channel for channel in result if isinstance(channel, str)}
        for channel in asked:
            if channel not in self._wanted:
                continue
            if channel in given:
                self._confirmed.add(channel)
                if not _has_snapshot(channel):
                    self._retry.pop(channel, None)
            else:
                self.refused_count += 1
                self._retry[channel] = reply.created_ns + RETRY_NS
        return ()


def _has_snapshot(channel: str) -> bool:
    return channel.startswith("book.")
