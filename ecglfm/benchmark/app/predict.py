"""`benchmark predict`: recordings on disk to a table of answers, against the model's forward alone on the same windows.

Recordings of two windows, 12 leads x 10 s at 500 Hz, in WFDB format 16; an encoder of `config/encoders/` with random
weights, one process; PyTorch has one thread, and another reads and prepares the next recordings meanwhile.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from ecglfm.benchmark.timing import report, seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--encoder", type=Path, default=Path("config/encoders/small.yaml"), help="its YAML")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32", help="numbers of the products")
    parser.add_argument("--compile", action="store_true", help="compile the layers")
    parser.add_argument("--records", type=int, default=1000, help="recordings")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn")
    parser.add_argument("--json", action="store_true", help="one line of JSON")


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    import numpy as np
    import torch

    from ecglfm.app.prediction import FromFiles, run_predict
    from ecglfm.config import LEADS, EncoderConfig, PreprocessConfig, load
    from ecglfm.models.bundle import load_model, save_model
    from ecglfm.models.encoders import make_encoder
    from ecglfm.models.heads import ECGModel
    from ecglfm.models.reference import PARTS, Reference
    from ecglfm.sources.wfdb_reader import write_record
    from ecglfm.training.inference import evaluating, ready
    from ecglfm.training.precision import calculating

    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = load(EncoderConfig, args.encoder)
    encoder = make_encoder(config.model, list(LEADS), 500, PreprocessConfig(), 5.0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = ECGModel(encoder, ["a", "b"], "full").eval()
        made.reference = Reference(made.embedding_dim, len(LEADS))  # as fine-tuned models have; all is far from nothing
        made.reference.share, made.reference.limits = 0.03, dict.fromkeys(PARTS, 0.0)
        save_model(folder / "model", made, {})
        rng = np.random.default_rng(0)
        (folder / "ecgs").mkdir()
        for k in range(args.records):
            samples = rng.normal(0, 300, (5000, 12)).astype(np.int16)
            write_record(folder / "ecgs", f"{k:06d}", samples, leads=LEADS, gain=1000.0, sampling_rate=500)
        asked = {"precision": args.precision, "compiled": args.compile}
        model = ready(load_model(folder / "model"), threads=1, **asked)
        windows = torch.from_numpy(rng.normal(0, 0.3, (64, 12, 2500)).astype(np.float32))

        def forward() -> None:
            with evaluating(model) as device, calculating(args.precision, device):
                for first in range(0, 2 * args.records, 64):
                    model(windows[: 2 * args.records - first].to(device)).cpu()

        def whole() -> None:
            reader = FromFiles()
            run_predict([folder / "model"], reader.find([folder / "ecgs"]), reader, folder / "p.csv", **asked)

        whole()  # once before, as `forward`: imports, compiling and the choice of kernels are no rate
        forward()
        times = [(seconds(whole), seconds(forward)) for _ in range(args.runs)]
    if args.json:
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
        whole_s, forward_s = ([pair[number] for pair in times] for number in (0, 1))
        facts = {"device": device, "torch": torch.__version__, "records": args.records}
        print(json.dumps(facts | {"seconds": whole_s, "forward": forward_s}))
        return
    name = f"predict, {args.encoder.stem}, {args.precision}, {args.records} records"
    report(name, [own for own, _ in times], "forward alone", [bare for _, bare in times], per=args.records)
