// The query language as far as the page has to write it: terms, quotes, and what stands at the caret.

const TAKEN = new Set([
  "app_id", "level", "message", "source", "environment", "trace_id", "span_id", "user_id", "timestamp", "id", "pattern_id",
  "app", "service", "service.name", "env", "severity", "lvl", "msg", "time", "ts", "@timestamp", "_exists_",
]);
const WORDS = /^(AND|OR|NOT|TO)$/;
const PLAIN = /^[\p{L}\p{N}_@/][\p{L}\p{N}_.@/-]*$/u;
const SYNTAX = /[:"()[\]{}<>*?\\|&!~^=/]/;

/** @returns {string} the value as a query has to spell it to mean exactly that */
export function quoted(value) {
  const text = String(value);
  if (PLAIN.test(text) && !WORDS.test(text) && !text.startsWith("/")) return text;
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/** @returns {string} a condition on a field or a metadata key; an empty value asks for its absence */
export function term(name, value) {
  const spelt = String(name).replace(/[^\p{L}\p{N}_.@-]/gu, "\\$&");
  return value === "" ? `NOT ${spelt}:*` : `${spelt}:${quoted(value)}`;
}

/** @returns {string} the name of a metadata key, told from what a query means by the same name */
export function keyName(key) {
  return TAKEN.has(key) || key.startsWith("metadata.") ? `metadata.${key}` : key;
}

/** @returns {string[]} what stands in the query one beside the other: terms, groups, operators */
export function tokens(query) {
  const found = [];
  let token = "";
  let depth = 0;
  let inQuotes = false;
  for (let at = 0; at < query.length; at += 1) {
    const char = query[at];
    if (char === "\\") token += char + (query[(at += 1)] ?? "");
    else if (/\s/.test(char) && !inQuotes && depth === 0) {
      if (token) found.push(token);
      token = "";
    } else {
      if (char === '"') inQuotes = !inQuotes;
      else if (!inQuotes && "([{".includes(char)) depth += 1;
      else if (!inQuotes && ")]}".includes(char)) depth = Math.max(0, depth - 1);
      token += char;
    }
  }
  return token ? [...found, token] : found;
}

/** @returns {boolean} whether the query asks for that term, as it stands */
export function has(query, wanted) {
  return ` ${tokens(query).join(" ")} `.includes(` ${wanted} `);
}

/** @returns {string} the query with the term, or without it when it has it already */
export function toggled(query, wanted) {
  const opposite = wanted.startsWith("-") ? wanted.slice(1) : `-${wanted}`;
  const now = ` ${tokens(query).join(" ")} `.replace(` ${opposite} `, " ");
  if (now.includes(` ${wanted} `)) return now.replace(` ${wanted} `, " ").trim();
  const kept = now.trim() === "*" ? "" : now.trim();
  const group = tokens(kept).some((one) => one === "OR" || one === "||") ? `(${kept})` : kept;
  return `${group} ${wanted}`.trim();
}

/** @returns {boolean} whether it reads like plain words: somebody asks in a sentence */
export function isSentence(query) {
  const words = query.trim().replace(/[?.!]$/, "").split(/\s+/);
  return words.length >= 3 && words.every((word) => !SYNTAX.test(word) && !WORDS.test(word) && !word.startsWith("-"));
}

/** @returns {RegExp | null} what to mark in the messages that the query finds */
export function marking(query) {
  const words = tokens(query)
    .filter((one) => !WORDS.test(one) && !/^[-!(]/.test(one) && !/^[^"]*[^\\":]:/.test(one))
    .map((one) => one.replace(/^"(.*)"$/s, "$1").replace(/\\(.)/g, "$1").replace(/[*?]+/g, ""))
    .filter((one) => one.length > 1)
    .slice(0, 20);
  if (!words.length) return null;
  return new RegExp(words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"), "giu");
}

/**
 * What is being written at the caret: a name, or the value of one.
 * @returns {{start: number, end: number, name: string | null, prefix: string, sign: string} | null}
 */
export function atCaret(query, caret) {
  let start = 0;
  let inQuotes = false;
  for (let at = 0; at < caret; at += 1) {
    if (query[at] === "\\") at += 1;
    else if (query[at] === '"') inQuotes = !inQuotes;
    else if (!inQuotes && /[\s(]/.test(query[at])) start = at + 1;
  }
  const end = inQuotes ? caret : caret + (/^[^\s()]*/.exec(query.slice(caret))?.[0].length ?? 0);
  const text = query.slice(start, caret);
  const sign = /^[-!]/.test(text) ? text[0] : "";
  const cut = text.search(/(?<!\\):/);
  if (cut < 0) return { start, end, name: null, prefix: text.slice(sign.length).replace(/\\(.)/g, "$1"), sign };
  const name = text.slice(sign.length, cut).replace(/\\(.)/g, "$1");
  const prefix = text.slice(cut + 1).replace(/^"/, "").replace(/\\(.)/g, "$1");
  return /^[<>[{(]/.test(text.slice(cut + 1)) ? null : { start, end, name, prefix, sign };
}
