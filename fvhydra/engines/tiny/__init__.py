# SPDX-License-Identifier: Apache-2.0
"""Tiny weights: the library's own pipelines, shrunk until they run on a CPU in a second, built without a download.

Everything a caller can see is the real checkpoint's (VAE compression, latent channels, sample rates, patch sizes,
schedulers), so size rules, latent shapes and audio lengths are the real ones; only widths and depths shrink.
"""
