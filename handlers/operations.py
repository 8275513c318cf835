"""For whoever runs the server: alive, ready, measured."""

from __future__ import annotations

from ipaddress import ip_address

from handlers.base import Base
from server.errors import ApiError
from server.metrics import Metrics
from storage.errors import StorageError


class Health(Base):
    """`/healthz`: the process answers."""

    def get(self) -> None:
        self.finish_json({"status": "ok"})

    head = get


class Ready(Base):
    """`/readyz`: it takes connections, and a write to the database goes through."""

    async def get(self) -> None:
        if not self.node.ready:
            self.refuse(ApiError("unavailable", "starting or stopping"))
            return
        try:
            await self.node.store.ping()
        except StorageError:
            self.refuse(ApiError("unavailable", "the database cannot be written to"))
            return
        self.finish_json({"status": "ready"})

    head = get


class MetricsPage(Base):
    """`/metrics` in Prometheus' text format; by default to this machine alone."""

    def get(self) -> None:
        allowed = self.node.settings.metrics
        # A proxy on this machine looks local, but speaks for somebody who is not.
        proxied = "X-Forwarded-For" in self.request.headers or "Forwarded" in self.request.headers
        if allowed == "off" or (
            allowed == "loopback" and (proxied or not _is_loopback(self.request.remote_ip))
        ):
            self.refuse(ApiError("not_found", "no such route"))
            return
        self.set_header("Content-Type", Metrics.content_type)
        self.finish(self.node.metrics.exposition())


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ip_address(address).is_loopback
    except ValueError:
        return False  # a socket without an address
