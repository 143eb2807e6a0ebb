// The histogram: bars by level over time; drag across it to look closer.

import { count, el, replace, say, svg } from "./dom.js";
import { millis, stamp, tick } from "./time.js";

export const LEVELS = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
const HEIGHT = 88;
const DRAG_PX_MIN = 4;

/** Draws timelines of the api into a node; `onRange` gets the two moments, in ms, that somebody drags between. */
export class Histogram {
  constructor(node, onRange) {
    this.node = node;
    this.onRange = onRange;
    this.read = el("p", { class: "readout dim" });
    this.plot = el("div", { class: "plot" });
    this.axis = el("div", { class: "axis dim", "aria-hidden": "true" });
    replace(node, this.read, this.plot, this.axis);
    this.plot.addEventListener("pointerdown", (event) => this.press(event));
    this.plot.addEventListener("pointermove", (event) => this.move(event));
    this.plot.addEventListener("pointerup", (event) => this.release(event));
    this.plot.addEventListener("pointercancel", () => this.cancel());
    this.plot.addEventListener("pointerleave", () => this.pressed === undefined && this.summarise());
    new ResizeObserver(() => this.timeline && this.draw()).observe(this.plot);
  }

  /** @param {any} timeline the answer of /api/histogram, null while it is awaited */
  show(timeline) {
    this.node.classList.toggle("waiting", !timeline);
    this.node.hidden = false;
    if (!timeline) return;
    this.timeline = timeline;
    this.from = millis(timeline.from);
    this.to = Math.max(millis(timeline.to), this.from + 1);
    this.draw();
    this.summarise();
  }

  /** Show nothing: there is no timeline to be had. */
  clear() {
    this.timeline = null;
    this.node.hidden = true;
  }

  draw() {
    const { buckets, step_seconds: step } = this.timeline;
    const width = this.plot.clientWidth || 600;
    const most = Math.max(1, ...buckets.map((bucket) => bucket.count));
    const wide = (width * step * 1000) / (this.to - this.from);
    const bars = buckets.map((bucket) => this.bar(bucket, most, width, wide));
    this.band = svg("rect", { class: "band", y: 0, height: HEIGHT, width: 0 });
    const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
    const name = `${count(total)} lines from ${stamp(this.timeline.from)} to ${stamp(this.timeline.to)}, at most ${count(most)} in ${step} s`;
    const drawing = svg("svg", { width, height: HEIGHT, role: "img", "aria-label": name }, bars, this.band);
    replace(this.plot, drawing, el("span", { class: "most dim" }, count(most)));
    this.ticks(width);
  }

  bar(bucket, most, width, wide) {
    const left = ((millis(bucket.start) - this.from) / (this.to - this.from)) * width;
    let top = HEIGHT;
    const parts = LEVELS.filter((level) => bucket.levels[level]).map((level) => {
      const tall = Math.max(1.5, (bucket.levels[level] / most) * (HEIGHT - 4));
      top -= tall;
      const x = Math.max(0, left) + 0.5;
      const across = Math.max(1, Math.min(left + wide, width) - Math.max(0, left) - (wide > 4 ? 1 : 0.2));
      return svg("rect", { class: `level-${level}`, x: x.toFixed(1), y: Math.max(0, top).toFixed(1), width: across.toFixed(1), height: tall.toFixed(1) });
    });
    return svg("g", {}, parts);
  }

  ticks(width) {
    const places = Math.max(2, Math.min(8, Math.floor(width / 130)));
    const span = this.to - this.from;
    const labels = Array.from({ length: places + 1 }, (_, at) =>
      el("span", {}, tick(new Date(this.from + (span * at) / places).toISOString(), span)));
    replace(this.axis, labels);
  }

  at(event) {
    const box = this.plot.getBoundingClientRect();
    return Math.min(box.width, Math.max(0, event.clientX - box.left));
  }

  time(x) {
    return this.from + ((this.to - this.from) * x) / (this.plot.clientWidth || 1);
  }

  press(event) {
    if (!this.timeline || event.button !== 0) return;
    this.pressed = this.at(event);
    this.plot.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (!this.timeline) return;
    const x = this.at(event);
    if (this.pressed === undefined) return void this.readOut(x);
    const [left, right] = [Math.min(x, this.pressed), Math.max(x, this.pressed)];
    this.band.setAttribute("x", String(left));
    this.band.setAttribute("width", String(right - left));
    this.read.textContent = `${stamp(iso(this.time(left)))} – ${stamp(iso(this.time(right)))}`;
  }

  release(event) {
    if (this.pressed === undefined) return;
    const [left, right] = [Math.min(this.at(event), this.pressed), Math.max(this.at(event), this.pressed)];
    this.cancel();
    if (right - left >= DRAG_PX_MIN) this.onRange(this.time(left), this.time(right));
  }

  cancel() {
    this.pressed = undefined;
    this.band?.setAttribute("width", "0");
  }

  readOut(x) {
    const step = this.timeline.step_seconds * 1000;
    const at = this.time(x);
    const bucket = this.timeline.buckets.find((one) => millis(one.start) <= at && at < millis(one.start) + step);
    const start = Math.floor(at / step) * step;
    this.read.replaceChildren(`${stamp(iso(start))} + ${span(step / 1000)}   ${count(bucket?.count ?? 0)} lines`, ...legend(bucket?.levels ?? {}));
  }

  summarise() {
    if (!this.timeline) return;
    const levels = {};
    let total = 0;
    for (const bucket of this.timeline.buckets) {
      total += bucket.count;
      for (const [level, number] of Object.entries(bucket.levels)) levels[level] = (levels[level] ?? 0) + number;
    }
    this.read.replaceChildren(el("b", {}, `${count(total)} lines`), ...legend(levels), el("span", { class: "grow" }), `a bar is ${span(this.timeline.step_seconds)}`);
    say(`${count(total)} lines`);
  }
}

function legend(levels) {
  return LEVELS.filter((level) => levels[level]).map((level) =>
    el("span", { class: "key" }, svg("svg", { class: "swatch", width: 8, height: 8, "aria-hidden": "true" }, svg("rect", { class: `level-${level}`, width: 8, height: 8 })),
      `${level} ${count(levels[level])}`));
}

function span(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${seconds / 60} min`;
  return seconds < 86_400 ? `${seconds / 3600} h` : `${Math.round(seconds / 86_400)} d`;
}

function iso(ms) {
  return new Date(ms).toISOString();
}
