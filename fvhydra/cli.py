"""The command line: words -> Hydra -> jobs -> summary -> exit code. Nothing else exits the process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from fvhydra import words
from fvhydra.config.problems import ConfigError
from fvhydra.config.schema import conf_dir
from fvhydra.core.errors import FvhydraError, UsageError
from fvhydra.core.verdict import Verdict


def main() -> None:
    """Run one command and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(given: Sequence[str]) -> int:
    """Run the command line ``given`` (without the program's name); return its exit code."""
    if any(word in ("--help", "-h") for word in given):
        from fvhydra import help as help_

        print(help_.text([conf_dir(), *(Path(path) for path in words.config_dirs(given))]))
        return 0
    signal.signal(signal.SIGTERM, _terminate)
    try:
        words.refuse_what_hydra_ignores(given)
        return _compose_and_run(list(given))
    except (UsageError, ConfigError, FvhydraError) as error:
        from fvhydra.terminal import Terminal

        message, hint = (error.message, error.hint) if isinstance(error, FvhydraError) else (str(error), _CONFIG_HINT)
        Terminal().error(message, hint)
        return error.exit_code if isinstance(error, FvhydraError) else Verdict.USAGE_ERROR.exit_code
    except KeyboardInterrupt:
        return Verdict.INTERRUPTED.exit_code


_CONFIG_HINT = "`fvhydra --help` lists the groups and options, `--cfg job` every key."


def _compose_and_run(given: list[str]) -> int:
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from fvhydra.config.schema import register
    from fvhydra.driver import Driver
    from fvhydra.launch import plugins

    register()
    plugins.register()
    driver = Driver(["fvhydra", *given])
    protected = words.protect(given)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise instead of printing: what went wrong is ours to say
    sys.argv = [sys.argv[0], *protected]
    try:
        hydra.main(config_path=str(conf_dir()), config_name="config", version_base="1.3")(driver)()
    except (HydraException, OmegaConfBaseException) as error:
        from fvhydra.config.complaints import explain

        dirs = [conf_dir(), *(Path(path) for path in words.config_dirs(protected))]
        raise explain(words.overrides(protected), dirs, error) from error
    return driver.conclude()


def _terminate(signum: int, frame: FrameType | None) -> None:
    """A polite kill ends like Ctrl-C: a readable run folder, exit 130."""
    raise KeyboardInterrupt
