"use strict";

// Tables: a click on the title of a column sorts the rows by it; cells without a value come last.
function sortRows(table, index, direction) {
  const rows = [...table.tBodies[0].rows];
  const key = (row) => {
    const cell = row.cells[index];
    return cell.dataset.sort === undefined ? cell.textContent : cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
  };
  const compare = (one, other) => {
    const [first, second] = [key(one), key(other)];
    if (first === null || second === null) return (first === null) - (second === null);
    const order = typeof first === "number" ? first - second : first.localeCompare(second, "en", { numeric: true });
    return direction === "ascending" ? order : -order;
  };
  table.tBodies[0].append(...rows.sort(compare));
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const direction = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", direction);
      sortRows(table, index, direction);
    });
  });
}

// Confusion matrices: a number shows the pictures of its cell, and hides those of another.
for (const figure of document.querySelectorAll("figure.confusion")) {
  figure.addEventListener("click", (event) => {
    const chosen = event.target.closest("button[aria-controls]");
    if (!chosen) return;
    const open = chosen.getAttribute("aria-expanded") === "false";
    for (const button of figure.querySelectorAll("button[aria-controls]")) {
      const shown = button === chosen && open;
      button.setAttribute("aria-expanded", String(shown));
      document.getElementById(button.getAttribute("aria-controls")).hidden = !shown;
    }
  });
}

// Texts: colours by the chosen quantity, and the numbers of one token.
for (const figure of document.querySelectorAll("figure.tokens")) {
  const { quantities, shades } = JSON.parse(figure.dataset.tokens);
  const text = figure.querySelector(".text");
  const tokens = [...text.querySelectorAll("i")];
  const [readout, select] = [figure.querySelector(".readout"), figure.querySelector("select")];
  let current = -1;
  const colour = ({ values, low, high }) => tokens.forEach((token, place) => {
    const share = (values[place] - low) / Math.max(high - low, 1e-12);
    token.className = `s${Math.max(0, Math.min(shades - 1, Math.floor(share * shades)))}`;
  });
  const show = (place) => {
    tokens[current]?.classList.remove("current");
    current = place;
    tokens[current].classList.add("current");
    const name = tokens[current].textContent === " " ? "space" : tokens[current].textContent;
    readout.textContent = `${name}: ` + quantities.map((one) => `${one.name} ${one.values[current]}`).join(", ");
  };
  text.addEventListener("pointerover", (event) => {
    const place = tokens.indexOf(event.target);
    if (place >= 0) show(place);
  });
  text.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(Math.max(0, Math.min(tokens.length - 1, current + step)));
  });
  select?.addEventListener("change", () => { colour(quantities[select.selectedIndex]); if (current >= 0) show(current); });
}

// Steps: a slider shows one at a time. Without this script all are shown.
for (const stepper of document.querySelectorAll(".stepper")) {
  const [slider, output] = [stepper.querySelector("input"), stepper.querySelector("output")];
  const steps = [...stepper.querySelectorAll(":scope > .step")];
  const show = () => {
    steps.forEach((step, place) => { step.hidden = place !== Number(slider.value); });
    const name = steps[Number(slider.value)].dataset.name;
    output.textContent = name;
    slider.setAttribute("aria-valuetext", name);
  };
  stepper.classList.add("stepped");
  stepper.querySelector(".slider").hidden = false;
  slider.addEventListener("input", show);
  show();
}

// Figures: a click shows one at its full resolution.
const dialog = document.getElementById("enlarged");
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.enlarge");
  if (!button) return;
  const image = button.querySelector("img").cloneNode();
  image.removeAttribute("width");
  image.removeAttribute("height");
  dialog.querySelector(".frame").replaceChildren(image);
  dialog.querySelector("p").textContent = button.closest("figure").querySelector("figcaption").textContent;
  dialog.showModal();
});

// Folded sections: all at once, for a link into one, and for printing.
const folds = [...document.querySelectorAll("details.fold")];
const unfold = document.getElementById("unfold");
const nameButton = () => { unfold.textContent = folds.every((fold) => fold.open) ? "Close all" : "Open all"; };
unfold.addEventListener("click", () => {
  const open = folds.some((fold) => !fold.open);
  for (const fold of folds) fold.open = open;
});
for (const fold of folds) fold.addEventListener("toggle", nameButton);
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (const fold of folds) if (fold.contains(target) || target.contains(fold) && target === fold.parentElement) fold.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
addEventListener("beforeprint", () => { for (const fold of folds) fold.open = true; });
openTarget();

// Light or dark, against the setting of the system.
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
});
