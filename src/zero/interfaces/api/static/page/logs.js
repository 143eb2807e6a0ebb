// The view of lines: lines first, then the histogram and the facets; what is out of date is aborted.

import { ask } from "./api.js";
import { button, byId, el, replace, say } from "./dom.js";
import { showFacets } from "./facets.js";
import { Histogram } from "./histogram.js";
import { meaningOf } from "./meaning.js";
import { showBadQuery, showBadRange, showFailure, showNothing, showWelcome } from "./notices.js";
import { change, go, here } from "./place.js";
import { QueryBox } from "./query.js";
import { showRange, startRange } from "./range.js";
import { Results } from "./results.js";
import { Tail } from "./tail.js";
import { isSentence, marking, toggled } from "./terms.js";
import { bounds, millis, rangeText } from "./time.js";
import { copy, curlOf } from "./copy.js";

const PAGE = 100;
const BARS = 90;
const NEWEST = 30;
const WELCOME_MS = 2000;
const LONGEST = "-90d";

/** The view. One of it lives as long as the page. */
export class LogsView {
  constructor() {
    this.box = new QueryBox({ onSubmit: (q) => this.go(q), range: () => bounds(here().params) });
    this.histogram = new Histogram(byId("histogram"), (from, to) =>
      change({ from: new Date(from).toISOString(), to: new Date(to).toISOString(), live: "" }));
    startRange(() => here().params);
    byId("live").addEventListener("click", () => this.live());
    byId("copy-search").addEventListener("click", (event) => this.copySearch(event.currentTarget));
  }

  /** Ask for another query, in the same range. */
  go(q) {
    const { view, params } = here();
    if (view === "logs") go("logs", { ...params, q });
    else go("logs", { q, from: params.from, to: params.to });
  }

  live() {
    change({ live: here().params.live ? "" : "1" });
  }

  leave() {
    this.tail?.stop();
    this.tail = undefined;
    clearTimeout(this.later);
  }

  /** Show what the parameters of the place ask for. */
  async show(params, signal) {
    this.leave();
    const { q = "", live = "" } = params;
    this.box.text = q;
    this.box.showTrouble(null);
    showRange(params);
    byId("live").setAttribute("aria-pressed", String(Boolean(live)));
    replace(byId("meaning"));
    const search = { query: q, onTerm: (wanted) => this.go(toggled(here().params.q ?? "", wanted)) };
    if (live) return this.follow(q, search, signal);
    const asked = { q, ...bounds(params) };
    this.histogram.show(null);
    byId("lines").classList.add("waiting");
    this.meant = isSentence(q) ? meaningOf(byId("meaning"), asked, signal) : Promise.resolve([]);
    try {
      await this.lines(asked, search, params, signal);
    } catch (error) {
      if (error.name !== "AbortError") this.fail(error, params);
    } finally {
      if (!signal.aborted) byId("lines").classList.remove("waiting");
    }
    return undefined;
  }

  async lines(asked, search, params, signal) {
    const page = await ask("/api/logs", { ...asked, limit: PAGE }, { signal });
    const words = marking(search.query);
    this.results = new Results(byId("lines"), search);
    this.results.append(page.logs, words);
    this.more(page.next_cursor, asked, words, signal);
    byId("lines").classList.remove("waiting");
    document.body.classList.toggle("none", !page.logs.length);
    if (!page.logs.length) return this.nothing(params, search, signal);
    this.histogram.show(await this.timeline(asked, page, signal));
    const facets = await ask("/api/facets", { ...asked, limit: 8 }, { signal });
    showFacets(byId("facets"), facets, search.query, search.onTerm);
    return undefined;
  }

  /** Without a start the histogram covers what there is: all of it coarsely first, then from where it begins. */
  async timeline(asked, page, signal) {
    const counted = (from) => ask("/api/histogram", { ...asked, from, buckets: BARS }, { signal });
    if (asked.from || !page.logs.length) return counted(asked.from);
    if (!page.next_cursor) return counted(page.logs[page.logs.length - 1].timestamp);
    const coarse = await counted(LONGEST);
    const begins = coarse.buckets[0]?.start;
    const short = begins && millis(coarse.to) - millis(begins) < (millis(coarse.to) - millis(coarse.from)) / 3;
    return short ? counted(begins) : coarse;
  }

  more(cursor, asked, words, signal) {
    if (!cursor) return this.results.offerMore(null);
    return this.results.offerMore(async () => {
      try {
        const page = await ask("/api/logs", { ...asked, limit: PAGE, cursor }, { signal });
        this.results.append(page.logs, words);
        this.more(page.next_cursor, asked, words, signal);
      } catch (error) {
        if (error.name !== "AbortError") showFailure(this.results.foot, error, () => this.more(cursor, asked, words, signal));
      }
    });
  }

  async nothing(params, search, signal) {
    const meant = await this.meant;
    if (meant.length) return this.linesOf(meant, params, search, signal);
    const stats = params.q ? { stored: 1 } : await ask("/api/stats", {}, { signal });
    document.body.classList.toggle("bare", !stats.stored);
    if (stats.stored) return showNothing(byId("lines"), params, rangeText(params));
    showWelcome(byId("lines"));
    this.awaitFirst(signal);
    return undefined;
  }

  /** Where no line has the words: the newest lines of the patterns that mean them. */
  async linesOf(patterns, params, search, signal) {
    const q = `pattern_id:(${patterns.map((one) => one.id).join(" OR ")})`;
    const page = await ask("/api/logs", { q, ...bounds(params), limit: PAGE }, { signal });
    this.results = new Results(byId("lines"), search);
    this.results.append(page.logs);
    this.more(page.next_cursor, { q, ...bounds(params) }, null, signal);
    byId("lines").prepend(el("p", { class: "dim" }, "No line has all these words. The newest lines of these patterns:"));
  }

  /** Look for the first line until there is one. */
  awaitFirst(signal) {
    this.later = setTimeout(async () => {
      const stats = await ask("/api/stats", {}, { signal }).catch(() => ({ stored: 0 }));
      if (signal.aborted) return;
      if (stats.stored) change({}, { quietly: true });
      else this.awaitFirst(signal);
    }, WELCOME_MS);
  }

  fail(error, params) {
    this.histogram.clear();
    replace(byId("facets"));
    if (error.status === 400) {
      const ofTime = error.field === "from" || error.field === "to";
      if (!ofTime) this.box.showTrouble(error);
      if (ofTime) showBadRange(byId("lines"), error);
      else showBadQuery(byId("lines"), error, () => this.go(`"${(params.q ?? "").replace(/[\\"]/g, "\\$&")}"`));
      say(error.message);
      return;
    }
    showFailure(byId("lines"), error, () => change({}, { quietly: true }));
    if (error.status === 503 || error.status === 429) {
      this.later = setTimeout(() => change({}, { quietly: true }), 1000 * Math.min(30, Math.max(3, error.retryAfter)));
    }
  }

  /** Show the newest lines, then what arrives from now on. */
  async follow(q, search, signal) {
    this.histogram.clear();
    replace(byId("facets"));
    byId("lines").classList.remove("waiting");
    this.results = new Results(byId("lines"), search);
    try {
      const newest = await ask("/api/logs", { q, limit: NEWEST }, { signal });
      this.results.append(newest.logs, marking(q));
    } catch (error) {
      if (error.name !== "AbortError") this.fail(error, { q });
      return;
    }
    this.tail = new Tail(this.results, byId("tail-bar"), { q });
    say("following");
  }

  copySearch(pressed) {
    const { q = "", ...rest } = here().params;
    const parts = Object.entries({ q, ...bounds(rest), limit: PAGE }).filter(([, value]) => value !== undefined && value !== "");
    const spelt = parts.map(([name, value]) => ` --data-urlencode '${name}=${String(value).replace(/'/g, "'\\''")}'`);
    copy(`${curlOf("/api/logs")}${spelt.join("")}`, pressed);
  }
}
