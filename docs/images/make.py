# SPDX-License-Identifier: Apache-2.0
"""Take the README's picture: seed with the mock engine, check with perturbed frames, photograph the report.

Run from anywhere: ``python docs/images/make.py``. Needs ``chromium`` and the ``dev`` extra.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "report.png"
WIDTH, HEIGHT = 960, 910
COMMANDS = (
    ("op=seed_ssim", "op.confirm=upload"),
    ("op=check_ssim", "tier.perturb_weights=0.1"),
)


def main() -> None:
    """Replace ``report.png``."""
    with tempfile.TemporaryDirectory() as folder:
        for words in COMMANDS:
            _run(Path(folder), "engine=mock", "model=wan22_ti2v_5b", *words)
        _photograph(Path(folder) / "outputs" / "latest" / "report" / "index.html")


def _run(folder: Path, *words: str) -> None:
    environment = os.environ | {"FVHYDRA_STORE": str(folder / "store")}
    code = subprocess.run(
        [sys.executable, "-m", "fvhydra", *words], cwd=folder, env=environment, check=False
    ).returncode
    if code not in (0, 1):
        sys.exit(f"fvhydra {' '.join(words)} ended with {code}")


def _photograph(page: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        tab.locator("#case-0 [data-screen=difference] canvas[data-frame]").wait_for()
        tab.get_by_label("amplify").fill("4")
        tab.get_by_label("amplify").blur()
        tab.evaluate("scrollTo(0, 0)")
        tab.screenshot(path=PICTURE)
        browser.close()
    # few colours are enough for a page, and keep the repository small
    Image.open(PICTURE).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
