"""Keeps a certified surface per underlying as ticks move, and says so when it cannot."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from native import surface
from native.surface import FitError, FitResult, Svi
from services.pricing.breakers import Breakers
from services.pricing.chain import Chain, Market
from services.pricing.overrides import REFUSED, Overrides, refusal_id
from services.pricing.sanity import jump, nonsense
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.desk import TimerV1
from shared.messages.market import InstrumentsV1, TicksV1
from shared.messages.message import Message
from shared.messages.pricing import OverrideV1, Slice, SurfaceV1
from shared.messages.quoting import QuotesV1
from shared.messages.risk import AlertV1
from shared.service import Reading

SERVICE = "pricing"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[pricing]`."""

    refit_ms_min: Annotated[int, Meta(ge=20, le=10_000)] = 250  # however fast the market moves
    refit_ms: Annotated[int, Meta(ge=20, le=60_000)] = 1_000  # while it hardly moves
    moved_ratio: Annotated[float, Meta(ge=0.0, le=0.1)] = 3e-4  # of the index: refit early
    market_age_ms_max: Annotated[int, Meta(ge=100, le=600_000)] = 5_000  # of the newest tick
    index_age_ms_max: Annotated[int, Meta(ge=100, le=600_000)] = 15_000
    life_s_min: Annotated[int, Meta(ge=0, le=86_400)] = 600  # expiries nearer than this are left
    jump_ratio_max: Annotated[float, Meta(gt=1.0, le=100.0)] = 1.6  # of volatility at the forward
    jump_confirm_count: Annotated[int, Meta(ge=1, le=1_000)] = 4  # fits in a row that agree on it


@dataclass(slots=True)
class _State:
    chain: Chain = field(default_factory=Chain)
    overrides: Overrides = field(default_factory=Overrides)
    fitted: dict[int, tuple[Svi, float]] = field(default_factory=dict)  # expiry -> slice, years
    good: SurfaceV1 | None = None  # the newest certified one, as published
    version: int = 0
    tried_ns: int = 0
    published_ns: int = 0
    tried_index_usd: float = 0.0
    tried_change_count: int = -1
    jump_count: int = 0
    refused_count: int = 0
    alerted: set[str] = field(default_factory=set)


class Pricer:
    def __init__(
        self,
        config: Config,
        underlyings: tuple[str, ...],
        stopwatch_ns: Callable[[], int],
        breakers: Breakers | None = None,
    ) -> None:
        self._config = config
        self._breakers = breakers or Breakers()
        self._stopwatch_ns = stopwatch_ns
        self._states = {underlying: _State() for underlying in underlyings}

    def not_ready(self) -> str:
        missing = [name for name, state in self._states.items() if state.good is None]
        return f"no surface of {', '.join(missing)} yet" if missing else ""

    def readings(self, _now_ns: int) -> Iterator[Reading]:
        for name, state in self._states.items():
            yield Reading("surface_published", state.version, (name,))
            yield Reading("surface_refused", state.refused_count, (name,))
            if state.good is not None:
                yield Reading("surface_fallback", state.good.is_fallback, (name,))
                yield Reading("surface_fit_seconds", state.good.fit_us / 1e6, (name,))

    def on_instruments(self, message: InstrumentsV1) -> Iterator[Message]:
        if state := self._states.get(message.underlying):
            state.chain.on_instruments(message)
        return iter(())

    def on_ticks(self, message: TicksV1) -> Iterator[Message]:
        if state := self._states.get(message.underlying):
            state.chain.on_ticks(message)
        return iter(())

    def on_quotes(self, message: QuotesV1) -> Iterator[Message]:
        if state := self._states.get(message.underlying):
            state.chain.on_quotes(message)
        return iter(())

    def on_surface(self, message: SurfaceV1) -> Iterator[Message]:
        """Takes up where a former life of this agent ended; its own surfaces are no news."""
        state = self._states.get(message.underlying)
        if state and message.version > state.version:
            state.version = message.version
            if state.good is None:
                state.good = message
                for s in message.slices:
                    state.fitted[s.expiry_ns] = (Svi(s.a, s.b, s.rho, s.m, s.sigma), s.years)
        return iter(())

    def on_alert(self, message: AlertV1) -> Iterator[Message]:
        """Remembers, over restarts, which overrides were refused."""
        if message.source == SERVICE and message.name == REFUSED:
            for state in self._states.values():
                state.overrides.refuse(message.alert_id)
        return iter(())

    def on_override(self, message: OverrideV1) -> Iterator[Message]:
        state = self._states.get(message.underlying)
        if state is None:
            return
        if min(message.expires_ns, message.expiry_ns) <= message.created_ns:
            yield _refusal(message, "it was past its end when it was given", message.created_ns)
            return
        state.overrides.accept(message)
        state.tried_change_count = -1

    def on_timer(self, timer: TimerV1) -> Iterator[Message]:
        for underlying, state in self._states.items():
            if state.chain.index_ns > 0:
                yield from self._turn(underlying, state, timer.created_ns)

    def _turn(self, underlying: str, state: _State, now_ns: int) -> Iterator[Message]:
        config = self._config
        chain = state.chain
        if (
            now_ns - chain.market_ns > config.market_age_ms_max * NS_PER_MS
            or now_ns - chain.index_ns > config.index_age_ms_max * NS_PER_MS
            or not self._breakers.ticks.is_trusted
        ):
            yield from self._fall_back(underlying, state, now_ns, "stale", "market data are stale")
            return
        move = abs(chain.index_usd / state.tried_index_usd - 1.0) if state.tried_index_usd else 1.0
        wait_ms = config.refit_ms_min if move > config.moved_ratio else config.refit_ms
        if now_ns - state.tried_ns < wait_ms * NS_PER_MS:
            return
        if chain.change_count == state.tried_change_count:
            return
        state.tried_ns = now_ns
        state.tried_index_usd = chain.index_usd
        state.tried_change_count = chain.change_count
        market = chain.market(now_ns, config.life_s_min * NS_PER_S)
        if market is None:
            yield from self._fall_back(
                underlying, state, now_ns, "empty", "options or futures lack prices"
            )
            return
        try:
            result = self._fit(state, market)
        except FitError as error:
            reason = f"fit failed: {error.reason}"
            yield from self._fall_back(underlying, state, now_ns, "fit", reason)
            return
        slices = [fit.svi for fit in result.slices]
        if reason := self._refusal_of(state, market, slices):
            yield from self._fall_back(underlying, state, now_ns, "refused", reason)
            return
        state.alerted.clear()
        state.fitted = {
            expiry_ns: (fit.svi, fit.years)
            for expiry_ns, fit in zip(market.expiries_ns, result.slices, strict=True)
        }
        for override in state.overrides.apply(market.expiries_ns, market.years, slices, now_ns):
            yield _refusal(override, "it would make arbitrage", now_ns)
        yield self._publish(underlying, state, now_ns, market, result, slices)

    def _fit(self, state: _State, market: Market) -> FitResult:
        """Fits from the last slices, aged; from nothing where that fails."""
        previous: list[Svi | None] = []
        for expiry_ns, years in zip(market.expiries_ns, market.years, strict=True):
            before = state.fitted.get(expiry_ns)
            previous.append(before[0].aged(years / before[1]) if before else None)
        if any(previous):
            try:
                return surface.fit(market.quotes, market.years, previous, self._stopwatch_ns)
            except FitError:
                pass
        return surface.fit(market.quotes, market.years, None, self._stopwatch_ns)

    def _refusal_of(self, state: _State, market: Market, slices: list[Svi]) -> str:
        """Returns why a certified surface is still not believed, or the empty string."""
        if reason := nonsense(slices, market.years):
            return reason
        before = {s.expiry_ns: s for s in state.good.slices} if state.good else {}
        reason = jump(before, market, slices, self._config.jump_ratio_max)
        state.jump_count = state.jump_count + 1 if reason else 0
        if state.jump_count >= self._config.jump_confirm_count:
            state.jump_count = 0
            return ""  # The market says it again and again: it did jump.
        return reason

    def _publish(
        self, underlying: str, state: _State, now_ns: int, market: Market, result: FitResult,
        slices: list[Svi],
    ) -> SurfaceV1:  # fmt: skip
        state.version += 1
        state.published_ns = now_ns
        state.good = SurfaceV1(
            created_ns=now_ns,
            underlying=underlying,
            version=state.version,
            market_ns=market.market_ns,
            index_usd=market.index_usd,
            slices=tuple(
                Slice(
                    expiry_ns=market.expiries_ns[i], years=fit.years,
                    forward_ratio=market.forward_ratios[i], a=svi.a, b=svi.b, rho=svi.rho, m=svi.m,
                    sigma=svi.sigma, rmse_vol=fit.rmse_vol, inside_ratio=fit.inside_ratio,
                )
                for i, (svi, fit) in enumerate(zip(slices, result.slices, strict=True))
            ),
            is_butterfly_free=result.certificate.is_butterfly_free,
            is_calendar_free=result.certificate.is_calendar_free,
            fit_us=result.fit_us,
        )  # fmt: skip
        return state.good

    def _fall_back(
        self, underlying: str, state: _State, now_ns: int, name: str, reason: str
    ) -> Iterator[Message]:
        """Shows the last good surface again with its age, and alerts once."""
        state.refused_count += name in {"refused", "fit"}
        if name not in state.alerted:
            state.alerted.add(name)
            yield AlertV1(
                created_ns=now_ns,
                alert_id=f"surface-{underlying}-{name}-{now_ns}",
                name=f"surface_{name}",
                severity="ticket",
                text=f"{underlying}: {reason}; the last good surface stays",
                source=SERVICE,
            )
        good = state.good
        if good is None or now_ns - state.published_ns < self._config.refit_ms * NS_PER_MS:
            return
        state.version += 1
        state.published_ns = now_ns
        live = tuple(s for s in good.slices if s.expiry_ns > now_ns)
        state.good = msgspec.structs.replace(
            good, created_ns=now_ns, version=state.version, slices=live, is_fallback=True
        )
        yield state.good


def _refusal(override: OverrideV1, reason: str, now_ns: int) -> AlertV1:
    return AlertV1(
        created_ns=now_ns,
        alert_id=refusal_id(override.override_id),
        name=REFUSED,
        severity="ticket",
        text=f"override {override.override_id} of {override.author} was refused: {reason}",
        source=SERVICE,
    )
