"""One recording of a synthetic patient: what the heart shows that day, how it is recorded, and what is said of it.

At difficulty 0 a patient shows all of a condition in every recording, in a quiet room, and the tables say so. At
difficulty 1 conditions are slight or plain, come and go, have mimics among the healthy, and readers err; in between
everything is in between, but for what `subtle.py` adds above 0.5. docs/demo.md has the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ecglfm.sources.synthesis.look import Look
from ecglfm.sources.synthesis.patient import Patient, Population, draw_patient, generator
from ecglfm.sources.synthesis.setting import Setting, draw_setting
from ecglfm.sources.synthesis.subtle import Traits, draw_traits, subtle_look, subtle_setting

#: Readers at difficulty 1: share of findings that they miss (of infarctions of women twice that), and of recordings
#: without a finding that get one; a machine (the MIMIC-IV-ECG layout) errs twice as often.
MISSED, OVERREAD = 0.05, 0.01
_CHRONIC = ("CLBBB", "AMI", "IMI")
_OVERREAD = ("AFIB", "CLBBB", "AMI", "IMI")
SITES = 3
#: Difficulty above which `subtle.py` has a part in it.
SUBTLE = 0.5


@dataclass(frozen=True)
class Visit:
    """One recording of a patient.

    Attributes
    ----------
    heart : Patient
        With the condition, ectopy and heart rate of the day: the truth.
    setting : Setting
        How it is recorded.
    site : int or None
        Where, 0 to 2; None: nowhere that matters.
    condition : str
        What is said of it, a key of `PREVALENCE`.
    ectopy : bool
        Whether premature ventricular beats are spoken of.
    days : float
        Since the first day of the database.
    age : float
        Of the patient that day, years; the heart's is that of the first recording.
    """

    heart: Patient
    setting: Setting
    site: int | None
    condition: str
    ectopy: bool
    days: float
    age: float


@dataclass(frozen=True)
class _Course:
    """What a patient's illness is like over the years, at some difficulty.

    Attributes
    ----------
    share : float
        How much of a chronic condition shows in the waves.
    injury : float
        Share of an infarction's ST elevation.
    burden : float
        Share of recordings with the paroxysmal arrhythmia.
    block_rate : float
        Heart rate above which the left bundle is blocked, per minute.
    onset : int
        Number of the first recording with the chronic condition.
    mimic : tuple of (condition, share)
        What shows of a chronic condition that the patient does not have: a scar-like axis, a slow QRS.
    ectopic_beats, early_beats : float
        Mean number in a recording, ventricular and atrial.
    ectopic_size : float
        Size of premature ventricular beats.
    site : int
        Where the patient goes.
    """

    share: float
    injury: float
    burden: float
    block_rate: float
    onset: int
    mimic: tuple[tuple[str, float], ...]
    ectopic_beats: float
    early_beats: float
    ectopic_size: float
    site: int


def _draw_course(patient: Patient, rng: np.random.Generator, d: float) -> _Course:
    share, burden, mimic, injury, size = rng.random(5).tolist()
    healthy = patient.condition not in _CHRONIC
    return _Course(
        share=1.0 - d * 0.65 * share,
        injury=1.0 - d * 0.8 * injury,
        burden=1.0 if rng.random() < 0.5 else 1.0 - d * (0.1 + 0.5 * burden),
        block_rate=patient.heart_rate * rng.uniform(0.9, 1.05) if rng.random() < 0.5 * d else 0.0,
        onset=int(rng.integers(1, 3)) if rng.random() < 0.25 * d else 0,
        mimic=((str(rng.choice(_CHRONIC)), 0.1 + 0.3 * mimic),) if rng.random() < 0.4 * d and healthy else (),
        ectopic_beats=0.4 + 1.6 * np.exp(0.7 * rng.standard_normal()),
        early_beats=2.0 * d * (rng.random() < 0.3),
        ectopic_size=1.0 - d * 0.5 * size,
        site=int(rng.choice(SITES, p=[0.4, 0.3, 0.3] if patient.condition == "NORM" else [0.3, 0.25, 0.45])),
    )


def draw_visit(population: Population, number: int, record: int, *, difficulty: float) -> Visit:
    """Draw recording number `record` of a patient: no other patient, nor a later recording, changes it."""
    patient, days = draw_patient(population, number, difficulty=difficulty), _days(population, number, record)
    age = patient.age + (days - _days(population, number, 0)) // 365.25
    rng = generator(*population, number, record, 2)
    if difficulty == 0.0:
        quiet = draw_setting(0, difficulty=0.0, rng=rng)
        return Visit(patient, quiet, None, patient.condition, patient.ectopy, days, age)
    course = _draw_course(patient, generator(*population, number, 0, 1), difficulty)
    traits = None
    if difficulty > SUBTLE:
        hardness = (difficulty - SUBTLE) / (1.0 - SUBTLE)
        traits = draw_traits(patient, generator(*population, number, 0, 5), hardness=hardness)
    heart = _heart(population, patient, course, record, difficulty, rng, traits)
    condition, ectopy = _told(heart, rng, difficulty * (2.0 if population[0] else 1.0))
    setting = draw_setting(course.site, difficulty=difficulty, rng=rng)
    if traits is not None:
        setting = subtle_setting(traits, setting, generator(*population, number, record, 6))
    return Visit(heart, setting, course.site, condition, ectopy, days, age)


def _heart(
    population: Population,
    patient: Patient,
    course: _Course,
    record: int,
    d: float,
    rng: np.random.Generator,
    traits: Traits | None,
) -> Patient:
    """The patient's heart as it is that day."""
    pace = np.exp(0.08 * d * rng.standard_normal())
    condition = patient.condition
    if condition in {"AFIB", "SVTAC"}:
        there = rng.random() < course.burden
    else:
        there = condition not in _CHRONIC or (
            record >= course.onset and (condition != "CLBBB" or patient.heart_rate * pace > course.block_rate)
        )
    condition = condition if there else "NORM"
    beats = int(rng.poisson(course.ectopic_beats)) if patient.ectopy else 0
    look = Look(
        shares=((condition, course.share if condition in _CHRONIC else 1.0), *course.mimic),
        injury=course.injury,
        f_waves=1.0 + d * rng.uniform(-0.6, 0.6),
        irregularity=0.24 - d * rng.uniform(0.0, 0.1),
        ectopic_size=course.ectopic_size,
        ectopic_beats=beats,
        early_beats=int(rng.poisson(course.early_beats)),
    )
    if traits is not None:
        look = subtle_look(traits, condition, look, generator(*population, patient.number, record, 3))
    heart = draw_patient(population, patient.number, difficulty=d, shown=(condition, beats > 0, look))
    rate = heart.heart_rate
    if traits is not None and condition == "AFIB":
        sinus = draw_patient(population, patient.number, difficulty=d, shown=("NORM", False, look)).heart_rate
        rate += (1.0 if look.episode else traits.controlled) * (sinus - rate)
    return replace(heart, heart_rate=rate * pace)


def _told(heart: Patient, rng: np.random.Generator, error: float) -> tuple[str, bool]:
    """What a reader says of condition and ectopy, who errs `error` times as often as at difficulty 1."""
    missed, overread = error * MISSED, error * OVERREAD
    chance, ectopic = rng.random(2).tolist()
    other = str(rng.choice(_OVERREAD))
    woman = heart.sex == "female" and heart.condition in {"AMI", "IMI"}
    if heart.condition == "NORM":
        condition = other if chance < 4 * overread else "NORM"
    else:
        condition = "NORM" if chance < missed * (2.0 if woman else 1.0) else heart.condition
    return condition, bool(heart.ectopy and ectopic >= missed) or (not heart.ectopy and ectopic < overread)


def _days(population: Population, number: int, record: int) -> float:
    """When a recording was made: the first within ten years, the others an hour to three years after the last one."""
    days = float(generator(*population, number, 0, 4).uniform(0.0, 3650.0))
    for later in range(1, record + 1):
        days += float(np.exp(generator(*population, number, later, 4).uniform(np.log(0.05), np.log(1200.0))))
    return days
