# SPDX-License-Identifier: Apache-2.0
"""Silence from diffusers and transformers: their bars and notes would tear fvhydra's own progress display apart."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

KNOWN: tuple[tuple[str, type[Warning]], ...] = (
    # Stable Audio's VAE in diffusers 0.42 is written with torch's old weight_norm, at every layer
    ("`torch.nn.utils.weight_norm` is deprecated", FutureWarning),
    # and its sampler asks torchsde for noise at times that float32 rounded beyond the ends
    ("Should have t[ab][<>]=t[01] but got", UserWarning),
)
"""Warnings of libraries about libraries, with nothing for anybody here to do."""


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """No progress bars and only errors in the log while models are built, saved, loaded or run."""
    import diffusers.utils.logging
    import transformers.utils.logging

    loggers = (diffusers.utils.logging, transformers.utils.logging)
    before = [(logger, logger.get_verbosity(), logger.is_progress_bar_enabled()) for logger in loggers]
    for logger in loggers:
        logger.set_verbosity_error()
        logger.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            for text, category in KNOWN:
                warnings.filterwarnings("ignore", text, category)
            yield
    finally:
        for logger, level, bars in before:
            logger.set_verbosity(level)
            if bars:
                logger.enable_progress_bar()
