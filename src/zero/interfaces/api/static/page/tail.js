// Following the log: new lines on top, with a pause, and what was missed said.

import { ApiError, events } from "./api.js";
import { button, count, el, replace, say, visible } from "./dom.js";

const SHOW_MS = 150;
const KEPT_MAX = 2000;
const RETRY_MS_MAX = 10_000;

/** Follows one search until stopped. */
export class Tail {
  /**
   * @param {any} results the table where lines go
   * @param {HTMLElement} bar where it says how it is going
   * @param {Record<string, unknown>} parameters
   */
  constructor(results, bar, parameters) {
    this.results = results;
    this.bar = bar;
    this.parameters = parameters;
    this.waiting = [];
    this.shown = new Set(results.rows.map((row) => row.dataset.id));
    this.seen = 0;
    this.dropped = 0;
    this.paused = false;
    this.state = "connecting";
    this.stopper = new AbortController();
    this.furnish();
    this.timer = setInterval(() => this.show(), SHOW_MS);
    results.onToggle = (isOpen) => isOpen && this.pause(true);
    this.tell();
    this.follow();
  }

  stop() {
    clearInterval(this.timer);
    this.stopper.abort();
    this.bar.hidden = true;
    this.results.onToggle = undefined;
  }

  pause(wanted = !this.paused) {
    if (wanted === this.paused) return;
    this.paused = wanted;
    say(wanted ? "paused" : "following");
    this.show();
    this.tell();
  }

  async follow() {
    let retryMs = 1000;
    let lastId = "";
    const { signal } = this.stopper;
    while (!signal.aborted) {
      try {
        const onOpen = () => this.tell("following");
        for await (const event of events("/api/logs/tail", this.parameters, { signal, lastId, onOpen })) {
          if (event.id) lastId = event.id;
          retryMs = 1000;
          this.take(event);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.failure = error.message;
        if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) return void this.tell("ended");
      }
      if (signal.aborted) return;
      this.tell("reconnecting");
      await new Promise((wake) => setTimeout(wake, retryMs));
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    }
  }

  take(event) {
    if (this.shown.delete(event.id)) return;
    if (event.name === "log") this.waiting.push({ log: JSON.parse(event.data) });
    else this.waiting.push({ note: JSON.parse(event.data).message, name: event.name });
    this.seen += event.name === "log" ? 1 : 0;
    if (this.waiting.length > KEPT_MAX) {
      this.dropped += this.waiting.length - KEPT_MAX;
      this.waiting.splice(0, this.waiting.length - KEPT_MAX);
    }
  }

  show() {
    if (this.paused) return void this.tell();
    if (!this.waiting.length) return;
    const rows = this.waiting.reverse().map(({ log, note }) => (log ? this.results.line(log) : noted(note)));
    if (this.dropped) rows.push(noted(`${count(this.dropped)} lines came while paused and are not shown: search to see them`));
    this.waiting = [];
    this.dropped = 0;
    this.results.prepend(rows, KEPT_MAX);
    this.tell();
  }

  /** Make what the bar shows once: whoever has the focus on the button keeps it while the figures change. */
  furnish() {
    this.text = el("span");
    this.figure = el("span", { class: "dim" });
    this.button = button("", () => this.pause(), { class: "small", id: "pause" });
    this.bar.dataset.text = "";
    replace(this.bar, el("span", { class: "dot", "aria-hidden": "true" }), this.text, this.figure, this.button);
  }

  tell(state = this.state) {
    this.state = state;
    const waiting = this.waiting.length + this.dropped;
    const words = { connecting: "Connecting…", following: "Following", reconnecting: `No connection (${this.failure ?? "it ended"}), trying again…`, ended: `Ended: ${this.failure}` };
    const text = this.paused && state === "following" ? `Paused, ${count(waiting)} new` : words[state];
    if (this.bar.dataset.text === `${text}${this.seen}`) return;
    this.bar.dataset.text = `${text}${this.seen}`;
    this.bar.hidden = false;
    this.bar.dataset.state = this.paused ? "paused" : state;
    this.button.textContent = this.paused ? "Go on" : "Pause";
    replace(this.text, visible(text));
    this.figure.textContent = `${count(this.seen)} lines so far`;
  }
}

function noted(text) {
  return el("tr", { class: "note" }, el("td", { colspan: "4" }, visible(text)));
}
