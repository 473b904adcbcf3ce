"""Numbers as text, as short as possible without losing a bit: what ``repr`` gives, many times faster."""

import math

import numpy as np
from numba import njit

SMALLEST, LARGEST = 1e-4, 1e15  # repr changes to exponents outside; callers must not pass such numbers
_POWERS = 10.0 ** np.arange(23)  # exact in float64


@njit(cache=True)
def _put_integer(out, at, value):
    """The decimal digits of a non-negative integer."""
    n_digits, bound = 1, np.int64(10)
    while value >= bound and n_digits < 18:
        bound *= 10
        n_digits += 1
    for place in range(at + n_digits - 1, at - 1, -1):
        rest = value // 10
        out[place] = 48 + (value - 10 * rest)
        value = rest
    return at + n_digits


@njit(cache=True)
def _shortest(x):
    """(digits, decimals): the shortest decimal digits * 10^-decimals that rounds to x, for SMALLEST <= x < LARGEST.

    x * 10^k is exact as a sum of two doubles (Dekker's product: 10^k is exact for k <= 22), so the distance between x
    and a candidate is known exactly, and the candidate is good when that is less than half the spacing of doubles at x.
    """
    # k gives 17 digits before the point
    if x >= 1.0:
        k = 16
        while x >= _POWERS[17 - k]:
            k -= 1
    else:
        k = 17 if x >= 0.1 else 18 if x >= 1e-2 else 19 if x >= 1e-3 else 20
    power = _POWERS[k]
    high = x * power
    split = 134217729.0 * x
    a1 = split - (split - x)
    a2 = x - a1
    split = 134217729.0 * power
    b1 = split - (split - power)
    b2 = power - b1
    low = ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2
    whole = np.int64(high)
    rest = (high - np.float64(whole)) + low
    whole += np.int64(math.floor(rest))
    rest -= math.floor(rest)
    mantissa, two = math.frexp(x)
    half_spacing = math.ldexp(power, two - 54)
    if mantissa == 0.5:
        half_spacing *= 0.5
    for drop in (100, 10, 1):
        digits = whole // drop
        over = np.float64(whole % drop) + rest - 0.5 * drop
        if over > 0.0 or (over == 0.0 and digits % 2 == 1):
            digits += 1
        if drop == 1 or abs(np.float64(digits * drop - whole) - rest) < half_spacing:
            decimals = k - (2 if drop == 100 else 1 if drop == 10 else 0)
            break
    while digits % 10 == 0 and decimals > 1:
        digits //= 10
        decimals -= 1
    return digits, decimals


@njit(cache=True)
def write_rows(values, as_integer, out):
    """Rows of numbers as comma-separated lines of bytes; returns the number of bytes written.

    values : (n_rows, n_columns), each NaN (nothing is written), 0, or of size SMALLEST to LARGEST
    as_integer : (n_columns,) columns of whole numbers, written without a decimal point
    out : at least 26 bytes per number
    """
    at = 0
    n_rows, n_columns = values.shape
    for i in range(n_rows):
        for j in range(n_columns):
            x = values[i, j]
            if x == x:
                if x < 0.0 or (x == 0.0 and math.copysign(1.0, x) < 0.0 and not as_integer[j]):
                    out[at] = 45
                    at += 1
                    x = -x
                if x == math.floor(x):
                    at = _put_integer(out, at, np.int64(x))
                    if not as_integer[j]:
                        out[at], out[at + 1] = 46, 48
                        at += 2
                else:
                    at = _put_decimal(out, at, x)
            out[at] = 44 if j < n_columns - 1 else 10
            at += 1
    return at


@njit(cache=True)
def _put_decimal(out, at, x):
    digits, decimals = _shortest(x)
    scale = np.int64(1)
    for _ in range(min(decimals, 18)):
        scale *= 10
    whole = digits // scale if decimals <= 18 else np.int64(0)
    at = _put_integer(out, at, whole)
    out[at] = 46
    at += 1
    fraction = digits - whole * scale if decimals <= 18 else digits
    for place in range(decimals - 1, -1, -1):
        out[at + place] = 48 + fraction % 10
        fraction //= 10
    return at + decimals
