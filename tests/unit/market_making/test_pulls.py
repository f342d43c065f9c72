"""What takes the quotes away, and what brings them back."""

from services.market_making.policy import Policy
from services.market_making.quoting import Phase
from shared.clock import NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.quoting import QuotesPulledV1, QuotesV1
from shared.messages.risk import AlertV1, HaltV1
from shared.venue_link import VenueNotice
from tests.unit.market_making.toy_desk import INDEX_USD, quoting_desk, surface


def halt(desk, action="halt", halt_id="h1", underlying="BTC"):
    return HaltV1(
        created_ns=desk.now_ns,
        halt_id=halt_id,
        underlying=underlying,
        action=action,
        reason="test",
        author="test",
    )


def test_a_lapsed_lease_pulls_on_the_timer_with_nothing_received(kind):
    desk = quoting_desk(kind)
    desk.lease(seconds=0.1)
    desk.later(150)
    desk.timer()
    assert desk.is_cancelling()
    desk.answer()
    assert desk.rests == {}
    assert desk.last(QuotesPulledV1).reason == "no_lease"
    assert desk.last(QuotesV1).is_full
    assert desk.last(QuotesV1).quotes == ()


def test_a_silent_feed_pulls(kind):
    desk = quoting_desk(kind)
    desk.later(3100)
    desk.timer()
    desk.answer()
    assert desk.last(QuotesPulledV1).reason in ("stale_tick", "market data silent")
    assert desk.rests == {}


def test_an_old_surface_pulls_and_a_new_one_brings_the_quotes_back(kind):
    desk = quoting_desk(kind)
    for _ in range(103):
        desk.later(50)
        desk.tick()
        desk.timer()
        desk.answer()
    assert desk.last(QuotesPulledV1).reason == "stale_surface"
    assert desk.rests == {}
    desk.run(1000)
    assert len(desk.two_sided()) > 80


def test_a_halt_pulls_and_latches_until_a_resume(kind):
    desk = quoting_desk(kind)
    desk.take(desk.core.on_halt(halt(desk)))
    assert desk.is_cancelling()
    desk.run(2000)
    assert desk.rests == {}
    desk.take(desk.core.on_halt(halt(desk, "resume", "h2")))
    desk.run(1000)
    assert len(desk.two_sided()) > 80


def test_a_replayed_halt_holds_after_a_restart(kind):
    desk = kind(is_quoting=False)
    desk.take(desk.core.on_halt(halt(desk)))
    desk.start_quoting()
    desk.run(1000)
    assert desk.rests == {}


def test_our_own_window_pulls_before_the_venues(kind):
    desk = quoting_desk(kind, BTC=Policy(mmp_quantity_coin=5.0, mmp_delta_coin=4.0))
    names = sorted(desk.two_sided())
    for index in range(8):
        desk.trade(names[index * 7], "bid", 0.5, f"t{index}")
    desk.answer()
    assert desk.last(QuotesPulledV1).reason == "frozen"
    assert desk.rests == {}
    desk.run(1500)
    assert len(desk.two_sided()) > 80


def test_a_jump_that_outruns_the_budget_pulls_everything_at_once():
    desk = quoting_desk(BTC=Policy(exposed_max=10, drift_coin_max=0.5))
    desk.quoter._quotes_per_s = desk.quoter._quotes_burst = 20.0
    desk.quoter._set_policy()
    desk.run(100)
    desk.tick(INDEX_USD * 1.03)
    assert desk.waiting[-1].method == "private/cancel_quotes"
    desk.answer()
    assert desk.last(QuotesPulledV1).reason == "the market outran the quotes"
    desk.run(10_000, INDEX_USD * 1.03)
    assert len(desk.two_sided()) > 80


def test_the_venues_protection_freezes_waits_resets_and_quotes_again(kind):
    desk = quoting_desk(kind)
    desk.rests.clear()
    notice = VenueNotice(
        created_ns=desk.now_ns,
        channel="user.mmp_trigger.btc_usd",
        data={"frozen_until": 0, "mmp_group": "hedgerow-btc"},
    )
    asked = len(desk.asked)
    desk.take(desk.core.on_notice(notice))
    desk.run(900)
    assert "private/reset_mmp" not in desk.methods()[asked:]
    desk.run(1000)
    assert desk.methods()[asked:].count("private/reset_mmp") == 1
    assert len(desk.two_sided()) > 80
    assert desk.last(AlertV1).name == "mmp_trigger"


def test_repeated_trips_wait_longer_each_time(kind):
    desk = quoting_desk(kind)
    waits = []
    for _ in range(3):
        start_ns = desk.now_ns
        desk.rests.clear()
        notice = VenueNotice(created_ns=desk.now_ns, channel="user.mmp_trigger.btc_usd", data={})
        desk.take(desk.core.on_notice(notice))
        while not desk.rests:
            desk.run(50)
        waits.append(desk.now_ns - start_ns)
    assert waits[0] < waits[1] < waits[2]
    assert waits[2] >= 4 * NS_PER_S


def test_a_lost_session_forgets_quotes_and_starts_over_with_a_cancel(kind):
    desk = quoting_desk(kind)
    desk.down()
    assert desk.quoter.phase is Phase.DOWN
    assert desk.last(QuotesPulledV1).reason == "venue session lost"
    desk.later(1000)
    desk.take(desk.core.on_surface(surface(desk.now_ns)))
    desk.up()
    assert desk.is_cancelling()
    desk.run(1000)
    assert len(desk.two_sided()) > 80


def test_a_request_of_unknown_outcome_pulls_everything(kind):
    desk = quoting_desk(kind)
    asked = desk.cancel_requests()
    desk.errors["private/mass_quote"] = -1
    desk.run(500, INDEX_USD * 1.01)
    desk.errors.clear()
    assert desk.cancel_requests() > asked
    desk.run(2500, INDEX_USD * 1.01)
    assert len(desk.two_sided()) > 80


def test_a_failed_cancel_is_tried_until_the_venue_confirms(kind):
    desk = quoting_desk(kind)
    desk.errors["private/cancel_quotes"] = 10041
    desk.take(desk.core.on_halt(halt(desk)))
    desk.run(1200)
    assert desk.quoter.phase is Phase.CLEARING
    assert desk.cancel_requests() >= 4
    desk.errors.clear()
    desk.run(500)
    assert desk.quoter.phase is Phase.CLEAR
    assert desk.rests == {}


def test_a_quote_answered_after_the_cancel_is_cancelled_again():
    desk = quoting_desk()
    desk.tick(INDEX_USD * 1.02)
    late = [one for one in desk.waiting if one.method == "private/mass_quote"]
    assert late
    desk.take(desk.core.on_halt(halt(desk)))
    cancel = desk.waiting[-1]
    desk.waiting.clear()
    desk.reply(cancel)
    for request in late:
        desk.reply(request)
    assert desk.rests
    assert desk.waiting[-1].method == "private/cancel_quotes"
    desk.answer()
    assert desk.rests == {}
    assert desk.quoter.phase is Phase.CLEAR


def test_a_drain_is_done_when_the_venue_has_confirmed(kind):
    desk = quoting_desk(kind)
    desk.take(desk.core.on_drain(TimerV1(created_ns=desk.now_ns)))
    assert not desk.core.is_drained()
    desk.answer()
    assert desk.core.is_drained()
    desk.run(1000)
    assert desk.rests == {}
