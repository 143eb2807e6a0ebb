// Search by meaning: patterns ranked by a question in plain words, with the score and why each matched.

import { ask } from "./api.js";
import { brief, button, byId, el, replace, say, visible } from "./dom.js";
import { showFailure } from "./notices.js";
import { change, go, here, link } from "./place.js";
import { Results } from "./results.js";
import { RANGES, bounds } from "./time.js";

const BESIDE = 4;
const ASKED = 20;
const LINES = 50;
const MODES = [["hybrid", "Meaning and words"], ["semantic", "Meaning only"], ["text", "Words only"]];
const EXAMPLES = ["someone is guessing passwords over ssh", "the disk is full", "a node stopped answering", "payment was refused"];

function body(q, { from, to }, mode, limit) {
  return { query: q, mode, limit, time_range: { ...(from ? { from } : {}), ...(to ? { to } : {}) } };
}

/**
 * Above the lines: what a sentence in the query box means, while its words are searched for as well.
 * @returns {Promise<{id: string}[]>} the patterns shown
 */
export async function meaningOf(node, { q, from, to }, signal) {
  try {
    const found = await ask("/api/patterns/search", {}, { signal, body: body(q, { from, to }, "hybrid", BESIDE) });
    if (!found.patterns.length) return [];
    replace(node, el("div", { class: "heading" }, el("h2", {}, "By meaning"),
      el("a", { href: link("ask", { q, from: here().params.from, to }) }, "More like this")),
      el("ol", { class: "matches" }, found.patterns.map((one, at) => match(one, at, { from: here().params.from, to }))));
    say(`${found.patterns.length} patterns match by meaning`);
    return found.patterns;
  } catch (error) {
    if (error.name !== "AbortError" && ![404, 405, 501].includes(error.status)) replace(node, el("p", { class: "dim" }, visible(error.message)));
    return [];
  }
}

/** The view with a box of its own. */
export async function showAsk({ q = "", mode = "hybrid", from = "all", to = "" }, signal) {
  const node = byId("ask");
  const input = el("input", { type: "search", id: "question", name: "question", value: q, placeholder: "What are you looking for? In plain words.", "aria-label": "question in plain words", autocomplete: "off", maxlength: "1000" });
  const onsubmit = (event) => {
    event.preventDefault();
    change({ q: input.value.trim() });
  };
  const modes = MODES.map(([value, text]) => el("option", { value, selected: value === mode }, text));
  const times = RANGES.map(([value, text]) => el("option", { value, selected: value === from }, text));
  if (!RANGES.some(([value]) => value === from)) times.push(el("option", { value: from, selected: true }, "The chosen time"));
  const choose = (name, options, label) => el("select", { "aria-label": label, onchange: (event) => change({ q: input.value.trim(), [name]: event.target.value, ...(name === "from" ? { to: "" } : {}) }) }, options);
  const patterns = el("div");
  const lines = el("div");
  replace(node, el("form", { class: "ask", role: "search", onsubmit }, input, el("button", { type: "submit", class: "primary" }, "Ask"),
    choose("mode", modes, "how to search"), choose("from", times, "time range")), patterns, lines);
  if (!q) {
    replace(patterns, el("div", { class: "notice" }, el("h2", {}, "Ask in your own words"),
      el("p", {}, "Every kind of line is compared with what your question means, so the words need not be the same."),
      el("p", { class: "actions" }, EXAMPLES.map((text) => button(text, () => change({ q: text }))))));
    input.focus();
    return;
  }
  try {
    await answer(patterns, lines, { q, mode, from, to }, signal);
  } catch (error) {
    if (error.name !== "AbortError") showFailure(patterns, error, () => change({}, { quietly: true }));
  }
}

async function answer(patterns, lines, { q, mode, from, to }, signal) {
  patterns.classList.add("waiting");
  const range = bounds({ from, to });
  const found = await ask("/api/patterns/search", {}, { signal, body: body(q, range, mode, ASKED) });
  patterns.classList.remove("waiting");
  if (!found.patterns.length) {
    replace(patterns, el("div", { class: "notice" }, el("h2", {}, "Nothing comes near"),
      el("p", {}, "Say it in other words, or look at a longer time."),
      el("p", { class: "actions" }, button("All time", () => change({ from: "all", to: "" })), button("Search the text", () => go("logs", { q, from })))));
    return;
  }
  replace(patterns, el("h2", {}, "Patterns"), el("ol", { class: "matches" }, found.patterns.map((one, at) => match(one, at, { from, to }))));
  say(`${found.patterns.length} patterns`);
  if (mode === "text") return;
  const logs = await ask("/api/logs/search", {}, { signal, body: body(q, range, mode, LINES) });
  replace(lines, el("h2", {}, "Their newest lines"), el("div", { class: "lines-here" }));
  const results = new Results(lines.lastElementChild, { query: "", onTerm: (wanted) => go("logs", { q: wanted, from: "all" }) });
  results.append(logs.logs);
}

function match(one, at, range) {
  const href = link("logs", { q: `pattern_id:${one.id}`, ...range });
  const score = Number(one.score);
  return el("li", { class: "match" },
    el("span", { class: "rank dim" }, String(at + 1)),
    el("div", { class: "what" },
      el("a", { href, class: "pattern" }, masked(one.pattern)),
      one.example ? el("p", { class: "example" }, el("bdi", {}, visible(one.example, { max: 300 }))) : null,
      one.why ? el("p", { class: "why" }, "Why: ", visible(reason(one.why), { max: 300 })) : null),
    el("div", { class: "figures" },
      el("span", { class: "score" }, el("small", { class: "dim" }, "score "), score.toFixed(2)),
      el("progress", { class: "share", max: "1", value: String(Math.max(0, Math.min(1, score))), "aria-hidden": "true" }),
      one.count === undefined ? null : el("span", { class: "dim" }, `${brief(one.count)} lines`)));
}

/** A pattern with its variable parts set apart. */
export function masked(pattern) {
  const shown = document.createDocumentFragment();
  for (const part of String(pattern).slice(0, 1000).split(/(<[A-Za-z_*]{1,16}>)/)) {
    if (/^<[A-Za-z_*]{1,16}>$/.test(part)) shown.append(el("span", { class: "mask" }, part.slice(1, -1)));
    else shown.append(visible(part));
  }
  return el("bdi", {}, shown);
}

/** @returns {string} which of its words answer which of the question, and how near the meaning is */
function reason({ words = [], nearness = null }) {
  const found = words.map(({ asked, found: answer }) => (asked === answer ? asked : `${asked} → ${answer}`));
  const near = nearness > 0 ? [`nearness of meaning ${Number(nearness).toFixed(2)}`] : [];
  return [...found, ...near].join(", ");
}
