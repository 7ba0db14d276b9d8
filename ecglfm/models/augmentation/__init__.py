"""Training segments are changed as an electrode, a device or another body would change them, on the model's device."""

from __future__ import annotations

from ecglfm.models.augmentation.augmentation import Augmentation

__all__ = ["Augmentation"]
