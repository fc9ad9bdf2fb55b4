# SPDX-License-Identifier: Apache-2.0
"""``op=scaffold``: what it writes can be filled in until a smoke run passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fvhydra.core.port_file import read_port
from tests.conftest import Cli

GIVEN = ("--config-dir", "conf", "op=scaffold", "model=my_family")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    return tmp_path


def filled(text: str, **values: str) -> str:
    """Fill in what says ???, key by key; what is left becomes a word."""
    for key, value in values.items():
        text = text.replace(f"{key}: ???", f"{key}: {value}").replace(f"{key}: '???'", f"{key}: {value}")
    return text.replace("???", "ours")


def test_a_scaffold_that_is_filled_in_passes_smoke(folder: Path, cli: Cli) -> None:
    written = cli(*GIVEN)
    assert written.code == 0 and written.out.count(" written.") == 10, written.text
    missing = cli(*GIVEN, "op.check=true")
    assert missing.code == 1
    for line in (
        "conf/model/my_family.yaml: weights is not filled in",
        "conf/model/my_family.yaml: presets.official.defaults.guidance_scale.source is not filled in",
        "conf/sampling/my_family/smoke.yaml: height is not filled in",
        "my_family_tiny.py: line 10 is not filled in",
        "ports/my_family.yaml: official_pipeline_files.0.path is not filled in",
        "examples/my_family.sh: line 5 is not filled in",
    ):
        assert line in missing.out, missing.text

    sizes = {"height": "176", "width": "176", "num_frames": "5", "fps": "24"}
    model = {"workload": "t2v", "artifact": "pixel", "pipeline": "WanPipeline", "frames_multiple": "4"}
    model |= {"size_multiple": "16", "revision": "null", "num_inference_steps: {value": "50", "value": "5.0"}
    for path in [*(folder / "conf").rglob("*.yaml"), *folder.glob("ports/*"), *folder.glob("examples/*")]:
        path.write_text(filled(path.read_text(), **sizes, **model))
    tiny = folder / "my_family_tiny.py"
    assert cli(*GIVEN, "op.check=true").out.count("not filled in") == 1
    tiny.write_text(
        "from fvhydra.engines.tiny import wan\nfrom fvhydra.engines.tiny_family import TinyFamily\n\n\n"
        "class Tiny(TinyFamily):\n    def build(self, seed):\n        return wan.build_t2v(seed)\n"
    )
    whole = cli(*GIVEN, "op.check=true")
    assert whole.code == 0 and "10 files are filled in." in whole.out, whole.text

    smoke = cli("--config-dir", "conf", "op=my_family_smoke", "model=my_family", PYTHONPATH=str(folder))
    assert smoke.code == 0 and "Recorded in ports/my_family.yaml: smoke non_skip_pass." in smoke.out, smoke.text
    assert read_port(folder / "ports" / "my_family.yaml").evidence.smoke is not None


def test_nothing_is_overwritten(folder: Path, command: Cli) -> None:
    mine = folder / "conf" / "model" / "my_family.yaml"
    mine.parent.mkdir()
    mine.write_text("# mine")
    again = command(*GIVEN)
    assert again.code == 0 and "conf/model/my_family.yaml is there and stays as it is." in again.out
    assert mine.read_text() == "# mine" and again.out.count(" written.") == 9


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("op=scaffold", "model=my_family"), "the command names none"),
        (("--config-dir", "conf", "op=scaffold"), "model= names none"),
        (("--config-dir", "conf", "op=scaffold", "model=ltx2"), "model=ltx2 is one of fvhydra already"),
        (("--config-dir", "conf", "op=scaffold", "model=../x"), "must be letters, digits"),
    ],
)
def test_what_cannot_be_begun_is_refused(words: tuple[str, ...], says: str, folder: Path, command: Cli) -> None:
    refused = command(*words)
    assert refused.code == 2 and says in refused.text, refused.text
    assert not (folder / "ports").exists() and not list((folder / "conf").iterdir())
