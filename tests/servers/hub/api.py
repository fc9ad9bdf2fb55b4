# SPDX-License-Identifier: Apache-2.0
"""The Hub's addresses and what each does."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from tests.servers.hub.connection import Connection, Refusal
from tests.servers.hub.git import Pointer, Repo

if TYPE_CHECKING:
    from tests.servers.hub.server import User


class Api(Connection):
    """``/api/...`` is the Hub, ``/<repository>/resolve/...`` a download, ``/cdn/...`` where large files are kept."""

    def route(self, parts: list[str]) -> None:
        match parts:
            case ["api", "whoami-v2"]:
                self._whoami()
            case ["api", "datasets" | "models", owner, name, *rest]:
                self._dataset(f"{owner}/{name}", rest)
            case ["datasets", owner, name, "info", "lfs", "objects", "batch"]:
                self._lfs_batch(f"{owner}/{name.removesuffix('.git')}")
            case ["datasets", owner, name, "resolve", revision, *path] | [owner, name, "resolve", revision, *path]:
                self._resolve(f"{owner}/{name}", revision, "/".join(path))
            case ["cdn", sha256]:
                self._cdn(sha256)
            case _:
                raise Refusal(404, "Sorry, we can't find the page you are looking for.")

    def _dataset(self, name: str, rest: list[str]) -> None:
        match rest:
            case ["auth-check"]:
                self._refuse_gated(name, self._repo(name))
                self.answer({})
            case ["auth-check", "write"]:
                self._repo(name, write=True)
                self.answer({})
            case [] | ["revision", _]:
                self._info(self._repo(name), name, rest[-1] if rest else "main")
            case ["tree", revision, *path]:
                self._tree(self._repo(name), revision, "/".join(path))
            case ["paths-info", revision]:
                self._paths_info(self._repo(name), revision)
            case ["commits", revision]:
                self._commits(self._repo(name), revision)
            case ["xet-read-token" | "xet-write-token" as kind, _] if self.hub.xet:
                self._repo(name, write=kind == "xet-write-token")
                token, headers = self.hub.xet.token()
                self.answer(token, headers=headers)
            case ["preupload", revision]:
                self._preupload(self._repo(name, write=True), revision)
            case ["commit", branch]:
                self._commit(self._repo(name, write=True), name, branch)
            case _:
                raise Refusal(404, "Sorry, we can't find the page you are looking for.")

    # who

    def _user(self) -> User | None:
        given = self.headers.get("Authorization")
        if given is None:
            return None
        user = self.hub.tokens.get(given.removeprefix("Bearer "))
        if user is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return user

    def _whoami(self) -> None:
        user = self._user()
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        role = "write" if user.writes else "read"
        self.answer({"type": "user", "name": user.name, "orgs": [], "auth": {"accessToken": {"role": role}}})

    def _repo(self, name: str, write: bool = False) -> Repo:
        """A data set that the caller may use. Like the real Hub, what may not be seen does not exist."""
        user, repo = self._user(), self.hub.repos.get(name)
        own = user is not None and user.name == name.split("/")[0]
        if user is None and (repo is None or repo.private or write):
            raise Refusal(401, "Invalid username or password.", "RepoNotFound")
        if repo is None or (repo.private and not own):
            raise Refusal(404, "Repository not found", "RepoNotFound")
        if write and not (own and user is not None and user.writes):
            raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
        return repo

    def _refuse_gated(self, name: str, repo: Repo) -> None:
        """Everybody sees the files of a gated repository; who has not accepted its licence gets none of them."""
        user = self._user()
        if repo.gated and (user is None or user.name != name.split("/")[0]):
            said = f"Access to model {name} is restricted and you are not in the authorized list."
            raise Refusal(401 if user is None else 403, said, "GatedRepo")

    # reading

    def _at(self, repo: Repo, revision: str) -> str:
        commit = repo.resolve(revision)
        if commit is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    def _info(self, repo: Repo, name: str, revision: str) -> None:
        commit = self._at(repo, revision)
        siblings = [{"rfilename": path} for path in repo.files(commit)]
        self.answer({"_id": name, "id": name, "sha": commit, "private": repo.private, "tags": [], "siblings": siblings})

    def _tree(self, repo: Repo, revision: str, folder: str) -> None:
        commit = self._at(repo, revision)
        files, folders = repo.files(commit), repo.folders(commit)
        if folder and folder not in folders:
            raise Refusal(404, f'"{folder}" does not exist on "{revision}"', "EntryNotFound")
        prefix = f"{folder}/" if folder else ""
        recursive = self.query.get("recursive", "").lower() == "true"
        found = [
            path
            for path in sorted([*files, *folders])
            if path.startswith(prefix) and (recursive or "/" not in path[len(prefix) :])
        ]
        self.answer_page([self._entry(repo, path, files, folders) for path in found])

    def _entry(self, repo: Repo, path: str, files: dict[str, str], folders: dict[str, str]) -> dict[str, Any]:
        if path in files:
            return repo.describe(path, files[path])
        return {"type": "directory", "oid": folders[path], "size": 0, "path": path}

    def _paths_info(self, repo: Repo, revision: str) -> None:
        form = parse_qs(self.body().decode(), keep_blank_values=True)
        paths = form.get("paths", [])
        if len(paths) > 1000:
            raise Refusal(413, "too many parameters")
        commit = self._at(repo, revision)
        files, folders = repo.files(commit), repo.folders(commit)
        found = [self._entry(repo, path, files, folders) for path in paths if path in files or path in folders]
        if form.get("expand", [""])[-1].lower() == "true":
            for entry in found:
                last = repo.last_change(commit, entry["path"])
                entry["lastCommit"] = {"id": last.sha, "title": last.title, "date": last.date}
        self.answer(found)

    def _commits(self, repo: Repo, revision: str) -> None:
        self.answer_page(
            [
                {
                    "id": commit.sha,
                    "title": commit.title,
                    "message": commit.description,
                    "authors": [{"user": commit.author}],
                    "date": commit.date,
                }
                for commit in repo.history(self._at(repo, revision))
            ]
        )

    def _resolve(self, name: str, revision: str, path: str) -> None:
        repo = self._repo(name)
        self._refuse_gated(name, repo)
        commit = self._at(repo, revision)
        blob = repo.files(commit).get(path)
        headers: dict[str, Any] = {"X-Repo-Commit": commit}
        if blob is None:
            raise Refusal(404, "Entry not found", "EntryNotFound", headers)
        pointer = repo.pointer(blob)
        if pointer is None:
            self.answer_file(repo.objects[blob], headers | {"ETag": f'"{blob}"'})
            return
        headers |= {"X-Linked-Size": pointer.size, "X-Linked-ETag": f'"{pointer.sha256}"'}
        if self.hub.xet and (known := self.hub.xet.hashes().get(pointer.sha256)):
            token = f"{self.hub.url}/api/datasets/{name}/xet-read-token/{commit}"
            headers |= {"X-Xet-Hash": known[0], "Link": f'<{token}>; rel="xet-auth"'}
        # to another host, as the real Hub does, so that the client must keep its token to itself
        headers["Location"] = f"http://localhost:{self.hub.port}/cdn/{pointer.sha256}"
        self.answer("", 302, headers)

    # writing

    def _preupload(self, repo: Repo, revision: str) -> None:
        request = self.json()
        files = repo.files(self._at(repo, revision))
        attributes = _rules(repo, files, ".gitattributes")
        large = [line.split()[0] for line in attributes if "filter=lfs" in line]
        ignored = _rules(repo, files, ".gitignore")
        if self.hub.heeds_given_gitignore and request.get("gitIgnore"):
            ignored = request["gitIgnore"].splitlines()
        answers = []
        for file in request["files"]:
            path = file["path"]
            binary = b"\0" in base64.b64decode(file["sample"])
            lfs = binary or file["size"] >= self.hub.large or _matches(path, large)
            answer = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": _matches(path, ignored)}
            if path in files:
                pointer = repo.pointer(files[path])
                answer["oid"] = pointer.sha256 if pointer else files[path]
            answers.append(answer)
        self.answer({"files": answers})

    def _lfs_batch(self, name: str) -> None:
        request = self.json()
        self._repo(name, write=request["operation"] == "upload")
        objects = []
        for item in request["objects"]:
            if item["oid"] not in self.hub.lfs:
                item["actions"] = {"upload": {"href": f"{self.hub.url}/cdn/{item['oid']}"}}
            objects.append(item)
        self.answer({"transfer": "basic", "objects": objects})

    def _cdn(self, sha256: str) -> None:
        if self.command == "PUT":
            data = self.body()
            if hashlib.sha256(data).hexdigest() != sha256:
                raise Refusal(400, "The content does not match the hash.")
            self.hub.lfs[sha256] = data
            self.answer({}, headers={"ETag": f'"{sha256}"'})
        else:
            self.answer_file(self.hub.lfs[sha256], {"ETag": f'"{sha256}"'})

    def _commit(self, repo: Repo, name: str, branch: str) -> None:
        user = self._user()
        assert user is not None
        lines = [json.loads(line) for line in self.body().splitlines() if line.strip()]
        head = next(line["value"] for line in lines if line["key"] == "header")
        changes = [(line["key"], line["value"]) for line in lines if line["key"] != "header"]
        blobs = {value["path"]: self._blob(repo, key, value) for key, value in changes if key in ("file", "lfsFile")}
        with repo.lock:
            if branch not in repo.branches:
                raise Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
            tip = repo.branches[branch]
            if head.get("parentCommit") not in (None, tip):
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            files = repo.files(tip)
            for path in [value["path"] for key, value in changes if key == "deletedFile"]:
                if path not in files:
                    raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
                del files[path]
            try:
                made = repo.commit(branch, files | blobs, user.name, head["summary"], head.get("description", ""))
            except ValueError as error:
                raise Refusal(400, str(error)) from error
        url = f"{self.hub.url}/datasets/{name}/commit/{made}"
        self.answer({"success": True, "commitOid": made, "commitUrl": url})

    def _blob(self, repo: Repo, key: str, value: dict[str, Any]) -> str:
        if key == "file":
            return repo.put("blob", base64.b64decode(value["content"]))
        data = self.hub.large_file(value["oid"])
        if data is None:
            raise Refusal(400, f"LFS pointer pointed to a file that does not exist: {quote(value['path'])}")
        return repo.put("blob", Pointer(value["oid"], len(data)).encode())


def _rules(repo: Repo, files: dict[str, str], name: str) -> list[str]:
    return repo.objects[files[name]].decode().splitlines() if name in files else []


def _matches(path: str, patterns: Iterable[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(name, p) or fnmatch.fnmatchcase(path, p) for p in patterns if p[:1] not in ("", "#"))
