// The widget of a notebook: words, levels and the labelled picture.
import { levelRow } from "./levels.js";
import { element, inWords, showSegments } from "./lists.js";
import { keep, view } from "./palette.js";
import { Stage } from "./stage.js";

async function render({ model, el }) {
  const told = element("span", {}), time = element("span", { class: "quiet" });
  const error = element("p", { class: "error", role: "alert", hidden: true });
  const canvas = element("canvas", { tabindex: 0, "aria-label": "The labelled picture" });
  const segments = element("ul", { class: "segments" }), lost = element("ul", { class: "quiet" });
  const lostBox = element("details", { hidden: true }, element("summary", {}, "Found, and left out"), lost);
  const steps = element("div", { class: "steps", hidden: true });
  const field = (name) => element("textarea", { rows: 2, spellcheck: "false", "aria-label": name, "data-words": name });
  const words = { things: field("things"), stuff: field("stuff") };
  const main = element("div"), more = element("div");
  const box = element("div", { class: "panoptic-explore" },
    element("div", { class: "side" },
      element("label", {}, "Things ", element("small", {}, "what can be counted"), words.things),
      element("label", {}, "Stuff ", element("small", {}, "what can't"), words.stuff),
      element("h4", {}, "Levels"), main,
      element("details", {}, element("summary", {}, "More levels"), more),
      element("button", { class: "reset", onclick: () => { ask({ levels: {} }); showLevels(); } }, "Reset levels")),
    element("div", { class: "middle" },
      element("div", { class: "stage" }, canvas),
      element("p", { class: "status" }, told, time), error,
      element("div", { class: "row" },
        element("button", { class: "explain", onclick: () => model.send("explain") }, "Explain step by step"),
        tick("names", "Names"), tick("outlines", "Outlines"), tick("safe", "For colour-blind eyes")),
      steps),
    element("div", { class: "side right" }, element("h4", {}, "Segments ", element("small", {}, "and their quality")), segments, lostBox));
  el.replaceChildren(element("div", { class: "panoptic-cell" }, box));

  // A notebook is scrolled by the wheel: the picture only with Ctrl.
  const stage = new Stage(canvas, { onhover: (s) => { tell(s); mark(s); }, zooms: (e) => e.ctrlKey || e.metaKey });
  const picture = await createImageBitmap(new Blob([model.get("picture")], { type: "image/jpeg" }));
  box.style.setProperty("--shape", `${picture.width} / ${picture.height}`);

  // One question at a time: what was moved meanwhile is asked when the answer is there.
  let waiting = null, busy = null;
  function ask(changes) {
    waiting = { ...waiting, ...changes };
    if (!busy) send();
  }
  function send() {
    const changes = Object.entries(waiting).filter(([name, value]) => JSON.stringify(model.get(name)) !== JSON.stringify(value));
    waiting = null;
    if (!changes.length) return;
    busy = performance.now();
    for (const [name, value] of changes) model.set(name, value);
    model.save_changes();
  }
  function answered() {
    if (busy) time.textContent = `${(performance.now() - busy).toFixed(0)} ms`;
    busy = null;
    show();
    if (waiting) send();
  }

  function showLevels() {
    const now = waiting?.levels ?? model.get("levels");
    const set = (key, value) => {
      const next = { ...(waiting?.levels ?? model.get("levels")), [key]: value };
      if (value === model.get("choices").find((l) => l.key === key).value) delete next[key];
      ask({ levels: next });
    };
    const rows = (first) => model.get("choices").filter((l) => l.main === first).map((l) => levelRow(l, now, set));
    main.replaceChildren(...rows(true));
    more.replaceChildren(...rows(false));
  }
  function show() {
    const label = model.get("label");
    const shown = label.segments ? label : null;
    stage.show(picture, shown);
    tell(null);
    showSegments(segments, shown, { onhover: (s) => stage.hover(s) });
    lost.replaceChildren(...model.get("left_out").map((text) => element("li", {}, text)));
    lostBox.hidden = !model.get("left_out").length;
    error.textContent = model.get("error");
    error.hidden = !model.get("error");
    box.dataset.answered = model.get("answered");
    if (!steps.hidden) model.send("explain");
  }
  function tell(segment) {
    const count = stage.label?.segments.length ?? 0;
    told.textContent = segment ? inWords(segment) : stage.label ? `${count} ${count === 1 ? "segment" : "segments"}` : "Say what to look for.";
  }
  function mark(segment) {
    for (const row of segments.children) row.classList.toggle("hover", row.dataset.id === String(segment?.id));
  }
  function tick(name, text) {
    return element("label", { class: "tick" }, element("input", { type: "checkbox", checked: view[name],
      onchange: (e) => { keep(name, e.target.checked); stage.paint(); stage.draw(); showSegments(segments, stage.label, { onhover: (s) => stage.hover(s) }); } }), text);
  }
  function explained(content, buffers) {
    if (!content.titles) return;
    const inPage = (data) => URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
    for (const old of steps.querySelectorAll("img")) URL.revokeObjectURL(old.src);
    steps.replaceChildren(...content.titles.map((title, i) => element("figure", {},
      element("img", { src: inPage(buffers[i]), alt: title }), element("figcaption", {}, `${i + 1}. ${title}`))),
    element("pre", {}, content.text));
    steps.hidden = false;
  }

  for (const [name, area] of Object.entries(words)) {
    let typing;
    area.value = model.get(name);
    area.addEventListener("keydown", (e) => e.stopPropagation()); // the notebook has keys of its own
    area.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => ask({ [name]: area.value }), 450); });
    area.addEventListener("change", () => { clearTimeout(typing); ask({ [name]: area.value }); });
  }
  const fromPython = () => {
    if (busy) return;
    for (const [name, area] of Object.entries(words)) if (area.value !== model.get(name)) area.value = model.get(name);
    showLevels();
  };
  const heard = { "change:answered": answered, "change:things": fromPython, "change:stuff": fromPython,
    "change:levels": fromPython, "msg:custom": explained };
  for (const [event, listener] of Object.entries(heard)) model.on(event, listener);
  showLevels();
  show();
  return () => { for (const [event, listener] of Object.entries(heard)) model.off(event, listener); };
}

export default { render };
