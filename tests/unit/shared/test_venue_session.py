"""The venue session: bytes in, bytes and events out."""

import hashlib
import hmac
import json
import random
from itertools import count

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import NS_PER_S
from shared.venue_link import (
    NOT_SENT,
    OUTCOME_UNKNOWN,
    LinkSettings,
    VenueDown,
    VenueNotice,
    VenueReply,
    VenueRequest,
    VenueUp,
)
from shared.venue_session import QUEUED_MAX, SessionOutput, VenueSession

T0 = 1_767_000_000 * NS_PER_S
SUMMARY_LIMITS = {
    "limits": {
        "matching_engine": {
            "trading": {"total": {"burst": 100, "rate": 30}},
            "maximum_quotes": {"burst": 500, "rate": 500},
            "maximum_mass_quotes": {"burst": 10, "rate": 10},
        }
    }
}


def new_session(*, cancel_on_disconnect: bool = True) -> VenueSession:
    nonces = count(1)
    settings = LinkSettings(session_name="gateway", cancel_on_disconnect=cancel_on_disconnect)
    return VenueSession(settings, "cid", "secret", lambda: f"nonce-{next(nonces)}")


def sent(out: SessionOutput) -> list[dict]:
    return [json.loads(data) for data in out.sends]


def reply(wire: dict, result: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": wire["id"], "result": result})


def refusal(wire: dict, code: int, message: str = "no") -> bytes:
    error = {"code": code, "message": message}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": wire["id"], "error": error})


def token(expires_in: float = 900) -> dict:
    return {"access_token": "a", "refresh_token": "r", "expires_in": expires_in}


def log_in(session: VenueSession, now_ns: int = T0, limits: dict | None = None) -> SessionOutput:
    heartbeat, auth = sent(session.on_connected(now_ns))
    session.on_bytes(reply(heartbeat, "ok"), now_ns)
    after = sent(session.on_bytes(reply(auth, token()), now_ns))
    summary = next(wire for wire in after if wire["method"] == "private/get_account_summary")
    session.on_bytes(reply(summary, limits or {}), now_ns)
    cod = next(wire for wire in after if wire["method"] == "private/enable_cancel_on_disconnect")
    return session.on_bytes(reply(cod, "ok"), now_ns)


def test_login_signs_and_is_up_only_after_cancel_on_disconnect() -> None:
    session = new_session()
    heartbeat, auth = sent(session.on_connected(T0))
    assert (heartbeat["method"], heartbeat["params"]) == ("public/set_heartbeat", {"interval": 10})
    params = auth["params"]
    signed = f"{T0 // 10**6}\nnonce-1\n".encode()
    assert params["signature"] == hmac.new(b"secret", signed, hashlib.sha256).hexdigest()
    assert params["grant_type"] == "client_signature"
    assert params["scope"] == "session:gateway"
    out = session.on_bytes(reply(auth, token()), T0)
    assert out.events == []
    cod = sent(out)[-1]
    assert cod["params"] == {"scope": "connection"}
    assert session.on_bytes(reply(cod, "ok"), T0 + 5).events == [VenueUp(T0 + 5, 1)]


def test_without_cancel_on_disconnect_the_token_is_enough() -> None:
    session = new_session(cancel_on_disconnect=False)
    _, auth = sent(session.on_connected(T0))
    out = session.on_bytes(reply(auth, token()), T0)
    assert out.events == [VenueUp(T0, 1)]
    assert all("cancel_on" not in wire["method"] for wire in sent(out))


def test_refused_login_closes_with_the_venues_words() -> None:
    session = new_session()
    _, auth = sent(session.on_connected(T0))
    out = session.on_bytes(refusal(auth, 13004, "invalid_credentials"), T0)
    assert out.close_reason == "login was refused: 13004 invalid_credentials"


def test_test_request_is_answered() -> None:
    session = new_session()
    log_in(session)
    heartbeat = {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}}
    out = session.on_bytes(msgspec.json.encode(heartbeat), T0)
    assert [wire["method"] for wire in sent(out)] == ["public/test"]


def test_request_gets_its_own_reply() -> None:
    session = new_session()
    log_in(session)
    [first] = sent(session.on_request(VenueRequest(7, "public/get_time", {}), T0))
    [second] = sent(session.on_request(VenueRequest(8, "public/get_time", {}), T0))
    assert session.on_bytes(reply(second, 2), T0 + 1).events == [VenueReply(T0 + 1, 8, 2)]
    assert session.on_bytes(refusal(first, 10004, "order_not_found"), T0 + 2).events == [
        VenueReply(T0 + 2, 7, None, 10004, "order_not_found")
    ]


@pytest.mark.parametrize(
    ("told", "known_ns"), [(T0 // 1_000, T0), (-5, 0), (2**80, 0), ("now", 0), (1.5, 0), (True, 0)]
)
def test_reply_tells_when_the_venue_took_and_answered_it(told: object, known_ns: int) -> None:
    session = new_session()
    log_in(session)
    [call] = sent(session.on_request(VenueRequest(7, "public/get_time", {}), T0))
    answer = {"jsonrpc": "2.0", "id": call["id"], "result": 1, "usIn": told, "usOut": told}
    [event] = session.on_bytes(json.dumps(answer).encode(), T0).events
    assert event == VenueReply(T0, 7, 1, venue_in_ns=known_ns, venue_out_ns=known_ns)


def test_reply_that_never_came_is_an_unknown_outcome_once() -> None:
    session = new_session()
    log_in(session)
    [wire] = sent(session.on_request(VenueRequest(7, "private/buy", {}), T0))
    assert session.on_timer(T0 + 4 * NS_PER_S).events == []
    [event] = session.on_timer(T0 + 6 * NS_PER_S).events
    assert isinstance(event, VenueReply)
    assert (event.request_id, event.error_code) == (7, OUTCOME_UNKNOWN)
    assert session.on_bytes(reply(wire, {}), T0 + 7 * NS_PER_S).events == []
    assert session.late_reply_count == 1


def test_lost_link_answers_every_request_then_says_down() -> None:
    session = new_session()
    log_in(session)
    for request_id in range(1, 40):
        session.on_request(VenueRequest(request_id, "private/buy", {}), T0)
    waiting = session.waiting_count
    assert 0 < waiting < 39
    *replies, down = session.on_disconnected("reset", T0 + 1).events
    assert down == VenueDown(T0 + 1, "reset")
    codes = [event.error_code for event in replies]
    assert sorted(event.request_id for event in replies) == list(range(1, 40))
    assert codes.count(OUTCOME_UNKNOWN) == 39 - waiting
    assert codes.count(NOT_SENT) == waiting


def test_unreachable_venue_is_said_once_per_reason() -> None:
    session = new_session()
    assert session.on_disconnected("no route", T0).events == [VenueDown(T0, "no route")]
    assert session.on_disconnected("no route", T0 + 1).events == []
    assert session.on_disconnected("refused", T0 + 2).events == [VenueDown(T0 + 2, "refused")]


def test_request_before_login_is_refused_unsent() -> None:
    session = new_session()
    out = session.on_request(VenueRequest(1, "private/buy", {}), T0)
    assert (out.sends, out.events) == ([], [])
    [refusal_event] = session.on_timer(T0).events
    assert refusal_event.error_code == NOT_SENT
    assert session.on_timer(T0).events == []


def test_second_connection_logs_in_again() -> None:
    session = new_session()
    log_in(session)
    session.on_disconnected("reset", T0)
    assert log_in(session, T0 + NS_PER_S).events == [VenueUp(T0 + NS_PER_S, 2)]


def test_token_is_refreshed_at_four_fifths_of_its_life() -> None:
    session = new_session()
    log_in(session)
    assert session.on_timer(T0 + 20 * NS_PER_S).sends == []
    session.on_bytes(
        b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}', T0 + 719 * NS_PER_S
    )
    [refresh] = sent(session.on_timer(T0 + 720 * NS_PER_S))
    assert refresh["params"] == {"grant_type": "refresh_token", "refresh_token": "r"}
    [auth] = sent(session.on_bytes(refusal(refresh, 13009), T0 + 720 * NS_PER_S))
    assert auth["params"]["grant_type"] == "client_signature"
    again = session.on_bytes(reply(auth, token()), T0 + 720 * NS_PER_S)
    assert (again.events, again.sends, again.close_reason) == ([], [], "")


def test_silent_venue_is_left() -> None:
    session = new_session()
    log_in(session)
    assert session.on_timer(T0 + 25 * NS_PER_S).close_reason == ""
    assert "nothing heard" in session.on_timer(T0 + 26 * NS_PER_S).close_reason


def test_orders_keep_to_the_budget_and_cancels_pass() -> None:
    session = new_session()
    log_in(session)
    outs = [session.on_request(VenueRequest(n, "private/buy", {}), T0) for n in range(1, 31)]
    assert sum(len(out.sends) for out in outs) == 18  # nine tenths of a burst of 20
    assert len(session.on_request(VenueRequest(99, "private/cancel", {}), T0).sends) == 1
    later = session.on_timer(T0 + NS_PER_S)
    assert 0 < len(later.sends) <= 5
    last = session.on_timer(T0 + 2 * NS_PER_S)
    assert {event.error_code for event in last.events} == {NOT_SENT}
    assert session.waiting_count == 0


def test_limits_are_learned_from_the_account() -> None:
    session = new_session()
    log_in(session, limits=SUMMARY_LIMITS)
    session.on_timer(T0 + 3 * NS_PER_S)
    outs = [
        session.on_request(VenueRequest(n, "private/buy", {}), T0 + 5 * NS_PER_S)
        for n in range(1, 101)
    ]
    assert sum(len(out.sends) for out in outs) > 80


def test_too_many_requests_makes_the_next_ones_wait() -> None:
    session = new_session()
    log_in(session)
    [wire] = sent(session.on_request(VenueRequest(1, "private/buy", {}), T0))
    out = session.on_bytes(refusal(wire, 10028, "too_many_requests"), T0)
    assert out.events[0].error_code == 10028
    assert session.on_request(VenueRequest(2, "private/buy", {}), T0).sends == []
    assert len(session.on_timer(T0 + NS_PER_S // 2).sends) == 1


def test_queue_is_bounded() -> None:
    session = new_session()
    log_in(session)
    outs = [
        session.on_request(VenueRequest(n, "public/get_time", {}), T0)
        for n in range(1, QUEUED_MAX + 200)
    ]
    assert all(out.events == [] for out in outs)
    refused = session.on_timer(T0).events
    assert session.waiting_count == QUEUED_MAX
    assert {event.error_code for event in refused} == {NOT_SENT}


def test_notices_reach_the_core() -> None:
    session = new_session()
    log_in(session)
    notice = {"method": "subscription", "params": {"channel": "quote.X", "data": {"a": 1}}}
    out = session.on_bytes(msgspec.json.encode(notice), T0 + 1)
    assert out.events == [VenueNotice(T0 + 1, "quote.X", {"a": 1})]


def test_many_malformed_messages_end_the_session() -> None:
    session = new_session()
    log_in(session)
    outs = [session.on_bytes(b'{"id":', T0) for _ in range(20)]
    assert outs[-2].close_reason == ""
    assert "malformed" in outs[-1].close_reason
    assert session.malformed_count == 20


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(
                            ["id", "method", "params", "result", "error", "channel", "code"]
                        ),
                        inner | st.sampled_from(["subscription", "heartbeat", 1, 2, 3, 4]),
                        max_size=5,
                    )
                ),
                max_leaves=12,
            ).map(lambda value: json.dumps(value).encode()),
        ),
        max_size=8,
    )
)
def test_no_bytes_crash_the_session(messages: list[bytes]) -> None:
    for session in (new_session(), new_session(cancel_on_disconnect=False)):
        session.on_connected(T0)
        for at, data in enumerate(messages):
            out = session.on_bytes(data, T0 + at)
            for event in out.events:
                assert isinstance(event, VenueReply | VenueNotice | VenueUp)
        session.on_timer(T0 + NS_PER_S)
        session.on_disconnected("end", T0 + 2 * NS_PER_S)


def test_deep_nesting_is_only_malformed() -> None:
    session = new_session()
    log_in(session)
    session.on_bytes(b'{"result":' + b"[" * 100_000 + b"]" * 100_000 + b',"id":1}', T0)
    assert session.malformed_count == 1


@settings(deadline=None)  # a busy machine is no fault of the session
@given(st.randoms(use_true_random=False))
def test_every_request_gets_exactly_one_reply(source: random.Random) -> None:
    session = new_session()
    log_in(session)
    now_ns, asked, wires, events = T0, 0, [], []
    for _ in range(200):
        now_ns += source.choice([0, 0, 10, 400]) * 1_000_000
        luck = source.random()
        if luck < 0.6:
            asked += 1
            method = source.choice(["private/buy", "private/cancel", "public/get_time"])
            out = session.on_request(VenueRequest(asked, method, {}), now_ns)
        elif luck < 0.85 and wires:
            wire = wires.pop(source.randrange(len(wires)))
            answer = reply(wire, 1) if source.random() < 0.8 else refusal(wire, 10028)
            out = session.on_bytes(answer, now_ns)
        elif luck < 0.98:
            out = session.on_timer(now_ns)
        else:
            out = session.on_disconnected("cut", now_ns)
            events += out.events
            wires = []
            out = log_in(session, now_ns)
        events += out.events
        wires += sent(out)
    events += session.on_disconnected("end", now_ns).events
    replied = [event.request_id for event in events if isinstance(event, VenueReply)]
    assert sorted(replied) == list(range(1, asked + 1))
