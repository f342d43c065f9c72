"""The simulated bus and shell keep what NATS and the agent shell promise, and no more."""

from dataclasses import dataclass, field

import pytest

from shared.faults import FaultRates
from shared.messages.desk import TimerV1
from shared.messages.orders import CancelOrderV1
from shared.messages.risk import HaltV1, LeaseV1, PnlTerms, PnlV1
from shared.service import Service, every, on
from shared.simulation import Settings, Simulation

START = 10**18
S = 10**9
ALL_FAULTS = FaultRates(
    drop=0.2, duplicate=0.2, delay=0.2, crash_s=3.0, stall_s=4.0, disconnect_s=5.0, quiet_s=1.0
)


def lease(number, now):
    return LeaseV1(
        created_ns=now, underlying="BTC", sequence=number, state="active", expires_ns=now
    )


def halt(number, now):
    return HaltV1(
        created_ns=now, halt_id=f"h{number}", underlying="all", action="halt", reason="",
        author="toy",
    )  # fmt: skip


def pnl(number, now):
    zero = PnlTerms(**dict.fromkeys(PnlTerms.__struct_fields__, float(number)))
    return PnlV1(
        created_ns=now, underlying="BTC", coin=zero, usd=zero, gross_usd=0.0,
        residual_gross_usd=0.0,
    )  # fmt: skip


def cancel(number, now):
    return CancelOrderV1(created_ns=now, order_id=f"o{number}", attempt=0)


@dataclass
class Heard:
    """What a reader was given, over all its lives."""

    lives: list[list[object]] = field(default_factory=list)

    @property
    def all(self):
        return [message for life in self.lives for message in life]


def talker(every_ms=100):
    """Says one of everything at each tick, numbered."""
    count = 0

    def speak(timer):
        nonlocal count
        count += 1
        for make in (lease, halt, pnl, cancel):
            yield make(count, timer.created_ns)

    kinds = frozenset({LeaseV1, HaltV1, PnlV1, CancelOrderV1})
    return lambda: Service(name="talker", publishes=kinds, timers=(every(every_ms, speak),))


def listener(heard):
    def build():
        heard.lives.append([])

        def take(message):
            heard.lives[-1].append(message)
            return ()

        return Service(
            name="listener",
            consumes=(
                on(LeaseV1, take),
                on(HaltV1, take, replay=True),
                on(PnlV1, take),
                on(CancelOrderV1, take, command=True),
            ),
        )

    return build


def run(seconds, faults=None, seed=1, **settings):
    heard = Heard()
    immortal = frozenset({"talker"})
    simulation = Simulation(
        Settings(seed=seed, start_ns=START, faults=faults, immortal=immortal, **settings),
        [talker(), listener(heard)],
    )
    simulation.start(START + seconds * S)
    simulation.run_until(START + seconds * S)
    return simulation, heard


def numbers(heard, kind, name):
    return [getattr(message, name) for message in heard if type(message) is kind]


def test_without_faults_everything_arrives_once_and_in_order():
    _, heard = run(5)
    assert numbers(heard.all, LeaseV1, "sequence") == list(range(1, 50))
    assert numbers(heard.all, HaltV1, "halt_id") == [f"h{n}" for n in range(1, 50)]
    assert numbers(heard.all, PnlV1, "created_ns") == sorted(
        numbers(heard.all, PnlV1, "created_ns")
    )


def test_lossy_messages_are_dropped_doubled_and_reordered_under_faults():
    _, heard = run(60, FaultRates(drop=0.1, duplicate=0.1, delay=0.1, crash_s=1e9, stall_s=1e9))
    sequences = numbers(heard.all, LeaseV1, "sequence")
    assert set(sequences) < set(range(1, 600))
    assert len(sequences) > len(set(sequences))
    assert sequences != sorted(sequences)


def test_durable_messages_all_arrive_in_each_life_whatever_happens():
    simulation, heard = run(30, ALL_FAULTS)
    assert simulation.agents["listener"].restart_count > 3
    last_life = numbers(heard.lives[-1], HaltV1, "halt_id")
    firsts = list(dict.fromkeys(last_life))
    assert firsts == [f"h{n}" for n in range(1, len(firsts) + 1)]
    assert len(firsts) > 280


def test_a_command_is_handled_in_one_life_only_and_none_is_lost():
    _, heard = run(30, ALL_FAULTS)
    handled = numbers(heard.all, CancelOrderV1, "order_id")
    assert handled == [f"o{n}" for n in range(1, len(handled) + 1)]
    assert len(handled) > 260


def test_a_late_reader_starts_from_the_newest_state():
    simulation, heard = run(5)
    agent = simulation.agents["listener"]
    agent.crash()
    agent.start()
    first = heard.lives[-1][0]
    assert type(first) is PnlV1
    assert first == simulation.bus.state["risk.pnl.v1.BTC"]


def test_a_stalled_agent_hears_it_all_afterwards():
    simulation, heard = run(1)
    agent = simulation.agents["listener"]
    agent.stall(START + 3 * S)
    simulation.run_until(START + 2 * S)
    assert len(numbers(heard.all, LeaseV1, "sequence")) == 9
    simulation.run_until(START + 4 * S)
    assert numbers(heard.all, LeaseV1, "sequence") == list(range(1, 40))


def test_the_same_seed_gives_the_same_traffic_and_another_seed_another():
    hashes = [run(10, ALL_FAULTS, seed)[0].bus.state_hash() for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1]
    events = [run(10, ALL_FAULTS, seed)[0].events for seed in (1, 2)]
    assert events[0] != events[1]


def test_the_codec_can_be_part_of_the_run():
    _, plain = run(3)
    _, coded = run(3, is_encoded=True)
    assert plain.all == coded.all


def test_publishing_what_is_not_declared_is_an_assertion():
    def speak(timer):
        yield lease(1, timer.created_ns)

    liar = lambda: Service(name="liar", timers=(every(10, speak),))  # noqa: E731
    simulation = Simulation(Settings(seed=1, start_ns=START), [liar])
    simulation.start(START + S)
    with pytest.raises(AssertionError, match="liar yielded LeaseV1"):
        simulation.run_until(START + S)


def test_drain_waits_for_the_agent_within_its_bound():
    done = []

    def build():
        return Service(
            name="slow",
            timers=(every(300, lambda timer: done.append(timer) or ()),),
            drain=lambda timer: (),
            is_drained=lambda: len(done) >= 2,
        )

    simulation = Simulation(Settings(seed=1, start_ns=START), [build])
    simulation.start(START + S)
    simulation.drain(["slow"], 5.0)
    assert 0.6 * S <= simulation.clock.now_ns - START <= 0.7 * S
    assert all(type(timer) is TimerV1 for timer in done)
