"""Examples in Python for the README of an exported image classifier."""

from cvnlp.vision.data.decoding import MODES, TargetFormat

FITTED = {
    "crop": "ImageOps.fit(picture, {size}, Image.Resampling.BICUBIC)",
    "pad": 'ImageOps.pad(picture, {size}, Image.Resampling.BICUBIC, color="{background}")',
    "stretch": "picture.resize({size}, Image.Resampling.BICUBIC)",
}
RUN = {
    "onnx": [
        'session = onnxruntime.InferenceSession("model.onnx")',
        '(probabilities,) = session.run(["probabilities"], {"images": images})',
    ],
    "pt2": [
        'program = torch.export.load("model.pt2").module()',
        "probabilities = program(torch.from_numpy(images)).detach().numpy()",
    ],
}
IMPORTED = {"onnx": "onnxruntime", "pt2": "torch"}


def picture_code(form: TargetFormat, shape: tuple[int, int, int]) -> dict[str, str]:
    """By format: classify picture.png, decoded as the training pictures were."""
    height, width, channels = shape
    fitted = FITTED[form.fit].format(size=(width, height), background=form.background)
    before = [
        f'picture = Image.open("picture.png").convert("{MODES[form.colour]}")',
        f"images = np.array({fitted}).reshape(1, {height}, {width}, {channels})",
    ]
    after = [
        'classes = json.loads(open("classes.json", encoding="utf-8").read())',
        "print(classes[probabilities[0].argmax()], probabilities[0].max())",
    ]
    code = {
        name: [
            *["import json", "import numpy as np", f"import {IMPORTED[name]}", "from PIL import Image, ImageOps", ""],
            *[*before, *run, *after],
        ]
        for name, run in RUN.items()
    }
    code["safetensors"] = ["import cvnlp", "", 'print(cvnlp.load(".").predict("picture.png")[0].top(3))']
    return {name: "\n".join(lines) for name, lines in code.items()}
