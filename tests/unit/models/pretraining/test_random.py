"""Counter-based random numbers: published vectors, an independent implementation, and that they look random."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.utils import murmurhash3_32

from ecglfm.models.pretraining.random import (
    bits,
    gumbel,
    integers,
    murmur_mix,
    record_keys,
    splitmix64,
    substream,
    uniform,
)


def test_keys_are_the_outputs_of_splitmix64():
    # The generator's first outputs, from java.util.SplittableRandom and the reference splitmix64.c.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert record_keys(1234567, 0, 4).numpy().view(np.uint64).tolist() == published
    assert record_keys(1234567, 2, 2).numpy().view(np.uint64).tolist() == published[2:]
    assert record_keys(1234567, 1, 2, 2).numpy().view(np.uint64).tolist() == published[1::2]
    assert record_keys(0, 0, 1).numpy().view(np.uint64).tolist() == [0xE220A8397B1DCDAF]
    assert record_keys(2**63 - 1, 0, 2).unique().numel() == 2


def test_the_mix_is_murmurhash3s():
    # The hash of nothing is the finaliser of the seed.
    seeds = [0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF, 123456789]
    mixed = murmur_mix(torch.from_numpy(np.array(seeds, np.uint32).view(np.int32).copy()))
    assert mixed.numpy().view(np.uint32).tolist() == [murmurhash3_32(b"", seed=seed, positive=True) for seed in seeds]


def test_bits_by_the_formula_in_unsigned_numbers():
    def mix(x):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        return x ^ (x >> np.uint32(16))

    keys = record_keys(7, 0, 5)
    whole = keys.numpy().view(np.uint64)
    low, high = whole.astype(np.uint32)[:, None], (whole >> np.uint64(32)).astype(np.uint32)[:, None]
    with np.errstate(over="ignore"):
        expected = mix(mix(np.arange(1000, dtype=np.uint32)) * (high | np.uint32(1)) + low)
    np.testing.assert_array_equal(bits(keys, 1000).numpy().view(np.uint32), expected)
    np.testing.assert_array_equal(uniform(keys, 1000).numpy(), ((expected >> 9) + 0.5).astype(np.float32) / 2**23)


def test_a_record_has_its_numbers_wherever_it_stands():
    whole = uniform(record_keys(3, 0, 16), 100)
    assert torch.equal(uniform(record_keys(3, 10, 4), 50), whole[10:14, :50])
    assert not torch.equal(uniform(record_keys(4, 0, 16), 100), whole)


def test_uniform_and_integers_are_uniform():
    drawn = uniform(record_keys(11, 0, 64), 20_000)
    assert 0 < drawn.min() < 1e-5
    assert 1 - 1e-5 < drawn.max() < 1
    for part in (drawn.flatten(), drawn[:, 0].repeat(1), drawn[0], substream_numbers(drawn.shape)):
        counts = np.histogram(part.numpy(), bins=min(256, len(part) // 16), range=(0, 1))[0]
        assert stats.chisquare(counts).pvalue > 1e-4
    whole = integers(record_keys(12, 0, 64), 20_000, 67)
    assert (whole.min(), whole.max()) == (0, 66)
    assert stats.chisquare(np.bincount(whole.flatten())).pvalue > 1e-4


def substream_numbers(shape):
    return uniform(substream(record_keys(11, 0, shape[0]), 3), shape[1]).flatten()


@pytest.mark.parametrize("what", ["counters", "records", "seeds", "purposes", "far counters"])
def test_neighbours_are_independent(what):
    keys = record_keys(21, 0, 400)
    drawn = uniform(keys, 2000)
    first, second = {
        "counters": (drawn[:, :-1], drawn[:, 1:]),
        "records": (drawn[:-1], drawn[1:]),
        "seeds": (drawn, uniform(record_keys(22, 0, 400), 2000)),
        "purposes": (uniform(substream(keys, 1), 2000), uniform(substream(keys, 2), 2000)),
        "far counters": (drawn[:, :-1024], drawn[:, 1024:]),
    }[what]
    table = np.histogram2d(first.flatten().numpy(), second.flatten().numpy(), bins=16, range=[[0, 1]] * 2)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-4
    assert stats.chisquare(table.flatten()).pvalue > 1e-4


def test_every_bit_is_a_fair_coin_and_flips_with_every_bit_of_the_counter_and_the_key():
    keys = record_keys(31, 0, 300)
    drawn = bits(keys, 1024).numpy().view(np.uint32)
    heads = np.unpackbits(drawn.view(np.uint8)).reshape(-1, 32).mean(axis=0)
    assert np.abs(heads - 0.5).max() < 4.5 * 0.5 / np.sqrt(drawn.size)
    for bit in range(10):  # neighbours that differ in one bit of the counter
        flipped = np.unpackbits((drawn ^ drawn[:, np.arange(1024) ^ (1 << bit)]).view(np.uint8))
        assert flipped.mean() == pytest.approx(0.5, abs=4.5 * 0.5 / np.sqrt(flipped.size / 2))
    for bit in range(63):  # and in one bit of the key, which enters through splitmix64
        other = bits(splitmix64(keys ^ (1 << bit)), 64).numpy().view(np.uint32)
        flipped = np.unpackbits((bits(splitmix64(keys), 64).numpy().view(np.uint32) ^ other).view(np.uint8))
        assert flipped.mean() == pytest.approx(0.5, abs=4.5 * 0.5 / np.sqrt(flipped.size))


def test_gumbel_noise_has_its_distribution():
    drawn = gumbel(record_keys(41, 0, 50), 20_000).flatten().double().numpy()
    assert np.isfinite(drawn).all()
    assert drawn.mean() == pytest.approx(0.5772156649, abs=4.5 * 1.2825 / 1000)
    assert drawn.var() == pytest.approx(np.pi**2 / 6, abs=0.02)
    assert stats.kstest(drawn[:100_000], "gumbel_r").pvalue > 1e-4
