// Decisions: each is one event on its way to the server, shown at once, and taken back by one key.

class Deciding extends Opening {
  cut(emotion = null) {
    const { source, focus } = this;
    const start = this.frame();
    const there = source.picks.overlapping(start, source.length);
    const own = there.find((clip) => clip.arm === "picked");
    if (own && own.start === start) return this.say(`This is a clip already: ${this.digits} say its emotion.`);
    if (own) return this.say(`A clip stands here, from ${clock(source.seconds(own.start), 2)}: move the frame, or take that one back.`);
    if (there.some((clip) => clip.labelled)) return this.say("Raters have answered to the clip that stands here; it stays.");
    this.record({ kind: "pick", start, n: source.length, emotion, ...this.speaker });
    if (focus.kind !== "free") return this.decided(`Cut at ${clock(source.seconds(start), 2)}.`);
    this.subject = start;
    this.mining.decided();
    const instead = there.length ? ", in place of what the screens had chosen here" : "";
    this.say(`Cut at ${clock(source.seconds(start), 2)}${instead}. ${this.digits} say its emotion.`);
  }

  nominate(emotion) {
    const { picks } = this.source;
    const { focus } = this;
    if (focus.kind === "proposal") return this.cut(emotion);
    const start = focus.kind === "clip" ? focus.start : this.subject;
    const clip = picks.clips.get(start);
    if (!clip) return this.say("No clip is chosen: x cuts here, n goes to a proposal.");
    const isNew = focus.kind === "clip" && picks.isOpen(clip, false);
    this.record({ kind: "nominate", start, emotion });
    const { text } = this.labels.get(emotion);
    if (isNew) return this.decided(`${text}, from ${clock(this.source.seconds(start), 1)}.`);
    this.say(`${text}. ${focus.kind === "clip" ? "n goes on." : ""}`);
  }

  skip() {
    const { focus } = this;
    if (focus.kind === "free") return this.say("Nothing to skip here: n goes to a proposal.");
    const clip = focus.kind === "clip" ? this.source.picks.clips.get(focus.start) : null;
    if (clip?.arm === "picked") return this.next();
    this.record({ kind: "skip", start: focus.start });
    this.decided(clip ? "Left as it is: it stays a clip." : "Skipped.");
  }

  // Straight on to the next one.
  decided(words) {
    this.mining.decided();
    const { picks } = this.source;
    const open = picks.open(this.rejected);
    if (this.order === "time") this.reached(open[0]?.start ?? this.source.samples);
    if (open.length) {
      this.next();
      if (!this.hint) this.say(words);
      return;
    }
    this.halt();
    this.leave();
    this.say(`${words} ${this.nothingLeft()}`);
  }

  undo() {
    const last = this.done.last(this.source.name);
    if (!last) return this.say("Nothing to take back in this recording.");
    this.done.remove(last.id);
    this.mining.taken();
    const event = this.outbox.add({ kind: "undo", source: this.source.name, of: last.id });
    const { picks } = this.source;
    picks.add(event, last.was);
    if (this.subject === last.start) this.subject = null;
    const stop = picks.stops.find((one) => one.start === last.focus.start) ?? picks.clips.get(last.start);
    if (last.focus.kind !== "free" && stop) {
      this.visit(stop, { heard: false });
      this.anchor = last.start;
      this.listen();
    } else if (this.play !== "free") this.seek(last.start);
    this.say("Taken back.");
  }

  record(event) {
    const { source, picks } = { source: this.source.name, picks: this.source.picks };
    const was = picks.before(event);
    const made = this.outbox.add({ source, ...event });
    picks.add(made, was);
    this.done.push({ id: made.id, source, start: event.start, was, focus: { ...this.focus } });
  }

  // What undoing an event of before a reload brings back.
  wasOf(event, picks) {
    const known = this.done.all.find((one) => one.id === event.id || one.id === event.of);
    return known?.was ?? picks.before(event);
  }

  heardTo(at) {
    if (this.runFrom <= this.mining.mined + this.source.rate) this.reached(at);
  }

  reached(sample) {
    if (!this.mining.reached(sample, this.source.rate)) return;
    this.outbox.add({ kind: "mined", source: this.source.name, start: this.mining.mined });
  }

  // ---- who speaks ---------------------------------------------------------------------------------------------

  peopleAre(people) {
    this.people = people.filter((one, i) => one.speaker && people.findIndex(({ speaker }) => speaker === one.speaker) === i);
    if (this.dom) displayKnown(this);
  }

  named(speaker) {
    const known = this.people.find((one) => one.speaker === speaker);
    this.speaks({ speaker, gender: known?.gender ?? "" });
  }

  // Holds for what is cut from now on, and for the clip that is chosen.
  speaks({ speaker, gender }) {
    this.speaker = { speaker, gender };
    if (speaker) this.peopleAre([this.speaker, ...this.people.filter((one) => one.speaker !== speaker)]);
    const start = this.focus.kind === "clip" ? this.focus.start : this.focus.kind === "free" ? this.subject : null;
    if (this.source?.picks.clips.has(start)) this.record({ kind: "speaker", start, speaker, gender });
    this.say(speaker || gender ? "Holds for what is cut from now on." : "");
    this.moved();
  }

  // ---- which come next ----------------------------------------------------------------------------------------

  ordered(order) {
    this.order = order;
    this.passed.clear();
    this.say(order === "best" ? "The best match comes first." : "Proposals come in the order of time.");
  }

  visitRejected(wanted) {
    this.rejected = wanted;
    this.moved();
  }
}
