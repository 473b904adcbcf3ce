"""Compiled: the cells of a table as text, every number with the fewest digits that give it back to the last bit.

The digits are those of Schubfach (Giulietti 2020, The Schubfach way to render doubles), their layout is that of
Python's `repr`: 1.0, 0.0001, 1e-05, 1e+16.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...numerics._kernels_options import inlined_kernel, kernel

CELL = 26  # bytes that a cell needs at most, its comma included
_LEAST_POWER, _LARGEST_POWER = -292, 324  # of ten: those that a double's shortest digits need


def powers_of_ten() -> NDArray[np.uint64]:
    """(n_powers, 2): the upper and lower 64 bits of 10**k, scaled to 128 bits and rounded up, k from -292 to 324."""
    table = np.empty((_LARGEST_POWER - _LEAST_POWER + 1, 2), np.uint64)
    for k in range(_LEAST_POWER, _LARGEST_POWER + 1):
        shift = ((k * 1741647) >> 19) - 127
        numerator, denominator = 10 ** max(k, 0), 10 ** max(-k, 0)
        numerator, denominator = numerator << max(-shift, 0), denominator << max(shift, 0)
        scaled = -(-numerator // denominator)
        table[k - _LEAST_POWER] = scaled >> 64, scaled & (2**64 - 1)
    return table


@inlined_kernel
def _upper(a, b):
    """Upper 64 bits of the product of two 64-bit numbers."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = a & mask, a >> half, b & mask, b >> half
    low = a0 * b0
    middle = a1 * b0 + (low >> half)
    other = a0 * b1 + (middle & mask)
    return a1 * b1 + (middle >> half) + (other >> half)


@inlined_kernel
def _round_to_odd(high, low, factor):
    """Upper 64 bits of the product of a 128-bit and a 64-bit number; the last bit is set where bits are lost."""
    y0 = high * factor
    y1 = _upper(high, factor)
    carried = y0 + _upper(low, factor)
    if carried < y0:
        y1 += np.uint64(1)
    return y1 | np.uint64(carried > np.uint64(1))


@kernel
def _shortest(bits, powers):
    """(digits, exponent): value = digits * 10**exponent of a positive double, by its bits."""
    one, two, four = np.uint64(1), np.uint64(2), np.uint64(4)
    significand = bits & np.uint64((1 << 52) - 1)
    exponent = np.int64(bits >> np.uint64(52)) & 0x7FF
    c = significand | np.uint64(1 << 52) if exponent else significand
    q = exponent - 1075 if exponent else np.int64(-1074)
    if exponent and -53 < q <= 0 and (c >> np.uint64(-q)) << np.uint64(-q) == c:
        return c >> np.uint64(-q), np.int64(0)
    odd = c & one
    uneven = np.int64(significand == 0 and exponent > 1)  # the lower neighbour is half as far
    k = (q * 1262611 - (524031 if uneven else 0)) >> 22
    h = np.uint64(q + ((-k * 1741647) >> 19) + 1)
    high, low = powers[-k + 292, 0], powers[-k + 292, 1]
    cb = four * c
    lower = _round_to_odd(high, low, (cb - two + np.uint64(uneven)) << h) + odd
    middle = _round_to_odd(high, low, cb << h)
    upper = _round_to_odd(high, low, (cb + two) << h) - odd
    s = middle // four
    if s >= np.uint64(10):
        tens = s // np.uint64(10)
        below = lower <= np.uint64(40) * tens
        above = np.uint64(40) * tens + np.uint64(40) <= upper
        if below != above:
            return tens + np.uint64(above), k + 1
    below, above = lower <= four * s, four * s + four <= upper
    if below != above:
        return s + np.uint64(above), k
    half = four * s + two
    up = middle > half or (middle == half and (s & one) != np.uint64(0))
    return s + np.uint64(up), k


@kernel
def _put_digits(out, at, number, n):
    """The last n digits of a number."""
    for i in range(n):
        rest = number // np.uint64(10)
        out[at + n - 1 - i] = np.uint8(number - rest * np.uint64(10)) + np.uint8(48)
        number = rest
    return at + n


@kernel
def _put_whole(out, at, number):
    n, rest = 1, number // np.uint64(10)
    while rest:
        n, rest = n + 1, rest // np.uint64(10)
    return _put_digits(out, at, number, n)


@kernel
def _put_double(out, at, bits, powers):
    """A finite number as `repr` writes it."""
    if bits >> np.uint64(63):
        out[at] = 45  # -
        at += 1
    bits &= np.uint64((1 << 63) - 1)
    digits, exponent = (np.uint64(0), np.int64(0)) if bits == np.uint64(0) else _shortest(bits, powers)
    while digits and digits % np.uint64(10) == np.uint64(0):
        digits, exponent = digits // np.uint64(10), exponent + 1
    n, rest = 1, digits // np.uint64(10)
    while rest:
        n, rest = n + 1, rest // np.uint64(10)
    point = n + exponent  # digits before the decimal point
    if -4 < point <= 16:
        if point <= 0:
            out[at], out[at + 1] = 48, 46
            at += 2
            for _ in range(-point):
                out[at] = 48
                at += 1
            return _put_digits(out, at, digits, n)
        if point >= n:
            at = _put_digits(out, at, digits, n)
            for _ in range(point - n):
                out[at] = 48
                at += 1
            out[at], out[at + 1] = 46, 48
            return at + 2
        divisor = np.uint64(1)
        for _ in range(n - point):
            divisor *= np.uint64(10)
        at = _put_digits(out, at, digits // divisor, point)
        out[at] = 46
        return _put_digits(out, at + 1, digits % divisor, n - point)
    at = _put_digits(out, at + 1, digits, n)  # the first digit then moves before the point
    out[at - n - 1] = out[at - n]
    if n > 1:
        out[at - n] = 46
    else:
        at -= 1
    out[at] = 101  # e
    out[at + 1] = 43 if point > 0 else 45
    size = np.uint64(abs(point - 1))
    return _put_digits(out, at + 2, size, 3 if size >= np.uint64(100) else 2)


@kernel
def put_rows(values, bits, whole, ending, missing, powers, separator, out):
    """The rows of a table as text; the number of bytes written.

    values, bits : (n_rows, n_columns) float64, and the same memory as uint64
    whole : (n_columns,) bool, columns written without a decimal point
    ending, missing : (n,) uint8, what stands behind the last cell of a row, and in a cell of NaN
    out : (at least n_rows * (n_columns * CELL + n),) uint8
    """
    at = 0
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            if j:
                out[at] = separator
                at += 1
            value = values[i, j]
            if np.isnan(value):
                for character in missing:
                    out[at] = character
                    at += 1
                continue
            if np.isinf(value):
                if value < 0:
                    out[at] = 45
                    at += 1
                out[at], out[at + 1], out[at + 2] = 105, 110, 102
                at += 3
            elif whole[j]:
                if value < 0:
                    out[at] = 45
                    at += 1
                at = _put_whole(out, at, np.uint64(abs(value)))
            else:
                at = _put_double(out, at, bits[i, j], powers)
        for j in range(len(ending)):
            out[at] = ending[j]
            at += 1
    return at
