"""Static files, compressed for those who take it: each once, when it is first asked for, and not on the loop's thread."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import mimetypes
import re
from collections.abc import Generator
from pathlib import Path
from typing import ClassVar, Final

from tornado.web import StaticFileHandler

# Text. Fonts and pictures are compressed in themselves.
GAINS: Final = frozenset((".css", ".html", ".js", ".json", ".md", ".svg", ".txt", ".webmanifest"))
# What stands at the end of a path for the compressed form of its file, which is in memory alone.
GZIP: Final = ".gz"
TAKES_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")


class CompressedFiles(StaticFileHandler):
    """Tornado's, which sends files as they are.

    The two forms of a file are two representations (RFC 9110 §8.8.3): each has an ETag of its own. A part of a file
    (`Range`) is one of the plain form.
    """

    _compressed: ClassVar[dict[str, bytes]] = {}  # by path; all of `static/` is under a megabyte

    async def get(self, path: str, include_body: bool = True) -> None:
        self.path = self.parse_url_path(path)
        file = self.validate_absolute_path(self.root, self.get_absolute_path(self.root, self.path))
        if file is None:
            return  # answered
        if self._to_compress(file):
            self._compressed[file] = await asyncio.to_thread(_compress, file)
        await super().get(path, include_body)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        path = super().validate_absolute_path(root, absolute_path)
        return path + GZIP if path in self._compressed and self._takes_gzip() else path

    def _to_compress(self, file: str) -> bool:
        return Path(file).suffix in GAINS and file not in self._compressed and self._takes_gzip()

    def _takes_gzip(self) -> bool:
        headers = self.request.headers
        return "Range" not in headers and bool(TAKES_GZIP.search(headers.get("Accept-Encoding", "")))

    @property
    def _file(self) -> str:
        """The file that is served, in whichever form."""
        assert self.absolute_path is not None
        return self.absolute_path.removesuffix(GZIP)

    def set_headers(self) -> None:
        super().set_headers()
        if Path(self._file).suffix in GAINS:
            self.set_header("Vary", "Accept-Encoding")
        if self._file != self.absolute_path:
            self.set_header("Content-Encoding", "gzip")

    def get_content_type(self) -> str:
        return mimetypes.guess_type(self._file)[0] or "application/octet-stream"

    def get_content_size(self) -> int:
        if self._file == self.absolute_path:
            return super().get_content_size()
        return len(self._compressed[self._file])

    def get_modified_time(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(int(Path(self._file).stat().st_mtime), datetime.UTC)

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Generator[bytes, None, None]:
        if abspath.endswith(GZIP):
            yield cls._compressed[abspath.removesuffix(GZIP)]
        else:
            yield from super().get_content(abspath, start, end)


def _compress(file: str) -> bytes:
    return gzip.compress(Path(file).read_bytes(), mtime=0)
