# SPDX-License-Identifier: Apache-2.0
"""RPCs about Volumes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from google.protobuf.empty_pb2 import Empty
from grpclib import Status
from modal_proto import api_pb2 as pb

from tests.servers.modal.state import Task, World, refuse
from tests.servers.modal.volumes import Checkout, Volume

BLOCK_BYTES = 8 << 20
_PAGE = 500


class Storage:
    def __init__(self, world: World) -> None:
        self._world = world

    async def VolumeGetOrCreate(
        self, message: pb.VolumeGetOrCreateRequest, task: Task | None
    ) -> pb.VolumeGetOrCreateResponse:
        name = message.deployment_name
        volume = next((known for known in self._world.volumes.values() if known.name == name), None)
        if volume is None:
            if message.object_creation_type == pb.OBJECT_CREATION_TYPE_UNSPECIFIED:
                refuse(Status.NOT_FOUND, f"Volume '{name}' not found in environment 'main'")
            volume_id = self._world.new_id("vo")
            volume = Volume(volume_id, name, self._world.folder(f"volumes/{volume_id}"))
            self._world.volumes[volume_id] = volume
        return pb.VolumeGetOrCreateResponse(
            volume_id=volume.id, version=pb.VOLUME_FS_VERSION_V2, metadata=_metadata(volume)
        )

    async def VolumeListFiles2(
        self, message: pb.VolumeListFiles2Request, task: Task | None
    ) -> AsyncIterator[pb.VolumeListFiles2Response]:
        volume, top = self._path(message.volume_id, message.path)
        if not top.exists():
            refuse(Status.NOT_FOUND, f"{message.path}: no such file or directory")
        paths = [top] if top.is_file() else sorted(top.rglob("*") if message.recursive else top.iterdir())
        for start in range(0, len(paths), _PAGE):
            entries = [_entry(volume, path) for path in paths[start : start + _PAGE]]
            yield pb.VolumeListFiles2Response(entries=entries)

    async def VolumeGetFile2(self, message: pb.VolumeGetFile2Request, task: Task | None) -> pb.VolumeGetFile2Response:
        _, path = self._path(message.volume_id, message.path)
        if not path.is_file():
            refuse(Status.NOT_FOUND, f"{message.path}: no such file")
        size = path.stat().st_size
        relative = path.relative_to(self._world.folder("volumes")).as_posix()
        urls = [f"{self._world.http_url}/volume/{relative}?start={start}" for start in range(0, size, BLOCK_BYTES)]
        return pb.VolumeGetFile2Response(get_urls=urls, size=size, start=0, len=size)

    async def VolumeCommit(self, message: pb.VolumeCommitRequest, task: Task | None) -> pb.VolumeCommitResponse:
        checkout = _checkout(message.volume_id, task)
        if not self._world.loses_commits:
            await asyncio.to_thread(checkout.commit)
        return pb.VolumeCommitResponse(skip_reload=False)

    async def VolumeReload(self, message: pb.VolumeReloadRequest, task: Task | None) -> Empty:
        await asyncio.to_thread(_checkout(message.volume_id, task).reload)
        return Empty()

    def _path(self, volume_id: str, relative: str) -> tuple[Volume, Path]:
        volume: Volume = self._world.find(self._world.volumes, volume_id, "Volume")
        path = volume.path(relative)
        return volume, path if path is not None else refuse(Status.INVALID_ARGUMENT, f"invalid path {relative!r}")


def _checkout(volume_id: str, task: Task | None) -> Checkout:
    if task is None or volume_id not in task.checkouts:
        refuse(Status.FAILED_PRECONDITION, "only a container that mounts the Volume can do that")
    return task.checkouts[volume_id]


def _metadata(volume: Volume) -> pb.VolumeMetadata:
    return pb.VolumeMetadata(version=pb.VOLUME_FS_VERSION_V2, name=volume.name)


def _entry(volume: Volume, path: Path) -> pb.FileEntry:
    facts, folder = path.lstat(), path.is_dir()
    return pb.FileEntry(
        path=path.relative_to(volume.folder).as_posix(),
        type=pb.FileEntry.DIRECTORY if folder else pb.FileEntry.FILE,
        mtime=int(facts.st_mtime),
        size=0 if folder else facts.st_size,
    )
