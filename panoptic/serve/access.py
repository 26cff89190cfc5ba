"""Who may ask: whoever knows the token; without one, programs on this machine alone.

Programs send ``Authorization: Bearer TOKEN``. Label Studio knows user names and passwords only:
there the token is the password, the name doesn't count. ``/health`` is for everybody, so that what
watches over servers needs no token.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from panoptic.serve.refusals import Refused, as_response
from panoptic.web.hosts import host_of, is_loopback, is_of_another_site

OPEN = ("/health",)


class Access:
    """Lets through who may ask."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            refused = self._refusal(Headers(scope=scope))
            if refused is not None:
                await as_response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> Refused | None:
        if self._token is None:
            return _not_local(headers)
        given = token_of(headers.get("authorization", ""))
        if given is not None and secrets.compare_digest(given.encode(), self._token.encode()):
            return None
        what = "a wrong token" if given is not None else "no token"
        return Refused(
            401,
            f"{what} was sent; send the header 'Authorization: Bearer TOKEN' with the token that "
            "the server was started with, or, from Label Studio, the token as the password",
            {"www-authenticate": 'Basic realm="panoptic serve"'},
        )


def token_of(authorization: str) -> str | None:
    """The token in a header ``Authorization``, None where there is none."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(rest.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
        return text.partition(":")[2] if ":" in text else None
    return None


def _not_local(headers: Headers) -> Refused | None:
    """A page of another site may speak to this machine by a browser that is on it, under a name
    that was pointed at it (DNS rebinding) too; what it asks must not be done."""
    if not is_loopback(host_of(headers)):
        return Refused(
            403,
            f"this server answers to localhost alone, and was asked for as "
            f"{headers.get('host', '')!r}; start it with a token to have it answer to other names",
        )
    if is_of_another_site(headers):
        return Refused(403, "this server doesn't answer to pages of other sites")
    return None
