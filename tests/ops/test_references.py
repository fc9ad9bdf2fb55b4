# SPDX-License-Identifier: Apache-2.0
"""Sidecars that are none: named by their store path, and in nobody else's way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fvhydra.config.store import LocalStoreConfig
from fvhydra.core.errors import Corrupt
from fvhydra.ops.references import References
from fvhydra.stores.layout import reference_path, sidecar_path
from fvhydra.stores.local import LocalStore
from fvhydra.testing import cases
from tests.conftest import Cli


def _store(folder: Path) -> LocalStore:
    return LocalStore(LocalStoreConfig(_target_="", name="local", path=str(folder / "store")))


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'{"recipe": []}', b'{"environment": 3}'])
def test_a_broken_sidecar_is_named_and_blocks_no_other(tmp_path: Path, content: bytes) -> None:
    broken, other = (
        cases.case("ltx2", prompt=prompt, seed=cases.sampling("ltx2").seed) for prompt in ("a cat", "a cat on a mat")
    )
    path = reference_path(broken)
    store = _store(tmp_path)
    store.commit({path: b"x", sidecar_path(path): content}, message="by hand")
    references = References(store, broken, tmp_path / "references")
    with pytest.raises(Corrupt, match=r"a cat\.pt\.json in .* is not a sidecar"):
        references.sidecar(path)
    assert references.find(broken) == path
    assert references.free_path(other) == reference_path(other)
    assert references.free_path(broken) == path, "what is there is there"


def test_it_costs_only_its_own_case(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("a cat\na dog\n")
    seeded = cli("op=seed_ssim", "engine=mock", "prompt_file=two.txt", "op.confirm=upload")
    assert seeded.code == 0, seeded.text
    store = _store(tmp_path)
    [sidecar] = [path for path in store.files() if path.endswith("a cat.pt.json")]
    store.commit({sidecar: b"[]"}, message="by hand")
    command = cli("op=check_ssim", "engine=mock", "prompt_file=two.txt")
    result = json.loads((tmp_path / "outputs" / "latest" / "result.json").read_text())
    assert [case["verdict"] for case in result["cases"]] == ["infrastructure", "pass"], command.text
    assert sidecar in result["cases"][0]["message"] and command.code == 4
    command = cli("op=restore", "engine=mock", "op.revision=zzz")
    assert command.code == 2 and "There is no revision zzz" in command.text, command.text
