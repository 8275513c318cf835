"""What Hereabouts is compared with: each a server in `peers/` that does nothing but what is measured.

One that cannot be had here is reported as absent, with the reason.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bench.processes import BUILT, HERE, Failed, Process, build, python, run

PEERS = HERE / "peers"
GO_PACKAGES = Path("/usr/share/gocode")  # where Debian puts them


@dataclass
class Peer:
    """A server to be started: `open` are the load's options for connecting, `message` what a publication is."""

    name: str
    made_with: Callable[[], str]
    command: Callable[[], Sequence[str | Path]]
    open: Sequence[str] = ()
    message: Callable[[str], str] = '{{"content":"bench:{{t}}{}"}}'.format
    process: Process | None = field(default=None, repr=False)
    version: str = ""
    absent: str = ""

    def start(self) -> None:
        try:
            self.version = self.made_with()
            self.process = Process(self.command(), cwd=PEERS)
            self.process.pause()
        except (Failed, OSError, ValueError, ImportError) as error:
            self.absent = str(error).splitlines()[0][:200]

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()

    @contextmanager
    def running(self) -> Iterator[None]:
        """It runs while it is measured, and at no other time."""
        assert self.process is not None
        self.process.resume()
        try:
            yield
        finally:
            self.process.pause()

    @property
    def port(self) -> str:
        assert self.process is not None
        return self.process.first_line


def _gcc() -> str:
    return "gcc " + run(["gcc", "-dumpfullversion"]).strip()


def _node(package: str) -> str:
    locked, installed = PEERS / "package-lock.json", PEERS / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
        run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=PEERS)
    made = json.loads((PEERS / "node_modules" / package / "package.json").read_text())["version"]
    return f"{made} (node {run(['node', '--version']).strip()})"


def _centrifuge() -> str:
    if not (GO_PACKAGES / "src/github.com/centrifugal/centrifuge").exists():
        raise Failed(
            "Go and its packages are not installed: apt-get install golang-go"
            " golang-github-centrifugal-centrifuge-dev golang-github-centrifugal-protocol-dev"
            " golang-github-fzambia-eagle-dev golang-github-igm-sockjs-go-dev golang-github-mna-redisc-dev"
        )
    environment = {"GO111MODULE": "off", "GOPATH": str(GO_PACKAGES)}
    os.environ.update(environment)
    run(["go", "build", "-o", BUILT / "centrifuge", PEERS / "centrifuge_fanout.go"])
    debian = run(["dpkg-query", "-W", "-f", "${Version}", "golang-github-centrifugal-centrifuge-dev"])
    return f"{debian.partition('+')[0]} ({run(['go', 'version']).split()[2]})"


def fanout_peers() -> list[Peer]:
    return [
        Peer("C, joined", _gcc, lambda: [build("peers/fanout.c", "-lcrypto")]),
        Peer("socketify", lambda: version("socketify"), lambda: python("socketify_fanout.py")),
        Peer(
            "centrifuge",
            _centrifuge,
            lambda: [BUILT / "centrifuge"],
            open=(
                *("-j", '{"id":1,"params":{}}'),
                *("-j", '{"id":2,"method":1,"params":{"channel":"all"}}', "-J", '"id":2'),
            ),
            message='{{"id":3,"method":3,"params":{{"channel":"all","data":{{"content":"bench:{{t}}{}"}}}}}}'.format,
        ),
        Peer("node ws", lambda: _node("ws"), lambda: ["node", "ws_fanout.js"]),
        Peer(
            "socket.io",
            lambda: _node("socket.io"),
            lambda: ["node", "socketio_fanout.js"],
            open=("-u", "/socket.io/?EIO=4&transport=websocket", "-j", "40", "-J", "40{"),
            message='42["m",{{"content":"bench:{{t}}{}"}}]'.format,
        ),
        Peer(
            "FastAPI",
            _fastapi,
            lambda: python("fastapi_fanout.py"),
        ),
    ]


def land_peers() -> list[Peer]:
    """Servers that tell people where others are."""
    return [
        Peer(
            "Colyseus room",
            lambda: _node("@colyseus/core"),
            lambda: ["env", "NODE_ENV=production", "node", "colyseus_moves.js"],
        ),
        Peer(
            "Colyseus views",
            lambda: _node("@colyseus/core"),
            lambda: ["env", "NODE_ENV=production", "node", "colyseus_moves.js", "views"],
        ),
        Peer(
            "socket.io room",
            lambda: _node("socket.io"),
            lambda: ["env", "NODE_ENV=production", "node", "socketio_moves.js"],
            open=("-u", "/socket.io/?EIO=4&transport=websocket"),
        ),
        Peer("FastAPI to all", _fastapi, lambda: python("fastapi_moves.py")),
    ]


def _fastapi() -> str:
    return f"{version('fastapi')} (uvicorn {version('uvicorn')})"


def echo_peer() -> Peer:
    return Peer("Tornado", lambda: version("tornado"), lambda: python("tornado_echo.py"))
