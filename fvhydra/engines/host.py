# SPDX-License-Identifier: Apache-2.0
"""The engine host: one engine in a process of its own, under the interpreter of the engine's environment.

:mod:`fvhydra.engines.process` starts it as ``<engine.python> host.py <channel> <lifeline> <beat>``: two descriptors,
and how often to give a sign of life, in seconds. Nothing needs to be installed for it: Python 3.10 or newer with its
standard library is enough, and of this package what the engine's module imports, which is made importable alone.

The host leads a process group. The lifeline is a pipe that nobody writes to: when the driver's end of it is closed,
however that came about, a process that does nothing else kills the whole group.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import importlib.util
import os
import platform
import signal
import socket
import sys
import threading
import time
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fvhydra.engines.channel import Channel


class Reporter:
    """The progress of an engine, told to the driver; what the driver cancels ends here."""

    def __init__(self, channel: Channel, call: int) -> None:
        self._channel, self._call = channel, call

    def stage(self, stage: str, case: int | None = None, msg: str = "") -> None:
        self._tell("stage", stage, case, msg)

    def step(self, done: int, total: int) -> None:
        self._tell("step", done, total)

    def _tell(self, method: str, *arguments: Any) -> None:
        self._channel.send("progress", method=method, arguments=arguments)
        while (message := self._channel.receive(0)) is not None:
            if message == ("cancel", {"call": self._call}):
                raise KeyboardInterrupt


class Host:
    """Answers calls, one after the other, with one engine."""

    def __init__(self, channel: Channel, beat_s: float) -> None:
        self._channel = channel
        self._busy = threading.Event()
        self._engine: Any = None
        threading.Thread(target=self._beat, args=(beat_s,), daemon=True).start()

    def serve(self) -> None:
        """Until ``close`` was called, or the driver is gone."""
        from fvhydra.engines.channel import PROTOCOL

        self._channel.send("hello", protocol=PROTOCOL, python=platform.python_version())
        while (message := self._channel.receive()) is not None:
            kind, content = message
            if kind != "call":
                continue  # a cancel that came after its call had ended
            self._busy.set()
            try:
                self._answer(**content)
            finally:
                self._busy.clear()
            if content["name"] == "close":
                return

    def _answer(self, call: int, name: str, arguments: dict[str, Any]) -> None:
        try:
            value = getattr(self, f"_call_{name}")(Reporter(self._channel, call), **arguments)
            self._channel.send("result", call=call, value=value)
        except KeyboardInterrupt:
            self._channel.send("cancelled", call=call)
        except BaseException as error:
            traceback.print_exc()  # its own output is kept
            said = {name: str(getattr(error, name, "")) for name in ("message", "hint")}
            kinds = [kind.__name__ for kind in type(error).__mro__]
            self._channel.send("error", call=call, kinds=kinds, text=str(error), **said)

    def _beat(self, every_s: float) -> None:
        with contextlib.suppress(OSError):
            while self._busy.wait():
                self._channel.send("beat")
                time.sleep(every_s)

    def _call_describe(
        self, reporter: Reporter, target: str, place: dict[str, str], packages: list[str]
    ) -> dict[str, Any]:
        can = _engine_class(target, place).capabilities
        missing, absent = (
            [name for name in names if importlib.util.find_spec(name) is None] for names in (can.packages, packages)
        )
        facts = importlib.import_module("fvhydra.core.environment").environment()
        return {"capabilities": can, "missing": missing, "absent": absent, "environment": facts}

    def _call_open(self, reporter: Reporter, config: Any, place: dict[str, str]) -> None:
        self._engine = _engine_class(config._target_, place)(config)

    def _call_load(self, reporter: Reporter, request: Any) -> None:
        self._engine.load(request, reporter)

    def _call_generate(self, reporter: Reporter, case: Any) -> Any:
        measured: Any = importlib.import_module("fvhydra.engines.measured")
        return measured.generate(self._engine, case, reporter)

    def _call_trace(self, reporter: Reporter, case: Any, request: Any) -> Any:
        return self._engine.trace(case, request, reporter)

    def _call_record_components(self, reporter: Reporter, case: Any, folder: Path) -> Any:
        return self._engine.record_components(case, folder, reporter)

    def _call_run_component(self, reporter: Reporter, case: Any, recorded: Any, dtype: str | None) -> Any:
        return self._engine.run_component(case, recorded, dtype, reporter)

    def _call_inspect(self, reporter: Reporter, case: Any) -> Any:
        return self._engine.inspect(case)

    def _call_facts(self, reporter: Reporter) -> Any:
        return self._engine.facts()

    def _call_environment(self, reporter: Reporter, gpu: bool) -> Any:
        return self._engine.environment(gpu)

    def _call_devices(self, reporter: Reporter) -> Any:
        return self._engine.devices()

    def _call_close(self, reporter: Reporter) -> None:
        if self._engine is not None:
            self._engine.close()


def _engine_class(target: str, place: dict[str, str]) -> Any:
    """The class ``target``; its package is that of this environment, or else the one that the driver found."""
    if importlib.util.find_spec(place["package"]) is None and place["folder"]:
        expose(place["package"], place["folder"])
    base: Any = importlib.import_module("fvhydra.engines.base")
    loading: Any = importlib.import_module("fvhydra.core.loading")
    return loading.load_class(target, "engine", base.Engine)


def expose(package: str, folder: str) -> None:
    """Make a package or module of ``folder`` importable, and nothing else that is in that folder."""
    path = Path(folder, package)
    inside = [str(path)] if path.is_dir() else None
    source = path / "__init__.py" if inside else path.with_suffix(".py")
    if inside and not source.is_file():  # a package that is nothing but a folder
        namespace = types.ModuleType(package)
        namespace.__path__ = inside
        sys.modules[package] = namespace
        return
    spec = importlib.util.spec_from_file_location(package, source, submodule_search_locations=inside)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    spec.loader.exec_module(module)


def guard(lifeline: int) -> int:
    """Fork the process that kills the group when the lifeline ends; returns its id. No thread may run yet.

    A thread of this process could not: the engine may hold Python's lock for ever.
    """
    group = os.getpgrp()
    pid = os.fork()
    if pid:
        os.close(lifeline)
        return pid
    os.setsid()  # what ends the group must not end this
    os.closerange(0, lifeline)
    os.closerange(lifeline + 1, 1024)
    os.read(lifeline, 1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    os._exit(0)


def main() -> None:
    """Serve the driver whose descriptors the command line names."""
    here = Path(__file__).resolve().parent
    if sys.path and Path(sys.path[0]).resolve() == here:  # its neighbours are called like the engines' libraries
        del sys.path[0]
    channel, lifeline, beat_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    watcher = guard(lifeline)
    os.set_inheritable(channel, False)
    faulthandler.enable()
    expose("fvhydra", str(here.parent.parent))
    from fvhydra.engines.channel import Channel

    with contextlib.suppress(EOFError, OSError):
        Host(Channel(socket.socket(fileno=channel)), beat_s).serve()
    os.kill(watcher, signal.SIGKILL)
    os.waitpid(watcher, 0)


if __name__ == "__main__":
    main()
