// What stands in a source: its clips, what is proposed, what was skipped. The server's word, and on top of it what was
// done here since, so that a key shows at once and an undo shows what was there before.

class Picks {
  constructor(opened) {
    this.length = opened.clip_samples;
    this.proposed = opened.proposals.map((one) => ({ ...one, kind: "proposal" })).sort((a, b) => a.start - b.start);
    this.log = []; // { event, was }: `was` is what undoing it brings back
    this.rebase(opened, new Set());
  }

  // The server's newer word. `open`: ids of events it may not have known of.
  rebase(standing, open) {
    this.base = standing;
    this.log = this.log.filter(({ event }) => open.has(event.id));
    this.fold();
  }

  add(event, was) {
    this.log.push({ event, was });
    this.fold();
  }

  // The server did not take it.
  drop(id) {
    this.log = this.log.filter(({ event }) => event.id !== id);
    this.fold();
  }

  fold() {
    this.clips = new Map(this.base.clips.map((clip) => [clip.start, { ...clip, kind: "clip" }]));
    this.skipped = new Set(this.base.skipped);
    const before = countsOf(this.clips.values());
    for (const { event, was } of this.log) this[event.kind]?.(event, was);
    this.sorted = [...this.clips.values()].sort((a, b) => a.start - b.start);
    const after = countsOf(this.sorted);
    this.counts = {};
    for (const [name, count] of Object.entries(this.base.counts)) {
      this.counts[name] = count + (after[name] ?? 0) - (before[name] ?? 0);
    }
    this.list();
  }

  pick({ start, n, emotion, speaker, gender }) {
    for (const clip of this.overlapping(start, n)) this.clips.delete(clip.start);
    this.clips.set(start, { kind: "clip", start, n, arm: "picked", emotion, speaker, gender, state: "waiting" });
  }

  nominate({ start, emotion }) {
    this.change(start, { emotion });
  }

  speaker({ start, speaker, gender }) {
    this.change(start, { speaker, gender });
  }

  skip({ start }) {
    this.skipped.add(start);
  }

  undo(_, was) {
    if (was.kind === "skip") this.skipped.delete(was.start);
    else if (was.kind !== "pick") this.change(was.start, was.before);
    else {
      this.clips.delete(was.start);
      for (const clip of was.replaced) this.clips.set(clip.start, clip);
    }
  }

  change(start, values) {
    const clip = this.clips.get(start);
    if (clip) this.clips.set(start, { ...clip, ...values });
  }

  // What undoing an event that is about to happen would have to bring back.
  before({ kind, start, n }) {
    const clip = this.clips.get(start);
    const { emotion = null, speaker = "", gender = "" } = clip ?? {};
    return { kind, start, replaced: kind === "pick" ? this.overlapping(start, n) : [], before: { emotion, speaker, gender } };
  }

  overlapping(start, n) {
    return [...this.clips.values()].filter((clip) => clip.start < start + n && start < clip.start + clip.n);
  }

  clipAt(sample) {
    return this.sorted.find((clip) => clip.start <= sample && sample < clip.start + clip.n) ?? null;
  }

  // What there is to decide: windows that the screens let through or are in two minds about, and clips that the program
  // chose and nobody has said an emotion of. With `rejected`, what the screens turned away as well.
  list() {
    const standing = this.sorted;
    let at = 0;
    const isFree = ({ start, n }) => {
      while (at < standing.length && standing[at].start + standing[at].n <= start) at += 1;
      return at === standing.length || standing[at].start >= start + n;
    };
    this.proposals = this.proposed.filter(isFree).map((one) => ({ ...one, skipped: this.skipped.has(one.start) }));
    const chosen = this.sorted.filter((clip) => clip.arm !== "picked");
    this.stops = [...this.proposals, ...chosen].sort((a, b) => a.start - b.start);
    this.undecided = [false, true].map((rejected) => this.stops.filter((stop) => this.isOpen(stop, rejected)));
  }

  isOpen(stop, rejected) {
    if (this.skipped.has(stop.start)) return false;
    return stop.kind === "clip" ? stop.emotion === null && !stop.labelled : rejected || stop.status !== "reject";
  }

  open(rejected) {
    return this.undecided[Number(rejected)];
  }

  // Decided and to decide, and the place up to which all is decided.
  progress(rejected) {
    const picked = this.sorted.filter((clip) => clip.arm === "picked").length;
    const passed = this.stops.filter((stop) => this.skipped.has(stop.start) || (stop.kind === "clip" && stop.emotion !== null));
    return { left: this.open(rejected).length, done: picked + passed.length };
  }

  waiting() {
    return this.sorted.some((clip) => clip.state === "waiting");
  }
}

function countsOf(clips) {
  const counts = {};
  for (const { emotion } of clips) if (emotion) counts[emotion] = (counts[emotion] ?? 0) + 1;
  return counts;
}

// How good a stop is: a clip that the program chose before any proposal, what the screens turned away last.
function worth(stop) {
  if (stop.kind === "clip") return 3;
  return { keep: 2, review: 1, reject: 0 }[stop.status] + stop.score / 2;
}

// The next stop after `here` in the order asked for, or null.
function nextStop(open, here, order) {
  const others = open.filter((stop) => stop.start !== here);
  if (order === "best") return others.reduce((best, stop) => (!best || worth(stop) > worth(best) ? stop : best), null);
  return others.find((stop) => stop.start > here) ?? null;
}

// What was done here, so that it can be taken back: the last few, after a reload too.
class Done {
  constructor(person) {
    this.key = `workbench.picks_done.${person}`;
    try {
      this.all = JSON.parse(localStorage.getItem(this.key) ?? "[]");
    } catch {
      this.all = [];
    }
  }

  last(source) {
    return this.all.findLast((one) => one.source === source) ?? null;
  }

  push(one) {
    this.all = [...this.all, one].slice(-50);
    this.write();
  }

  remove(id) {
    this.all = this.all.filter((one) => one.id !== id);
    this.write();
  }

  write() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.all));
    } catch {
      // going back then reaches only what this page has done
    }
  }
}
