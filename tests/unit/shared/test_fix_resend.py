"""Gaps in a FIX session: what is asked for again, and what is sent again, once."""

import pytest

from shared.fix.admin import Role
from shared.fix.codec import FixError, Message, pack
from shared.fix.store import Sent, Store
from tests.unit.shared.fix_peer import LOGON, Peer, S


def test_a_gap_is_asked_for_once_and_closes():
    peer = Peer(Role.ACCEPTOR).up()
    for seq in (4, 5, 6):
        peer.say("D", (11, f"n{seq}"), seq=seq)
    assert peer.kinds == "2"
    peer.say("D", (11, "n2"), seq=2, dup=True)
    peer.say("4", (123, "Y"), (36, 4), seq=3, dup=True)
    for seq in (4, 5, 6):
        peer.say("D", (11, f"n{seq}"), seq=seq, dup=True)
    assert peer.applications == ["n2", "n4", "n5", "n6"]
    assert not peer.session.admin.is_catching_up
    assert peer.kinds == "2"
    assert peer.session.store.next_in == 7


def test_a_resend_that_stalls_is_asked_for_again_from_where_it_stands():
    peer = Peer(Role.ACCEPTOR).up()
    peer.say("D", (11, "x"), seq=5)
    peer.say("D", (11, "n2"), seq=2, dup=True)
    peer.forget()
    assert peer.wait(4.9) == []
    (again,) = peer.wait(0.2)
    assert (again.msg_type, again.get(7)) == ("2", "3")


def test_the_acceptor_sends_application_messages_again():
    peer = Peer(Role.ACCEPTOR).up()
    session = peer.session
    for number in range(3):
        session.send_application("8", pack(((37, number),)), peer.now_ns)
    peer.say("1", (112, "t"))
    session.send_application("8", pack(((37, 3),)), peer.now_ns)
    peer.collect()
    peer.forget()
    peer.now_ns += S
    answers = peer.say("2", (7, 1), (16, 0))
    assert [(a.msg_type, a.get(34), a.get(36)) for a in answers] == [
        ("4", "1", "2"), ("8", "2", None), ("8", "3", None), ("8", "4", None), ("4", "5", "6"),
        ("8", "6", None),
    ]  # fmt: skip
    assert all(a.get(43) == "Y" and a.get(122) for a in answers)
    assert answers[1].get(122) != answers[1].get(52)
    assert session.store.next_out == 7


def test_a_part_is_sent_again_where_a_part_is_asked_for():
    peer = Peer(Role.ACCEPTOR).up()
    for number in range(4):
        peer.session.send_application("8", pack(((37, number),)), peer.now_ns)
    peer.collect()
    assert [(a.get(34), a.get(37)) for a in peer.say("2", (7, 3), (16, 4))] == [
        ("3", "1"), ("4", "2"),
    ]  # fmt: skip


def test_the_initiator_never_sends_an_order_again():
    peer = Peer(Role.INITIATOR).up()
    for number in range(3):
        peer.session.send_application("D", pack(((11, number),)), peer.now_ns)
    peer.collect()
    peer.forget()
    answers = peer.say("2", (7, 2), (16, 0))
    assert [(a.msg_type, a.get(34), a.get(36), a.get(123)) for a in answers] == [
        ("4", "2", "5", "Y")
    ]


def test_what_a_full_store_has_dropped_is_filled():
    peer = Peer(Role.ACCEPTOR, store=Store(2)).up()
    for number in range(4):
        peer.session.send_application("8", pack(((37, number),)), peer.now_ns)
    peer.collect()
    answers = peer.forget().say("2", (7, 2), (16, 0))
    assert [(a.msg_type, a.get(34)) for a in answers] == [("4", "2"), ("8", "4"), ("8", "5")]
    assert peer.session.store.dropped_count == 2


def test_a_store_holds_so_many_bytes_and_the_newest_messages():
    """Answers to mass quotes are long: their number alone is no bound on memory."""
    store = Store(stored_bytes_max=1_000)
    for number in range(1, 41):
        store.add(Sent(number, "b", bytes(90), 0))
    assert [sent.seq for sent in store.between(1, 40)] == list(range(30, 41))
    assert store.dropped_count == 29
    store.add(Sent(41, "8", bytes(10), 0))
    assert [sent.seq for sent in store.between(1, 41)] == list(range(30, 42))
    store.add(Sent(42, "b", bytes(2_000), 0))  # longer than all that is kept: filled with a gap
    assert store.between(1, 42) == []
    store.reset()
    store.add(Sent(1, "b", bytes(1_000), 0))
    assert len(store.between(1, 1)) == 1


@pytest.mark.parametrize("fields", [((7, 0), (16, 0)), ((7, 5), (16, 2)), ((7, 1),), ((16, 0),)])
def test_a_resend_request_for_nothing_sensible_is_rejected(fields):
    peer = Peer(Role.ACCEPTOR).up()
    assert [a.msg_type for a in peer.say("2", *fields)] == ["3"]
    assert peer.session.is_up


def test_messages_sent_while_down_come_when_asked_for():
    store = Store()
    peer = Peer(Role.ACCEPTOR, store=store).up()
    peer.events += peer.session.on_disconnected("gone", peer.now_ns)
    store.keep("8", pack(((37, "late"),)), peer.now_ns)
    peer.now_ns += S
    peer.connect()
    (logon,) = peer.say("A", *LOGON)
    assert logon.get(34) == "3"
    assert [(a.msg_type, a.get(37)) for a in peer.say("2", (7, 2), (16, 2))] == [("8", "late")]


def test_a_lane_that_obeyed_a_gap_fill_hears_no_refusal():
    """The C lane moves its numbers itself and hands the message on."""
    peer = Peer(Role.INITIATOR).up()
    fill = Message("4", [(35, "4"), (34, "2"), (123, "Y"), (36, "9")])
    assert peer.session.admin.on_message(fill, peer.now_ns) == []
    with pytest.raises(FixError):
        peer.session.admin.on_message(
            Message("4", [(35, "4"), (34, "9"), (123, "Y"), (36, "9")]), peer.now_ns
        )
