// Talking to the app. It may be gone for a while: questions wait until it is back.

const gone = document.getElementById("gone");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Refused extends Error {
  constructor(status, answer) {
    super(answer.error ?? `the app answered ${status}`);
    this.status = status;
    this.stale = answer.stale ?? false;
  }
}

// Asks until there is an answer, all of it: a server that is killed breaks off within one.
async function answered(address, options, patient, read) {
  for (let tries = 0; ; tries++) {
    try {
      const response = await fetch(address, options);
      const content = response.ok ? await read(response) : await response.text();
      gone.hidden = true;
      if (response.ok) return content;
      throw new Refused(response.status, parsed(content));
    } catch (error) {
      if (error instanceof Refused || !patient) throw error;
      gone.hidden = false;
      await sleep(Math.min(100 + 100 * tries, 2000));
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

// A question that is asked again until it is answered. What changes something carries its own
// `request` id, so that asking twice does it once.
export function ask(name, asked = {}, { patient = true } = {}) {
  const options = { method: "POST", body: JSON.stringify(asked), headers: { "content-type": "application/json" } };
  return answered(name, options, patient, (response) => response.json());
}

export function bring(file) {
  const options = { method: "POST", body: file, headers: { "content-type": "application/octet-stream" } };
  return answered(`bring?name=${encodeURIComponent(file.name)}`, options, true, (response) => response.json());
}

export async function picture(name, asked) {
  const address = `${name}?${new URLSearchParams(asked)}`;
  return createImageBitmap(await answered(address, {}, true, (response) => response.blob()));
}

const message = document.getElementById("message");
message.querySelector("button").addEventListener("click", () => { message.hidden = true; });

export function tell(text) {
  message.querySelector("span").textContent = text;
  message.hidden = !text;
}

// The latest question wins: earlier ones that wait are dropped, one is under way at a time.
export function latest(work) {
  let waiting = null, busy = false;
  return async function run(...args) {
    waiting = args;
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const now = waiting;
        waiting = null;
        try {
          await work(...now);
        } catch (error) {
          if (!waiting) tell(error.message);
        }
      }
    } finally {
      busy = false;
    }
  };
}

// Whose decisions these are: this page's, over reloads, and not those of a copy of it.
const before = sessionStorage.getItem("panoptic.tab");
export const tab = before && (await hold(before, 500)) ? before : crypto.randomUUID();
if (tab !== before) await hold(tab, 500);
sessionStorage.setItem("panoptic.tab", tab);

// Whether nobody else has this name: it is held as long as the page is there. A page that is
// being left may still have it for a moment.
export function hold(name, patience) {
  return new Promise((told) => {
    const options = patience ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
    navigator.locks.request(`panoptic.${name}`, options, (lock) => {
      told(lock !== null);
      return lock && new Promise(() => {});
    }).catch(() => told(false));
  });
}
