// Which view the address asks for, and whether there is a key to show it with.

import {connect} from "./connect.js";
import {Refused, session} from "./client.js";
import {problemBox} from "./elements.js";
import {showFailureGroup, showFailures} from "./failures.js";
import {showHolds} from "./holds.js";
import {showJob} from "./job.js";
import {showJobs} from "./jobs.js";
import {showSchedules} from "./schedules.js";
import {showSearch} from "./search.js";

const VIEWS = [
  [/^\/jobs$/, showJobs],
  [/^\/jobs\/([0-9a-f-]{36})$/i, showJob],
  [/^\/failures$/, showFailures],
  [/^\/failures\/([0-9a-f]{16})$/, showFailureGroup],
  [/^\/schedules$/, showSchedules],
  [/^\/holds$/, showHolds],
  [/^\/search$/, showSearch],
];
const main = document.getElementById("main");
let leaving = new AbortController();
let first = true;

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const {signal} = leaving;
  const [path, query] = location.hash.slice(1).split("?");
  const found = VIEWS.map(([pattern, view]) => [pattern.exec(path), view]).find(([match]) => match);
  if (!found) return location.replace("#/jobs");
  const [match, view] = found;
  dress(path);
  main.replaceChildren();
  const mayShow = session.key !== null && (!session.watches || view === showJob);
  if (!mayShow) {
    first = false;
    return connect(main, {jobId: view === showJob ? match[1] : null, onConnected: show});
  }
  try {
    // A view shows itself, then gives what keeps it up to date, if anything does.
    const stayLive = await view(main, {signal, argument: match[1], query: new URLSearchParams(query)});
    if (signal.aborted) return;
    // A view that came by a click begins at its heading, for those who move by keyboard or listen.
    if (!first) main.querySelector("h1")?.focus();
    first = false;
    await stayLive?.();
  } catch (error) {
    if (!signal.aborted) stumble(error);
  }
}

/** The frame around the view: where we are, and what the key lets us go to. */
function dress(path) {
  const alone = session.key === null || session.watches;
  document.getElementById("nav").hidden = alone;
  document.getElementById("open-job").hidden = alone;
  document.getElementById("leave").hidden = session.key === null;
  for (const link of document.querySelectorAll("#nav a")) {
    if (path.startsWith(link.getAttribute("href").slice(1))) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function stumble(error) {
  if (!(error instanceof Refused)) {
    main.prepend(problemBox({title: "The page failed", detail: `${error}. Load it again.`}));
    throw error;
  }
  if (error.problem.status === 401) {
    session.leave();
    dress(location.hash.slice(1));
    connect(main, {jobId: null, problem: error.problem, onConnected: show});
  } else {
    main.prepend(problemBox(error.problem));
  }
}

document.getElementById("leave").addEventListener("click", () => {
  session.leave();
  show();
});
document.getElementById("open-job").addEventListener("submit", event => {
  event.preventDefault();
  const id = event.target.elements.id.value.trim();
  if (id) location.hash = `#/jobs/${encodeURIComponent(id)}`;
  event.target.reset();
});
document.getElementById("skip").addEventListener("click", event => {
  // The fragment names the view, so the link can't do this by itself.
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", show);
show();
