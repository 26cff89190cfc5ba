"""What users saw when they labelled the pictures of a COCO JSON one command at a time."""

import json

from PIL import Image

from panoptic.cli import main
from tests.panoptic.conftest import clipseg_folder, grounding_dino_folder, models_folder, picture  # noqa: F401  # noqa: F401, I001


def test_the_pictures_of_a_coco_json_keep_their_ids_and_names(
    models_folder,  # noqa: F811
    picture,  # noqa: F811
    tmp_path,
    capsys,
):
    for name in ("a/x.png", "b/x.png"):
        (tmp_path / "val" / name).parent.mkdir(parents=True)
        Image.fromarray(picture[:45, :60]).save(tmp_path / "val" / name)
    images = [{"id": 439180, "file_name": "b/x.png"}, {"id": 142238, "file_name": "a/x.png"}]
    listed = tmp_path / "images.json"
    listed.write_text(json.dumps({"images": images}))
    words = ["--things", "car, dog", "--stuff", "road", "--models", str(models_folder)]
    out = tmp_path / "out"
    given = [str(listed), "--images", str(tmp_path / "val"), *words, "-o", str(out)]
    assert main(["image", *given]) == 0
    content = json.loads((out / "panoptic.json").read_text())
    assert [(i["id"], i["file_name"]) for i in content["images"]] == [
        *((439180, "b/x.png"), (142238, "a/x.png"))
    ]
    assert main(["eval", str(out), str(out / "panoptic.json")]) == 0
    assert "2 images, paired by image id" in capsys.readouterr().out
