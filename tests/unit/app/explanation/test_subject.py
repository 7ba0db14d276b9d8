"""What a file says of itself stands above the paper, and who measured the intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecglfm.app.explanation import look_at
from ecglfm.app.prediction import FromFiles
from ecglfm.config import UserError
from tests.unit.evaluation.beats.hearts import heart
from tests.unit.sources import vendor_file


def test_a_muse_file_has_patient_and_the_machines_intervals(odd_inputs: Path):
    subject = look_at(odd_inputs / "muse/32_leadoff.xml", FromFiles())
    assert subject.lines() == [
        "patient 00000000, male, 11 years    01-01-2024 10:35:17    III aVR aVL aVF computed from other limb leads",
        "97/min    PR 122    QRS 74    QT 328    QTc 417 ms    axis 63°    (by the machine)",
    ]
    assert subject.shown.signal.shape[1] == 12


def test_a_devices_file_says_whose_it_is_and_what_the_machine_measured(tmp_path: Path):
    content = vendor_file.mortara(vendor_file.wave(500))
    cycle = b'<TYPICAL_CYCLE PR_DURATION="160" QRS_DURATION="90" QT="400" BITS="16" UNITS_PER_MV="200"/>'
    (tmp_path / "a").write_bytes(content.replace(b"</ECG>", cycle + b"</ECG>"))
    (tmp_path / "b").write_bytes(vendor_file.dicom([vendor_file.group(vendor_file.wave(500))]))
    assert look_at(tmp_path / "a", FromFiles()).lines() == [
        "patient P7, male, 61 years    2011-02-03 04:05:06",
        "70/min    PR 160    QRS 90    QT 400    QTc – ms    axis –    (by the machine)",
    ]
    assert look_at(tmp_path / "b", FromFiles()).lines()[0] == "patient P7, male, 61 years    2011-02-03 04:05:06"


@pytest.mark.parametrize(
    ("stated", "shown"), [("004M", "4 months"), ("023M", "23 months"), ("010D", "under a month"), ("012M", "1 year"), ("024M", "2 years")]
)  # fmt: skip
def test_an_infants_age_is_in_months(tmp_path: Path, stated: str, shown: str):
    content = vendor_file.dicom([vendor_file.group(vendor_file.wave(500))])
    assert content.count(b"061Y") == 1
    (tmp_path / "b").write_bytes(content.replace(b"061Y", stated.encode()))
    assert look_at(tmp_path / "b", FromFiles()).patient == f"patient P7, male, {shown}"


def test_a_wfdb_header_has_age_and_sex_and_intervals_are_measured(tmp_path: Path):
    wfdb.wrsamp("a", fs=500, units=["mV"] * 2, sig_name=["I", "II"], p_signal=heart(leads=2), fmt=["16"] * 2,
                adc_gain=[1000] * 2, baseline=[0] * 2, comments=["Age: 57", "Sex: Female"], write_dir=str(tmp_path))  # fmt: skip
    subject = look_at(tmp_path / "a.hea", FromFiles())
    first, second = subject.lines()
    assert first == "female, 57 years    III aVR aVL aVF computed from other limb leads"
    assert second.startswith("75/min    PR ")
    assert second.endswith("(measured by ecglfm; QTc of Bazett)")


def test_one_lead_stays_one_and_an_unknown_one_is_shown(tmp_path: Path):
    for name in ("I", "ECG"):
        wfdb.wrsamp("b", fs=500, units=["mV"], sig_name=[name], p_signal=heart(leads=1), fmt=["16"],
                    adc_gain=[1000], baseline=[0], write_dir=str(tmp_path))  # fmt: skip
        subject = look_at(tmp_path / "b", FromFiles())
        assert subject.shown.leads == (name,)
        assert subject.lines()[0] == "patient not stated"
        assert subject.intervals.rate == 75
        assert np.isfinite(subject.shown.signal).all()


def test_what_is_no_single_recording_is_a_sentence(tmp_path: Path):
    for name in ("a", "b"):
        wfdb.wrsamp(name, fs=500, units=["mV"], sig_name=["I"], p_signal=heart(leads=1), fmt=["16"],
                    adc_gain=[1000], baseline=[0], write_dir=str(tmp_path))  # fmt: skip
    with pytest.raises(UserError, match=r"2 recordings; name one of them, such as .*a$"):
        look_at(tmp_path, FromFiles())
    (tmp_path / "a.dat").write_bytes(b"12")
    with pytest.raises(UserError, match="signal_truncated"):
        look_at(tmp_path / "a", FromFiles())
