// The page: tabs with one panel each, and the picture that the image panels share.
import { readJson } from "./files.js";
import { AttackPanel } from "./panels/attack.js";
import { ClassifierPanel } from "./panels/classifier.js";
import { LanguagePanel } from "./panels/language.js";
import { Picture } from "./panels/picture.js";
import { StepsPanel } from "./panels/steps.js";
import { byId } from "./ui/elements.js";
import { onThemeChange } from "./ui/heat.js";
import { makeTabs } from "./ui/tabs.js";

function fail(error) {
  byId("failure").hidden = false;
  byId("failure").textContent = `The page failed: ${error?.message ?? error}`;
}

function listSkipped(skipped) {
  const reasons = Object.entries(skipped).map(([run, reason]) => `${run} (${reason})`);
  byId("skipped").hidden = !reasons.length;
  byId("skipped").textContent = `Not on this page: ${reasons.join("; ")}.`;
}

async function start() {
  const contents = await readJson("contents.json");
  listSkipped(contents.skipped);
  const has = (domain) => contents.runs.some((run) => run.domain === domain);
  const panels = {};
  if (has("vision")) Object.assign(panels, { classifier: new ClassifierPanel(), attack: new AttackPanel(), steps: new StepsPanel() });
  if (has("language")) panels.language = new LanguagePanel(contents);
  for (const name of ["classifier", "attack", "steps", "language"]) byId(`tab-${name}`).hidden = !(name in panels);

  let shown = null;
  const refresh = (picture) => picture.outputs && panels[shown]?.update?.(picture);
  const picture = has("vision") ? new Picture(contents, refresh) : null;
  makeTabs(byId("tabs"), (name) => {
    panels[shown]?.leave?.();
    shown = name;
    byId("picture").hidden = name === "language";
    history.replaceState(null, "", `#${name}`);
    panels[name].enter?.().catch(fail);
    if (picture) refresh(picture);
  });
  if (picture) {
    onThemeChange(() => refresh(picture));
    await picture.choose(byId("image-run").value);
  }
  document.body.dataset.ready = "true";
}

window.addEventListener("unhandledrejection", (event) => fail(event.reason));
start().catch(fail);
