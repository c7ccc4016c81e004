// What is asked before something is done. Escape always means no.

import {call, newKey, Refused, rest} from "./client.js";
import {copyButton, el, problemBox, say, setText} from "./elements.js";

const POLL_MILLISECONDS = 500;

/**
 * Shows a dialog with this content and gives what `onYes` gave, once it gave something; null if it was left.
 * A problem that `onYes` meets is shown inside, and can be mended there.
 */
function asked({title, content, yes, no = "Close", tone = "strong", onYes}) {
  return new Promise(resolve => {
    const told = el("div");
    const button = el("button", {class: tone}, yes);
    const dialog = el("dialog", {"aria-labelledby": "asked"},
      el("form", {onsubmit: submit}, el("h2", {id: "asked"}, title), told, content,
        el("div", {class: "actions"}, yes && button,
          el("button", {type: "button", class: "quiet", onclick: () => dialog.close()}, no))));
    let outcome = null;
    const opener = document.activeElement;
    dialog.addEventListener("close", () => {
      closed.abort();
      dialog.remove();
      opener?.focus();
      resolve(outcome);
    });
    const closed = new AbortController();
    addEventListener("hashchange", () => dialog.close(), {signal: closed.signal});

    async function submit(event) {
      event.preventDefault();
      button.disabled = true;
      try {
        outcome = await onYes({told, dialog, button});
        dialog.close();
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        told.replaceChildren(problemBox(error.problem));
      } finally {
        button.disabled = false;
      }
    }

    document.body.append(dialog);
    dialog.showModal();
  });
}

export function confirmed({title, text, yes, no}) {
  return asked({title, content: el("p", {}, text), yes, no, tone: "danger", onYes: () => true});
}

/** Queues the job again, as it was or with other fields. Gives the job, or null. */
export function replayJob(job) {
  const fields = el("textarea", {id: "command", rows: "8", spellcheck: "false", placeholder: '{"title": "Lease", "text": "…"}'});
  const idempotencyKey = newKey();
  return asked({
    title: "Run this job again?",
    content: el("div", {},
      el("p", {}, `Its ${job.max_attempts} attempts are given back. Without fields below it runs with the command it had.`),
      el("div", {class: "field"}, el("label", {for: "command"}, "Other fields, as JSON (optional)"), fields,
        el("p", {class: "note"}, `All fields of ${job.kind}, since they replace those that the job has.`))),
    yes: "Replay",
    onYes: () => {
      const text = fields.value.trim();
      const body = text === "" ? {} : {command: parsed(text)};
      // Other fields are another wish, so they get a key of their own.
      return call("POST", `/api/jobs/${job.id}/replay`, {body, headers: {"idempotency-key": `${idempotencyKey}:${fingerprint(text)}`}});
    },
  });
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value;
    throw new SyntaxError("it must be an object, in { }");
  } catch (error) {
    throw new Refused({title: "The fields aren't JSON", detail: error.message, errors: []});
  }
}

function fingerprint(text) {
  let hash = 0;
  for (const character of text) hash = (Math.imul(hash, 31) + character.codePointAt(0)) | 0;
  return (hash >>> 0).toString(16);
}

/** Queues all jobs of a group again, after saying how many they are. Gives the finished replay, or null. */
export async function replayGroup(group) {
  const filter = {fingerprint: group.fingerprint};
  const {count, counted_all: all} = await call("POST", "/api/jobs/replay", {body: {...filter, dry_run: true}});
  const number = `${count.toLocaleString("en")}${all ? "" : " or more"}`;
  const pace = el("input", {id: "pace", type: "number", min: "0.01", max: "10000", step: "any", inputmode: "decimal"});
  const idempotencyKey = newKey();
  return asked({
    title: "Run these jobs again?",
    content: el("div", {}, el("p", {}, el("strong", {}, `${number} ${count === 1 ? "job" : "jobs"}`),
      " that failed of this would be queued again, each once. Those that are being retried already are left alone."),
      el("div", {class: "field"}, el("label", {for: "pace"}, "At most so many a second (optional)"), pace)),
    yes: count > 0 ? `Replay ${number}` : null,
    onYes: async ({told, dialog}) => {
      const body = pace.value === "" ? filter : {...filter, per_second: Number(pace.value)};
      let replay = await call("POST", "/api/jobs/replay", {
        body, headers: {"idempotency-key": `${idempotencyKey}:${fingerprint(pace.value)}`}});
      const bar = el("progress", {max: String(count), "aria-label": "Jobs queued again"});
      const word = el("span");
      told.replaceChildren(el("div", {class: "progress"}, bar, word));
      while (dialog.open && replay.state !== "finished") {
        await rest(POLL_MILLISECONDS);
        replay = await call("GET", `/api/replays/${replay.id}`);
        bar.value = replay.replayed;
        setText(word, `${replay.replayed.toLocaleString("en")} queued again`);
      }
      say(`${replay.replayed} jobs queued again`);
      return replay;
    },
  });
}

/** Saves a search, which from then on tells of new documents that match. Gives it, or null. */
export function saveSearch(query) {
  const name = el("input", {id: "saved-name", required: true, maxlength: "64", pattern: "[a-z0-9][a-z0-9_\\-]*", autocomplete: "off",
    spellcheck: "false", placeholder: "overdue-leases"});
  const description = el("input", {id: "saved-description", maxlength: "500", dir: "auto", autocomplete: "off"});
  return asked({
    title: "Save this search",
    content: el("div", {},
      el("p", {}, "From now on each new document that matches is told of by the event ", el("code", {}, "search.saved_matched"), "."),
      el("div", {class: "field"}, el("label", {for: "saved-name"}, "Name"), name,
        el("p", {class: "note"}, "Small letters, digits, - and _.")),
      el("div", {class: "field"}, el("label", {for: "saved-description"}, "Description (optional)"), description)),
    yes: "Save",
    onYes: () => call("POST", "/api/search/saved", {body: {name: name.value, description: description.value, query}}),
  });
}

/** Makes a read token for somebody who may watch this job and nothing else. */
export async function shareJob(job) {
  const made = await call("POST", `/api/jobs/${job.id}/token`, {body: {ttl_seconds: 3_600}});
  const address = `${location.origin}/#/jobs/${job.id}`;
  await asked({
    title: "Let somebody watch this job",
    content: el("div", {},
      el("p", {}, "Whoever opens the address and enters the token sees this job, and nothing else, until ",
        new Date(made.expires_at).toLocaleTimeString(), "."),
      el("p", {class: "secret"}, el("code", {}, address), copyButton(address, "Copy address")),
      el("p", {class: "secret"}, el("code", {}, made.token), copyButton(made.token, "Copy token"))),
  });
  return false;
}
