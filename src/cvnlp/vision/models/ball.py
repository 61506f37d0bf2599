"""The perturbations that an attack may choose from: all within a distance eps of an image, with pixels in [0, 1]."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cvnlp.params.attacks import Norm


@dataclass(frozen=True)
class Ball:
    """All images within `eps` of an image: in each pixel (`linf`), or in the Euclidean norm over all pixels (`l2`).

    `eps`: one for all images, or one for each, (B, 1, 1, 1).
    """

    norm: Norm
    eps: float | Tensor

    def of(self, rows: Tensor) -> "Ball":
        """The balls of some images of a batch: `rows` are their numbers, or bool (B,)."""
        return Ball(self.norm, self.eps[rows]) if isinstance(self.eps, Tensor) else self

    def project(self, images: Tensor, attacked: Tensor) -> Tensor:
        """Points (B, C, H, W) of the balls around `images`, near `attacked`: the nearest ones of linf."""
        if self.norm == "linf":
            return attacked.clamp((images - self.eps).clamp(min=0), (images + self.eps).clamp(max=1))
        change = attacked - images
        factor = (self.eps / _lengths(change).clamp(min=1e-12)).clamp(max=1)
        return (images + change * factor).clamp(0, 1)

    def random(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A random point of each ball, uniform but for pixels that would leave [0, 1]."""
        if self.norm == "linf":
            noise = torch.rand(images.shape, generator=generator).to(images.device) * 2 - 1
            return self.project(images, images + self.eps * noise)
        noise = torch.randn(images.shape, generator=generator).to(images.device)
        radius = torch.rand(len(images), 1, 1, 1, generator=generator).to(images.device) ** (1 / images[0].numel())
        return self.project(images, images + noise * (self.eps * radius / _lengths(noise)))

    def steepest(self, gradient: Tensor) -> Tensor:
        """The step of size 1 in this norm along which the loss rises most to first order; 0 where the gradient is 0."""
        if self.norm == "linf":
            return gradient.sign()
        scaled = gradient / gradient.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30)  # no underflow of squares
        return scaled / _lengths(scaled).clamp(min=1e-12)

    def sizes(self, images: Tensor, attacked: Tensor) -> Tensor:
        """The distance of each attacked image from its image, (B,)."""
        change = attacked - images
        return change.abs().amax((1, 2, 3)) if self.norm == "linf" else _lengths(change).flatten()

    def contains(self, images: Tensor, attacked: Tensor, *, tolerance: float = 0.0) -> Tensor:
        """Bool (B,): whether each attacked image is in the ball around its image; `tolerance` is a length."""
        eps = self.eps.flatten() if isinstance(self.eps, Tensor) else self.eps
        return self.sizes(images, attacked) <= eps + tolerance


def _lengths(change: Tensor) -> Tensor:
    """Euclidean norm of each image, (B, 1, 1, 1)."""
    return torch.linalg.vector_norm(change, dim=(1, 2, 3), keepdim=True)
