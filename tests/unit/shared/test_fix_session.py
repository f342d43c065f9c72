"""The FIX session in every state, with every kind of message, early, late and in order."""

import pytest

from shared.fix.admin import GapSeen, LoggedOn, LoggedOut, Phase, Rejected, Role, Verdict
from shared.fix.codec import format_time, pack
from shared.fix.credentials import logon_body
from tests.unit.shared.fix_peer import LOGON, NOW_NS, Peer, S

BODIES = {
    "0": (),
    "1": ((112, "hello"),),
    "2": ((7, 1), (16, 0)),
    "3": ((45, 1),),
    "4": ((123, "Y"), (36, 100)),
    "5": (),
    "A": LOGON,
    "D": ((11, "order"),),
}


def peer_in(phase, role=Role.ACCEPTOR):
    peer = Peer(role)
    if phase == "connected":
        return peer.connect()
    if phase == "logon sent":
        return Peer(Role.INITIATOR).connect().forget()
    peer.up()
    if phase == "logout sent":
        peer.session.log_out("done", peer.now_ns)
        peer.collect()
        peer.forget()
    return peer


# What each message in order leads to: answers; "!" that the connection closes; "+" that the
# application sees it.
IN_ORDER = {
    "connected": {"A": "A", **dict.fromkeys("012345D", "!")},
    "logon sent": {"A": "", "5": "!", **dict.fromkeys("01234D", "5!")},
    "up": {"0": "", "1": "0", "2": "4", "3": "", "4": "", "5": "5!", "A": "5!", "D": "+"},
    "logout sent": {"0": "", "1": "0", "2": "4", "3": "", "4": "", "5": "!", "A": "5!", "D": "+"},
}


@pytest.mark.parametrize("role", [Role.ACCEPTOR, Role.INITIATOR])
@pytest.mark.parametrize(
    ("phase", "kind"), [(phase, kind) for phase, kinds in IN_ORDER.items() for kind in kinds]
)
def test_a_message_in_order(phase, kind, role):
    peer = peer_in(phase, role if phase in ("up", "logout sent") else Role.ACCEPTOR)
    next_in = peer.session.store.next_in
    peer.say(kind, *BODIES[kind])
    wanted = IN_ORDER[phase][kind]
    seen = peer.kinds + "+" * len(peer.applications) + "!" * bool(peer.session.close_reason)
    assert seen == wanted
    if "!" not in wanted:
        assert peer.session.store.next_in == (100 if kind == "4" else next_in + 1)
    assert bool(peer.end) == ("!" in wanted)


@pytest.mark.parametrize("kind", list(BODIES))
def test_an_old_number_without_the_mark_ends_the_session(kind):
    peer = peer_in("up")
    peer.say("0")
    peer.forget()
    peer.say(kind, *BODIES[kind], seq=2)
    assert peer.kinds == "5"
    expected = "Logon is not expected" if kind == "A" else "MsgSeqNum too low, expecting 3"
    assert peer.said[0].get(58).startswith(expected)
    assert peer.session.close_reason
    assert peer.applications == []


@pytest.mark.parametrize("kind", list(BODIES))
def test_an_old_number_with_the_mark_is_ignored(kind):
    peer = peer_in("up")
    peer.say("0")
    peer.forget()
    peer.say(kind, *BODIES[kind], seq=2, dup=True)
    assert (peer.kinds, peer.applications, peer.end) == ("", [], "")
    assert peer.session.store.next_in == 3


@pytest.mark.parametrize("kind", list(BODIES))
def test_an_early_number_asks_for_what_is_missing(kind):
    peer = peer_in("up")
    peer.say(kind, *BODIES[kind], seq=9)
    wanted = {"2": "42", "5": "5", "A": "5"}.get(kind, "2")
    assert peer.kinds == wanted
    if kind not in "5A":
        assert (peer.said[-1].get(7), peer.said[-1].get(16)) == ("2", "0")
        assert peer.session.store.next_in == 2
        assert peer.events == [GapSeen(2, 9)]
        assert peer.session.admin.is_catching_up
    assert peer.applications == []


def test_a_gap_fill_that_goes_back_is_rejected_and_counted():
    peer = peer_in("up")
    (reject,) = peer.say("4", (123, "Y"), (36, 2))
    assert (reject.msg_type, reject.get(373), reject.get(371), reject.get(45)) == (
        "3", "5", "36", "2",
    )  # fmt: skip
    assert peer.session.store.next_in == 3


def test_a_hard_reset_goes_forward_whatever_its_number():
    peer = peer_in("up")
    assert peer.say("4", (36, 50), seq=999) == []
    assert peer.session.store.next_in == 50
    (reject,) = peer.say("4", (123, "N"), (36, 49), seq=1)
    assert (reject.msg_type, reject.get(373)) == ("3", "5")
    assert peer.session.store.next_in == 50


def test_a_reset_at_logon_starts_both_numbers_at_one():
    peer = peer_in("up")
    peer.session.send_application("8", pack(((37, 1),)), peer.now_ns)
    peer.session.on_disconnected("gone", peer.now_ns)
    peer.connect()
    peer.forget().seq = 1
    (logon,) = peer.say("A", *LOGON, (141, "Y"))
    assert (logon.get(34), logon.get(141)) == ("1", "Y")
    assert (peer.session.store.next_in, peer.session.store.next_out) == (2, 2)
    assert peer.session.store.between(1, 9) == []


def test_a_reset_with_another_number_than_one_ends_the_session():
    peer = Peer(Role.ACCEPTOR).connect()
    peer.say("A", *LOGON, (141, "Y"), seq=2)
    assert peer.end == "ResetSeqNumFlag needs MsgSeqNum 1"


def test_a_logon_that_comes_early_is_taken_and_the_gap_asked_for():
    peer = Peer(Role.ACCEPTOR).connect()
    answers = peer.say("A", *LOGON, seq=5)
    assert [a.msg_type for a in answers] == ["A", "2"]
    assert peer.session.is_up
    assert peer.session.store.next_in == 1


def test_a_logon_with_an_old_number_ends_the_session():
    peer = peer_in("up")
    peer.session.on_disconnected("gone", peer.now_ns)
    peer.connect()
    peer.say("A", *LOGON, seq=1)
    assert peer.end.startswith("MsgSeqNum too low, expecting 2")


def test_an_initiator_takes_no_reset_that_it_did_not_ask_for():
    peer = peer_in("logon sent")
    peer.say("A", *LOGON, (141, "Y"))
    assert peer.end == "ResetSeqNumFlag was not asked for"
    peer = Peer(Role.INITIATOR).connect(reset=True)
    assert peer.said[0].get(141) == "Y"
    peer.say("A", *LOGON, (141, "Y"))
    assert isinstance(peer.events[0], LoggedOn)


def test_a_refusal_of_the_logon_is_told_whatever_its_number():
    peer = peer_in("logon sent")
    peer.session.store.next_in = 40
    peer.say("5", (58, "invalid_credentials"), seq=1)
    assert peer.events == [LoggedOut("invalid_credentials", False, peer.events[0].message)]


def test_an_acceptor_says_why_it_refuses():
    peer = Peer(Role.ACCEPTOR, judge=lambda _m, _n: Verdict(refusal="no")).connect()
    (logout,) = peer.say("A", *LOGON)
    assert (logout.msg_type, logout.get(58)) == ("5", "no")
    assert peer.session.close_reason == "no"


@pytest.mark.parametrize("interval", [0, -1, 3_601])
def test_an_acceptor_refuses_a_heartbeat_it_cannot_keep(interval):
    peer = Peer(Role.ACCEPTOR).connect()
    (logout,) = peer.say("A", (98, 0), (108, interval))
    assert "HeartBtInt" in logout.get(58)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({49: "SOMEONE"}, "9"),
        ({56: "SOMEONE"}, "9"),
        ({52: "20200101-00:00:00"}, "10"),
    ],
)
def test_a_message_of_another_session_or_time_is_rejected_and_ends_it(header, reason):
    peer = peer_in("up")
    peer.say("D", (11, "x"), header=header)
    assert peer.kinds == "35"
    assert peer.said[0].get(373) == reason
    assert peer.applications == []
    assert peer.session.close_reason


@pytest.mark.parametrize("offset_s", [-1_000, 1_000])
def test_a_second_clock_is_as_good(offset_s):
    peer = peer_in("up")
    peer.session.other_clock_ns = offset_s * S
    peer.say("D", (11, "x"), header={52: format_time(peer.now_ns + offset_s * S)})
    assert (peer.kinds, peer.applications) == ("", ["x"])
    peer.say("D", (11, "y"), header={52: format_time(peer.now_ns - offset_s * S)})
    assert (peer.kinds, peer.applications) == ("35", ["x"])


@pytest.mark.parametrize("header", [{52: None}, {52: "soon"}, {49: None}, {56: None}])
def test_a_header_that_lacks_something_is_rejected(header):
    peer = peer_in("up")
    peer.say("D", (11, "x"), header=header)
    assert peer.kinds == "3"
    assert peer.session.is_up
    assert peer.session.store.next_in == 3


def test_a_message_without_a_number_ends_the_session():
    peer = peer_in("up")
    peer.say("D", header={34: None})
    assert peer.kinds == "5"


def test_another_version_ends_the_session():
    peer = peer_in("up")
    data = b"8=FIX.4.2\x019=10\x0135=0\x0134=2\x01"
    peer.hear(data + b"10=%03d\x01" % (sum(data) % 256))
    assert (peer.kinds, peer.end) == ("5", "BeginString must be FIX.4.4")


def test_a_mark_without_the_first_time_is_rejected():
    peer = peer_in("up")
    peer.say("0")
    (reject,) = peer.say("D", seq=2, header={43: True})
    assert (reject.msg_type, reject.get(371)) == ("3", "122")
    peer.say("D", seq=2, header={43: True, 122: "20990101-00:00:00"})
    assert peer.session.close_reason


def test_a_field_that_cannot_be_read_is_rejected_once_and_counted():
    peer = peer_in("up")
    inner = b"35=D\x0149=THEM\x0156=US\x0134=2\x0111=\x01"
    frame = b"8=FIX.4.4\x019=%d\x01%s" % (len(inner), inner)
    (reject,) = peer.hear(frame + b"10=%03d\x01" % (sum(frame) % 256))
    assert (reject.msg_type, reject.get(45), reject.get(372), reject.get(373)) == (
        "3", "2", "D", "4",
    )  # fmt: skip
    assert peer.session.store.next_in == 3
    assert peer.session.is_up


def test_garbled_bytes_are_ignored_until_they_are_too_many():
    peer = peer_in("up")
    peer.hear(b"8=FIX.4.4\x019=x\x01" * 50)
    assert peer.session.is_up
    peer.say("D", (11, "x"))
    assert peer.applications == ["x"]
    peer.hear(b"8=FIX.4.4\x019=x\x01" * 100)
    assert peer.end.startswith("garbled")


def test_rubbish_instead_of_a_logon_is_cut_off_without_a_word():
    peer = Peer(Role.ACCEPTOR).connect()
    peer.hear(b"GET / HTTP/1.1\r\n\r\n")
    assert (peer.kinds, bool(peer.session.close_reason)) == ("", True)


def test_silence_is_tested_and_then_ends_the_session():
    peer = Peer(Role.ACCEPTOR).up()
    assert [m.msg_type for m in peer.wait(29)] == []
    assert [m.msg_type for m in peer.wait(2)] == ["0"]
    assert [m.msg_type for m in peer.wait(5)] == ["1"]
    assert peer.wait(25) == []
    assert [m.msg_type for m in peer.wait(12)] == ["5"]
    assert peer.end == "TestRequest was not answered"
    assert peer.session.close_reason


def test_any_message_answers_a_test_request():
    peer = Peer(Role.ACCEPTOR).up()
    peer.wait(36)
    peer.now_ns += S
    peer.say("0", (112, "T1"))
    peer.wait(30)
    assert peer.end == ""
    assert peer.kinds.count("1") == 1


@pytest.mark.parametrize("phase", ["connected", "logon sent", "logout sent"])
def test_no_state_but_up_lasts(phase):
    peer = peer_in(phase)
    peer.wait(3)
    assert peer.session.close_reason == ""
    peer.wait(8)
    assert peer.session.close_reason
    assert peer.session.admin.phase is Phase.DOWN
    assert len(peer.events) == 1


def test_a_logout_is_answered_once_by_each():
    peer = peer_in("up")
    peer.session.log_out("done", peer.now_ns)
    peer.collect()
    peer.say("5")
    assert peer.kinds == "5"
    assert [event.is_orderly for event in peer.events] == [True]


def test_a_lost_connection_is_said_once():
    peer = peer_in("up")
    assert peer.session.on_disconnected("gone", peer.now_ns) == [LoggedOut("gone", False)]
    assert peer.session.on_disconnected("gone", peer.now_ns) == []
    peer.say("D", (11, "x"))
    assert peer.applications == []


def test_a_reject_is_an_event():
    peer = peer_in("up")
    peer.say("3", (45, 1), (58, "why"))
    assert [type(event) for event in peer.events] == [Rejected]


def test_bytes_that_are_not_whole_yet_can_be_handed_on():
    peer = peer_in("up")
    peer.hear(b"8=FIX.4.4\x019=50\x0135=")
    assert peer.session.rest() == b"8=FIX.4.4\x019=50\x0135="


def test_the_logon_of_the_desk_asks_for_what_it_needs():
    fields = dict(logon_body("id", "secret", b"n" * 32, 5, NOW_NS))
    assert fields[96].startswith(f"{NOW_NS // 1_000_000}.")
    assert fields[95] == len(fields[96])
    assert (fields[108], fields[9001], fields[9015]) == (5, True, True)
