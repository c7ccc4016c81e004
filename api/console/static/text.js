// What a job writes, as it writes it: sections in their order, put together from live pieces and their stored ends.

import {el} from "./elements.js";

const MOST_CHARACTERS = 200_000;

export function writtenText() {
  const body = el("div", {class: "written", tabindex: "0", role: "region", "aria-label": "Text"});
  const element = el("section", {"aria-labelledby": "text-heading", hidden: true}, el("h2", {id: "text-heading"}, "Text"), body);
  const sections = new Map();
  let attempt = 0, shown = 0;

  function section(number) {
    if (!sections.has(number)) {
      const heading = el("h3", {hidden: true}), text = el("p");
      const node = el("div", {"data-section": String(number)}, heading, text);
      const next = [...sections.keys()].filter(one => one > number).sort((one, other) => one - other)[0];
      body.insertBefore(node, next === undefined ? null : sections.get(next).node);
      sections.set(number, {node, heading, text, attempt, resets: 0, known: 0, complete: false});
    }
    return sections.get(number);
  }

  function begin(one, resets) {
    Object.assign(one, {attempt, resets});
    set(one, "");
  }

  function set(one, text) {
    shown += text.length - one.text.textContent.length;
    one.text.textContent = text;
    one.known = [...text].length;
  }

  /** Takes pieces in their order; what comes behind a gap is left to the section's end. */
  function addPiece({section: number, offset, text, attempt: of, resets}) {
    const one = section(number);
    if (one.complete || of < one.attempt || (of === one.attempt && resets < one.resets)) return;
    if (of > one.attempt || resets > one.resets) {
      attempt = Math.max(attempt, of);
      begin(one, resets);
    }
    const characters = [...text].slice(one.known - offset);
    if (offset > one.known || !characters.length || shown > MOST_CHARACTERS) return;
    const stays = body.scrollHeight - body.scrollTop - body.clientHeight > 40;
    one.text.append(characters.join(""));
    one.known += characters.length;
    shown += characters.length;
    if (!stays) body.scrollTop = body.scrollHeight;
  }

  function add({type, data}) {
    if (type === "ai.delta") addPiece(data);
    else if (type === "ai.section_completed") {
      const one = section(data.section);
      one.complete = true;
      one.heading.textContent = data.heading;
      one.heading.hidden = !data.heading;
      set(one, shown > MOST_CHARACTERS ? "…" : data.text);
    } else if (type === "ai.section_reset") {
      const one = section(data.section);
      const resets = (one.seen = (one.seen ?? 0) + 1);
      if (!one.complete && resets > one.resets) begin(one, resets);
    } else if (type === "job.started") {
      attempt = data.attempt;
      for (const one of sections.values()) {
        one.seen = 0;
        if (!one.complete) begin(one, 0);
      }
    } else return;
    element.hidden = !sections.size;
  }

  function clear() {
    sections.clear();
    body.replaceChildren();
    shown = attempt = 0;
    element.hidden = true;
  }

  return {element, add, clear};
}
