"""What makes conditions hard to tell apart at a difficulty above 0.5.

Rhythms, blocks, beats and infarctions that are there and hardly show, and what looks like them in hearts that have
none: docs/demo.md has the list.

`hardness` is 0 at a difficulty of 0.5 and 1 at 1. All is drawn from streams of its own, so that what else is drawn of a
patient and of a recording is as it would be without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ecglfm.sources.synthesis.look import Look
from ecglfm.sources.synthesis.patient import Patient
from ecglfm.sources.synthesis.rhythm import SECONDS
from ecglfm.sources.synthesis.setting import Setting
from ecglfm.sources.synthesis.waves import Shares

#: What looks like a condition in hearts without a block and an infarction, and by how much at most and at least.
_MIMICS = {"LVH": (0.4, 1.0), "RBBB": (0.4, 1.0), "early": (0.4, 1.0), "CLBBB": (0.2, 0.5)}
#: Beats that come before this share of the median interval find a bundle that has not recovered, in sinus rhythm and in
#: fibrillation; where the left bundle is blocked in some beats only, their share is within `_BLOCKED`.
_EARLY, _EARLY_IN_AF, _BLOCKED = 0.84, 0.6, (0.15, 0.7)


@dataclass(frozen=True)
class Traits:
    """What a patient keeps from one recording to the next, at some hardness.

    Attributes
    ----------
    hardness : float
        0 to 1.
    look : Look
        What is constant of it; injury, f_waves and ectopic_size are factors.
    block : float
        How much shows of a left bundle branch block, against what would without hardness: an incomplete one.
    mimic : tuple of (form, share)
        As `Look.shares`.
    aberrant : bool
        A bundle recovers late: premature atrial beats are wide.
    intermittent : bool
        A left bundle branch block is there in some beats only.
    paroxysmal : bool
        Atrial fibrillation begins or ends within a recording.
    controlled : float
        How far drugs slow fibrillation towards the rate in sinus rhythm.
    late : bool
        Premature ventricular beats come late, and are fused with what the normal way has reached.
    early_beats : float
        Mean number of premature atrial beats in a recording, more than there would be.
    tremor : float
        mV.
    """

    hardness: float
    look: Look
    block: float
    mimic: Shares
    aberrant: bool
    intermittent: bool
    paroxysmal: bool
    controlled: float
    late: bool
    early_beats: float
    tremor: float


def draw_traits(patient: Patient, rng: np.random.Generator, *, hardness: float) -> Traits:
    """Draw what a patient keeps."""
    h = hardness
    healthy = patient.condition not in {"CLBBB", "AMI", "IMI"}
    form = str(rng.choice(list(_MIMICS), p=[0.25, 0.2, 0.25, 0.3]))
    mimic = ((form, rng.uniform(*_MIMICS[form])),) if rng.random() < 0.5 * h and healthy else ()
    narrow, wide = rng.random(2).tolist()
    late, interpolated = rng.random(2).tolist()
    look = Look(
        turn=1.0 + 0.6 * h,
        qrs_time=1.0 - 0.15 * h * narrow if patient.condition == "CLBBB" else 1.0 + 0.45 * h * max(2 * wide - 1, 0.0),
        injury=1.0 - 0.5 * h * rng.random(),
        p_size=1.0 - 0.6 * h * rng.random(),
        f_waves=1.0 - 0.6 * h * rng.random(),
        sinus_arrhythmia=1.0 + 2.5 * h * rng.random() ** 2,
        ectopic_size=1.0 - 0.5 * h * rng.random(),
        ectopic_time=1.0 - 0.45 * h * rng.random(),
        interpolated=late >= 0.4 * h and interpolated < 0.4 * h,
    )
    return Traits(
        hardness=h,
        look=look,
        block=1.0 - 0.25 * h * rng.random(),
        mimic=mimic,
        aberrant=rng.random() < 0.5 * h,
        intermittent=rng.random() < 0.6 * h,
        paroxysmal=rng.random() < 0.5 * h,
        controlled=0.6 * h * rng.random(),
        late=late < 0.4 * h,
        early_beats=1.6 * h * (rng.random() < 0.35),
        tremor=h * rng.uniform(0.02, 0.08) * (rng.random() < 0.2),
    )


def subtle_look(traits: Traits, condition: str, look: Look, rng: np.random.Generator) -> Look:
    """What shows in one recording, of what would show without hardness."""
    h, own = traits.hardness, traits.look
    shown = tuple((form, share * (traits.block if form == "CLBBB" else 1.0)) for form, share in look.shares)
    shares: Shares = (*shown, *traits.mimic)
    aberrant: Shares = ()
    refractory, blocked = 0.0, 0.0
    rare, regular, length, place, coupling, fused = rng.random(6).tolist()
    if condition == "CLBBB" and traits.intermittent:
        shares, aberrant, blocked = (("NORM", 1.0),), shares, rng.uniform(*_BLOCKED)
    elif condition != "CLBBB" and traits.aberrant:
        aberrant, refractory = (*shares, ("RBBB", 1.0)), _EARLY_IN_AF if condition == "AFIB" else _EARLY
    episode = None
    if condition == "AFIB" and traits.paroxysmal:
        span = SECONDS * (1.0 - 0.65 * h * length)  # long before it, or long after: it begins or ends here, not both
        episode = (-SECONDS, span) if place < 0.5 else (SECONDS - span, 3.0 * SECONDS)
    return replace(
        own,
        shares=shares,
        aberrant=aberrant,
        refractory=refractory,
        blocked=blocked,
        injury=look.injury * own.injury,
        f_waves=look.f_waves * own.f_waves,
        irregularity=look.irregularity * (1.0 - 0.6 * h * regular),
        episode=episode,
        early_beats=look.early_beats + int(rng.poisson(traits.early_beats)),
        ectopic_size=look.ectopic_size * own.ectopic_size,
        ectopic_beats=int(np.ceil((look.ectopic_beats or 0) * (1.0 - 0.6 * h * rare))),
        coupling=(0.76, 0.92) if traits.late else (0.55 - 0.05 * h * coupling, 0.68 + 0.1 * h * coupling),
        fusion=0.7 * h * fused if traits.late else 0.0,
    )


def subtle_setting(traits: Traits, setting: Setting, rng: np.random.Generator) -> Setting:
    """The setting with worse placed electrodes, more knocks, as wide as a beat, and the patient's tremor."""
    knocks = setting.knocks + int(rng.poisson(0.8 * traits.hardness))
    return replace(setting, placement=setting.placement + 0.03 * traits.hardness, knocks=knocks, tremor=traits.tremor)
