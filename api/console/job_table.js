// Rows of jobs, each with its place in the document for as long as it is shown: what is focused or selected stays so.

import {badge, duration, el, moment, setText, shortId} from "./elements.js";

const COLUMNS = ["State", "Job", "Queue", "Attempt", "Created", "Took"];

/** A table, and what shows other jobs in it. */
export function jobTable(caption) {
  const body = el("tbody");
  const rows = new Map();
  const element = el("div", {class: "scroll"}, el("table", {class: "jobs"},
    el("caption", {class: "unseen"}, caption),
    el("thead", {}, el("tr", {}, COLUMNS.map(name => el("th", {scope: "col", class: name.toLowerCase()}, name)))),
    body));

  function show(jobs) {
    const kept = new Set(jobs.map(job => job.id));
    for (const [id, row] of rows) {
      if (kept.has(id)) continue;
      row.element.remove();
      rows.delete(id);
    }
    jobs.forEach((job, place) => {
      const row = rows.get(job.id) ?? rowOf(job);
      rows.set(job.id, row);
      row.update(job);
      if (body.children[place] !== row.element) body.insertBefore(row.element, body.children[place] ?? null);
    });
  }

  return {element, show};
}

function rowOf(job) {
  const state = badge(job.state);
  const progress = el("span", {class: "note percent"});
  const problem = el("span", {class: "note reason"});
  const attempt = el("td", {class: "attempt"});
  const took = el("td", {class: "took"});
  const element = el("tr", {},
    el("td", {class: "state"}, state, progress),
    el("th", {scope: "row", class: "job"},
      el("a", {href: `#/jobs/${job.id}`}, job.kind, " ", el("code", {title: job.id}, shortId(job.id))), problem),
    el("td", {class: "queue"}, job.queue),
    attempt,
    el("td", {class: "created"}, moment(job.created_at)),
    took);

  function update(now) {
    badge(now.state, state);
    const running = now.state === "running" && now.progress;
    setText(progress, running ? ` ${Math.round(now.progress.fraction * 100)} %` : "");
    setText(problem, now.problem ? now.problem.title : "");
    setText(attempt, `${now.attempt} of ${now.max_attempts}`);
    setText(took, duration(now.started_at, now.finished_at));
  }

  return {element, update};
}
