"""JSON over HTTP to one server: builds the request, reads the answer, and turns every failure into a
HereaboutsError. Knows no endpoint and holds no token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import HTTPTimeoutError, SimpleAsyncHTTPClient

from client.errors import HereaboutsError

TIMEOUT: Final = 10.0  # seconds, from the first byte out to the last one in
MAX_BODY: Final = 16 * 2**20  # 200 messages of 4,000 code points, escaped, are under 10 MiB


class Http:
    def __init__(self, base_url: str) -> None:
        """`base_url`: the API root, without a slash at the end: `https://host/api/v1`."""
        self.base_url = base_url
        # Not the configured class: pycurl, where a program has chosen it, is not needed here.
        self._client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=MAX_BODY)

    def close(self) -> None:
        self._client.close()

    async def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """The body of the answer, None for 204.

        `path` begins with a slash, ids in it already encoded; query values that are None are left out.
        Raises HereaboutsError: the server's code, `network`, or `timeout` after so many seconds.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        given = {name: value for name, value in (query or {}).items() if value is not None}
        request = HTTPRequest(
            self.base_url + path + (f"?{urlencode(given)}" if given else ""),
            method=method,
            headers=headers,
            body=None if body is None else json.dumps(body).encode(),
            allow_nonstandard_methods=True,  # a POST without a body
            connect_timeout=timeout,
            request_timeout=timeout,
        )
        try:
            response = await self._client.fetch(request, raise_error=False)
        except HTTPTimeoutError as error:
            raise HereaboutsError("timeout", "the server took too long to answer") from error
        except (OSError, HTTPClientError) as error:  # a closed stream is an HTTPClientError here
            raise HereaboutsError("network", f"the server cannot be reached: {error}") from error
        if response.code == 204:
            return None
        if response.code >= 300:
            raise error_of(response)
        try:
            return json.loads(response.body)
        except ValueError as error:
            raise HereaboutsError("network", "expected JSON; somebody else answers here") from error


def error_of(response: HTTPResponse) -> HereaboutsError:
    status = response.code
    header = response.headers.get("Retry-After", "")
    asked = float(header) if header.isdigit() else None
    try:
        error = json.loads(response.body)["error"]
        code, message = error["code"], error["message"]
    except (ValueError, KeyError, TypeError):
        # A proxy in between answers in HTML; the status alone has to do.
        code = "unavailable" if status >= 500 else "invalid_message"
        return HereaboutsError(code, f"HTTP {status}", status=status, retry_after=asked)
    return HereaboutsError(code, message, status=status, retry_after=error.get("retry_after", asked))
