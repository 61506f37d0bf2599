"""The demo page in a browser: its outputs are those of the networks, and its widgets do what they state."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cvnlp
from cvnlp import networks
from cvnlp.data.prepared import load_array
from cvnlp.demo.build import build
from cvnlp.demo.server import make_app
from cvnlp.language.data.tokens import TOKENISERS
from cvnlp.language.inference.detokenise import as_text
from cvnlp.params.attacks import PgdOptions
from cvnlp.paths import ProjectPaths
from cvnlp.vision.attacks.gradient import targeted_pgd
from cvnlp.vision.attacks.losses import log_odds
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.lenet import BlackBorder
from make_demo import EVERY_MODEL, IMAGE_MODELS, TEXT_MODELS, WORD_MODELS, make_runs, write_colour_data
from model_server import serve_app

TOLERANCE = 1e-4
CLASSIFIERS = [*IMAGE_MODELS, "cnn_colour"]
LANGUAGE_MODELS = [*TEXT_MODELS, *WORD_MODELS]
PADDING = (nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, BlackBorder)
NETWORK = """
const { readData } = await import("/files.js");
const { Network } = await import("/network/network.js");
const { description, arrays } = await readData(`models/${run}`);
const network = new Network(description, arrays);
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, vision_data: Path, language_data: Path, words_data: Path) -> Any:
    colours = write_colour_data(tmp_path_factory.mktemp("vision") / "colours")
    data = {"digits": vision_data, "colours": colours, "plays": language_data, "words": words_data}
    return make_runs(tmp_path_factory.mktemp("project"), data, EVERY_MODEL)


@pytest.fixture(scope="module")
def address(project: ProjectPaths, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    assert build(folder, root=project.root).runs == list(EVERY_MODEL)
    with serve_app(make_app(folder)) as server:
        yield f"http://127.0.0.1:{server.port}/"


@pytest.fixture
def demo(page: Any, address: str) -> Any:
    """The page, with its first panel."""
    return open_panel(page, address, "classifier")


@pytest.fixture(scope="module")
def modules(shared_page: Any, address: str) -> Any:
    """A document of the server, from which its modules can be imported."""
    shared_page.goto(f"{address}contents.json")
    return shared_page


def open_panel(page: Any, address: str, panel: str) -> Any:
    page.goto(f"{address}#{panel}")
    page.locator("body[data-ready]").wait_for(timeout=60_000)
    return page


def choose(page: Any, run: str) -> None:
    """Another image classifier."""
    page.select_option("#image-run", run)
    page.locator(f"#picture[data-run={run}]").wait_for()


def load(project: ProjectPaths, run: str) -> Any:
    return networks.load(project.models / run)[0]


def test_image(project: ProjectPaths, run: str, row: int = 7) -> torch.Tensor:
    """Noise on a test image, which has no two equal pixels: maxima of windows are unique."""
    image = torch.tensor(load_array(project.prepared(EVERY_MODEL[run][1]), "test_images")[row]).permute(2, 0, 1) / 255
    return (image + 0.2 * torch.rand(image.shape, generator=torch.Generator().manual_seed(row))).clamp(0, 1)


test_image.__test__ = False  # type: ignore[attr-defined]


def close(found: Any, wanted: torch.Tensor) -> bool:
    return bool((torch.tensor(found).flatten() - wanted.detach().flatten()).abs().max() <= TOLERANCE)


# The same numbers as PyTorch ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", CLASSIFIERS)
def test_logits_maps_and_gradients_are_those_of_the_network(modules: Any, project: ProjectPaths, run: str) -> None:
    network, image = load(project, run), test_image(project, run)
    maps: dict[str, torch.Tensor] = {}
    for name, layer in network.feature_layers() if hasattr(network, "feature_layers") else []:
        if not isinstance(layer, PADDING):
            layer.register_forward_hook(lambda _, inputs, output, name=name: maps.update({name: output[0]}))
    pixels = image.clone().requires_grad_()
    logits = network(pixels[None])
    label = int(logits.argmin())
    (gradient,) = torch.autograd.grad(log_odds(logits, torch.tensor([label])).sum(), pixels)
    script = f"""async ([run, image, label]) => {{ {NETWORK}
        const {{ logOddsGradient }} = await import("/network/attack.js");
        const outputs = network.outputs(Float32Array.from(image)), logits = outputs.at(-1).data;
        const gradient = network.gradient(outputs, logOddsGradient(logits, label));
        const maps = network.shown.map((one) => [network.nodes[one].name, Array.from(outputs[one].data)]);
        return {{ logits: Array.from(logits), gradient: Array.from(gradient), maps: Object.fromEntries(maps) }};
    }}"""
    found = modules.evaluate(script, [run, image.flatten().tolist(), label])
    assert close(found["logits"], logits)
    assert close(found["gradient"], gradient)
    assert [name for name in maps if not close(found["maps"][name], maps[name])] == []


@pytest.mark.parametrize("run", LANGUAGE_MODELS)
def test_probabilities_and_surprise_are_those_of_the_network(modules: Any, project: ProjectPaths, run: str) -> None:
    model: Any = cvnlp.load(run, root=project.root)
    ids = load_array(project.prepared(EVERY_MODEL[run][1]), "test")[:40].astype(int).tolist()
    with torch.inference_mode():
        logits, _ = model.network(torch.tensor([[model.processing.start, *ids]]))
    script = """async ([run, ids]) => {
        const { readData } = await import("/files.js");
        const { makeModel, Reading } = await import("/language/reading.js");
        const reading = new Reading(makeModel(await readData(`models/${run}`)));
        reading.update(ids);
        return { probabilities: reading.steps.map((step) => Array.from(step.probabilities)), nats: reading.nats };
    }"""
    found = modules.evaluate(script, [run, ids])
    assert close(found["probabilities"], logits[0].softmax(-1))
    assert close(found["nats"], -logits[0, :-1].log_softmax(-1).gather(1, torch.tensor(ids)[:, None]))


@pytest.mark.parametrize("run", ["lstm", "gru", "rnn_relu"])
def test_states_of_the_units_are_those_of_the_network(modules: Any, project: ProjectPaths, run: str) -> None:
    network, ids = load(project, run), [2, 5, 3, 1, 4]
    with torch.inference_mode():
        _, state = network(torch.tensor([ids]))
    script = """async ([run, ids]) => {
        const { readData } = await import("/files.js");
        const { makeModel } = await import("/language/reading.js");
        const model = makeModel(await readData(`models/${run}`));
        const state = ids.reduce((before, id) => model.step(before, id).state, model.initial());
        return state.map(({ hidden, cell }) => [Array.from(hidden), cell && Array.from(cell)]);
    }"""
    for (hidden, cell), own in zip(modules.evaluate(script, [run, ids]), state, strict=True):
        assert close(hidden, own[0] if run == "lstm" else own)
        assert cell is None or close(cell, own[1])


TEXTS = [
    "ROMEO:\nBut soft, what light!\n\n\nJuliet",
    "o'er well-known, o' the 'tis -- half - way  (aside) \"so\"\tfar",
    "déjà-vu 3.14 a_b x\ny ",
    "naïve e\u0301galite\u0301 well-",
    "",
]


@pytest.mark.parametrize("run", ["lstm", "words_lstm"])
@pytest.mark.parametrize("text", TEXTS)
def test_prompts_have_the_tokens_of_the_project(modules: Any, project: ProjectPaths, run: str, text: str) -> None:
    model: Any = cvnlp.load(run, root=project.root)
    script = """async ([run, text]) => {
        const { readJson } = await import("/files.js");
        const { encode, pieces } = await import("/language/tokens.js");
        const model = await readJson(`models/${run}.json`), ids = encode(text, model);
        return [ids, pieces(ids, model).join("")];
    }"""
    ids, shown = modules.evaluate(script, [run, text])
    assert ids == model.read(text)[0]
    assert shown == as_text(ids, model.vocabulary, model.processing)


@pytest.mark.parametrize("kind", ["words", "whitespace"])
@pytest.mark.parametrize("text", TEXTS)
def test_words_are_those_of_the_tokeniser(modules: Any, kind: str, text: str) -> None:
    """With a vocabulary of all of them."""
    wanted = list(TOKENISERS[kind].split(f"{text} x"))[:-2]  # type: ignore[index]
    script = """async ([tokens, text, vocabulary]) => {
        const { encode } = await import("/language/tokens.js");
        return encode(text, { tokens, lowercase: false, vocabulary }).map((id) => vocabulary[id]);
    }"""
    assert modules.evaluate(script, [kind, text, ["<unk>", *dict.fromkeys(wanted)]]) == wanted


# Images ---------------------------------------------------------------------------------------------------------------


def probabilities(page: Any, table: str = "#probabilities") -> list[float]:
    cells = page.locator(f"{table} td[data-value]")
    return [float(value) for value in cells.evaluate_all("cells => cells.map((cell) => cell.dataset.value)")]


@pytest.mark.parametrize("run", CLASSIFIERS)
def test_the_probabilities_of_a_test_image_are_those_of_the_model(demo: Any, project: ProjectPaths, run: str) -> None:
    choose(demo, run)
    demo.locator("#samples button").nth(12).click()
    model: Any = cvnlp.load(run, root=project.root)
    data = project.prepared(EVERY_MODEL[run][1])
    rows = np.flatnonzero(np.isin(load_array(data, "test_labels"), [3]))
    wanted = model.probabilities(np.asarray(load_array(data, "test_images"))[rows[:1]])[0]
    assert np.abs(np.array(probabilities(demo)) - wanted).max() <= TOLERANCE


def test_probabilities_follow_the_pen(demo: Any) -> None:
    choose(demo, "mlp")
    demo.click("#clear")
    before = probabilities(demo)
    box = demo.locator("#pad").bounding_box()
    demo.mouse.move(box["x"] + 60, box["y"] + 60)
    demo.mouse.down()
    demo.mouse.move(box["x"] + 200, box["y"] + 200, steps=5)
    demo.locator("#probabilities").evaluate("() => new Promise(requestAnimationFrame)")
    during = probabilities(demo)
    demo.mouse.up()
    assert during != before
    demo.click("#clear")
    assert probabilities(demo) == before


def test_a_drawing_is_centred_as_mnist(modules: Any) -> None:
    script = """async () => {
        const { centreDigit } = await import("/ui/pixels.js");
        const drawing = new Float32Array(280 * 280);
        for (let y = 10; y < 110; y++) for (let x = 150; x < 190; x++) drawing[y * 280 + x] = 1;
        return Array.from(centreDigit(drawing, [280, 280], [28, 28]));
    }"""
    image = np.array(modules.evaluate(script)).reshape(28, 28)
    rows, columns = np.nonzero(image)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 23, 10, 17)  # 20 pixels tall, centred
    assert image.max() == 1


def test_an_opened_picture_has_the_probabilities_of_the_file(demo: Any, project: ProjectPaths) -> None:
    for run, mode in (("mlp", "L"), ("cnn_colour", "RGB")):
        model: Any = cvnlp.load(run, root=project.root)
        pixels = np.random.default_rng(1).integers(0, 256, model.shape, dtype=np.uint8)
        content = io.BytesIO()
        Image.fromarray(pixels.squeeze(), mode).save(content, "PNG")
        choose(demo, run)
        demo.locator("#samples button").nth(20).click()
        demo.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": content.getvalue()})
        wanted = model.predict(content.getvalue())[0].probabilities
        demo.locator("#moved:empty").wait_for(state="attached")
        assert np.abs(np.array(probabilities(demo)) - list(wanted.values())).max() <= TOLERANCE


def test_a_file_that_is_no_picture_is_named(demo: Any) -> None:
    demo.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    demo.get_by_text("a.png is no picture that this browser can open.").wait_for()


def test_shift_and_rotation_are_exact_where_pixels_meet(modules: Any) -> None:
    """A whole shift moves pixels, and a quarter turn is np.rot90."""
    image = np.random.default_rng(1).random((1, 6, 6), dtype=np.float32)
    script = """async ([image, moves]) => {
        const { transform } = await import("/ui/pixels.js");
        return Array.from(transform(Float32Array.from(image), [1, 6, 6], moves, 0));
    }"""
    shifted = modules.evaluate(script, [image.flatten().tolist(), {"right": 2, "down": -1, "turn": 0}])
    wanted = np.zeros_like(image)
    wanted[:, :5, 2:] = image[:, 1:, :4]
    assert np.allclose(np.reshape(shifted, wanted.shape), wanted)
    turned = modules.evaluate(script, [image.flatten().tolist(), {"right": 0, "down": 0, "turn": 90}])
    assert np.allclose(np.reshape(turned, image.shape), np.rot90(image, -1, (1, 2)), atol=1e-5)


def test_rotation_until_it_errs_changes_the_prediction(demo: Any) -> None:
    choose(demo, "mlp")
    demo.click("#clear")
    demo.locator("#samples button").nth(3).click()
    demo.click("#turn-until")
    assert re.search("wrong|No rotation", demo.locator("#moved").inner_text())


def test_a_map_that_is_clicked_is_shown_in_detail(demo: Any) -> None:
    choose(demo, "cnn_relu")
    canvas = demo.get_by_label("Outputs of block1.convolution")
    canvas.click(position={"x": 0.6 * canvas.bounding_box()["width"], "y": 10})
    assert demo.locator("#map-text").inner_text().startswith("block1.convolution, map 2: largest output ")
    demo.fill("#map-number", "99")
    assert demo.locator("#map-text").inner_text().startswith("block1.convolution, map 3: ")
    demo.get_by_label("Where it fires in the picture").wait_for()


def test_the_test_images_with_the_largest_output_of_a_unit_are_shown(demo: Any, project: ProjectPaths) -> None:
    choose(demo, "mlp")
    demo.locator("#map-layer").select_option(label="Linear4: 8 units")
    demo.fill("#map-number", "5")
    demo.click("#map-strongest")
    labels = demo.locator("#map-examples figcaption").all_inner_texts()
    network, hidden = load(project, "mlp"), []
    data = project.prepared("digits")
    rows = [
        row for label in range(10) for row in np.flatnonzero(np.asarray(load_array(data, "test_labels")) == label)[:4]
    ]
    network.layers[4].register_forward_hook(lambda _, inputs, output: hidden.append(output[:, 5]))
    with torch.no_grad():
        network(torch.tensor(np.asarray(load_array(data, "test_images"))[rows]).permute(0, 3, 1, 2) / 255)
    assert [label.partition(":")[0] for label in labels] == [
        f"Test image {place + 1}" for place in hidden[0].argsort(descending=True)[:6].tolist()
    ]
    demo.fill("#map-number", "4")
    assert demo.locator("#map-examples figcaption").count() == 0


# The attack -----------------------------------------------------------------------------------------------------------


def _is_broken(network: Any, image: torch.Tensor, target: int) -> bool:
    found = [
        targeted_pgd(
            *(network, image[None], torch.tensor([target]), Ball("linf", eps), PgdOptions(steps=20)),
            generator=torch.Generator().manual_seed(1),
        )
        for eps in (1.0, 0.5, 0.25)
    ]
    return any(int(network(attacked).argmax()) == target for attacked in found)


@pytest.mark.parametrize("run", CLASSIFIERS)
@pytest.mark.parametrize("targeted", [False, True])
def test_an_attack_changes_the_class_within_eps(modules: Any, project: ProjectPaths, run: str, targeted: bool) -> None:
    network, image = load(project, run), test_image(project, run, row=5)
    order = network(image[None])[0].argsort(descending=True)
    target = int(order[1]) if targeted else -1
    script = f"""async ([run, image, target]) => {{ {NETWORK}
        const {{ smallestAttack }} = await import("/network/attack.js");
        const found = await smallestAttack(network, Float32Array.from(image), target, {{ steps: 20, halvings: 5 }});
        return found && {{ eps: found.eps, image: Array.from(found.image) }};
    }}"""
    found = modules.evaluate(script, [run, image.flatten().tolist(), target])
    if found is None:  # the attack of the project finds nothing either, from a few points
        assert targeted and not _is_broken(network, image, target)
        return
    attacked = torch.tensor(found["image"]).view_as(image)
    assert float((attacked - image).abs().max()) == pytest.approx(found["eps"], abs=1e-6)
    assert float(attacked.min()) >= 0 and float(attacked.max()) <= 1
    logits = network(attacked[None])[0].detach()
    if targeted:
        assert float(logits[target]) >= float(logits.max()) - TOLERANCE
    else:
        assert float(logits[order[0]]) <= float(logits.topk(2).values.min()) + TOLERANCE


def test_the_attack_widget_states_what_it_found(page: Any, address: str) -> None:
    open_panel(page, address, "attack")
    choose(page, "mlp")
    page.locator("#samples button").nth(2).click()
    page.fill("#attack-steps", "10")
    page.click("#attack")
    page.locator("#attack-result").wait_for()
    before, after = re.match(r"(\d) becomes (\d) with eps", page.locator("#attack-answer").inner_text()).groups()
    assert before != after
    found = probabilities(page, "#attack-probabilities")
    assert int(np.argmax(found)) == int(after)
    page.fill("#strength", "0")
    assert int(np.argmax(probabilities(page, "#attack-probabilities"))) == int(before)
    page.select_option("#target", before)
    page.click("#attack")
    page.get_by_text(f"already classified as {before}").wait_for()


# Step by step ---------------------------------------------------------------------------------------------------------


def step_value(page: Any) -> float:
    return float(page.locator("#step-answer").get_attribute("data-value"))


@pytest.fixture
def steps(page: Any, address: str) -> Any:
    open_panel(page, address, "steps")
    choose(page, "cnn_deep")
    page.locator("#samples button").nth(4).click()
    return page


def outputs_of(project: ProjectPaths, run: str, image: np.ndarray) -> dict[str, torch.Tensor]:
    network, found = load(project, run), {}
    for name, layer in network.feature_layers():
        layer.register_forward_hook(lambda _, inputs, output, name=name: found.update({name: output[0]}))
    with torch.no_grad():
        found["logits"] = network(torch.tensor(image).permute(2, 0, 1)[None] / 255)[0]
    return found


def fourth_sample(project: ProjectPaths) -> np.ndarray:
    data = project.prepared("digits")
    rows = np.flatnonzero(np.asarray(load_array(data, "test_labels")) == 1)
    return np.asarray(load_array(data, "test_images"))[rows[0]]


def test_a_step_of_a_convolution_gives_the_number_of_the_network(steps: Any, project: ProjectPaths) -> None:
    wanted = outputs_of(project, "cnn_deep", fourth_sample(project))["block2.convolution"]
    steps.get_by_label("Operation").select_option(label="block2.convolution")
    steps.fill("#step-map", "3")
    steps.fill("#step-row", "1")
    steps.fill("#step-column", "1")
    assert step_value(steps) == pytest.approx(float(wanted[3, 1, 1]), abs=TOLERANCE)
    steps.locator("[data-movable]").focus()
    steps.keyboard.press("ArrowRight")
    assert step_value(steps) == pytest.approx(float(wanted[3, 1, 2]), abs=TOLERANCE)
    steps.keyboard.press("ArrowUp")
    assert step_value(steps) == pytest.approx(float(wanted[3, 0, 2]), abs=TOLERANCE)
    steps.click("#step-next")
    assert step_value(steps) == pytest.approx(float(wanted[3].flatten()[3]), abs=TOLERANCE)
    steps.click("#step-back")
    assert step_value(steps) == pytest.approx(float(wanted[3, 0, 2]), abs=TOLERANCE)


@pytest.mark.parametrize("run", ["cnn_relu", "cnn_zero"])
def test_a_step_of_pooling_gives_the_number_of_the_network(steps: Any, project: ProjectPaths, run: str) -> None:
    wanted = outputs_of(project, run, fourth_sample(project))["block1.pooling"]
    choose(steps, run)
    steps.get_by_label("Operation").select_option(label="block1.pooling")
    steps.fill("#step-row", "2")
    assert step_value(steps) == pytest.approx(float(wanted[0, 2, 0]), abs=TOLERANCE)


def test_a_step_of_softmax_gives_the_probability(steps: Any, project: ProjectPaths) -> None:
    logits = outputs_of(project, "cnn_deep", fourth_sample(project))["logits"]
    steps.get_by_label("Operation").select_option(label="softmax of the logits")
    steps.fill("#step-map", "6")
    assert step_value(steps) == pytest.approx(float(logits.softmax(0)[6]), abs=TOLERANCE)
    steps.get_by_label("Operation").select_option(label="head.Linear2")
    steps.fill("#step-map", "6")
    assert step_value(steps) == pytest.approx(float(logits[6]), abs=TOLERANCE)


def test_play_moves_on_until_it_is_paused(steps: Any) -> None:
    steps.click("#step-play")
    steps.locator("#step-play[aria-pressed=true]").wait_for()
    steps.get_by_role("tab", name="Attack").click()
    assert steps.locator("#step-play").get_attribute("aria-pressed") == "false"


# Text -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def language(page: Any, address: str) -> Any:
    open_panel(page, address, "language")
    return wait_for_text(page)


def wait_for_text(page: Any, written: int = 0) -> Any:
    page.locator("#text-status", has_text=re.compile(rf", {written} written by")).wait_for()
    return page


def expected(page: Any, run: str) -> dict[int, float]:
    tokens = page.locator(f"#expectations tr[data-run={run}] .token")
    pairs = tokens.evaluate_all("all => all.map(({ dataset }) => [Number(dataset.id), Number(dataset.value)])")
    return {int(token): value for token, value in pairs}


def test_all_models_of_the_data_expect_what_the_networks_do(language: Any, project: ProjectPaths) -> None:
    prompt = "HAMLET:\nTo be"
    language.fill("#prompt", prompt)
    language.locator("#text-status", has_text=f"{len(prompt)} tokens of prompt, 0 written").wait_for()
    for run in TEXT_MODELS:
        model: Any = cvnlp.load(run, root=project.root)
        ids, _ = model.read(prompt)
        with torch.inference_mode():
            logits, _ = model.network(torch.tensor([[model.processing.start, *ids]]))
        wanted = logits[0, -1].softmax(-1)
        found = expected(language, run)
        assert len(found) == 8
        assert all(value == pytest.approx(float(wanted[token]), abs=TOLERANCE) for token, value in found.items())
        assert min(found.values()) >= float(wanted.sort(descending=True).values[7]) - TOLERANCE


def test_the_text_is_continued_and_equal_seeds_give_equal_texts(language: Any) -> None:
    texts = []
    for _ in range(2):
        for number in range(1, 6):
            language.click("#text-next")
            wait_for_text(language, number)
        texts.append(language.locator("#text").inner_text())
        language.click("#text-clear")
        wait_for_text(language)
    assert texts[0] == texts[1]
    language.fill("#seed", "2")
    language.press("#seed", "Enter")
    language.click("#text-play")
    language.locator("#text span.continued").nth(10).wait_for()
    language.click("#text-play")
    assert language.locator("#text-play").get_attribute("aria-pressed") == "false"


def test_a_token_that_is_selected_shows_its_surprise_and_the_unit(language: Any, project: ProjectPaths) -> None:
    model: Any = cvnlp.load("lstm", root=project.root)
    language.select_option("#text-run", "lstm")
    language.locator("#text-status", has_text="written by lstm").wait_for()
    language.fill("#prompt", "good lord")
    language.locator("#text-status", has_text="9 tokens of prompt").wait_for()
    language.locator("#text span").nth(3).click()
    _, nats = model.token_nats("good lord")
    cell = language.locator("#expectations tr[data-run=lstm] td[data-value]").first
    assert float(cell.get_attribute("data-value")) == pytest.approx(float(nats[3]), abs=TOLERANCE)
    language.focus("#text")
    language.keyboard.press("ArrowRight")
    assert language.locator("#position").input_value() == "4"
    language.select_option("#unit-signal", "forget")
    language.click("#unit-strong")
    unit = language.locator("#unit-number").input_value()
    assert language.locator("#unit-text").inner_text().startswith(f"Unit {unit} after token 5: ")
    assert language.locator("#text-colour").input_value() == "unit"


def test_word_models_and_an_excerpt_of_the_test_text(language: Any, project: ProjectPaths) -> None:
    language.select_option("#text-run", "words_lstm")
    language.locator("#text-status", has_text="written by words_lstm").wait_for()
    assert language.locator("#expectations tr[data-run]").count() == 2
    language.click("#text-excerpt")
    language.locator("#text span").nth(60).wait_for()
    ids = load_array(project.prepared("words"), "test").tolist()
    shown = language.locator("#text span").all_inner_texts()
    model: Any = cvnlp.load("words_lstm", root=project.root)
    tokens = [model.vocabulary[one] for one in ids]
    words = [text.strip() if text.strip() != "↵" else tokens[-1] for text in shown]
    assert any(tokens[start : start + len(words)] == words for start in range(len(tokens)))
    language.select_option("#text-run", "words_ngram")
    language.locator("#text-status", has_text="written by words_ngram").wait_for()
    assert not language.locator("#unit").is_visible()
    assert "longest known context" in language.locator("#expectations").inner_text()


# For everybody --------------------------------------------------------------------------------------------------------

PANELS = ["classifier", "attack", "steps", "language"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("panel", PANELS)
def test_axe_finds_nothing_serious(page: Any, address: str, panel: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    open_panel(page, address, panel)
    if panel == "language":
        wait_for_text(page)
    violations = axe.run(page).response["violations"]
    assert [one["id"] for one in violations if one["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("panel", PANELS)
def test_nothing_is_wider_than_a_phone(page: Any, address: str, panel: str) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    open_panel(page, address, panel)
    if panel == "language":
        wait_for_text(page)
    if panel == "attack":
        page.click("#attack")
        page.locator("#attack-answer", has_text=re.compile("becomes|No offset")).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_the_page_is_operated_by_the_keyboard(demo: Any) -> None:
    demo.focus("#tab-classifier")
    demo.keyboard.press("ArrowRight")
    demo.locator("#panel-attack").wait_for()
    demo.keyboard.press("End")
    demo.locator("#panel-language").wait_for()
    assert not demo.locator("#picture").is_visible()
    demo.keyboard.press("Home")
    before = demo.locator("#prediction").inner_text()
    demo.locator("#samples button").nth(15).focus()
    demo.keyboard.press("Enter")
    assert demo.locator("#samples button").nth(15).get_attribute("aria-pressed") == "true"
    assert before
    demo.focus("#turn")
    demo.keyboard.press("ArrowRight")
    assert demo.locator("#turn-value").inner_text() == "1°"


def test_what_the_page_lacks_is_stated(page: Any, tmp_path: Path, project: ProjectPaths, monkeypatch: Any) -> None:
    original = networks.load

    def load_with_unknown_layer(folder: Path) -> Any:
        network, config = original(folder)
        if folder.name == "mlp":
            network.layers.append(nn.Softsign())  # type: ignore[union-attr, operator]
        return network, config

    monkeypatch.setattr("cvnlp.demo.build.networks.load", load_with_unknown_layer)
    folder = build(tmp_path / "demo", ["linear", "mlp"], root=project.root).folder
    with serve_app(make_app(folder)) as server:
        open_panel(page, f"http://127.0.0.1:{server.port}/", "classifier")
        assert "mlp (the page has no counterpart of the layer Softsign" in page.locator("#skipped").inner_text()
        assert not page.locator("#tab-language").is_visible()
