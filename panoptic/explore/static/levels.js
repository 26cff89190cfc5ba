// A level as a slider, a box to tick, or a field.
import { element } from "./lists.js";

// Levels of which all that matters lies in a part of what they can be.
const RANGES = {
  "regions.min_area": [0, 0.1, 0.001], "merge.min_stuff_area": [0, 0.1, 0.001],
  "regions.background": [0, 0.9, 0.01],
};

// A level with its name, its value and what changes it; `changed` has by key the values that differ
// from what was given, and `set(key, value)` is told of every move.
export function levelRow(level, changed, set) {
  const value = level.key in changed ? changed[level.key] : level.value;
  const out = element("output", { class: level.key in changed ? "changed" : "" }, shortly(value));
  const moved = (next) => {
    out.textContent = shortly(next);
    out.className = next === level.value ? "" : "changed";
    set(level.key, next);
  };
  const [group, name] = level.key.includes(".") ? level.key.split(".") : ["", level.key];
  return element("div", { class: "level", title: `${level.key}: ${level.reason}` },
    element("div", { class: "head" }, element("span", {}, element("small", {}, group.replaceAll("_", " "), " "), name.replaceAll("_", " ")), out), control(level, value, moved));
}

function control(level, value, set) {
  const attributes = { "aria-label": level.key, "data-level": level.key };
  if (level.kind === "true or false") {
    return element("input", { ...attributes, type: "checkbox", checked: value, onchange: (e) => set(e.target.checked) });
  }
  if (level.kind === "a number" && level.value <= 1) {
    const [min, max, step] = RANGES[level.key] ?? [0, 1, 0.01];
    const input = element("input", { ...attributes, type: "range", min, max: Math.max(max, level.value), step, value });
    input.addEventListener("input", () => set(+input.value));
    return input;
  }
  const empty = level.kind.endsWith("or null"), isText = level.kind.startsWith("text");
  return element("input", { ...attributes, type: isText ? "text" : "number", value: value ?? "",
    step: level.kind.startsWith("a whole") ? 1 : "any", placeholder: empty ? "as many as fit" : "",
    onchange: (e) => set(e.target.value === "" && empty ? null : isText ? e.target.value : +e.target.value) });
}

const shortly = (value) => (typeof value === "number" ? String(+value.toFixed(4)) : value === null ? "–" : typeof value === "boolean" ? "" : "");
