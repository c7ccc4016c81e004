// Asks for a key, or for a read token and the job that it opens.

import {call, Refused, session} from "./client.js";
import {el, heading, problemBox} from "./elements.js";

export function connect(root, {jobId, problem, onConnected}) {
  const key = el("input", {
    id: "key", type: "password", name: "key", required: true, maxlength: "16000", autocomplete: "off", spellcheck: "false",
    "aria-describedby": "key-hint",
  });
  const job = el("input", {
    id: "token-job", name: "job", maxlength: "36", spellcheck: "false", autocomplete: "off", pattern: "[0-9a-fA-F\\-]{36}",
    title: "36 letters and digits, as in 0199a1b2-…", value: jobId ?? "",
  });
  const jobField = el("div", {class: "field", hidden: true}, el("label", {for: "token-job"}, "Job id of the token"), job);
  const told = el("div", {}, problem && problemBox(problem));
  const button = el("button", {class: "strong"}, "Open");
  const isToken = () => key.value.trim().startsWith("bctr_");
  key.addEventListener("input", () => {
    jobField.hidden = !isToken();
    job.required = isToken();
  });

  async function enter(event) {
    event.preventDefault();
    button.disabled = true;
    session.enter(key.value.trim());
    try {
      await check(isToken() ? job.value.trim() : null);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      session.leave();
      told.replaceChildren(problemBox(error.problem));
      return;
    } finally {
      button.disabled = false;
    }
    const there = isToken() ? `#/jobs/${job.value.trim()}` : location.hash;
    if (there === location.hash) onConnected();
    else location.hash = there;
  }

  root.replaceChildren(el("form", {class: "connect", onsubmit: enter},
    heading("Connect"),
    el("p", {}, "Jobs, their progress and their failures, with the rights of your key."),
    told,
    el("div", {class: "field"}, el("label", {for: "key"}, "API key or read token"), key,
      el("p", {class: "note", id: "key-hint"},
        "Kept in this tab until you close it or sign out. On one machine, the admin's key is in ",
        el("code", {}, ".bucatini/admin.key"), ".")),
    jobField,
    button));
  key.focus();
}

async function check(jobId) {
  try {
    await call("GET", jobId === null ? "/api/jobs" : `/api/jobs/${encodeURIComponent(jobId)}`,
      {query: jobId === null ? {limit: 1} : {}});
  } catch (error) {
    // A key without this right may still be good for other views.
    if (!(error instanceof Refused && error.problem.status === 403 && jobId === null)) throw error;
  }
}
