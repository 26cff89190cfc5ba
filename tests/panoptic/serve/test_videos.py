"""``/videos``: uploaded, labelled beside other requests, fetched; and what is no video."""

import io
import threading
import time
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from panoptic import Vocabulary
from panoptic.io.clips import VideoInput
from panoptic.serve.limits import Limits
from panoptic.serve.service import Service
from panoptic.video.passes import ForwardPass
from panoptic.video.resumable_tracking import RecordSettings, record
from tests.panoptic.dataset.test_videos import write_video
from tests.panoptic.serve.servers import WORDS, error, png, serving

FRAMES = 6


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "drive.mkv"
    write_video(path, count=FRAMES)
    return path


def until_done(client, id):
    for _ in range(1200):
        told = client.get(f"/videos/{id}").json()
        if told["state"] not in ("waiting", "running"):
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_a_video_is_labelled_as_the_command_labels_it(client, models, path, tmp_path):
    response = client.video(path.read_bytes(), format="vipseg,detections", **WORDS)
    assert response.status_code == 202
    begun = response.json()
    assert (begun["name"], begun["frames"]) == ("drive.mkv", FRAMES)
    assert response.headers["location"] == begun["url"] == f"/videos/{begun['id']}"
    done = until_done(client, begun["id"])
    assert (done["state"], done["done"]) == ("done", FRAMES)
    assert done["summary"]["frames"] == FRAMES
    result = client.get(done["result"])
    assert result.headers["content-disposition"] == 'attachment; filename="drive.zip"'
    words = Vocabulary.parse("; ".join(WORDS.values()))
    record(
        *(VideoInput.of(path), ForwardPass(models, words), words, tmp_path),
        RecordSettings(("vipseg", "detections")),
        request={},
        progress=False,
    )
    wanted = {
        p.relative_to(tmp_path).as_posix(): p.read_bytes()
        for p in tmp_path.rglob("*")
        if p.is_file() and p.parent.name != "resume"
    }
    with zipfile.ZipFile(io.BytesIO(result.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == wanted
    assert "vipseg/pred.json" in wanted
    assert client.ask("DELETE", begun["url"]).status_code == 204
    assert client.get(begun["url"]).status_code == client.get(done["result"]).status_code == 404


def test_an_animation_is_a_video_too(client, picture):
    frames = [Image.fromarray(picture).rotate(angle) for angle in (0, 90, 180)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:], duration=100)
    response = client.video(stream.getvalue(), "turn.gif", format="vipseg", **WORDS)
    assert response.json()["frames"] == 3
    assert until_done(client, response.json()["id"])["state"] == "done"


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """A video of this machine that nobody uploaded."""
    path = tmp_path_factory.mktemp("secret") / "secret.ts"
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height = 64, 48
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        for _ in range(5):
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


def lists(path: Path) -> dict[str, bytes]:
    """What FFmpeg reads as videos, and what makes it read other files."""
    place = str(path)
    return {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{place}\n"
        "#EXT-X-ENDLIST\n".encode(),
        "list.ffconcat": f"ffconcat version 1.0\nfile '{path.name}'\n".encode(),
        "concat.mkv": f"ffconcat version 1.0\nfile {place}\n".encode(),
        "list.mpd": b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' "
        b"type='static' mediaPresentationDuration='PT1S'><Period><AdaptationSet "
        b"mimeType='video/mp4'><Representation id='1' bandwidth='1'><BaseURL>file://"
        + place.encode()
        + b"</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "text.mp4": b"root:x:0:0:root:/root:/bin/bash\n" * 50,
        "sub.idx": b"# VobSub index file, v7\n" + place.encode(),
    }


@pytest.mark.parametrize("name", sorted(lists(Path("x"))))
def test_lists_of_other_files_are_no_videos(client, secret, name):
    response = client.video(lists(secret)[name], name, **WORDS)
    assert response.status_code == 422
    assert f"'{name}' can't be read as a video" in error(response)
    assert "panoptic-serve-" not in response.text


def test_what_cannot_be_labelled_is_told(client, path, picture, models):
    for data, fields, status, told in (
        (b"", {}, 422, "it is empty"),
        (path.read_bytes()[:300], {}, 422, "'drive.mkv'"),
        (png(picture), {}, 422, "can't be read as a video"),
        (path.read_bytes(), {"format": "mpeg7"}, 422, "no format 'mpeg7'; there are overlay"),
        (path.read_bytes(), {"things": "", "stuff": ""}, 422, "say what to look for"),
        (path.read_bytes(), {"both_ways": "1"}, 422, "no field 'both_ways'"),
    ):
        response = client.video(data, **{**WORDS, **fields})
        assert response.status_code == status
        assert told in error(response)
    assert "no video 'x'" in error(client.get("/videos/x"))
    tiny = Service(models, limits=Limits(frames=5, video_upload=100_000))
    with serving(tiny) as other:
        response = other.video(path.read_bytes(), **WORDS)
        assert (response.status_code, "6 frames" in error(response)) == (422, True)
        assert other.video(b"x" * 100_000, **WORDS).status_code == 413


def test_pictures_are_taken_between_frames_and_videos_wait(models, path, picture):
    service = Service(models, limits=Limits(videos=2))
    with serving(service) as client:
        with service.turns.turn():  # somebody has the models
            ids = [client.video(path.read_bytes(), **WORDS).json()["id"] for _ in range(2)]
            response = client.video(path.read_bytes(), **WORDS)
            assert response.status_code == 429
            assert "2 videos are waiting already" in error(response)
            response = client.get(f"/videos/{ids[0]}/result")
            assert response.status_code == 409
            assert "has no result, it is" in error(response)
            # One that is taken back makes room for another.
            assert client.ask("DELETE", f"/videos/{ids[1]}").status_code == 204
            ids[1] = client.video(path.read_bytes(), **WORDS).json()["id"]
            found = []

            def ask():
                response = client.image(png(picture), **WORDS)
                states = [client.get(f"/videos/{id}").json()["state"] for id in ids]
                found.extend([response.status_code, states[1]])

            asking = threading.Thread(target=ask)
            asking.start()
            while not service.room.inside:
                pass
        asking.join()
        assert found == [200, "waiting"]  # it hasn't waited for two videos
        for id in ids:
            assert client.ask("DELETE", f"/videos/{id}").status_code == 204


def test_a_video_is_ended_and_the_oldest_results_go(models, path):
    service = Service(models, limits=Limits(results=1))
    with serving(service) as client:
        with service.turns.turn():
            ended = client.video(path.read_bytes(), **WORDS).json()
            while client.get(ended["url"]).json()["state"] != "running":
                pass
            assert client.ask("DELETE", ended["url"]).status_code == 204
        first = client.video(path.read_bytes(), format="vipseg", **WORDS).json()
        assert until_done(client, first["id"])["state"] == "done"
        second = client.video(path.read_bytes(), format="vipseg", **WORDS).json()
        assert until_done(client, second["id"])["state"] == "done"
        assert client.get(f"{second['url']}/result").status_code == 200
        for _ in range(200):
            if client.get(first["url"]).status_code == 404:
                break
            time.sleep(0.02)
        assert client.get(first["url"]).status_code == 404


def test_stopping_ends_videos_and_leaves_nothing(models, path, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    service = Service(models)
    with serving(service) as client:
        begun = client.video(path.read_bytes(), **WORDS).json()
        assert begun["state"] in ("waiting", "running")
        assert list(tmp_path.glob("panoptic-serve-*/*/upload"))
    assert not list(tmp_path.glob("panoptic-serve-*"))
