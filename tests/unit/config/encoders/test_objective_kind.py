"""What every kind of objective says of itself where it says nothing else."""

from __future__ import annotations

from ecglfm.config import ObjectiveKind
from tests.unit.architectures import small


def test_an_objective_is_about_frames_and_pairs_of_a_patient() -> None:
    objective = ObjectiveKind(kind="mine")
    assert objective.pairs == "patient"
    assert objective.misfit(small("conformer")) is objective.misfit(small("s4")) is None
    for kind in ("vit", "convnet"):
        assert objective.misfit(small(kind)) == (
            "pretrain.objective.kind: mine is about frames of a front end, and `model.kind: "
            f"{kind}` has none; for patches there are `jepa` and `mae`"
        )
