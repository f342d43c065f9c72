"""Black-76 on a forward, undiscounted, in USD: prices, greeks and implied vols from the C core.

Batches take one-dimensional contiguous float64 arrays of one length (and int32 `is_call`) and
read them where they lie. Every refusal is a NativeError; no result is ever NaN.
"""

from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from native.library import check, ffi, lib

Floats = NDArray[np.float64]  # (option,)
Flags = NDArray[np.int32]  # (option,), 1 = call, 0 = put

_GREEKS = ffi.typeof("hr_greeks *")
_DOUBLE = ffi.typeof("double *")
_unpack_greeks = Struct("7d").unpack


class Greeks(NamedTuple):
    """Price and greeks of one option, per unit of the underlying coin."""

    price: float  # USD
    delta: float  # dprice/dforward
    gamma: float  # per USD
    vega: float  # USD per 1.0 of vol
    theta: float  # USD per year passing
    vanna: float  # ddelta/dvol
    volga: float  # USD per 1.0 of vol squared


class GreeksArrays(NamedTuple):
    """Prices and greeks of many options: seven columns, (option,), of one array."""

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    vanna: Floats
    volga: Floats


class ImpliedVols(NamedTuple):
    """Implied vols of many options; where `statuses` is not 0 the vol is 0 and means nothing."""

    vols: Floats  # (option,), annualised
    statuses: Flags  # (option,), hr_status


def black76(forward: float, strike: float, years: float, vol: float, is_call: bool) -> Greeks:
    """Returns the price and greeks of one option."""
    out = ffi.new(_GREEKS)
    check(lib.hr_black76(forward, strike, years, vol, is_call, out))
    return Greeks._make(_unpack_greeks(ffi.buffer(out)))


def black76_batch(
    forwards: Floats, strikes: Floats, years: Floats, vols: Floats, is_call: Flags
) -> GreeksArrays:
    """Returns prices and greeks of many options; one bad input refuses them all."""
    count = len(forwards)
    out = np.empty((count, 7), dtype=np.float64)
    status = lib.hr_black76_batch(
        count,
        *(_doubles(array, count) for array in (forwards, strikes, years, vols)),
        _flags(is_call, count),
        ffi.from_buffer("hr_greeks[]", out, require_writable=True),
    )
    check(status)
    return GreeksArrays(*out.T)


def implied_vol(price: float, forward: float, strike: float, years: float, is_call: bool) -> float:
    """Returns the vol at which `black76` gives `price`; NativeError HR_ERR_DOMAIN if none."""
    out = ffi.new(_DOUBLE)
    check(lib.hr_implied_vol(price, forward, strike, years, is_call, out))
    return float(out[0])


def implied_vol_batch(
    prices: Floats, forwards: Floats, strikes: Floats, years: Floats, is_call: Flags
) -> ImpliedVols:
    """Returns the vols of many prices, each with its own status."""
    count = len(prices)
    vols = np.empty(count, dtype=np.float64)
    statuses = np.empty(count, dtype=np.int32)
    lib.hr_implied_vol_batch(
        count,
        *(_doubles(array, count) for array in (prices, forwards, strikes, years)),
        _flags(is_call, count),
        ffi.from_buffer("double[]", vols, require_writable=True),
        ffi.from_buffer("hr_status[]", statuses, require_writable=True),
    )
    return ImpliedVols(vols, statuses)


def _doubles(array: Floats, count: int) -> object:
    _require(array, count, "float64")
    return ffi.from_buffer("double[]", array)


def _flags(array: Flags, count: int) -> object:
    _require(array, count, "int32")
    return ffi.from_buffer("int32_t[]", array)


def _require(array: NDArray[np.generic], count: int, dtype: str) -> None:
    if array.dtype != dtype or array.shape != (count,) or not array.flags.c_contiguous:
        raise ValueError(
            f"want a contiguous {dtype} array of shape ({count},), "
            f"got {array.dtype} of shape {array.shape}"
        )
