"""What is harmless in the XML of GE MUSE and of GE CardioSoft, element by element.

Names and meanings as in `ecglfm.sources.devices.muse_xml`, and as public readers of UK Biobank's field 20205 have them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ecglfm.app.deidentification.cleaning import UKB
from ecglfm.app.deidentification.xml_tree import Spec
from ecglfm.records import Record
from ecglfm.sources.devices import read_cardiosoft, read_muse
from ecglfm.sources.inside import Root


def _numbers(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), "number")


_MEASUREMENTS = _numbers(
    "SystolicBP DiastolicBP VentricularRate AtrialRate PRInterval QRSDuration QTInterval QTCorrected PAxis RAxis TAxis "
    "QRSCount QOnset QOffset POnset POffset TOnset TOffset ECGSampleBase ECGSampleExponent QTcFrederica QTcFramingham "
    "QTDispersion"
)
_DIAGNOSIS = {"Modality": "word", "DiagnosisStatement": {"StmtFlag": "word", "StmtText": "text"}}
_LEAD_DATA = {
    **_numbers("LeadByteCountTotal LeadTimeOffset LeadSampleCountTotal LeadAmplitudeUnitsPerBit LeadHighLimit "
               "LeadLowLimit LeadOffsetFirstSample FirstSampleBaseline LeadSampleSize"),
    "LeadAmplitudeUnits": "word", "LeadID": "lead", "LeadOff": "word", "BaselineSway": "word",
    "LeadDataCRC32": "checksum", "ExcessiveACNoise": "word", "MuscleNoise": "word", "WaveFormData": "samples",
}  # fmt: skip
MUSE: Spec = {
    "PatientDemographics": {
        "PatientID": "patient", "PatientAge": "age", "AgeUnits": "unit", "Gender": "sex", "Race": "word",
        **_numbers("HeightCM WeightKG HeightIN WeightLBS"),
    },
    "TestDemographics": {
        "DataType": "word", "AcquisitionDate": "date", "AcquisitionTime": "time", "Status": "word", "Priority": "word",
    },
    "RestingECGMeasurements": _MEASUREMENTS,
    "OriginalRestingECGMeasurements": _MEASUREMENTS,
    "Diagnosis": _DIAGNOSIS,
    "OriginalDiagnosis": _DIAGNOSIS,
    "QRSTimesTypes": {"QRS": _numbers("Number Type Time"), **_numbers("GlobalRR QTRGGR")},
    "IntervalMeasurements": {
        **_numbers("IntervalMeasurementTimeResolution IntervalMeasurementAmplitudeResolution"),
        "MeasuredInterval": {
            "IntervalMeasurementLeadID": "lead",
            **{f"IntervalMeasurement{wave}{end}": "number" for wave in "PQT" for end in ("Onset", "Offset")},
        },
    },
    "AmplitudeMeasurements": {
        "AmplitudeMeasurementMode": "word",
        "MeasuredAmplitude": {
            "AmplitudeMeasurementLeadID": "lead", "AmplitudeMeasurementWaveID": "wave",
            **{f"AmplitudeMeasurement{what}": "number" for what in ("Peak", "Start", "Duration", "Area")},
        },
    },
    "Waveform": {
        "WaveformType": "word", "SampleType": "word", "ACFilter": "word",
        **_numbers("WaveformStartTime NumberofLeads SampleBase SampleExponent HighPassFilter LowPassFilter"),
        "LeadData": _LEAD_DATA,
    },
}  # fmt: skip

_WAVES = _numbers(
    "VentricularRate PQInterval PDuration QRSDuration QTInterval QTCInterval QTDispersion QTDispersionBazett "
    "RRInterval PPInterval PAxis RAxis QRSAxis TAxis QRSNum POnset POffset QOnset QOffset TOffset "
    "SokolovLVHIndex MeanQRSNum"
)
_ROWS = [f"{wave}{what}" for wave in ("P", "Q", "R", "S", "J", "T", "R1", "S1") for what in ("Amplitude", "Duration")]
_STRIP = {
    **dict.fromkeys(("NumberOfLeads", "ChannelSampleCountTotal", "ArrhythmiaResults"), "number"),
    "SampleRate": "number@units", "Resolution": "number@units", "WaveformData": "series@lead",
}  # fmt: skip
CARDIOSOFT: Spec = {
    "ObservationType": "word",
    "ObservationDateTime": "moment",
    "PatientInfo": {"PID": "patient", "Age": "age@units", "Gender": "sex", "Race": "word", "Height": "number@units",
                    "Weight": "number@units", "PaceMaker": "word"},
    "FilterSetting": {**dict.fromkeys(("CubicSpline", "Filter50Hz", "Filter60Hz"), "word"),
                      "LowPass": "number@units", "HighPass": "number@units"},
    "StripData": _STRIP,
    "Strip": {"StripData": _STRIP},
    "RestingECGMeasurements": {
        **dict.fromkeys(_WAVES, "number@units"),
        "MeasurementTable": {"LeadOrder": "leads", **dict.fromkeys(_ROWS, "row")},
        "MedianSamples": {**_STRIP, "FirstValid": "number", "LastValid": "number"},
    },
    "Interpretation": {"Diagnosis": {"DiagnosisText": "text"}, "Conclusion": {"ConclusionText": "text"}},
}  # fmt: skip


class Vendor(NamedTuple):
    """A kind of XML: what is harmless in it, which element has the patient, and how it is read."""

    title: str
    spec: Spec
    patient: str
    read: Callable[[Root, str], Record]

    def patient_of(self, found: Element, path: str) -> str:
        """The patient that the file names; one of UK Biobank is named by its file. Empty where neither does."""
        match = UKB.fullmatch(PurePosixPath(path).stem)
        return match["eid"] if match else (found.findtext(self.patient) or "").strip()


#: By the name of the root element.
VENDORS = {
    "RestingECG": Vendor("MUSE XML", MUSE, "PatientDemographics/PatientID", read_muse),
    "CardiologyXML": Vendor("CardioSoft XML", CARDIOSOFT, "PatientInfo/PID", read_cardiosoft),
}
