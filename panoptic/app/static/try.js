// The tab Try: words and levels on one picture.
import { ask, bring, latest, picture, tell } from "./api.js";
import { levelRow } from "./levels.js";
import { element, inWords, showSegments } from "./lists.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(`try-${id}`);
const KEPT = "panoptic.try";
const NONE = "Choose a picture, or drop one here, and say what to look for.";
let stage, levels = [], changed = {}, frames = 1, started = false, shown = null;

export async function open() {
  if (started) return;
  started = true;
  stage = new Stage($("canvas"), { onhover: (s) => { told(s); mark(s); } });
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  const state = await ask("state");
  $("models").replaceChildren(...state.models.choices.map((m) =>
    element("option", { value: m.name }, m.here ? m.name : `${m.name} (not on this machine)`)));
  if (state.models.choices.some((m) => m.name === kept.models)) $("models").value = kept.models;
  $("command").disabled = !state.given.named;
  if (!state.given.named) $("command").title = "Start the app on a folder: panoptic app FOLDER";
  await listPictures(kept.picture);
  $("empty").textContent = "Loading the models …";
  try {
    await begin();
  } catch (error) { // others may be chosen
    tell(error.message);
    told("");
  }
  $("things").value = kept.things ?? $("things").value;
  $("stuff").value = kept.stuff ?? $("stuff").value;
  changed = Object.fromEntries(Object.entries(kept.changed ?? {}).filter(([key]) => levels.some((l) => l.key === key)));
  showLevels();
  wire();
  await choosePicture();
  followJob(state.job.running);
}

async function begin() {
  const start = await ask("try/start", { models: $("models").value });
  levels = start.levels;
  if (!$("things").value && !$("stuff").value) {
    $("things").value = start.things.join(", ");
    $("stuff").value = start.stuff.join(", ");
  }
}

async function listPictures(wanted) {
  const { pictures, more } = await ask("try/pictures");
  $("picture").replaceChildren(...pictures.map((p) =>
    element("option", { value: p.ref, "data-kind": p.kind }, p.name)));
  if (more) $("picture").append(element("option", { disabled: true }, "… and more"));
  if (pictures.some((p) => p.ref === wanted)) $("picture").value = wanted;
}

function wire() {
  let typing;
  for (const name of ["things", "stuff"]) {
    $(name).addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(label, 450); });
    $(name).addEventListener("change", () => { clearTimeout(typing); label(); });
  }
  $("picture").addEventListener("change", choosePicture);
  $("frame").addEventListener("input", () => { $("frame-out").textContent = $("frame").value; showPicture(); });
  $("models").addEventListener("change", async () => {
    told("Loading the models …");
    try { await begin(); tell(""); changed = {}; showLevels(); await showPicture(); } catch (error) { told(""); tell(error.message); }
  });
  $("reset").addEventListener("click", () => { changed = {}; showLevels(); label(); });
  $("bring").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => { if ($("file").files[0]) take($("file").files[0]); $("file").value = ""; });
  const box = stage.canvas.parentElement;
  box.addEventListener("dragover", (e) => { e.preventDefault(); box.classList.add("drop"); });
  box.addEventListener("dragleave", () => box.classList.remove("drop"));
  box.addEventListener("drop", (e) => {
    e.preventDefault();
    box.classList.remove("drop");
    if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]);
  });
  $("explain").addEventListener("click", explain);
  $("command").addEventListener("click", () => command(false));
}

async function take(file) {
  tell("");
  try {
    const brought = await bring(file);
    await listPictures(brought.ref);
    $("picture").value = brought.ref;
    await choosePicture();
  } catch (error) {
    tell(error.message);
  }
}

async function choosePicture() {
  const ref = $("picture").value;
  if (!ref) { $("empty").textContent = NONE; return; }
  const kind = $("picture").selectedOptions[0].dataset.kind;
  frames = 1;
  $("frame").value = 0;
  try {
    if (kind === "video") frames = (await ask("try/frames", { picture: ref })).frames;
  } catch (error) { tell(error.message); }
  $("frame-row").hidden = frames <= 1;
  $("frame").max = frames - 1;
  $("frame-out").textContent = "0";
  await showPicture();
}

const showPicture = latest(async () => {
  if (!$("picture").value) { $("empty").textContent = NONE; return; }
  const asked = { picture: $("picture").value, frame: +$("frame").value, models: $("models").value };
  $("steps").hidden = true;
  try {
    shown = await picture("try/picture", asked);
  } catch (error) {
    shown = null;
    stage.show(null, null);
    showSegments($("segments"), null);
    $("empty").hidden = false;
    $("empty").textContent = error.message;
    return;
  }
  $("empty").hidden = true;
  stage.show(shown, null);
  await label();
});

function asked() {
  return {
    picture: $("picture").value, frame: +$("frame").value, models: $("models").value,
    things: $("things").value, stuff: $("stuff").value, levels: changed,
  };
}

const label = latest(async () => {
  const now = asked();
  localStorage.setItem(KEPT, JSON.stringify({ ...now, changed, levels: undefined }));
  if (!shown || !(now.things.trim() || now.stuff.trim())) { told("Say what to look for."); return; }
  const start = performance.now();
  let answer;
  try {
    answer = await ask("try/label", now);
  } catch (error) {
    told("");
    tell(error.message);
    return;
  }
  tell("");
  stage.show(shown, answer.label);
  const took = performance.now() - start;
  $("time").textContent = `${took.toFixed(0)} ms`;
  $("time").dataset.ms = took.toFixed(1);
  document.getElementById("try").dataset.shown = JSON.stringify(now.levels);
  document.getElementById("try").dataset.words = `${now.things}; ${now.stuff}`;
  told(null);
  showSegments($("segments"), answer.label, { onhover: (s) => stage.hover(s) });
  $("lost").replaceChildren(...answer.lost.map((text) => element("li", {}, text)));
  $("lost-box").hidden = !answer.lost.length;
  if (!$("steps").hidden) await explain();
});

function told(what) {
  const count = stage.label?.segments.length ?? 0;
  if (typeof what === "string") $("told").textContent = what;
  else if (what) $("told").textContent = inWords(what);
  else $("told").textContent = stage.label ? `${count} ${count === 1 ? "segment" : "segments"}` : "";
}

function mark(segment) {
  for (const row of $("segments").children) row.classList.toggle("hover", row.dataset.id === String(segment?.id));
}

function showLevels() {
  const set = (key, value) => {
    const given = levels.find((l) => l.key === key).value;
    if (value === given) delete changed[key];
    else changed[key] = value;
    label();
  };
  const rows = (main) => levels.filter((l) => l.main === main).map((l) => levelRow(l, changed, set));
  $("levels").replaceChildren(...rows(true));
  $("more").replaceChildren(...rows(false));
}

async function explain() {
  try {
    const { steps, text } = await ask("try/explain", asked());
    $("steps").replaceChildren(...steps.map((step, i) => element("figure", {},
      element("img", { src: step.picture, alt: step.title, loading: "lazy" }),
      element("figcaption", {}, `${i + 1}. ${step.title}`))), element("pre", { class: "card" }, text));
    $("steps").hidden = false;
  } catch (error) { tell(error.message); }
}

async function command(start) {
  try {
    const answer = await ask("try/command", { ...asked(), start });
    showJob(answer.command, answer.job);
    if (start) followJob(true);
  } catch (error) { tell(error.message); }
}

function showJob(text, job) {
  const counts = job.counts, all = counts ? counts.done + counts.failed + counts.waiting : 0;
  const parts = [element("pre", {}, text ?? job.command ?? "")];
  if (job.running) {
    parts.push(element("progress", all ? { max: all, value: counts.done + counts.failed } : {}),
      element("p", { class: "quiet", id: "try-job-told" }, all ? `${counts.done} of ${all} labelled` : "starting …"));
  } else if (job.code !== null && job.command === text) {
    parts.push(element("p", { id: "try-job-told" }, job.code === 0 ? `Done: ${counts.done} labelled.` : `It ended with exit code ${job.code}.`));
    if (job.told && job.code !== 0) parts.push(element("pre", {}, job.told));
    if (counts?.done) parts.push(element("button", { onclick: () => { location.hash = "#review"; } }, "Review them"));
  } else {
    parts.push(element("div", { class: "row wrap" },
      element("button", { id: "try-start", onclick: () => command(true) }, "Start it"),
      element("button", { class: "plain", onclick: () => navigator.clipboard?.writeText(text) }, "Copy"),
      element("button", { class: "plain", onclick: () => { $("job").hidden = true; } }, "Close")));
  }
  $("job").replaceChildren(...parts);
  $("job").hidden = false;
}

async function followJob(running) {
  while (running) {
    const { job } = await ask("state");
    showJob(job.command, job);
    running = job.running;
    if (running) await new Promise((done) => setTimeout(done, 700));
  }
}

export function redraw() { stage?.paint(); stage?.draw(); if (stage?.label) showSegments($("segments"), stage.label, { onhover: (s) => stage.hover(s) }); }
