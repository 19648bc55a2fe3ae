// What the page shows of the console's state: whether answers are saved, one message, progress, what is switched on.

const FLASH_MS = 240;

function saveState({ outbox, text }) {
  const unsafe = outbox.refused().length + outbox.pending.memory.size;
  const waiting = outbox.waiting().length;
  if (unsafe) return ["refused", text("not_saved", { n: unsafe })];
  if (waiting && outbox.problem) return ["waiting", text("waiting", { n: waiting })];
  if (waiting) return ["sending", text("sending")];
  return ["saved", text("saved")];
}

function messageOf(owner) {
  const { outbox, supply, current, text, mode } = owner;
  const problem = outbox.problem ?? supply.problem;
  if (["other_person", "not_allowed", "signed_out"].includes(problem)) return text(wordsOf(problem));
  if (current?.state === "broken") return brokenMessage(owner);
  if (owner.hint) return text(owner.hint, { n: owner.sitting });
  if (mode === "loading" || mode === "starting") return text(problem ? wordsOf(problem) : "loading");
  if (outbox.problem) return text(wordsOf(outbox.problem));
  if (mode === "playing" && owner.sitting === 0 && !owner.past.tokens().length) return text("first");
  return "";
}

function brokenMessage({ unplayable, text }) {
  return unplayable ? text("broken", { key: unplayable.keys[0] ?? "", flag: unplayable.text }) : text("broken_skip");
}

function paceOf({ answeredAt, sitting, text }) {
  const gaps = answeredAt.slice(1).map((at, i) => at - answeredAt[i]).sort((a, b) => a - b);
  if (!gaps.length) return "";
  return text("pace", { n: sitting, seconds: (gaps[gaps.length >> 1] / 1000).toFixed(1) });
}

function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function display(owner) {
  const { dom, current: clip, mode, text } = owner;
  const [save, saveText] = saveState(owner);
  const refused = owner.outbox.refused().length > 0;
  dom.console.dataset.mode = mode;
  dom.console.dataset.save = save;
  dom.console.dataset.ahead = owner.supply.queue.filter((other) => other.state === "ready").length;
  put(dom.saveText, refused ? "" : saveText);
  put(dom.saveButton, refused ? saveText : "");
  dom.saveButton.hidden = !refused;
  dom.elsewhere.hidden = !owner.outbox.ofOthers;
  if (!owner.outbox.waiting().length) dom.menu.querySelector(".held").hidden = true;
  const { total, done } = owner;
  const known = total !== null && done !== null;
  put(dom.count, known ? text("progress", { done, total: Math.max(total, done) }) : "");
  dom.track.style.width = known && total ? `${Math.min(100, (100 * done) / total)}%` : "0";
  put(dom.message, messageOf(owner));
  const ended = mode === "done" || mode === "more";
  const skips = clip?.state === "broken" && !owner.unplayable;
  dom.end.hidden = !ended;
  dom.canvas.hidden = ended;
  dom.begin.hidden = !(mode === "blocked" || mode === "more" || skips);
  put(dom.begin, text(skips ? "skip" : mode === "more" ? "more_waiting" : "begin"));
  if (ended) {
    put(dom.end.querySelector("h2"), text(total === 0 ? "no_clips" : "thanks"));
    put(dom.end.querySelector(".pace"), paceOf(owner));
    put(dom.end.querySelector(".more"), text("nothing_left"));
  }
  for (const flag of owner.data.flags) {
    if (!flag.answers) dom.buttons.get(`flag.${flag.name}`)?.setAttribute("aria-pressed", String(Boolean(clip?.flags.has(flag.name))));
  }
  dom.buttons.get("tool.note")?.classList.toggle("on", Boolean(clip?.note));
  dom.buttons.get("tool.slower")?.classList.toggle("on", owner.player.slow);
  owner.picture?.show(clip);
}

function flash(button) {
  if (!button) return;
  button.classList.remove("chosen");
  void button.offsetWidth; // begin the animation anew
  button.classList.add("chosen");
  clearTimeout(button.unflash);
  button.unflash = setTimeout(() => button.classList.remove("chosen"), FLASH_MS);
}
