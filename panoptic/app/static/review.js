// The tab Review: labels judged by keys, and corrected by clicks, boxes and names.
import { ask, latest, picture, tab, tell } from "./api.js";
import { element, showSegments, swatch } from "./lists.js";
import { decide, listen } from "./outbox.js";
import { wordColor } from "./palette.js";
import { Stage } from "./stage.js";
import * as video from "./video.js";

const $ = (id) => document.getElementById(id);
const VERDICTS = { accept: "accepted", reject: "rejected", corrected: "corrected" };
const pictures = new Map(); // the latest few, by key and frame
const ahead = new Map(); // the label after the one that is shown, by key

let stage, words = [], items = [], more = false, current = null, boxWord = null, negative = false;
let digits = "", digitTimer = null, seen = 0, started = false, clicks = [];
let notice = null; // what there is to say once the next label is shown
let moving = false; // to a label that isn't seen yet, and so isn't judged

export async function open() {
  const begin = await ask("review/begin");
  $("review-empty").hidden = begin.there;
  if (!begin.there) {
    $("review-empty").textContent = "Nothing is labelled here yet: try words, then label the whole folder.";
    return;
  }
  words = begin.words;
  showWords();
  showCounts(begin.counts);
  if (started) {
    if (!items.length) await list(true); // a run may have labelled some since
    return;
  }
  started = true;
  seen = begin.now;
  stage = new Stage($("review-canvas"), { onpoint: clicked, onbox: boxed, onhover: pointed });
  video.start({ stage, go: (frame) => show(current.key, frame), edit, item: () => current });
  wire();
  listen(decided, refused);
  await list(true);
  watch();
}

// -- the queue --------------------------------------------------------------------------------

function filter() {
  const below = +$("filter-below").value;
  return {
    word: $("filter-word").value || null, below: below < 1 ? below : null,
    split: $("filter-split").value || null, verdict: $("filter-verdict").value || null,
  };
}

async function list(anew) {
  const answer = await ask("review/queue", { ...filter(), after: anew ? null : items.at(-1)?.key });
  items = anew ? answer.items : [...items, ...answer.items];
  more = answer.more;
  showCounts(answer.counts);
  showQueue();
  if (!anew) return;
  const wanted = decodeURIComponent(location.hash.split("/").slice(1).join("/"));
  if (items.some((i) => i.key === wanted)) await show(wanted);
  else if (items.length) await show(items[0].key);
  else nothing();
}

function nothing() {
  current = null;
  stage.show(null, null);
  $("item-name").textContent = "";
  $("item-quality").textContent = "";
  $("item-verdict").hidden = true;
  $("review-empty").hidden = false;
  $("review-empty").textContent = "No label is left by these filters.";
  showSegments($("review-segments"), null);
  video.show(null);
}

function showQueue() {
  $("queue").replaceChildren(...items.map((item) => element("li", {
    "data-key": item.key, "aria-current": String(item.key === current?.key), tabindex: -1, title: item.name,
    onclick: () => show(item.key),
  }, element("i", { class: `dot ${item.verdict ?? ""}` }),
  element("span", { class: "name" }, (item.kind === "video" ? "▶ " : "") + item.name),
  element("span", { class: "value" }, item.quality === null ? "–" : item.quality.toFixed(2)))));
  $("queue").querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
}

function showCounts(counts) {
  const all = Object.values(counts).reduce((sum, n) => sum + n, 0);
  $("queue-told").textContent = `${all - counts.none} of ${all} decided: ${counts.accept} accepted, `
    + `${counts.corrected} corrected, ${counts.reject} rejected`;
  const on = Object.entries(filter()).filter(([name, v]) => v !== null && !(name === "verdict" && v === "none"));
  $("filter-told").textContent = on.map(([name, v]) => (name === "below" ? `quality < ${v}` : v)).join(", ");
}

// -- one label --------------------------------------------------------------------------------

const show = latest(async (key, frame = 0) => {
  let item;
  try {
    item = await itemOf(key, frame);
  } catch (error) {
    moving = false;
    throw error;
  }
  let bitmap = null;
  try {
    bitmap = await pictureOf(key, frame);
  } catch (error) {
    tell(error.message);
  }
  take(item, bitmap);
  const next = items[items.findIndex((i) => i.key === key) + 1];
  if (next) {
    pictureOf(next.key, 0).catch(() => {});
    ahead.clear();
    ahead.set(next.key, ask("review/item", { key: next.key, frame: 0 }));
    ahead.get(next.key).catch(() => ahead.delete(next.key));
  }
});

// A label; the one that was asked for ahead is taken as it was, and whoever has changed it since is
// told apart by its version.
function itemOf(key, frame) {
  const known = frame === 0 ? ahead.get(key) : undefined;
  ahead.delete(key);
  return known ?? ask("review/item", { key, frame });
}

async function pictureOf(key, frame) {
  const name = `${frame} ${key}`;
  if (!pictures.has(name)) {
    pictures.set(name, picture("review/picture", { key, frame }));
    while (pictures.size > 24) pictures.delete(pictures.keys().next().value);
  }
  try {
    return await pictures.get(name);
  } catch (error) {
    pictures.delete(name);
    throw error;
  }
}

function take(item, bitmap) {
  const other = item.key !== current?.key;
  if (other || item.frame !== current.frame) { clicks = []; stage.setBefore(null); }
  current = item;
  moving = false;
  item.label.ids = item.kind === "video"; // there they last, so names carry them
  if (other) {
    stage.selected = null;
    history.replaceState(null, "", `#review/${encodeURIComponent(item.key)}`);
    $("conflict").hidden = true;
  }
  $("review-empty").hidden = true;
  stage.show(bitmap, item.label);
  stage.marks = clicks;
  showItem();
  notice = null;
  showQueue();
  video.show(item);
}

function showItem() {
  $("item-name").textContent = current.name;
  const verdict = $("item-verdict");
  verdict.hidden = !current.verdict;
  verdict.className = `pill ${current.verdict ?? ""}`;
  verdict.textContent = VERDICTS[current.verdict] ?? "";
  $("item-quality").textContent = (current.quality === null ? "" : `quality ${current.quality.toFixed(2)} · `) + current.split;
  $("review").dataset.key = current.key;
  showSegments($("review-segments"), current.label, {
    selected: stage.selected, onselect: (id) => select(id), onhover: (s) => stage.hover(s),
  });
  advise(notice);
}

function select(id) {
  if (id !== stage.selected) { clicks = []; stage.marks = []; }
  stage.select(id);
  for (const row of $("review-segments").children) row.setAttribute("aria-selected", String(row.dataset.id === String(id)));
  $("review-segments").querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  advise();
}

const chosen = () => current?.label.segments.find((s) => s.id === stage.selected) ?? null;
const called = (s) => (s.thing ? `${s.name} ${s.id}` : s.name);

function advise(text = null) {
  const s = chosen();
  $("review-told").textContent = text ?? (stage.boxing
    ? `Drag a box around what is missing: ${words.find((w) => w.id === boxWord)?.name ?? "choose a word"}`
    : s ? `${called(s)}: click adds what belongs to it, right click takes away; a number gives another word`
      : "Click a segment, or Tab, to choose it");
  $("do-delete").disabled = !s;
  $("do-box").setAttribute("aria-pressed", String(stage.boxing));
  $("do-negative").setAttribute("aria-pressed", String(negative));
  stage.canvas.parentElement.classList.toggle("negative", negative || stage.boxing);
}

function pointed(s) {
  for (const row of $("review-segments").children) row.classList.toggle("hover", row.dataset.id === String(s?.id));
  if (s) advise(called(s) + (s.quality === null ? "" : `, quality ${s.quality.toFixed(2)}`));
  else advise();
}

function showWords() {
  $("review-words").replaceChildren(...words.map((w, i) => element("li", {
    "data-word": w.id, "data-name": w.name, "aria-selected": String(w.id === boxWord), title: w.thing ? "thing" : "stuff",
    onclick: () => choose(w),
  }, element("kbd", {}, String(i + 1)), swatch(wordColor(w), w.thing), element("span", { class: "name" }, w.name))));
  const kept = $("filter-word").value;
  $("filter-word").replaceChildren(element("option", { value: "" }, "any"), ...words.map((w) => element("option", {}, w.name)));
  $("filter-word").value = kept;
}

// -- deciding ---------------------------------------------------------------------------------

function judge(verdict) {
  if (!current || moving) return;
  decide("verdict", { key: current.key, verdict, version: current.version });
  const entry = items.find((i) => i.key === current.key);
  if (entry) entry.verdict = verdict === "accept" && entry.verdict === "corrected" ? "corrected" : verdict;
  step(1);
}

async function step(by) {
  if (!current || moving) return;
  moving = true;
  const at = items.findIndex((i) => i.key === current.key);
  if (by > 0 && at + by >= items.length - 5 && more) await list(false);
  const next = items[at + by];
  if (next) await show(next.key);
  else { moving = false; showQueue(); advise(by > 0 ? "That was the last one here." : "This is the first one."); }
}

function edit(change) {
  if (!current || moving) return;
  decide("edit", { key: current.key, frame: current.frame, version: current.version, edit: change });
}

function clicked([x, y], { negative: other }) {
  if (!current) return;
  const under = stage.at([x, y]);
  if (stage.selected === null) {
    if (under) select(under.id);
    else advise("Nothing is labelled here: B, then drag a box");
    return;
  }
  const positive = !(negative || other);
  clicks.push({ x: Math.floor(x), y: Math.floor(y), positive });
  stage.marks = clicks;
  stage.draw();
  advise("…");
  edit({ edit: "click", segment: stage.selected, x: Math.floor(x), y: Math.floor(y), positive });
}

function boxed(box) {
  if (boxWord === null) { advise("Choose a word first, by its number"); return; }
  stage.boxing = false;
  advise("…");
  edit({ edit: "box", box: box.map((v) => Math.round(v)), word: boxWord });
}

function choose(word) {
  const s = chosen();
  if (s && !stage.boxing) {
    if (s.category !== word.id) edit({ edit: "relabel", segment: s.id, word: word.id });
    return;
  }
  boxWord = word.id;
  showWords();
  advise();
}

function remove() {
  const s = chosen();
  if (!s) return;
  stage.selected = null;
  edit({ edit: "delete", segment: s.id });
}

function decided(entry, answer) {
  ahead.delete(answer.key);
  showCounts(answer.counts);
  const listed = items.find((i) => i.key === answer.key);
  if (listed) listed.verdict = answer.verdict;
  if (entry.op === "undo") {
    clicks = [];
    if (!listed) items.unshift({ key: answer.key, name: answer.key, kind: "image", quality: null, verdict: answer.verdict });
    notice = `Undone: ${inWords(answer.what)}`;
    show(answer.key, answer.key === current?.key ? current.frame : answer.what.frame ?? 0);
    return;
  }
  if (answer.key !== current?.key) { showQueue(); return; }
  current.version = answer.version;
  current.verdict = answer.verdict;
  if (entry.op === "edit") {
    if (answer.frame === current.frame) {
      current.label = answer.label;
      answer.label.ids = current.kind === "video";
      stage.setLabel(answer.label);
      if (entry.edit.edit === "box") select(answer.label.segments.at(-1)?.id ?? null);
      if (entry.edit.edit !== "click") { clicks = []; stage.marks = []; }
    }
    video.edited(answer);
  }
  showItem();
  showQueue();
}

function inWords(what) {
  if (what.edit) return { click: "a click", box: "a box", relabel: "another word", delete: "a deletion", propagate: "propagating" }[what.edit];
  return what.verdict === null ? "a verdict taken back" : VERDICTS[what.verdict] ?? "";
}

async function refused(entry, error) {
  if (entry.op === "edit") { clicks = []; stage.marks = []; }
  video.failed();
  ahead.delete(entry.key);
  const item = entry.key ? await ask("review/item", { key: entry.key, frame: entry.frame ?? 0 }).catch(() => null) : null;
  const listed = items.find((i) => i.key === entry.key);
  if (listed && item) listed.verdict = item.verdict;
  showQueue();
  if (!error.stale) {
    tell(error.message);
    if (item && entry.key === current?.key) await show(entry.key, current.frame);
    return;
  }
  const says = item?.verdict ? `It is ${VERDICTS[item.verdict]} now.` : "It has no verdict now.";
  const yours = entry.op === "verdict" ? VERDICTS[entry.verdict] : inWords(entry.edit ?? {});
  const bar = $("conflict");
  bar.replaceChildren(element("span", {}, entry.op === "undo" ? error.message
    : `${item?.name ?? entry.key} was changed in another page. ${says} Yours (${yours}) was not taken.`),
  ...(entry.key ? [element("button", { onclick: () => { bar.hidden = true; show(entry.key); } }, "Look at it")] : []),
  ...(entry.op === "verdict" ? [element("button", { onclick: () => {
    bar.hidden = true;
    decide("verdict", { key: entry.key, verdict: entry.verdict, version: item?.version });
  } }, `${entry.verdict === "accept" ? "Accept" : "Reject"} it all the same`)] : []),
  element("button", { class: "plain", onclick: () => { bar.hidden = true; } }, "Leave it"));
  bar.hidden = false;
  if (entry.key === current?.key) await show(entry.key, current.frame);
  bar.hidden = false;
}

// What other pages decide shows here, too.
async function watch() {
  for (;;) {
    await new Promise((done) => setTimeout(done, 2500));
    if (document.hidden || document.body.dataset.tab !== "review") continue;
    try {
      const news = await ask("review/since", { time: seen }, { patient: false });
      seen = news.now;
      const others = news.decided.filter((d) => d.by !== tab);
      if (!others.length) continue;
      showCounts(news.counts);
      for (const d of others) {
        ahead.delete(d.key);
        const listed = items.find((i) => i.key === d.key);
        if (listed) listed.verdict = d.verdict;
      }
      showQueue();
      const mine = others.findLast((d) => d.key === current?.key);
      if (mine && mine.version !== current.version) { await show(current.key, current.frame); advise("Changed in another page just now"); }
    } catch { /* it is told elsewhere that the app is gone */ }
  }
}

// -- keys and buttons -------------------------------------------------------------------------

function wire() {
  const buttons = {
    "do-accept": () => judge("accept"), "do-reject": () => judge("reject"), "do-skip": () => step(1),
    "do-next": () => step(1), "do-undo": () => decide("undo", {}), "do-delete": remove,
    "do-box": box, "do-negative": () => { negative = !negative; advise(); },
  };
  for (const [id, work] of Object.entries(buttons)) {
    $(id).addEventListener("click", () => { work(); stage.canvas.focus({ preventScroll: true }); });
  }
  for (const id of ["filter-word", "filter-split", "filter-verdict"]) $(id).addEventListener("change", () => list(true));
  let sliding;
  $("filter-below").addEventListener("input", () => {
    $("filter-below-out").textContent = (+$("filter-below").value).toFixed(2);
    clearTimeout(sliding);
    sliding = setTimeout(() => list(true), 250);
  });
  addEventListener("keyup", (e) => { if (e.key.toLowerCase() === "h") { stage.bare = false; stage.draw(); } });
}

function box() {
  stage.boxing = !stage.boxing;
  if (stage.boxing && boxWord === null) boxWord = chosen()?.category ?? words.find((w) => w.thing)?.id ?? words[0]?.id ?? null;
  showWords();
  advise();
}

function nextSegment(by) {
  const order = [...(current?.label.segments ?? [])].sort((a, b) => (a.quality ?? 2) - (b.quality ?? 2));
  if (!order.length) return;
  const at = order.findIndex((s) => s.id === stage.selected);
  select(order[(at < 0 ? (by > 0 ? 0 : order.length - 1) : at + by + order.length) % order.length].id);
}

function digit(key) {
  digits += key;
  clearTimeout(digitTimer);
  const use = () => {
    const word = words[+digits - 1];
    digits = "";
    if (word) choose(word);
    else advise("There is no word of this number");
  };
  if (+digits * 10 > words.length) use();
  else { advise(`Word ${digits} …`); digitTimer = setTimeout(use, 600); }
}

export function key(e) {
  if (!started) return;
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "z") { e.preventDefault(); decide("undo", {}); return; }
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (/^[0-9]$/.test(e.key) && (e.key !== "0" || digits)) { digit(e.key); return; }
  if (video.key(e)) { e.preventDefault(); return; }
  const onPage = !e.target.closest("button, input, summary, li");
  const work = {
    a: () => judge("accept"), r: () => judge("reject"), x: () => judge("reject"), s: () => step(1), n: () => step(1),
    p: () => step(-1), arrowright: () => step(1), arrowleft: () => step(-1), u: () => decide("undo", {}),
    b: box, d: remove, delete: remove, backspace: remove, e: () => { negative = !negative; advise(); },
    h: () => { stage.bare = true; stage.draw(); },
    "+": () => stage.enlarge(1.25), "=": () => stage.enlarge(1.25), "-": () => stage.enlarge(0.8), 0: () => stage.whole(),
    "]": () => nextSegment(1), "[": () => nextSegment(-1),
    escape: () => { stage.boxing = false; negative = false; select(null); },
    ...(onPage ? { tab: () => nextSegment(e.shiftKey ? -1 : 1) } : {}),
  }[e.key.toLowerCase()];
  if (!work || e.target.matches("input[type=range]") && e.key.startsWith("Arrow")) return;
  e.preventDefault();
  work();
}

export function redraw() {
  if (!stage) return;
  stage.paint();
  stage.draw();
  if (current) showItem();
  showWords();
  video.redraw();
}
