"""An image classifier for files and arrays: the same predictions as those of the evaluation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cvnlp
from cvnlp.data import prepared
from cvnlp.data.user_files import UnreadableFileError
from cvnlp.vision.inference import predict_split
from cvnlp.vision.serving import ImageClassifier
from cvnlp.vision.serving.classifier import find_pictures
from make_models import make_model, save_pictures


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, vision_data: Path) -> ImageClassifier:
    return cvnlp.load(make_model(tmp_path_factory.mktemp("model") / "mlp", vision_data))


@pytest.fixture(scope="module")
def images(vision_data: Path) -> np.ndarray:
    return np.array(prepared.load_array(vision_data, "test_images"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, images: np.ndarray) -> list[Path]:
    return save_pictures(tmp_path_factory.mktemp("pictures"), images)


def test_files_are_classified_as_by_the_evaluation(
    classifier: ImageClassifier, files: list[Path], vision_data: Path
) -> None:
    expected, _ = predict_split(classifier.network, vision_data, "test")
    found = classifier.predict(files)
    assert [prediction.index for prediction in found] == expected.argmax(1).tolist()
    probabilities = np.array([list(prediction.probabilities.values()) for prediction in found])
    assert probabilities == pytest.approx(expected, abs=1e-6)


def test_all_kinds_of_input_have_the_same_answer(
    classifier: ImageClassifier, files: list[Path], images: np.ndarray
) -> None:
    expected = classifier.predict(images[:2])
    for same in (
        files[:2],
        [str(path) for path in files[:2]],
        [path.read_bytes() for path in files[:2]],
        images[:2, ..., 0],
    ):
        assert classifier.predict(same) == expected
    scaled = classifier.predict(images[:2] / 255)
    assert [one.label for one in scaled] == [one.label for one in expected]
    assert classifier.predict(files[0]) == classifier.predict(files[0].read_bytes())


def test_many_files_are_decoded_by_several_processes_in_order(
    classifier: ImageClassifier, tmp_path: Path, images: np.ndarray
) -> None:
    paths = save_pictures(tmp_path, np.concatenate([images] * 7))  # more than one chunk
    paths.insert(3, tmp_path / "missing.png")
    paths[300].write_text("no picture")
    answers = list(classifier.predict_files(paths, workers=2))
    assert [name for name, _ in answers] == [str(path) for path in paths]
    refused = [number for number, (_, answer) in enumerate(answers) if isinstance(answer, UnreadableFileError)]
    assert refused == [3, 300]
    assert [str(answers[number][1]) for number in refused] == [
        "does not exist",
        "not a complete image in PNG, JPEG, WEBP, BMP or GIF",
    ]
    for number in (0, -1):
        expected = classifier.predict(paths[number])[0].probabilities
        assert answers[number][1].probabilities == pytest.approx(expected, abs=1e-6)


def test_a_picture_is_prepared_as_the_training_pictures(classifier: ImageClassifier, tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "large.png")
    pixels = classifier.decode(tmp_path / "large.png")
    assert pixels.shape == (12, 12, 1)
    assert not pixels[0].any() and not pixels[-1].any()  # padded with black: 24 x 20 is wider than high


def test_an_inverted_picture(classifier: ImageClassifier, files: list[Path], images: np.ndarray) -> None:
    other = ImageClassifier(classifier.network, classifier.config)
    other.inverted = True
    assert other.predict(files[0]) == classifier.predict(255 - images[:1])


def test_a_file_that_cannot_be_read_is_named(classifier: ImageClassifier, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.png: does not exist"):
        classifier.predict(tmp_path / "missing.png")
    with pytest.raises(ValueError, match="empty"):
        classifier.predict(b"")
    with pytest.raises(ValueError, match="not a complete image"):
        classifier.predict([b"GIF89a"])


def test_the_most_probable_classes_come_first(classifier: ImageClassifier, images: np.ndarray) -> None:
    (prediction,) = classifier.predict(images[:1])
    top = prediction.top(3)
    assert top[0] == (prediction.label, prediction.probability)
    assert [probability for _, probability in top] == sorted(prediction.probabilities.values(), reverse=True)[:3]


def test_folders_are_searched_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.png", ".hidden/3.png", "b/.4.png"):
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures([tmp_path / "x", tmp_path / "other.png"])]
    assert found == ["x/a.png", "x/b/1.png", "x/b/2.png", "other.png"]
