import pytest

from shared import outbox as outbox_module
from shared.outbox import Outbox, OutboxFullError, Parcel


def parcel(name, message_id="", stored=None):
    return Parcel("s", name.encode(), message_id or name, {}, stored)


def state(subject, data):
    return Parcel(subject, data.encode(), None, {})


def send_all(outbox, now_ns=1):
    """Sends what waits; returns {token: data}."""
    sent = {}
    while (waiting := outbox.next_waiting()) is not None:
        sent[outbox.send(now_ns)] = waiting.data.decode()
    return sent


def test_a_confirmed_parcel_is_forgotten_and_its_sender_told_once():
    told = []
    outbox = Outbox()
    outbox.put(parcel("a", stored=lambda: told.append("a")))
    [token] = send_all(outbox)
    assert len(outbox) == 1
    outbox.confirm(token)
    outbox.confirm(token)
    assert told == ["a"]
    assert len(outbox) == 0


def test_what_was_recalled_goes_again_in_order_before_what_is_newer():
    outbox = Outbox()
    for name in "abc":
        outbox.put(parcel(name))
    tokens = send_all(outbox)
    outbox.confirm(next(iter(tokens)))
    outbox.put(parcel("d"))
    outbox.recall()
    assert list(send_all(outbox).values()) == ["b", "c", "d"]


def test_an_ack_of_an_earlier_attempt_is_nothing():
    outbox = Outbox()
    outbox.put(parcel("a"))
    [early] = send_all(outbox)
    outbox.recall()
    send_all(outbox)
    outbox.confirm(early)
    assert len(outbox) == 1


def test_only_the_newest_of_a_state_is_sent():
    outbox = Outbox()
    for data in ("old", "new"):
        outbox.put(state("x", data))
    outbox.put(state("y", "other"))
    assert list(send_all(outbox).values()) == ["new", "other"]


def test_a_state_is_not_sent_again_over_a_newer_one():
    outbox = Outbox()
    outbox.put(state("x", "old"))
    send_all(outbox)
    outbox.put(state("x", "new"))
    outbox.recall()
    assert list(send_all(outbox).values()) == ["new"]


def test_states_are_said_again_once_after_the_server_lost_them():
    outbox = Outbox()
    outbox.put(state("x", "one"))
    outbox.put(state("y", "two"))
    [first, _] = send_all(outbox)
    outbox.confirm(first)
    outbox.recall()
    outbox.put_states_again()
    assert sorted(send_all(outbox).values()) == ["one", "two"]


def test_beyond_its_bounds_the_outbox_refuses(monkeypatch):
    monkeypatch.setattr(outbox_module, "PARCELS_MAX", 2)
    outbox = Outbox()
    outbox.put(parcel("a"))
    outbox.put(parcel("b"))
    with pytest.raises(OutboxFullError, match="2 messages"):
        outbox.put(parcel("c"))
    monkeypatch.setattr(outbox_module, "PARCELS_MAX", 9)
    monkeypatch.setattr(outbox_module, "BYTES_MAX", 3)
    with pytest.raises(OutboxFullError):
        outbox.put(parcel("cc"))


def test_bytes_of_confirmed_parcels_make_room(monkeypatch):
    monkeypatch.setattr(outbox_module, "BYTES_MAX", 4)
    outbox = Outbox()
    for _ in range(5):
        outbox.put(parcel("abc"))
        [token] = send_all(outbox)
        outbox.confirm(token)


def test_durable_parcels_survive_in_a_file_and_states_do_not(tmp_path):
    path = tmp_path / "outbox.json"
    outbox = Outbox()
    outbox.put(parcel("a"))
    send_all(outbox)
    outbox.put(state("x", "state"))
    outbox.put(Parcel("s", b"b", "b", {"h": "v"}))
    assert outbox.save(path) == 2
    later = Outbox()
    assert later.load(path) == 2
    assert list(send_all(later).values()) == ["a", "b"]
    assert Outbox().load(path) == 0


def test_an_empty_outbox_leaves_no_file(tmp_path):
    assert Outbox().save(tmp_path / "outbox.json") == 0
    assert not list(tmp_path.iterdir())


def test_the_slowest_confirmation_is_told_once():
    outbox = Outbox()
    for name in "ab":
        outbox.put(parcel(name))
    first, second = send_all(outbox, now_ns=10)
    outbox.confirm(first, 12)
    outbox.confirm(second, 17)
    assert outbox.take_slowest_ns() == 7
    assert outbox.take_slowest_ns() == 0


def account(data):
    return Parcel("account", data.encode(), None, {}, follows_record=True)


def test_a_state_that_follows_the_record_waits_for_all_that_is_durable():
    outbox = Outbox()
    outbox.put(parcel("fill"))
    outbox.put(account("first"))
    outbox.put(state("surface", "s"))
    sent = send_all(outbox)
    assert list(sent.values()) == ["fill", "s"]
    outbox.put(parcel("another fill"))
    outbox.put(account("second"))
    sent |= send_all(outbox)
    tokens = {data: token for token, data in sent.items()}
    assert not outbox.confirm(tokens["fill"])
    outbox.recall()
    sent = send_all(outbox)
    assert list(sent.values()) == ["s", "another fill"]
    tokens = {data: token for token, data in sent.items()}
    assert outbox.confirm(tokens["another fill"])
    assert list(send_all(outbox).values()) == ["second"]


def test_a_state_that_follows_the_record_does_not_wait_for_nothing():
    outbox = Outbox()
    outbox.put(account("first"))
    [token] = send_all(outbox)
    outbox.put(account("second"))
    assert list(send_all(outbox).values()) == ["second"]
    assert not outbox.confirm(token)
    assert len(outbox) == 1


def test_the_age_of_what_is_unconfirmed_outlives_its_being_sent_again():
    outbox = Outbox()
    assert outbox.oldest_put_ns() is None
    outbox.put(parcel("a"), 5)
    outbox.put(parcel("b"), 7)
    assert outbox.oldest_put_ns() == 5
    first = send_all(outbox, 10)
    outbox.recall()
    assert outbox.oldest_sent_ns() is None
    assert outbox.oldest_put_ns() == 5
    tokens = {data: token for token, data in send_all(outbox, 20).items()}
    outbox.confirm(tokens["a"])
    assert outbox.oldest_put_ns() == 7
    outbox.confirm(next(token for token, data in first.items() if data == "b"))
    assert outbox.oldest_put_ns() == 7
    outbox.confirm(tokens["b"])
    assert outbox.oldest_put_ns() is None
