"use strict";
const SHOWN = 5;  // classes of a picture
const drop = document.getElementById("drop"), files = document.getElementById("files");
const results = document.getElementById("results");

function element(name, text, parent) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

function showBars(prediction, parent) {
  const table = element("table", "", parent);
  const classes = Object.entries(prediction.probabilities).sort((one, other) => other[1] - one[1]);
  for (const [label, probability] of classes.slice(0, SHOWN)) {
    const row = element("tr", "", table);
    element("th", label, row);
    const bar = element("progress", "", element("td", "", row));
    bar.value = probability;
    element("td", (100 * probability).toFixed(1) + "%", row);
  }
}

async function classify(file) {
  const card = document.createElement("article");
  results.prepend(card);
  const picture = element("img", "", card), answer = element("div", "...", card);
  picture.alt = file.name || "picture";
  picture.src = URL.createObjectURL(file);
  try {
    const response = await fetch("predict", {
      method: "POST", body: file, headers: {"Content-Type": "application/octet-stream"},
    });
    const found = await response.json();
    answer.textContent = "";
    if (response.ok) showBars(found.predictions[0], answer);
    else element("p", found.error, answer).className = "error";
  } catch (error) {
    answer.textContent = "The server does not answer: " + error.message;
  }
}

function classifyAll(list) { for (const file of list) classify(file); }

files.addEventListener("change", () => { classifyAll(files.files); files.value = ""; });
document.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
document.addEventListener("dragleave", () => drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  classifyAll(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => classifyAll(event.clipboardData.files));
