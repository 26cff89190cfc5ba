// Colours of segments: those of the words, or ones that colour-blind eyes tell apart.

// Okabe and Ito's set (2008), without black, and darker and lighter once more.
const SAFE = [
  [0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167],
  [86, 180, 233], [213, 94, 0], [240, 228, 66],
];

export const view = {
  safe: read("safe", false), outlines: read("outlines", true),
  names: read("names", true), opacity: read("opacity", 0.5),
};

function read(name, otherwise) {
  try {
    const kept = localStorage.getItem(`panoptic.view.${name}`);
    return kept === null ? otherwise : JSON.parse(kept);
  } catch { // some notebooks let nothing be kept
    return otherwise;
  }
}

export function keep(name, value) {
  view[name] = value;
  try {
    localStorage.setItem(`panoptic.view.${name}`, JSON.stringify(value));
  } catch { /* it lasts as long as the page */ }
}

export function wordColor(word) {
  if (!view.safe || !word.id) return word.color; // what no word names is grey
  const number = word.id - 1;
  return shade(SAFE[number % SAFE.length], Math.floor(number / SAFE.length) * 2);
}

// Things of one word get shades of its colour, as they may touch each other.
export function segmentColors(segments) {
  const seen = new Map();
  return segments.map((s) => {
    const number = seen.get(s.category) ?? 0;
    seen.set(s.category, number + 1);
    const base = wordColor({ id: s.category, color: s.color });
    return s.thing ? shade(base, number) : base;
  });
}

function shade([r, g, b], number) {
  const steps = [0, 0.28, -0.25, 0.45, -0.4];
  const step = steps[number % steps.length];
  const to = step > 0 ? 255 : 0, part = Math.abs(step);
  return [r, g, b].map((v) => Math.round(v + (to - v) * part));
}

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
