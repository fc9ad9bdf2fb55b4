# SPDX-License-Identifier: Apache-2.0
"""Values on their way through Hydra's grammar."""

from __future__ import annotations

from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from fvhydra.config.override import override_value, quoted
from fvhydra.config.schema import conf_dir, register
from fvhydra.launch import plugins


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"official": {"engine.python": "/opt/a, b (1)/python", "engine.options": {"offload": "model"}}},
        {"runs": 5, "share": 0.5, "none": None, "on": True, "off": False, "negative": -1},
        {"modules": "^blocks\\.[0-9]+$", "word": "5", "quote": "it's ${HOME}", "empty": "", "nothing": "null"},
        {"names": ["a", 1, [None, {"b": "c=d"}]]},
    ],
)
def test_a_value_arrives_as_it_is(value: dict[str, Any]) -> None:
    register()
    plugins.register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        composed = compose("config", overrides=["op=bisect", "op.good=a", f"op.check_with={override_value(value)}"])
    GlobalHydra.instance().clear()
    assert OmegaConf.to_container(composed.op.check_with, resolve=True) == value


@pytest.mark.parametrize(
    "text",
    ["a\\b", "\\", "\\\\", "a\\\\\\b", "\\'", "\\\\'x", "'\\'", "end\\", "end\\\\", "\\${a}", "\\\\${a}", "${a}'"],
)
def test_backslashes_and_quotes_arrive_as_they_are(text: str) -> None:
    register()
    plugins.register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        composed = compose("config", overrides=[f"prompt={quoted(text)}"])
    GlobalHydra.instance().clear()
    assert OmegaConf.to_container(composed, resolve=False)["prompt"] is not None  # type: ignore[index,call-overload]
    assert composed.prompt == text
