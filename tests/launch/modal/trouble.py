# SPDX-License-Identifier: Apache-2.0
"""An engine from outside the package, for containers: the mock, and on the way whatever can go wrong."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from fvhydra.core.case import Case
from fvhydra.core.progress import Progress
from fvhydra.engines.base import GeneratedMedia
from fvhydra.engines.mock import MockEngine


class Trouble(MockEngine):
    """``engine.options.kind`` says what goes wrong; ``seconds`` how long a ``wait`` takes."""

    def generate(self, case: Case, progress: Progress) -> GeneratedMedia:
        options = self.config.options
        print("generating", options["kind"], flush=True)
        match options["kind"]:
            case "wait":
                time.sleep(options["seconds"])
            case "raise":
                raise RuntimeError("the kernel is wrong")
            case "exit":
                sys.exit(7)
            case "abort":
                os.abort()
            case "tell":
                more = Path(__file__).with_name("more.yaml").is_file()
                seen = {"environment": dict(os.environ), "driver": Path(options["driver"]).exists(), "more": more}
                print("seen " + json.dumps(seen), flush=True)
        return super().generate(case, progress)
