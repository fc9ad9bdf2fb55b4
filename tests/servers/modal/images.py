# SPDX-License-Identifier: Apache-2.0
"""RPCs about what a container is made of: images, files of the client, secrets, large arguments."""

from __future__ import annotations

import hashlib
import platform
import shlex
from collections.abc import AsyncIterator

from grpclib import Status
from modal_proto import api_pb2 as pb

from tests.servers.modal.container import Container
from tests.servers.modal.state import SUCCESS, Result, Task, World, refuse


class Images:
    def __init__(self, world: World) -> None:
        self._world = world
        self._by_content: dict[str, str] = {}
        self._metadata = pb.ImageMetadata(
            python_version_info=f"Python {platform.python_version()}", image_builder_version="2025.06", workdir="/root"
        )

    async def ImageGetOrCreate(
        self, message: pb.ImageGetOrCreateRequest, task: Task | None
    ) -> pb.ImageGetOrCreateResponse:
        for base in message.image.base_images:
            self._world.find(self._world.images, base.image_id, "Image")
        content = hashlib.sha256(message.image.SerializeToString(deterministic=True)).hexdigest()
        built = content in self._by_content
        image_id = self._by_content.setdefault(content, self._world.new_id("im"))
        self._world.images[image_id] = message.image
        result = Result(status=SUCCESS) if built else Result()
        return pb.ImageGetOrCreateResponse(image_id=image_id, result=result, metadata=self._metadata)

    async def ImageJoinStreaming(
        self, message: pb.ImageJoinStreamingRequest, task: Task | None
    ) -> AsyncIterator[pb.ImageJoinStreamingResponse]:
        self._world.find(self._world.images, message.image_id, "Image")
        yield pb.ImageJoinStreamingResponse(
            result=Result(status=SUCCESS), metadata=self._metadata, entry_id="1", eof=True
        )

    async def MountBatchedCheckExistence(
        self, message: pb.MountBatchedCheckExistenceRequest, task: Task | None
    ) -> pb.MountBatchedCheckExistenceResponse:
        files = self._world.folder("files")
        missing = [sha256 for sha256 in message.sha256_hex_hashes if not (files / sha256).exists()]
        return pb.MountBatchedCheckExistenceResponse(missing_sha256_hex_hashes=missing)

    async def MountPutFile(self, message: pb.MountPutFileRequest, task: Task | None) -> pb.MountPutFileResponse:
        path = self._world.folder("files") / message.sha256_hex
        kind = message.WhichOneof("data_oneof")
        if kind is not None:
            blob = self._world.folder("blob") / message.data_blob_id
            data = message.data if kind == "data" else blob.read_bytes()
            if hashlib.sha256(data).hexdigest() != message.sha256_hex:
                refuse(Status.INVALID_ARGUMENT, "sha256 mismatch")
            path.write_bytes(data)
        return pb.MountPutFileResponse(exists=path.exists())

    async def MountGetOrCreate(
        self, message: pb.MountGetOrCreateRequest, task: Task | None
    ) -> pb.MountGetOrCreateResponse:
        mount_id = self._world.new_id("mo")
        # a global mount is the SDK itself, which the interpreter has installed
        self._world.mounts[mount_id] = list(message.files)
        content = hashlib.sha256(b"".join(sorted(file.SerializeToString() for file in message.files))).hexdigest()
        metadata = pb.MountHandleMetadata(content_checksum_sha256_hex=content)
        return pb.MountGetOrCreateResponse(mount_id=mount_id, handle_metadata=metadata)

    async def BlobCreate(self, message: pb.BlobCreateRequest, task: Task | None) -> pb.BlobCreateResponse:
        blob_id = self._world.new_id("bl")
        urls = pb.UploadUrlList(items=[f"{self._world.http_url}/blob/{blob_id}"])
        return pb.BlobCreateResponse(blob_ids=[blob_id], upload_urls=urls)

    async def BlobGet(self, message: pb.BlobGetRequest, task: Task | None) -> pb.BlobGetResponse:
        if not (self._world.folder("blob") / message.blob_id).exists():
            refuse(Status.NOT_FOUND, f"blob {message.blob_id}")
        return pb.BlobGetResponse(download_url=f"{self._world.http_url}/blob/{message.blob_id}")

    async def SecretGetOrCreate(
        self, message: pb.SecretGetOrCreateRequest, task: Task | None
    ) -> pb.SecretGetOrCreateResponse:
        if message.object_creation_type == pb.OBJECT_CREATION_TYPE_ANONYMOUS_OWNED_BY_APP:
            unnamed = self._world.new_id("st")
            self._world.secrets[unnamed] = ("", dict(message.env_dict))
            return pb.SecretGetOrCreateResponse(secret_id=unnamed)
        if message.object_creation_type != pb.OBJECT_CREATION_TYPE_UNSPECIFIED:
            refuse(Status.UNIMPLEMENTED, "secrets with a name are made by ModalServer.secret")
        name = message.deployment_name
        secret_id = next((key for key, (known, _) in self._world.secrets.items() if known == name), None)
        if secret_id is None:
            refuse(Status.NOT_FOUND, f"Secret '{name}' not found in environment 'main'")
        return pb.SecretGetOrCreateResponse(secret_id=secret_id, metadata=pb.SecretMetadata(name=name))


def furnish(container: Container, world: World, definition: pb.Function) -> None:
    """Give a container the environment and the files of a function's image, mounts and secrets."""
    for image in _chain(world, definition.image_id):
        for line in image.dockerfile_commands:
            word, _, rest = line.partition(" ")
            if word.upper() == "ENV" and "=" in rest:
                container.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            elif word.upper() == "WORKDIR":
                container.workdir = rest.strip().strip('"')
    for mount_id in definition.mount_ids:
        for file in world.mounts[mount_id]:
            container.add_file(file.filename, world.folder("files") / file.sha256_hex, file.mode)
    for secret_id in definition.secret_ids:
        container.environment |= world.secrets[secret_id][1]


def _chain(world: World, image_id: str) -> list[pb.Image]:
    image = world.images[image_id]
    return [*(below for base in image.base_images for below in _chain(world, base.image_id)), image]
