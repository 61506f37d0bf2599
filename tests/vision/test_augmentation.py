"""Random changes of pictures, against exact references where the draw is forced."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.vision.batches import augment

LARGEST, SMALLEST = 1.0, 0.0  # what torch.rand is made to give: + or - the whole extent


def make_images(count: int = 3, channels: int = 2, height: int = 8, width: int = 8) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def force(monkeypatch: pytest.MonkeyPatch):
    """Make every draw of torch.rand one and the same number."""

    def forced(value: float) -> None:
        monkeypatch.setattr(torch, "rand", lambda *size, **kwargs: torch.full(size, value, **kwargs))

    return forced


def test_nothing_asked_is_nothing_changed() -> None:
    images = make_images()
    assert torch.equal(augment(images, shift=0, rotation=0, scale=0), images)


@pytest.mark.parametrize("size", [(8, 8), (6, 10), (7, 4)])
def test_the_smallest_changes_are_nearly_none(size: tuple[int, int]) -> None:
    images = make_images(height=size[0], width=size[1])
    changed = augment(images, shift=1e-6, rotation=1e-6, scale=1e-6)
    assert torch.allclose(changed, images, atol=1e-4)


@pytest.mark.parametrize("pixels", [1, 2, 3])
@pytest.mark.parametrize("size", [(8, 8), (6, 10), (9, 7)])
def test_a_shift_by_whole_pixels_moves_pixels(force, size: tuple[int, int], pixels: int) -> None:
    images = make_images(height=size[0], width=size[1])
    force(LARGEST)
    up_left = F.pad(images, (0, pixels, 0, pixels))[..., pixels:, pixels:]
    assert torch.allclose(augment(images, shift=pixels, rotation=0, scale=0), up_left, atol=1e-5)
    force(SMALLEST)
    down_right = F.pad(images, (pixels, 0, pixels, 0))[..., :-pixels, :-pixels]
    assert torch.allclose(augment(images, shift=pixels, rotation=0, scale=0), down_right, atol=1e-5)


def test_a_quarter_turn_of_a_square_is_rot90(force) -> None:
    images = make_images(height=7, width=7)
    force(LARGEST)
    assert torch.allclose(augment(images, shift=0, rotation=90, scale=0), images.rot90(1, (2, 3)), atol=1e-5)
    force(SMALLEST)
    assert torch.allclose(augment(images, shift=0, rotation=90, scale=0), images.rot90(-1, (2, 3)), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(6, 10), (10, 6)])
def test_a_quarter_turn_of_an_oblong_picture_keeps_every_distance(force, height: int, width: int) -> None:
    images = make_images(height=height, width=width)
    force(LARGEST)
    turned = augment(images, shift=0, rotation=90, scale=0)
    expected = torch.zeros_like(images)  # what is beyond the short sides is cut, what comes in is black
    low, high = (max(height, width) - 6) // 2, (max(height, width) + 6) // 2
    square = images.rot90(1, (2, 3))
    if width > height:
        expected[..., low:high] = square[..., low:high, :]
    else:
        expected[..., low:high, :] = square[..., low:high]
    assert torch.allclose(turned, expected, atol=1e-5)


def test_a_half_turn_is_a_flip_of_both_axes(force) -> None:
    images = make_images(height=6, width=10)
    force(LARGEST)
    assert torch.allclose(augment(images, shift=0, rotation=180, scale=0), images.flip((2, 3)), atol=1e-5)


def test_twice_the_scale_is_four_times_the_area(force) -> None:
    images = torch.zeros(1, 1, 8, 12)
    images[..., 3:5, 5:7] = 1.0
    force(LARGEST)
    enlarged = augment(images, shift=0, rotation=0, scale=1.0)
    assert enlarged.sum().item() == pytest.approx(4 * images.sum().item(), rel=1e-5)
    assert enlarged[0, 0, 4, 6].item() == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_pixels_stay_from_0_to_1(seed: int) -> None:
    torch.manual_seed(seed)
    images = make_images(count=20).round()  # black and white: the extremes
    changed = augment(images, shift=2, rotation=45, scale=0.3)
    assert changed.min() >= 0
    assert changed.max() <= 1 + 1e-6  # the weights of a bilinear sum are rounded


def test_every_picture_of_a_batch_has_its_own_draw() -> None:
    torch.manual_seed(0)
    images = make_images(count=1).expand(10, -1, -1, -1)
    for kind in ({"shift": 2.0}, {"rotation": 20.0}, {"scale": 0.3}):
        changed = augment(images, **{"shift": 0.0, "rotation": 0.0, "scale": 0.0} | kind)
        assert len({picture.numpy().tobytes() for picture in changed}) == 10, kind


def test_the_channels_of_a_picture_move_together() -> None:
    torch.manual_seed(0)
    changed = augment(make_images(channels=1).expand(-1, 3, -1, -1), shift=2, rotation=20, scale=0.2)
    assert torch.equal(changed[:, 0], changed[:, 1]) and torch.equal(changed[:, 0], changed[:, 2])


def test_draws_stay_within_what_was_asked() -> None:
    torch.manual_seed(0)
    dot = torch.zeros(200, 1, 21, 21)
    dot[:, 0, 10, 10] = 1.0
    moved = augment(dot, shift=3, rotation=0, scale=0)
    place = torch.arange(21.0)
    for axis in (2, 3):
        centre = (moved.sum(5 - axis)[:, 0] * place).sum(1) - 10
        assert centre.abs().max() <= 3 + 1e-3
        assert centre.min() < -2 and centre.max() > 2


def test_the_seed_decides_the_draws() -> None:
    def draw(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return augment(make_images(), shift=2, rotation=10, scale=0.1)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_mixed_precision_does_not_blur_the_places(force) -> None:
    images = make_images(height=28, width=28)
    force(LARGEST)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = augment(images, shift=2, rotation=10, scale=0.1)
    assert torch.allclose(mixed.float(), augment(images, shift=2, rotation=10, scale=0.1), atol=0.01)


def test_the_given_pictures_are_left_alone() -> None:
    images = make_images()
    before = images.clone()
    augment(images, shift=2, rotation=10, scale=0.1)
    assert torch.equal(images, before)
