# SPDX-License-Identifier: Apache-2.0
"""A Modal of our own: the part of its gRPC interface that the unmodified ``modal`` SDK uses to run functions.

    with ModalServer(tmp_path) as modal:
        modal.secret("huggingface", HF_TOKEN="hf_reads_only")
        ...  # a process with the environment variables modal.environment
        assert modal.functions[-1].gpu == "L40S:2"

Functions run: each container is a process tree of its own that the SDK's own entry point serves, in Linux namespaces
(``unshare``), so that code reaches it only through its image, and data only through Volumes and arguments. What an
image would install is not installed: the interpreter of the tests stands for it. A call that this server does not know
is answered with UNIMPLEMENTED; nothing is pretended.

By hand: ``python -m tests.servers.modal`` prints the variables to export, and serves until Ctrl-C.
"""

from tests.servers.modal.server import ModalServer

__all__ = ["ModalServer"]
