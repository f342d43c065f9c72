import msgspec

from infra.golden import sample
from shared.causes import cause_in, fill_cause
from shared.clock import NS_PER_S, SimulatedClock
from shared.inbox import Entry
from shared.journeys import Journey
from shared.messages.desk import TimerV1
from shared.messages.hedging import HedgeIntentV1
from shared.messages.market import TicksV1
from shared.messages.orders import FillV1, PlaceOrderV1
from shared.messages.pricing import SurfaceV1
from shared.messages.risk import LeaseV1, PortfolioV1
from shared.tracing import Tracing
from shared.venue_link import VenueNotice, VenueReply, VenueRequest
from tests.unit.shared.collected import Collected


class Desk:
    """Agents with tracing, one clock, one collector."""

    def __init__(self, ratio=1.0):
        self.clock = SimulatedClock(NS_PER_S)
        self.collected = Collected()
        self.ratio = ratio
        self.agents = {}

    def agent(self, name):
        if name not in self.agents:
            self.agents[name] = Tracing(
                name, self.ratio, "localhost", self.clock, self.collected.take, lambda: 0.5
            )
        return self.agents[name]

    def turn(self, name, entry, *outputs):
        """Hands an input to an agent; returns what leaves it: (output, headers)."""
        tracing = self.agent(name)
        turn = tracing.begin(entry)
        left = [tracing.output(turn, output) for output in outputs]
        tracing.end(turn, has_spoken=bool(outputs))
        return left

    def spans(self):
        for tracing in self.agents.values():
            tracing.close()
        return sorted(self.collected.spans(), key=lambda span: span.start_time)


def timer(name="t"):
    return Entry(kind=TimerV1, message=TimerV1(created_ns=1), timer=name)


def entry(kind, headers):
    return Entry(kind=kind, message=sample(kind), cause=cause_in(headers))


def test_one_trace_joins_tick_quote_fill_and_hedge():
    desk = Desk()
    [(_, ticks)] = desk.turn("gateway", timer(), sample(TicksV1))
    desk.turn("market_making", entry(TicksV1, ticks))
    quote = VenueRequest(1, "private/mass_quote", {"quote_id": "9"})
    [(sent, _)] = desk.turn("market_making", timer(), quote)
    desk.agent("market_making").incoming(VenueReply(1, 1, {}))
    trade = VenueNotice(1, "user.trades.any.any.raw", [{"quote_id": sent.params["quote_id"]}])
    cause = desk.agent("gateway").incoming(trade)
    heard = Entry(kind=VenueNotice, message=trade, cause=cause)
    [(_, fill)] = desk.turn("gateway", heard, sample(FillV1))
    [(_, portfolio)] = desk.turn("risk", entry(FillV1, fill), sample(PortfolioV1))
    desk.turn("hedging", entry(PortfolioV1, portfolio))
    [(_, intent)] = desk.turn("hedging", timer(), sample(HedgeIntentV1))
    desk.turn("execution", entry(HedgeIntentV1, intent))
    spans = desk.spans()
    assert len({span.context.trace_id for span in spans}) == 1
    names = {span.name for span in spans}
    assert {
        "publish market.ticks.v1.{key}",
        "process market.ticks.v1.{key}",
        "send private/mass_quote",
        "publish orders.fill.v1.{key}",
        "process orders.fill.v1.{key}",
        "publish hedging.intent.v1.{key}",
        "process hedging.intent.v1.{key}",
    } <= names
    by_id = {span.context.span_id: span for span in spans}
    roots = [span for span in spans if span.parent is None]
    assert [span.name for span in roots] == ["publish market.ticks.v1.{key}"]
    assert all(span.parent.span_id in by_id for span in spans if span.parent)


def test_unsampled_ticks_carry_nothing_and_fills_are_always_traced():
    desk = Desk(ratio=0.1)
    [(_, ticks), (_, fill)] = desk.turn("gateway", timer(), sample(TicksV1), sample(FillV1))
    assert ticks == {}
    assert cause_in(fill).is_order
    assert [span.name for span in desk.spans()] == ["publish orders.fill.v1.{key}"]


def test_a_fill_outranks_a_later_tick_as_the_cause_of_a_hedge():
    desk = Desk()
    [(_, fill)] = desk.turn("gateway", timer(), sample(FillV1))
    [(_, ticks)] = desk.turn("gateway", timer(), sample(TicksV1))
    desk.turn("hedging", entry(FillV1, fill))
    desk.turn("hedging", entry(TicksV1, ticks))
    [(_, intent)] = desk.turn("hedging", timer(), sample(HedgeIntentV1))
    assert cause_in(intent).trace_id == cause_in(fill).trace_id


def test_a_timer_continues_a_cause_once_and_not_when_it_is_old():
    desk = Desk()
    [(_, ticks)] = desk.turn("gateway", timer(), sample(TicksV1))
    desk.turn("pricing", entry(TicksV1, ticks))
    [(_, first)] = desk.turn("pricing", timer("a"), sample(SurfaceV1))
    [(_, again)] = desk.turn("pricing", timer("a"), sample(SurfaceV1))
    assert cause_in(first).trace_id == cause_in(ticks).trace_id
    assert again == {}
    desk.clock.advance_to(desk.clock.now_ns + 2 * NS_PER_S)
    [(_, late)] = desk.turn("pricing", timer("b"), sample(SurfaceV1))
    assert late == {}


def test_a_timers_regular_lossy_word_continues_no_trace():
    desk = Desk()
    [(_, fill)] = desk.turn("gateway", timer(), sample(FillV1))
    desk.turn("risk", entry(FillV1, fill))
    [(_, lease)] = desk.turn("risk", timer(), sample(LeaseV1))
    assert lease == {}


def test_spans_follow_the_messaging_conventions():
    desk = Desk()
    [(_, fill)] = desk.turn("gateway", timer(), sample(FillV1))
    desk.turn("ledger", entry(FillV1, fill))
    publish, process = desk.spans()
    assert publish.kind == "PRODUCER"
    assert process.kind == "CONSUMER"
    assert process.parent.span_id == publish.context.span_id
    assert not process.links, "Jaeger shows a parent that is linked too as no parent"
    assert process.resource["service.name"] == "ledger"
    wanted = {
        "messaging.system": "nats",
        "messaging.operation.name": "process",
        "messaging.destination.template": "orders.fill.v1.{key}",
        "messaging.destination.name": "orders.fill.v1.BTC",
        "messaging.message.id": sample(FillV1).message_id(),
        "server.address": "localhost",
    }
    assert wanted.items() <= process.attributes.items()


class Batch:
    """An edge's event that tells of journeys."""

    def __init__(self, *journeys):
        self._journeys = journeys

    def journeys(self, draw):
        return [one for one in self._journeys if one.is_rare or draw()]


def test_a_journey_is_told_afterwards_stage_by_stage():
    desk = Desk(ratio=1.0)
    stages = (("decoded", 1_100), ("sent", 1_900))
    desk.agent("market_making").incoming(Batch(Journey("tick_to_quote", 1_000, stages, {"a": 1})))
    spans = {span.name: span for span in desk.spans()}
    assert (spans["tick_to_quote"].start_time, spans["tick_to_quote"].end_time) == (1_000, 1_900)
    assert (spans["sent"].start_time, spans["sent"].end_time) == (1_100, 1_900)
    assert spans["decoded"].parent.span_id == spans["tick_to_quote"].context.span_id


def test_only_what_is_rare_or_drawn_is_told():
    desk = Desk(ratio=0.1)  # the draw is 0.5
    common, rare = Journey("common", 1, (), {}), Journey("rare", 2, (), {}, is_rare=True)
    desk.agent("market_making").incoming(Batch(common, rare, common))
    assert [span.name for span in desk.spans()] == ["rare"]


def fill_of(trade_id, **changes):
    return msgspec.structs.replace(sample(FillV1), trade_id=trade_id, order_id="", **changes)


def test_a_timers_word_links_to_every_fill_since_its_last():
    desk = Desk()
    fills = [desk.turn("gateway", timer(), fill_of(f"T-{number}")) for number in range(3)]
    for [(_, headers)] in fills:
        desk.turn("risk", entry(FillV1, headers))
    desk.turn("risk", timer("value"), sample(PortfolioV1))
    desk.turn("risk", timer("value"), sample(PortfolioV1))
    spans = desk.spans()
    heard = [one for one in spans if one.name == "process orders.fill.v1.{key}"]
    said = [one for one in spans if one.name == "publish risk.portfolio.v1.{key}"]
    assert len(said) == 1, "the second time there is nothing new to continue"
    assert said[0].parent.span_id == heard[2].context.span_id
    linked = {link.span_id for link in said[0].links}
    assert linked == {one.context.span_id for one in heard[:2]}


def test_a_fills_trace_is_derived_from_its_trade_and_joined_by_the_quote():
    desk = Desk()
    desk.turn("gateway", timer(), fill_of("T-9"))
    journey = Journey("quote_filled", 1, (), {}, is_rare=True, cause=fill_cause("T-9"))
    desk.agent("market_making").incoming(Batch(journey))
    told, published = sorted(desk.spans(), key=lambda span: span.name, reverse=True)
    assert told.name == "quote_filled"
    assert told.context.trace_id == published.context.trace_id == fill_cause("T-9").trace_id
    assert told.parent.span_id == published.context.span_id


def test_an_order_belongs_to_its_intent_whatever_the_moment():
    desk = Desk()
    [(_, intent)] = desk.turn("hedging", timer(), sample(HedgeIntentV1))
    desk.turn("execution", entry(HedgeIntentV1, intent))
    [(_, other)] = desk.turn("gateway", timer(), fill_of("T-1"))
    desk.turn("execution", entry(FillV1, other))
    order = msgspec.structs.replace(sample(PlaceOrderV1), intent_id=sample(HedgeIntentV1).intent_id)
    [(_, placed)] = desk.turn("execution", timer("again"), order)
    assert cause_in(placed).trace_id == cause_in(intent).trace_id


def test_a_state_is_said_again_for_whoever_comes_late():
    desk = Desk()
    [(_, fill)] = desk.turn("gateway", timer(), fill_of("T-1"))
    [(_, first)] = desk.turn("risk", entry(FillV1, fill), sample(PortfolioV1))
    [(_, again)] = desk.turn("risk", timer(), sample(PortfolioV1))
    [(_, again)] = desk.turn("risk", timer(), sample(PortfolioV1))
    assert cause_in(again).is_repeat
    desk.turn("hedging", entry(PortfolioV1, first))
    desk.turn("hedging", entry(PortfolioV1, again))
    desk.turn("latecomer", entry(PortfolioV1, again))
    heard = [
        span.resource["service.name"]
        for span in desk.spans()
        if span.name == "process risk.portfolio.v1.{key}"
    ]
    assert heard == ["hedging", "latecomer"]
