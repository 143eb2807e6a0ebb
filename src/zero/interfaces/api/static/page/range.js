// Choosing a range of time: a list of usual ones, or two moments.

import { button, byId, el, replace } from "./dom.js";
import { change } from "./place.js";
import { RANGE, RANGES, clock, forInput, fromInput, rangeText } from "./time.js";

/** Make the button with its panel work. */
export function startRange(now) {
  const opener = byId("range");
  const panel = byId("range-panel");
  const open = (wanted) => {
    panel.hidden = !wanted;
    opener.setAttribute("aria-expanded", String(wanted));
    if (wanted) {
      replace(panel, choices(now(), () => open(false)));
      (panel.querySelector("[aria-pressed=true]") ?? panel.querySelector("button")).focus();
    }
  };
  opener.addEventListener("click", () => open(panel.hidden));
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    open(false);
    opener.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!panel.hidden && !panel.contains(event.target) && !opener.contains(event.target)) open(false);
  });
}

/** Say on the button which range is shown. */
export function showRange(params) {
  byId("range-text").textContent = rangeText(params);
}

function choices({ from = RANGE, to = "" }, done) {
  const pick = (value) => {
    done();
    change({ from: value === RANGE ? "" : value, to: "" });
  };
  const presets = RANGES.map(([value, text]) =>
    button(text, () => pick(value), { "aria-pressed": String(value === from && !to), class: "choice" }));
  const moment = (name, value) => el("input", { type: "datetime-local", step: "1", name, value, "aria-label": name });
  const start = moment("From", from === "all" ? "" : forInput(from));
  const end = moment("Until", to ? forInput(to) : "");
  const zone = clock.utc() ? "UTC" : "local time";
  const apply = (event) => {
    event.preventDefault();
    done();
    change({ from: fromInput(start.value) || "all", to: fromInput(end.value) });
  };
  return [
    el("div", { class: "choices" }, presets),
    el("form", { class: "between", onsubmit: apply },
      el("p", { class: "dim" }, `Between two moments, ${zone}`), start, end,
      el("button", { type: "submit", class: "primary" }, "Apply")),
  ];
}
