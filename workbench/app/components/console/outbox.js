// Answers (or picks) on their way to the store. Each is one entry of localStorage from the key press until the server has
// said that it is in the store; one that the server refuses is kept apart, with the reason, until the person dismisses it.

const MOST_AT_ONCE = 100;
const ANSWERS = { path: "/api/labels", pending: "workbench.pending.", refused: "workbench.refused." };
const PICKS = { path: "/api/clipper/events", pending: "workbench.curation.picks.", refused: "workbench.picks_refused." };

// How much this person has not sent yet, of whichever page.
function unsent(person) {
  return [ANSWERS, PICKS].reduce((sum, { pending }) => sum + new Drawer(`${pending}${person}.`).all().length, 0);
}

class Outbox {
  constructor(person, changed, kind = ANSWERS) {
    this.person = person;
    this.changed = changed;
    this.path = kind.path;
    this.pending = new Drawer(`${kind.pending}${person}.`);
    this.kept = new Drawer(`${kind.refused}${person}.`);
    this.ofOthers = storedKeys().some((key) => key.startsWith(kind.pending) && !key.startsWith(this.pending.prefix));
    this.count = 0;
    this.most = MOST_AT_ONCE;
    this.problem = null; // null, or a word of problemOf's
    this.sending = false;
    this.timer = null;
    this.backOff = new BackOff();
    addEventListener("online", () => this.send());
    addEventListener("beforeunload", (event) => {
      if (this.pending.memory.size + this.kept.memory.size) event.preventDefault();
    });
  }

  add(event) {
    const made = { id: newId(), time: Date.now(), ...event };
    const name = `${String(made.time).padStart(15, "0")}.${String(this.count++).padStart(9, "0")}.${made.id}`;
    this.pending.put(name, made);
    this.changed();
    this.send();
    return made;
  }

  waiting() {
    return this.pending.all().map(([, event]) => event);
  }

  // Answers that the server refused, oldest first, each with its `name` here and the `reason`.
  refused() {
    return this.kept.all().map(([name, event]) => ({ name, ...event }));
  }

  dismiss(entries) {
    for (const { name } of entries) this.kept.remove(name);
    this.changed();
  }

  tokens() {
    return this.waiting().map((event) => event.token);
  }

  async send() {
    if (this.sending) return;
    clearTimeout(this.timer);
    const batch = this.pending.all().slice(0, this.most);
    if (!batch.length) {
      this.problem = null;
      this.changed();
      return;
    }
    this.sending = true;
    try {
      const now = Date.now();
      const events = batch.map(([, { time, ...event }]) => ({ ...event, age_ms: Math.max(0, now - time) }));
      const answer = await ask(this.path, { person: this.person, events });
      const reasons = new Map(answer.refused.map(({ id, reason }) => [id, reason]));
      const acked = new Set(answer.acked);
      for (const [name, event] of batch) {
        if (acked.has(event.id)) this.pending.remove(name);
        else if (reasons.has(event.id)) this.refuse(name, event, reasons.get(event.id));
      }
      this.problem = null;
      this.most = Math.min(MOST_AT_ONCE, 2 * this.most);
      this.backOff.reset();
    } catch (error) {
      this.failed(error, batch);
    } finally {
      this.sending = false;
    }
    this.changed();
    if (!this.problem && this.pending.all().length) await this.send(); // whoever waits for one batch waits for all
  }

  failed(error, batch) {
    const problem = problemOf(error);
    if (problem !== "too_much" && problem !== "refused") {
      this.problem = problem;
      this.timer = setTimeout(() => this.send(), this.backOff.wait());
      return;
    }
    this.problem = null; // fewer at once; what is refused all by itself is what was at fault
    if (batch.length > 1) this.most = batch.length >> 1;
    else this.refuse(...batch[0], error.message);
  }

  refuse(name, event, reason) {
    this.kept.put(name, { ...event, reason });
    this.pending.remove(name);
  }
}
