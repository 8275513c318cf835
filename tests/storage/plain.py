"""A mongod whose options are an operator's, and not ours."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from storage.mongod import _free_port, find_mongod


class Plain:
    """A mongod as an operator may have set it up wrongly: not a replica set, or with accounts."""

    def __init__(self, folder: Path, *options: str, **connecting: Any) -> None:
        self.port = _free_port()
        files = folder / "files"
        files.mkdir()
        self._log = open(folder / "log", "wb")
        self._process = subprocess.Popen(
            [
                str(find_mongod(folder)),
                "--dbpath",
                str(files),
                "--port",
                str(self.port),
                "--bind_ip",
                "127.0.0.1",
            ]
            + ["--nounixsocket", *options],
            stdout=self._log,
        )
        self.client: MongoClient[dict[str, object]] = MongoClient(
            "127.0.0.1", self.port, directConnection=True, **connecting
        )
        self.client.admin.command("ping")

    def stop(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def initiate(self) -> None:
        """Makes it the primary of a replica set of its own, called `x` as `--replSet` has to be."""
        member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
        self.client.admin.command("replSetInitiate", {"_id": "x", "members": [member]})
        while not self.client.admin.command("hello")["isWritablePrimary"]:
            continue
