// Dark or light: what the system says, until somebody says otherwise.

import { byId } from "./dom.js";

const STORE = "zero.theme";
const NEXT = { "": "dark", dark: "light", light: "" };
const SAID = { "": "as the system", dark: "dark", light: "light" };

/** Make the switch work. */
export function startTheme() {
  const show = () => {
    const theme = localStorage.getItem(STORE) ?? "";
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    byId("theme").setAttribute("aria-label", `theme: ${SAID[theme] ?? SAID[""]}`);
    byId("theme").title = `Theme: ${SAID[theme] ?? SAID[""]}`;
  };
  byId("theme").addEventListener("click", () => {
    localStorage.setItem(STORE, NEXT[localStorage.getItem(STORE) ?? ""] ?? "");
    show();
  });
  show();
}
