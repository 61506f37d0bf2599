"""Random augmentation of images, against exact references where the draw is forced."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as pictures

from cvnlp.params.runs import Augment
from cvnlp.vision.training.augmentation import augment, random_affine

LARGEST, SMALLEST = 1.0, 0.0  # forced results of torch.rand: the limit, and minus the limit


def augmented(images: Tensor, **options: Any) -> Tensor:
    return augment(images, Augment(**options))


def make_images(count: int = 3, channels: int = 2, height: int = 8, width: int = 8) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def force(monkeypatch: pytest.MonkeyPatch):
    """Make every draw of torch.rand one and the same number."""

    def forced(value: float) -> None:
        monkeypatch.setattr(torch, "rand", lambda *size, **kwargs: torch.full(size, value, **kwargs))

    return forced


def test_without_options_the_images_are_returned_and_nothing_is_drawn() -> None:
    images = make_images()
    assert augmented(images, shift=0, rotation=0, scale=0) is images
    state = torch.get_rng_state()
    assert augment(images, Augment()) is images
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("size", [(8, 8), (6, 10), (7, 4)])
def test_the_smallest_transformations_change_almost_nothing(size: tuple[int, int]) -> None:
    images = make_images(height=size[0], width=size[1])
    changed = augmented(images, shift=1e-6, rotation=1e-6, scale=1e-6)
    assert torch.allclose(changed, images, atol=1e-4)


@pytest.mark.parametrize("pixels", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 8), (6, 10), (9, 7)])
def test_a_shift_by_whole_pixels_moves_pixels(force, size: tuple[int, int], pixels: int) -> None:
    images = make_images(height=size[0], width=size[1])
    force(LARGEST)
    up_left = F.pad(images, (0, pixels, 0, pixels))[..., pixels:, pixels:]
    assert torch.allclose(augmented(images, shift=pixels, rotation=0, scale=0), up_left, atol=1e-5)
    force(SMALLEST)
    down_right = F.pad(images, (pixels, 0, pixels, 0))[..., :-pixels, :-pixels]
    assert torch.allclose(augmented(images, shift=pixels, rotation=0, scale=0), down_right, atol=1e-5)


def test_a_rotation_of_a_square_by_90_degrees_is_rot90(force) -> None:
    images = make_images(height=7, width=7)
    force(LARGEST)
    assert torch.allclose(augmented(images, shift=0, rotation=90, scale=0), images.rot90(1, (2, 3)), atol=1e-5)
    force(SMALLEST)
    assert torch.allclose(augmented(images, shift=0, rotation=90, scale=0), images.rot90(-1, (2, 3)), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(6, 10), (10, 6)])
def test_a_rotation_of_an_oblong_image_keeps_distances(force, height: int, width: int) -> None:
    images = make_images(height=height, width=width)
    force(LARGEST)
    turned = augmented(images, shift=0, rotation=90, scale=0)
    expected = torch.zeros_like(images)  # pixels beyond the short sides are cut, new ones are black
    low, high = (max(height, width) - 6) // 2, (max(height, width) + 6) // 2
    square = images.rot90(1, (2, 3))
    if width > height:
        expected[..., low:high] = square[..., low:high, :]
    else:
        expected[..., low:high, :] = square[..., low:high]
    assert torch.allclose(turned, expected, atol=1e-5)


def test_a_rotation_by_180_degrees_flips_both_axes(force) -> None:
    images = make_images(height=6, width=10)
    force(LARGEST)
    assert torch.allclose(augmented(images, shift=0, rotation=180, scale=0), images.flip((2, 3)), atol=1e-5)


def test_twice_the_scale_is_four_times_the_area(force) -> None:
    images = torch.zeros(1, 1, 8, 12)
    images[..., 3:5, 5:7] = 1.0
    force(LARGEST)
    enlarged = random_affine(images, shift=0, rotation=0, scale=1.0, shear=0)
    assert enlarged.sum().item() == pytest.approx(4 * images.sum().item(), rel=1e-5)
    assert enlarged[0, 0, 4, 6].item() == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_pixels_stay_from_0_to_1(seed: int) -> None:
    torch.manual_seed(seed)
    images = make_images(count=20).round()  # black and white: the extremes
    changed = augmented(images, shift=2, rotation=45, scale=0.3)
    assert changed.min() >= 0
    assert changed.max() <= 1 + 1e-6  # the weights of a bilinear sum are rounded


def test_every_image_of_a_batch_is_transformed_differently() -> None:
    torch.manual_seed(0)
    images = make_images(count=1).expand(10, -1, -1, -1)
    for kind in ({"shift": 2.0}, {"rotation": 20.0}, {"scale": 0.3}):
        changed = augmented(images, **{"shift": 0.0, "rotation": 0.0, "scale": 0.0} | kind)
        assert len({picture.numpy().tobytes() for picture in changed}) == 10, kind


def test_the_channels_of_an_image_move_together() -> None:
    torch.manual_seed(0)
    changed = augmented(make_images(channels=1).expand(-1, 3, -1, -1), shift=2, rotation=20, scale=0.2)
    assert torch.equal(changed[:, 0], changed[:, 1]) and torch.equal(changed[:, 0], changed[:, 2])


def test_shifts_stay_within_the_limit() -> None:
    torch.manual_seed(0)
    dot = torch.zeros(200, 1, 21, 21)
    dot[:, 0, 10, 10] = 1.0
    moved = augmented(dot, shift=3, rotation=0, scale=0)
    place = torch.arange(21.0)
    for axis in (2, 3):
        centre = (moved.sum(5 - axis)[:, 0] * place).sum(1) - 10
        assert centre.abs().max() <= 3 + 1e-3
        assert centre.min() < -2 and centre.max() > 2


def test_the_seed_decides_the_draws() -> None:
    def draw(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return augmented(make_images(), shift=2, rotation=10, scale=0.1)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_mixed_precision_does_not_round_the_coordinates(force) -> None:
    images = make_images(height=28, width=28)
    force(LARGEST)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = augmented(images, shift=2, rotation=10, scale=0.1)
    assert torch.allclose(mixed.float(), augmented(images, shift=2, rotation=10, scale=0.1), atol=0.01)


def test_the_input_is_not_modified() -> None:
    images = make_images()
    before = images.clone()
    augmented(images, shift=2, rotation=10, scale=0.1)
    assert torch.equal(images, before)


# All options, each on its own and together

ALL: dict[str, Any] = {
    "shift": 2.0,
    "rotation": 20.0,
    "scale": 0.2,
    "shear": 20.0,
    "crop": 3,
    "flip": True,
    "brightness": 0.4,
    "contrast": 0.4,
    "erasing": 0.5,
}
each_option = pytest.mark.parametrize("option", [{name: value} for name, value in ALL.items()], ids=list(ALL))


def draws(seed: int, count: int, options: int) -> Tensor:
    """Consecutive draws of torch.rand, (options, count)."""
    torch.manual_seed(seed)
    return torch.stack([torch.rand(count) for _ in range(options)])


def test_an_option_that_is_off_does_not_change_the_draws_of_others() -> None:
    """As in the default runs: draws and formula of shift, rotation and scale alone, to the byte."""
    images, (height, width) = make_images(count=7, height=9, width=8), (9, 8)
    angle, factor, right, down = (draws(5, 7, 4) * 2 - 1) * torch.tensor(
        [[math.radians(10.0)], [0.1], [2 * 2.0 / width], [2 * 2.0 / height]]
    )
    cos, sin = torch.cos(angle) / (1 + factor), torch.sin(angle) / (1 + factor)
    rows = [torch.stack(row, dim=1) for row in ([cos, -sin * height / width, right], [sin * width / height, cos, down])]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    torch.manual_seed(5)
    found = augmented(images, shift=2.0, rotation=10.0, scale=0.1)
    assert torch.equal(found, F.grid_sample(images, grid, align_corners=False))
    torch.manual_seed(5)
    more = augmented(images, shift=2.0, rotation=10.0, scale=0.1, flip=True)
    assert all(torch.equal(one, two) or torch.equal(one, two.flip(2)) for one, two in zip(more, found, strict=True))


@pytest.mark.parametrize("size", [(12, 12), (10, 15)])
@pytest.mark.parametrize("shear", [0.0, 25.0])
def test_geometry_is_that_of_torchvision_for_each_image(size: tuple[int, int], shear: float) -> None:
    images = make_images(count=6, height=size[0], width=size[1])
    turned, scaled, _, _, slanted = draws(2, 6, 5) * 2 - 1
    torch.manual_seed(2)
    found = augmented(images, rotation=30.0, scale=0.3, shear=shear)
    for number, image in enumerate(images):
        expected = pictures.affine(
            image,
            angle=-30.0 * turned[number].item(),  # torchvision counts clockwise
            translate=[0.0, 0.0],
            scale=1 + 0.3 * scaled[number].item(),
            shear=[shear * slanted[number].item(), 0.0],
            interpolation=InterpolationMode.BILINEAR,
            fill=None,  # black, without torchvision's own weighting of the border
        )
        assert torch.allclose(found[number], expected, atol=1e-4), number


@pytest.mark.parametrize("fill", ["zero", "reflect"])
@pytest.mark.parametrize("size", [(8, 8), (6, 10)])
def test_a_crop_is_that_of_torchvision_for_each_image(fill: str, size: tuple[int, int]) -> None:
    images, pixels = make_images(count=80, height=size[0], width=size[1]), 3
    tops, lefts = (draws(4, 80, 2) * (2 * pixels + 1)).long()
    torch.manual_seed(4)
    found = augmented(images, crop=pixels, crop_fill=fill)
    for number, image in enumerate(images):
        mode = "constant" if fill == "zero" else "reflect"
        padded = pictures.pad(image, [pixels] * 4, padding_mode=mode)
        expected = pictures.crop(padded, int(tops[number]), int(lefts[number]), *size)
        assert torch.equal(found[number], expected)
    assert {*tops.tolist()} == {*lefts.tolist()} == {*range(7)}


def test_a_crop_is_within_the_padded_image(force) -> None:
    images = make_images()
    force(LARGEST)  # float32 rounds the product up to one position too many
    assert torch.equal(augmented(images, crop=2), F.pad(images, (0, 2, 0, 2))[..., 2:, 2:])
    force(SMALLEST)
    assert torch.equal(augmented(images, crop=2), F.pad(images, (2, 0, 2, 0))[..., :-2, :-2])


def test_a_crop_too_large_for_reflection_is_refused() -> None:
    with pytest.raises(ValueError, match=r"train\.augment\.crop: 8 .* images of 9 x 8; take at most 7"):
        augmented(make_images(height=9, width=8), crop=8, crop_fill="reflect")
    assert augmented(make_images(), crop=20).shape == (3, 2, 8, 8)


def test_half_of_the_images_are_flipped() -> None:
    images = make_images(count=400)
    torch.manual_seed(0)
    found = augmented(images, flip=True)
    flipped = draws(0, 400, 1)[0] < 0.5
    assert torch.equal(found, torch.where(flipped.view(-1, 1, 1, 1), pictures.horizontal_flip(images), images))
    assert 160 < int(flipped.sum()) < 240


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_is_that_of_torchvision_for_each_image(channels: int) -> None:
    images, factors = make_images(count=8, channels=channels), 1 + (draws(3, 8, 1)[0] * 2 - 1) * 0.6
    torch.manual_seed(3)
    found = augmented(images, brightness=0.6)
    for number, image in enumerate(images):
        assert torch.allclose(found[number], pictures.adjust_brightness(image, factors[number].item()), atol=1e-6)


def test_contrast_is_that_of_torchvision_for_each_grey_image() -> None:
    images, factors = make_images(count=8, channels=1), 1 + (draws(3, 8, 1)[0] * 2 - 1) * 0.6
    torch.manual_seed(3)
    found = augmented(images, contrast=0.6)
    for number, image in enumerate(images):
        assert torch.allclose(found[number], pictures.adjust_contrast(image, factors[number].item()), atol=1e-6)


def test_zero_contrast_is_the_mean_of_the_image(force) -> None:
    images = make_images(channels=3)
    force(SMALLEST)
    assert torch.allclose(augmented(images, contrast=1.0), images.mean((1, 2, 3), keepdim=True).expand_as(images))


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("size", [(20, 20), (12, 30), (3, 3), (1, 9)])
def test_a_rectangle_is_erased(fill: str, size: tuple[int, int]) -> None:
    images = make_images(count=200, height=size[0], width=size[1]) * 0.5 + 0.25
    torch.manual_seed(1)
    found = augmented(images, erasing=1.0, erasing_fill=fill)
    for number, image in enumerate(images):
        mask = (found[number] != image).all(0)
        rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        top, left, height, width = int(rows[0]), int(columns[0]), len(rows), len(columns)
        value = image.mean().item() if fill == "mean" else 0.0
        assert int(mask.sum()) == height * width  # a whole rectangle, and no other pixel
        assert found[number][:, mask].tolist() == [pytest.approx([value] * height * width)] * 2
        expected = pictures.erase(image, top, left, height, width, torch.full((1,), value))
        assert torch.allclose(found[number], expected)


def test_rectangles_have_the_sizes_of_the_paper() -> None:
    torch.manual_seed(1)
    gone = augmented(torch.ones(2000, 1, 40, 40), erasing=1.0)[:, 0] == 0
    share = gone.float().mean((1, 2))
    height, width = gone.any(2).sum(1), gone.any(1).sum(1)
    assert share.min() >= 0.015 and share.max() <= 0.345
    assert share.mean() == pytest.approx(0.17, abs=0.02)
    uncut = (height < 40) & (width < 40)
    aspect = (height / width)[uncut]
    assert aspect.min() >= 0.25 and aspect.max() <= 4.0
    assert aspect.log().mean().item() == pytest.approx(0.0, abs=0.1)
    assert int(gone.any(0).sum()) == 1600  # every pixel can go


def test_the_given_share_of_the_images_is_erased() -> None:
    torch.manual_seed(1)
    erased = (augmented(torch.ones(1000, 1, 10, 10), erasing=0.3) == 0).any(3).any(2)
    assert erased.float().mean().item() == pytest.approx(0.3, abs=0.05)


def same_draws(images: Tensor, **options: Any) -> Tensor:
    torch.manual_seed(9)
    return augmented(images, **options)


@each_option
@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 3, 6, 10), (1, 2, 9, 7)])
def test_each_option_keeps_shape_type_and_range(option: dict[str, Any], shape: tuple[int, ...]) -> None:
    images = torch.rand(shape).to(memory_format=torch.channels_last)
    before = images.clone()
    found = augmented(images, **option)
    assert found.shape == images.shape and found.dtype == images.dtype
    assert found.min() >= 0 and found.max() <= 1 + 1e-6
    assert torch.equal(images, before)


@pytest.mark.parametrize("option", [*({name: value} for name, value in ALL.items()), ALL], ids=[*ALL, "all"])
def test_an_image_does_not_depend_on_others_of_its_batch(option: dict[str, Any]) -> None:
    images = make_images(count=6, height=12, width=12)
    alone = images.clone()
    alone[[0, 1, 3, 4, 5]] = 0.5
    assert torch.equal(same_draws(images, **option)[2], same_draws(alone, **option)[2])


@each_option
def test_each_image_has_draws_of_its_own(option: dict[str, Any]) -> None:
    found = same_draws(make_images(count=1, height=16, width=16).expand(12, -1, -1, -1), **option)
    assert len({picture.numpy().tobytes() for picture in found}) >= (2 if option in ({"flip": True},) else 6)


@each_option
def test_all_channels_are_transformed_alike(option: dict[str, Any]) -> None:
    found = same_draws(make_images(channels=1).expand(-1, 3, -1, -1), **option)
    assert torch.equal(found[:, 0], found[:, 1]) and torch.equal(found[:, 0], found[:, 2])


@each_option
def test_draws_are_in_the_order_of_the_options(option: dict[str, Any]) -> None:
    """An option does not change the draws of those before it."""
    images = make_images(count=40, height=12, width=12)
    later = {name: value for name, value in ALL.items() if list(ALL).index(name) > list(ALL).index(next(iter(option)))}
    if next(iter(option)) in ("shift", "rotation", "scale", "shear"):
        later = {name: value for name, value in later.items() if name in ("crop", "flip", "erasing")}
    torch.manual_seed(9)
    first = augmented(images, **option)
    expected = augmented(first, **later)
    assert torch.equal(same_draws(images, **option, **later), expected)


@pytest.mark.parametrize("seed", range(3))
def test_the_seed_decides_all_options(seed: int) -> None:
    images = make_images(count=8)

    def draw(number: int) -> Tensor:
        torch.manual_seed(number)
        return augmented(images, **ALL)

    assert torch.equal(draw(seed), draw(seed))
    assert not torch.equal(draw(seed), draw(seed + 1))


def test_mixed_precision_changes_no_option() -> None:
    images = make_images(height=28, width=28)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = same_draws(images, **ALL)
    assert torch.equal(mixed, same_draws(images, **ALL))
