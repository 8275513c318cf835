"""What fails a test of the server besides its own assertions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import guards


@pytest.fixture(autouse=True)
def quiet_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """`@pytest.mark.logs(regex, ...)` names the warnings that a test causes on purpose."""
    marker = request.node.get_closest_marker("logs")
    guards.structlog_to_logging()
    with guards.logs(*(marker.args if marker else ())):
        yield


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    with guards.unblocked_loop():
        yield
