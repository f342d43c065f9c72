"""pricing: instruments, ticks, own quotes, overrides -> surface, alert."""

from collections.abc import Callable

from services.pricing.breakers import Breakers
from services.pricing.core import Config, Pricer
from shared.clock import SystemClock
from shared.configuration import DeskConfig
from shared.guarding import guarded
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.pricing import OverrideV1, SurfaceV1
from shared.messages.quoting import QuotesV1
from shared.messages.risk import AlertV1
from shared.service import Service, every, on


def build(config: Config, desk: DeskConfig, stopwatch_ns: Callable[[], int] = lambda: 0) -> Service:
    breakers = Breakers()
    pricer = Pricer(config, desk.underlyings, stopwatch_ns, breakers)
    return guarded(
        Service(
            name="pricing",
            consumes=(
                on(OverrideV1, pricer.on_override, replay=True),
                on(AlertV1, pricer.on_alert, replay=True),
                on(SurfaceV1, pricer.on_surface),
                on(InstrumentsV1, pricer.on_instruments),
                on(QuotesV1, pricer.on_quotes),
                on(TicksV1, pricer.on_ticks),
            ),
            publishes=frozenset({SurfaceV1, AlertV1}),
            timers=(every(config.refit_ms_min, pricer.on_timer),),
            not_ready=pricer.not_ready,
            is_per_underlying=True,
            readings=pricer.readings,
            core=pricer,
        ),
        *breakers.dependencies(),
    )


def build_timed(config: Config, desk: DeskConfig) -> Service:
    """Returns the service with fit times measured; a simulation's must not depend on them."""
    return build(config, desk, SystemClock().monotonic_ns)
