// Moving and hearing: where the frame stands, what it stands on, what plays. The frame is what would be cut.
//
// focus.kind is "proposal" (the frame stands on one, nudged or not), "clip" (on a clip), or "free". While the source plays
// on ("free") the frame goes with the playhead; while the frame is listened to ("listen") the playhead runs through it.

const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
const TASTE_S = 0.45; // of the frame's beginning, after a nudge
const ENDING_S = 0.7;
const NUDGE_S = 0.01;

class Reading {
  constructor() {
    this.source = null;
    this.anchor = 0; // first sample of the frame
    this.focus = { kind: "free", start: null };
    this.subject = null; // start of the clip cut last while playing on
    this.play = null; // null | "free" | "listen"
    this.speed = 1;
    this.order = "time";
    this.rejected = false;
    this.trail = []; // starts of stops before this one
    this.passed = new Set(); // stops left for later, in the order of the best
  }

  // The sample that is heard, else the first of the frame.
  playhead() {
    return this.source.playback.position() ?? this.anchor;
  }

  frame() {
    return this.play === "free" ? this.source.within(this.playhead()) : this.anchor;
  }

  // Silence; a source that played on leaves the frame where it was heard last.
  halt() {
    const at = this.source?.playback.stop() ?? null;
    if (this.play === "free" && at !== null) {
      this.anchor = this.source.within(at);
      this.heardTo(at);
    }
    this.play = null;
  }

  sound(from, until, play) {
    this.halt();
    this.play = play;
    this.source.playback.start(Math.round(from), Math.round(until), this.speed);
    this.moved();
  }

  listenTo(from, until) {
    this.sound(from, until, "listen");
  }

  ended(at) {
    if (this.play === "free") {
      this.anchor = this.source.within(at);
      this.heardTo(at);
    }
    this.play = null;
    this.moved();
  }

  // ---- what the keys of this part do --------------------------------------------------------------------------

  toggle() {
    if (this.play) {
      this.halt();
      return this.moved();
    }
    this.leave();
    this.runFrom = this.anchor;
    this.sound(this.anchor, this.source.samples, "free");
  }

  listen() {
    if (this.play === "free") this.halt();
    this.listenTo(this.anchor, this.anchor + this.source.length);
  }

  ending() {
    if (this.play === "free") this.halt();
    const end = this.anchor + this.source.length;
    this.listenTo(end - ENDING_S * this.source.rate, end);
  }

  quicken(step) {
    const place = Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(this.speed) + step));
    const { play } = this;
    const at = this.source.playback.position();
    const until = this.source.playback.run?.until;
    if (SPEEDS[place] === this.speed) return;
    this.speed = SPEEDS[place];
    if (play === "free") this.sound(at, this.source.samples, "free");
    else if (play) this.listenTo(at, until);
    this.moved();
  }

  nudge(direction, held) {
    this.halt();
    this.place(this.anchor + direction * Math.round(NUDGE_S * this.source.rate));
    clearTimeout(this.tasting);
    if (held) this.tasting = setTimeout(() => this.taste(), 140);
    else this.taste();
  }

  taste() {
    if (!this.play) this.listenTo(this.anchor, this.anchor + TASTE_S * this.source.rate);
  }

  toOnset(direction) {
    const onset = this.source.onset(this.frame(), direction);
    if (onset === null) return this.say(direction > 0 ? "No pause after this." : "No pause before this.");
    this.halt();
    this.place(onset);
    this.source.view.reveal(this.anchor, this.anchor + this.source.length);
    this.listen();
  }

  // The frame is moved by hand: it keeps its proposal while it still overlaps it, a clip never.
  place(sample) {
    this.anchor = this.source.within(sample);
    const { kind, start } = this.focus;
    if (kind === "clip" || Math.abs(this.anchor - start) >= this.source.length) this.leave();
    this.source.view.reveal(this.anchor, this.anchor + this.source.length);
    this.moved();
  }

  leave() {
    this.focus = { kind: "free", start: null };
  }

  // To a proposal or a clip.
  visit(stop, { heard = true } = {}) {
    this.halt();
    this.focus = { kind: stop.kind, start: stop.start };
    this.subject = null;
    this.anchor = stop.start;
    this.source.view.reveal(stop.start, stop.start + stop.n);
    if (heard) this.listen();
    this.moved();
  }

  // To any place; what plays on goes on from there.
  seek(sample) {
    const { play } = this;
    this.halt();
    this.leave();
    this.anchor = this.source.within(sample);
    if (play === "free") {
      this.runFrom = this.anchor;
      this.sound(this.anchor, this.source.samples, "free");
    }
    this.moved();
  }

  next() {
    const { source, focus } = this;
    const open = source.picks.open(this.rejected);
    if (!open.length) {
      this.halt();
      return this.say(this.nothingLeft());
    }
    if (focus.kind !== "free") {
      this.trail = [...this.trail, focus.start].slice(-200);
      this.passed.add(focus.start);
    }
    const stop = this.following(open);
    this.say(stop.start < this.frame() && this.order === "time" ? `From the beginning again: ${amount(open.length, "proposal")} left out before.` : "");
    this.visit(stop);
  }

  following(open) {
    if (this.order === "time") return nextStop(open, this.focus.start ?? this.frame() - 1, "time") ?? open[0];
    const fresh = open.filter((stop) => !this.passed.has(stop.start));
    if (!fresh.length) this.passed.clear();
    return nextStop(fresh.length ? fresh : open, fresh.length ? null : this.focus.start, "best") ?? open[0];
  }

  // What the next key is likely to play, so that its sound is here before.
  ahead() {
    const open = this.source.picks.open(this.rejected);
    if (this.order === "best") return [nextStop(open.filter((stop) => !this.passed.has(stop.start)), this.focus.start, "best")?.start].filter(Number.isFinite);
    const first = nextStop(open, this.focus.start ?? this.anchor - 1, "time");
    const second = first && nextStop(open, first.start, "time");
    return [first, second].filter(Boolean).map((stop) => stop.start);
  }

  nothingLeft() {
    const hidden = this.source.picks.open(true).length;
    if (hidden && !this.rejected) return `All decided. ${amount(hidden, "window")} that the screens rejected can be visited too ("rejected too").`;
    return "All decided in this recording.";
  }

  previous() {
    const start = this.trail.pop() ?? this.source.picks.stops.findLast((stop) => stop.start < this.frame())?.start;
    const { picks } = this.source;
    const stop = picks.clips.get(start) ?? picks.stops.find((one) => one.start === start) ?? (start === undefined ? null : picks.clipAt(start));
    if (!stop) return this.say("Nothing before this.");
    this.say("");
    this.visit(stop);
  }
}
