"""Corruptions: images in [0, 1] of the same shape, the same for the same seed, stronger with their strength."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from cvnlp.params.attacks import CORRUPTIONS, Corruption
from cvnlp.vision.attacks.corruptions import CORRUPTION_TABLE, STRENGTHS, corruption_accuracies
from cvnlp.vision.inference import predict_classes
from cvnlp.vision.inference.spatial import transform
from cvnlp.vision.models.cnn import Cnn

SHAPES = [(5, 1, 28, 28), (3, 3, 8, 8), (2, 3, 9, 17), (1, 1, 40, 12)]


def smooth(*shape: int) -> Tensor:
    """A bright ellipse on black, with values in between."""
    rows, columns = (torch.linspace(-1, 1, size) for size in shape[2:])
    disc = (1.3 - 1.6 * (rows[:, None] ** 2 + (2.5 * (columns - rows[:, None] / 2)) ** 2).sqrt()).clamp(0, 1)
    return disc.expand(shape) * torch.linspace(0.6, 1, shape[1]).view(1, -1, 1, 1)


def corrupt(name: Corruption, images: Tensor, strength: int, seed: int = 1) -> Tensor:
    return CORRUPTION_TABLE[name](images, strength, torch.Generator().manual_seed(seed))


def test_every_name_of_the_params_has_a_function() -> None:
    assert tuple(CORRUPTION_TABLE) == CORRUPTIONS
    assert len(CORRUPTIONS) >= 10


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupted_images_keep_shape_and_range(name: Corruption, shape: tuple[int, int, int, int]) -> None:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    for strength in STRENGTHS:
        corrupted = corrupt(name, images, strength)
        assert corrupted.shape == images.shape and corrupted.dtype == images.dtype
        assert corrupted.min() >= 0 and corrupted.max() <= 1 and torch.isfinite(corrupted).all()
        assert not torch.equal(corrupted, images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_generator_decides_and_nothing_else(name: Corruption) -> None:
    images = smooth(4, 1, 28, 28)
    first = corrupt(name, images, 3)
    torch.manual_seed(99)
    assert torch.equal(corrupt(name, images, 3), first)


RANDOM = sorted(set(CORRUPTIONS) - {"gaussian_blur", "scale", "brightness", "contrast", "pixelation"})


@pytest.mark.parametrize("name", RANDOM)
def test_images_and_seeds_are_corrupted_differently(name: Corruption) -> None:
    image = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    corrupted = corrupt(name, image.expand(16, -1, -1, -1), 3)
    assert not torch.equal(corrupted, corrupted[:1].expand_as(corrupted))
    assert not torch.equal(corrupt(name, image.expand(16, -1, -1, -1), 3, seed=2), corrupted)


@pytest.mark.parametrize("shape", SHAPES[:3])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_strength_5_changes_an_image_more_than_strength_1(name: Corruption, shape: tuple[int, int, int, int]) -> None:
    images = smooth(16, *shape[1:])
    weak, strong = (float((corrupt(name, images, strength) - images).square().mean()) for strength in (1, 5))
    assert strong > weak > 0


def test_another_strength_is_refused() -> None:
    with pytest.raises(ValueError, match="strength: 6 is none of 1, 2, 3, 4, 5"):
        corrupt("fog", smooth(1, 1, 8, 8), 6)


@pytest.mark.parametrize("name", ["gaussian_blur", "contrast", "pixelation"])
def test_uniform_images_keep_their_brightness(name: Corruption) -> None:
    grey = torch.full((2, 3, 16, 16), 0.3)
    assert torch.allclose(corrupt(name, grey, 5), grey, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["shot_noise", "gaussian_blur", "motion_blur", "rotation", "scale", "translation", "shear", "pixelation"]
)
def test_black_stays_black(name: Corruption) -> None:
    assert not corrupt(name, torch.zeros(2, 1, 16, 16), 5).any()


def test_brightness_is_added() -> None:
    images = smooth(2, 3, 16, 16)
    assert torch.equal(corrupt("brightness", images, 1), (images + 0.1).clamp(max=1))


def test_contrast_shrinks_the_distance_from_the_mean() -> None:
    images = smooth(2, 1, 16, 16)
    corrupted = corrupt("contrast", images, 5)
    assert torch.allclose(corrupted.mean((2, 3)), images.mean((2, 3)), atol=1e-5)
    assert torch.allclose(corrupted.std((2, 3)), 0.05 * images.std((2, 3)), atol=1e-5)


def test_a_stripe_is_inverted() -> None:
    images = torch.rand(3, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    corrupted = corrupt("stripe", images, 5)
    changed = (corrupted != images).all(2)[:, 0]
    assert changed.sum(1).tolist() == [8, 8, 8]  # 0.4 of the columns
    columns = [row.nonzero()[:, 0] for row in changed]
    assert all(int(places[-1] - places[0]) == 7 for places in columns)
    assert torch.equal(corrupted[0, 0][:, columns[0]], 1 - images[0, 0][:, columns[0]])


def test_impulses_are_black_and_white_at_equal_shares() -> None:
    corrupted = corrupt("impulse_noise", torch.full((50, 1, 28, 28), 0.5), 5)
    assert float((corrupted == 0).double().mean()) == pytest.approx(0.2, abs=0.01)
    assert float((corrupted == 1).double().mean()) == pytest.approx(0.2, abs=0.01)


def test_gaussian_noise_has_its_standard_deviation() -> None:
    corrupted = corrupt("gaussian_noise", torch.full((50, 1, 28, 28), 0.5), 1)
    assert float(corrupted.std()) == pytest.approx(0.1, abs=0.002)


def test_shot_noise_has_the_variance_of_photons() -> None:
    corrupted = corrupt("shot_noise", torch.full((50, 1, 28, 28), 0.25), 1)
    assert float(corrupted.mean()) == pytest.approx(0.25, abs=0.005)
    assert float(corrupted.var()) == pytest.approx(0.25 / 20, abs=0.001)


def test_spatter_covers_its_share() -> None:
    corrupted = corrupt("spatter", torch.zeros(4, 3, 30, 30), 5)
    assert float((corrupted > 0).double().mean()) == pytest.approx(0.3, abs=0.01)
    assert torch.equal(corrupted[:, 0], corrupted[:, 2])


def test_pixelation_has_few_blocks() -> None:
    images = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    assert len(corrupt("pixelation", images, 5).unique()) == 16  # 0.2 of each side


@pytest.mark.parametrize("shape", [(8, 2, 15, 11), (8, 1, 12, 12)])
def test_rotation_is_that_of_the_spatial_attack_to_either_side(shape: tuple[int, int, int, int]) -> None:
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    corrupted = corrupt("rotation", images, 2)
    sides = [
        torch.isclose(corrupted, transform(images, rotation=angle), atol=1e-4).all(3).all(2).all(1)
        for angle in (-30, 30)
    ]
    assert (sides[0] ^ sides[1]).all() and sides[0].any() and sides[1].any()


def test_scale_and_shear_equal_torchvision() -> None:
    images = torch.rand(8, 2, 15, 11, generator=torch.Generator().manual_seed(0))
    options = {"angle": 0.0, "translate": [0.0, 0.0], "interpolation": InterpolationMode.BILINEAR}
    smaller = affine(images, scale=0.5, shear=[0.0, 0.0], **options)
    assert torch.allclose(corrupt("scale", images, 4), smaller, atol=1e-4)
    angle = math.degrees(math.atan(0.6))
    sides = [affine(images, scale=1.0, shear=[side * angle, 0.0], **options) for side in (-1, 1)]
    corrupted = corrupt("shear", images, 3)
    fits = [torch.isclose(corrupted, one, atol=1e-4).all(3).all(2).all(1) for one in sides]
    assert (fits[0] ^ fits[1]).all()


def test_translation_moves_the_centre_of_mass_by_its_length() -> None:
    images = torch.zeros(6, 1, 40, 40)
    images[:, :, 18:22, 18:22] = 1
    corrupted = corrupt("translation", images, 3)[:, 0]
    places = torch.arange(40.0) - 19.5
    down, right = ((corrupted.sum(axis) * places).sum(1) / 16 for axis in (2, 1))
    assert torch.allclose(torch.hypot(down, right), torch.tensor(6.0), atol=1e-3)


def test_table_has_a_row_per_corruption_and_strength(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    table = corruption_accuracies(network, images, labels, ["brightness", "fog"])
    assert table["corruption"].tolist() == ["brightness"] * 5 + ["fog"] * 5
    assert table["strength"].tolist() == [1, 2, 3, 4, 5] * 2
    expected = (predict_classes(network, (images + 0.35).clamp(max=1)) == labels).double().mean()
    assert table["accuracy"][2] == pytest.approx(float(expected))
    assert table.equals(corruption_accuracies(network, images, labels, ["brightness", "fog"]))


def test_no_corruption_gives_an_empty_table(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    table = corruption_accuracies(network, *pictures, [])
    assert list(table.columns) == ["corruption", "strength", "accuracy"] and table.empty
