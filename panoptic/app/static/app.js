// Tabs, how labels look, and the keys.
import { ask, tell } from "./api.js";
import { keep, view } from "./palette.js";
import * as trying from "./try.js";
import * as review from "./review.js";
import * as sheets from "./sheets.js";

const TABS = { try: trying, review, sheets };
const id = (name) => document.getElementById(name);

async function show(name) {
  for (const each of Object.keys(TABS)) {
    id(each).hidden = each !== name;
    id(`tab-${each}`).setAttribute("aria-selected", String(each === name));
  }
  document.body.dataset.tab = name;
  try {
    await TABS[name].open();
    TABS[name].redraw?.();
  } catch (error) {
    tell(error.message);
  }
}

const named = () => location.hash.slice(1).split("/")[0];

for (const button of document.querySelectorAll("nav button")) {
  button.addEventListener("click", () => { location.hash = `#${button.dataset.tab}`; });
}
addEventListener("hashchange", () => { if (named() in TABS && document.body.dataset.tab !== named()) show(named()); });

id("view").addEventListener("click", () => {
  id("view-menu").hidden = !id("view-menu").hidden;
  id("view").setAttribute("aria-expanded", String(!id("view-menu").hidden));
});
addEventListener("pointerdown", (e) => { if (!e.target.closest("#view-menu, #view")) id("view-menu").hidden = true; });
id("help").addEventListener("click", () => id("keys").showModal());

for (const [input, name] of [["safe-colours", "safe"], ["outlines", "outlines"], ["names", "names"]]) {
  id(input).checked = view[name];
  id(input).addEventListener("change", (e) => { keep(name, e.target.checked); redraw(); });
}
id("opacity").value = view.opacity;
id("opacity").addEventListener("input", (e) => { keep("opacity", +e.target.value); redraw(); });
function redraw() { for (const tab of Object.values(TABS)) tab.redraw?.(); }

addEventListener("keydown", (e) => {
  if (e.target.closest("input:not([type=range]):not([type=checkbox]), textarea, select, dialog")) return;
  if (e.key === "?") { id("keys").showModal(); return; }
  TABS[document.body.dataset.tab]?.key?.(e);
});

const state = await ask("state");
id("where").textContent = state.given.named ?? "";
id("where").title = state.given.named ?? "";
show(named() in TABS ? named() : state.given.dataset ? "review" : "try");
