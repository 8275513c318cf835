"""What a browser loads: the demo client, the API pages, and their headers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tornado.web import StaticFileHandler

from handlers.base import Base
from server.node import Node

STATIC: Final = Path(__file__).resolve().parent.parent / "static"

# A name or an address, perhaps with a port, and nothing that could end a directive of the policy.
HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

# The page runs what this server sends and nothing else: no inline script, no foreign host.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self' {sockets}",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def policy(host: str) -> str:
    """For a page that was asked for at this host. Not for every browser does 'self' mean its sockets too."""
    return POLICY.format(sockets=f"ws://{host} wss://{host}" if HOST.fullmatch(host) else "")


class Files(Base, StaticFileHandler):
    """Files under `static/`; vendored ones have their version in the path and may be kept for a year."""

    def initialize(self, node: Node, path: str, default_filename: str | None = None) -> None:  # type: ignore[override]
        Base.initialize(self, node)
        StaticFileHandler.initialize(self, path, default_filename)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Content-Security-Policy", policy(self.request.host))
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header(
            "Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), geolocation=()"
        )
        vendored = path.startswith("vendor/")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if vendored else "no-cache")

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        if "\0" in absolute_path or any(
            part.startswith(".") for part in Path(absolute_path).relative_to(root).parts
        ):
            self.send_error(404)
            return None
        return super().validate_absolute_path(root, absolute_path)
