// Sources: which there are, opening one (its sound may have to be made first), and the server's newer word of it.

const POLL_MAKING_MS = 1000;
const POLL_WAITING_MS = 4000;
const POLL_MS = 20000;

class Opening extends Reading {
  async begin() {
    try {
      this.sources = (await ask("/api/clipper/sources", {})).sources;
    } catch (error) {
      this.say(PROBLEMS_SAID[problemOf(error)] ?? error.message);
      setTimeout(() => this.begin(), 2000);
      return;
    }
    const asked = new URLSearchParams(location.search);
    const found = this.sources.find((one) => one.source === asked.get("source"));
    const first = found ?? this.sources.find((one) => one.proposed && one.state !== "away") ?? this.sources.find((one) => one.state !== "away") ?? this.sources[0];
    if (!first) return this.enter("empty");
    const at = asked.get("at");
    if (asked.get("source") && !found) this.missed = asked.get("source");
    await this.open(first.source, found && at !== null ? Number(at) : null);
  }

  // The page is there again, perhaps by a link to another place.
  async reopen() {
    const asked = new URLSearchParams(location.search);
    const [name, at] = [asked.get("source"), asked.get("at")];
    if (!name || !this.sources.some((one) => one.source === name)) return;
    if (name !== this.chosen) await this.open(name, at === null ? null : Number(at));
    else if (this.source && at !== null) this.seek(Number(at) * this.source.rate);
  }

  // `again`: make anew what could not be made.
  async open(name, at = null, again = false) {
    this.shut();
    this.chosen = name;
    if (this.dom) fillSources(this.dom.select, this.sources, name);
    if (this.mode !== "making") this.enter("starting");
    const isStill = () => this.chosen === name && this.source === null;
    try {
      const opened = await ask("/api/clipper/open", { source: name, again }, 60000);
      if (!isStill()) return;
      if (opened.state === "ready") {
        this.ready(opened, at);
        return;
      }
      this.opening = opened;
      this.enter(opened.state);
      if (opened.state === "making") this.again(() => isStill() && this.open(name, at), POLL_MAKING_MS);
    } catch (error) {
      if (!isStill()) return;
      if (error instanceof Refusal && error.status === 404) {
        this.opening = { sentence: error.message };
        return this.enter("away");
      }
      this.say(PROBLEMS_SAID[problemOf(error)] ?? PROBLEMS_SAID.unavailable);
      this.again(() => isStill() && this.open(name, at), 2 * POLL_MAKING_MS);
    }
  }

  again(act, wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(act, wait);
  }

  ready(opened, at) {
    const { source: name } = opened;
    this.source = new Source(opened, {
      changed: () => this.arrived(),
      ended: (sample) => this.ended(sample),
      waits: () => this.foresee(),
    });
    const { picks } = this.source;
    for (const event of this.outbox.waiting()) if (event.source === name) picks.add(event, this.wasOf(event, picks));
    this.mining = new Mining(opened.mined_to);
    this.peopleAre(opened.speakers);
    this.anchor = this.source.within(at === null || !Number.isFinite(at) ? opened.mined_to : at * this.source.rate);
    this.leave();
    this.subject = null;
    this.trail = [];
    this.passed.clear();
    this.speaker = { speaker: "", gender: "" };
    this.source.view.reveal(this.anchor, this.anchor + this.source.length);
    this.hint = this.missed ? `No recording here is called ${this.missed}; this is another one.` : "";
    this.missed = null;
    this.film();
    this.enter("ready");
    this.moved();
    this.poll();
  }

  shut() {
    clearTimeout(this.timer);
    this.halt();
    this.source?.close();
    this.source = null;
    this.play = null;
  }

  // The server's newer word: files made meanwhile, what others did.
  poll() {
    const wait = this.source.picks.waiting() && !this.outbox.waiting().length ? POLL_WAITING_MS : POLL_MS;
    this.again(async () => {
      const { source } = this;
      const sent = new Set(source.picks.log.map(({ event }) => event.id));
      for (const { id } of this.outbox.waiting()) sent.delete(id);
      try {
        const standing = document.hidden || !this.dom ? null : await ask("/api/clipper/standing", { source: source.name });
        if (source !== this.source) return;
        if (standing) {
          source.picks.rebase(standing, new Set(source.picks.log.map(({ event }) => event.id).filter((id) => !sent.has(id))));
          this.peopleAre(standing.speakers);
        }
      } catch {
        // the outbox says what is wrong with the connection
      }
      if (source !== this.source) return;
      this.moved();
      this.poll();
    }, wait);
  }
}
