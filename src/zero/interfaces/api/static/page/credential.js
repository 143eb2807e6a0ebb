// The API key: asked for when the api wants one, kept for this tab alone.

import { key } from "./api.js";
import { button, byId, el, replace, visible } from "./dom.js";

/** Make the button work, and ask when the api does. `again` is called with a new key. */
export function startCredential(again) {
  const dialog = byId("key-dialog");
  const open = (reason) => {
    if (dialog.open) return;
    const input = el("input", { type: "password", name: "key", "aria-label": "API key", autocomplete: "off", spellcheck: "false", placeholder: "zero_…" });
    const onsubmit = (event) => {
      event.preventDefault();
      key.set(input.value.trim());
      dialog.close();
      mark();
      again();
    };
    const forget = () => {
      key.set("");
      dialog.close();
      mark();
      again();
    };
    replace(dialog, el("form", { onsubmit }, el("h2", {}, "API key"), reason ? el("p", { class: "why" }, visible(reason)) : null,
      el("p", { class: "dim" }, "A key with the scope query, from zero keys create. It stays in this tab and is forgotten when it is closed."),
      input, el("p", { class: "actions" }, el("button", { type: "submit", class: "primary" }, "Use this key"),
        key.get() ? button("Forget the key", forget) : null, button("Cancel", () => dialog.close()))));
    dialog.showModal();
    input.focus();
  };
  const mark = () => byId("key").classList.toggle("set", Boolean(key.get()));
  byId("key").addEventListener("click", () => open(""));
  addEventListener("zero:key", (event) => open(event.detail));
  mark();
}
