"""A hub of models on this machine: what the real one answers to its own package, for tests."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40
_PATIENCE = 60  # seconds, before a test that hangs fails
LARGE = (".safetensors", ".bin", ".pt", ".pth", ".onnx", ".h5", ".msgpack")  # in Git LFS there


@dataclass(frozen=True)
class Asked:
    method: str
    repository: str
    file: str
    range: str | None


class FakeHub:
    """Serves folders as repositories, and remembers which files it was asked for.

    ``cut`` says after how many bytes a file's connection breaks, as often as there are numbers;
    ``stall`` after how many one comes to a halt, until ``go_on`` is set.
    """

    def __init__(self, repositories: Mapping[str, Path]) -> None:
        self.repositories = dict(repositories)
        self.asked: list[Asked] = []
        self.cut: dict[str, list[int]] = {}
        self.stall: dict[str, int] = {}
        self.go_on = threading.Event()
        self.knows_ranges = True
        self.gated: set[str] = set()
        hub = self

        class Handler(_Handler):
            server_hub: ClassVar[FakeHub] = hub

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> FakeHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fetched(self, repository: str | None = None) -> list[str]:
        """Files whose content was asked for, as often as it was."""
        return [
            one.file
            for one in self.asked
            if one.method == "GET" and repository in (None, one.repository)
        ]


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Who asked is gone; some tests kill it."""


class _Handler(BaseHTTPRequestHandler):
    server_hub: ClassVar[FakeHub]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        if match := re.fullmatch(r"api/models/(.+?)(?:/(revision|tree)/[^/]+)?", path):
            return self._list(match[1], match[2] == "tree")
        if match := re.fullmatch(r"(.+?)/resolve/[^/]+/(.+)", path):
            return self._file(match[1], match[2])
        return self._refuse(404, "")

    def _folder(self, repository: str) -> Path | None:
        folder = self.server_hub.repositories.get(repository)
        if folder is None:
            self._refuse(404, "RepoNotFound")
        return folder

    def _list(self, repository: str, tree: bool) -> None:
        if (folder := self._folder(repository)) is None:
            return
        entries = []
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            large = path.suffix in LARGE
            name, size = path.relative_to(folder).as_posix(), path.stat().st_size
            lfs = {"sha256": etag_of(path), "size": size, "pointerSize": 130} if large else None
            blob = hashlib.sha1(name.encode()).hexdigest() if large else etag_of(path)
            if tree:
                entry = {"type": "file", "path": name, "size": size, "oid": blob}
                lfs = {"oid": etag_of(path), "size": size, "pointerSize": 130} if large else None
            else:
                entry = {"rfilename": name, "size": size, "blobId": blob}
            entries.append(entry | ({"lfs": lfs} if lfs else {}))
        info = {"id": repository, "sha": COMMIT, "siblings": entries, "private": False, "tags": []}
        self._send(json.dumps(entries if tree else info).encode(), {})

    def _file(self, repository: str, name: str) -> None:
        hub = self.server_hub
        if (folder := self._folder(repository)) is None:
            return
        hub.asked.append(Asked(self.command, repository, name, self.headers["Range"]))
        if repository in hub.gated:
            return self._refuse(403, "GatedRepo")
        path = folder / name
        if not path.is_file():
            return self._refuse(404, "EntryNotFound")
        headers = {"ETag": f'"{etag_of(path)}"', "X-Repo-Commit": COMMIT}
        headers["X-Linked-Size"] = str(path.stat().st_size)
        cuts = hub.cut.get(name, []) if self.command == "GET" else []
        halt = hub.stall.get(name) if self.command == "GET" else None
        self._send(path.read_bytes(), headers, cuts.pop(0) if cuts else None, halt)

    def _send(
        self,
        content: bytes,
        headers: Mapping[str, str],
        cut: int | None = None,
        halt: int | None = None,
    ) -> None:
        first, whole = 0, len(content)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if asked and self.server_hub.knows_ranges:
            first = int(asked[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
        else:
            self.send_response(200)
        content = content[first:]
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            content = content[:cut]
            self.wfile.write(content[:halt])
            if halt is not None:
                self.server_hub.go_on.wait(_PATIENCE)
                self.wfile.write(content[halt:])
        if cut is not None:
            self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()


def etag_of(path: Path) -> str:
    """What names a file's blob: SHA-256 of large files, git's own sum of small ones."""
    content = path.read_bytes()
    if path.suffix in LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def put_in_cache(cache: Path, repository: str, folder: Path) -> Path:
    """A folder as the hub's package keeps a repository: blobs, links to them, a branch's commit.

    Gives the folder of the links.
    """
    root = cache / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / COMMIT
    for part in (snapshot, root / "blobs", root / "refs"):
        part.mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(COMMIT)
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        blob = root / "blobs" / etag_of(path)
        shutil.copyfile(path, blob)
        (snapshot / path.name).unlink(missing_ok=True)
        (snapshot / path.name).symlink_to(Path("..") / ".." / "blobs" / blob.name)
    return snapshot
