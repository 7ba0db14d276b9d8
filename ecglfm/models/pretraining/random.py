"""Random numbers that are functions of (key, counter): no state, so no rank, order or batch can change them.

Each record of an update has a key (`record_keys`), made of the seed, the step and its place in the global batch; the
numbers of a record are then the same on one process or on eight, in one forward or in four, on a CPU or a GPU (the
logarithms of `gumbel` to rounding). In the manner of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
(SC 2011, doi 10.1145/2063384.2063405), with cheaper functions, because millions of numbers are drawn in every step:
keys come from SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, doi 10.1145/2660193.2660195), numbers from the 32-bit
finaliser of MurmurHash3 (A. Appleby, https://github.com/aappleby/smhasher), applied to the counter, once before and
once after an affine map by the key. Not for secrets.

Shapes: b records, n numbers of each.
"""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15


def _signed(value: int, bits: int) -> int:
    """The integer of `bits` bits, read in two's complement, as torch's types are."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def splitmix64(state_b: Tensor) -> Tensor:
    """Output of SplitMix64 for states that have been advanced already; int64 in and out, one to one."""
    z = state_b ^ ((state_b >> 30) & (2**34 - 1))  # `>>` keeps the sign: the mask takes it away
    z = z * _signed(0xBF58476D1CE4E5B9, 64)
    z = (z ^ ((z >> 27) & (2**37 - 1))) * _signed(0x94D049BB133111EB, 64)
    return z ^ ((z >> 31) & (2**33 - 1))


def record_keys(seed: int, first: int, count: int, every: int = 1) -> Tensor:
    """Keys of `count` records of a batch, from `first` on: outputs of SplitMix64 seeded with `seed`.

    Parameters
    ----------
    seed : int
        Of the batch; see `ecglfm.training.schedule.seed_of`.
    first, count : int
        Places in the batch.
    every : int
        From one of the places to the next.

    Returns
    -------
    Tensor of int64, shape (count,)
    """
    place_b = first + 1 + every * torch.arange(count)
    return splitmix64(_signed(seed, 64) + place_b * _signed(_GOLDEN, 64))


def substream(keys_b: Tensor, purpose: int) -> Tensor:
    """Other keys of the same records, for numbers of another purpose."""
    return splitmix64(keys_b + _signed((purpose + 1) * _GOLDEN, 64))


def murmur_mix(x: Tensor) -> Tensor:
    """The 32-bit finaliser of MurmurHash3 in place; int32 in and out, one to one."""
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    x *= _signed(0x85EBCA6B, 32)
    x ^= (x >> 13).bitwise_and_(0x7FFFF)
    x *= _signed(0xC2B2AE35, 32)
    x ^= (x >> 16).bitwise_and_(0xFFFF)
    return x


def bits(keys_b: Tensor, n: int) -> Tensor:
    """Random bits.

    Parameters
    ----------
    keys_b : Tensor of int64, shape (b,)
        On the device where the numbers are wanted.
    n : int
        Numbers of each record, less than 2^31.

    Returns
    -------
    Tensor of int32, shape (b, n)
    """
    counter_n = murmur_mix(torch.arange(n, dtype=torch.int32, device=keys_b.device))
    low_b1, high_b1 = keys_b.to(torch.int32)[:, None], (keys_b >> 32).to(torch.int32)[:, None]
    return murmur_mix(torch.addcmul(low_b1, counter_n, high_b1 | 1))


def uniform(keys_b: Tensor, n: int) -> Tensor:
    """Uniform numbers, the midpoints of 2^23 intervals: never 0, never 1.

    Returns
    -------
    Tensor of float32, shape (b, n)
    """
    whole = (bits(keys_b, n) >> 9).bitwise_and_(2**23 - 1)
    return whole.float().add_(0.5).mul_(2.0**-23)


def integers(keys_b: Tensor, n: int, below: int | Tensor) -> Tensor:
    """Uniform integers in [0, below), for `below` far under 2^23; one for all records, or of shape (b, 1).

    Returns
    -------
    Tensor of int64, shape (b, n)
    """
    return (uniform(keys_b, n) * below).long().clamp_(max=below - 1)  # float32 may round up to `below`


def gumbel(keys_b: Tensor, n: int) -> Tensor:
    """Standard Gumbel noise, -log(-log(u)); between -2.8 and 16.6.

    Returns
    -------
    Tensor of float32, shape (b, n)
    """
    return uniform(keys_b, n).log_().neg_().log_().neg_()
