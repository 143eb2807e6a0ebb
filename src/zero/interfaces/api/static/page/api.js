// Asking the api: JSON, events, errors in one form, and the key that goes along.

const KEY = "zero.key";
const EVENT_CHARS_MAX = 16 * 1024 * 1024;

/** What the api refuses, or `unreachable`. `position` is the 0-based character of the query. */
export class ApiError extends Error {
  constructor(status, error = {}, retryAfter = 0) {
    super(error.message ?? `the api answers with status ${status}`);
    this.status = status;
    this.code = error.code ?? "error";
    this.field = error.field;
    this.position = error.position;
    this.retryAfter = retryAfter;
  }
}

/** The key is kept for this tab and gone when it is closed. */
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

/** @returns {string} path with its parameters; empty ones are left out, lists repeated */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") query.append(name, String(one));
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/**
 * Ask for JSON. Raises ApiError, or AbortError when `signal` ends it.
 * @param {string} path
 * @param {Record<string, unknown>} [parameters]
 * @param {{signal?: AbortSignal, body?: unknown}} [options] a body makes it a POST
 * @returns {Promise<any>}
 */
export async function ask(path, parameters = {}, { signal, body } = {}) {
  const answer = await request(address(path, parameters), signal, body);
  return answer.json();
}

/**
 * Follow server-sent events.
 * @param {string} path
 * @param {Record<string, unknown>} parameters
 * @param {{signal: AbortSignal, lastId?: string, onOpen?: () => void}} options
 * @returns {AsyncGenerator<{name: string, data: string, id: string}>}
 */
export async function* events(path, parameters, { signal, lastId, onOpen }) {
  const answer = await request(address(path, parameters), signal, undefined, lastId ? { "Last-Event-ID": lastId } : {});
  onOpen?.();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    if (rest.length > EVENT_CHARS_MAX) throw new ApiError(0, { code: "unreachable", message: "an event without an end" });
    for (const block of blocks) {
      const event = parsed(block);
      if (event) yield event;
    }
  }
}

function parsed(block) {
  const event = { name: "", data: "", id: "" };
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event.name = line.slice(7);
    else if (line.startsWith("data: ")) event.data += line.slice(6);
    else if (line.startsWith("id: ")) event.id = line.slice(4);
  }
  return event.name ? event : null;
}

async function request(url, signal, body, more = {}) {
  const headers = { ...more };
  if (key.get()) headers.Authorization = `Bearer ${key.get()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const options = { signal, headers, cache: "no-store", credentials: "omit", method: body === undefined ? "GET" : "POST" };
  let answer;
  try {
    answer = await fetch(url, body === undefined ? options : { ...options, body: JSON.stringify(body) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, { code: "unreachable", message: "no answer from the api" });
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  const failure = new ApiError(answer.status, told.error, Number(answer.headers.get("Retry-After")) || 0);
  if (answer.status === 401) dispatchEvent(new CustomEvent("zero:key", { detail: failure.message }));
  throw failure;
}
