"""GE MUSE XML: samples, derived leads and heads of files with known content, and XML that must not be expanded."""

from __future__ import annotations

import logging
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import LEADS, SourceConfig, SourceSlice, UserError
from ecglfm.data.ingest import run_ingest
from ecglfm.records import RecordError
from ecglfm.sources import open_source
from ecglfm.sources.base import Source, write_index
from ecglfm.sources.devices.muse_xml import read_muse
from ecglfm.sources.inside import Root
from tests.unit.sources.muse_file import LEADS as EIGHT
from tests.unit.sources.muse_file import lead, muse, rhythm, statements, waveform

SAMPLES = {name: np.random.default_rng(number).integers(-800, 800, 5000).tolist() for number, name in enumerate(EIGHT)}
MEDIAN = waveform("Median", [lead(name, list(range(600))) for name in EIGHT])
RHYTHM = rhythm(SAMPLES)


def config_of(root: Path, **more: object) -> SourceSlice:
    return SourceSlice(source="g", config=SourceConfig(kind="muse_xml", root=str(root), **more))


def source(root: Path, **more: object) -> Source:
    return open_source(config_of(root, **more))


def read(folder: Path, content: bytes):
    (folder / "x.xml").write_bytes(content)
    return read_muse(Root(folder), "x.xml")


def ingest(config: SourceSlice, folder: Path) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Index and ingest; checks that each row of the index is a record or a dropped one."""
    write_index(folder / "g.parquet", open_source(config).pieces())
    output = folder / "out" / "000.npy"
    run_ingest(config, folder / "g.parquet", 0, 1, output)
    records = pd.read_parquet(output.with_suffix(".parquet"))
    ledger = pd.read_parquet(output.with_suffix(".ledger.parquet"))
    dropped = ledger[ledger.action == "dropped"]
    index = pd.read_parquet(folder / "g.parquet")
    assert sorted([*records.record_id, *dropped.record_id]) == sorted(index.record_id)
    return np.load(output), records, dropped


# ---- samples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys", [{"leads": {f"C{k}": f"V{k}" for k in range(1, 7)}}, {"file_leads": EIGHT}], ids=["leads", "file_leads"]
)
def test_leads_are_named_by_the_config(tmp_path: Path, keys: dict):
    (tmp_path / "root").mkdir()
    samples = {name.replace("V", "C"): values for name, values in SAMPLES.items()}
    (tmp_path / "root" / "x.xml").write_bytes(muse(rhythm(samples)))
    signals, records, _ = ingest(config_of(tmp_path / "root", **keys), tmp_path)
    expected = read(tmp_path, muse(RHYTHM)).microvolts()
    np.testing.assert_array_equal(signals, expected.signal)
    assert records.lead_mask.tolist() == [0xFFF]


def test_files_behind_links_are_found_where_they_are_followed(tmp_path: Path):
    for folder in ("root", "outside"):
        (tmp_path / folder).mkdir()
    (tmp_path / "outside" / "x.xml").write_bytes(muse(RHYTHM))
    (tmp_path / "root" / "archive").symlink_to(tmp_path / "outside")
    _, records, dropped = ingest(config_of(tmp_path / "root", links="follow"), tmp_path)
    assert records.record_id.tolist() == ["g/archive/x"]
    assert dropped.empty
    with pytest.raises(UserError, match=r"no \.xml file in it"):
        source(tmp_path / "root").index()


def test_samples_leads_and_rate(tmp_path: Path):
    record = read(tmp_path, muse(MEDIAN + RHYTHM))
    assert record.leads == EIGHT
    assert record.sampling_rate == 500
    assert record.signal.shape == (5000, 8)
    for column, name in enumerate(EIGHT):
        np.testing.assert_allclose(record.signal[:, column], np.array(SAMPLES[name]) * 0.00488, rtol=1e-12)


def test_four_leads_are_derived(tmp_path: Path):
    """By hand: I = 2, II = 3 steps of 1 mV."""
    samples = {key: [0] for key in EIGHT} | {"I": [2], "II": [3]}
    leads = [lead(name, values, step="1000") for name, values in samples.items()]
    standard = read(tmp_path, muse(waveform("Rhythm", leads))).standard()
    found = dict(zip(LEADS, standard.signal[0].tolist(), strict=True))
    assert [found[name] for name in LEADS[:6]] == [2, 3, 1, -2.5, 0.5, 2]
    assert standard.lead_mask == 0xFFF
    assert standard.derived == ("III", "aVR", "aVL", "aVF")


@pytest.mark.parametrize(("rate", "exponent", "hertz"), [("250", "0", 250), ("5", "2", 500), ("5000", "-1", 500)])
def test_rate(tmp_path: Path, rate: str, exponent: str, hertz: float):
    assert read(tmp_path, muse(rhythm(SAMPLES, rate=rate, exponent=exponent))).sampling_rate == pytest.approx(hertz)


def test_extremes_and_negative_samples(tmp_path: Path):
    record = read(tmp_path, muse(rhythm({key: [-32768, -1, 0, 1, 32767] for key in EIGHT})))
    np.testing.assert_allclose(record.signal[:, 0], [-159.90784, -0.00488, 0, 0.00488, 159.90296], rtol=1e-9)


def test_checksum_zero_or_absent_is_not_checked(tmp_path: Path):
    for crc in ("0", ""):
        leads = [lead(name, SAMPLES[name], LeadDataCRC32=crc) for name in EIGHT]
        assert read(tmp_path, muse(waveform("Rhythm", leads))).signal.shape == (5000, 8)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "UTF-16", "windows-1252"])
def test_encodings(tmp_path: Path, encoding: str):
    content = muse(RHYTHM, diagnosis=statements("Diagnosis", ("", "Anomalía de la onda T")), encoding=encoding)
    (tmp_path / "x.xml").write_bytes(content)
    assert source(tmp_path).index().report.tolist() == ["Anomalía de la onda T"]
    assert read(tmp_path, content).signal.shape == (5000, 8)


# ---- index -------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Four recordings of two known patients and an unknown one, and a file that is no XML."""
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    old = "<PatientID>P1</PatientID><PatientAge>61</PatientAge><AgeUnits>YEARS</AgeUnits><Gender>MALE</Gender>"
    baby = "<PatientID> 0042 </PatientID><PatientAge>6</PatientAge><AgeUnits>MONTHS</AgeUnits><Gender>UNKNOWN</Gender>"
    final = statements("Diagnosis", ("", "Atrial"), ("ENDSLINE", "fibrillation"), ("ENDSLINE", "Abnormal ECG"))
    machine = statements("OriginalDiagnosis", ("ENDSLINE", "Normal ECG"))
    (root / "a/10.xml").write_bytes(muse(MEDIAN + RHYTHM, patient=old, diagnosis=final + machine))
    (root / "a/9.XML").write_bytes(muse(RHYTHM, patient=old, diagnosis=machine))
    (root / "b.xml").write_bytes(muse(RHYTHM, patient=baby))
    (root / "c.xml").write_bytes(muse(RHYTHM, patient=""))
    (root / "d.xml").write_bytes(b"no XML")
    (root / "restecg.dtd").write_text("<!ELEMENT RestingECG ANY>")
    return root


def test_index_of_a_tree(database: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        index = source(database).index()
    assert index.record_id.tolist() == ["g/a/9", "g/a/10", "g/b", "g/c", "g/d"]
    assert index.path.tolist() == ["a/9.XML", "a/10.xml", "b.xml", "c.xml", "d.xml"]
    assert index.patient_id.tolist() == ["g/P1", "g/P1", "g/0042", "g/c", "g/d"]
    assert index.age.fillna(-1).tolist() == [61, 61, 0.5, -1, -1]
    assert index.sex.fillna("-").tolist() == ["male", "male", "-", "-", "-"]
    assert index.report.tolist() == ["Normal ECG", "Atrial fibrillation; Abnormal ECG", "", "", ""]
    assert index["native.AcquisitionDate"].fillna("-").tolist() == ["08-17-2020"] * 4 + ["-"]
    assert index["native.QTInterval"].fillna("-").tolist() == ["398"] * 4 + ["-"]
    assert index["native.PRInterval"].isna().all()
    assert "1 file cannot be read, the first: d.xml: xml_invalid" in caplog.text


def test_names_and_birth_dates_stay_in_the_file(database: Path):
    text = source(database).index().to_csv()
    assert "ller" not in text
    assert "1960" not in text


def test_ingest_of_a_tree(database: Path, tmp_path: Path):
    signals, records, dropped = ingest(config_of(database), tmp_path)
    assert records.record_id.tolist() == ["g/a/9", "g/a/10", "g/b", "g/c"]
    assert records.lead_mask.tolist() == [0xFFF] * 4
    assert dropped[["record_id", "reason"]].values.tolist() == [["g/d", "xml_invalid"]]
    expected = np.rint(np.array(SAMPLES["V3"]) * 4.88)
    for number in range(4):
        np.testing.assert_array_equal(signals[5000 * number : 5000 * (number + 1), LEADS.index("V3")], expected)


def test_head_is_read_without_the_waveforms(database: Path):
    """Whatever comes after the first waveform begins may be broken: the index is complete all the same."""
    content = (database / "b.xml").read_bytes()
    (database / "b.xml").write_bytes(content[: content.index(b"<Waveform>") + 10] + b"<<<")
    index = source(database).index().set_index("record_id")
    assert index.patient_id["g/b"] == "g/0042"


def test_table_is_the_index_and_files_fill_it_up(database: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path):
    (database / "table.csv").write_text(
        "file,who,age,fold\na/9.XML,Q7,44,3\nb.xml,,,1\nmissing.xml,Q8,50,1\n"
    )  # fmt: skip
    config = config_of(database, table="table.csv", columns={"path": "file", "patient_id": "who"})
    with caplog.at_level(logging.WARNING):
        index = open_source(config).index()
    assert index.record_id.tolist() == ["g/a/9", "g/b", "g/missing"]
    assert index.patient_id.tolist() == ["g/Q7", "g/0042", "g/Q8"]
    assert index.age.fillna(-1).tolist() == [44, 0.5, 50]
    assert index.sex.fillna("-").tolist() == ["male", "-", "-"]
    assert index.fold.tolist() == [3, 1, 1]
    assert "3 files are in no row of it and are not used, the first: a/10.xml" in caplog.text
    _, records, dropped = ingest(config, tmp_path)
    assert records.record_id.tolist() == ["g/a/9", "g/b"]
    assert dropped[["record_id", "reason"]].values.tolist() == [["g/missing", "signal_missing"]]


def test_folder_without_files(tmp_path: Path):
    with pytest.raises(UserError, match=r"no \.xml file in it; is `root` the right folder"):
        source(tmp_path).index()


# ---- files that are not what they should be ----------------------------------------------------------------------


def _with(**changed: str) -> bytes:
    """A file whose lead V2 has other elements."""
    leads = [lead(name, SAMPLES[name], **(changed if name == "V2" else {})) for name in EIGHT]
    return muse(waveform("Rhythm", leads))


def _cut_base64(whole: bool) -> bytes:
    text = RHYTHM[RHYTHM.index("<WaveFormData>") + 14 : RHYTHM.index("</WaveFormData>")]
    return muse(RHYTHM.replace(text, text[: 4000 if whole else 4001], 1))


def _bomb(prefix: str = "") -> bytes:
    entities = "".join(f'<!ENTITY {prefix}l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10))
    prolog = f'<!DOCTYPE RestingECG [<!ENTITY {prefix}l0 "{"ha" * 50}">{entities}]>'
    return muse(RHYTHM, patient="<PatientID>&l9;</PatientID>", prolog=prolog)


FAULTS = {
    "cut": (muse(RHYTHM)[:-3000], "xml_invalid"),
    "empty": (b"", "xml_invalid"),
    "only a head": (b'<?xml version="1.0"?>', "xml_invalid"),
    "two roots": (muse(RHYTHM) + b"<RestingECG/>", "xml_invalid"),
    "unknown encoding": (muse(RHYTHM).replace(b"ISO-8859-1", b"no-encoding"), "xml_invalid"),
    "wrong encoding": (muse(RHYTHM).replace(b"ISO-8859-1", b"UTF-8"), "xml_invalid"),
    "zeros": (bytes(100_000), "xml_invalid"),
    "deep": (muse(RHYTHM, diagnosis="<a>" * 5000 + "</a>" * 5000), "xml_invalid"),
    "HL7": (b'<?xml version="1.0"?><AnnotatedECG xmlns="urn:hl7-org:v3"/>', "xml_unknown"),
    "no rhythm": (muse(MEDIAN), "signal_missing"),
    "no waveform": (muse(""), "signal_missing"),
    "two rhythms": (muse(RHYTHM + RHYTHM), "header_invalid"),
    "no lead": (muse(waveform("Rhythm", [])), "header_invalid"),
    "7 of 8 leads": (muse(waveform("Rhythm", [lead("I", [1])] * 7, number="8")), "header_invalid"),
    "no rate": (muse(rhythm(SAMPLES, rate=" ")), "header_invalid"),
    "rate 0": (muse(rhythm(SAMPLES, rate="0")), "header_invalid"),
    "rate nan": (muse(rhythm(SAMPLES, rate="nan")), "header_invalid"),
    "exponent": (muse(rhythm(SAMPLES, exponent="999999999")), "header_invalid"),
    "unit": (_with(LeadAmplitudeUnits="FURLONGS"), "unit_unknown"),
    "no unit": (_with(LeadAmplitudeUnits=""), "unit_unknown"),
    "step 0": (_with(LeadAmplitudeUnitsPerBit="0"), "unit_unknown"),
    "no step": (_with(LeadAmplitudeUnitsPerBit=""), "header_invalid"),
    "sample size": (_with(LeadSampleSize="4"), "header_invalid"),
    "lead begins later": (_with(LeadOffsetFirstSample="1250"), "header_invalid"),
    "baseline": (_with(FirstSampleBaseline="7"), "header_invalid"),
    "checksum": (_with(LeadDataCRC32="12345"), "signal_checksum"),
    "bytes": (_with(LeadByteCountTotal="9998"), "signal_truncated"),
    "samples": (_with(LeadSampleCountTotal="4999"), "signal_truncated"),
    "base64 cut": (_cut_base64(True), "signal_truncated"),
    "base64 cut in a group": (_cut_base64(False), "signal_unreadable"),
    "no base64": (_with(WaveFormData="*" * 80), "signal_unreadable"),
    "not ASCII": (_with(WaveFormData="ü" * 80), "signal_unreadable"),
    "no data": (_with(WaveFormData=""), "signal_truncated"),
    "odd": (_with(WaveFormData="AAAA", LeadByteCountTotal="3", LeadSampleCountTotal="", LeadDataCRC32=""), "signal_truncated"),
    "lengths": (muse(rhythm(SAMPLES | {"V6": [1, 2, 3]})), "header_invalid"),
    "no samples": (muse(rhythm({key: [] for key in EIGHT})), "signal_empty"),
    "lead twice": (muse(waveform("Rhythm", [lead(n, SAMPLES[n]) for n in (*EIGHT, "V1")])), "lead_repeated"),
    "entity bomb": (_bomb(), "xml_invalid"),
    "parameter entity": (muse(RHYTHM, prolog='<!DOCTYPE RestingECG [<!ENTITY % p SYSTEM "p.dtd"> %p;]>'), "xml_invalid"),
    "file entity": (
        muse(RHYTHM, patient="<PatientID>&f;</PatientID>",
             prolog='<!DOCTYPE RestingECG [<!ENTITY f SYSTEM "file:///etc/passwd">]>'), "xml_invalid"),
    "unknown entity": (muse(RHYTHM, patient="<PatientID>A&b;C</PatientID>"), "xml_invalid"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_one_ledger_row(tmp_path: Path, fault: str):
    content, reason = FAULTS[fault]
    root = tmp_path / "root"
    root.mkdir()
    (root / "bad.xml").write_bytes(content)
    (root / "good.xml").write_bytes(muse(RHYTHM))
    signals, records, dropped = ingest(config_of(root), tmp_path)
    assert records.record_id.tolist() == ["g/good"]
    assert signals.shape == (5000, 12)
    assert dropped[["record_id", "reason"]].values.tolist() == [["g/bad", reason]]
    assert fault == "lead twice" or "bad.xml" in dropped.detail.iloc[0]


def test_symlink_out_of_the_root_is_not_followed(database: Path, tmp_path: Path):
    (database / "b.xml").rename(tmp_path / "elsewhere.xml")
    (database / "b.xml").symlink_to(tmp_path / "elsewhere.xml")
    _, records, dropped = ingest(config_of(database), tmp_path)
    assert "g/b" not in records.record_id.tolist()
    assert dropped.set_index("record_id").reason["g/b"] == "path_outside_root"


def test_too_long_a_file_is_not_read(tmp_path: Path):
    with (tmp_path / "x.xml").open("wb") as file:
        file.truncate(1 << 27)  # 128 MB of nothing, which takes no room on disk
    with pytest.raises(RecordError, match=r"xml_invalid: x\.xml is longer than 16777216 bytes"):
        read_muse(Root(tmp_path), "x.xml")


def test_external_dtd_is_not_fetched(tmp_path: Path):
    """A server on this machine would see the request."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        prolog = f'<!DOCTYPE RestingECG SYSTEM "http://127.0.0.1:{server.server_port}/restecg.dtd">'
        content = muse(RHYTHM, prolog=prolog)
        assert re.search(rb"http://127", content)
        assert read(tmp_path, content).signal.shape == (5000, 8)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == []
