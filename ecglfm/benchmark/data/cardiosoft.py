"""`benchmark cardiosoft`: heads and samples of CardioSoft XML, against the parser alone."""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

SAMPLES = 1350  # of a lead: about 60 KB a file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--records", type=int, default=5000, help="files of 12 leads")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each lead; UK Biobank's have 5,000")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np

    from ecglfm.config import LEADS
    from ecglfm.sources.devices import read_cardiosoft, read_cardiosoft_head, read_xml
    from ecglfm.sources.inside import Root

    with tempfile.TemporaryDirectory() as temporary:
        root, generator = Root(temporary), np.random.default_rng(0)
        names = [f"{number}_20205_2_0.xml" for number in range(args.records)]
        for name in names:
            steps = generator.integers(-8, 9, (len(LEADS), args.samples))
            Path(temporary, name).write_text(_file(dict(zip(LEADS, steps.cumsum(1).tolist(), strict=True))))
        size = Path(temporary, names[0]).stat().st_size / 1000
        actions: dict[str, Callable[[str], object]] = {
            "parser alone": lambda name: read_xml(root, name),
            "head (index)": lambda name: read_cardiosoft_head(root, name),
            "samples to microvolts (ingest)": lambda name: read_cardiosoft(root, name).microvolts(),
        }
        for what, action in actions.items():
            before = _processor_time()
            for name in names:
                action(name)
            spent = _processor_time() - before
            print(f"{what}: {len(names) / spent:.0f} records/s of user and system time; {size:.0f} KB a file")


def _processor_time() -> float:
    """Seconds, user and system, of this process: other processes do not count."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _file(samples: dict[str, list[int]]) -> str:
    data = "".join(
        f'<WaveformData lead="{lead}">{",".join(map(str, values))}</WaveformData>' for lead, values in samples.items()
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><CardiologyXML><ObservationType>RestECG</ObservationType>'
        f"<StripData><NumberOfLeads>{len(samples)}</NumberOfLeads><SampleRate>500</SampleRate>"
        f"<Resolution>5</Resolution>{data}</StripData></CardiologyXML>"
    )
