// What happened around one line: the lines of its app before and after it.

import { ask } from "./api.js";
import { button, byId, el, replace } from "./dom.js";
import { showFailure } from "./notices.js";
import { change, go, link } from "./place.js";
import { Results } from "./results.js";
import { term } from "./terms.js";
import { nanos } from "./time.js";

const LINES = 25;
const PAGE = 200;
const WINDOWS_MS = [10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/** Show a line among its neighbours. */
export async function showAround({ id, at, app, every }, signal) {
  const node = byId("around");
  const query = every || !app ? "" : term("app_id", app);
  const onTerm = (wanted) => go("logs", { q: wanted, from: "all" });
  const whose = app && button(every ? `Only lines of ${app}` : "Lines of every app", () => change({ every: every ? "" : "1" }));
  const heading = el("div", { class: "heading" }, el("h2", {}, "Around this line"), whose,
    button("Back", () => history.back()), el("a", { href: link("logs", { q: `id:${id}`, from: "all" }) }, "Only this line"));
  const lines = el("div");
  replace(node, heading, lines);
  try {
    const moment = nanos(at);
    const [after, before] = await Promise.all([laterLines(query, moment, signal), earlierLines(query, moment, signal)]);
    const results = new Results(lines, { query, onTerm });
    results.append([...after, ...before]);
    const row = results.rows.find((one) => one.dataset.id === id);
    row?.classList.add("this");
    row?.setAttribute("aria-current", "true");
    row?.querySelector(".when").focus({ preventScroll: true });
    row?.scrollIntoView({ block: "center" });
  } catch (error) {
    if (error.name !== "AbortError") showFailure(lines, error, () => change({}));
  }
}

async function earlierLines(q, moment, signal) {
  const found = await ask("/api/logs", { q, to: String(moment + 1n), limit: LINES + 1 }, { signal });
  return found.logs;
}

/** Pages come newest first: so look at windows that grow until one holds enough, and take its oldest lines. */
async function laterLines(q, moment, signal) {
  let best = [];
  for (const ms of WINDOWS_MS) {
    const to = String(moment + BigInt(ms) * 1_000_000n);
    const found = await ask("/api/logs", { q, from: String(moment + 1n), to, limit: PAGE }, { signal });
    if (found.next_cursor) return best.length ? best : found.logs.slice(-LINES);
    best = found.logs.slice(-LINES);
    if (best.length === LINES) return best;
  }
  return best;
}
