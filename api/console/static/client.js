// Speaks to the public API with what was typed in. The key lives in this tab's session storage, and is never part of an address.

const KEY = "bucatini.key";
const MOST_BUFFERED = 4_000_000;
const FIRST_PAUSE = 500, LONGEST_PAUSE = 15_000;

export const session = {
  get key() { return sessionStorage.getItem(KEY); },
  enter(key) { sessionStorage.setItem(KEY, key); },
  leave() { sessionStorage.removeItem(KEY); },
  /** Whether it opens one job only, and changes nothing. */
  get watches() { return this.key?.startsWith("bctr_") ?? false; },
};

/** A request that the API refused; `problem` is its answer. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/** The answer's JSON, or null where it has none. Throws Refused with the problem. */
export async function call(method, path, {body, query, headers, signal} = {}) {
  const answer = await send(method, address(path, query), {body, headers, signal});
  return answer.status === 204 ? null : answer.json();
}

/** The answer as a file, for a result that is too large to be shown. */
export async function fetchFile(path) {
  return (await send("GET", path)).blob();
}

function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

async function send(method, path, {body, headers = {}, signal} = {}) {
  const answer = await reached(path, {
    method,
    signal,
    headers: {
      authorization: `Bearer ${session.key}`,
      ...(body === undefined ? {} : {"content-type": "application/json"}),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
  });
  if (answer.ok) return answer;
  throw new Refused(await problemIn(answer));
}

async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused({
      status: 0,
      title: "The ingress can't be reached",
      detail: "Check that it runs and that you are connected, then try again.",
    });
  }
}

async function problemIn(answer) {
  try {
    return await answer.json();
  } catch {
    return {status: answer.status, title: `The ingress answered ${answer.status}`, detail: ""};
  }
}

/**
 * Follows a stream of events until `signal` aborts, or until it ends after `onEvent` returned "over" and not "on" since.
 * Whatever else ends it, it is taken up again after the last event seen. `onLink` hears true and false as it comes and goes.
 * Throws Refused where trying again is useless.
 */
export async function follow(path, {onEvent, onLink = () => {}, signal}) {
  let lastId = null, pause = FIRST_PAUSE, over = false;
  while (!signal.aborted) {
    try {
      const headers = lastId === null ? {} : {"last-event-id": lastId};
      const answer = await send("GET", path, {headers, signal});
      onLink(true);
      pause = FIRST_PAUSE;
      for await (const frame of framesOf(answer.body)) {
        if (frame.id !== null) lastId = frame.id;
        const verdict = frame.data === "" || frame.name !== "" ? undefined : onEvent(JSON.parse(frame.data));
        if (verdict === "over" || verdict === "on") over = verdict === "over";
      }
      if (over) return;
    } catch (error) {
      if (signal.aborted) return;
      const status = error instanceof Refused ? error.problem.status : 0;
      if (status >= 400 && status < 500 && status !== 429) throw error;
    }
    onLink(false);
    await rest(pause, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

/** The frames of an event stream, as the standard cuts them. */
async function* framesOf(body) {
  let buffered = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    buffered += value;
    const frames = buffered.split("\n\n");
    buffered = frames.pop();
    if (buffered.length > MOST_BUFFERED) throw new Error("an event is larger than this page takes");
    yield* frames.map(frameIn);
  }
}

function frameIn(text) {
  const frame = {id: null, name: "", data: ""};
  for (const line of text.split("\n")) {
    if (line.startsWith("id: ")) frame.id = line.slice(4);
    if (line.startsWith("event: ")) frame.name = line.slice(7);
    if (line.startsWith("data: ")) frame.data += line.slice(6);
  }
  return frame;
}

/** An idempotency key: crypto.randomUUID isn't there on plain HTTP from another machine. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
}

export function rest(milliseconds, signal) {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, {once: true});
  });
}

/** Calls `act` soon after it is asked to, however often that is: at most once in `milliseconds`, and never twice at a time. */
export function calmly(act, milliseconds, signal) {
  let wanted = false, busy = false;
  return async function ask() {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted && !signal.aborted) {
      wanted = false;
      await act();
      await rest(milliseconds, signal);
    }
    busy = false;
  };
}
