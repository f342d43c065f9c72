"""Whatever goes silent while the desk quotes over FIX, its quotes at the venue are soon gone."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.trial_desk import Desk, running_desk
from infra.venue_account import VenueAccount
from services.market_making.core import Config
from services.risk.lease import LEASE_MS

ASK_S = 0.03
QUOTED_MIN = 800  # sides
GONE_S = 1.0
PULL_S = 0.25  # of the core's own accord
SILENCE_S = Config().feed_silence_ms / 1000
LEASE_INTERVAL_MS = 200
FULL_S = 60.0  # the ring surely is by then
HELD_RECORDS = Path(__file__).parent / "held_records"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HELD_RECORDS))
        yield from open_desk(home)


def open_desk(home: Path) -> Iterator[Desk]:
    with running_desk(home, "--seed", "5") as desk:
        desk.until(lambda: desk.status()["quotes"] != {}, 60, "a status")
        account = VenueAccount.of_run(home)
        quoting_again(account)
        yield desk
        report = desk.end()
    assert report["violations"] == 0, report["invariants"]
    assert report["reconciliation_breaks"] == 0


def seconds_to_none(account: VenueAccount, names: list[str], deadline_s: float) -> float:
    """Returns how long it took until the venue held no quote of the desk's. Some books are asked
    again and again, for that is quick; once they are empty, all are asked."""
    began = time.monotonic()
    while True:
        gone_s = time.monotonic() - began
        if not any(account.is_quoted(name) for name in names) and not account.quoted():
            return gone_s
        assert gone_s < deadline_s + 1.0, "quotes stay"
        time.sleep(ASK_S)


def some_of_each(account: VenueAccount) -> list[str]:
    """Returns a quoted instrument of each underlying."""
    first = {name.partition("-")[0]: name for name in account.quoted()}
    assert len(first) == 2
    return list(first.values())


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def quoting_again(account: VenueAccount) -> None:
    """Waits for the quotes, asking seldom: the venue's credits are for what follows."""
    deadline = time.monotonic() + 30.0
    while account.live_quotes() <= QUOTED_MIN:
        assert time.monotonic() < deadline, "no quotes again"
        time.sleep(0.5)
    time.sleep(2.0)  # the credits are full again


def test_a_stopped_market_making_leaves_no_quote_for_a_second(desk: Desk) -> None:
    account = VenueAccount.of_run(desk.home)
    quoting_again(account)
    names = some_of_each(account)
    with stopped(desk.pid("market_making")):
        assert seconds_to_none(account, names, GONE_S) <= GONE_S
    quoting_again(account)


def test_a_killed_market_making_leaves_no_quote_for_a_second(desk: Desk) -> None:
    account = VenueAccount.of_run(desk.home)
    quoting_again(account)
    names = some_of_each(account)
    os.kill(desk.pid("market_making"), signal.SIGKILL)
    assert seconds_to_none(account, names, GONE_S) <= GONE_S
    quoting_again(account)


def test_a_lapsed_lease_leaves_no_quote(desk: Desk) -> None:
    account = VenueAccount.of_run(desk.home)
    quoting_again(account)
    names = some_of_each(account)
    with stopped(desk.pid("risk")):
        began = time.monotonic()
        while time.monotonic() - began < (LEASE_MS - LEASE_INTERVAL_MS) / 1000 - PULL_S:
            assert account.is_quoted(names[0])  # the lease is still good
            time.sleep(ASK_S)
        left_s = LEASE_MS / 1000 + PULL_S - (time.monotonic() - began)
        assert seconds_to_none(account, names, left_s) <= left_s
    quoting_again(account)


def test_silent_datagrams_leave_no_quote(desk: Desk) -> None:
    account = VenueAccount.of_run(desk.home)
    quoting_again(account)
    names = some_of_each(account)
    relay = Relay(desk.home)
    os.kill(desk.pid("market_making"), signal.SIGKILL)  # it comes back behind the relay
    with relay.running():
        assert seconds_to_none(account, names, GONE_S) <= GONE_S
        quoting_again(account)
        names = some_of_each(account)
        relay.is_open = False
        left_s = SILENCE_S + PULL_S
        assert seconds_to_none(account, names, left_s) <= left_s
        relay.is_open = True
        quoting_again(account)


def test_records_that_nobody_takes_leave_no_quote(desk: Desk) -> None:
    account = VenueAccount.of_run(desk.home)
    ring = Ring(desk.home)
    quoting_again(account)
    names = account.quoted()[:1]
    with ring.held():
        time.sleep(GONE_S)
        assert account.is_quoted(names[0])  # there is still room
        left_s = ring.full_at() + GONE_S - time.monotonic()
        assert seconds_to_none(account, names, left_s) <= left_s
    quoting_again(account)


class Ring:
    """Where the fast path puts its records: whether it is full, and whether anybody takes them."""

    def __init__(self, home: Path) -> None:
        self._held, self._full = home / "ring_held", home / "ring_full"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self._full.unlink(missing_ok=True)
        self._held.touch()
        try:
            yield
        finally:
            self._held.unlink()

    def full_at(self) -> float:
        """Waits until the path pulls for want of room; returns when it did."""
        deadline = time.monotonic() + FULL_S
        while not self._full.exists():
            assert time.monotonic() < deadline, "the ring does not fill"
            time.sleep(ASK_S)
        return float(self._full.read_text())


class Relay:
    """Stands between the venue's datagrams and the desk; open, or closed."""

    def __init__(self, home: Path) -> None:
        path = home / "current" / "runtime.json"
        runtime = json.loads(path.read_text())
        (feed,) = runtime["feeds"].values()
        self._from = (feed["event_port"], feed["snapshot_port"])
        self._to = (free_udp_port(), free_udp_port())
        feed["event_port"], feed["snapshot_port"] = self._to
        path.write_text(json.dumps(runtime))
        self.is_open = True

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._carry, args=ports, daemon=True)
            for ports in zip(self._from, self._to, strict=True)
        ]
        for thread in threads:
            thread.start()
        yield

    def _carry(self, source: int, destination: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            bind_when_free(one, source)
            while True:
                data = one.recv(65_536)
                if self.is_open:
                    one.sendto(data, ("127.0.0.1", destination))


def bind_when_free(one: socket.socket, port: int) -> None:
    deadline = time.monotonic() + 5.0
    while True:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            return


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
