"""Where tasks' pictures may be, and where not, with a server that answers as Label Studio does."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from panoptic.serve.fetching import Fetcher
from panoptic.serve.refusals import Refused
from panoptic.serve.task_pictures import TaskPictures

KEY = "f" * 40
DATA = b"\x89PNG the picture"


def jwt(**claims):
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    coded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
    return b".".join([*coded, b"signature"]).decode()


class Studio(BaseHTTPRequestHandler):
    """Paths and tokens as Label Studio has them; ``server.seen`` is what it was asked."""

    def do_GET(self):
        given = self.headers.get("authorization")
        self.server.seen.append((self.path, given))
        if self.path.startswith("/redirect/"):
            return self.answer(302, b"", location=self.path.removeprefix("/redirect/"))
        if self.path.startswith("/tasks/7/presign/?fileuri="):
            uri = base64.urlsafe_b64decode(self.path.partition("=")[2]).decode()
            where = f"{self.server.bucket}/{uri.removeprefix('s3://')}?X-Amz-Signature=secret"
            return self.answer(303, b"", location=where)
        own = self.path.startswith(("/data/", "/storage-data/"))
        if own and given not in (f"Token {self.server.key}", "Bearer short"):
            return self.answer(401, b'{"detail": "no"}')
        if "gone" in self.path:
            return self.answer(404, b"")
        return self.answer(200, DATA)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((self.path, body))
        good = self.path == "/api/token/refresh" and body == {"refresh": self.server.key}
        self.answer(200 if good else 401, b'{"access": "short"}')

    def answer(self, status, data, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextmanager
def web(key=KEY, bucket=""):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Studio)
    server.seen, server.key, server.bucket = [], key, bucket
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def bucket():
    with web() as server:
        yield server


@pytest.fixture
def studio(bucket):
    with web(bucket=bucket.address) as server:
        yield server


def refusal(pictures, place, task=7):
    with pytest.raises(Refused) as refused:
        pictures.read(place, task)
    return refused.value.status, refused.value.message


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("/data/upload/1/a b.png", "/data/upload/1/a%20b.png"),
        ("/data/upload/1/caf%C3%A9.png", "/data/upload/1/caf%C3%A9.png"),
        ("upload/1/a.png", "/data/upload/1/a.png"),
        ("/data/local-files/?d=shop/a.png", "/data/local-files/?d=shop/a.png"),
        ("/storage-data/uploaded/?filepath=upload/1/a.png",
         "/storage-data/uploaded/?filepath=upload/1/a.png"),
        ("/data/upload/../../admin/data/a.png", None),
    ],
)  # fmt: skip
def test_paths_of_label_studio_are_fetched_with_its_key(studio, place, path):
    pictures = TaskPictures(Fetcher(studio.address + "/", KEY))
    assert pictures.read(place) == DATA
    ((seen, given),) = studio.seen
    assert seen == (path or "/admin/data/a.png")
    assert given == f"Token {KEY}"


def test_personal_tokens_are_given_for_short_ones_once(bucket):
    key = jwt(token_type="refresh")
    with web(key) as studio:
        pictures = TaskPictures(Fetcher(studio.address, key))
        for _ in range(2):
            assert pictures.read("/data/upload/1/a.png") == DATA
        assert [path for path, _ in studio.seen] == [
            *("/api/token/refresh", "/data/upload/1/a.png", "/data/upload/1/a.png")
        ]
        wrong = TaskPictures(Fetcher(studio.address, jwt(token_type="other")))
        assert "gives no token" in refusal(wrong, "/data/upload/1/a.png")[1]


def test_pictures_in_a_cloud_come_from_where_label_studio_says_without_its_key(studio, bucket):
    host = bucket.address.removeprefix("http://")
    pictures = TaskPictures(Fetcher(studio.address, KEY, [host]))
    bucket.seen.clear()
    assert pictures.read("s3://shop/a.png", 7) == DATA
    assert bucket.seen == [("/shop/a.png?X-Amz-Signature=secret", None)]
    status, told = refusal(TaskPictures(Fetcher(studio.address, KEY)), "s3://shop/a.png")
    # Another port is another server.
    assert (status, "--allow-host 127.0.0.1" in told, "secret" in told) == (422, True, False)
    assert "needs the task's id" in refusal(pictures, "s3://shop/a.png", None)[1]


def test_hosts_are_those_that_were_named_at_each_redirect(studio, bucket):
    host = bucket.address.removeprefix("http://")
    pictures = TaskPictures(Fetcher(hosts=[host]))
    assert pictures.read(f"{bucket.address}/a.png") == DATA
    assert pictures.read(f"{bucket.address}/redirect//a.png") == DATA
    for place in (
        f"{studio.address}/a.png",
        f"{bucket.address}/redirect/{studio.address}/a.png",
        f"{bucket.address}/redirect/file:///etc/passwd",
        f"http://{host}@127.0.0.1:1/a.png",
        f"http://{host}\\@127.0.0.1:1/a.png",
        f"http://{host}.evil.example/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:80/a.png",
        "https://",
    ):
        assert refusal(pictures, place)[0] == 422, place
    assert not studio.seen
    circle = f"{bucket.address}/redirect/{bucket.address}"
    for _ in range(3):
        circle = f"{bucket.address}/redirect/{circle}/redirect/{bucket.address}"
    assert refusal(pictures, circle + "/a.png") == (502, *refusal(pictures, circle + "/a.png")[1:])


@pytest.mark.parametrize(
    ("allowed", "host", "fits"),
    [
        ("*.amazonaws.com", "shop.s3.amazonaws.com", True),
        ("*.amazonaws.com", "amazonaws.com", False),
        ("*.amazonaws.com", "evilamazonaws.com", False),
        ("Shop.example", "shop.EXAMPLE", True),
        ("shop.example:81", "shop.example", False),
        ("shop.example", "shop.example:81", True),
    ],
)
def test_names_of_hosts(allowed, host, fits):
    fetcher = Fetcher(hosts=[allowed])
    if fits:
        fetcher._check(f"http://{host}/a.png")
    else:
        with pytest.raises(Refused):
            fetcher._check(f"http://{host}/a.png")


def test_the_key_goes_to_label_studio_alone(studio, bucket):
    host = bucket.address.removeprefix("http://")
    pictures = TaskPictures(Fetcher(studio.address, KEY, [host]))
    bucket.seen.clear()
    assert pictures.read(f"{bucket.address}/a.png") == DATA
    assert pictures.read(f"{studio.address}/data/upload/1/a.png") == DATA
    assert bucket.seen == [("/a.png", None)]
    assert studio.seen == [("/data/upload/1/a.png", f"Token {KEY}")]


def test_what_cannot_be_had_is_told(studio):
    pictures = TaskPictures(Fetcher(studio.address, "wrong"))
    assert "answers 401: is LABEL_STUDIO_API_KEY right?" in refusal(pictures, "/data/upload/a")[1]
    pictures = TaskPictures(Fetcher(studio.address, KEY))
    assert refusal(pictures, "/data/upload/gone.png")[0] == 502
    assert refusal(TaskPictures(Fetcher(studio.address, KEY), most=4), "/data/upload/a")[0] == 413
    nowhere = TaskPictures(Fetcher("http://127.0.0.1:9", KEY))
    assert "can't be had" in refusal(nowhere, "/data/upload/a.png")[1]
    unknown = TaskPictures(Fetcher())
    assert "start it with --label-studio URL" in refusal(unknown, "/data/upload/a.png")[1]
    for place in ("/etc/passwd", "file:///etc/passwd", "a.png", "ftp://x/a.png", "", None, 7,
                  "data:text/plain;base64,AAAA", "data:image/png;base64"):  # fmt: skip
        assert refusal(unknown, place)[0] == 422, place
    with pytest.raises(ValueError, match="expected one such as"):
        Fetcher("studio:8080")


def test_local_files_are_those_below_the_root(tmp_path):
    (tmp_path / "root/shop").mkdir(parents=True)
    (tmp_path / "root/shop/a b.png").write_bytes(DATA)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "root/link.png").symlink_to(tmp_path / "secret.png")
    pictures = TaskPictures(Fetcher(), tmp_path / "root")
    for d in ("shop/a b.png", "shop/a%20b.png", "/shop/a%20b.png", "x/../shop/a b.png"):
        assert pictures.read(f"/data/local-files/?d={d}") == DATA
    for d in ("../secret.png", "..%2Fsecret.png", "shop/../../secret.png", "link.png", "shop", "",
              f"{tmp_path}/secret.png", "shop/a b.png%00", "nothing.png"):  # fmt: skip
        assert refusal(pictures, f"/data/local-files/?d={d}")[0] == 422, d
    small = TaskPictures(Fetcher(), tmp_path / "root", most=4)
    assert refusal(small, "/data/local-files/?d=shop/a b.png")[0] == 413
