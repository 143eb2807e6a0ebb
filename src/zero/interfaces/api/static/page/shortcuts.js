// Keys for those who do not want to leave them.

import { button, byId, el, replace } from "./dom.js";

export const KEYS = [
  ["/", "write a query"],
  ["Enter", "in the query: search; on a line: open or close it"],
  ["Esc", "leave the query, close what is open"],
  ["j k", "next line, line before"],
  ["o", "open or close the line"],
  ["t", "follow the log, or stop"],
  ["p", "pause following, or go on"],
  ["1 2 3 4", "logs, patterns, ask, platform"],
  ["?", "this list"],
];

/** @param {Record<string, () => void>} actions by key */
export function startShortcuts(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const inField = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
    if (inField) {
      if (event.key === "Escape" && !event.target.closest("dialog")) event.target.blur();
      if (event.key === "/" && event.target.id === "query" && !event.target.value) event.preventDefault(); // it is open already
      return;
    }
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** Show the list of keys. */
export function showKeys() {
  const dialog = byId("help");
  if (dialog.open) return;
  const rows = KEYS.map(([keys, does]) => [el("dt", {}, keys.split(" ").map((one) => el("kbd", {}, one))), el("dd", {}, does)]);
  const example = (query, means) => [el("dt", {}, el("code", {}, query)), el("dd", {}, means)];
  replace(dialog, el("h2", {}, "Keys"), el("dl", {}, rows.flat()), el("h2", {}, "Queries"),
    el("dl", {}, example("timeout", "a word of the message"), example('"No Route to Host"', "text of the message"),
      example("level:>=warn -app_id:web", "fields; a minus is without"), example("status:>=500", "a metadata key"),
      example("a OR (b c)", "either; both"), example("someone guesses passwords", "three plain words or more: also by meaning")),
    el("p", { class: "actions" }, button("Close", () => dialog.close(), { class: "primary" })));
  dialog.showModal();
}
