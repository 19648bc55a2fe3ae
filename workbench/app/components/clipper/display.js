// What the page shows of the clipper's state, in words.

function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function saveState({ outbox }) {
  const unsafe = outbox.refused().length + outbox.pending.memory.size;
  const waiting = outbox.waiting().length;
  if (unsafe) return ["refused", `not saved (${unsafe})`];
  if (waiting && outbox.problem) return ["waiting", `waiting to be sent (${waiting})`];
  return waiting ? ["sending", "saving …"] : ["saved", "saved"];
}

const PROBLEMS_SAID = {
  signed_out: "You are signed out. Sign in again in another tab: what waits here is then sent.",
  not_allowed: "You are no longer a curator of this study. Nothing more is cut; what waits here stays in this browser.",
  other_person: "Somebody else has signed in in this browser. Reload this page.",
  offline: "No connection. Go on: what you do is kept here and sent when it is back.",
  unavailable: "The server does not answer just now. What you do is kept here and sent later.",
};

const GENDERS_SAID = { female: "woman", male: "man", other: "other" };

function messageOf(owner) {
  const problem = owner.outbox.problem ?? owner.source?.problem;
  if (problem) return PROBLEMS_SAID[problem] ?? PROBLEMS_SAID.unavailable;
  if (owner.hint) return owner.hint;
  const behind = owner.source?.picks.base.problem; // why the tables do not hold the picks yet
  if (behind) return `Your picks are kept. ${behind}`;
  return owner.mode === "ready" && !owner.source.playback.playing && owner.focus.kind === "free" && !owner.subject
    ? "n plays the first proposal; space plays from here."
    : "";
}

// What the frame is: [what, more].
function cardOf({ focus, source, subject, labels, play, digits }) {
  const { picks } = source;
  const clip = focus.kind === "clip" ? picks.clips.get(focus.start) : null;
  if (clip) return [whose(clip), about(clip, labels) || `${digits} say its emotion`];
  if (focus.kind === "proposal") {
    const stop = picks.proposals.find((one) => one.start === focus.start);
    if (stop) return [stop.status === "reject" ? "Rejected by the screens" : "Proposal", aboutStop(stop)];
  }
  const cut = subject === null ? null : picks.clips.get(subject);
  const here = play === "free" ? "At the playhead" : "Here";
  if (!cut) return [here, `${source.seconds(source.length)} seconds from the playhead`];
  return [here, `last cut ${clock(source.seconds(cut.start), 1)} · ${about(cut, labels) || `${digits} say its emotion`}`];
}

function whose(clip) {
  if (clip.arm === "picked") return "Picked by hand";
  return clip.arm === "random" ? "Clip chosen at random" : "Clip the screens chose";
}

function about(clip, labels) {
  const label = labels.get(clip.emotion);
  const who = [clip.speaker, GENDERS_SAID[clip.gender]].filter(Boolean).join(", ");
  return [label && `${label.sign} ${label.text.replace(/\s*\(.*$/, "")}`, who, clip.labelled && "raters have answered"].filter(Boolean).join(" · ");
}

function aboutStop(stop) {
  const reasons = stop.reasons.join(", ");
  return [`match ${Math.round(100 * stop.score)} of 100`, reasons, stop.skipped && "skipped"].filter(Boolean).join(" · ");
}

function progressOf({ source, mining, rejected }) {
  const { left, done } = source.picks.progress(rejected);
  const time = mining.left(left);
  const parts = [`${done} decided, ${left} to go`];
  if (mining.mined > source.rate) parts.push(`mined to ${clock(source.seconds(mining.mined))}`);
  if (time !== null && left) parts.push(`${aboutTime(time)} left`);
  return [parts.join(" · "), left + done ? done / (left + done) : 0];
}

function noticeOf({ mode, opening }) {
  if (mode === "empty") return ["No recording to mine yet", "Recordings appear here once they are ingested."];
  if (mode === "away") return ["This recording cannot be opened", opening?.sentence ?? ""];
  if (mode === "making") return ["Preparing the sound, once", opening?.eta_s ? `${aboutTime(opening.eta_s)} left` : ""];
  return mode === "starting" ? ["Opening …", ""] : null;
}

function display(owner) {
  const { dom, mode, source, focus } = owner;
  const [save, saved] = saveState(owner);
  const hasRefused = owner.outbox.refused().length > 0;
  const { dataset } = dom.clipper;
  Object.assign(dataset, { mode, save, focus: focus.kind, play: owner.play ?? "", anchor: owner.anchor, source: source?.name ?? "" });
  put(dom.saveText, hasRefused ? "" : saved);
  put(dom.saveButton, hasRefused ? saved : "");
  dom.saveButton.hidden = !hasRefused;
  put(dom.message, messageOf(owner));
  const notice = noticeOf(owner);
  dom.notice.hidden = !notice;
  if (notice) {
    put(dom.notice.querySelector("h2"), notice[0]);
    put(dom.notice.querySelector("p"), notice[1]);
    dom.notice.querySelector(".track").hidden = mode !== "making";
    dom.notice.querySelector(".again").hidden = mode !== "away";
    dom.notice.querySelector("i").style.width = `${100 * (owner.opening?.share ?? 0)}%`;
  }
  if (mode !== "ready") return;
  const [progress, share] = progressOf(owner);
  put(dom.count, progress);
  dom.track.style.width = `${100 * share}%`;
  dataset.left = source.picks.open(owner.rejected).length;
  const [what, more] = cardOf(owner);
  put(dom.what, what);
  put(dom.more, more);
  dom.more.title = more;
  const end = owner.anchor + source.length;
  put(dom.when, `${clock(source.seconds(owner.anchor), 3)} – ${clock(source.seconds(end), 3)}`);
  put(dom.speed, `${owner.speed}×`);
  put(dom.buttons.get("play").querySelector("span"), owner.play ? "Stop" : "Play");
  put(dom.buttons.get("cut").querySelector("span"), focus.kind === "clip" && source.picks.clips.get(focus.start)?.arm !== "picked" ? "Keep it" : "Cut here");
  dom.buttons.get("in_time").setAttribute("aria-pressed", owner.order === "time");
  dom.buttons.get("best_first").setAttribute("aria-pressed", owner.order === "best");
  dom.rejected.checked = owner.rejected;
  displaySpeaker(owner);
  displayBalance(owner);
}

function displaySpeaker({ dom, speaker }) {
  if (dom.root.activeElement !== dom.name && dom.name.value !== speaker.speaker) dom.name.value = speaker.speaker;
  for (const button of dom.genders) button.setAttribute("aria-pressed", button.dataset.gender === speaker.gender);
}

function displayKnown(owner) {
  const { dom, people } = owner;
  dom.names.replaceChildren(...people.map(({ speaker }) => tag("option", { value: speaker })));
  dom.known.replaceChildren(
    ...people.slice(0, 3).map((one) => {
      const made = tag("button", { type: "button", textContent: one.speaker });
      onPress(made, () => owner.speaks(one));
      return made;
    }),
  );
}

function displayBalance({ dom, source, data, focus, subject }) {
  const { counts, clips } = source.picks;
  const most = Math.max(1, ...Object.values(counts));
  const chosen = clips.get(focus.kind === "clip" ? focus.start : subject)?.emotion ?? null;
  for (const button of dom.emotions.children) {
    const count = counts[button.dataset.emotion] ?? 0;
    put(button.querySelector("b"), String(count));
    button.style.setProperty("--share", count / most);
    button.classList.toggle("chosen", focus.kind !== "proposal" && button.dataset.emotion === chosen);
  }
}

function flash(button) {
  if (!button) return;
  button.classList.remove("flash");
  void button.offsetWidth; // begin the animation anew
  button.classList.add("flash");
}

function showRefused(owner) {
  const { refused: panel } = owner.dom;
  const entries = owner.outbox.refused();
  panel.querySelector("ul").replaceChildren(
    ...entries.map((entry) => {
      const place = entry.start === undefined ? "" : ` at ${clock(entry.start / (owner.source?.rate ?? 1), 1)}`;
      const said = { pick: "cut", nominate: "emotion", speaker: "speaker", skip: "skip", undo: "undo", mined: "place reached" }[entry.kind];
      return tag("li", {}, [tag("strong", { textContent: `${said}${place} in ${entry.source}` }), tag("small", { textContent: entry.reason })]);
    }),
  );
  panel.querySelector(".dismiss").onclick = () => {
    panel.hidden = true;
    owner.outbox.dismiss(entries);
  };
  panel.hidden = false;
  panel.querySelector(".close").focus({ preventScroll: true });
}
