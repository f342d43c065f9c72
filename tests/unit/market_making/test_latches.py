"""Latches of executions: closed by fills, opened by a person, and kept over a restart."""

import pytest

from services.market_making.core import Config
from services.market_making.policy import Policy
from shared.messages.message import decode, encode
from shared.messages.quoting import ExecutionLatchV1
from shared.messages.risk import AlertV1, HaltV1
from tests.unit.market_making.toy_desk import limits, surface

NAME = "BTC-44D-95000-C"
CONFIG = Config(BTC=Policy(executions_max=3))


def quoting(kind, config=CONFIG, told=()):
    """Returns a desk after its start, told what the record holds; market data as in a run."""
    desk = kind(config, is_quoting=False)
    for message in told:
        handler = desk.core.on_halt if isinstance(message, HaltV1) else desk.core.on_latched
        desk.take(handler(message))
    desk.start_quoting()
    desk.take(desk.core.on_limits(limits()))
    desk.take(desk.core.on_surface(surface(desk.now_ns)))
    desk.run(3000)
    return desk


def resume(at_ns):
    return HaltV1(
        created_ns=at_ns, halt_id=f"r{at_ns}", underlying="all", action="resume", reason="looked",
        author="test",
    )  # fmt: skip


@pytest.fixture
def latched(kind):
    """Returns a desk whose bid in one option has traded three times, and what it said."""
    desk = quoting(kind)
    for number in range(3):
        desk.trade(NAME, "bid", 0.1, f"t{number}")
        desk.run(200)
    return desk, desk.last(ExecutionLatchV1)


def test_the_side_that_traded_too_often_is_gone_and_told(latched):
    desk, said = latched
    assert (said.underlying, said.instrument, said.side) == ("BTC", NAME, "buy")
    assert (NAME, "bid") not in desk.rests
    assert (NAME, "ask") in desk.rests
    assert desk.last(AlertV1).name == "latched"
    assert len([one for one in desk.published if isinstance(one, ExecutionLatchV1)]) == 1
    assert decode(ExecutionLatchV1, encode(said)) == said


def test_a_new_life_that_is_told_keeps_it_closed_and_one_that_is_not_quotes(kind, latched):
    _, said = latched
    told = quoting(kind, told=[said, said])
    assert (NAME, "bid") not in told.rests
    assert (NAME, "ask") in told.rests
    assert len(told.two_sided()) > 80
    assert (NAME, "bid") in quoting(kind).rests


def test_a_resume_opens_it_whichever_is_replayed_first(kind, latched):
    desk, said = latched
    word = resume(desk.now_ns)
    desk.take(desk.core.on_halt(word))
    desk.run(1000)
    assert (NAME, "bid") in desk.rests
    for told in ([said, word], [word, said]):
        assert (NAME, "bid") in quoting(kind, told=told).rests
    assert (NAME, "bid") not in quoting(kind, told=[resume(said.created_ns - 1), said]).rests


def test_more_executed_than_sent_stops_all_and_stays_over_a_restart(kind):
    desk = quoting(kind, Config())
    desk.trade(NAME, "bid", 1_000.0, "t1")
    desk.run(1000)
    said = desk.last(ExecutionLatchV1)
    assert (said.instrument, said.side) == ("all", "both")
    assert desk.rests == {}
    alert = desk.last(AlertV1)
    assert (alert.name, alert.severity) == ("latched", "page")
    told = quoting(kind, Config(), told=[said])
    assert told.rests == {}
    told.take(told.core.on_halt(resume(told.now_ns)))
    told.run(2000)
    assert len(told.two_sided()) > 80
