"""Sigmoid, log(1 + e^z), log-sigmoid and logit in code that LLVM turns into vector instructions.

numba as packaged on PyPI has no vector math library: a loop over ``math.exp`` stays scalar (4.6 ns
an element, against 1.1 here). The formulas below have no calls, tables or branches, and each exists
in float64 and in float32, computed in that precision with its own polynomials (4 and 8 lanes of an
AVX2 register). They need ``error_model="numpy"`` (the check before a division blocks vectorisation)
and must never be compiled with ``reassoc``, which folds ``(x + magic) - magic`` to ``x``.

- Rounding to an integer: adding 1.5 * 2^52 (2^23 in float32) leaves it in the sum's low bits.
- exp(r) = 1 + r + r^2 Q(r) on |r| <= ln(2)/2, relative error 1e-17 (float32 4e-9).
- 2 atanh(s) = 2 s + s^3 R(s^2) on |s| <= 0.1716, relative error 2e-18 (float32 9e-10); log1p as in
  FreeBSD's msun (Sun Microsystems, 1993).

Q and R are minimax polynomials from Remez exchange (1934) in 300-bit arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import prange, types
from numba.extending import overload

from .policy import Twins, entry, formula, part

__all__ = [
    "CHUNK",
    "ArrayLoops",
    "exp_nonpositive",
    "log1p_exp",
    "log1p_exp_array",
    "log1p_positive",
    "log1p_unit",
    "log_sigmoid",
    "log_sigmoid_array",
    "logit",
    "logit_array",
    "sigmoid",
    "sigmoid_array",
]

# Elements that one thread takes at a time, fixed so that threads cannot change a result. 64 KiB of
# float64 outlast the launch of a parallel loop (2 us) several times.
CHUNK = 8192


# ------------------------------------------------------------------------------------------------
# Polynomials

_Q64 = tuple(
    map(
        float.fromhex,
        (
            "0x1.000000000000ap-1",
            "0x1.55555555554f9p-3",
            "0x1.55555555507f1p-5",
            "0x1.1111111127e83p-7",
            "0x1.6c16c1844b01cp-10",
            "0x1.a01a0129b4612p-13",
            "0x1.a01999adcb23cp-16",
            "0x1.71df262c451e0p-19",
            "0x1.28adce733963cp-22",
            "0x1.ad7f02ab63a0ap-26",
        ),
    )
)
_R64 = (
    0.6666666666666734,
    0.39999999999413544,
    0.2857142874266441,
    0.22222198542447907,
    0.1818356603795432,
    0.1531400397078206,
    0.147964424449544,
)
_Q32 = tuple(
    map(
        np.float32,
        (
            0.49999993412501564,
            0.1666652010781959,
            0.04166839421089382,
            0.008368780411180462,
            0.0013814467059328807,
        ),
    )
)
_R32 = tuple(map(np.float32, (0.6666677648770559, 0.3997752702597042, 0.29872153470558044)))


@formula
def _exp_tail64(r: Any) -> Any:
    """e^r - 1 for |r| <= ln(2)/2, in Estrin's order: the chain of dependent sums is the cost."""
    r2 = r * r
    r4 = r2 * r2
    low = (_Q64[0] + _Q64[1] * r) + (_Q64[2] + _Q64[3] * r) * r2
    middle = (_Q64[4] + _Q64[5] * r) + (_Q64[6] + _Q64[7] * r) * r2
    high = _Q64[8] + _Q64[9] * r
    return r + r2 * (low + (middle + high * r4) * r4)


@formula
def _exp_tail32(r: Any) -> Any:
    r2 = r * r
    low = _Q32[0] + _Q32[1] * r
    return r + r2 * (low + (_Q32[2] + _Q32[3] * r + _Q32[4] * r2) * r2)


@formula
def _atanh_tail64(z: Any) -> Any:
    """(2 atanh(s) - 2 s) / s for z = s^2, |s| <= 0.1716."""
    w = z * z
    odd = _R64[0] + w * (_R64[2] + w * (_R64[4] + w * _R64[6]))
    return z * odd + w * (_R64[1] + w * (_R64[3] + w * _R64[5]))


@formula
def _atanh_tail32(z: Any) -> Any:
    return z * (_R32[0] + z * (_R32[1] + z * _R32[2]))


# ------------------------------------------------------------------------------------------------
# Constants


class Precision(NamedTuple):
    """What differs between float64 and float32."""

    real: Any
    integer: Any  # of the same width
    ln2_high: float  # ends in enough zero bits for its product with a power of two to be exact
    ln2_low: float
    exp_underflow: float  # e^x rounds to zero below
    tiny: float  # below it logit scales by 2^tiny_shift, which makes subnormal numbers normal
    tiny_shift: int
    exp_tail: Any
    atanh_tail: Any


_DOUBLE = Precision(
    real=np.float64,
    integer=np.int64,
    ln2_high=0.6931471803691238,
    ln2_low=1.9082149292705877e-10,
    exp_underflow=-746.0,
    tiny=2.0**-960,
    tiny_shift=64,
    exp_tail=_exp_tail64,
    atanh_tail=_atanh_tail64,
)
_SINGLE = Precision(
    real=np.float32,
    integer=np.int32,
    ln2_high=0.693145751953125,
    ln2_low=1.4286068203094173e-06,
    exp_underflow=-105.0,
    tiny=2.0**-90,
    tiny_shift=32,
    exp_tail=_exp_tail32,
    atanh_tail=_atanh_tail32,
)


# ------------------------------------------------------------------------------------------------
# Formulas, written once for both precisions: a factory binds constants, whose types decide.


def _make_exp_nonpositive(p: Precision) -> Any:
    real, integer, exp_tail = p.real, p.integer, p.exp_tail
    info = np.finfo(real)
    fraction_bits = info.nmant
    # The low bits of x log2(e) + magic hold the rounded power of two plus twice the exponent bias.
    magic = real(1.5 * 2.0**fraction_bits + 2 * (info.maxexp - 1))
    log2_e, underflow, one = real(1.4426950408889634), real(p.exp_underflow), real(1.0)
    ln2_high, ln2_low = real(p.ln2_high), real(p.ln2_low)

    @formula
    def exp_nonpositive(x: Any) -> Any:
        """e^x for x <= 0; NaN gives NaN."""
        x = underflow if x < underflow else x
        shifted = x * log2_e + magic
        power = shifted - magic
        r = (x - power * ln2_high) - power * ln2_low
        mantissa = one + exp_tail(r)
        # Two factors of about 2^(power / 2) each: a subnormal result is rounded once, at the end.
        biased = real(shifted).view(integer)
        half = integer(biased >> 1)
        first = integer(half << fraction_bits).view(real)
        second = integer((biased - half) << fraction_bits).view(real)
        return (mantissa * first) * second

    return exp_nonpositive


def _make_log1p_unit(p: Precision) -> Any:
    real, atanh_tail = p.real, p.atanh_tail
    ln2_high, ln2_low, split = real(p.ln2_high), real(p.ln2_low), real(math.sqrt(2.0) - 1.0)
    zero, half, one, two = real(0.0), real(0.5), real(1.0), real(2.0)

    @formula
    def log1p_unit(t: Any) -> Any:
        """log(1 + t) for t in [0, 1]; NaN gives NaN."""
        is_upper = t > split
        f = (t - one) * half if is_upper else t
        power = one if is_upper else zero
        s = f / (two + f)
        half_square = half * f * f
        correction = s * (half_square + atanh_tail(s * s)) + power * ln2_low
        return power * ln2_high - ((half_square - correction) - f)

    return log1p_unit


def _make_log1p_positive(p: Precision, log1p_unit: Any) -> Any:
    real, integer = p.real, p.integer
    info = np.finfo(real)
    fraction_bits, bias = info.nmant, info.maxexp - 1
    magic = real(1.5 * 2.0**fraction_bits)
    magic_bits = integer(magic.view(integer))
    ln2_high, ln2_low, zero, one = real(p.ln2_high), real(p.ln2_low), real(0.0), real(1.0)

    @formula
    def log1p_positive(t: Any) -> Any:
        """log(1 + t) for t >= 0, finite; NaN gives NaN."""
        # Above 1 nothing is lost in 1 + t = 2^k m, m in [1, 2).
        is_large = t > one
        whole = one + t
        k = integer((real(whole).view(integer) >> fraction_bits) - bias)
        power = integer(k + magic_bits).view(real) - magic
        reduced = whole * integer((bias - k) << fraction_bits).view(real) - one
        power = power if is_large else zero
        return log1p_unit(reduced if is_large else t) + (power * ln2_low + power * ln2_high)

    return log1p_positive


def _make_sigmoid(p: Precision, exp_nonpositive: Any) -> Any:
    real = p.real
    zero, half, one, three_halves = real(0.0), real(0.5), real(1.0), real(1.5)

    @formula
    def sigmoid(z: Any) -> Any:
        t = exp_nonpositive(-abs(z))
        total = one + t
        lost = t - (total - one)
        quotient = (one if z >= zero else t) / total
        # What rounding 1 + t lost, to first order; 1 / total as a line is near enough. Without
        # this the result can be 2.44 ulp off, with it 1.97.
        return quotient - quotient * (lost * (three_halves - half * total))

    return sigmoid


def _make_log1p_exp(p: Precision, exp_nonpositive: Any, log1p_unit: Any) -> Any:
    zero = p.real(0.0)

    @formula
    def log1p_exp(z: Any) -> Any:
        return (z if z > zero else zero) + log1p_unit(exp_nonpositive(-abs(z)))

    return log1p_exp


def _make_log_sigmoid(log1p_exp: Any) -> Any:
    @formula
    def log_sigmoid(z: Any) -> Any:
        return -log1p_exp(-z)

    return log_sigmoid


def _make_logit(p: Precision) -> Any:
    real, integer, atanh_tail = p.real, p.integer, p.atanh_tail
    info = np.finfo(real)
    fraction_bits, bias = info.nmant, info.maxexp - 1
    mask = 2 * bias + 1
    magic = real(1.5 * 2.0**fraction_bits)
    magic_bits = integer(magic.view(integer))
    # Added to the bits of a ratio, it puts the split between powers of two at sqrt(1/2).
    to_split = integer(real(1.0).view(integer) - real(math.sqrt(0.5)).view(integer))
    tiny, scale, shift = real(p.tiny), real(2.0**p.tiny_shift), real(p.tiny_shift)
    zero, one, two, nan, inf = real(0.0), real(1.0), real(2.0), real(math.nan), real(math.inf)
    ln2_high, ln2_low = real(p.ln2_high), real(p.ln2_low)

    @formula
    def logit(x: Any) -> Any:
        is_tiny = x < tiny
        rest = one - x
        lost = (one - rest) - x
        scaled = x * scale if is_tiny else x
        # x / (1 - x) = 2^k m with m in [sqrt(1/2), sqrt(2)). atanh wants (m - 1) / (m + 1), which
        # comes from x and 1 - x at once: exact near 1/2, where log(x / (1 - x)) would cancel.
        k = integer(((real(scaled / rest).view(integer) + to_split) >> fraction_bits) & mask) - bias
        level = scaled * integer((bias - k) << fraction_bits).view(real)
        s = ((level - rest) - lost) / (level + rest)
        power = integer(k + magic_bits).view(real) - magic
        power = power - shift if is_tiny else power
        y = power * ln2_high + (two * s + (s * atanh_tail(s * s) + power * ln2_low))
        y = -inf if x == zero else y
        y = inf if x == one else y
        return y if zero <= x <= one else nan

    return logit


exp_nonpositive = _make_exp_nonpositive(_DOUBLE)
log1p_unit = _make_log1p_unit(_DOUBLE)
log1p_positive = _make_log1p_positive(_DOUBLE, log1p_unit)
_sigmoid64 = _make_sigmoid(_DOUBLE, exp_nonpositive)
_log1p_exp64 = _make_log1p_exp(_DOUBLE, exp_nonpositive, log1p_unit)
_log_sigmoid64 = _make_log_sigmoid(_log1p_exp64)
_logit64 = _make_logit(_DOUBLE)

_exp_nonpositive32 = _make_exp_nonpositive(_SINGLE)
_log1p_unit32 = _make_log1p_unit(_SINGLE)
_sigmoid32 = _make_sigmoid(_SINGLE, _exp_nonpositive32)
_log1p_exp32 = _make_log1p_exp(_SINGLE, _exp_nonpositive32, _log1p_unit32)
_log_sigmoid32 = _make_log_sigmoid(_log1p_exp32)
_logit32 = _make_logit(_SINGLE)


# ------------------------------------------------------------------------------------------------
# Scalar functions, for compiled and for plain code


def _by_precision(single: Any, double: Any) -> Any:
    """Return the typing function that picks a formula by the argument's type."""

    def call_single(x: Any) -> Any:
        return single(x)

    def call_double(x: Any) -> Any:
        return double(np.float64(x))

    def select(x: Any) -> Any:
        if x == types.float32:
            return call_single
        is_real = isinstance(x, types.Float | types.Integer | types.Boolean)
        return call_double if is_real else None

    return select


def _call(single: Any, double: Any, x: Any) -> Any:
    """Do in plain Python what `_by_precision` does in compiled code."""
    with np.errstate(all="ignore"):
        if isinstance(x, np.float32):
            return np.float32(single(x))
        return np.float64(double(np.float64(x)))


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e^-x) of one number.

    Parameters
    ----------
    x : float32, float64, or int or bool (taken as float64)

    Returns
    -------
    float32 or float64
        At most 2 ulp off; 0 at -inf, 1 at inf, NaN at NaN.
    """
    return _call(_sigmoid32, _sigmoid64, x)


def log1p_exp(x: Any) -> Any:
    """Return log(1 + e^x) of one number (softplus), without overflow.

    Parameters
    ----------
    x : float32, float64, or int or bool (taken as float64)

    Returns
    -------
    float32 or float64
        At most 2 ulp off; 0 at -inf, inf at inf, NaN at NaN.
    """
    return _call(_log1p_exp32, _log1p_exp64, x)


def log_sigmoid(x: Any) -> Any:
    """Return log(1 / (1 + e^-x)) of one number, that is -log1p_exp(-x).

    Parameters
    ----------
    x : float32, float64, or int or bool (taken as float64)

    Returns
    -------
    float32 or float64
        At most 2 ulp off; -inf at -inf, 0 at inf, NaN at NaN.
    """
    return _call(_log_sigmoid32, _log_sigmoid64, x)


def logit(x: Any) -> Any:
    """Return log(x / (1 - x)) of one number, the inverse of `sigmoid`.

    Parameters
    ----------
    x : float32, float64, or int or bool (taken as float64)
        Probability.

    Returns
    -------
    float32 or float64
        At most 2 ulp off; -inf at 0, inf at 1, NaN outside [0, 1].
    """
    return _call(_logit32, _logit64, x)


for _public, _single, _double in (
    (sigmoid, _sigmoid32, _sigmoid64),
    (log1p_exp, _log1p_exp32, _log1p_exp64),
    (log_sigmoid, _log_sigmoid32, _log_sigmoid64),
    (logit, _logit32, _logit64),
):
    overload(_public)(_by_precision(_single, _double))


# ------------------------------------------------------------------------------------------------
# Loops over flat arrays


class ArrayLoops(NamedTuple):
    """One function over a flat array.

    `copying(x, out)` needs arrays that do not overlap; `in_place(out)` exists because LLVM would
    run its scalar code if both arguments of `copying` were the same array.
    """

    copying: Twins
    in_place: Twins


def _make_array(func: Callable[[Any], Any]) -> ArrayLoops:
    @part
    def fill(x: Any, out: Any) -> None:
        for i in range(out.size):
            out[i] = func(x[i])

    @part
    def replace(out: Any) -> None:
        for i in range(out.size):
            out[i] = func(out[i])

    def copying(x: Any, out: Any) -> None:
        for chunk in prange((out.size + CHUNK - 1) // CHUNK):
            start = chunk * CHUNK
            fill(x[start : start + CHUNK], out[start : start + CHUNK])

    def in_place(out: Any) -> None:
        for chunk in prange((out.size + CHUNK - 1) // CHUNK):
            start = chunk * CHUNK
            replace(out[start : start + CHUNK])

    return ArrayLoops(entry(copying, func.__name__), entry(in_place, func.__name__))


sigmoid_array = _make_array(sigmoid)
log1p_exp_array = _make_array(log1p_exp)
log_sigmoid_array = _make_array(log_sigmoid)
logit_array = _make_array(logit)
