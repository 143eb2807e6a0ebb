// Saved views: a name for an address, kept in this browser.

import { button, byId, el, replace, visible } from "./dom.js";

const STORE = "zero.views";
const VIEWS_MAX = 100;
const NAME_CHARS_MAX = 80;

/** @returns {{name: string, hash: string}[]} */
function saved() {
  try {
    const found = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    return found.filter((one) => typeof one?.name === "string" && /^#/.test(one?.hash)).slice(0, VIEWS_MAX);
  } catch {
    return [];
  }
}

function keep(views) {
  localStorage.setItem(STORE, JSON.stringify(views.slice(0, VIEWS_MAX)));
}

/** Make the button with its list work. */
export function startViews() {
  const opener = byId("views");
  const panel = byId("views-panel");
  const open = (wanted) => {
    panel.hidden = !wanted;
    opener.setAttribute("aria-expanded", String(wanted));
    if (wanted) show(panel, open);
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

function show(panel, open) {
  const views = saved();
  const name = el("input", { type: "text", placeholder: "name of what is shown now", "aria-label": "name of the view", maxlength: String(NAME_CHARS_MAX), required: true });
  const onsubmit = (event) => {
    event.preventDefault();
    keep([{ name: name.value.trim(), hash: location.hash || "#logs" }, ...views.filter((one) => one.name !== name.value.trim())]);
    show(panel, open);
  };
  const rows = views.map((view) => el("li", {},
    el("a", { href: view.hash, onclick: () => open(false) }, visible(view.name)),
    button("×", () => {
      keep(views.filter((one) => one !== view));
      show(panel, open);
    }, { "aria-label": `forget ${view.name}`, class: "plain" })));
  replace(panel, views.length ? el("ul", {}, rows) : el("p", { class: "dim" }, "None yet. The address of the page is a view too: send it to somebody."),
    el("form", { onsubmit }, name, el("button", { type: "submit", class: "primary" }, "Save")));
  name.focus();
}
