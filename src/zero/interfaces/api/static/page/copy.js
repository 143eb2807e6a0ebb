// Copying text, also where the browser has no clipboard for pages without TLS.

import { key } from "./api.js";
import { button, el, say } from "./dom.js";

/** Copy the text and say so on the button that was pressed. */
export async function copy(text, pressed) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    offer(text);
    return;
  }
  const label = pressed.textContent;
  if (!pressed.dataset.label) pressed.dataset.label = label;
  pressed.textContent = "Copied";
  say("copied");
  setTimeout(() => (pressed.textContent = pressed.dataset.label), 1200);
}

/** @returns {string} the start of a command that asks the api; a key is named as the variable that zero reads it from, never shown */
export function curlOf(path) {
  return `curl -G '${location.origin}${path}'${key.get() ? ' -H "X-API-Key: $ZERO_API_KEY"' : ""}`;
}

/** A block of text to copy. */
export function snippet(text) {
  return el("div", { class: "snippet" }, el("pre", { tabindex: "0" }, text), button("Copy", (event) => copy(text, event.currentTarget)));
}

function offer(text) {
  const area = el("textarea", { rows: "10", readonly: true, "aria-label": "text to copy" }, text);
  const dialog = el("dialog", {}, el("p", {}, "This browser lets no page copy here. Press Ctrl-C."), area,
    button("Close", () => dialog.close()));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  area.select();
}
