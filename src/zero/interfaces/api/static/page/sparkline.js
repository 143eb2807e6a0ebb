// A line of small bars: how often, over time.

import { svg } from "./dom.js";

const HEIGHT = 22;

/**
 * @param {number[]} counts
 * @param {{width?: number, name?: string, from?: number}} [options] bars before `from` are of another time and drawn paler
 */
export function sparkline(counts, { width = 120, name = "", from = 0 } = {}) {
  const most = Math.max(1, ...counts);
  const wide = width / Math.max(1, counts.length);
  const bars = counts.map((count, at) => {
    const tall = count ? Math.max(1.5, (count / most) * (HEIGHT - 1)) : 0.5;
    return svg("rect", { x: (at * wide).toFixed(1), y: (HEIGHT - tall).toFixed(1), width: Math.max(0.8, wide - 0.8).toFixed(1), height: tall.toFixed(1), class: count ? (at < from ? "before" : "") : "zero" });
  });
  return svg("svg", { class: "spark", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": name || "over time" }, bars);
}
