from services.market_making.core import Config
from services.market_making.policy import Policy
from shared.clock import NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.market import Tick
from shared.messages.quoting import QuotingStatusV1
from shared.venue_link import VenueNotice
from tests.unit.market_making.toy_desk import (
    INDEX_USD,
    START_NS,
    ToyDesk,
    limits,
    quoting_desk,
    surface,
)


def test_old_quotes_are_cancelled_before_anything_else_is_asked():
    desk = quoting_desk()
    assert desk.methods()[0] == "private/cancel_quotes"
    first_quote = desk.methods().index("private/mass_quote")
    assert "private/set_mmp_config" in desk.methods()[:first_quote]
    assert "private/reset_mmp" in desk.methods()[:first_quote]


def test_every_quotable_option_is_two_sided_and_uncrossed(kind):
    desk = quoting_desk(kind)
    assert len(desk.two_sided()) == desk.quoter.report.quotable_count
    for name in desk.two_sided():
        assert desk.rests[name, "bid"][0] < desk.rests[name, "ask"][0]


def test_quotes_that_need_not_move_are_not_sent_again(kind):
    desk = quoting_desk(kind)
    count = desk.quote_requests()
    desk.run(2000)
    assert desk.quote_requests() == count


def test_an_index_move_moves_quotes_with_it(kind):
    desk = quoting_desk(kind)
    before = dict(desk.rests)
    desk.run(1000, INDEX_USD * 1.01)
    name = next(n for n in desk.two_sided() if n.endswith("95000-C") and "44D" in n)
    middle = desk.rests[name, "bid"][0] + desk.rests[name, "ask"][0]
    assert middle > before[name, "bid"][0] + before[name, "ask"][0]


def test_quotes_widen_after_an_index_move(kind):
    desk = quoting_desk(kind)
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


def test_a_refused_side_is_not_believed_live_and_is_tried_again_later(kind):
    desk = kind(is_quoting=False)
    name = "BTC-44D-95000-C"
    desk.refuse.add((name, "bid"))
    desk.start_quoting()
    desk.run(300)
    assert (name, "ask") in desk.rests
    assert desk.live(name).bid_lots == 0
    desk.refuse.clear()
    desk.run(1500)
    assert (name, "bid") in desk.rests


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


def test_a_bought_option_is_bid_lower_for(kind):
    policy = Policy(flow_vega_vol=1e-4, flow_delta_ratio=0.0, vol_half=0.003)
    desk = quoting_desk(kind, BTC=policy)
    name = "BTC-160D-95000-C"
    before = desk.rests[name, "bid"][0]
    desk.trade(name, "bid", 0.5, "t1")
    desk.answer()
    desk.run(300)
    assert desk.rests[name, "bid"][0] < before


def test_skew_off_leaves_the_quote_where_it_was(kind):
    policy = Policy(flow_vega_vol=1e-4, skew_vega_vol=1e-4)
    desk = quoting_desk(kind, BTC=policy, skew_enabled=False)
    name = "BTC-160D-95000-C"
    before = desk.rests[name, "bid"][0]
    desk.trade(name, "bid", 0.5, "t1")
    desk.answer()
    desk.run(300)
    assert desk.rests[name, "bid"][0] == before


def test_reducing_quotes_only_what_shrinks_a_position(kind):
    desk = quoting_desk(kind)
    name = "BTC-44D-95000-C"
    desk.trade(name, "bid", 0.5, "t1")
    desk.answer()
    desk.lease("reducing")
    desk.run(1000)
    assert set(desk.rests) == {(name, "ask")}
    assert desk.rests[name, "ask"][1] == 0.5
    desk.second_timer()
    assert desk.last(QuotingStatusV1).state == "reducing"


def test_position_limit_stops_the_opening_side_only(kind):
    desk = quoting_desk(kind)
    name = "BTC-44D-95000-C"
    desk.take(desk.core.on_limits(limits(2, position_lots_max=8)))
    desk.trade(name, "bid", desk.rests[name, "bid"][1], "t1")
    desk.answer()
    desk.run(1000)
    assert (name, "bid") not in desk.rests
    assert (name, "ask") in desk.rests


def test_nothing_is_quoted_without_limits(kind):
    desk = kind(is_quoting=False)
    desk.take(desk.core.on_start(TimerV1(created_ns=START_NS)))
    desk.take(desk.core.on_surface(surface(START_NS)))
    desk.lease()
    desk.up()
    desk.run(1000)
    assert "private/mass_quote" not in desk.methods()


def test_a_quote_stays_behind_somebody_elses_other_side(kind):
    desk = quoting_desk(kind)
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


def test_a_closed_instrument_is_not_quoted(kind):
    desk = quoting_desk(kind)
    name = "BTC-160D-95000-C"
    desk.tick(ticks=(Tick(name, 0, 0, 0, 0, 0.1, 0.5, desk.now_ns, is_live=False),))
    desk.run(300)
    assert (name, "bid") not in desk.rests
    desk.tick(ticks=(Tick(name, 0, 0, 0, 0, 0.1, 0.5, desk.now_ns),))
    desk.run(300)
    assert (name, "bid") in desk.rests


def test_an_expired_instrument_gives_its_slot_back(kind):
    desk = quoting_desk(kind)
    free = len(desk.quoter.contracts._free)
    desk.now_ns = START_NS + 2 * 86_400 * NS_PER_S
    desk.timer()
    assert len(desk.quoter.contracts._free) > free
    assert not [name for name in desk.quoter.contracts.slots if "-2D-" in name]


def test_status_counts_two_sided_time(kind):
    desk = quoting_desk(kind)
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
