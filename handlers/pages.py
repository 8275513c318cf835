"""What a browser loads: the demo client, the API pages, and their headers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher

from handlers.base import Base
from handlers.compressed import CompressedFiles
from server.node import Node

STATIC: Final = Path(__file__).resolve().parent.parent / "static"

# A name or an address, perhaps with a port, and nothing that could end a directive of the policy.
HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

# What a page may do. There is no inline script or style, no foreign host, no embedding, and no string becomes markup or
# code: not even a Trusted Types policy can be made, since nothing here needs one.
DIRECTIVES: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}

# Of what a browser asks its user for, the demo asks for three. The others are named since a page has them by default.
CALLS: Final = ("camera", "display-capture", "microphone")
NEVER: Final = ("clipboard-read", "geolocation", "hid", "midi", "payment", "serial", "usb")


def policy(host: str, **changes: str) -> str:
    """The policy of a page that was asked for at this host; `changes` are to `DIRECTIVES`, `_` for `-`."""
    # Not for every browser does 'self' mean its sockets too.
    sockets = f"'self' ws://{host} wss://{host}" if HOST.fullmatch(host) else "'self'"
    directives = {
        **DIRECTIVES,
        "connect-src": sockets,
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def permissions(*allowed: str) -> str:
    """The header that leaves a page these features, for itself alone, and takes the others away."""
    features = {**dict.fromkeys((*CALLS, *NEVER), "()"), **dict.fromkeys(allowed, "(self)")}
    return ", ".join(f"{feature}={value}" for feature, value in features.items())


class Files(Base, CompressedFiles):
    """Files under `static/`; vendored ones have their version in the path and may be kept for a year."""

    def initialize(self, node: Node, path: str, default_filename: str | None = None) -> None:  # type: ignore[override]
        Base.initialize(self, node)
        CompressedFiles.initialize(self, path, default_filename)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Content-Security-Policy", self.policy())
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Permissions-Policy", self.permissions())
        vendored = path.startswith("vendor/")
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if vendored else "no-cache")

    def policy(self) -> str:
        return policy(self.request.host)

    def permissions(self) -> str:
        return permissions(*CALLS)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        if "\0" in absolute_path or any(
            part.startswith(".") for part in Path(absolute_path).relative_to(root).parts
        ):
            self.send_error(404)
            return None
        return super().validate_absolute_path(root, absolute_path)


class Visit(Matcher):
    """Somebody with a browser at an address that is not the API's."""

    def match(self, request: HTTPServerRequest) -> dict[str, list[bytes]] | None:
        if request.method not in ("GET", "HEAD") or request.path.startswith("/api/"):
            return None
        return (
            {"path_args": [b"not-found.html"]} if "text/html" in request.headers.get("Accept", "") else None
        )


class NoPage(Files):
    """What they are shown where there is nothing."""

    def set_extra_headers(self, path: str) -> None:
        super().set_extra_headers(path)
        self.set_status(404)

    def should_return_304(self) -> bool:
        return False
