"""A page that shows a widget as notebooks do, and the widget in Python behind it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from comm.base_comm import BaseComm

_SENT = (
    "things",
    "stuff",
    "levels",
    "error",
    "choices",
    "picture",
    "label",
    "left_out",
    "answered",
)
_PAGE = """<!doctype html><meta charset="utf-8"><style>CSS</style>
<body style="margin:12px"><div id="cell"></div>"""
_HOST = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


class _Kept(BaseComm):
    """Keeps the messages for the page."""

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        if (data or {}).get("method") == "custom":
            self.__dict__.setdefault("messages", []).append((data["content"], buffers or []))


def show(page: Any, widget: Any) -> None:
    """Shows a widget on a page of Playwright's. What the page sets is set in Python."""
    widget.comm = _Kept()

    def to_python(asked: dict[str, Any]) -> dict[str, Any]:
        if "set" in asked:
            widget.set_state(asked["set"])
        else:
            widget._handle_custom_msg(asked["message"], [])
        sent, widget.comm.__dict__["messages"] = widget.comm.__dict__.get("messages", []), []
        messages = [[content, [_text(b) for b in buffers]] for content, buffers in sent]
        return {"state": state(widget), "messages": messages}

    page.expose_function("to_python", to_python)
    page.set_content(_PAGE.replace("CSS", widget._css))
    page.evaluate(_HOST, [widget._esm, state(widget)])


def state(widget: Any) -> dict[str, Any]:
    """The widget's traits, as JSON has them."""
    values = {name: getattr(widget, name) for name in _SENT if name != "picture"}
    return {**json.loads(json.dumps(values)), "picture": _text(widget.picture)}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
