"""Input contracts of published encoders: how their authors make what an encoder reads, as section `input` says it.

A recording is brought to the rate of each by the method that its authors use; those who take recordings of one rate
alone get them by SciPy's polyphase filter.
"""

from __future__ import annotations

from typing import Any

from ecglfm.config import LEADS

_TWELVE = list(LEADS)
#: As MIMIC-IV-ECG has them: aVF before aVL.
_MIMIC = [*LEADS[:4], LEADS[5], LEADS[4], *LEADS[6:]]
_EIGHT = ["I", "II", *LEADS[6:]]
_TO_500 = {"step": "resample", "rate": 500}

_MERL: dict[str, Any] = {
    "leads": _MIMIC,
    "sampling_rate": 500,
    "unit": "0 to 1 of the recording",
    "record": [_TO_500, {"step": "pad", "seconds": 10.0}, {"step": "min_max", "over": "all"}],
    "window_seconds": 10.0,
}

#: Section `input` by method; its importer hands it on.
CONTRACTS: dict[str, dict[str, Any]] = {
    # Of its repository's dataset.py and util.py, which the authors say is what the weights want.
    "ecg-founder": {
        "leads": _TWELVE,
        "sampling_rate": 500,
        "unit": "standardised, all leads together",
        "record": [
            _TO_500,
            {"step": "notch", "frequency": 50.0, "quality": 30.0},
            {"step": "butterworth", "low": 0.67, "high": 40.0, "order": 4, "form": "ba"},
            {"step": "median_baseline", "seconds": [0.4]},
            {"step": "standardize", "over": "all", "epsilon": 1e-8},
        ],
        "window_seconds": 10.0,
    },
    "hubert-ecg": {
        "leads": _TWELVE,
        "sampling_rate": 100,
        "unit": "-1 to 1 of each lead",
        "record": [
            _TO_500 | {"method": "fourier"},
            {"step": "fir", "low": 0.05, "high": 47.0, "taps": 151},
            {"step": "min_max", "low": -1},
        ],
        "window_seconds": 5.0,
        "window": [{"step": "decimate", "factor": 5, "joined": True}],
    },
    "ecg-fm": {
        "leads": _TWELVE,
        "sampling_rate": 500,
        "unit": "standardised, each lead",
        "record": [_TO_500 | {"method": "linear"}, {"step": "standardize"}],
        "window_seconds": 5.0,
    },
    "ecg-jepa": {
        "leads": _EIGHT,
        "sampling_rate": 250,
        "unit": "mV",
        "record": [{"step": "resample", "rate": 250, "method": "fourier"}],
        "window_seconds": 10.0,
    },
    "st-mem": {
        "leads": _TWELVE,
        "sampling_rate": 250,
        "unit": "standardised, all leads together",
        "record": [{"step": "resample", "rate": 250, "method": "fourier"}],
        "window_seconds": 9.0,
        "window": [
            {"step": "butterworth", "low": 0.67, "order": 5},
            {"step": "butterworth", "high": 40.0, "order": 5},
            {"step": "standardize", "over": "all"},
        ],
    },
    "merl-resnet": _MERL,
    "merl-vit": _MERL,
    # Its authors resample with resampy, whose filter is near SciPy's, and which knows nothing beyond the ends, either.
    "ecg-cpc": {
        "leads": _TWELVE,
        "sampling_rate": 240,
        "unit": "mV",
        "record": [{"step": "resample", "rate": 240, "ends": "zeros"}],
        "window_seconds": 10.0,
    },
    "s4-supervised": {
        "leads": _TWELVE,
        "sampling_rate": 100,
        "unit": "mV",
        "record": [{"step": "resample", "rate": 100, "ends": "zeros"}],
        "window_seconds": 2.5,
    },
    # In MUSE's unit, without a filter before every other sample is taken; bounds and numbers are its repository's.
    "echonext": {
        "leads": _TWELVE,
        "sampling_rate": 250,
        "unit": "standardised, each lead by fixed numbers",
        "record": [
            {"step": "resample", "rate": 250, "method": "every"},
            {"step": "scale", "per_millivolt": 1 / 0.00488, "round": True},
            {"step": "limb_leads"},
            {"step": "median_baseline", "seconds": [0.2, 0.6]},
            {
                "step": "constants",
                "lower": [-140.0, -206.0, -324.0, -247.0, -153.0, -249.0, -369.0, -522.0, -554.0, -411.0, -290.0, -209],
                "upper": [287.0, 297.0, 236.0, 118.5, 270.0, 245.5, 219.0, 297.0, 366.0, 450.0, 451.0, 396.0],
                "mean": [
                    5.438902932045533, 4.386144027595723, -0.8828521117626768, -4.901228423594343, 3.179303315626078,
                    1.718962497412901, -4.3853678923766815, -1.4991789389444636, -0.2390101635046568, 3.622168549154881,
                    5.396823627457744, 5.660982479475681,
                ],
                "deviation": [
                    32.4283237955487, 31.37262367036232, 30.155474930762434, 28.126380180199195, 27.097711990189254,
                    26.148743373957526, 37.739210938823206, 52.792504469040814, 56.75138860280555, 49.90223860158139,
                    45.001427330308026, 39.06606103398455,
                ],
            },
        ],
        "window_seconds": 10.0,
    },
    # Zeros to 4,096 samples, half of them in front, as CODE-15 % has them.
    "code": {
        "leads": _TWELVE,
        "sampling_rate": 400,
        "unit": "mV",
        "record": [
            {"step": "resample", "rate": 400, "method": "fourier"},
            {"step": "pad", "seconds": 10.24, "where": "both"},
        ],
        "window_seconds": 10.24,
    },
}  # fmt: skip
