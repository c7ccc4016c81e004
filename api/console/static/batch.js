// How far a batch is: a bar of its jobs' states, and the way to the jobs of each.

import {badge, el} from "./elements.js";

export function batchProgress(batch) {
  const states = Object.entries(batch.by_state).filter(([, count]) => count > 0);
  const bar = el("div", {class: "states", "aria-hidden": "true"});
  for (const [state, count] of states) {
    const part = el("span", {"data-state": state});
    part.style.flexGrow = String(count);
    bar.append(part);
  }
  return el("section", {"aria-label": "Batch"},
    el("h2", {}, batch.name || "Batch", ` · ${batch.total.toLocaleString("en")} jobs`), bar,
    el("ul", {class: "legend"}, states.map(([state, count]) => el("li", {},
      el("a", {href: `#/jobs?batch_id=${batch.id}&state=${state}`}, badge(state), ` ${count.toLocaleString("en")}`)))));
}
