"""Volatility surfaces: the joint SVI fit and its certificates, typed.

Units: prices in units of the forward (coin), log-moneyness k = ln(strike / forward), years ACT/365,
volatilities annualised (0.5 = 50 %).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from native.library import NativeError, check, ffi, lib

Floats = NDArray[np.float64]

QUOTE = np.dtype(
    [
        ("log_moneyness", "f8"),
        ("bid", "f8"),  # 0: none
        ("ask", "f8"),
        ("mark_vol", "f8"),
        ("expiry", "i4"),  # index, ascending
        ("is_call", "i4"),
    ]
)
EXPIRIES_MAX = int(lib.HR_SURFACE_EXPIRIES_MAX)
QUOTES_MAX = int(lib.HR_SURFACE_QUOTES_MAX)


class Svi(NamedTuple):
    """w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def aged(self, ratio: float) -> "Svi":
        """Returns the slice with its total variance times `ratio`: time has passed.

        Certificates outlive it: g is concave in a ratio of 0 to 1 and not negative at 0, and an
        earlier slice shrinks by more than a later one.
        """
        return self._replace(a=self.a * ratio, b=self.b * ratio)


@dataclass(frozen=True, slots=True)
class SliceFit:
    svi: Svi
    years: float
    rmse_vol: float  # against mid volatility
    option_count: int
    two_sided_count: int  # with |delta| in 0.05-0.95
    inside_count: int  # of those, with the model inside bid-ask
    is_repaired: bool

    @property
    def inside_ratio(self) -> float:
        return self.inside_count / self.two_sided_count if self.two_sided_count else 1.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was proved on the whole line; `witness` is where a proof failed, None where none did."""

    butterfly: tuple[bool, ...]  # a slice each
    calendar: tuple[bool, ...]  # against the slice before; the first is True
    butterfly_witness: float | None
    calendar_witness: float | None

    @property
    def is_butterfly_free(self) -> bool:
        return all(self.butterfly)

    @property
    def is_calendar_free(self) -> bool:
        return all(self.calendar)

    @property
    def is_free(self) -> bool:
        return self.is_butterfly_free and self.is_calendar_free


@dataclass(frozen=True, slots=True)
class FitResult:
    """A fitted and certified surface."""

    slices: tuple[SliceFit, ...]
    certificate: Certificate
    cost: float
    iteration_count: int
    round_count: int
    fit_us: float  # in C, certificates included; 0 without a stopwatch


class FitError(RuntimeError):
    """No certified surface was found, or the input was unusable; `reason` is the status."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def fit(
    quotes: NDArray[np.void],
    years: Sequence[float],
    previous: Sequence[Svi | None] | None = None,
    stopwatch_ns: Callable[[], int] = lambda: 0,
) -> FitResult:
    """Returns the joint fit of `quotes` (dtype QUOTE, in the order of expiries).

    `previous` warm-starts it: a slice per expiry, aged to `years`. Raises FitError.
    """
    quotes = np.ascontiguousarray(quotes, dtype=QUOTE)
    count = len(years)
    size = lib.hr_surface_workspace_bytes(len(quotes), count)
    if size == 0:
        raise FitError(f"{len(quotes)} quotes over {count} expiries")
    memory = ffi.new("char[]", size + 64)
    address = int(ffi.cast("uintptr_t", memory))
    workspace = memory + (-address % 64)
    starts = ffi.NULL
    if previous is not None:
        assert len(previous) == count
        starts = ffi.new("hr_svi[]", [svi or (0.0,) * 5 for svi in previous])
    slices = ffi.new("hr_svi[]", count)
    reports = ffi.new("hr_slice_report[]", count)
    report = ffi.new("hr_surface_report *")
    begin_ns = stopwatch_ns()
    status = lib.hr_surface_fit(
        ffi.cast("hr_surface_quote *", ffi.from_buffer(quotes)), len(quotes), list(years), count,
        starts, workspace, size, slices, reports, report,
    )  # fmt: skip
    fit_us = (stopwatch_ns() - begin_ns) / 1e3
    try:
        check(status)
    except NativeError as error:
        raise FitError(error.name) from error
    return FitResult(
        slices=tuple(
            SliceFit(
                svi=Svi(s.a, s.b, s.rho, s.m, s.sigma),
                years=years[i],
                rmse_vol=reports[i].rmse_vol,
                option_count=reports[i].option_count,
                two_sided_count=reports[i].two_sided_count,
                inside_count=reports[i].inside_count,
                is_repaired=bool(reports[i].is_repaired),
            )
            for i, s in enumerate(slices)
        ),
        certificate=Certificate(
            butterfly=tuple(bool(reports[i].is_butterfly_free) for i in range(count)),
            calendar=tuple(bool(reports[i].is_calendar_free) for i in range(count)),
            butterfly_witness=None,
            calendar_witness=None,
        ),
        cost=report.cost,
        iteration_count=report.iteration_count,
        round_count=report.round_count,
        fit_us=fit_us,
    )


def certify(slices: Sequence[Svi]) -> Certificate:
    """Returns what can be proved of slices in the order of their expiries."""
    witness = ffi.new("double *")
    natives = [ffi.new("hr_svi *", svi) for svi in slices]
    butterfly: list[bool] = []
    calendar: list[bool] = []
    witnesses: list[float | None] = [None, None]
    for i, native in enumerate(natives):
        butterfly.append(lib.hr_svi_certify_butterfly(native, witness) == 0)
        if not butterfly[-1] and witnesses[0] is None:
            witnesses[0] = witness[0]
        calendar.append(i == 0 or lib.hr_svi_certify_calendar(natives[i - 1], native, witness) == 0)
        if not calendar[-1] and witnesses[1] is None:
            witnesses[1] = witness[0]
    return Certificate(
        butterfly=tuple(butterfly),
        calendar=tuple(calendar),
        butterfly_witness=witnesses[0],
        calendar_witness=witnesses[1],
    )


def vols(svi: Svi, years: float, log_moneyness: Floats | Sequence[float]) -> Floats:
    """Returns the volatility at each log-moneyness. Raises NativeError where variance <= 0."""
    points = np.ascontiguousarray(log_moneyness, dtype=np.float64)
    out = np.empty_like(points)
    check(
        lib.hr_svi_vols(
            ffi.new("hr_svi *", svi), years, ffi.cast("double *", ffi.from_buffer(points)),
            points.size, ffi.cast("double *", ffi.from_buffer(out)),
        )
    )  # fmt: skip
    return out


def total_variance(svi: Svi, log_moneyness: float) -> float:
    return svi.a + svi.b * (
        svi.rho * (log_moneyness - svi.m) + math.hypot(log_moneyness - svi.m, svi.sigma)
    )


def density_minimum(svi: Svi) -> tuple[float, float]:
    """Returns (k, g): where Durrleman's g is least, and its value; numerical, proves nothing."""
    place = ffi.new("double *")
    minimum = ffi.new("double *")
    check(lib.hr_svi_density_minimum(ffi.new("hr_svi *", svi), place, minimum))
    return place[0], minimum[0]
