// The list of a label's segments, beside the picture.
import { css, segmentColors } from "./palette.js";

export const percent = (share) => (share >= 0.1 ? (100 * share).toFixed(0) : (100 * share).toFixed(1)) + " %";

// A segment as it is told of when it is pointed at.
export function inWords(segment) {
  return `${segment.thing ? `${segment.name} ${segment.id}` : segment.name}: ${percent(segment.share)} of the picture`
    + (segment.quality === null ? "" : `, quality ${segment.quality.toFixed(2)}`) + `, score ${segment.score.toFixed(2)}`;
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(made.style, value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export function swatch(color, thing) {
  return element("i", { class: thing ? "swatch" : "swatch stuff", style: { backgroundColor: css(color) } });
}

export function showSegments(list, label, { selected = null, onselect = null, onhover = () => {} } = {}) {
  const colors = label ? segmentColors(label.segments) : [];
  const rows = (label?.segments ?? []).map((s, i) => element("li", {
    "data-id": s.id, role: onselect ? "option" : null, "aria-selected": onselect ? String(s.id === selected) : null,
    title: `${s.name}: ${percent(s.share)} of the picture` + (s.quality === null ? "" : `, quality ${s.quality.toFixed(2)}`),
    onclick: () => onselect?.(s.id), onmouseenter: () => onhover(s), onmouseleave: () => onhover(null),
  }, swatch(colors[i], s.thing), element("span", { class: "name" }, s.thing ? `${s.name} ${s.id}` : s.name),
  element("span", { class: "value" }, s.quality === null ? percent(s.share) : s.quality.toFixed(2))));
  if (!rows.length) rows.push(element("li", { class: "quiet" }, "none"));
  list.replaceChildren(...rows);
}
