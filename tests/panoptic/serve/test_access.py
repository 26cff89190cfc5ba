"""Who may ask, and what can't be got at by asking."""

import base64

import pytest

from panoptic.serve.service import Service
from tests.panoptic.serve.servers import WORDS, error, png, serving

TOKEN = "a-token-of-some-length"


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def locked(models):
    with serving(Service(models), TOKEN) as client:
        yield client


@pytest.mark.parametrize("path", ["/images", "/videos", "/predict", "/setup", "/webhook", "/nope"])
@pytest.mark.parametrize(
    "given",
    [
        *(None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Token {TOKEN}", TOKEN),
        *(basic("any", "wrong"), basic(TOKEN, ""), "Basic !", "Basic bm9jb2xvbg=="),
    ],
)
def test_nothing_is_answered_without_the_token(locked, path, given):
    headers = {} if given is None else {"authorization": given}
    response = locked.ask("POST", path, headers=headers)
    assert response.status_code == 401
    assert "Authorization: Bearer TOKEN" in error(response)
    assert "Basic" in response.headers["www-authenticate"]
    assert TOKEN not in response.text


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("label", TOKEN)])
def test_with_it_all_is(locked, picture, given):
    locked.session.headers["authorization"] = given
    try:
        # By whatever name the server is called: who knows the token may ask.
        more = {"headers": {"host": "panoptic.example"}}
        response = locked.ask(
            "POST", "/images", files={"image": png(picture)}, data=WORDS, **more
        )  # fmt: skip
        assert response.status_code == 200
    finally:
        del locked.session.headers["authorization"]


def test_whether_it_is_up_may_be_known_to_all(locked):
    assert locked.get("/health").json()["status"] == "UP"
    assert locked.get("/").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_without_a_token_this_machine_alone_may_ask(client, picture, headers):
    response = client.ask(
        "POST", "/images", files={"image": png(picture)}, data=WORDS, headers=headers
    )
    assert response.status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "/images", 405),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/videos/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/videos/..%2f..%2fetc%2fpasswd/result", 404),
        ("DELETE", "/videos/nothing", 404),
    ],
)
def test_what_is_not_there_is_told_as_all_else(client, method, path, status):
    response = client.ask(method, path)
    assert response.status_code == status
    assert error(response)
    assert "root:" not in response.text
