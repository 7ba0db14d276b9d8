"""How much of a condition, and of what looks like one, shows in a recording."""

from __future__ import annotations

from dataclasses import dataclass

from ecglfm.sources.synthesis.waves import Shares


@dataclass(frozen=True)
class Look:
    """How much of a condition shows; the defaults are a textbook's.

    Attributes
    ----------
    shares : tuple of (condition, share)
        By how much the waves are a condition's and no normal heart's, 0 to 1; empty: the patient's, by 1.
    injury : float
        Share of an infarction's ST elevation.
    f_waves : float
        Size of fibrillatory waves, 1 about 0.06 mV in V1.
    irregularity : float
        Standard deviation of the logarithm of RR in atrial fibrillation.
    ectopic_size : float
        Size of premature ventricular beats.
    ectopic_beats : int or None
        Number of premature ventricular beats in a recording; None: every second to fourth beat.
    early_beats : int
        Number of premature atrial beats, narrow as the others.
    turn : float
        Spread of how hearts lie in the chest, against the usual one.
    qrs_time : float
        How long QRS lasts, against the condition's.
    p_size : float
        Size of P waves.
    aberrant : tuple of (condition, share)
        As `shares`, of beats that come before a bundle has recovered.
    refractory, blocked : float
        Which beats those are: after an interval below this share of the recording's median; or this share of them all.
    episode : (float, float) or None
        When atrial fibrillation begins and ends, s from the start of the recording; None: it is all there is.
    sinus_arrhythmia : float
        Size of what breathing does to the heart rate, against the usual one.
    coupling : (float, float)
        When premature ventricular beats come, as shares of the mean interval after the beat before.
    interpolated : bool
        They come between two beats that are where they would have been, and replace none.
    fusion : float
        Share of a normal beat in their form: what the normal way has reached already when they come.
    ectopic_time : float
        How long their QRS lasts, against a usual one's: less where the focus is near the conduction system.
    """

    shares: Shares = ()
    injury: float = 1.0
    f_waves: float = 1.0
    irregularity: float = 0.24
    ectopic_size: float = 1.0
    ectopic_beats: int | None = None
    early_beats: int = 0
    turn: float = 1.0
    qrs_time: float = 1.0
    p_size: float = 1.0
    aberrant: Shares = ()
    refractory: float = 0.0
    blocked: float = 0.0
    episode: tuple[float, float] | None = None
    sinus_arrhythmia: float = 1.0
    coupling: tuple[float, float] = (0.55, 0.68)
    interpolated: bool = False
    fusion: float = 0.0
    ectopic_time: float = 1.0


TEXTBOOK = Look()
