"""Pictures from other servers: from those that were named when this one was started, no others."""

from __future__ import annotations

import base64
import http.client
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Collection
from email.message import Message
from typing import IO, Any
from urllib.parse import quote, urljoin, urlsplit

from panoptic.serve.limits import MEGABYTE
from panoptic.serve.refusals import Refused

TIMEOUT = 30.0
"""Seconds without an answer."""
_REDIRECTS = 5
_NETLOC = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_ACCESS_LASTS = 240.0
"""Seconds for which Label Studio's short-lived tokens are used; they last five minutes."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


class Fetcher:
    """Fetches from Label Studio at ``studio``, with its ``key``, and from ``hosts``.

    A host is ``name``, ``name:port`` or ``*.name``. ``ValueError`` for a ``studio`` that is no
    address.
    """

    def __init__(
        self, studio: str | None = None, key: str | None = None, hosts: Collection[str] = ()
    ) -> None:
        self._studio = studio.rstrip("/") if studio else None
        if self._studio and not _is_web(self._studio):
            raise ValueError(
                f"the address of Label Studio is {studio!r}: expected one such as "
                "http://studio:8080"
            )
        self._key = key
        self._hosts = [host.lower() for host in hosts]
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._lock = threading.Lock()
        self._access: tuple[str, float] | None = None

    def get_own(self, path: str, most: int) -> bytes:
        """What Label Studio has at a path."""
        if self._studio is None:
            raise Refused(
                422,
                f"{path[:80]!r} is a path of Label Studio, and this server doesn't know where that "
                "is: start it with --label-studio URL (or LABEL_STUDIO_URL) and "
                "LABEL_STUDIO_API_KEY",
            )
        return self.get(self._studio + path, most)

    def get(self, address: str, most: int) -> bytes:
        """What is at an address. ``Refused``: 413 for more than ``most`` bytes, 422 for an address
        that isn't on the list, 502 where it can't be had."""
        for _ in range(_REDIRECTS + 1):
            self._check(address)
            found = self._once(address, most)
            if isinstance(found, bytes):
                return found
            address = urljoin(address, found)
        raise Refused(502, f"{_short(address)} is redirected more than {_REDIRECTS} times")

    def _once(self, address: str, most: int) -> bytes | str:
        """The bytes, or where it is instead."""
        quoted = quote(address, safe=":/?#[]@!$&'()*+,;=%-._~")
        request = urllib.request.Request(quoted, headers=self._headers(address))
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                data: bytes = response.read(most + 1)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (301, 302, 303, 307, 308) and error.headers.get("location"):
                    return str(error.headers["location"])
                hint = ": is LABEL_STUDIO_API_KEY right?" if error.code in (401, 403) else ""
                raise Refused(
                    502, f"{_short(address)} can't be had: it answers {error.code}{hint}"
                ) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Refused(502, f"{_short(address)} can't be had: {reason}") from error
        if len(data) > most:
            raise Refused(413, f"{_short(address)} is larger than {most / MEGABYTE:g} MiB")
        return data

    def _check(self, address: str) -> None:
        if not _is_web(address):
            raise Refused(422, f"{_short(address)} is no address that is fetched")
        parts = urlsplit(address)
        host, netloc = (parts.hostname or "").lower(), parts.netloc.lower()
        if self._is_studio(address):
            return
        for allowed in self._hosts:
            if allowed in (host, netloc):
                return
            if allowed.startswith("*.") and host.endswith(allowed[1:]):
                return
        raise Refused(
            422,
            f"pictures of {host!r} aren't fetched: start the server with --allow-host {host} to "
            "allow it",
        )

    def _is_studio(self, address: str) -> bool:
        return self._studio is not None and _origin(address) == _origin(self._studio)

    def _headers(self, address: str) -> dict[str, str]:
        """The key is for Label Studio alone."""
        if self._key is None or not self._is_studio(address):
            return {}
        if _is_personal(self._key):
            return {"Authorization": f"Bearer {self._access_token()}"}
        return {"Authorization": f"Token {self._key}"}

    def _access_token(self) -> str:
        """Personal access tokens of Label Studio aren't sent: they are given for short-lived ones
        (https://labelstud.io/guide/access_tokens)."""
        with self._lock:
            if self._access is None or self._access[1] < time.monotonic():
                body = json.dumps({"refresh": self._key}).encode()
                request = urllib.request.Request(
                    f"{self._studio}/api/token/refresh", body, {"Content-Type": "application/json"}
                )
                try:
                    with self._opener.open(request, timeout=TIMEOUT) as response:
                        access = str(json.loads(response.read(MEGABYTE))["access"])
                except (
                    OSError,
                    http.client.HTTPException,
                    ValueError,
                    LookupError,
                    TypeError,
                ) as error:
                    raise Refused(
                        502, f"Label Studio gives no token for LABEL_STUDIO_API_KEY: {error}"
                    ) from error
                self._access = access, time.monotonic() + _ACCESS_LASTS
            return self._access[0]


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  # raises for what is none
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(_NETLOC.fullmatch(parts.netloc))


def _origin(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    usual = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").lower(), parts.port or usual


def _is_personal(key: str) -> bool:
    """Whether it is a JSON web token, as Label Studio's personal access tokens are."""
    head = key.split(".")[0]
    if key.count(".") != 2:
        return False
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, TypeError):
        return False


def _short(address: str) -> str:
    """Without what may be secret in it, a signature say."""
    return repr(address.partition("?")[0][:120])
