"""Square Attack (Andriushchenko et al. 2020): random search with square perturbations; it needs outputs alone."""

import math
from bisect import bisect_left
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import SquareOptions
from cvnlp.vision.attacks.evaluations import correct_rows, is_correct, outputs_of
from cvnlp.vision.attacks.losses import margin
from cvnlp.vision.inference import most_probable
from cvnlp.vision.models.ball import Ball

# The queries, of 10,000, after which the share of the pixels in a square is halved
HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
TILES = 5  # of the first perturbation of l2, along the height and the width
SMALLEST_L2 = 3  # side of a square of l2, in pixels

Propose = Callable[[Tensor, Tensor, Ball, int, torch.Generator], Tensor]


def square(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: SquareOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """Accept each random square that raises the margin of the wrong classes, for `queries` outputs of each image.

    The squares are the same for all images of a batch, so that the result of an image does not depend on the others.
    """
    attacked, rows = images.clone(), correct_rows(network, images, labels)
    start = _stripes if ball.norm == "linf" else _tiles
    for _ in range(options.restarts):
        if not len(rows):
            break
        points = start(images, ball, generator)[rows]
        attacked[rows] = _search(network, images[rows], labels[rows], points, ball.of(rows), options, generator)
        rows = rows[is_correct(network, attacked[rows], labels[rows])]
    return attacked


def _search(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    points: Tensor,
    ball: Ball,
    options: SquareOptions,
    generator: torch.Generator,
) -> Tensor:
    """The points of the largest margin, from `points` on."""
    propose: Propose = _add_square if ball.norm == "linf" else _move_square
    result, active = points.clone(), torch.arange(len(images), device=images.device)
    losses = images.new_full((len(images),), -torch.inf)
    proposed = points
    for query in range(options.queries):
        if query > 0:
            side = _side(images, options, query)
            proposed = propose(images, points, ball, side, generator)
        outputs = outputs_of(network, proposed)
        wrong, found = most_probable(outputs) != labels, margin(outputs, labels)
        better = wrong | (found > losses)
        losses = torch.where(better, found, losses)
        points = torch.where(better.view(-1, 1, 1, 1), proposed, points)
        if wrong.any():
            result[active[wrong]], kept = points[wrong], ~wrong
            active, images, labels, points, losses = (
                tensor[kept] for tensor in (active, images, labels, points, losses)
            )
            ball = ball.of(kept)
        if not len(active):
            return result
    result[active] = points
    return result


def _side(images: Tensor, options: SquareOptions, query: int) -> int:
    """Side of the square in pixels: its share of the pixels is halved as published, scaled to the number of queries."""
    height, width = images.shape[2:]
    share = options.initial_share / 2 ** bisect_left(HALVED_AFTER, query * 10_000 // options.queries)
    return min(max(round(math.sqrt(share * height * width)), 1), height, width)


def _signs(shape: tuple[int, ...], images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator).to(images) * 2 - 1


def _place(images: Tensor, side: int, generator: torch.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random square."""
    starts = [int(torch.randint(0, size - side + 1, (), generator=generator)) for size in images.shape[2:]]
    rows, columns = (slice(start, start + side) for start in starts)
    return rows, columns


def _stripes(images: Tensor, ball: Ball, generator: torch.Generator) -> Tensor:
    """Add or subtract eps in each column: the first perturbation of linf."""
    count, channels, _, width = images.shape
    return ball.project(images, images + ball.eps * _signs((count, channels, 1, width), images, generator))


def _add_square(images: Tensor, points: Tensor, ball: Ball, side: int, generator: torch.Generator) -> Tensor:
    """Points with eps added or subtracted in a square; an image that has that square already gets the opposite one."""
    rows, columns = _place(images, side, generator)
    change = ball.eps * _signs((1, images.shape[1], 1, 1), images, generator)
    inside, current = images[:, :, rows, columns], points[:, :, rows, columns]
    square, opposite = ball.project(inside, inside + change), ball.project(inside, inside - change)
    known = (square == current).flatten(1).all(1).view(-1, 1, 1, 1)
    proposed = points.clone()
    proposed[:, :, rows, columns] = torch.where(known, opposite, square)
    return proposed


def _tiles(images: Tensor, ball: Ball, generator: torch.Generator) -> Tensor:
    """Bumps of random signs on a grid, of the length eps: the first perturbation of l2."""
    count, channels, height, width = images.shape
    side = max(min(height, width) // TILES, 1)
    change = torch.zeros_like(images)
    for top in range(height % side // 2, height - side + 1, side):
        for left in range(width % side // 2, width - side + 1, side):
            signs = _signs((count, channels, 1, 1), images, generator)
            change[:, :, top : top + side, left : left + side] = signs * _bump(side, images, generator)
    return ball.project(images, images + ball.eps * ball.steepest(change))


def _move_square(images: Tensor, points: Tensor, ball: Ball, side: int, generator: torch.Generator) -> Tensor:
    """Points with the perturbation of one square removed, and its length, with what is unused, added in another one."""
    side = min(max(side, SMALLEST_L2) | 1, *images.shape[2:])  # odd
    change = points - images
    total, eps = change.square().sum((1, 2, 3), keepdim=True), ball.eps
    to, source = (_place(images, side, generator) for _ in range(2))
    kept = change.clone()
    kept[:, :, *source] = 0
    kept[:, :, *to] = 0
    freed = total - kept.square().sum((1, 2, 3), keepdim=True)
    length = ((eps**2 - total).clamp(min=0) / images.shape[1] + freed).sqrt()
    signs = _signs((1, images.shape[1], 1, 1), images, generator)
    old = change[:, :, *to]
    new = signs * _bump(side, images, generator) + old / _norm(old)
    kept[:, :, *to] = new / _norm(new) * length
    return ball.project(images, images + eps * ball.steepest(kept))


def _bump(side: int, images: Tensor, generator: torch.Generator) -> Tensor:
    """A peak and a dip, (side, side), one above the other or side by side: sums of nested squares, of length 1."""
    upper, lower = _peak(side // 2, side), _peak(side - side // 2, side)
    bump = torch.cat([upper, -lower])
    turned = bump.T if int(torch.randint(0, 2, (), generator=generator)) else bump
    return (turned / torch.linalg.vector_norm(turned)).to(images)


def _peak(height: int, width: int) -> Tensor:
    """The sum of squares of sides 1, 3, 5, ... around the centre, of the weights 1, 1/4, 1/9, ...; of length 1."""
    rows, columns = (torch.arange(size) - size // 2 for size in (height, width))
    distance = torch.maximum(rows.abs()[:, None], columns.abs()[None, :])
    weights = 1 / torch.arange(1, max(height, width) // 2 + 2) ** 2
    peak = weights.flip(0).cumsum(0).flip(0)[distance]
    return peak / torch.linalg.vector_norm(peak).clamp(min=1e-12)


def _norm(changes: Tensor) -> Tensor:
    """Length of each channel, (B, C, 1, 1)."""
    return torch.linalg.vector_norm(changes, dim=(2, 3), keepdim=True).clamp(min=1e-12)
