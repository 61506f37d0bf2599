"""`cvnlp attack`: the smallest perturbation that changes the class of a picture."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cvnlp.cli import model_folder
from cvnlp.cli.options import Json, Root, Run


def attack(
    run: Run,
    picture: Annotated[Path, typer.Argument(metavar="FILE", help="A picture.")],
    *,
    target: Annotated[
        str | None, typer.Option(metavar="CLASS", help="The class to reach.", show_default="any other class")
    ] = None,
    max_eps: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Largest change of a pixel, of the full range 1.")
    ] = 0.5,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PNG", help="Where to draw it.", show_default="<FILE>_attack.png"),
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="Dark on light becomes light on dark.")] = False,
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Find the smallest perturbation that changes the predicted class of a picture, and draw it.

    Projected gradient descent (PGD) in an L-infinity ball, whose size is found by bisection. The exit code is 1 if no
    perturbation up to --max-eps changes the class.
    """
    from cvnlp.serving.loading import load_classifier

    classifier = load_classifier(model_folder.find(run, root, half="vision"), inverted=invert)

    from cvnlp.vision.serving.adversarial import find_flip, save_flip

    flip = find_flip(classifier, classifier.decode(picture), target=target, max_eps=max_eps)
    if flip is None:
        raise ValueError(f"no perturbation of at most {max_eps:g} was found that changes the class of {picture}")
    path = out or Path(f"{picture.stem}_attack.png")
    save_flip(flip, path)
    if as_json:
        ends = {
            name: {"class": one.label, "probability": one.probability}
            for name, one in (("before", flip.before), ("after", flip.after))
        }
        print(json.dumps({"eps": flip.eps, **ends, "picture": str(path)}, ensure_ascii=False))
        return
    before, after = (f"{one.label} ({one.probability:.1%})" for one in (flip.before, flip.after))
    print(f"{before} -> {after} with eps {flip.eps:.4f} ({255 * flip.eps:.1f} of 255 grey levels): {path}")
