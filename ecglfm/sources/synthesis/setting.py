"""Where a synthetic recording is made: the noise there, what moves, and what the machine filters out.

Shapes: n samples, e electrodes (RA LA LL C1-C6), l independent leads (I II V1-V6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATE = 500  # Hz


@dataclass(frozen=True)
class Setting:
    """How well a recording is made; the defaults are a quiet room and a machine that filters nothing.

    Attributes
    ----------
    wander, hum, muscle : float
        Size of baseline wander, mains and muscle noise against a quiet room's.
    placement : float
        Standard deviation of what each chest lead sees of the dipole, as electrodes are never placed twice alike.
    pops, knocks, bursts : int
        Electrodes that let go for a moment (a step that decays), are knocked at (a bump as wide as a beat), and
        muscles that tense for a second.
    tremor : float
        Of an arm or a leg, 4 to 6.5 times a second, mV: it looks like fibrillatory waves.
    band : (float, float)
        Hz that the machine lets through: a filter of first order below, of second order above; 0 and inf for none.
    """

    wander: float = 1.0
    hum: float = 1.0
    muscle: float = 1.0
    placement: float = 0.04
    pops: int = 0
    knocks: int = 0
    bursts: int = 0
    tremor: float = 0.0
    band: tuple[float, float] = (0.0, float("inf"))

    def finish(self, leads_ln: np.ndarray, electrodes_to_leads_el: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Add what moves to the leads and filter them: float32 mV, shape (l, n)."""
        disturbed = leads_ln
        if self.pops or self.knocks or self.bursts or self.tremor:
            potentials = self._disturbances(leads_ln.shape[1], len(electrodes_to_leads_el), rng)
            disturbed = leads_ln + electrodes_to_leads_el.T.astype(np.float32) @ potentials
        return _filtered(disturbed, *self.band)

    def _disturbances(self, n: int, electrodes: int, rng: np.random.Generator) -> np.ndarray:
        """Potentials of the electrodes, float32 mV, shape (e, n)."""
        seconds = np.arange(n, dtype=np.float32) / np.float32(RATE)
        total = np.zeros((electrodes, n), dtype=np.float32)

        def event() -> tuple[int, np.ndarray, float]:
            """Draw an electrode, the time since something happened to it (s), and its size (mV)."""
            size = rng.choice([-1.0, 1.0]) * np.exp(0.4 * rng.standard_normal())
            return int(rng.integers(electrodes)), seconds - np.float32(rng.uniform(0.3, n / RATE - 0.3)), float(size)

        for _ in range(self.pops):
            electrode, since, size = event()
            decay = np.exp(-np.maximum(since, 0.0) / rng.uniform(0.15, 0.6))
            total[electrode] += (0.35 * size) * decay * (since > 0)
        for _ in range(self.knocks):
            electrode, since, size = event()
            total[electrode] += (0.5 * size) * np.exp(-0.5 * (since / rng.uniform(0.03, 0.09)) ** 2)
        for _ in range(self.bursts):
            electrode, since, size = event()
            noise = np.diff(rng.standard_normal(n + 1)).astype(np.float32)
            total[electrode] += (0.06 * size) * noise * np.exp(-0.5 * (since / rng.uniform(0.3, 0.9)) ** 2)
        if self.tremor:
            total[rng.integers(3)] += self.tremor * _trembling(seconds, rng)
        return total


def _trembling(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A limb that trembles, with its second harmonic; it swells and abates. About 1 high, shape (n,)."""
    phase = 2 * np.pi * (rng.uniform(4.0, 6.5) * seconds + rng.random())
    phase += rng.uniform(0.2, 0.6) * np.sin(2 * np.pi * 0.3 * seconds)
    swell = 1.0 + 0.4 * np.sin(2 * np.pi * (rng.uniform(0.1, 0.3) * seconds + rng.random()))
    return (swell * (np.sin(phase) + 0.3 * np.sin(2 * phase + rng.uniform(0.0, 6.0)))).astype(np.float32)


QUIET = Setting()


def _filtered(leads_ln: np.ndarray, low: float, high: float) -> np.ndarray:
    """Butterworth filters, as they run in a machine: one way, with what that does to ST at 0.5 Hz."""
    from scipy.signal import butter, sosfilt, sosfilt_zi

    for order, kind, corner in ((1, "highpass", low), (2, "lowpass", high)):
        if 0.0 < corner < RATE / 2:
            sos = butter(order, corner, kind, fs=RATE, output="sos")
            start = sosfilt_zi(sos)[:, None, :] * leads_ln[:, :1][None]
            leads_ln = sosfilt(sos, leads_ln, axis=1, zi=start)[0].astype(np.float32)
    return leads_ln


def draw_setting(site: int, *, difficulty: float, rng: np.random.Generator) -> Setting:
    """Draw how a recording is made at a site (0, 1, 2); difficulty 0 is a quiet room, wherever.

    Site 0 has a machine that lets 0.05 to 150 Hz through, site 1 one of 0.5 to 40 Hz, site 2, an emergency ward, one of
    0.05 to 100 Hz and one and a half times the noise.
    """
    if difficulty == 0.0:
        return QUIET
    loud = 1.0 + difficulty * (0.5 if site == 2 else 0.0)
    wander, hum, muscle = loud * np.exp(difficulty * rng.normal((0.0, 0.0, 0.0), (0.3, 0.3, 0.4)))
    pops, knocks, bursts = (int(count) for count in rng.poisson(difficulty * loud * np.array([0.07, 0.1, 0.15])))
    return Setting(
        wander=float(wander),
        hum=float(hum),
        muscle=float(muscle),
        placement=0.04 + 0.02 * difficulty,
        pops=pops,
        knocks=knocks,
        bursts=bursts,
        band=((0.05, 150.0), (0.5, 40.0), (0.05, 100.0))[site],
    )
