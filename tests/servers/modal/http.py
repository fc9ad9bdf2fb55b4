# SPDX-License-Identifier: Apache-2.0
"""The HTTP side: the bytes of large arguments, results and of files in Volumes."""

from __future__ import annotations

import base64
import hashlib

from aiohttp import web

from tests.servers.modal.state import World
from tests.servers.modal.storage import BLOCK_BYTES


def application(world: World) -> web.Application:
    """Answers ``/blob/<id>`` and ``/volume/<id>/<path>?start=<byte>``."""

    async def put_blob(request: web.Request) -> web.Response:
        data = await request.read()
        digest = hashlib.md5(data)
        announced = request.headers.get("Content-MD5")
        if announced and base64.b64encode(digest.digest()).decode() != announced:
            return web.Response(status=400, text="The Content-MD5 you specified did not match what we received.")
        (world.folder("blob") / request.match_info["name"]).write_bytes(data)
        return web.Response(headers={"ETag": f'"{digest.hexdigest()}"'})

    async def get_blob(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(world.folder("blob") / request.match_info["name"])

    async def get_volume(request: web.Request) -> web.Response:
        volumes = world.folder("volumes").resolve()
        path = (volumes / request.match_info["path"]).resolve()
        if not path.is_relative_to(volumes) or not path.is_file():
            return web.Response(status=404)
        with open(path, "rb") as file:
            file.seek(int(request.query["start"]))
            return web.Response(body=file.read(BLOCK_BYTES))

    app = web.Application(client_max_size=1 << 34)
    app.add_routes(
        [web.put("/blob/{name}", put_blob), web.get("/blob/{name}", get_blob), web.get("/volume/{path:.+}", get_volume)]
    )
    return app
