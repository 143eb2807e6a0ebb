// The view of patterns: what the logs are made of, and what of it is out of the ordinary.

import { ask } from "./api.js";
import { brief, button, byId, count, el, replace, say, visible } from "./dom.js";
import { masked } from "./meaning.js";
import { showFailure } from "./notices.js";
import { change, link } from "./place.js";
import { sparkline } from "./sparkline.js";
import { RANGES, ago, bounds, stamp } from "./time.js";

const SHOWN = 200;
const SORTS = [["frequent", "Most frequent"], ["rare", "Rare"], ["new", "New"], ["odd", "Anomalies"]];
const SINCE = [["-15m", "15 minutes"], ["-1h", "an hour"], ["-6h", "6 hours"], ["-24h", "a day"], ["-7d", "a week"]];
const KINDS = { new: "New", vanished: "Vanished", more: "More than usual", fewer: "Fewer than usual" };
const USUAL = "-24h";
const WINDOW = "-1h"; // what anomalies are looked for in, when no time is chosen
const LEVELS = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/** Show the patterns that the place asks for. */
export async function showPatterns(params, signal) {
  const { sort = "frequent", q = "" } = params;
  const node = byId("patterns");
  const list = el("div", { class: "waiting" });
  replace(node, controls(params), list);
  try {
    if (sort === "odd") await odd(list, params, signal);
    else await ordinary(list, params, signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    showFailure(list, error, () => change({}, { quietly: true }));
    if (error.status === 400 && q) list.append(el("p", { class: "dim" }, "Check the filter above."));
  } finally {
    list.classList.remove("waiting");
  }
}

function controls({ sort = "frequent", q = "", since = "-1h", from = "", to = "", about = "" }) {
  const isOdd = sort === "odd";
  const tabs = SORTS.map(([value, text]) => button(text, () => change({ sort: value }), { "aria-pressed": String(value === sort), class: "choice" }));
  const select = (name, options, now, label, more = {}) => el("label", { class: "inline" }, `${label} `,
    el("select", { "aria-label": name === "from" ? "time range" : label, onchange: (event) => change({ [name]: event.target.value, ...more }) }, options.map(([value, text]) => el("option", { value, selected: value === now }, text))));
  const input = (value, placeholder, name) => el("input", { type: "search", value, placeholder, "aria-label": name, autocomplete: "off" });
  const filter = input(q, "filter: app_id:sshd level:error", "filter");
  const topic = isOdd && input(about, "about, in plain words: payment service", "about");
  const onsubmit = (event) => {
    event.preventDefault();
    change({ q: filter.value.trim(), ...(topic ? { about: topic.value.trim() } : {}) });
  };
  const now = isOdd ? windowOf(from) : from || USUAL;
  const times = RANGES.filter(([value]) => !isOdd || value !== "all").map(([value, text]) => [value, text]);
  const isChosen = Boolean(to) || !times.some(([value]) => value === now);
  if (isChosen) times.push(["chosen", "The chosen time"]);
  return el("form", { class: "controls", role: "search", onsubmit }, el("div", { class: "segments", role: "group", "aria-label": "which patterns" }, tabs),
    sort === "new" ? select("since", SINCE, since, "since") : null,
    select("from", times, isChosen ? "chosen" : now, "in", { to: "" }), filter, topic, el("button", { type: "submit" }, "Search"));
}

/** What is compared is a window, and all of time leaves nothing to compare it with. */
function windowOf(from) {
  return !from || from === "all" ? WINDOW : from;
}

async function ordinary(list, { sort = "frequent", q = "", since = "-1h", from = USUAL, to = "" }, signal) {
  const range = bounds({ from, to });
  const newSince = sort === "new" ? since : undefined;
  const found = await ask("/api/patterns", { sort, q, ...range, new_since: newSince, limit: SHOWN }, { signal });
  say(`${found.patterns.length} patterns`);
  if (!found.patterns.length) return void replace(list, none(sort));
  const most = Math.max(...found.patterns.map((one) => one.count));
  const rows = found.patterns.map((one) => row(one, most, { from: from === USUAL ? "" : from, to }));
  replace(list, el("table", { class: "patterns" }, head(["Lines", "Over time", "Pattern", "Seen"]), el("tbody", {}, rows)));
}

function head(names) {
  return el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name))));
}

function row(one, most, range) {
  const href = link("logs", { q: `pattern_id:${one.id}`, ...range });
  const levels = LEVELS.filter((level) => one.levels?.[level]);
  return el("tr", {},
    el("td", { class: "number" }, el("span", { title: count(one.count) }, brief(one.count)), el("progress", { class: "share", max: most, value: one.count, "aria-hidden": "true" })),
    el("td", { class: "over" }, sparkline(one.sparkline ?? [], { name: `${count(one.count)} lines over time` })),
    el("td", { class: "what" }, el("a", { href, class: "pattern" }, masked(one.pattern)),
      el("p", { class: "example" }, el("bdi", {}, visible(one.example ?? "", { max: 300 }))),
      el("p", { class: "tags" }, levels.map((level) => el("span", { class: `level level-${level}` }, level)),
        Object.values(named(one.apps)).slice(0, 4).map((app) => el("span", { class: "tag" }, el("bdi", {}, visible(app, { max: 60 })))))),
    el("td", { class: "seen dim" }, el("span", { title: stamp(one.last_seen) }, ago(one.last_seen)), el("span", { title: stamp(one.first_seen) }, `first ${ago(one.first_seen)}`)));
}

function named(apps) {
  if (Array.isArray(apps)) return apps.map((app) => (typeof app === "string" ? app : app.value ?? app.app_id ?? ""));
  return Object.keys(apps ?? {});
}

function none(sort) {
  const [title, text] = sort === "new"
    ? ["Nothing new", "No kind of line was seen for the first time since then."]
    : ["No patterns", "No lines match in this time. Patterns are found within seconds after lines are stored."];
  return el("div", { class: "notice" }, el("h2", {}, title), el("p", {}, text),
    el("p", { class: "actions" }, button("All time", () => change({ from: "all", to: "", q: "" }), { class: "primary" })));
}

async function odd(list, { about = "", q = "", from = "", to = "" }, signal) {
  const range = from || !to ? { from: windowOf(from), to } : { to }; // an end alone: the hour before it
  const found = await ask("/api/anomalies", { about, q, ...range, limit: SHOWN }, { signal });
  say(`${found.anomalies.length} anomalies`);
  const isAlone = found.baseline_from === found.from;
  const when = el("p", { class: "dim" }, `${stamp(found.from)} to ${stamp(found.to)}${isAlone ? "" : `, beside the time since ${stamp(found.baseline_from)}`}`);
  if (!found.anomalies.length) {
    const [title, text] = isAlone
      ? ["Nothing to compare with", `There are no lines, or too few, before ${stamp(found.from)}: choose a shorter time, or come back later.`]
      : ["All as usual", "No kind of line is new, has vanished, or is far off its usual rate in this time."];
    return void replace(list, when, el("div", { class: "notice" }, el("h2", {}, title), el("p", {}, text)));
  }
  const rows = found.anomalies.map((one) => oddRow(one));
  replace(list, when, el("table", { class: "patterns odd" }, head(["What", "Before and now", "Pattern", "Lines"]), el("tbody", {}, rows)));
}

function oddRow(one) {
  const before = one.baseline ?? [];
  return el("tr", {},
    el("td", {}, el("span", { class: `kind kind-${KINDS[one.kind] ? one.kind : "more"}` }, KINDS[one.kind] ?? String(one.kind))),
    el("td", { class: "over" }, sparkline([...before, one.observed], { name: `${one.observed} lines, ${one.expected} expected`, from: before.length })),
    el("td", { class: "what" }, el("a", { href: link("logs", { q: `pattern_id:${one.id}`, from: "all" }), class: "pattern" }, masked(one.pattern)),
      el("p", { class: "example" }, el("bdi", {}, visible(one.example ?? "", { max: 300 })))),
    el("td", { class: "seen" }, el("b", {}, count(one.observed)), el("span", { class: "dim" }, `usually ${brief(Math.round(one.expected * 10) / 10)}`)));
}
