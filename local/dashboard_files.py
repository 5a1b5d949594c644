"""Serve the built dashboard: hashed assets for ever, everything else never stale.

Not here: building it. A path that is no file and has no extension is a view of the dashboard and
gets index.html.
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

IMMUTABLE = "public, max-age=31536000, immutable"


class DashboardFiles:
    """The files under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer GET or HEAD of a path with its file, index.html, 404, or 503 before a build."""
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        index = self._folder / "index.html"
        if not index.is_file():
            return web.Response(
                status=503, text="The dashboard is not built yet: run `make dashboard`.\n"
            )
        file = self._find(request.path)
        if file is None:
            if "." in request.path.rpartition("/")[2]:
                return web.Response(status=404, text="Not found.\n")
            file = index
        return web.FileResponse(file, headers={"Cache-Control": self._cache_control(file)})

    def _find(self, path: str) -> Path | None:
        """Return the file of a path, None if there is none inside the folder."""
        try:
            file = (self._folder / path.lstrip("/")).resolve()
            if file.is_relative_to(self._folder) and file.is_file():
                return file
        except (OSError, ValueError):
            # A name that the file system refuses (too long, a NUL byte) is no file.
            return None
        return None

    def _cache_control(self, file: Path) -> str:
        if file.is_relative_to(self._folder / "assets"):
            return IMMUTABLE
        return "no-store" if file.suffix == ".html" else "no-cache"
