"""Two runs on one folder: the second is refused and told who has it; nothing is destroyed."""

import os
import re

import pytest
from PIL import Image

from panoptic.dataset.export import export
from panoptic.dataset.html_report import write_report
from panoptic.dataset.resumable_labelling import label_dataset
from panoptic.dataset.store import DatasetStore
from panoptic.errors import DatasetError
from panoptic.io.output_folder import output_folder, replaced_folder
from tests.panoptic.dataset.colours import WORDS, ColourLabeller, contents, fill, picture


def told(error):
    return re.search(rf"process {os.getpid()}, since \d{{4}}-\d\d-\d\d", str(error.value))


def test_who_labels_into_a_data_set_is_told(tmp_path):
    fill(tmp_path / "in", 3)
    refused = []

    class Impatient(ColourLabeller):
        def segment_batch(self, images, vocabulary):
            with pytest.raises(DatasetError, match="another run is labelling into") as error:
                label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out")
            refused.append(told(error))
            return super().segment_batch(images, vocabulary)

    assert label_dataset(Impatient(), tmp_path / "in", WORDS, tmp_path / "out").labelled == 3
    assert refused
    assert all(refused)


def test_two_reports_of_one_name(tmp_path):
    fill(tmp_path / "in", 2)
    with label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "out").open() as store:

        def again(done, total):
            with pytest.raises(DatasetError, match="another run is writing") as error:
                write_report(store, progress=False)
            assert told(error)

        assert "Labels of" in write_report(store, progress=again).read_text()


def test_one_folder_for_pictures_and_for_an_export(tmp_path):
    with output_folder(tmp_path / "out", "panoptic image") as out:
        out.file("a.txt").write_text("")
        with (
            pytest.raises(DatasetError) as error,
            output_folder(tmp_path / "out", "panoptic video"),
        ):
            pass
        assert told(error)
    with replaced_folder(tmp_path / "yolo", "panoptic export"):
        with pytest.raises(DatasetError) as error, replaced_folder(tmp_path / "yolo", "another"):
            pass
        assert told(error)


def test_output_inside_the_source_is_never_labelled(tmp_path):
    """Not even where there are videos alone, whose frames lie in the output as pictures."""
    from tests.panoptic.dataset.test_videos import write_video

    source = tmp_path / "clips"
    source.mkdir()
    write_video(source / "a.mkv")
    out = source / "out"
    assert label_dataset(ColourLabeller(), source, WORDS, out).labelled == 1
    first = contents(out)
    write_video(source / "b.mkv", start=5)
    assert label_dataset(ColourLabeller(), source, WORDS, out).labelled == 1
    assert first.items() <= contents(out).items()
    with DatasetStore.open(out) as store:
        assert {item.key for item in store.items()} == {"a", "b"}
        export(store.items(), WORDS, out / "export", ["coco_panoptic"])
    assert label_dataset(ColourLabeller(), source, WORDS, out).labelled == 0


def test_a_folder_of_photographs_is_no_place_for_a_data_set(tmp_path):
    fill(tmp_path / "in", 2)
    (tmp_path / "other").mkdir()
    Image.fromarray(picture(0)).save(tmp_path / "other" / "holiday.png")
    with pytest.raises(DatasetError, match=r"isn't empty.*'holiday\.png'"):
        label_dataset(ColourLabeller(), tmp_path / "in", WORDS, tmp_path / "other")
    assert os.listdir(tmp_path / "other") == ["holiday.png"]
