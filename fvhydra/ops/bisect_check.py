# SPDX-License-Identifier: Apache-2.0
"""One check of one commit: an ordinary command in a process of its own, which leaves an ordinary run folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fvhydra.config.op import BisectConfig
from fvhydra.config.override import override_value
from fvhydra.core.bisection import Attempt
from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.run import RunFolder
from fvhydra.core.text import printable
from fvhydra.core.verdict import Verdict
from fvhydra.ops.cases import same_words
from fvhydra.ops.context import Context
from fvhydra.performance.names import records_of_run
from fvhydra.performance.record import read_record

PERFORMANCE = "check_perf"
"""The check that needs measurements, and a history of them."""

_GRACE_S = 20.0
"""Time that a command has to stop when it is asked to, s."""
_VERDICTS = {2: Verdict.USAGE_ERROR, 3: Verdict.NO_REFERENCE, 5: Verdict.INCONCLUSIVE}
"""Of a command that left no result, by its exit code; any other is the machine's."""
_REFUSED = re.compile(r"(?:usage_error|^error:) +(.+(?:\n +- .+)*)", re.MULTILINE)


def check_commit(context: Context, config: BisectConfig, engine_path: Path, folder: Path) -> Attempt:
    """Check what is in ``engine_path``, and leave the run folder and all that was printed below ``folder``.

    Raises:
        KeyboardInterrupt: The check has been stopped too.
    """
    if config.check != PERFORMANCE:
        attempt = _built(context, config, engine_path, folder)
        words = [f"op={config.check}", *_words(context, engine_path, folder), *_options(config.check_with)]
        return attempt or _command(context, words, folder / "output.log")
    measured = _measured(context, config, engine_path, folder)
    if measured.verdict is not Verdict.DONE or measured.folder is None:
        return measured
    words = [*_words(context, engine_path, folder), f"run={context.run.path / measured.folder}"]
    if config.baseline:
        words = [*_in_store(words, baseline_store(context)), f"op.mirror={folder / 'mirror'}"]
    return _command(context, [f"op={config.check}", *words, *_options(config.check_with)], folder / "output.log")


def baseline_store(context: Context) -> Path:
    """The store with the measurements of the good end: of an earlier attempt at this search, or this run's own."""
    earlier = sorted(context.run.path.glob("attempts/*/baseline"))
    return earlier[0] if earlier and context.config.resume else context.run.path / "baseline"


def measure_baseline(context: Context, config: BisectConfig, engine_path: Path, folder: Path) -> None:
    """Measure the good end ``op.baseline`` times, as the history that speed is held to; in a store of this run alone.

    Raises:
        InfrastructureError: It could not be measured.
    """
    sources = []
    for number in range(config.baseline):
        measured = _measured(context, config, engine_path, folder / str(number))
        if measured.verdict is not Verdict.DONE or measured.folder is None:
            raise InfrastructureError(
                f"The good end could not be measured: {measured.message}", f"Look at {measured.log}."
            )
        sources += records_of_run(context.run.path / measured.folder)
    record = read_record(sources[0])
    words = [
        "op=reseed_perf",
        *_in_store(_words(context, engine_path, folder), baseline_store(context)),
        f"op.model_id={record.model_id}",
        f"op.gpu_type={record.gpu_type}",
        f"op.source_results=[{','.join(map(str, sources))}]",
        "op.reason=the good end of a search",
        "op.max_intra_batch_regression=1000",  # noise is what several are for
        "op.confirm=[confirm performance reseed,upload]",
    ]
    kept = _command(context, words, folder / "output.log")
    if kept.verdict is not Verdict.DONE:
        raise InfrastructureError(
            f"The good end could not be kept as a baseline: {kept.message}", f"Look at {kept.log}."
        )


def _built(context: Context, config: BisectConfig, engine_path: Path, folder: Path) -> Attempt | None:
    """Run ``op.build``; why the commit cannot be checked, where that failed."""
    folder.mkdir(parents=True)
    log = folder / "output.log"
    if config.build is not None and (code := _run(["sh", "-c", config.build], log, engine_path)):
        return Attempt(Verdict.USAGE_ERROR, f"op.build ended with {code}.", None, context.run.relative(log))
    return None


def _measured(context: Context, config: BisectConfig, engine_path: Path, folder: Path) -> Attempt:
    words = ["op=bench", *_words(context, engine_path, folder), *_options(config.measure_with)]
    return _built(context, config, engine_path, folder) or _command(context, words, folder / "output.log")


def _in_store(words: Sequence[str], store: Path) -> list[str]:
    return [*(word for word in words if not word.startswith("store")), "store=local", f"store.path={store}"]


def _options(given: Mapping[str, Any] | None) -> list[str]:
    return [f"op.{name}={override_value(value)}" for name, value in (given or {}).items()]


def _words(context: Context, engine_path: Path, folder: Path) -> list[str]:
    """What asks for the same cases of the engine that is in ``engine_path``, in run folders below ``folder``."""
    runtime = context.config.runtime
    kept = [word for word in same_words(context) if not word.lstrip("+").startswith("engine.path=")]
    own = [f"runtime.threads={runtime.threads}", f"runtime.cache_dir={runtime.cache_dir}", "runtime.progress=lines"]
    return [*kept, *own, f"runtime.output_dir={folder}", f"engine.path={engine_path}"]


def _command(context: Context, words: Sequence[str], log: Path) -> Attempt:
    code = _run([sys.executable, "-m", "fvhydra", *words], log)
    latest = log.parent / "latest"
    if not latest.exists():
        said = log.read_text(encoding="utf-8", errors="replace")
        found = _REFUSED.search(said)
        message = found[1] if found else (said.strip().splitlines() or [f"It ended with {code}."])[-1]
        verdict = _VERDICTS.get(code, Verdict.INFRASTRUCTURE)
        return Attempt(verdict, printable(" ".join(message.split())), None, context.run.relative(log))
    found_at = log.parent / latest.readlink()
    latest.unlink()  # a run folder has no links
    relative = context.run.relative(found_at)
    try:
        result = RunFolder(found_at).result
    except UsageError as error:  # it was killed before it had one
        return Attempt(Verdict.INFRASTRUCTURE, error.message, relative, context.run.relative(log))
    if result.verdict is Verdict.INTERRUPTED:
        raise KeyboardInterrupt
    said = result.message or "; ".join(case.message for case in result.cases if case.message)
    return Attempt(result.verdict, printable(said), relative, context.run.relative(log))


def _run(command: Sequence[str], log: Path, folder: Path | None = None) -> int:
    """Run a command to its end; its output is added to ``log``."""
    # a module that is compiled once would hide one of equal size and second from the next commit
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_GRACE_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                process.kill()
                process.wait()
            raise
