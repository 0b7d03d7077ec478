"""Streams of random numbers of many replicates: those of NumPy's PCG64, in one compiled call.

To make a stream of ``PCG64(SeedSequence(entropy, spawn_key=(..., r)))`` takes NumPy 15 us, in which
no other thread runs: as long as the fit of a permutation of 1,000 x 8. Here it takes less than 1.
The seed sequence is O'Neill's (2015, "Developing a seed_seq alternative"), and the generator her
XSL RR 128/64 (2014, "PCG: a family of simple fast space-efficient statistically good algorithms").
NumPy promises that both stay as they are; the numbers are the same, bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from .policy import entry, part

__all__ = ["member_streams", "uniform_streams"]

# Of the seed sequence; its words have 32 bits, kept in numbers of 64, so that no product overflows.
POOL = 4
WORD, SHIFT = np.uint64(0xFFFFFFFF), np.uint64(16)
START_IN, TIMES_IN = np.uint64(0x43B0D7E5), np.uint64(0x931E8875)
START_OUT, TIMES_OUT = np.uint64(0x8B51F9DD), np.uint64(0x58F38DED)
LEFT, RIGHT, BEYOND = np.uint64(0xCA01F9DD), np.uint64(0x4973F715), np.uint64(1 << 32)
# Of the generator.
MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
ONE, SIX_BITS = np.uint64(1), np.uint64(63)
HALF, TOP, TO_53 = np.uint64(32), np.uint64(58), np.uint64(11)
UNIT = 2.0**-53


def _whole(high: Any, low: Any) -> int:
    return int(high) << 64 | int(low)


def _plain_next_high(high: Any, low: Any, step_high: Any, step_low: Any) -> Any:
    state = _whole(high, low) * MULTIPLIER + _whole(step_high, step_low)
    return np.uint64(state >> 64 & 0xFFFFFFFFFFFFFFFF)


def _plain_next_low(high: Any, low: Any, step_high: Any, step_low: Any) -> Any:
    state = _whole(high, low) * MULTIPLIER + _whole(step_high, step_low)
    return np.uint64(state & 0xFFFFFFFFFFFFFFFF)


def _next(is_high: bool) -> Any:
    """Return the intrinsic for one half of the next state; LLVM makes both of one product."""

    def advance(typing_context: Any, high: Any, low: Any, step_high: Any, step_low: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            wide = ir.IntType(128)
            parts = [builder.zext(each, wide) for each in arguments]
            state, step = (
                builder.or_(builder.shl(top, wide(64)), bottom)
                for top, bottom in (parts[:2], parts[2:])
            )
            state = builder.add(builder.mul(state, wide(MULTIPLIER)), step)
            if is_high:
                state = builder.lshr(state, wide(64))
            return builder.trunc(state, ir.IntType(64))

        return types.uint64(types.uint64, types.uint64, types.uint64, types.uint64), generate

    return advance


next_high = _plain_next_high if config.DISABLE_JIT else intrinsic(_next(True))
next_low = _plain_next_low if config.DISABLE_JIT else intrinsic(_next(False))


@part
def hashed(value: Any, multiplier: Any, times: Any) -> Any:
    """Hash a word by the multiplier, which is then to be taken `times` that."""
    value = ((value ^ multiplier) * (multiplier * times & WORD)) & WORD
    return value ^ (value >> SHIFT)


@part
def mixed(left: Any, right: Any) -> Any:
    """Mix two words."""
    value = ((LEFT * left & WORD) + (BEYOND - (RIGHT * right & WORD))) & WORD
    return value ^ (value >> SHIFT)


@part
def mix_word(seed: Any, word: Any, pool: Any) -> None:
    """Put the pool of a seed with one word more into `pool`."""
    multiplier = seed[POOL]
    for place in range(POOL):
        pool[place] = mixed(seed[place], hashed(word, multiplier, TIMES_IN))
        multiplier = multiplier * TIMES_IN & WORD


@part
def seed_words(pool: Any, state: Any) -> None:
    """Put four numbers of 64 bits made of a pool into `state`."""
    multiplier = START_OUT
    for place in range(4):
        low = hashed(pool[(2 * place) % POOL], multiplier, TIMES_OUT)
        multiplier = multiplier * TIMES_OUT & WORD
        high = hashed(pool[(2 * place + 1) % POOL], multiplier, TIMES_OUT)
        multiplier = multiplier * TIMES_OUT & WORD
        state[place] = low | (high << HALF)


@part
def begin_stream(state: Any) -> None:
    """Make of the seed's four numbers the state of the generator: itself, and what it steps by."""
    # The step is made odd. From 0 it is the state, to which the seed is added; once more advanced.
    step_high, step_low = (state[2] << ONE) | (state[3] >> SIX_BITS), (state[3] << ONE) | ONE
    lower = add_low(step_low, state[1])
    upper = add_high(step_high, state[0], step_low, state[1])
    state[0] = next_high(upper, lower, step_high, step_low)
    state[1] = next_low(upper, lower, step_high, step_low)
    state[2], state[3] = step_high, step_low


@part
def number_of(high: Any, low: Any) -> Any:
    """Return the 64 random bits of a state."""
    value, turns = high ^ low, high >> TOP
    return (value >> turns) | (value << ((SIX_BITS + ONE - turns) & SIX_BITS))


@part
def draw_uniform(state: Any, out: Any) -> None:
    """Fill an array with numbers of [0, 1), from the state on."""
    high, low, step_high, step_low = state[0], state[1], state[2], state[3]
    for place in range(out.shape[0]):
        upper = next_high(high, low, step_high, step_low)
        low = next_low(high, low, step_high, step_low)
        high = upper
        out[place] = float(number_of(high, low) >> TO_53) * UNIT


@part
def draw_members(state: Any, members: Any, starts: Any, out: Any) -> None:
    """Draw from each stratum as many members as it has, with replacement.

    Each is the one at the place ``word * size >> 32``, for a word of 32 bits; those few words are
    left out by which some places would come more often (Lemire 2019). Of the 64 bits of a number
    the lower half is the first word.
    """
    high, low, step_high, step_low = state[0], state[1], state[2], state[3]
    rest, has_rest = ONE, False
    for stratum in range(starts.shape[0] - 1):
        begin, end = starts[stratum], starts[stratum + 1]
        size = np.uint64(end - begin)
        if size == ONE:
            out[begin] = members[begin]
            continue
        unfair = (BEYOND - size) % size
        for place in range(begin, end):
            # Of all words less than half are left out, so that this ends.
            product = rest
            is_drawn: Any = False
            while not is_drawn:
                word = rest
                if not has_rest:
                    upper = next_high(high, low, step_high, step_low)
                    low = next_low(high, low, step_high, step_low)
                    high = upper
                    value = number_of(high, low)
                    word, rest = value & WORD, value >> HALF
                has_rest = not has_rest
                product = word * size
                is_drawn = (product & WORD) >= unfair
            out[place] = members[begin + np.int64(product >> HALF)]


@part
def add_low(a: Any, b: Any) -> Any:
    """Lower 64 bits of a sum."""
    # In halves: NumPy warns of sums that overflow, where the JIT is off.
    low = (a & WORD) + (b & WORD)
    high = (a >> HALF) + (b >> HALF) + (low >> HALF)
    return ((high & WORD) << HALF) | (low & WORD)


@part
def add_high(a: Any, b: Any, a_low: Any, b_low: Any) -> Any:
    """Upper 64 bits of the sum of two numbers of 128."""
    low = (a_low & WORD) + (b_low & WORD)
    carry = ((a_low >> HALF) + (b_low >> HALF) + (low >> HALF)) >> HALF
    return add_low(add_low(a, b), carry)


def _uniform_streams(seed: Any, first: int, room: Any, out: Any) -> None:
    """Fill each row of an array with numbers of [0, 1) from a stream of its own.

    Parameters
    ----------
    seed : ndarray of uint64, shape (5,)
        The pool of the seed sequence but for the last word of its key, and what that is hashed by.
    first : int
        The last word of the first stream, less than 2^32; the others follow.
    room : ndarray of uint64, shape (8,)
    out : ndarray of float64, shape (n_streams, n_numbers)
    """
    pool, state = room[:POOL], room[POOL:]
    for row in range(out.shape[0]):
        mix_word(seed, np.uint64(first + row), pool)
        seed_words(pool, state)
        begin_stream(state)
        draw_uniform(state, out[row])


uniform_streams = entry(_uniform_streams)


def _member_streams(
    seed: Any, first: int, room: Any, members: Any, starts: Any, out: Any
) -> None:  # fmt: skip
    """Fill each row of an array with members drawn with replacement, from a stream of its own.

    Parameters
    ----------
    seed, first, room
        As for `uniform_streams`.
    members : ndarray of int64, shape (n_members,)
        Those of one stratum, then of the next.
    starts : ndarray of int64, shape (n_strata + 1,)
        Where strata begin, and the end of the last; none is empty, or has 2^32 members.
    out : ndarray of int64, shape (n_streams, n_members)
    """
    pool, state = room[:POOL], room[POOL:]
    for row in range(out.shape[0]):
        mix_word(seed, np.uint64(first + row), pool)
        seed_words(pool, state)
        begin_stream(state)
        draw_members(state, members, starts, out[row])


member_streams = entry(_member_streams)
