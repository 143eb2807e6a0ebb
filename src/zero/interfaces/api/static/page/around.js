// What happened around one line: the lines of its app before and after it.

import { ask } from "./api.js";
import { button, byId, el, replace } from "./dom.js";
import { showFailure } from "./notices.js";
import { change, go, link } from "./place.js";
import { Results } from "./results.js";
import { term } from "./terms.js";

const LINES = 25;

/** Show a line among its neighbours. */
export async function showAround({ id, app, every }, signal) {
  const node = byId("around");
  const query = every || !app ? "" : term("app_id", app);
  const onTerm = (wanted) => go("logs", { q: wanted, from: "all" });
  const whose = app && button(every ? `Only lines of ${app}` : "Lines of every app", () => change({ every: every ? "" : "1" }));
  const heading = el("div", { class: "heading" }, el("h2", {}, "Around this line"), whose,
    button("Back", () => history.back()), el("a", { href: link("logs", { q: `id:${id}`, from: "all" }) }, "Only this line"));
  const lines = el("div");
  replace(node, heading, lines);
  try {
    const found = await ask("/api/around", { id, q: query, limit: LINES }, { signal });
    const results = new Results(lines, { query, onTerm });
    results.append(found.logs);
    const row = results.rows.find((one) => one.dataset.id === id);
    row?.classList.add("this");
    row?.setAttribute("aria-current", "true");
    row?.querySelector(".when").focus({ preventScroll: true });
    row?.scrollIntoView({ block: "center" });
  } catch (error) {
    if (error.name !== "AbortError") showFailure(lines, error, () => change({}));
  }
}
