// Rows of jobs, each with its place in the document for as long as it is shown: what is focused or selected stays so.

import {badge, duration, el, moment, setText, shortId} from "./elements.js";

const COLUMNS = ["State", "Job", "Queue", "Attempt", "Created", "Took"];

/** A table, and what shows other jobs in it. */
export function jobTable(caption) {
  // The roles stand for themselves where a narrow page lays the rows out as cards.
  const body = el("tbody", {role: "rowgroup"});
  const rows = new Map();
  const element = el("div", {class: "scroll"}, el("table", {class: "jobs", role: "table"},
    el("caption", {class: "unseen"}, caption),
    el("thead", {role: "rowgroup"}, el("tr", {role: "row"}, COLUMNS.map(name =>
      el("th", {scope: "col", role: "columnheader", class: name.toLowerCase()}, name)))),
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
  const attempt = el("td", {class: "attempt", role: "cell"});
  const took = el("td", {class: "took", role: "cell"});
  const element = el("tr", {role: "row"},
    el("td", {class: "state", role: "cell"}, state, progress),
    el("th", {scope: "row", class: "job", role: "rowheader"},
      el("a", {href: `#/jobs/${job.id}`}, job.kind, " ", el("code", {title: job.id}, shortId(job.id))), problem),
    el("td", {class: "queue", role: "cell"}, job.queue),
    attempt,
    el("td", {class: "created", role: "cell"}, moment(job.created_at)),
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
