// A video in the tab Review: its frames, when each id is there, and what an edit changed.
import { ask, tell } from "./api.js";
import { css, wordColor } from "./palette.js";

const $ = (id) => document.getElementById(id);
const ROW = 18, HEAD = 16, NAMES = 104;

let hooks = null, item = null, rows = null, of = null, playing = null, busy = false;
let target = 0; // the frame that was asked for last: several may be on their way

export function start(given) {
  hooks = given;
  $("video-frame").addEventListener("input", () => go(+$("video-frame").value));
  $("video-play").addEventListener("click", play);
  $("video-propagate").addEventListener("click", propagate);
  $("video-changed").addEventListener("change", compare);
  const canvas = $("timeline");
  let held = false;
  const at = (e, pick) => {
    const { x, y } = place(e);
    if (x >= 0 && rows) go(Math.floor(x * rows.frames));
    if (pick && y >= 0 && rows?.rows[y]) { hooks.stage.select(rows.rows[y].id); }
  };
  canvas.addEventListener("pointerdown", (e) => { held = true; canvas.setPointerCapture(e.pointerId); at(e, true); });
  canvas.addEventListener("pointermove", (e) => { if (held) at(e, false); });
  canvas.addEventListener("pointerup", () => { held = false; });
  new ResizeObserver(draw).observe(canvas);
}

function go(frame) {
  target = Math.min(item.frames - 1, Math.max(0, frame));
  return hooks.go(target);
}

function place(e) {
  const box = $("timeline").getBoundingClientRect();
  return { x: (e.clientX - box.left - NAMES) / (box.width - NAMES - 8), y: Math.floor((e.clientY - box.top - HEAD) / ROW) };
}

export async function show(now) {
  if (now?.key !== item?.key) target = now?.frame ?? 0;
  item = now?.kind === "video" ? now : null;
  $("video").hidden = !item;
  if (!item) { stop(); of = null; return; }
  $("video-frame").max = item.frames - 1;
  $("video-frame").value = item.frame;
  $("video-frame-out").textContent = `${item.frame + 1} / ${item.frames}`;
  $("video").dataset.frame = item.frame;
  if (of !== `${item.key} ${item.version}`) await load();
  else draw();
  if ($("video-changed").checked) await compare();
}

async function load() {
  if (busy) return;
  busy = true;
  try {
    const { key, version } = item;
    rows = await ask("review/timeline", { key });
    of = `${key} ${version}`;
    const { corrected, changed } = rows;
    $("video").dataset.changed = JSON.stringify(changed);
    $("video-told").textContent = corrected.length
      ? `${corrected.length} of ${rows.frames} frames corrected; ${changed.length} by the latest edit` : "";
  } catch (error) {
    tell(error.message);
  } finally {
    busy = false;
  }
  draw();
}

export async function edited(answer) {
  $("video-propagate").disabled = false;
  if (!item || answer.key !== item.key) return;
  await load();
  if ($("video-changed").checked) await compare();
}

// The pixels that are another's than before the latest edit.
async function compare() {
  if (!item || !$("video-changed").checked) { hooks.stage.setBefore(null); return; }
  const { key, frame } = item;
  const { label } = await ask("review/before", { key, frame });
  if (item?.key !== key || item.frame !== frame) return;
  hooks.stage.setBefore(label);
  $("video-told").textContent = "yellow: got a segment, or another; pink: lost it";
}

function propagate() {
  if (!item) return;
  $("video-propagate").disabled = true;
  $("video-told").textContent = "Propagating …";
  hooks.edit({ edit: "propagate" });
}

export function failed() { $("video-propagate").disabled = false; if (of) load(); }

function draw() {
  const canvas = $("timeline"), ratio = devicePixelRatio || 1;
  if (!rows || !canvas.clientWidth) return;
  const wide = canvas.clientWidth, high = HEAD + ROW * rows.rows.length + 6;
  if (canvas.style.height !== `${high}px`) canvas.style.height = `${high}px`;
  canvas.width = wide * ratio;
  canvas.height = high * ratio;
  const c = canvas.getContext("2d");
  c.scale(ratio, ratio);
  const ink = getComputedStyle(document.body).color;
  const step = (wide - NAMES - 8) / rows.frames;
  const x = (frame) => NAMES + frame * step;
  c.fillStyle = "rgb(255 180 0 / .25)";
  for (const [first, last] of runs(rows.changed)) c.fillRect(x(first), 0, x(last + 1) - x(first), high);
  c.fillStyle = "#2f7fe0";
  for (const frame of rows.corrected) c.fillRect(x(frame), 3, Math.max(1.5, step - 1), 7);
  c.font = '11.5px system-ui, "DejaVu Sans", sans-serif';
  c.textBaseline = "middle";
  rows.rows.forEach((row, i) => {
    const top = HEAD + i * ROW;
    c.fillStyle = ink;
    c.globalAlpha = hooks.stage.selected === row.id ? 1 : 0.8;
    c.fillText(row.thing ? `${row.name} ${row.id}` : row.name, 8, top + ROW / 2, NAMES - 14);
    c.globalAlpha = 1;
    c.fillStyle = css(wordColor({ id: wordId(row.name), color: row.color }));
    for (const [first, last] of row.runs) {
      c.beginPath();
      c.roundRect(x(first), top + 3, Math.max(2, x(last + 1) - x(first) - 1), ROW - 6, 3);
      c.fill();
    }
  });
  if (item) {
    c.fillStyle = ink;
    c.fillRect(x(item.frame) + step / 2 - 1, 0, 2, high);
  }
}

const wordId = (name) => Number(document.querySelector(`#review-words [data-name="${CSS.escape(name)}"]`)?.dataset.word ?? 0);

function runs(frames) {
  const found = [];
  for (const frame of frames) {
    const last = found.at(-1);
    if (last && last[1] === frame - 1) last[1] = frame;
    else found.push([frame, frame]);
  }
  return found;
}

function play() {
  if (playing) { stop(); return; }
  $("video-play").textContent = "Pause";
  let due = true;
  playing = setInterval(async () => {
    if (!due || !item) return;
    due = false;
    await go((target + 1) % item.frames);
    due = true;
  }, 80);
}

function stop() {
  clearInterval(playing);
  playing = null;
  $("video-play").textContent = "Play";
}

export function key(e) {
  if (!item) return false;
  const by = { ArrowRight: 1, ArrowLeft: -1, ".": 1, ",": -1, PageDown: 10, PageUp: -10 }[e.key];
  if (by) go(target + by);
  else if (e.key === " ") play();
  else if (e.key.toLowerCase() === "g") propagate();
  else if (e.key.toLowerCase() === "v") {
    $("video-changed").checked = !$("video-changed").checked;
    compare();
  } else return false;
  return true;
}

export const redraw = draw;
