// A picture with its label on a canvas: colours, outlines, names, zoom, and what is pointed at.
import { css, segmentColors, view } from "./palette.js";

export class Stage {
  // `zooms` says of a turn of the wheel whether it is meant for the picture, and not for the page.
  constructor(canvas, { onpoint = () => {}, onhover = () => {}, onbox = null, zooms = () => true } = {}) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.picture = null;
    this.label = null;
    this.map = null;
    this.before = null;
    this.selected = null;
    this.hovered = null;
    this.marks = [];
    this.boxing = false;
    this.bare = false;
    this.zoom = 1;
    this.shift = [0, 0];
    this.drag = null;
    this.events = { onpoint, onhover, onbox };
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointermove", (e) => this.moved(e));
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("pointerdown", (e) => this.pressed(e));
    canvas.addEventListener("pointerup", (e) => this.released(e));
    canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    canvas.addEventListener("wheel", (e) => {
      if (!zooms(e)) return;
      e.preventDefault();
      this.enlarge(e.deltaY < 0 ? 1.15 : 1 / 1.15, this.inCanvas(e));
    }, { passive: false });
  }

  // What is shown. A new picture begins unenlarged.
  show(picture, label) {
    if (picture !== this.picture) { this.zoom = 1; this.shift = [0, 0]; }
    this.picture = picture;
    this.setLabel(label);
  }

  setLabel(label) {
    this.label = label;
    this.map = label ? decode(label) : null;
    if (!label?.segments.some((s) => s.id === this.selected)) this.selected = null;
    this.paint();
    this.draw();
  }

  setBefore(label) {
    this.before = label ? decode(label) : null;
    this.paint();
    this.draw();
  }

  select(id) {
    this.selected = id;
    this.paint();
    this.draw();
  }

  // The colours, once for each label and look.
  paint() {
    if (!this.label) { this.overlay = null; return; }
    const [height, width] = this.label.view;
    const colors = segmentColors(this.label.segments);
    this.colors = colors;
    const overlay = new OffscreenCanvas(width, height);
    const context = overlay.getContext("2d");
    const image = context.createImageData(width, height);
    const data = new Uint32Array(image.data.buffer);
    const chosen = this.label.segments.findIndex((s) => s.id === this.selected) + 1;
    const { segments } = this.label;
    const fill = [0], line = [0], hatch = [0];
    segments.forEach((s, i) => {
      const [r, g, b] = colors[i];
      const strength = view.opacity * (s.thing ? 1 : 0.8) * (chosen && chosen !== i + 1 ? 0.35 : 1);
      fill.push(rgba(r, g, b, strength));
      // Stuff is hatched for colour-blind eyes, so that not all hangs on colours.
      hatch.push(view.safe && !s.thing ? rgba(r, g, b, strength * 0.45) : fill[i + 1]);
      line.push(chosen === i + 1 ? rgba(255, 255, 255, 1) : rgba(r * 0.6, g * 0.6, b * 0.6, chosen ? 0.4 : 0.95));
    });
    const { map, before } = this;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const value = map[at];
        if (before) {
          if (before.ids[before[at]] === map.ids[value]) continue;
          data[at] = value ? rgba(255, 196, 0, 0.75) : rgba(230, 60, 160, 0.75);
          continue;
        }
        const edge = view.outlines && value && (
          (x + 1 < width && map[at + 1] !== value) || (y + 1 < height && map[at + width] !== value) ||
          (x > 0 && map[at - 1] !== value) || (y > 0 && map[at - width] !== value));
        data[at] = edge ? line[value] : (x + y) % 12 < 4 ? hatch[value] : fill[value];
      }
    }
    context.putImageData(image, 0, 0);
    this.overlay = overlay;
  }

  draw() {
    const { canvas, context } = this;
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!wide || !high) return;
    if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, high);
    if (!this.picture && !this.label) return;
    const [x, y, scale] = this.place(ratio);
    const [w, h] = [this.width() * scale, this.height() * scale];
    context.imageSmoothingEnabled = scale < 3;
    if (this.picture) context.drawImage(this.picture, x, y, w, h); // else it is gone, and that is told
    if (!this.label || this.bare) return;
    context.drawImage(this.overlay, x, y, w, h);
    if (this.hovered) this.outlineHovered(x, y, w, h);
    if (view.names && !this.before) this.writeNames(x, y, scale, ratio);
    for (const mark of this.marks) {
      context.beginPath();
      context.arc(x + (mark.x + 0.5) * scale, y + (mark.y + 0.5) * scale, 6 * ratio, 0, 7);
      context.fillStyle = mark.positive ? "#fff" : "#111";
      context.strokeStyle = mark.positive ? "#111" : "#fff";
      context.lineWidth = 2 * ratio;
      context.fill();
      context.stroke();
      context.fillStyle = context.strokeStyle;
      context.font = `bold ${11 * ratio}px system-ui, sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(mark.positive ? "+" : "–", x + (mark.x + 0.5) * scale, y + (mark.y + 0.5) * scale);
    }
    if (this.drag?.box) {
      const [a, b] = [this.drag.from, this.drag.to];
      context.setLineDash([6 * ratio, 4 * ratio]);
      context.strokeStyle = "#fff";
      context.lineWidth = 2 * ratio;
      context.strokeRect(x + Math.min(a[0], b[0]) * scale, y + Math.min(a[1], b[1]) * scale,
        Math.abs(a[0] - b[0]) * scale, Math.abs(a[1] - b[1]) * scale);
      context.setLineDash([]);
    }
  }

  outlineHovered(x, y, w, h) {
    if (this.glow?.of !== this.hovered.id || this.glow.map !== this.map) {
      const [height, width] = this.label.view;
      const canvas = new OffscreenCanvas(width, height);
      const image = canvas.getContext("2d").createImageData(width, height);
      const data = new Uint32Array(image.data.buffer);
      const place = this.label.segments.indexOf(this.hovered) + 1;
      this.map.forEach((value, at) => { if (value === place) data[at] = rgba(255, 255, 255, 0.28); });
      canvas.getContext("2d").putImageData(image, 0, 0);
      this.glow = { of: this.hovered.id, map: this.map, canvas };
    }
    this.context.drawImage(this.glow.canvas, x, y, w, h);
  }

  writeNames(x, y, scale, ratio) {
    const { context } = this;
    const taken = [];
    context.font = `${12 * ratio}px system-ui, "DejaVu Sans", sans-serif`;
    context.textBaseline = "middle";
    context.textAlign = "left";
    const shown = this.label.segments.map((s, i) => [s, i]).sort((a, b) => b[0].share - a[0].share);
    for (const [s, i] of shown) {
      const told = s.thing && this.label.ids ? `${s.name} ${s.id}` : s.name;
      const [px, py] = this.middle(i + 1) ?? [(s.box[0] + s.box[2]) / 2, (s.box[1] + s.box[3]) / 2];
      const wide = context.measureText(told).width + 12 * ratio, high = 20 * ratio;
      const within = (at, size, most) => Math.max(2, Math.min(at - size / 2, most - size - 2));
      const left = within(x + px * scale, wide, this.canvas.width);
      const top = within(y + py * scale, high, this.canvas.height);
      if (taken.some((t) => left < t[2] && left + wide > t[0] && top < t[3] && top + high > t[1])) continue;
      taken.push([left, top, left + wide, top + high]);
      context.fillStyle = "rgb(16 19 26 / .78)";
      context.beginPath();
      context.roundRect(left, top, wide, high, 5 * ratio);
      context.fill();
      context.fillStyle = css(this.colors[i]);
      context.fillRect(left, top + 4 * ratio, 3 * ratio, high - 8 * ratio);
      context.fillStyle = "#fff";
      context.fillText(told, left + 7 * ratio, top + high / 2);
    }
  }

  // A point well inside a segment, in pixels of the picture: the middle of its longest run.
  middle(place) {
    if (this.middles?.map !== this.map) this.middles = { map: this.map, at: longestRuns(this.map, this.label.view) };
    const at = this.middles.at.get(place);
    if (!at) return null;
    return [(at[0] * this.width()) / this.label.view[1], (at[1] * this.height()) / this.label.view[0]];
  }

  width() { return this.label?.size[1] ?? this.picture.width; }
  height() { return this.label?.size[0] ?? this.picture.height; }

  // Where the picture's corner is in the canvas, and pixels of the canvas for one of the picture.
  place(ratio = devicePixelRatio || 1) {
    const fit = Math.min(this.canvas.width / this.width(), this.canvas.height / this.height());
    const scale = fit * this.zoom;
    return [
      (this.canvas.width - this.width() * scale) / 2 + this.shift[0] * ratio,
      (this.canvas.height - this.height() * scale) / 2 + this.shift[1] * ratio, scale,
    ];
  }

  inCanvas(event) {
    const rect = this.canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    return [(event.clientX - rect.left) * ratio, (event.clientY - rect.top) * ratio];
  }

  // The pixel of the picture that is pointed at, null outside.
  pixel(event, clip = false) {
    if (!this.picture && !this.label) return null;
    const [cx, cy] = this.inCanvas(event), [x, y, scale] = this.place();
    let [px, py] = [(cx - x) / scale, (cy - y) / scale];
    if (clip) return [Math.min(Math.max(px, 0), this.width()), Math.min(Math.max(py, 0), this.height())];
    return px < 0 || py < 0 || px >= this.width() || py >= this.height() ? null : [px, py];
  }

  // The segment at a pixel of the picture.
  at([x, y]) {
    if (!this.map) return null;
    const [height, width] = this.label.view;
    const column = Math.min(width - 1, Math.floor((x * width) / this.width()));
    const row = Math.min(height - 1, Math.floor((y * height) / this.height()));
    return this.label.segments[this.map[row * width + column] - 1] ?? null;
  }

  enlarge(factor, around = [this.canvas.width / 2, this.canvas.height / 2]) {
    const ratio = devicePixelRatio || 1;
    const [x, y, scale] = this.place();
    const zoom = Math.min(Math.max(this.zoom * factor, 1), 24);
    const real = zoom / this.zoom;
    this.zoom = zoom;
    const [nx, ny] = this.place();
    this.shift[0] += (around[0] - (around[0] - x) * real - nx) / ratio;
    this.shift[1] += (around[1] - (around[1] - y) * real - ny) / ratio;
    if (zoom === 1) this.shift = [0, 0];
    this.draw();
  }

  whole() { this.zoom = 1; this.shift = [0, 0]; this.draw(); }

  hover(segment) {
    if (segment === this.hovered) return;
    this.hovered = segment;
    this.events.onhover(segment);
    this.draw();
  }

  moved(event) {
    if (this.drag) {
      if (this.drag.box) this.drag.to = this.pixel(event, true);
      else {
        const step = [event.clientX - this.drag.last[0], event.clientY - this.drag.last[1]];
        this.drag.far ||= Math.hypot(event.clientX - this.drag.start[0], event.clientY - this.drag.start[1]) > 4;
        if (this.drag.far && this.zoom > 1) { this.shift[0] += step[0]; this.shift[1] += step[1]; }
        this.drag.last = [event.clientX, event.clientY];
      }
      this.draw();
      return;
    }
    const pixel = this.pixel(event);
    this.hover(pixel ? this.at(pixel) : null);
  }

  pressed(event) {
    if (!this.picture && !this.label) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const start = [event.clientX, event.clientY];
    if (this.boxing && event.button === 0) {
      const from = this.pixel(event, true);
      this.drag = { box: true, from, to: from, start, last: start };
    } else this.drag = { start, last: start, far: false };
  }

  released(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (drag.box) {
      const [a, b] = [drag.from, this.pixel(event, true)];
      const box = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
      if (box[2] - box[0] >= 2 && box[3] - box[1] >= 2) this.events.onbox?.(box);
    } else if (!drag.far) {
      const pixel = this.pixel(event);
      if (pixel) this.events.onpoint(pixel, { negative: event.button === 2 || event.shiftKey });
    }
    this.draw();
  }
}

function rgba(r, g, b, alpha) {
  return ((Math.round(alpha * 255) << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

function decode(label) {
  const map = new Uint16Array(label.view[0] * label.view[1]);
  for (let i = 0, at = 0; i < label.runs.length; i += 2) {
    map.fill(label.runs[i], at, at + label.runs[i + 1]);
    at += label.runs[i + 1];
  }
  map.ids = [0, ...label.segments.map((s) => s.id)];
  return map;
}

// For each segment the run of its pixels that is long and has its own above and below it.
function longestRuns(map, [height, width]) {
  const best = new Map();
  const step = Math.max(1, Math.floor(height / 120));
  const deep = Math.max(2, Math.floor(height / 60));
  for (let y = 0; y < height; y += step) {
    for (let x = 0, start = 0; x <= width; x++) {
      const value = map[y * width + start];
      if (x < width && map[y * width + x] === value) continue;
      if (value) {
        const middle = (start + x) >> 1;
        const inside = [y - deep, y + deep].filter((row) => row >= 0 && row < height && map[row * width + middle] === value).length;
        const length = (x - start) * (1 + inside);
        if (length > (best.get(value)?.[2] ?? 0)) best.set(value, [middle, y, length]);
      }
      start = x;
    }
  }
  return best;
}
