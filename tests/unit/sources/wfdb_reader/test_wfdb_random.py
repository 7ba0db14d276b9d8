"""Random and damaged WFDB records: read exactly as wfdb reads them, or refused with a reason."""

from __future__ import annotations

import os
import re
import signal as signals
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglfm.config import LEADS
from ecglfm.records import Record, RecordError, to_microvolts
from ecglfm.sources.wfdb_reader.files import WfdbRecord, read_wfdb

BITS = {16: 16, 24: 24, 32: 32, 61: 16, 80: 8, 160: 16, 212: 12}


def encode(samples: list[int], form: int) -> bytes:
    """A file's samples, sample by sample as signal(5) describes the formats."""
    if form == 80:
        return bytes(sample + 128 for sample in samples)
    if form == 160:
        return b"".join((sample + 32768).to_bytes(2, "little") for sample in samples)
    if form == 61:
        return b"".join(sample.to_bytes(2, "big", signed=True) for sample in samples)
    if form != 212:
        return b"".join(sample.to_bytes(form // 8, "little", signed=True) for sample in samples)
    content = b""
    for first, second in zip(samples[0::2], [*samples[1::2], 0], strict=False):
        content += bytes([first & 255, (first >> 8 & 15) | (second >> 8 & 15) << 4, second & 255])
    return content[: (3 * len(samples) + 1) // 2]


def signal_line(draw: st.DrawFn, file: str, form: str, column: list[int], name: str) -> str:
    """A signal line with any number of its optional fields."""
    gain = draw(st.sampled_from(["0", "200", "1000.0", "1e3", "500", "12.5", "1716", "333.3", "250."]))
    baseline = draw(st.one_of(st.just(""), st.integers(-300, 300).map("({})".format)))
    unit = draw(st.sampled_from(["", "/mV", "/uV", "/mv", "/V"]))
    checksum = sum(column) % 65536
    if draw(st.booleans()):
        checksum -= 65536 * (checksum > 32767)  # some databases write it signed
    fields = [gain + baseline + unit, "16", str(draw(st.integers(-99, 99))), str(column[0]), str(checksum), "0", name]
    return " ".join([file, form, *fields[: draw(st.integers(0, len(fields)))]])


@st.composite
def records(draw: st.DrawFn) -> tuple[str, dict[str, bytes], np.ndarray]:
    """Header, files and samples of a record."""
    n_samples = draw(st.integers(1, 40))
    header, files, columns = [], {}, []
    for number in range(draw(st.integers(1, 3))):
        form, offset = draw(st.sampled_from(list(BITS))), draw(st.sampled_from([0, 0, 24, 7]))
        low = -(1 << BITS[form] - 1)
        n_signals = draw(st.integers(1, 5))
        generator = np.random.default_rng(draw(st.integers(0, 999)))
        values = generator.integers(low, -low, (n_signals, n_samples))
        values[generator.random(values.shape) < 0.1] = low  # the missing sample
        part = values.tolist()
        name = f"r{number}.dat"
        files[name] = b"x" * offset + encode([sample for row in zip(*part, strict=True) for sample in row], form)
        text = f"{form}{draw(st.sampled_from(['', 'x1']))}{draw(st.sampled_from(['', ':0']))}" + f"+{offset}" * (
            offset > 0
        )
        for column in part:
            lead = draw(st.sampled_from(LEADS)) if len(columns) > 11 else LEADS[(7 * len(columns) + 2) % 12]
            header.append(signal_line(draw, name, text, column, lead))
            columns.append(column)
    rate = draw(st.sampled_from(["500", "400.5", "500/1000", "500/1000(3)"]))
    start = draw(st.sampled_from(["", " 10:00:00", " 05-May-2020 14:50:55", " 10:00 01/02/2020"]))
    notes = draw(st.lists(st.sampled_from(["# Age: 51", "#", "", "#Dx: 1,2"]), max_size=3))
    length = f" {n_samples}{start}" if len(files) > 1 or draw(st.booleans()) else ""
    text = "\n".join([f"r {len(columns)} {rate}{length}", *header, *notes])
    return text, files, np.array(columns).T


def write(folder: Path, text: str, files: dict[str, bytes]) -> None:
    (folder / "r.hea").write_text(text)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@settings(max_examples=100, deadline=None)
@given(record=records())
def test_random_records_are_read_as_wfdb_reads_them(record: tuple[str, dict[str, bytes], np.ndarray]):
    text, files, digital = record
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), text, files)
        found = read_wfdb(Path(folder), "r")
        expected = wfdb.rdrecord(f"{folder}/r", physical=False)
        physical = wfdb.rdrecord(f"{folder}/r").p_signal
    assert isinstance(found, WfdbRecord)
    np.testing.assert_array_equal(found.digital, digital)
    np.testing.assert_array_equal(expected.d_signal, digital)
    assert found.sampling_rate == expected.fs
    to_mv = np.array([{"uV": 1e-3, "V": 1e3}.get(unit, 1.0) for unit in expected.units])
    np.testing.assert_allclose(found.signal, physical * to_mv, rtol=1e-12)
    if len(set(found.leads)) == len(found.leads) and set(found.leads) & set(LEADS):
        np.testing.assert_array_equal(found.microvolts().signal, to_microvolts(found.standard().signal))


@pytest.mark.parametrize(
    "gain", ["1000/mV", "200/mV", "500", "1/uV", "0.5/uV", "1000(3)/mV", "1", "0.9", "333.3", "-200"]
)
@pytest.mark.parametrize("form", [16, 212, 80])
@pytest.mark.parametrize("order", [LEADS, (*LEADS[:4], "aVF", "aVL", *LEADS[6:]), ("V2", "V1", "II"), (*LEADS, "vx")])
def test_microvolts_are_those_of_the_millivolts(tmp_path: Path, gain: str, form: int, order: tuple[str, ...]):
    low = -(1 << BITS[form] - 1)
    for seed, bottom in enumerate((low, low + 1, -100)):  # with the missing sample, without, and small
        values = np.random.default_rng(seed).integers(bottom, -bottom, (50, len(order)))
        values[3, 1] = bottom
        lines = [
            f"r.dat {form} {gain} 16 0 {values[0, k]} {values[:, k].sum() % 65536} 0 {order[k]}"
            for k in range(len(order))
        ]
        write(tmp_path, f"r {len(order)} 500 50\n" + "\n".join(lines), {"r.dat": encode(values.ravel().tolist(), form)})
        record = read_wfdb(tmp_path, "r")
        np.testing.assert_array_equal(record.microvolts().signal, to_microvolts(record.standard().signal))


def test_microvolts_of_genuine_records_are_those_of_the_millivolts(real_data: Path):
    headers = [path for path in sorted(real_data.rglob("*.hea")) if "mimic-iv-ecg" not in path.parts]
    for path in headers[::3]:
        record = read_wfdb(path.parent, path.stem)
        standard = Record(record.signal, record.leads, record.sampling_rate).microvolts()
        np.testing.assert_array_equal(record.microvolts().signal, standard.signal, err_msg=str(path))
    assert len(headers) > 300


# --- damaged records ------------------------------------------------------------------------------------------------

opened: list[str] = []
watching = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note every file that is opened, links followed as the flags of the call follow them."""
    if watching and event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        followed = not int(arguments[2] or 0) & os.O_NOFOLLOW  # type: ignore[call-overload]
        folder, name = os.path.split(path)
        opened.append(os.path.realpath(path) if followed else f"{os.path.realpath(folder)}/{name}")


sys.addaudithook(_watch)


@contextmanager
def watched(limit_s: int = 20) -> Iterator[None]:
    """Watch which files are opened, and end what hangs."""
    global watching
    opened.clear()
    watching = True
    previous = signals.signal(signals.SIGALRM, lambda *_: pytest.fail("hangs"))
    signals.alarm(limit_s)
    try:
        yield
    finally:
        signals.alarm(0)
        signals.signal(signals.SIGALRM, previous)
        watching = False


def sound_record(generator: np.random.Generator) -> tuple[str, dict[str, bytes]]:
    form = int(generator.choice([16, 16, 16, 212, 80, 24, 32, 61, 160]))
    n_signals, n_samples, offset = int(generator.choice([2, 12])), 30, int(generator.choice([0, 24]))
    values = generator.integers(-100, 100, (n_samples, n_signals))
    where = f"{form}+{offset}" if offset else f"{form}"
    lines = [f"r {n_signals} 500 {n_samples}"]
    for column in range(n_signals):
        lines.append(
            f"r.dat {where} 200(3)/mV 12 0 {values[0, column]} {values[:, column].sum() % 65536} 0 {LEADS[column]}"
        )
    lines += ["# Age: 51"]
    return "\n".join(lines) + "\n", {"r.dat": b"x" * offset + encode(values.ravel().tolist(), form)}


WORDS = ["-1", "0", "1", "2", "3", "99999999999999999999", "9" * 5000, "1e400", "nan", "../secret.dat", "../secret", "99999999999", "/etc/passwd", "~",
         "r.dat", "s.dat", "16", "212", "8", "310", "16x2", "16:3", "16+25", "16x99999999", "16:99999999", "r/2", "#", "", "²",
         "1_000", "0x10", "r", "secret", "-32768"]  # fmt: skip


def damage_text(text: str, generator: np.random.Generator) -> bytes:
    """One or two small changes of a header."""
    content = text.encode()
    for _ in range(1 + (generator.random() < 0.3)):
        kind = generator.integers(6)
        place = int(generator.integers(max(1, len(content))))
        if kind == 0:  # another byte
            content = content[:place] + bytes([generator.integers(256)]) + content[place + 1 :]
        elif kind == 1:  # a stretch lost
            content = content[:place] + content[place + int(generator.integers(1, 20)) :]
        elif kind == 2:  # cut off
            content = content[:place]
        elif kind == 3:  # a line twice, or in another place
            lines = content.split(b"\n")
            lines.insert(int(generator.integers(len(lines))), lines[int(generator.integers(len(lines)))])
            content = b"\n".join(lines)
        else:  # another word
            words = re.split(rb"(\s+)", content)
            words[2 * int(generator.integers(len(words) // 2 + 1))] = str(generator.choice(WORDS)).encode()
            content = b"".join(words)
    return content


def damage_file(path: Path, generator: np.random.Generator) -> None:
    """Cut, lengthen, change, replace or remove a signal file."""
    content = path.read_bytes()
    kind = generator.integers(8)
    place = int(generator.integers(len(content) if generator.random() < 0.5 else 4))
    path.unlink()
    if kind == 0:
        path.write_bytes(content[:place])
    elif kind == 1:
        path.write_bytes(content + bytes(place))
    elif kind in (2, 3):
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << int(generator.integers(8))]) + content[place + 1 :]
        )
    elif kind == 4:
        path.symlink_to(path.parent.parent / "secret.dat")
    elif kind == 5:
        os.mkfifo(path)
    elif kind == 6:
        path.mkdir()


def same_as_wfdb(found: Record, path: Path) -> bool:
    """Whether wfdb reads the same."""
    header = path.with_suffix(".hea")  # wfdb refuses a record name that is not of ASCII letters, digits and hyphens
    header.write_bytes(re.sub(rb"^((?:\s*#.*\n)*\s*)[^\s/]+", rb"\1r", header.read_bytes()))
    try:
        expected = wfdb.rdrecord(str(path), physical=False)
        if not isinstance(found, WfdbRecord):
            return np.array_equal(found.signal, wfdb.rdrecord(str(path)).p_signal, equal_nan=True)
    except Exception:
        return False
    gains = [signal.stored.gain for signal in found.signals] == expected.adc_gain
    baselines = [signal.stored.baseline for signal in found.signals] == expected.baseline
    return (
        gains and baselines and found.sampling_rate == expected.fs and np.array_equal(found.digital, expected.d_signal)
    )


@pytest.mark.slow
def test_two_thousand_damaged_records(tmp_path: Path):
    (tmp_path / "secret.dat").write_bytes(bytes(range(256)) * 20)
    generator = np.random.default_rng(20261122)
    outcomes: Counter[str] = Counter()
    allowed = (str(Path(sys.prefix).resolve()), str(Path(sys.base_prefix).resolve()), "/proc/")
    allowed += (f"{tempfile.gettempdir()}/ecglfm-",)  # the header that wfdb is given; its links are followed here
    for case in range(2000):
        root = tmp_path / f"{case}"
        root.mkdir()
        text, files = sound_record(generator)
        write(root, text, files)
        (root / "s.dat").write_bytes(files["r.dat"])
        if case % 3 == 0:  # a header without length has only its files to say it
            text = text.replace(" 500 30\n", " 500\n")
            (root / "r.hea").write_text(text)
        if case % 4:
            (root / "r.hea").write_bytes(damage_text(text, generator))
        if case % 4 in (0, 3):
            damage_file(root / "r.dat", generator)
        try:
            with watched():
                record = read_wfdb(root, "r")
                record.signal  # noqa: B018
        except RecordError as error:
            outcomes[error.reason] += 1
        else:
            outcomes["read"] += 1
            assert same_as_wfdb(record, root / "r"), (root / "r.hea").read_bytes()
        outside = [path for path in opened if not path.startswith((f"{root.resolve()}/", *allowed))]
        assert not outside
    assert outcomes["read"] > 100
    assert {
        "header_invalid",
        "signal_checksum",
        "signal_empty",
        "signal_truncated",
        "path_outside_root",
        "signal_missing",
    } < set(outcomes)
