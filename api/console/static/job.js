// One job: where it stands and why, what it brought, and all that happened to it, as it happens.

import {attempts} from "./attempts.js";
import {batchProgress} from "./batch.js";
import {call, calmly, fetchFile, follow, Refused, rest, session} from "./client.js";
import {commandOf} from "./command.js";
import {confirmed, replayJob, shareJob} from "./dialogs.js";
import {badge, copyButton, duration, el, heading, json, moment, problemBox, say, setText} from "./elements.js";
import {writtenText} from "./text.js";
import {timeline} from "./timeline.js";

const BETWEEN_LOOKS = 400, BETWEEN_COUNTS = 3_000;
const OVER = new Set(["succeeded", "failed", "dead", "cancelled"]);
const ENDINGS = new Set([...OVER].map(state => `job.${state}`));
const REPLAYABLE = new Set(["failed", "dead", "cancelled"]);
const BATCH = "jobs.batch";

export async function showJob(root, {argument: id, signal}) {
  const path = `/api/jobs/${id.toLowerCase()}`;
  const parts = partsOf();
  const told = timeline(), tried = attempts(), written = writtenText(), command = commandOf(path);
  let job = await call("GET", path, {signal});
  root.append(heading(job.kind, parts.state, parts.actions),
    el("p", {class: "identity"}, el("code", {}, job.id), copyButton(job.id, "Copy id")),
    parts.problem, parts.why, parts.progress, parts.batch, written.element, parts.outcome,
    tried.element, ...(session.watches ? [] : [command.element]),
    el("div", {class: "columns"},
      el("section", {"aria-labelledby": "facts"}, el("h2", {id: "facts"}, "Facts"), parts.facts),
      el("section", {"aria-labelledby": "timeline"}, el("h2", {id: "timeline"}, "Timeline"), told.element)));

  async function look() {
    const before = job.state;
    job = await call("GET", path, {signal});
    await render(job, parts, act, signal);
    if (job.state !== before) say(`The job is ${job.state}`);
    renderActions(job, parts, act);
  }

  /** Does what was asked for and shows what came of it, good or bad. */
  async function act(wish) {
    parts.problem.replaceChildren();
    try {
      if (await wish()) await look();
      await followOn();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      parts.problem.replaceChildren(problemBox(error.problem));
    }
  }

  const askCommand = session.watches ? async () => {} : calmly(() => command.show(signal).catch(() => {}), BETWEEN_LOOKS, signal);

  let following = false;
  async function followOn() {
    if (following || signal.aborted) return;
    following = true;
    told.clear();
    tried.clear();
    written.clear();
    const ask = calmly(() => look().catch(() => {}), BETWEEN_LOOKS, signal);
    try {
      await follow(`${path}/events`, {signal, onEvent: event => {
        if (event.type === "job.progressed") return showProgress(parts.progress, event.data);
        written.add(event);
        if (event.type === "ai.delta") return undefined;
        told.add(event);
        tried.add(event);
        if (event.type === "job.replayed") askCommand();
        ask();
        if (ENDINGS.has(event.type)) return "over";
        return event.type === "job.replayed" ? "on" : undefined;
      }});
    } finally {
      following = false;
    }
  }

  await render(job, parts, act, signal);
  renderActions(job, parts, act);
  askCommand();
  return () => {
    keepLooking(() => job, look, signal);
    return followOn();
  };
}

/** A place in line moves, and a batch's jobs end, without an event of the job's own. */
async function keepLooking(current, look, signal) {
  while (!signal.aborted) {
    await rest(BETWEEN_COUNTS, signal);
    if (!signal.aborted && !document.hidden && !OVER.has(current().state)) await look().catch(() => {});
  }
}

function partsOf() {
  return {
    state: badge("queued"),
    actions: el("div", {class: "actions"}),
    problem: el("div"),
    why: el("p", {class: "why", hidden: true}),
    progress: el("div", {class: "progress", hidden: true}),
    batch: el("div"),
    outcome: el("div"),
    facts: el("dl", {class: "facts"}),
  };
}

async function render(job, parts, act, signal) {
  badge(job.state, parts.state);
  if (job.state === "running" && job.progress) showProgress(parts.progress, job.progress);
  else parts.progress.hidden = true;
  renderFacts(job, parts.facts);
  renderOutcome(job, parts.outcome, act);
  if (session.watches) return;
  parts.why.hidden = OVER.has(job.state);
  if (!parts.why.hidden) setText(parts.why, (await call("GET", `/api/jobs/${job.id}/why`, {signal})).summary);
  if (job.kind === BATCH) parts.batch.replaceChildren(batchProgress(await call("GET", `/api/batches/${job.id}`, {signal})));
}

function showProgress(node, {fraction, message}) {
  if (!node.firstChild) node.append(el("progress", {max: "1", "aria-label": "Progress"}), el("span"));
  node.hidden = false;
  node.firstChild.value = fraction;
  setText(node.lastChild, `${Math.round(fraction * 100)} %${message ? ` · ${message}` : ""}`);
}

function renderFacts(job, node) {
  const link = id => el("a", {href: `#/jobs/${id}`}, el("code", {}, id));
  const facts = [
    ["Queue", job.queue],
    ["Priority", String(job.priority)],
    ["Attempt", `${job.attempt} of ${job.max_attempts}`],
    ["Created", moment(job.created_at)],
    job.state === "scheduled" && ["Due", moment(job.run_at)],
    job.started_at && ["Started", moment(job.started_at)],
    job.finished_at && ["Ended", moment(job.finished_at)],
    job.started_at && ["Took", duration(job.started_at, job.finished_at)],
    job.deadline && ["Deadline", moment(job.deadline)],
    job.parent_id && ["Made by", link(job.parent_id)],
    job.correlation_id && ["Correlation", el("code", {}, job.correlation_id)],
  ].filter(Boolean);
  node.replaceChildren(...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function renderOutcome(job, node, act) {
  const version = `${job.state} ${job.finished_at} ${job.attempt}`;
  if (node.dataset.version === version) return;
  node.dataset.version = version;
  const parts = [
    job.problem && el("section", {"aria-label": "Problem"}, el("h2", {}, "Problem"), problemOf(job.problem)),
    job.result && el("section", {"aria-label": "Result"}, el("h2", {}, "Result"), json(job.result, "Result as JSON")),
    job.result_url && !session.watches && el("section", {"aria-label": "Result"}, el("h2", {}, "Result"), largeResult(job, act)),
  ].filter(Boolean);
  node.replaceChildren(...parts);
}

function problemOf(problem) {
  const box = problemBox(problem);
  // It is told with the job's state, not as news of its own.
  box.removeAttribute("role");
  box.append(el("p", {class: "note"}, el("code", {}, problem.type)));
  return box;
}

function largeResult(job, act) {
  return el("p", {}, `${job.result_bytes.toLocaleString("en")} bytes, too large to be shown. `,
    el("button", {type: "button", onclick: () => act(async () => {
      const address = URL.createObjectURL(await fetchFile(job.result_url));
      el("a", {href: address, download: `${job.id}.json`}).click();
      URL.revokeObjectURL(address);
    })}, "Download"));
}

function renderActions(job, parts, act) {
  if (parts.actions.dataset.offers === job.state || session.watches) return;
  parts.actions.dataset.offers = job.state;
  const over = OVER.has(job.state);
  parts.actions.replaceChildren(...[
    !over && el("button", {type: "button", class: "danger", onclick: () => act(() => cancel(job))}, "Cancel job…"),
    REPLAYABLE.has(job.state) && job.kind !== BATCH &&
      el("button", {type: "button", class: "strong", onclick: () => act(() => replayJob(job))}, "Replay…"),
    el("button", {type: "button", class: "quiet", onclick: () => act(() => shareJob(job))}, "Share…"),
  ].filter(Boolean));
}

async function cancel(job) {
  const what = job.kind === BATCH ? "Every job of it that hasn't ended is cancelled." : "A run under way is stopped, and nothing of it is kept.";
  if (!await confirmed({title: "Cancel this job?", text: what, yes: "Cancel it", no: "Keep it"})) return false;
  await call("POST", job.kind === BATCH ? `/api/batches/${job.id}/cancel` : `/api/jobs/${job.id}/cancel`);
  return true;
}
