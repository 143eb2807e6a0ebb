// The box to write a query in: names and values to choose from, and a caret under what is wrong.

import { ask } from "./api.js";
import { brief, button, byId, el, replace, visible } from "./dom.js";
import { atCaret, quoted } from "./terms.js";

const WAIT_MS = 90;
const SHOWN_MAX = 12;

/** One box. `onSubmit` is called with the query when somebody wants it answered. */
export class QueryBox {
  /** @param {{onSubmit: (query: string) => void, range: () => Record<string, string | undefined>}} options */
  constructor({ onSubmit, range }) {
    this.input = byId("query");
    this.list = byId("completions");
    this.trouble = byId("trouble");
    this.onSubmit = onSubmit;
    this.range = range;
    this.known = new Map();
    this.options = [];
    this.chosen = -1;
    this.input.addEventListener("input", () => this.soon());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    byId("ask-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  get text() {
    return this.input.value;
  }

  set text(query) {
    if (this.input.value !== query) this.input.value = query;
  }

  submit() {
    this.close();
    this.onSubmit(this.text.trim());
  }

  onKey(event) {
    const open = this.options.length > 0;
    if (event.key === "ArrowDown" && open) this.choose(this.chosen + 1, event);
    else if (event.key === "ArrowUp" && open) this.choose(this.chosen - 1, event);
    else if ((event.key === "Enter" || event.key === "Tab") && open && this.chosen >= 0) {
      event.preventDefault();
      this.accept(this.options[this.chosen]);
    } else if (event.key === "Tab" && open && !event.shiftKey) {
      event.preventDefault();
      this.accept(this.options[0]);
    } else if (event.key === "Escape") {
      if (open) this.close();
      else this.input.blur();
      event.stopPropagation();
    }
  }

  choose(index, event) {
    event.preventDefault();
    const places = this.options.length;
    this.chosen = (index + places) % places;
    for (const [at, row] of [...this.list.children].entries()) row.setAttribute("aria-selected", String(at === this.chosen));
    this.list.children[this.chosen].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `completion-${this.chosen}`);
  }

  accept({ insert, start, end, stay }) {
    this.input.setRangeText(insert, start, end, "end");
    this.close();
    this.input.focus();
    if (stay) this.soon();
  }

  /** What was offered is for a text that has changed: nobody may accept it any more. */
  soon() {
    this.close();
    this.showTrouble(null);
    this.timer = setTimeout(() => this.complete(), WAIT_MS);
  }

  async complete() {
    this.stale?.abort();
    this.stale = new AbortController();
    const at = atCaret(this.text, this.input.selectionStart);
    if (!at || document.activeElement !== this.input || (at.name === null && !at.prefix)) return this.close();
    try {
      this.open(at.name === null ? await this.names(at) : await this.values(at));
    } catch (error) {
      if (error.name !== "AbortError") this.close();
    }
    return undefined;
  }

  async names(at) {
    const found = await this.remembered("/api/fields", { prefix: at.prefix });
    return found.fields.map(({ name, kind }) => {
      const spelt = name.replace(/[^\p{L}\p{N}_.@-]/gu, "\\$&");
      return { text: name, note: kind, insert: `${at.sign}${spelt}:`, start: at.start, end: at.end, stay: true };
    });
  }

  async values(at) {
    const found = await this.remembered("/api/fields/values", { field: at.name, prefix: at.prefix });
    const before = this.text.slice(at.start, this.text.indexOf(":", at.start) + 1);
    return found.values.map(({ value, count }) => {
      const insert = `${before}${quoted(value)} `;
      return { text: value, note: count ? brief(count) : "", insert, start: at.start, end: at.end, stay: false };
    });
  }

  /** Ask once for the same names and values; they change slowly. */
  async remembered(path, parameters) {
    const wanted = { ...parameters, limit: SHOWN_MAX, ...this.range() };
    const name = JSON.stringify([path, wanted]);
    if (!this.known.has(name)) {
      if (this.known.size > 200) this.known.clear();
      const found = await ask(path, wanted, { signal: this.stale.signal });
      this.known.set(name, found);
      setTimeout(() => this.known.delete(name), 20_000);
    }
    return this.known.get(name);
  }

  open(options) {
    this.options = options;
    this.chosen = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.input.setAttribute("aria-expanded", String(options.length > 0));
    this.list.hidden = !options.length;
    const rows = options.map((option, at) => {
      const onmousedown = (event) => {
        event.preventDefault();
        this.accept(option);
      };
      const id = `completion-${at}`;
      return el("li", { role: "option", id, "aria-selected": "false", onmousedown },
        el("bdi", {}, visible(option.text)), el("span", { class: "note" }, option.note));
    });
    replace(this.list, rows);
  }

  close() {
    clearTimeout(this.timer);
    this.stale?.abort();
    this.open([]);
  }

  /** Show what is wrong with the query, with a caret at its position. */
  showTrouble(error) {
    this.trouble.hidden = !error;
    this.input.toggleAttribute("aria-invalid", Boolean(error));
    if (!error) return replace(this.trouble);
    const shown = [el("p", {}, visible(error.message))];
    if (Number.isInteger(error.position)) {
      const before = [...this.text].slice(0, error.position).join("");
      const line = el("pre", {}, visible(this.text), "\n", " ".repeat([...before].length), el("span", { class: "caret" }, "^"));
      shown.push(line, button("Go there", () => {
        this.input.focus();
        this.input.setSelectionRange(before.length, this.text.length);
      }, { class: "link" }));
    }
    return replace(this.trouble, shown);
  }
}
