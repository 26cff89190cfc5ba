"""Who may speak to the app: pages that this machine's browser opened with the token, no others.

Everything lies below ``/TOKEN/``, so relative addresses carry the token along. A page of another
site can't know it, and names that were pointed at this machine (DNS rebinding) are refused by the
``Host`` that they bring.
"""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panoptic.web.hosts import host_of, is_loopback, is_of_another_site

HEADERS = {
    # The page may load from here alone; pictures also from what it drew itself.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",  # the address is the token
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Lets through what comes below ``/TOKEN``, for a host on this machine, from its own pages."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await PlainTextResponse(refusal, 403, headers=HEADERS)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        inner: MutableMapping[str, Any] = dict(scope)
        inner["root_path"] = scope.get("root_path", "") + f"/{self._token}"
        await self._app(inner, receive, with_headers)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        if not is_loopback(host_of(headers)):
            return "panoptic app answers to localhost alone"
        first = scope["path"].split("/")[1] if scope["path"].startswith("/") else ""
        if not secrets.compare_digest(first.encode(), self._token.encode()):
            return "open the address that panoptic app printed: it has a token in it"
        if is_of_another_site(headers):
            return "panoptic app answers to its own page alone"
        return None
