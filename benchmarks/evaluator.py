# SPDX-License-Identifier: Apache-2.0
"""What evaluation scripts usually do, for comparison: every metric for itself, whole clips as tensors.

Each family of metrics decodes the clips with imageio, makes float32 tensors of all frames, and computes on them; the
formulas are those of FastVideo's evaluation, so the values can be compared too.
"""

from __future__ import annotations

from pathlib import Path


def evaluate(reference: Path, generated: Path) -> dict[str, float]:
    """Seven metrics of a pair: SSIM, PSNR, temporal flickering, and four of Physics-IQ."""
    found = _similarity(reference, generated)
    clip = _tensor(generated)
    levels = clip * 255
    found["vbench.temporal_flickering"] = 1 - float((levels[1:] - levels[:-1]).abs().mean(dim=(1, 2, 3)).mean()) / 255
    recorded, continued = _physics(reference), _physics(generated)  # FastVideo keeps both for the four metrics, too
    for name, measure in _PHYSICS.items():
        found[f"physics_iq.{name}"] = measure(recorded, continued)
    return found


def _tensor(path: Path):
    import imageio.v3
    import torch

    return torch.from_numpy(imageio.v3.imread(path, plugin="pyav")).permute(0, 3, 1, 2).float() / 255


def _similarity(reference: Path, generated: Path) -> dict[str, float]:
    import torch
    import torch.nn.functional as F

    x, y = _tensor(reference), _tensor(generated)
    line = torch.exp(-(torch.arange(-5, 6.0) ** 2) / (2 * 1.5**2))
    line /= line.sum()
    window = (line[:, None] * line).expand(3, 1, 11, 11).contiguous()

    def filtered(frames):
        return F.conv2d(frames, window, padding=5, groups=3)

    values = []
    for a, b in zip(x.split(16), y.split(16), strict=True):
        mean_a, mean_b = filtered(a), filtered(b)
        variance_a, variance_b = filtered(a * a) - mean_a**2, filtered(b * b) - mean_b**2
        covariance = filtered(a * b) - mean_a * mean_b
        top = (2 * mean_a * mean_b + 0.01**2) * (2 * covariance + 0.03**2)
        bottom = (mean_a**2 + mean_b**2 + 0.01**2) * (variance_a + variance_b + 0.03**2)
        values.append((top / bottom).mean(dim=(1, 2, 3)))
    square = ((x - y) ** 2).mean(dim=(1, 2, 3)).clamp(min=1e-10)
    return {"common.ssim": float(torch.cat(values).mean()), "common.psnr": float((10 * torch.log10(1 / square)).mean())}


def _physics(path: Path):
    """Frames at a quarter of the size, in [0, 1], and masks of what moves, at that size."""
    import cv2
    import numpy as np

    frames = (_tensor(path).permute(0, 2, 3, 1) * 255).round().byte().numpy()
    size = frames.shape[2] // 4, frames.shape[1] // 4
    average, masks, kernel = None, [], np.ones((5, 5), np.uint8)
    for frame in frames:
        grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (5, 5), 0)
        if average is None:
            average, mask = grey.astype(float), np.zeros_like(grey)
        else:
            cv2.accumulateWeighted(grey, average, 0.3)
            change = cv2.absdiff(grey, cv2.convertScaleAbs(average))
            mask = cv2.threshold(change, 10, 255, cv2.THRESH_BINARY)[1]
            mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel), cv2.MORPH_CLOSE, kernel)
        masks.append(cv2.resize(mask, size) > 127)
    small = np.stack([cv2.resize(frame, size).astype(np.float32) / 255 for frame in frames])
    return small, np.stack(masks)


def _mse(reference, generated) -> float:
    return float(((reference[0] - generated[0]) ** 2).mean(axis=(1, 2, 3)).mean())


def _spatiotemporal(reference, generated) -> float:
    import numpy as np

    both, either = reference[1] & generated[1], reference[1] | generated[1]
    pairs = zip(both.sum(axis=(1, 2)), either.sum(axis=(1, 2)), strict=True)
    return float(np.mean([inner / outer if outer else 1.0 for inner, outer in pairs]))


def _spatial(reference, generated) -> float:
    here, there = reference[1].any(axis=0), generated[1].any(axis=0)
    return float((here & there).sum() / max((here | there).sum(), 1))


def _weighted(reference, generated) -> float:
    import numpy as np

    here, there = reference[1].mean(axis=0), generated[1].mean(axis=0)
    return float(np.minimum(here, there).sum() / np.maximum(here, there).sum())


_PHYSICS = {
    "mse": _mse,
    "spatiotemporal_iou": _spatiotemporal,
    "spatial_iou": _spatial,
    "weighted_spatial_iou": _weighted,
}
