"""From two recordings to the vectors that the authors' code gave of them: import, preparation, input contract, encoder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

import ecglfm
from ecglfm.cli import main
from ecglfm.config import LEADS, InputConfig, PreprocessConfig, parse
from ecglfm.data.signals import EncoderInput
from ecglfm.models.importers.contracts import CONTRACTS
from ecglfm.provenance import read_json
from ecglfm.records import Record
from tests.unit.models.importers.recipe import drawn


class Peer(NamedTuple):
    """A small checkpoint, what its method gave, and what else the command is told; the window where it begins, s."""

    checkpoint: str
    outputs: str
    licence: str
    options: tuple[str, ...] = ()
    starts: float = 0.0


PEERS = {
    "ecg-founder": Peer("ecgfounder/12_lead_ECGFounder.pth", "ecgfounder/small", "MIT"),
    "hubert-ecg": Peer("hubert-ecg", "hubert-ecg/small", "CC BY-NC 4.0"),
    "ecg-fm": Peer("ecg-fm/mimic_iv_ecg_physionet_pretrained.pt", "ecg-fm/small_pretrained", "MIT"),
    "ecg-jepa": Peer("ecg-jepa/multiblock_epoch100.pth", "ecg-jepa/small", "MIT", ("--heads", "4")),
    "st-mem": Peer("st-mem/st_mem_vit_base_encoder.pth", "st-mem/small", "CC BY-NC 4.0", starts=0.5),
    "merl-vit": Peer("merl/vit_tiny_best_encoder.pth", "merl/small_vit", "MIT"),
    "ecg-cpc": Peer("ecg-cpc/last_11597276.ckpt", "ecg-cpc/small", "none stated"),
}


def recordings(peers: Path) -> list[Record]:
    """The two of PTB-XL, ten seconds at 500 Hz."""
    return [Record(mv.T.astype(float), tuple(LEADS), 500.0) for mv in np.load(peers / "raw.npz")["mv"]]


def first_windows(encoder: ecglfm.Encoder, peers: Path, starts: float) -> torch.Tensor:
    """What the encoder reads of each recording, (2, leads, samples): its first window, or the one that begins there."""
    if not starts:
        return torch.stack([ecglfm.preprocess(record, encoder)[0] for record in recordings(peers)])
    given = EncoderInput(encoder.input, encoder.preprocess)
    first, samples = round(starts * encoder.sampling_rate), encoder.crop_samples
    made = [given.record(np.rint(record.signal * 1000).astype(np.int16)) for record in recordings(peers)]
    return torch.from_numpy(np.stack([given.window(each[first : first + samples]).T for each in made]))


@pytest.mark.parametrize("method", PEERS)
def test_the_authors_vectors_of_two_recordings(peers: Path, tmp_path: Path, method: str) -> None:
    peer = PEERS[method]
    assert main(["import-checkpoint", str(peers / peer.checkpoint), "--output", str(tmp_path), *peer.options]) == 0
    encoder = ecglfm.load_encoder(tmp_path)
    expected = np.load(peers / f"{peer.outputs}.npz")["embedding"]
    with torch.inference_mode():
        found = encoder.embed(first_windows(encoder, peers, peer.starts)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * expected.std())
    assert encoder.input == parse(InputConfig, CONTRACTS[method], method)
    assert read_json(tmp_path / "encoder.json")["imported"]["licence"] == peer.licence


def test_merls_resnet_of_two_recordings(peers: Path, tmp_path: Path) -> None:
    """It has one size: the weights of the recipe."""
    torch.save(drawn(read_json(peers / "merl/state_full_resnet18.json")), tmp_path / "res18_best_encoder.pth")
    output = tmp_path / "out"
    assert main(["import-checkpoint", str(tmp_path / "res18_best_encoder.pth"), "--output", str(output)]) == 0
    encoder, expected = ecglfm.load_encoder(output), np.load(peers / "merl/full_resnet18.npz")["embedding"]
    with torch.inference_mode():
        found = encoder.embed(first_windows(encoder, peers, 0.0)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * expected.std())


def test_echonext_of_two_recordings(peers: Path, tmp_path: Path) -> None:
    """As near as one unit of 4.88 uV: its fixture rounds half units of float32, and leaves limb leads as recorded."""
    assert main(["import-checkpoint", str(peers / "echonext/weights.pt"), "--output", str(tmp_path)]) == 0
    encoder, saved = ecglfm.load_encoder(tmp_path), np.load(peers / "echonext/small.npz")
    expected = np.concatenate([saved["mean"], saved["max"]], axis=1)
    with torch.inference_mode():
        found = encoder.embed(first_windows(encoder, peers, 0.0)).numpy()
    assert np.abs(found - expected).max() < 0.05 * expected.std()


@pytest.mark.parametrize(
    ("checkpoint", "outputs", "name"),
    [
        ("ecg-cpc/s4_supervised_small.pt", "ecg-cpc/s4_supervised_small", "logits"),
        ("code-resnet/model.pth", "code-resnet/small", "output"),
    ],
)
def test_what_models_say_of_two_recordings(
    peers: Path, tmp_path: Path, checkpoint: str, outputs: str, name: str
) -> None:
    assert main(["import-checkpoint", str(peers / checkpoint), "--output", str(tmp_path)]) == 0
    model, expected = ecglfm.load_model(tmp_path), np.load(peers / f"{outputs}.npz")[name]
    with torch.inference_mode():
        found = model.outputs(model(first_windows(model.encoder, peers, 0.0))).numpy()
    if name == "logits":
        expected = 1 / (1 + np.exp(-expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * expected.std())


def test_a_project_s_own_rate_and_order_of_leads(peers: Path, tmp_path: Path) -> None:
    """Another preparation than that at import: its contract makes the same of it, but for what 250 Hz cannot hold."""
    peer = PEERS["ecg-jepa"]
    assert main(["import-checkpoint", str(peers / peer.checkpoint), "--output", str(tmp_path), *peer.options]) == 0
    encoder = ecglfm.load_encoder(tmp_path)
    expected = np.load(peers / "ecg-jepa/small.npz")["embedding"]
    encoder.preprocess = PreprocessConfig(sampling_rate=500, leads=list(reversed(LEADS)))
    with torch.inference_mode():
        found = encoder.embed(first_windows(encoder, peers, 0.0)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * expected.std())
