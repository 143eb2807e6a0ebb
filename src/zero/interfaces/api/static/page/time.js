// Time: ranges and clocks.

export const RANGES = [
  ["-5m", "Last 5 minutes"],
  ["-15m", "Last 15 minutes"],
  ["-1h", "Last hour"],
  ["-6h", "Last 6 hours"],
  ["-24h", "Last 24 hours"],
  ["-7d", "Last 7 days"],
  ["-30d", "Last 30 days"],
  ["all", "All time"],
];
export const RANGE = "-24h";
const UTC = "zero.utc";
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

export const clock = {
  utc: () => localStorage.getItem(UTC) === "1",
  turn: () => localStorage.setItem(UTC, clock.utc() ? "0" : "1"),
};

/** @returns {{from?: string, to?: string}} what the api is asked for */
export function bounds({ from = RANGE, to = "" }) {
  return { from: from === "all" ? undefined : from, to: to || undefined };
}

/** @returns {string} the range in words */
export function rangeText({ from = RANGE, to = "" }) {
  const preset = RANGES.find(([value]) => value === from);
  if (preset && !to) return preset[1];
  if (/^-\d/.test(from) && !to) return `Last ${from.slice(1)}`;
  const [start, end] = [from === "all" ? "" : from, to];
  if (start && end) {
    const sameDay = day(start) === day(end);
    return `${stamp(start)} – ${sameDay ? stamp(end).slice(-8) : stamp(end)}`;
  }
  return start ? `Since ${stamp(start)}` : `Until ${stamp(end)}`;
}

/** @returns {number} Unix milliseconds of an RFC 3339 time, a relative one, or a number of ns */
export function millis(text) {
  const relative = /^(?:now)?-(\d+)([smhdw])$/.exec(text);
  if (relative) return Date.now() - Number(relative[1]) * UNIT_MS[relative[2]];
  if (text === "now") return Date.now();
  if (/^\d{17,}$/.test(text)) return Number(BigInt(text) / 1_000_000n);
  return Date.parse(text.replace(/(\.\d{3})\d+/, "$1"));
}

const pad = (number, digits = 2) => String(number).padStart(digits, "0");

function parts(text) {
  const at = new Date(millis(text));
  if (Number.isNaN(at.getTime())) return null;
  const read = (name) => (clock.utc() ? at[`getUTC${name}`]() : at[`get${name}`]());
  return {
    date: `${read("FullYear")}-${pad(read("Month") + 1)}-${pad(read("Date"))}`,
    time: `${pad(read("Hours"))}:${pad(read("Minutes"))}:${pad(read("Seconds"))}`,
    ms: pad(read("Milliseconds"), 3),
  };
}

function day(text) {
  return parts(text)?.date;
}

/** @returns {string} 2026-11-22 10:00:00 */
export function stamp(text) {
  const at = parts(text);
  return at ? `${at.date} ${at.time}` : text;
}

/** @returns {[string, string]} the day, empty when it is today, and the time with milliseconds */
export function moment(text) {
  const at = parts(text);
  if (!at) return ["", text];
  return [at.date === day(new Date().toISOString()) ? "" : at.date.slice(5), `${at.time}.${at.ms}`];
}

/** @returns {string} a label under an axis whose steps are that long */
export function tick(text, spanMs) {
  const at = parts(text);
  if (!at) return text;
  if (spanMs > 3 * UNIT_MS.d) return at.date.slice(5);
  return spanMs > 10 * UNIT_MS.m ? at.time.slice(0, 5) : at.time;
}

/** @returns {string} 3 min ago */
export function ago(text) {
  const seconds = Math.max(0, Math.round((Date.now() - millis(text)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 2 * 86_400 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} d ago`;
}

/** @returns {string} what an input of date and time shows */
export function forInput(text) {
  const at = parts(text);
  return at ? `${at.date}T${at.time}` : "";
}

/** @returns {string} what such an input means, RFC 3339 */
export function fromInput(text) {
  return text ? new Date(clock.utc() ? `${text}Z` : text).toISOString() : "";
}
