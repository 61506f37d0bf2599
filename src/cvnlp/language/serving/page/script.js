"use strict";
const field = (name) => document.getElementById(name);
const NUMBERS = ["tokens", "temperature", "top_k", "top_p", "seed"];
let running = null;

function show(message, failed) {
  field("state").textContent = message;
  field("state").className = failed ? "error" : "";
}

async function post(path, body, signal) {
  const response = await fetch(path, {
    method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json"}, signal,
  });
  if (!response.ok) throw new Error((await response.json()).error);
  return response;
}

async function generate() {
  const body = {prompt: field("prompt").value, stream: true};
  for (const name of NUMBERS) if (field(name).value !== "") body[name] = Number(field(name).value);
  const text = field("text");
  text.textContent = body.prompt;
  const response = await post("generate", body, running.signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text.append(piece.value);
}

async function score() {
  const found = await (await post("perplexity", {text: field("prompt").value}, running.signal)).json();
  show("perplexity " + found.perplexity.toFixed(2) + ", " + found.nats_per_token.toFixed(3) + " nats per token, "
    + found.tokens + " tokens, " + found.unknown + " of them not in the vocabulary");
}

async function run(task) {
  if (running) running.abort();
  const own = running = new AbortController();
  field("stop").disabled = false;
  show("");
  try {
    await task();
  } catch (error) {
    if (error.name !== "AbortError") show(error.message, true);
  }
  if (running === own) { running = null; field("stop").disabled = true; }
}

field("generate").addEventListener("click", () => run(generate));
field("score").addEventListener("click", () => run(score));
field("stop").addEventListener("click", () => running && running.abort());
