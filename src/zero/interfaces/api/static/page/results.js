// The table of lines: newest first, opened with a click or Enter, more at the end.

import { button, count, el, replace, visible } from "./dom.js";
import { opened } from "./entry.js";
import { moment, stamp } from "./time.js";

const SHOWN_CHARS_MAX = 600;
export const ROWS_MAX = 5000;

/** A table of lines in a node. `search` says what they were found with. */
export class Results {
  /** @type {Results | undefined} the table that keys move in */
  static shown;

  /** @param {HTMLElement} node @param {{query: string, onTerm: (wanted: string) => void}} search */
  constructor(node, search) {
    this.search = search;
    Results.shown = this;
    this.body = el("tbody");
    this.table = el("table", { class: "lines" },
      el("thead", {}, el("tr", {}, ["Time", "Level", "App", "Message"].map((name) => el("th", { scope: "col" }, name)))), this.body);
    this.foot = el("div", { class: "foot" });
    replace(node, this.table, this.foot);
  }

  get rows() {
    return [...this.body.children].filter((row) => row.classList.contains("line"));
  }

  /** Put lines at the end. */
  append(logs, words = null) {
    this.body.append(...logs.map((log) => this.line(log, words)));
  }

  /** Put newer lines on top; of too many the oldest go. */
  prepend(nodes, most = ROWS_MAX) {
    this.body.prepend(...nodes);
    while (this.body.children.length > most) this.body.lastElementChild.remove();
  }

  /** @returns {HTMLElement} the row of a line */
  line(log, words = null) {
    const [day, time] = moment(log.timestamp);
    const row = el("tr", { class: `line level-${log.level}`, "data-id": log.id });
    const opener = el("button", { type: "button", class: "when", "aria-expanded": "false", title: stamp(log.timestamp) },
      day ? el("span", { class: "day" }, `${day} `) : null, time);
    row.append(el("td", {}, opener), el("td", {}, el("span", { class: `level level-${log.level}` }, log.level)),
      el("td", { class: "app" }, el("bdi", {}, visible(log.app_id, { max: 60 }))),
      el("td", { class: "message" }, el("bdi", {}, visible(log.message, { max: SHOWN_CHARS_MAX, words }))));
    row.addEventListener("click", (event) => {
      const selecting = String(getSelection()) && !opener.contains(event.target);
      if (!selecting) this.toggle(row, log, opener);
    });
    opener.addEventListener("focus", () => this.select(row));
    return row;
  }

  toggle(row, log, opener) {
    const isOpen = opener.getAttribute("aria-expanded") === "true";
    opener.setAttribute("aria-expanded", String(!isOpen));
    row.classList.toggle("open", !isOpen);
    if (isOpen) row.nextElementSibling.remove();
    else row.after(el("tr", { class: "detail" }, el("td", { colspan: "4" }, opened(log, this.search))));
    this.onToggle?.(!isOpen);
  }

  select(row) {
    this.body.querySelector(".selected")?.classList.remove("selected");
    row.classList.add("selected");
  }

  /** Go to the next line, or the one before. */
  step(by) {
    const rows = this.rows;
    const now = rows.findIndex((row) => row.classList.contains("selected"));
    const next = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + by))];
    next?.querySelector(".when").focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  }

  /** Open or close the line that is gone to. */
  openSelected() {
    (this.body.querySelector(".selected .when") ?? this.body.querySelector(".when"))?.click();
  }

  /** Close the line that is gone to, or else the last that is open. */
  closeOpen() {
    const open = [...this.body.querySelectorAll(".line.open")];
    const opener = (open.find((row) => row.classList.contains("selected")) ?? open.at(-1))?.querySelector(".when");
    opener?.focus({ preventScroll: true });
    opener?.click();
  }

  /** Offer more lines; `load` is called when the end comes near. */
  offerMore(load) {
    this.watch?.disconnect();
    const rows = this.rows.length;
    if (!load) return void replace(this.foot, rows ? el("p", { class: "dim" }, `${count(rows)} lines, that is all`) : null);
    if (rows >= ROWS_MAX) return void replace(this.foot, el("p", { class: "dim" }, `${count(rows)} lines are shown: narrow the search to see others`));
    let asked = false;
    const more = () => {
      if (asked) return;
      asked = true;
      this.watch.disconnect();
      load();
    };
    replace(this.foot, button("More lines", more, { class: "wide" }));
    this.watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { rootMargin: "400px" });
    this.watch.observe(this.foot);
    return undefined;
  }
}
