# SPDX-License-Identifier: Apache-2.0
"""The networks that metrics use: their weights, how they are loaded, and how their input is prepared.

Only :mod:`~fvhydra.metrics.models.weights` is light; the other modules import torch and are imported when a network is
needed. There is no torchvision or torchaudio here: they have no build beside a CPU-only torch.
"""
