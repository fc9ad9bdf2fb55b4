# SPDX-License-Identifier: Apache-2.0
"""The command line: words -> Hydra -> jobs -> summary -> exit code. Nothing else exits the process."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from fvhydra import __version__, argv
from fvhydra.argv import CommandLine
from fvhydra.config.problems import ConfigError
from fvhydra.config.schema import conf_dir, config_dirs
from fvhydra.core import extras
from fvhydra.core.errors import FvhydraError
from fvhydra.core.trusted_words import trust_command
from fvhydra.core.verdict import Verdict

if TYPE_CHECKING:
    from fvhydra.driver import Driver


def main() -> None:
    """Run one command and exit with its code."""
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough: `fvhydra --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def run(given: Sequence[str]) -> int:
    """Run the command line ``given`` (without the program's name); return its exit code."""
    if any(word in ("--version", "-V") for word in given):  # Hydra's own answer would be its version
        print(f"fvhydra {__version__}")
        return 0
    signal.signal(signal.SIGTERM, _terminate)
    line = None
    try:
        line = CommandLine.read(_completed(given))
        trust_command(given, [folder.path for folder in line.folders if folder.origin != "project"])
        if any(word in ("--help", "-h") for word in given):
            from fvhydra import help as help_

            print(help_.text(line.dirs[1:], line.settings.sweeps))
            return 0
        argv.refuse_what_hydra_ignores(line.words, line.dirs)
        return _compose_and_run(list(given), line)
    except ConfigError as error:
        hint = "`fvhydra --help` lists the groups and options, `--cfg job` every key."
        if line and line.of_project:
            hint += f" {line.settings.file} adds: {shlex.join(line.of_project)}"
        return _refused(str(error), hint, Verdict.USAGE_ERROR.exit_code)
    except FvhydraError as error:
        return _refused(error.message, error.hint, error.exit_code)
    except KeyboardInterrupt:
        return Verdict.INTERRUPTED.exit_code
    except BrokenPipeError:  # main knows what it means
        raise
    except Exception as error:
        known = extras.explained(error)
        if isinstance(known, FvhydraError):
            return _refused(known.message, known.hint, known.exit_code)
        return _refused(f"{type(error).__name__}: {error}", f"The traceback is in {_log(error)}.", 4)


def _refused(message: str, hint: str, code: int) -> int:
    from fvhydra.terminal import Terminal

    Terminal().error(message, hint)
    return code


def _log(error: Exception) -> str:
    """A failure of ours outside of every run folder still leaves its traceback somewhere."""
    with tempfile.NamedTemporaryFile("w", prefix="fvhydra-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write("".join(traceback.format_exception(error)))
    return log.name


def _completed(given: Sequence[str]) -> list[str]:
    """The words that were typed; when the shell asks to complete a command, the folders that it names too."""
    typed = os.environ.get("COMP_LINE", "").split() if {"-sc", "--shell-completion"} & {*given} else []
    return [*(f"--config-dir={path}" for path in config_dirs(typed) if path), *given]


def _compose_and_run(given: list[str], line: CommandLine) -> int:
    from fvhydra.config.schema import register
    from fvhydra.driver import Driver
    from fvhydra.launch import plugins

    register()
    plugins.register(line.folders)
    driver = Driver(["fvhydra", *given], argv.overrides(line.words), line.added)
    protected = argv.quote_free_text(line.words)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise instead of printing: what went wrong is ours to say
    sys.argv = [sys.argv[0], *protected]
    with driver.lock:
        return _run(driver, protected, line)


def _run(driver: Driver, protected: Sequence[str], line: CommandLine) -> int:
    import hydra

    try:
        hydra.main(config_path=str(conf_dir()), config_name="config", version_base="1.3")(driver)()
    except (FvhydraError, ConfigError):
        raise
    except SystemExit as error:  # of Hydra's own flags; it has said why
        return Verdict.USAGE_ERROR.exit_code if error.code else 0
    except Exception as error:
        if driver.began:
            raise
        # while composing, whatever is raised is about what was typed
        from fvhydra.config.explain import explain

        raise explain(argv.overrides(protected), line.dirs, error) from error
    return driver.conclude()


def _terminate(signum: int, frame: FrameType | None) -> None:
    """A polite kill ends like Ctrl-C: a readable run folder, exit 130."""
    raise KeyboardInterrupt
