"""Examples in Python for the README of an exported language model."""

from collections.abc import Sequence

from cvnlp.params.processing import TextProcessing

OPEN = {
    "onnx": [
        'session = onnxruntime.InferenceSession("model.onnx")',
        "state = {part.name: np.zeros((1, part.shape[1]), np.float32) for part in session.get_inputs()[1:]}",
    ],
    "pt2": ['program = torch.export.load("model.pt2").module()', "state = [torch.zeros(1, size) for size in SIZES]"],
}
STEP = {
    "onnx": [
        'log_probabilities, *new = session.run(None, {"tokens": np.array([[token]]), **state})',
        "state = dict(zip(state, new))",
        "token = int((log_probabilities[0, -1] + np.random.gumbel(size=len(vocabulary))).argmax())",
    ],
    "pt2": [
        "log_probabilities, *state = program(torch.tensor([[token]]), *state)",
        "token = int(torch.multinomial(log_probabilities[0, -1].exp(), 1))",
    ],
}
IMPORTED = {"onnx": ["import numpy as np", "import onnxruntime"], "pt2": ["import torch"]}


def text_code(processing: TextProcessing, sizes: Sequence[int]) -> dict[str, str]:
    """By format: draw 200 tokens, one after the other; `sizes` of the parts of the state."""
    separator = "" if processing.token_kind == "characters" else " "
    code = {
        name: [
            *["import json", *IMPORTED[name], ""],
            'vocabulary = json.loads(open("vocabulary.json", encoding="utf-8").read())["tokens"]',
            *(line.replace("SIZES", str(list(sizes))) for line in OPEN[name]),
            f"token, text = {processing.start}, []",
            "for _ in range(200):",
            *(f"    {line}" for line in STEP[name]),
            "    text.append(vocabulary[token])",
            f'print("{separator}".join(text))',
        ]
        for name in OPEN
    }
    code["safetensors"] = safetensors_code()
    return {name: "\n".join(lines) for name, lines in code.items()}


def safetensors_code() -> list[str]:
    return ["import cvnlp", "", 'print(cvnlp.load(".").generate(tokens=200))']
