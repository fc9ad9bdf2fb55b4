# SPDX-License-Identifier: Apache-2.0
"""Reference, evaluation and performance testing for video-diffusion engines, composed with Hydra."""

__version__ = "0.1.0"
