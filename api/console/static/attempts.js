// Each attempt of a job: when it ran, how it ended, and the error that ended it.

import {badge, duration, el, moment, problemBox, setText} from "./elements.js";

const MAX_SHOWN = 50;
const ENDS = {
  "job.succeeded": "succeeded", "job.failed": "failed", "job.dead": "dead", "job.cancelled": "cancelled",
  "job.retrying": "retrying", "job.waiting": "waiting", "job.released": "queued", "job.requeued": "queued",
};
const WORDS = {
  "job.released": "Its worker handed it back; this doesn't count as an attempt.",
  "job.waiting": "It waits for the jobs that it made.",
};

export function attempts() {
  const list = el("ol", {class: "attempts"});
  const element = el("section", {"aria-labelledby": "attempts", hidden: true}, el("h2", {id: "attempts"}, "Attempts"), list);
  let open = null, replays = 0;

  function add(event) {
    if (event.type === "job.replayed") replays += 1;
    if (event.type === "job.started") {
      open = attemptOf(event, replays);
      list.append(open.element);
      if (list.children.length > MAX_SHOWN) list.firstChild.remove();
      element.hidden = false;
    } else if (open && event.type in ENDS) {
      open.end(event);
      open = null;
    }
  }

  function clear() {
    open = null;
    replays = 0;
    list.replaceChildren();
    element.hidden = true;
  }

  return {element, add, clear};
}

function attemptOf(started, replays) {
  const state = badge("running");
  const took = el("span", {class: "note"});
  const element = el("li", {},
    el("div", {class: "line"}, el("strong", {}, `Attempt ${started.data?.attempt ?? "?"}`),
      replays > 0 && el("span", {class: "note"}, "after a replay"), state, moment(started.time), took));

  function end(event) {
    badge(ENDS[event.type], state);
    setText(took, `took ${duration(started.time, event.time)}`);
    const {problem, reason, due} = event.data ?? {};
    if (problem) element.append(errorOf(problem));
    else if (reason || WORDS[event.type]) element.append(el("p", {class: "note"}, reason ? `Ended because of this: ${reason}.` : WORDS[event.type]));
    if (due && event.type === "job.retrying") element.append(el("p", {class: "note"}, "The next one was due ", moment(due), "."));
  }

  return {element, end};
}

function errorOf(problem) {
  const box = problemBox(problem);
  // Part of what is told of the job, not news of its own.
  box.removeAttribute("role");
  return box;
}
