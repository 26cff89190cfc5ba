"""``POST /images``: what is labelled, in which form, and what is refused with which words."""

import base64
import io
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from panoptic import PanopticSegmentation, Vocabulary
from panoptic.formats.coco_panoptic import CocoPanoptic
from panoptic.serve.limits import Limits
from panoptic.serve.service import Service
from tests.panoptic.serve.servers import WORDS, error, png, serving


def test_a_picture_is_labelled_as_the_pipeline_labels_it(client, models, picture, tmp_path):
    response = client.image(png(picture), "my/street.png", **WORDS)
    assert response.status_code == 200
    content = response.json()
    # As files, it is what everything else here reads.
    (tmp_path / "street.png").write_bytes(base64.b64decode(content.pop("png")))
    assert content.pop("notes") == []
    (tmp_path / "street.json").write_bytes(response.content)
    read = PanopticSegmentation.load(tmp_path / "street.json")
    wanted = models.segment(picture, Vocabulary.parse("car, dog, traffic light; road, sky, grass"))
    assert len(wanted) > 1
    assert read == wanted
    assert content["images"] == [{"id": 1, "file_name": "street.png", "height": 90, "width": 120}]
    assert [c["name"] for c in content["categories"]] == [
        *("car", "dog", "traffic light", "road", "sky", "grass")
    ]


def test_as_a_zip_it_is_what_panoptic_image_writes(client, models, picture, tmp_path):
    response = client.image(png(picture), format="zip", **WORDS)
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert set(archive.namelist()) == {
            *("panoptic.json", "panoptic/street.png", "overlays/street.png")
        }
        archive.extractall(tmp_path)
    read = CocoPanoptic.open(tmp_path / "panoptic.json").load()
    assert read == models.segment(picture, Vocabulary.parse("; ".join(WORDS.values())))


def test_words_of_the_server_are_taken_where_none_are_given(models, picture):
    words = Vocabulary(things=["dog"], stuff=["grass"])
    with serving(Service(models, words=words)) as client:
        names = [c["name"] for c in client.image(png(picture)).json()["categories"]]
        assert names == ["dog", "grass"]
        names = [c["name"] for c in client.image(png(picture), stuff="sky").json()["categories"]]
        assert names == ["sky"]


def test_what_was_chosen_in_reading_is_told(client):
    deep = (np.arange(96 * 64).reshape(64, 96) % 4096).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(deep).save(stream, "PNG")
    notes = client.image(stream.getvalue(), **WORDS).json()["notes"]
    assert "12" in notes[0]
    assert "street.png" in notes[0]


@pytest.mark.parametrize(
    ("data", "fields", "status", "told"),
    [
        (b"no picture", {}, 422, "'street.png': no picture of a known format"),
        (b"", {}, 422, "'street.png' is empty"),
        (None, {"things": "", "stuff": ""}, 422, "say what to look for"),
        (None, {"things": "car; dog"}, 422, "no ';'"),
        (None, {"things": "car, car"}, 422, "occurs twice"),
        (None, {"things": "car", "stuff": "car"}, 422, "both a thing"),
        (None, {"things": "x" * 70_000}, 400, "the form can't be read"),
        (None, {"format": "xml"}, 422, "expected json or zip"),
        (None, {"thing": "car"}, 422, "no field 'thing'; there are image, things, stuff, format"),
    ],
)
def test_what_cannot_be_labelled_is_told(client, picture, data, fields, status, told):
    response = client.image(png(picture) if data is None else data, **{**WORDS, **fields})
    assert response.status_code == status
    assert told in error(response)


def test_what_is_no_form_is_told(client, picture):
    for more, status, told in (
        ({"data": png(picture)}, 415, "no content type"),
        ({"json": {"image": "/etc/passwd"}}, 415, "'application/json'"),
        ({"files": {"picture": png(picture)}}, 422, "no field 'picture'"),
        ({"files": {"things": png(picture)}}, 422, "expected a file in 'image', and it is missing"),
        ({"files": {"image": (None, "/etc/passwd")}}, 422, "it is text"),
        (
            {"files": [("image", ("a", png(picture))), ("image", ("b", png(picture)))]},
            *(400, "Maximum number of files is 1"),
        ),
        (
            {"data": b"--x\r\nno", "headers": {"content-type": "multipart/form-data"}},
            *(400, "the form can't be read"),
        ),
    ):
        response = client.ask("POST", "/images", **more)
        assert response.status_code == status
        assert told in error(response)


def test_limits_are_told_with_their_numbers(models, tiny, picture):
    tiny.settings = tiny.settings.changed({"pictures.max_pixels": 1000})
    with serving(Service(tiny, limits=Limits(upload=20_000))) as client:
        response = client.image(png(picture)[:5000], **WORDS)
        assert response.status_code == 422
        assert "max_pixels=1,000" in error(response)
        # Programs that send all before they look for an answer find it.
        response = client.image(b"x" * 39_000, **WORDS)
        assert response.status_code == 413
        assert "MiB" in error(response)

        def endless():  # without a length
            for _ in range(100):
                yield b"x" * 1000

        response = client.ask(
            *("POST", "/images"),
            data=endless(),
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
        assert response.status_code in (400, 413)


class Held:
    """A pipeline that labels when it is told to."""

    def __init__(self, pipeline):
        self._pipeline = pipeline
        self.settings = pipeline.settings
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)
        self.labelled = 0

    def segment(self, picture, vocabulary):
        self.begun.release()
        assert self.go.acquire(timeout=60)
        self.labelled += 1
        return self._pipeline.segment(picture, vocabulary)


def test_one_at_a_time_others_wait_and_health_answers(models, picture):
    held = Held(models)
    with serving(Service(held, limits=Limits(queue=3))) as client:
        found = []

        def ask():
            found.append(client.image(png(picture), **WORDS).status_code)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        threads[0].start()
        assert held.begun.acquire(timeout=60)
        for thread in threads[1:]:
            thread.start()
        while client.get("/health").json()["waiting"] < 3:
            pass
        response = client.image(png(picture), **WORDS)
        assert response.status_code == 429
        assert "3 pictures are waiting already" in error(response)
        assert response.headers["retry-after"] == "5"
        assert not held.begun.acquire(timeout=0.2)  # the models are one request's
        held.go.release(3)
        for thread in threads:
            thread.join()
        assert found == [200, 200, 200]
        assert client.get("/health").json() == {
            **{"status": "UP", "version": client.get("/health").json()["version"]},
            **{"models": "given", "waiting": 0, "model_class": "Panoptic"},
        }


def test_nothing_is_computed_for_those_who_have_left(models, picture):
    import socket

    held = Held(models)
    with serving(Service(held)) as client:
        first = threading.Thread(target=client.image, args=(png(picture),), kwargs=WORDS)
        first.start()
        assert held.begun.acquire(timeout=60)
        request = client.session.prepare_request(
            __import__("requests").Request(
                *("POST", f"{client.address}/images"), files={"image": png(picture)}, data=WORDS
            )
        )
        head = "".join(f"{k}: {v}\r\n" for k, v in request.headers.items())
        port = int(client.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as leaving:
            start = f"POST /images HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{head}\r\n".encode()
            leaving.sendall(start + request.body)
            while client.get("/health").json()["waiting"] < 2:
                pass
        held.go.release(2)
        first.join()
        while client.get("/health").json()["waiting"]:
            pass
        assert held.labelled == 1


class Failing:
    """Models that fail."""

    def __init__(self, pipeline, error):
        self.settings, self._error = pipeline.settings, error

    def segment(self, picture, vocabulary):
        raise self._error


@pytest.mark.parametrize(
    ("failure", "status", "told"),
    [
        (RuntimeError("CUDA out of memory. Tried to"), 503, "out of memory"),
        (MemoryError(), 503, "out of memory"),
        (ValueError("no such word"), 422, "no such word"),
        (KeyError("secret path"), 500, "KeyError: the server's log says more"),
    ],
)
def test_when_the_models_fail_the_server_goes_on(models, picture, failure, status, told):
    with serving(Service(Failing(models, failure))) as client:
        for _ in range(2):
            response = client.image(png(picture), **WORDS)
            assert response.status_code == status
            assert told in error(response)
            assert "secret" not in response.text
        assert client.get("/health").status_code == 200


def test_a_name_leads_nowhere(client, picture, tmp_path):
    for name in ("../../up.png", "..", "/etc/passwd", "C:\\windows\\a.png", "a\nb.png"):
        content = client.image(png(picture), name, **WORDS).json()
        file_name = content["images"][0]["file_name"]
        assert not {"/", "\\", "\n"} & set(file_name.replace("\\n", ""))
        assert file_name not in ("..", "")
