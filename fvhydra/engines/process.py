# SPDX-License-Identifier: Apache-2.0
"""The driver's end of an engine in a process of its own: it is started, called, cancelled and ended here."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fvhydra.core.environment import now
from fvhydra.core.errors import (
    EngineDied,
    EngineError,
    EngineFailed,
    EngineHung,
    EngineProtocolError,
    FvhydraError,
    InfrastructureError,
    MediaError,
    UsageError,
)
from fvhydra.core.files import explained
from fvhydra.core.progress import Progress, Silent
from fvhydra.core.text import printable
from fvhydra.engines import channel, host
from fvhydra.engines.endings import SHOWN, doing, last_words, signal_name
from fvhydra.engines.interpreter import check_version, interpreter, not_an_interpreter, process_environment

if TYPE_CHECKING:
    from fvhydra.config.engine import EngineConfig

_START_S = 60.0
_CLOSE_S = 30.0
_CANCEL_S = 10.0
_TERMINATE_S = 5.0
_KILL_S = 1.0
_TICK_S = 0.5

_KINDS: dict[str, type[FvhydraError]] = {
    kind.__name__: kind for kind in (UsageError, InfrastructureError, MediaError, FvhydraError)
}


class EngineProcess:
    """A running engine host. One call at a time, by one thread.

    Whatever ends this process, or the life of this object, ends the engine's process with all that it started.

    Args:
        config: Which interpreter, path and environment variables, and the limits.
        log: Receives everything that the process prints.

    Raises:
        UsageError: The interpreter or the path is not there, or is too old.
        EngineError: The process did not come up.
    """

    def __init__(self, config: EngineConfig, log: Path) -> None:
        self._config, self._log = config, log
        self._python = interpreter(config)
        self._calls = 0
        self._answered, self._ended = True, False
        self._start()
        try:
            self._greet()
        except BaseException:
            self.stop()
            raise

    @property
    def alive(self) -> bool:
        """Whether it can be called."""
        return self._process.poll() is None

    def call(
        self,
        name: str,
        progress: Progress | None = None,
        limit_s: float | None = None,
        limit_key: str = "",
        **arguments: Any,
    ) -> Any:
        """Call the host and return its answer.

        Args:
            name: ``describe``, ``open``, ``load``, ``generate``, ``trace``, ``facts``, ``environment``, ``close``.
            progress: Hears of the engine's progress. What it raises cancels the call, and is raised.
            limit_s: Longest time for the call.
            limit_key: What to raise where that is too little; empty: nothing can be.
            arguments: See :func:`fvhydra.engines.channel.encode`.

        Raises:
            FvhydraError: What the engine refused, as it would in this process.
            EngineFailed: It raised something else.
            EngineDied, EngineHung, EngineProtocolError: There was no answer. The process has ended.
        """
        self._calls += 1
        self._answered = False
        until = None if limit_s is None else time.monotonic() + limit_s
        try:
            with contextlib.suppress(OSError):  # it is gone: whatever it left is heard first
                self._channel.send("call", call=self._calls, name=name, arguments=arguments)
            for kind, content in self._messages(name, until, self._config.silence_s, limit_key):
                if kind == "progress":
                    listener = progress or Silent()
                    (listener.step if content["method"] == "step" else listener.stage)(*content["arguments"])
                elif kind != "beat":
                    return self._answer(name, kind, content)
        finally:
            if not self._answered:
                self._cancel()

    def close(self) -> None:
        """Ask the engine to release the model, then end the process, however it answers."""
        try:
            if self.alive:
                self.call("close", limit_s=_CLOSE_S)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_TERMINATE_S)
        finally:
            self.stop()

    def stop(self) -> None:
        """End the process and its group: ask first, then kill."""
        if self._ended:
            return
        self._answered = self._ended = True
        try:
            if self.alive:
                self._signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_TERMINATE_S)
        finally:
            self._kill()
            self._channel.close()
            self._lifeline.close()

    def _kill(self) -> None:
        """End the group, those too that the engine started and that outlived it, and wait for what they held."""
        self._signal(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_TERMINATE_S)
        until = time.monotonic() + _KILL_S
        while self._signal(signal.SIGKILL) and time.monotonic() < until:
            time.sleep(0.01)

    # ------------------------------------------------------------------ starting
    def _start(self) -> None:
        environment = process_environment(self._config)
        with explained(self._log):
            self._log.parent.mkdir(parents=True, exist_ok=True)
            output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        ours, theirs = socket.socketpair()
        watched, lifeline = os.pipe()
        self._channel, self._lifeline = channel.Channel(ours), os.fdopen(lifeline, "wb")
        descriptors = (theirs.fileno(), watched)
        beat_s = min(1.0, self._config.silence_s / 4)
        command = [self._python, host.__file__, *map(str, descriptors), str(beat_s)]
        try:
            os.write(output, f"{now()} | {' '.join(command)}\n".encode())
            self._said_from = os.fstat(output).st_size
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=descriptors,
                start_new_session=True,
            )
        except OSError as error:
            self._channel.close()
            self._lifeline.close()
            raise UsageError(f"engine.python={self._python} cannot be run: {error.strerror}.") from error
        finally:
            theirs.close()
            os.close(watched)
            os.close(output)

    def _greet(self) -> None:
        try:
            _, hello = next(self._messages("start", None, _START_S))
        except EngineError as error:
            if (reason := not_an_interpreter(self._python)) is not None:
                raise reason from error
            raise
        if (spoken := hello.get("protocol")) != channel.PROTOCOL:
            self.stop()
            raise EngineProtocolError(
                f"{self._who} speaks version {spoken} of the protocol, and this fvhydra version {channel.PROTOCOL}.",
            )
        check_version(self._python, str(hello["python"]))
        self._answered = True

    # ------------------------------------------------------------------ hearing
    def _messages(
        self, name: str, until: float | None, silence_s: float, limit_key: str = ""
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the host says, as long as it does."""
        heard = time.monotonic()
        while True:
            alive = self.alive  # asked first: what it said before it ended is still there
            try:
                message = self._channel.receive(_TICK_S)
                if message is not None and not channel.FROM_HOST.get(message[0], {"-"}) <= message[1].keys():
                    raise channel.ProtocolError(f"a message {message[0]!r} with {', '.join(message[1]) or 'nothing'}")
            except EOFError:
                raise self._died(name) from None
            except channel.ProtocolError as error:
                self.stop()
                raise EngineProtocolError(
                    f"{self._who} said what is not of the protocol while {doing(name)}: {printable(str(error))}.",
                    f"Something in it writes where it should not; its output is in {self._log}.",
                ) from error
            if message is not None:
                heard = time.monotonic()
                yield message
            elif not alive:
                raise self._died(name)
            if until is not None and time.monotonic() > until:
                raise self._hung(f"took too long for {doing(name)}", limit_key)
            if time.monotonic() - heard > silence_s:
                key = "" if name == "start" else "engine.silence_s"
                raise self._hung(f"gave no sign of life for {silence_s:g} s while {doing(name)}", key)

    def _answer(self, name: str, kind: str, content: dict[str, Any]) -> Any:
        self._answered = True
        if kind == "result":
            return content["value"]
        if kind == "error":
            raise self._raised(name, content)
        raise InfrastructureError(f"{self._who} was interrupted while {doing(name)}.")

    def _raised(self, name: str, content: dict[str, Any]) -> FvhydraError:
        kinds = [str(kind) for kind in content["kinds"]]
        ours = next((_KINDS[kind] for kind in kinds if kind in _KINDS), None)
        if ours is not None:
            return ours(str(content["message"]), str(content["hint"]))
        text = " ".join(printable(f"{kinds[0]}: {content['text']}").split()).rstrip(":.")[:SHOWN]
        return EngineFailed(f"{self._who} failed while {doing(name)}: {text}.", f"The traceback is in {self._log}.")

    def _cancel(self) -> None:
        """Let the engine end the call at its next step; one that does not is ended."""
        until = time.monotonic() + _CANCEL_S
        try:
            with contextlib.suppress(OSError, EOFError, channel.ProtocolError):
                self._channel.send("cancel", call=self._calls)
                while (left_s := until - time.monotonic()) > 0:
                    message = self._channel.receive(left_s)
                    if message is not None and message[0] not in ("progress", "beat"):
                        self._answered = True
                        break
        finally:
            if not self._answered:
                self.stop()

    # ------------------------------------------------------------------ ends
    def _died(self, name: str) -> EngineDied:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_TERMINATE_S)
        code = self._process.poll()
        self.stop()
        words = last_words(self._log, self._said_from)
        hint = f"Its output is in {self._log}."
        if code is None:
            how = "closed its end of the channel"
        elif code < 0:
            how = f"was killed by {signal_name(-code)}"
        else:
            how = f"exited with code {code}"
        if code == -signal.SIGKILL:
            hint = f"If nobody killed it, memory ran out: look at `dmesg`. {hint}"
        return EngineDied(f"{self._who} {how} while {doing(name)}{words and f': {words}'}.", hint)

    def _hung(self, how: str, key: str) -> EngineHung:
        self.stop()
        longer = f"Raise {key} if it needs longer. " if key else ""
        return EngineHung(f"{self._who} {how}, and was ended.", f"{longer}Its output is in {self._log}.")

    def _signal(self, number: signal.Signals) -> bool:
        """Send a signal to the group; whether anything of it is still there."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    @property
    def _who(self) -> str:
        return f"engine={self._config.name} in a process of its own"
