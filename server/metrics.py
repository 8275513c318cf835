"""What an operator can watch, in Prometheus' terms. One registry per server, so that tests can run several."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, exposition, generate_latest


class Tally:
    """A counter of the hot paths: a plain number, told to Prometheus' own (which takes a lock) when somebody asks."""

    __slots__ = ("_counter", "_told", "count")

    def __init__(self, counter: Counter) -> None:
        self.count = 0
        self._counter = counter
        self._told = 0

    def tell(self) -> None:
        self._counter.inc(self.count - self._told)
        self._told = self.count


class Metrics:
    """The series, by name; callers hold the one they feed."""

    content_type = exposition.CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._tallies: list[Tally] = []
        self.requests = Counter(
            "hereabouts_requests",
            "Socket requests by type and outcome",
            ["type", "outcome"],
            registry=self.registry,
        )
        self.rest = Histogram(
            "hereabouts_rest_seconds",
            "REST requests by route and status",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.messages = Counter("hereabouts_messages", "Messages stored", ["kind"], registry=self.registry)
        self.speech = Counter("hereabouts_speech", "Speech stored", registry=self.registry)
        self.deliveries = Counter(
            "hereabouts_deliveries", "Frames handed to connections", registry=self.registry
        )
        self.closes = Counter(
            "hereabouts_closes", "Sockets closed by us, by code", ["code"], registry=self.registry
        )
        self.storage = Histogram(
            "hereabouts_storage_seconds", "Storage calls", ["operation"], registry=self.registry
        )
        self.loop_lag = Histogram(
            "hereabouts_loop_lag_seconds",
            "How late the event loop ran a timer",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
            registry=self.registry,
        )

        self.nearby_ticks = Histogram(
            "hereabouts_nearby_tick_seconds",
            "What a tick of the area of interest takes",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5),
            registry=self.registry,
        )
        self.nearby_lateness = Histogram(
            "hereabouts_nearby_lateness_seconds",
            "How late a tick began",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5),
            registry=self.registry,
        )
        self.nearby_skipped = Counter(
            "hereabouts_nearby_ticks_skipped", "Ticks left out, being too late", registry=self.registry
        )

    def gauge(self, name: str, help: str, read: Callable[[], float]) -> None:
        """A value that is read when somebody asks, so that nothing has to keep it up to date."""
        Gauge(f"hereabouts_{name}", help, registry=self.registry).set_function(read)

    def tally(self, counter: Counter) -> Tally:
        tally = Tally(counter)
        self._tallies.append(tally)
        return tally

    def exposition(self) -> bytes:
        for tally in self._tallies:
            tally.tell()
        return generate_latest(self.registry)
