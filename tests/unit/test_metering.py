"""What a command took is written beside its log: energy against counters that are planted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecglfm import metering
from ecglfm.cli import main
from ecglfm.metering import gpu_joules, metered, processor_joules

#: A driver of two GPUs; the second has no counter, as those before Volta.
DRIVER = r"""
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned f) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)(long)(i + 1); return 0; }
int nvmlDeviceGetUUID(void *d, char *s, unsigned n) { strncpy(s, d == (void *)1 ? "GPU-a" : "GPU-b", n); return 0; }
int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *e) { *e = 5500; return d == (void *)1 ? 0 : 3; }
"""


def test_the_driver_is_asked_for_each_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """By NVIDIA's own package, which finds the planted driver where one would lie."""
    pytest.importorskip("pynvml")
    source, library = tmp_path / "driver.c", tmp_path / "libnvidia-ml.so.1"
    source.write_text(DRIVER)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    command = [sys.executable, "-c", "from ecglfm.metering import gpu_joules; print(gpu_joules())"]
    told = {"LD_LIBRARY_PATH": str(tmp_path)}
    shown = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=True).stdout
    assert shown == "{'GPU-a': 5.5}\n"
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert gpu_joules() == {}


def test_packages_are_read_and_their_parts_are_not(tmp_path: Path):
    for name, energy in {"intel-rapl:0": "3000000", "intel-rapl:0:1": "9", "intel-rapl:1": "nonsense"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(energy)
        (tmp_path / name / "max_energy_range_uj").write_text("10000000")
    assert processor_joules(tmp_path) == {"intel-rapl:0": (3.0, 10.0)}


def test_a_line_for_each_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    readings = iter([{"GPU-a": 10.0, "GPU-b": 1.0}, {"GPU-a": 52.0, "GPU-b": 9.0}])
    packages = iter([{"p": (7.0, 8.0)}, {"p": (2.0, 8.0)}])  # it began anew in between
    monkeypatch.setattr(metering, "gpu_joules", lambda: next(readings, {}))
    monkeypatch.setattr(metering, "processor_joules", lambda: next(packages, {}))
    cuda = SimpleNamespace(is_initialized=lambda: True, current_device=lambda: 0,
                           get_device_properties=lambda _: SimpleNamespace(uuid="a", name="H200"))  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    path = tmp_path / "logs/pretrain/tiny.log.cost"
    with metered(path, "pretrain") as meter:
        time.sleep(0.05)
        meter.status = 0
    with pytest.raises(RuntimeError), metered(path, "pretrain"):
        raise RuntimeError
    with metered(path, "pretrain") as meter:
        meter.hand_over()
    done, failed = map(json.loads, path.read_text().splitlines())
    assert (done["command"], done["status"], done["gpus"]) == ("pretrain", 0, ["H200"])
    assert (done["gpu_joules"], done["processor_joules"]) == (42.0, 3.0)
    assert done["seconds"] >= 0.05
    assert done["memory_mb"] > 1
    assert (failed["status"], failed["gpu_joules"], failed["processor_joules"]) == (1, None, None)
    monkeypatch.setenv("RANK", "3")
    with metered(path, "pretrain"):
        pass
    assert json.loads(path.with_name("tiny.log.cost.3").read_text())["gpus"] == ["H200"]


def test_the_option_of_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "x.log.cost"
    command = ["report", "--results", str(tmp_path / "none"), "--output", str(tmp_path / "page.html")]
    assert main(["--cost", str(path), *command]) == 1
    assert "no such folder" in capsys.readouterr().err
    (line,) = map(json.loads, path.read_text().splitlines())
    assert (line["command"], line["status"], line["gpus"], line["gpu_joules"]) == ("report", 1, [], None)
