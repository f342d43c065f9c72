from services.market_making.core import Config
from services.market_making.policy import Policy
from services.market_making.quoter import Phase
from shared.clock import NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.market import Tick
from shared.messages.quoting import QuotesPulledV1, QuotesV1, QuotingStatusV1
from shared.messages.risk import AlertV1, HaltV1
from shared.venue_link import VenueNotice
from tests.unit.market_making.toy_desk import (
    INDEX_USD,
    START_NS,
    ToyDesk,
    limits,
    surface,
)


def halt(desk, action="halt", halt_id="h1", underlying="BTC"):
    return HaltV1(
        created_ns=desk.now_ns,
        halt_id=halt_id,
        underlying=underlying,
        action=action,
        reason="test",
        author="test",
    )


def quoting_desk(**config):
    desk = ToyDesk(Config(**config))
    desk.run(300)
    assert len(desk.two_sided()) > 80
    return desk


def test_old_quotes_are_cancelled_before_anything_else_is_asked():
    desk = quoting_desk()
    assert desk.methods()[0] == "private/cancel_quotes"
    first_quote = desk.methods().index("private/mass_quote")
    assert "private/set_mmp_config" in desk.methods()[:first_quote]
    assert "private/reset_mmp" in desk.methods()[:first_quote]


def test_every_quotable_option_is_two_sided_and_uncrossed():
    desk = quoting_desk()
    assert len(desk.two_sided()) == desk.quoter.report.quotable_count
    for name in desk.two_sided():
        assert desk.rests[name, "bid"][0] < desk.rests[name, "ask"][0]


def test_quotes_that_need_not_move_are_not_sent_again():
    desk = quoting_desk()
    count = desk.methods().count("private/mass_quote")
    desk.run(2000)
    assert desk.methods().count("private/mass_quote") == count


def test_an_index_move_moves_quotes_with_it():
    desk = quoting_desk()
    before = dict(desk.rests)
    desk.run(1000, INDEX_USD * 1.01)
    name = next(n for n in desk.two_sided() if n.endswith("95000-C") and "44D" in n)
    middle = desk.rests[name, "bid"][0] + desk.rests[name, "ask"][0]
    assert middle > before[name, "bid"][0] + before[name, "ask"][0]


def test_quotes_widen_after_an_index_move():
    desk = quoting_desk()
    name = "BTC-44D-95000-C"
    before = desk.rests[name, "ask"][0] - desk.rests[name, "bid"][0]
    desk.run(1000, INDEX_USD * 1.01)
    assert desk.rests[name, "ask"][0] - desk.rests[name, "bid"][0] > before


def test_requests_hold_at_most_a_hundred_quotes():
    desk = quoting_desk()
    requests = [one for one in desk.asked if one.method == "private/mass_quote"]
    assert max(len(one.params["quotes"]) for one in requests) == 100


def test_requests_in_flight_are_bounded():
    desk = ToyDesk(Config(in_flight_max=1), is_quoting=False)
    desk.start_quoting()
    desk.run(100)
    for _ in range(5):
        desk.later(50)
        desk.tick(INDEX_USD * (1 + 0.01 * (desk.sequence % 2)))
    assert len([one for one in desk.waiting if one.method == "private/mass_quote"]) <= 1


def test_a_refused_side_is_not_believed_live_and_is_tried_again_later():
    desk = ToyDesk(is_quoting=False)
    name = "BTC-44D-95000-C"
    desk.refuse.add((name, "bid"))
    desk.start_quoting()
    desk.run(300)
    assert (name, "ask") in desk.rests
    assert desk.quoter.engine.quote(desk.quoter.contracts.slots[name]).bid_lots == 0
    desk.refuse.clear()
    desk.run(1500)
    assert (name, "bid") in desk.rests


def test_a_lapsed_lease_pulls_on_the_timer_with_nothing_received():
    desk = quoting_desk()
    desk.lease(seconds=0.1)
    desk.later(150)
    desk.timer()
    assert desk.waiting[-1].method == "private/cancel_quotes"
    desk.answer()
    assert desk.rests == {}
    assert desk.last(QuotesPulledV1).reason == "no_lease"
    assert desk.last(QuotesV1).is_full
    assert desk.last(QuotesV1).quotes == ()


def test_a_silent_feed_pulls():
    desk = quoting_desk()
    desk.later(3100)
    desk.timer()
    desk.answer()
    assert desk.last(QuotesPulledV1).reason == "stale_tick"
    assert desk.rests == {}


def test_an_old_surface_pulls_and_a_new_one_brings_the_quotes_back():
    desk = quoting_desk()
    for _ in range(103):
        desk.later(50)
        desk.tick()
        desk.timer()
        desk.answer()
    assert desk.last(QuotesPulledV1).reason == "stale_surface"
    assert desk.rests == {}
    desk.run(1000)
    assert len(desk.two_sided()) > 80


def test_a_halt_pulls_and_latches_until_a_resume():
    desk = quoting_desk()
    desk.take(desk.core.on_halt(halt(desk)))
    assert desk.waiting[-1].method == "private/cancel_quotes"
    desk.run(2000)
    assert desk.rests == {}
    desk.take(desk.core.on_halt(halt(desk, "resume", "h2")))
    desk.run(1000)
    assert len(desk.two_sided()) > 80


def test_a_replayed_halt_holds_after_a_restart():
    desk = ToyDesk(is_quoting=False)
    desk.take(desk.core.on_halt(halt(desk)))
    desk.start_quoting()
    desk.run(1000)
    assert desk.rests == {}


def test_a_replayed_fill_counts_once_and_moves_no_quote():
    desk = ToyDesk(is_quoting=False)
    name = "BTC-44D-95000-C"
    desk.fill(name, "buy", 7, "t1")
    desk.fill(name, "buy", 7, "t1")
    desk.start_quoting()
    live = desk.quoter.engine.quote(desk.quoter.contracts.slots[name])
    assert live.position_lots == 7
    assert desk.quoter.engine.risk().flow_delta_coin == 0.0


def test_a_fill_before_its_instrument_is_listed_is_kept():
    desk = ToyDesk(is_quoting=False)
    core = desk.core
    core.books["BTC"].quoter.contracts.slots.clear()  # as before any InstrumentsV1
    desk.fill("BTC-44D-95000-C", "sell", 3, "t1")
    assert core.books["BTC"].waiting == {"BTC-44D-95000-C": -3}
    desk.list_instruments()
    slot = desk.quoter.contracts.slots["BTC-44D-95000-C"]
    assert desk.quoter.engine.quote(slot).position_lots == -3


def test_the_sessions_trade_and_the_gateways_fill_are_one():
    desk = quoting_desk()
    name = "BTC-44D-95000-C"
    desk.trade(name, "bid", 0.5, "t1")
    desk.fill(name, "buy", 5, "t1")
    assert desk.quoter.engine.quote(desk.quoter.contracts.slots[name]).position_lots == 5


def test_a_bought_option_is_bid_lower_for():
    policy = Policy(flow_vega_vol=1e-4, flow_delta_ratio=0.0, vol_half=0.003)
    desk = quoting_desk(BTC=policy)
    name = "BTC-160D-95000-C"
    before = desk.rests[name, "bid"][0]
    desk.trade(name, "bid", 0.5, "t1")
    desk.answer()
    desk.run(300)
    assert desk.rests[name, "bid"][0] < before


def test_skew_off_leaves_the_quote_where_it_was():
    policy = Policy(flow_vega_vol=1e-4, skew_vega_vol=1e-4)
    desk = quoting_desk(BTC=policy, skew_enabled=False)
    name = "BTC-160D-95000-C"
    before = desk.rests[name, "bid"][0]
    desk.trade(name, "bid", 0.5, "t1")
    desk.answer()
    desk.run(300)
    assert desk.rests[name, "bid"][0] == before


def test_our_own_window_pulls_before_the_venues():
    desk = quoting_desk(BTC=Policy(mmp_quantity_coin=5.0, mmp_delta_coin=4.0))
    names = sorted(desk.two_sided())
    for index in range(8):
        desk.trade(names[index * 7], "bid", 0.5, f"t{index}")
    desk.answer()
    assert desk.last(QuotesPulledV1).reason == "frozen"
    assert desk.rests == {}
    desk.run(1500)
    assert len(desk.two_sided()) > 80


def test_the_venues_protection_freezes_waits_resets_and_quotes_again():
    desk = quoting_desk()
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


def test_repeated_trips_wait_longer_each_time():
    desk = quoting_desk()
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


def test_a_lost_session_forgets_quotes_and_starts_over_with_a_cancel():
    desk = quoting_desk()
    desk.down()
    assert desk.quoter.phase is Phase.DOWN
    assert desk.last(QuotesPulledV1).reason == "venue session lost"
    asked = len(desk.asked)
    desk.later(1000)
    desk.take(desk.core.on_surface(surface(desk.now_ns)))
    desk.up()
    assert desk.methods()[asked] == "private/cancel_quotes"
    desk.run(1000)
    assert len(desk.two_sided()) > 80


def test_a_request_of_unknown_outcome_pulls_everything():
    desk = quoting_desk()
    desk.errors["private/mass_quote"] = -1
    desk.run(500, INDEX_USD * 1.01)
    desk.errors.clear()
    assert "private/cancel_quotes" in desk.methods()[3:]
    desk.run(2500, INDEX_USD * 1.01)
    assert len(desk.two_sided()) > 80


def test_a_failed_cancel_is_tried_until_the_venue_confirms():
    desk = quoting_desk()
    desk.errors["private/cancel_quotes"] = 10041
    desk.take(desk.core.on_halt(halt(desk)))
    desk.run(1200)
    assert desk.quoter.phase is Phase.CLEARING
    assert desk.methods().count("private/cancel_quotes") >= 4
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


def test_a_drain_is_done_when_the_venue_has_confirmed():
    desk = quoting_desk()
    desk.take(desk.core.on_drain(TimerV1(created_ns=desk.now_ns)))
    assert not desk.core.is_drained()
    desk.answer()
    assert desk.core.is_drained()
    desk.run(1000)
    assert desk.rests == {}


def test_reducing_quotes_only_what_shrinks_a_position():
    desk = quoting_desk()
    name = "BTC-44D-95000-C"
    desk.trade(name, "bid", 0.5, "t1")
    desk.answer()
    desk.lease("reducing")
    desk.run(1000)
    assert set(desk.rests) == {(name, "ask")}
    assert desk.rests[name, "ask"][1] == 0.5
    desk.second_timer()
    assert desk.last(QuotingStatusV1).state == "reducing"


def test_position_limit_stops_the_opening_side_only():
    desk = quoting_desk()
    name = "BTC-44D-95000-C"
    desk.take(desk.core.on_limits(limits(2, position_lots_max=20)))
    desk.trade(name, "bid", desk.rests[name, "bid"][1], "t1")
    desk.answer()
    desk.run(1000)
    assert (name, "bid") not in desk.rests
    assert (name, "ask") in desk.rests


def test_nothing_is_quoted_without_limits():
    desk = ToyDesk(is_quoting=False)
    desk.take(desk.core.on_start(TimerV1(created_ns=START_NS)))
    desk.take(desk.core.on_surface(surface(START_NS)))
    desk.lease()
    desk.up()
    desk.run(1000)
    assert "private/mass_quote" not in desk.methods()


def test_a_quote_stays_behind_somebody_elses_other_side():
    desk = quoting_desk()
    name = "BTC-160D-95000-C"
    bid = round(desk.rests[name, "bid"][0] * 10_000)
    low = Tick(name, bid - 100, 10, bid - 5, 10, 0.1, 0.5, desk.now_ns)
    desk.tick(ticks=(low,))
    desk.run(100)
    desk.tick(INDEX_USD * 1.0005)
    desk.run(300, INDEX_USD * 1.0005)
    assert desk.rests[name, "ask"][0] * 10_000 > bid - 5
    desk.tick(INDEX_USD * 1.01)
    desk.run(300, INDEX_USD * 1.01)
    assert round(desk.rests[name, "bid"][0] * 10_000) < bid - 5


def test_a_closed_instrument_is_not_quoted():
    desk = quoting_desk()
    name = "BTC-160D-95000-C"
    desk.tick(ticks=(Tick(name, 0, 0, 0, 0, 0.1, 0.5, desk.now_ns, is_live=False),))
    desk.run(300)
    assert (name, "bid") not in desk.rests
    desk.tick(ticks=(Tick(name, 0, 0, 0, 0, 0.1, 0.5, desk.now_ns),))
    desk.run(300)
    assert (name, "bid") in desk.rests


def test_an_expired_instrument_gives_its_slot_back():
    desk = quoting_desk()
    free = len(desk.quoter.contracts._free)
    desk.now_ns = START_NS + 2 * 86_400 * NS_PER_S
    desk.timer()
    assert len(desk.quoter.contracts._free) > free
    assert not [name for name in desk.quoter.contracts.slots if "-2D-" in name]


def test_status_counts_two_sided_time():
    desk = quoting_desk()
    desk.run(5000)
    desk.second_timer()
    status = desk.last(QuotingStatusV1)
    assert status.quoted_count == status.quotable_count
    assert status.uptime_ratio > 0.99
    desk.lease(seconds=0.01)
    for _ in range(100):
        desk.later(50)
        desk.timer()
        desk.tick()
        desk.answer()
    desk.second_timer()
    assert 0.4 < desk.last(QuotingStatusV1).uptime_ratio < 0.6


def test_garbage_from_the_venue_is_no_news():
    desk = quoting_desk()
    for data in (None, 7, "x", [None], [{}], [{"trade_id": 1}], {"errors": 3}):
        for channel in ("user.trades.any.any.raw", "user.other"):
            notice = VenueNotice(created_ns=desk.now_ns, channel=channel, data=data)
            desk.take(desk.core.on_notice(notice))
    desk.run(300)
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
