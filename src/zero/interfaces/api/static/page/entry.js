// One line, opened: every field of it, and where to go from there.

import { button, el, visible } from "./dom.js";
import { go, link } from "./place.js";
import { has, keyName, term } from "./terms.js";
import { copy, curlOf } from "./copy.js";

const FIELDS = ["id", "timestamp", "level", "app_id", "source", "environment", "trace_id", "span_id", "user_id", "pattern_id"];
const WITHOUT_TERM = new Set(["id", "timestamp"]);

/**
 * @param {any} log
 * @param {{query: string, onTerm: (wanted: string) => void}} search
 */
export function opened(log, search) {
  const rows = FIELDS.filter((name) => log[name]).map((name) => field(name, log[name], search));
  const metadata = Object.entries(log.metadata ?? {}).map(([name, value]) => field(name, value, search, true));
  return el("div", { class: "entry" },
    actions(log),
    el("pre", { class: "whole", tabindex: "0", "aria-label": "message" }, visible(log.message, { lines: true })),
    el("dl", {}, rows, metadata.length ? el("div", { class: "rule" }, el("dt", {}, "metadata"), el("dd", {})) : null, metadata));
}

function actions(log) {
  const self = link("logs", { q: `id:${log.id}`, from: "all" });
  const curl = `${curlOf("/api/logs")} --data-urlencode 'q=id:${log.id}'`;
  const pattern = log.pattern_id && el("a", { href: link("logs", { q: `pattern_id:${log.pattern_id}`, from: "all" }) }, "Show this pattern");
  const trace = log.trace_id && el("a", { href: link("logs", { q: term("trace_id", log.trace_id), from: "all" }) }, "Its trace");
  return el("p", { class: "actions" },
    button("Show around this line", () => go("around", { id: log.id, app: log.app_id })),
    trace, pattern,
    button("Copy as JSON", (event) => copy(JSON.stringify(log, null, 2), event.currentTarget)),
    button("Copy as curl", (event) => copy(curl, event.currentTarget)),
    el("a", { href: self }, "Link to this line"));
}

function field(name, value, { query, onTerm }, isKey = false) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const wanted = term(isKey ? keyName(name) : name, text);
  const sign = (mark, says, now) => button(mark, () => onTerm(now), { "aria-label": `${says} ${name}`, title: says, "aria-pressed": String(has(query, now)) });
  const buttons = (!isKey && WITHOUT_TERM.has(name)) || text.length > 200 ? null : el("span", { class: "signs" },
    sign("+", "only this", wanted), wanted.startsWith("NOT ") ? null : sign("−", "without this", `-${wanted}`));
  return el("div", { class: isKey ? "key" : "" },
    el("dt", {}, el("bdi", {}, visible(name, { max: 200 }))), el("dd", {}, el("bdi", {}, visible(text, { lines: true })), buttons));
}
