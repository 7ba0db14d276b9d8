"""DICOM waveforms, PS3.3 C.10.9, with pydicom: 12-Lead and General ECG, or any other that has leads.

A file has groups of channels. Those of originality ORIGINAL are the recording; DERIVED ones (an average beat) are not,
and a cart need not label them. A value is sample x sensitivity x correction + baseline, in the channel's unit; the
value of `WaveformPaddingValue` is a missing sample. Leads go by their codes, in MDC's numbers (`2:1`), those of
SCP-ECG (`5.6.3-9-1`) or MDC's names, and else by the words beside the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from ecglfm.config import LEADS
from ecglfm.extras import need
from ecglfm.records import MAX_SAMPLES, Record, RecordError, normalize_lead
from ecglfm.sources.devices.vendor.contents import Contents, make_head
from ecglfm.sources.units import MILLIVOLTS, unit_key

#: PS3.16 CID 3001: numbers of leads, the same in MDC and SCP-ECG.
_LEADS = {1: "I", 2: "II", 3: "V1", 4: "V2", 5: "V3", 6: "V4", 7: "V5", 8: "V6",
          61: "III", 62: "aVR", 63: "aVL", 64: "aVF"}  # fmt: skip
_NUMBERED = ("2:", "5.6.3-9-")
#: Waveform Bits Allocated and Sample Interpretation; companded telephone codes (MB, AB) no ECG has.
_SAMPLES = {(8, "SB"): "i1", (8, "UB"): "u1", (16, "SS"): "i2", (16, "US"): "u2", (32, "SL"): "i4", (32, "UL"): "u4"}
#: Elements that are kept; pictures and private elements are passed over.
_WANTED = ("SpecificCharacterSet", "PatientID", "PatientAge", "PatientSex", "AcquisitionDateTime", "Manufacturer",
           "ManufacturerModelName", "Modality", "WaveformSequence")  # fmt: skip
_DEFLATED, _BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
#: What begins an item of a sequence, in either order of bytes, and how many are read: each takes eight bytes in the
#: file and kilobytes of memory. A recording has some hundred.
_ITEM, MAX_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"), 1 << 14
_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def read_dicom(file: BinaryIO, path: str) -> Contents:
    """Read a DICOM file.

    Parameters
    ----------
    file : binary file
        At its beginning.
    path : str
        For messages.

    Raises
    ------
    RecordError
        `signal_missing` (a picture), `signal_truncated`, `signal_too_long`, `signal_empty`, `header_invalid`,
        `format_unsupported` (deflated, companded).
    Exception
        Of pydicom's, where the file is damaged.
    """
    need("pydicom", extra="formats", what="a DICOM file")
    import pydicom
    from pydicom.filereader import read_dataset, read_preamble

    read_preamble(file, force=False)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, *_: tag.group != 2)
    syntax = str(meta.get("TransferSyntaxUID", ""))
    if syntax == _DEFLATED:  # a few bytes unpack to any number
        raise RecordError("format_unsupported", f"{path}: a deflated DICOM file; save it as Explicit VR Little Endian")
    file.seek(0)
    if file.read().count(_ITEM[syntax == _BIG_ENDIAN]) > MAX_ITEMS:
        raise RecordError("header_invalid", f"{path}: more than {MAX_ITEMS} items in its sequences")
    file.seek(0)
    found = pydicom.dcmread(file, specific_tags=list(_WANTED))
    return Contents(_record(found, path, ">" if syntax == _BIG_ENDIAN else "<"), _head(found, path))


def _head(found: Any, path: str) -> Any:
    age = str(found.get("PatientAge") or "").strip()
    number, unit = (age[:-1], age[-1:]) if age[-1:] in _YEARS else (age, "Y")
    when = str(found.get("AcquisitionDateTime") or "")
    return make_head(
        path=path,
        patient=str(found.get("PatientID") or ""),
        age=float(number) * _YEARS[unit] if number.isascii() and number.isdigit() else None,
        sex=str(found.get("PatientSex") or ""),
        native={
            "format": "DICOM",
            "acquired": _time(when),
            "manufacturer": found.get("Manufacturer"),
            "model": found.get("ManufacturerModelName"),
        },
    )


def _time(text: str) -> str:
    """`2013-01-25 10:59:19` from a DICOM date and time; empty where it is shorter than that."""
    digits = text[:14]
    if len(digits) < 14 or not digits.isdigit():
        return ""
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}:{digits[12:14]}"


class _Group:
    """One group of channels of the recording."""

    def __init__(self, group: Any, order: str, path: str) -> None:
        self.n_channels = int(group.get("NumberOfWaveformChannels") or 0)
        self.n_samples = int(group.get("NumberOfWaveformSamples") or 0)
        self.rate = float(group.get("SamplingFrequency") or 0)
        self.begins = float(group.get("MultiplexGroupTimeOffset") or 0)
        channels = list(group.get("ChannelDefinitionSequence") or [])
        if not self.rate > 0 or self.n_channels < 1 or len(channels) != self.n_channels:
            raise RecordError(
                "header_invalid", f"{path}: {len(channels)} of {self.n_channels} channels at {self.rate:g} Hz"
            )
        self.leads = tuple(_lead(channel, number) for number, channel in enumerate(channels, 1))
        self.signal, self.foreign = self._signal(group, channels, order, path)

    def _signal(self, group: Any, channels: list[Any], order: str, path: str) -> tuple[np.ndarray, dict[int, str]]:
        kind = _SAMPLES.get((int(group.get("WaveformBitsAllocated") or 0), str(group.WaveformSampleInterpretation)))
        if kind is None:
            raise RecordError("format_unsupported", f"{path}: samples of {group.WaveformSampleInterpretation}")
        size = self.n_channels * self.n_samples
        if not 0 < size <= MAX_SAMPLES:
            raise RecordError("signal_too_long" if size else "signal_empty", f"{path}: {size} samples")
        content, dtype = bytes(group.WaveformData), np.dtype(order + kind)
        if len(content) < size * dtype.itemsize:
            raise RecordError("signal_truncated", f"{path}: {len(content)} of {size * dtype.itemsize} bytes")
        stored = np.frombuffer(content, dtype, count=size).reshape(self.n_samples, self.n_channels)
        signal, foreign = np.full(stored.shape, np.nan), {}
        for column, channel in enumerate(channels):
            unit, (factor, zero) = _unit(channel), _scale(channel)
            if unit_key(unit) in MILLIVOLTS and factor:
                signal[:, column] = (stored[:, column] * factor + zero) * MILLIVOLTS[unit_key(unit)]
            else:
                foreign[column] = unit
        padding = group.get("WaveformPaddingValue")
        if isinstance(padding, bytes) and len(padding) >= dtype.itemsize:
            signal[stored == np.frombuffer(padding, dtype, count=1)[0]] = np.nan
        return signal, foreign


def _scale(channel: Any) -> tuple[float, float]:
    """Factor of a channel's samples, and what is added."""
    correction = channel.get("ChannelSensitivityCorrectionFactor")
    factor = float(channel.get("ChannelSensitivity") or 0) * float(1 if correction in (None, "") else correction)
    return factor, float(channel.get("ChannelBaseline") or 0)


def _codes(item: Any, name: str) -> Iterator[str]:
    """Value and meaning of the code of an item."""
    for code in (item.get(name) or [])[:1]:
        yield str(code.get("CodeValue") or code.get("LongCodeValue") or "").strip()
        yield str(code.get("CodeMeaning") or "").strip()


def _unit(channel: Any) -> str:
    texts = [text for text in _codes(channel, "ChannelSensitivityUnitsSequence") if text]
    return next((text for text in texts if unit_key(text) in MILLIVOLTS), " ".join(texts) or "no unit")


def _lead(channel: Any, number: int) -> str:
    value, meaning = [*_codes(channel, "ChannelSourceSequence"), "", ""][:2]
    for start in _NUMBERED:
        digits = value.removeprefix(start)
        if digits != value and digits.isdigit() and len(digits) < 4 and int(digits) in _LEADS:
            return _LEADS[int(digits)]
    names = [value, meaning.split(",")[0].split("(")[0], str(channel.get("ChannelLabel") or "")]
    leads = [normalize_lead(name) for name in names]
    return next((lead for lead in leads if lead in LEADS), next(filter(None, (meaning, *leads)), f"channel {number}"))


def _record(found: Any, path: str, order: str) -> Record:
    sequence = found.get("WaveformSequence") or []
    groups = [_Group(one, order, path) for one in sequence if str(one.get("WaveformOriginality", "")) != "DERIVED"]
    if not groups:
        what = "only averaged beats" if len(sequence) else f"no waveform, modality {found.get('Modality') or 'unknown'}"
        raise RecordError("signal_missing", f"{path}: a DICOM file of {what}")
    if len({(group.rate, group.n_samples, group.begins) for group in groups}) > 1:
        whole = [group for group in groups if set(LEADS) <= set(group.leads)]
        if len(whole) != 1:
            parts = ", ".join(f"{group.n_samples} at {group.rate:g} Hz from {group.begins:g} ms" for group in groups)
            raise RecordError("header_invalid", f"{path}: leads in groups of samples that do not go together: {parts}")
        groups = whole
    foreign: dict[int, str] = {}
    leads = [lead for group in groups for lead in group.leads]
    for group in groups:
        before = sum(one.n_channels for one in groups[: groups.index(group)])
        foreign |= {before + column: unit for column, unit in group.foreign.items()}
    signal = np.concatenate([group.signal for group in groups], axis=1)
    return Record(signal, tuple(leads), groups[0].rate, foreign=foreign)
