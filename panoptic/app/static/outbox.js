// Decisions on their way to the data set: in order, kept over a reload, sent until they are there.
import { ask, hold, tab } from "./api.js";

const OF = "panoptic.outbox.";
const KEPT = OF + tab;
const pill = document.getElementById("saved");
let waiting = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
let sending = false;
const listeners = { done: () => {}, refused: () => {} };

export function listen(done, refused) {
  Object.assign(listeners, { done, refused });
  drain();
  adopt();
}

// What a page left behind that was closed before all of it was sent.
async function adopt() {
  for (const name of Object.keys(localStorage)) {
    if (!name.startsWith(OF) || name === KEPT || !(await hold(name.slice(OF.length), 0))) continue;
    const left = JSON.parse(localStorage.getItem(name) ?? "[]");
    waiting.push(...left);
    keep();
    localStorage.removeItem(name);
  }
  if (waiting.length) drain();
}

export const pending = () => waiting.length;

// `op` is a question of the review that changes something; it is answered to the listeners.
export function decide(op, asked) {
  waiting.push({ op, tab, request: crypto.randomUUID(), ...asked });
  keep();
  drain();
}

function keep() {
  if (waiting.length) localStorage.setItem(KEPT, JSON.stringify(waiting));
  else localStorage.removeItem(KEPT);
  pill.hidden = false;
  pill.textContent = waiting.length ? `saving ${waiting.length} …` : "saved";
  pill.dataset.waiting = waiting.length;
}

async function drain() {
  if (sending) return;
  sending = true;
  try {
    while (waiting.length) {
      const entry = waiting[0];
      let answer = null, error = null;
      try {
        answer = await ask(`review/${entry.op}`, entry);
      } catch (refused) {
        error = refused;
      }
      waiting.shift();
      if (answer) {
        // What was decided after this, on the same label, was decided on what this led to.
        for (const later of waiting) {
          if (later.key === answer.key && later.version === entry.version) later.version = answer.version;
        }
      }
      keep();
      if (answer) listeners.done(entry, answer);
      else listeners.refused(entry, error);
    }
  } finally {
    sending = false;
  }
}
