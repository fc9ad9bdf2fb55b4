# SPDX-License-Identifier: Apache-2.0
"""The part of submitit that serves here: it knows the parameters of sbatch and writes them down.

Its pickles, its way of submitting and its watcher have no part in a job that is a command (``docs/architecture.md``).
"""

from __future__ import annotations

from typing import Any

from submitit import SlurmExecutor


def sbatch_script(command: str, extra: dict[str, Any], **parameters: Any) -> str:
    """A script that runs ``command`` in bash.

    Args:
        extra: Parameters of sbatch that submitit has no word for; one that is True has no value.
        parameters: Those of ``submitit.SlurmExecutor.update_parameters``.
    """
    script = _Script(folder=".")
    ours = {"stderr_to_stdout": True, "use_srun": False, "wckey": None}
    script.update_parameters(**parameters, **ours, additional_parameters=extra)
    return script.text(command)


class _Script(SlurmExecutor):
    @classmethod
    def affinity(cls) -> int:
        """Say that Slurm is available, so that a dry run needs no cluster."""
        return 2

    def text(self, command: str) -> str:
        """The script, without the warning signal that submitit's own jobs heed before their end."""
        lines = self._make_submission_file_text(command, uid="").splitlines()
        return "\n".join(line for line in lines if not line.startswith("#SBATCH --signal=USR2@")) + "\n"
