# SPDX-License-Identifier: Apache-2.0
"""Real weights: what is loaded is decided once and recorded: a commit of the Hub, or the hash of a local folder."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from fvhydra.core.errors import InfrastructureError, UsageError
from fvhydra.core.files import given_path, sha256_folder
from fvhydra.core.out_of_memory import ran_out
from fvhydra.core.token import find_token
from fvhydra.engines.quiet import quiet_libraries

if TYPE_CHECKING:
    from fvhydra.config.model import ModelConfig

COMMIT = re.compile(r"[0-9a-f]{40}")


def local_folder(model: ModelConfig) -> Path | None:
    """The folder that ``model.weights`` is, or None when it names a repository of the Hub."""
    folder = given_path(model.weights)
    return folder if folder.is_dir() else None


def resolve_revision(model: ModelConfig) -> str:
    """What exactly of ``model.weights`` is loaded: ``model.revision``, or today's ``main`` asked from the Hub.

    Of a local folder it is ``sha256:<hex>`` over the names and contents of its files; what ``model.revision`` says is
    about the Hub, and says nothing of it.

    Raises:
        InfrastructureError: The Hub cannot be asked, or refuses.
    """
    if folder := local_folder(model):
        return f"sha256:{sha256_folder(folder)}"
    if model.revision and COMMIT.fullmatch(model.revision):
        return model.revision
    from huggingface_hub import HfApi

    try:
        commit = HfApi(token=_token()).model_info(model.weights, revision=model.revision).sha
    except Exception as error:
        raise _explained(error, model, "has no commit that can be looked up") from error
    if not commit:
        raise InfrastructureError(f"The Hub names no commit for model.weights={model.weights}.")
    return commit


def _token() -> str | None:
    found = find_token()
    return found.value if found else None


def load_pipeline(model: ModelConfig, pipeline: type, revision: str) -> Any:
    """Load ``model.weights`` at a commit, each component in its dtype, on the CPU.

    Raises:
        UsageError: A name in ``model.component_dtypes`` is not a component of the pipeline.
        InfrastructureError: Offline, gated, missing, or not a repository of this pipeline.
    """
    from diffusers import DiffusionPipeline

    dtypes: dict[str, torch.dtype] = {"default": getattr(torch, model.dtype)}
    dtypes.update({name: getattr(torch, dtype) for name, dtype in model.component_dtypes.items()})
    folder = local_folder(model)
    source: dict[str, Any] = {"local_files_only": True} if folder else {"revision": revision, "token": _token()}
    try:
        with quiet_libraries():
            loader: type[DiffusionPipeline] = pipeline
            pipe = loader.from_pretrained(folder or model.weights, **{_dtype_key(): dtypes}, **source)
    except Exception as error:
        if ran_out(error):
            raise
        raise _explained(error, model, f"did not load as {pipeline.__name__} at {revision[:12]}") from error
    unknown = sorted(set(model.component_dtypes) - set(pipe.components))
    if unknown:
        raise UsageError(
            f"model.component_dtypes names {', '.join(unknown)}; {pipeline.__name__} has {', '.join(pipe.components)}."
        )
    return pipe


def _dtype_key() -> str:
    """What ``from_pretrained`` calls the dtype: since 0.42 the word that it had before is deprecated."""
    import diffusers

    major, minor = map(int, diffusers.__version__.split(".")[:2])
    return "dtype" if (major, minor) >= (0, 42) else "torch_dtype"


def _explained(error: BaseException, model: ModelConfig, otherwise: str) -> InfrastructureError:
    """One sentence for what the Hub or the loader said. The errors that tell are often the causes of others."""
    from huggingface_hub import errors

    where = f"model.weights={model.weights}"
    chain = list(_causes(error))
    if _any(chain, errors.GatedRepoError):
        return InfrastructureError(
            f"{where} is gated: access has not been granted to this token.",
            f"Accept the licence at https://huggingface.co/{model.weights} and set HF_TOKEN.",
        )
    if _any(chain, errors.RevisionNotFoundError):
        return InfrastructureError(f"{where} has no revision {model.revision}.", "Set model.revision to one it has.")
    if _any(chain, errors.RepositoryNotFoundError):
        return InfrastructureError(
            f"{where} does not exist, or this token may not see it.",
            "Check the spelling and the token.",
        )
    offline = (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError)
    if _any(chain, *offline, ConnectionError, TimeoutError, socket.gaierror):
        return InfrastructureError(
            f"{where} is not in the local cache and the Hub cannot be reached from here.",
            f"Download it first with: hf download {model.weights}, or use tier=smoke.",
        )
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return InfrastructureError(f"{where} {otherwise}: {first_line}.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _any(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(error, kinds) for error in chain)
